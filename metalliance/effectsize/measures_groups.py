"""Measures of escalc: two groups, and changes of one group."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from metalliance.effectsize.measure_parts import Columns, Pair, on_z, refuse
from metalliance.numerics.blocks import FloatArray

__all__ = [
    "biserial",
    "biserial_from_point_biserial",
    "change_by_change",
    "change_by_raw",
    "d_to_log_odds",
    "difference_by_control",
    "difference_unequal",
    "mean_change",
    "mean_difference",
    "point_biserial",
    "standardised_difference",
    "z_biserial",
    "z_point_biserial",
]


def _d(c: Columns) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Standardised mean difference (uncorrected), both n, and their degrees of freedom."""
    n1, n2 = c["n1i"], c["n2i"]
    m = n1 + n2 - 2
    sd = np.sqrt(((n1 - 1) * c["sd1i"] ** 2 + (n2 - 1) * c["sd2i"] ** 2) / m)
    return (c["m1i"] - c["m2i"]) / sd, n1, n2, m


def point_biserial(c: Columns, vtype: str) -> Pair:
    """RPB: d/√(d² + h), h = m/n1 + m/n2, m = n1 + n2 − 2.

    LS (groups fixed) h²/(h + d²)³ (1/n1 + 1/n2 + d²/(2n)); CS (n fixed) of Tate (1954):
    (1 − r²)²(n r²/(4 n1 n2) + (2 − 3r²)/(2n)). https://doi.org/10.1002/jrsm.1218
    """
    d, n1, n2, m = _d(c)
    n = n1 + n2
    h = m / n1 + m / n2
    r = d / np.sqrt(d**2 + h)
    if vtype == "CS":
        return r, (1 - r**2) ** 2 * (n * r**2 / (4 * n1 * n2) + (2 - 3 * r**2) / (2 * n))
    return r, h**2 / (h + d**2) ** 3 * (1 / n1 + 1 / n2 + d**2 / (2 * n))


def z_point_biserial(c: Columns, vtype: str) -> Pair:
    """ZPB: atanh of RPB."""
    return on_z(*point_biserial(c, vtype))


def biserial(c: Columns, _: str) -> Pair:
    """RBIS of a point-biserial correlation; see `biserial_from_point_biserial`."""
    r_pb, _v = point_biserial(c, "LS")
    return biserial_from_point_biserial(r_pb, c["n1i"], c["n2i"])


def biserial_from_point_biserial(r_pb: FloatArray, n1: FloatArray, n2: FloatArray) -> Pair:
    """r_pb √(pq)/f with the normal density f at the cut; variance of Soper (1914).

    [pq/f² − (3/2 + (1 − p z/f)(1 + q z/f)) r² + r⁴]/(n − 1), r within ±1.
    https://doi.org/10.1002/jrsm.1218
    """
    from scipy.special import ndtri

    n = n1 + n2
    p, q = n1 / n, n2 / n
    cut = -ndtri(p)
    f = np.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi)
    r = np.sqrt(p * q) / f * r_pb
    t = np.clip(r, -1, 1)
    inner = 1.5 + (1 - p * cut / f) * (1 + q * cut / f)
    return r, (p * q / f**2 - inner * t**2 + t**4) / (n - 1)


def z_biserial(c: Columns, vtype: str) -> Pair:
    """ZBIS: atanh of RBIS; NaN at and beyond ±1."""
    return on_z(*biserial(c, vtype))


def d_to_log_odds(factor: float) -> Callable[[Columns, str], Pair]:
    """D2ORL (π/√3) and D2ORN (1.65): the uncorrected d as a log odds ratio."""

    def rule(c: Columns, _: str) -> Pair:
        d, n1, n2, _m = _d(c)
        v = 1 / n1 + 1 / n2 + d**2 / (2 * (n1 + n2))
        return factor * d, factor**2 * v

    return rule


def mean_difference(c: Columns, _: str) -> Pair:
    """MD: M1 − M2, SD1²/n1 + SD2²/n2."""
    v = c["sd1i"] ** 2 / c["n1i"] + c["sd2i"] ** 2 / c["n2i"]
    return c["m1i"] - c["m2i"], v


def _j(m: FloatArray) -> FloatArray:
    from scipy.special import gammaln

    exact = np.exp(gammaln(m / 2) - 0.5 * np.log(m / 2) - gammaln((m - 1) / 2))
    return np.where(m > 1, exact, np.nan)


def standardised_difference(c: Columns, vtype: str) -> Pair:
    """SMD: Hedges' g = J d, exact J of m = n1 + n2 − 2.

    LS 1/n1 + 1/n2 + g²/(2n); LS2 J²(1/n1 + 1/n2 + d²/(2n)); UB 1/n1 + 1/n2 +
    (1 − (m − 2)/(m J²)) g². https://doi.org/10.3102/10769986006002107
    """
    d, n1, n2, m = _d(c)
    j = _j(m)
    g, flat = j * d, 1 / n1 + 1 / n2
    if vtype == "LS2":
        return g, j**2 * (flat + d**2 / (2 * (n1 + n2)))
    if vtype == "UB":
        return g, flat + (1 - (m - 2) / (m * j**2)) * g**2
    return g, flat + g**2 / (2 * (n1 + n2))


def difference_unequal(c: Columns, _: str) -> Pair:
    """SMDH: standardised by √((SD1² + SD2²)/2), J of n1 + n2 − 2; variance of Bonett (2009).

    https://doi.org/10.1037/a0014699
    """
    n1, n2, v1, v2 = c["n1i"], c["n2i"], c["sd1i"] ** 2, c["sd2i"] ** 2
    s2 = (v1 + v2) / 2
    d = (c["m1i"] - c["m2i"]) / np.sqrt(s2)
    j = _j(n1 + n2 - 2)
    g = j * d
    first = g**2 * (v1**2 / (n1 - 1) + v2**2 / (n2 - 1)) / (8 * s2**2)
    return g, j**2 * (first + (v1 / (n1 - 1) + v2 / (n2 - 1)) / s2)


def difference_by_control(c: Columns, _: str) -> Pair:
    """SMD1: standardised by SD2, J of n2 − 1; 1/n1 + 1/n2 + g²/(2 n2)."""
    n1, n2 = c["n1i"], c["n2i"]
    g = _j(n2 - 1) * (c["m1i"] - c["m2i"]) / c["sd2i"]
    return g, 1 / n1 + 1 / n2 + g**2 / (2 * n2)


def _change_sd(c: Columns) -> FloatArray:
    refuse(np.abs(c["ri"]) > 1, "ri lies outside -1 to 1")
    v = c["sd1i"] ** 2 + c["sd2i"] ** 2 - 2 * c["ri"] * c["sd1i"] * c["sd2i"]
    return np.sqrt(v)


def mean_change(c: Columns, _: str) -> Pair:
    """MC: M1 − M2 of one group, Var of the change over n."""
    return c["m1i"] - c["m2i"], _change_sd(c) ** 2 / c["ni"]


def change_by_change(c: Columns, _: str) -> Pair:
    """SMCC: change over its own SD, J of n − 1; 1/n + g²/(2n)."""
    n = c["ni"]
    g = _j(n - 1) * (c["m1i"] - c["m2i"]) / _change_sd(c)
    return g, 1 / n + g**2 / (2 * n)


def change_by_raw(c: Columns, _: str) -> Pair:
    """SMCR: change over SD1, J of n − 1; 2(1 − r)/n + g²/(2n)."""
    n = c["ni"]
    refuse(np.abs(c["ri"]) > 1, "ri lies outside -1 to 1")
    g = _j(n - 1) * (c["m1i"] - c["m2i"]) / c["sd1i"]
    return g, 2 * (1 - c["ri"]) / n + g**2 / (2 * n)
