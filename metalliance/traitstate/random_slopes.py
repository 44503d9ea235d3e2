"""How much the within-patient slope differs between patients."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray

__all__ = ["RandomSlopes", "random_slopes"]

WIDEST_LOG_RATIO = 12.0
GRID = 49
EXACT = 1e-12  # of the sum of squares: residuals that are rounding alone
CHI2_95 = 3.841458820694124


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSlopes:
    """A slope that varies between patients.

    Attributes
    ----------
    slope, std_error : float
        Mean slope in units of the variables.
    slope_sd : float
        Standard deviation over patients; 0 at the boundary.
    conf_low, conf_high : float
        Of ``slope_sd``, from the profile of the restricted likelihood, 95 %.
    residual_sd : float
    minus2_reml : float
        Without its constant.
    patients : int
        Who inform it.
    """

    slope: float
    std_error: float
    slope_sd: float
    conf_low: float
    conf_high: float
    residual_sd: float
    minus2_reml: float
    patients: int


def random_slopes(n: FloatArray, sxx: FloatArray, sxy: FloatArray, syy: FloatArray) -> RandomSlopes:
    r"""Restricted maximum likelihood of y_it = a_i + (β + u_i) x_it + e_it.

    Parameters
    ----------
    n, sxx, sxy, syy : (N,) float
        Pairs of each patient, and their sums of squares and products about the patient's means.

    Returns
    -------
    RandomSlopes
        With NaN where fewer than two patients have a slope of their own, or nothing is left over.

    Notes
    -----
    The intercepts a_i are fixed, one per patient, so that β is purely within patients. What is
    left is two independent parts: each patient's own slope b_i with variance τ² + σ²/S_i, and the
    residuals about it. With θ = τ²/σ² and w_i = S_i/(1 + θS_i),

    −2 log L = df log σ² + Σ log(1 + θS_i) + log Σw_i, β = Σw_i b_i/Σw_i, df = Σ(n_i − 1) − 1,

    in which σ² = [Σw_i(b_i − β)² + RSS]/df: one ratio is searched for.

    References
    ----------
    Laird, N. M., & Ware, J. H. (1982). Biometrics, 38, 963–974. https://doi.org/10.2307/2529876

    Examples
    --------
    >>> found = random_slopes(np.full(3, 4.0), np.array([5.0, 5, 5]), np.array([1.0, 2, 3]),
    ...                       np.array([2.0, 2, 3]))
    >>> round(found.slope, 2), found.patients
    (0.4, 3)
    """
    several = n > 1
    df = float((n[several] - 1).sum() - 1)
    has = several & (sxx > 0)
    spare = _residual(sxx, sxy, syy, several, has)
    exact = spare <= EXACT * float(syy[several].sum())
    if has.sum() < 2 or df <= has.sum() or exact:
        none = math.nan
        return RandomSlopes(
            slope=none,
            std_error=none,
            slope_sd=none,
            conf_low=none,
            conf_high=none,
            residual_sd=none,
            minus2_reml=none,
            patients=int(has.sum()),
        )
    s, b, residual = sxx[has], sxy[has] / sxx[has], spare
    scale = 1.0 / float(s.mean())

    def parts(theta: float) -> tuple[float, float, float, float]:
        w = s / (1.0 + theta * s)
        beta = float((w * b).sum() / w.sum())
        variance = (float((w * (b - beta) ** 2).sum()) + residual) / df
        value = df * math.log(variance) + float(np.log1p(theta * s).sum()) + math.log(w.sum())
        return value, beta, variance, float(w.sum())

    def criterion(log_ratio: float) -> float:
        return parts(scale * math.exp(log_ratio))[0]

    theta = _minimum(criterion, scale, parts(0.0)[0])
    best, beta, variance, total = parts(theta)
    low, high = _profile(lambda t: parts(t)[0] - best - CHI2_95, theta, scale)
    return RandomSlopes(
        slope=beta,
        std_error=math.sqrt(variance / total),
        slope_sd=math.sqrt(theta * variance),
        conf_low=math.sqrt(low * parts(low)[2]),
        conf_high=math.sqrt(high * parts(high)[2]) if math.isfinite(high) else math.nan,
        residual_sd=math.sqrt(variance),
        minus2_reml=best,
        patients=int(has.sum()),
    )


def _residual(
    sxx: FloatArray, sxy: FloatArray, syy: FloatArray, several: np.ndarray, has: np.ndarray
) -> float:
    """Sum of squares about every patient's own line."""
    own = syy[has] - sxy[has] ** 2 / sxx[has]
    return float(np.maximum(own, 0).sum() + syy[several & ~has].sum())


def _minimum(criterion: Callable[[float], float], scale: float, at_zero: float) -> float:
    """θ at the lowest point: over a grid of its logarithm, then by golden section."""
    from scipy.optimize import minimize_scalar

    grid = np.linspace(-WIDEST_LOG_RATIO, WIDEST_LOG_RATIO, GRID)
    values = np.array([criterion(x) for x in grid])
    i = int(np.argmin(values))
    bounds = (grid[max(i - 1, 0)], grid[min(i + 1, GRID - 1)])
    found = minimize_scalar(criterion, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    return scale * math.exp(found.x) if found.fun < at_zero else 0.0


def _profile(excess: Callable[[float], float], theta: float, scale: float) -> tuple[float, float]:
    """Both ends of the ratios that the likelihood does not refuse; the upper one may be NaN."""
    from scipy.optimize import brentq

    low = 0.0
    if theta > 0 and excess(0.0) > 0:
        low = float(brentq(excess, 0.0, theta, xtol=1e-14))
    end = max(theta, scale)
    for _ in range(60):
        end *= 4.0
        if excess(end) > 0:
            return low, float(brentq(excess, theta, end, xtol=1e-14))
    return low, math.nan
