"""Measures of escalc: 2×2 tables."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from metalliance.effectsize.measure_parts import Columns, Pair, on_z, refuse
from metalliance.effectsize.tetrachoric import tetrachoric
from metalliance.numerics.blocks import FloatArray

__all__ = [
    "log_odds_times",
    "log_risk_ratio",
    "phi",
    "phi_of_cells",
    "phi_of_groups",
    "probits",
    "risk_difference",
    "tetrachoric_table",
    "yule",
    "z_phi",
    "z_tetrachoric",
]


def _cells(c: Columns, *, halved: bool = True) -> tuple[FloatArray, ...]:
    """The four cells, with ½ in each cell of a table that has an empty one."""
    cells = [c[name] for name in ("ai", "bi", "ci", "di")]
    refuse(np.any([cell < 0 for cell in cells], axis=0), "a cell is below 0")
    empty = np.any([cell == 0 for cell in cells], axis=0) & halved
    return tuple(cell + 0.5 * empty for cell in cells)


def phi(c: Columns, vtype: str) -> Pair:
    """PHI of the four cells: LS and CS with n fixed (`phi_of_cells`), ST with the groups fixed."""
    return (phi_of_groups if vtype == "ST" else phi_of_cells)(*_cells(c, halved=False))


def phi_of_cells(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """(ad − bc)/√(margins), variance of Yule (1912) with only n fixed.

    https://doi.org/10.2307/2340126
    """
    n = a + b + c + d
    p1, p2, q1, q2 = (a + b) / n, (c + d) / n, (a + c) / n, (b + d) / n
    root = np.sqrt(p1 * p2 * q1 * q2)
    y = (a * d - b * c) / (n * n) / root
    skew = (p1 - p2) * (q1 - q2) / root
    lopsided = (p1 - p2) ** 2 / (p1 * p2) + (q1 - q2) ** 2 / (q1 * q2)
    return y, (1 - y**2 + y * (1 + y**2 / 2) * skew - 0.75 * y**2 * lopsided) / n


def phi_of_groups(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> Pair:
    """φ with the variance for two groups of fixed size, by the delta method.

    φ = (p1 − p2)√(w1 w2)/√(q(1 − q)) with w the shares of the groups and q = w1 p1 + w2 p2 of all.
    """
    n1, n2 = a + b, c + d
    p1, p2, w1, w2 = a / n1, c / n2, n1 / (n1 + n2), n2 / (n1 + n2)
    q = w1 * p1 + w2 * p2
    spread, root = q * (1 - q), np.sqrt(w1 * w2)
    phi, tilt = (p1 - p2) * root / np.sqrt(spread), (p1 - p2) * (1 - 2 * q) / (2 * spread)
    by_p1, by_p2 = (root / np.sqrt(spread) * x for x in (1 - w1 * tilt, -1 - w2 * tilt))
    return phi, by_p1**2 * p1 * (1 - p1) / n1 + by_p2**2 * p2 * (1 - p2) / n2


def z_phi(c: Columns, vtype: str) -> Pair:
    """ZPHI: atanh of PHI."""
    return on_z(*phi(c, vtype))


def _log_odds(c: Columns) -> Pair:
    a, b, cc, d = _cells(c)
    return np.log(a * d / (b * cc)), 1 / a + 1 / b + 1 / cc + 1 / d


def yule(root: int) -> Callable[[Columns, str], Pair]:
    """YUQ (OR − 1)/(OR + 1) and YUY with √OR; (1 − y²)²/(4 root²) Σ 1/cell."""

    def rule(c: Columns, _: str) -> Pair:
        log_or, v = _log_odds(c)
        y = np.tanh(log_or / (2 * root))
        return y, (1 - y**2) ** 2 * v / (4 * root**2)

    return rule


def tetrachoric_table(c: Columns, _: str) -> Pair:
    """RTET: maximum likelihood over ρ and both cuts, solved exactly; see `tetrachoric`.

    metafor's search stops about 1e-5 away from it. With an empty cell ρ lies at ±1, without a
    variance.
    """
    cells = np.stack(np.broadcast_arrays(*_cells(c, halved=False)), axis=1)
    found = [_tetrachoric(*row) for row in cells.tolist()]
    return np.array([r for r, _v in found]), np.array([v for _r, v in found])


def _tetrachoric(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    if min(a, b, c, d) > 0:
        return tetrachoric(a, b, c, d)
    against, along = a * d == 0, b * c == 0
    return (math.nan if against and along else -1.0 if against else 1.0), math.nan


def z_tetrachoric(c: Columns, vtype: str) -> Pair:
    """ZTET: atanh of RTET."""
    return on_z(*tetrachoric_table(c, vtype))


def probits(c: Columns, _: str) -> Pair:
    """PBIT: Φ⁻¹(p1) − Φ⁻¹(p2), Σ 2π p q exp(z²)/n."""
    from scipy.special import ndtri

    a, b, cc, d = _cells(c)
    z1, z2 = ndtri(a / (a + b)), ndtri(cc / (cc + d))
    parts = [
        2 * math.pi * x * y / (x + y) ** 2 * np.exp(z**2) / (x + y)
        for x, y, z in ((a, b, z1), (cc, d, z2))
    ]
    return z1 - z2, parts[0] + parts[1]


def log_odds_times(factor: float) -> Callable[[Columns, str], Pair]:
    """OR (1), OR2DL (√3/π) and OR2DN (1/1.65): ln OR times a factor.

    https://doi.org/10.1037/0033-2909.117.1.167
    """

    def rule(c: Columns, _: str) -> Pair:
        log_or, v = _log_odds(c)
        return factor * log_or, factor**2 * v

    return rule


def log_risk_ratio(c: Columns, _: str) -> Pair:
    """RR: ln(p1/p2), 1/a − 1/n1 + 1/c − 1/n2."""
    a, b, cc, d = _cells(c)
    n1, n2 = a + b, cc + d
    return np.log(a / n1) - np.log(cc / n2), 1 / a - 1 / n1 + 1 / cc - 1 / n2


def risk_difference(c: Columns, _: str) -> Pair:
    """RD: p1 − p2, Σ p q/n."""
    a, b, cc, d = _cells(c)
    return a / (a + b) - cc / (cc + d), a * b / (a + b) ** 3 + cc * d / (cc + d) ** 3
