"""The tetrachoric correlation of a 2×2 table: the normal variables behind two cuts."""

from __future__ import annotations

import math

__all__ = ["bivariate_normal_cdf", "tetrachoric"]

STEPS = 200


def bivariate_normal_cdf(h: float, k: float, rho: float) -> float:
    """P(X ≤ h, Y ≤ k) of two standard normal variables with correlation ρ.

    By Owen's T function.

    References
    ----------
    Owen, D. B. (1956). Annals of Mathematical Statistics, 27, 1075–1090.
    https://doi.org/10.1214/aoms/1177728074

    Examples
    --------
    >>> round(bivariate_normal_cdf(0, 0, .5), 12)
    0.333333333333
    """
    from scipy.special import ndtr, owens_t

    if abs(rho) == 1:
        low, high = ndtr(min(h, k)), ndtr(h) - ndtr(-k)
        return float(low if rho > 0 else max(high, 0.0))
    root = math.sqrt((1 - rho) * (1 + rho))
    # The limits of T at h = 0 or k = 0.
    t_h = owens_t(h, (k - rho * h) / (h * root)) if h else math.copysign(0.25, k) if k else None
    t_k = owens_t(k, (h - rho * k) / (k * root)) if k else math.copysign(0.25, h) if h else None
    if t_h is None or t_k is None:
        return 0.25 + math.asin(rho) / (2 * math.pi)
    opposite = 0.5 if h * k < 0 or (h * k == 0 and h + k < 0) else 0.0
    return float((ndtr(h) + ndtr(k)) / 2 - t_h - t_k - opposite)


def tetrachoric(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    """Tetrachoric correlation and its large-sample variance.

    With three free cells and three parameters (ρ and both cuts) the likelihood is at its maximum
    where the expected cells are the observed ones; the variance is by the delta method, which there
    is that of the inverse information.

    Parameters
    ----------
    a, b, c, d : float
        Cells by rows, none empty.

    References
    ----------
    Pearson, K. (1900). Philosophical Transactions of the Royal Society A, 195, 1–47.
    https://doi.org/10.1098/rsta.1900.0022

    Examples
    --------
    >>> r, v = tetrachoric(135, 15, 40, 10)
    >>> round(r, 6), round(v, 6)
    (0.260242, 0.020246)
    """
    from scipy.special import ndtri

    n = a + b + c + d
    h, k = float(ndtri((a + b) / n)), float(ndtri((a + c) / n))
    rho = _solve(h, k, a / n)
    return rho, _variance(h, k, rho, (a / n, b / n, c / n, d / n)) / n


def _solve(h: float, k: float, p: float) -> float:
    """ρ at which P(X ≤ h, Y ≤ k) = p: it rises with ρ, so that halving and Newton find it."""
    low, high = -1.0, 1.0
    rho = 0.0
    for _ in range(STEPS):
        miss = bivariate_normal_cdf(h, k, rho) - p
        low, high = (low, rho) if miss > 0 else (rho, high)
        slope = _density(h, k, rho)
        step = rho - miss / slope if slope > 0 else math.nan
        following = step if low < step < high else (low + high) / 2
        if abs(following - rho) < 1e-15:
            return following
        rho = following
    return rho


def _density(h: float, k: float, rho: float) -> float:
    """φ₂(h, k; ρ), which is also ∂P/∂ρ."""
    rest = (1 - rho) * (1 + rho)
    if rest <= 0:
        return 0.0
    exponent = (h * h - 2 * rho * h * k + k * k) / (2 * rest)
    return math.exp(-exponent) / (2 * math.pi * math.sqrt(rest))


def _variance(h: float, k: float, rho: float, cells: tuple[float, ...]) -> float:
    """Var(ρ) times n by the delta method: multinomial cells, with both cuts estimated.

    From P(X ≤ h, Y ≤ k) = p_a follows φ₂ dρ = dp_a − Φ(y | h) dp_row − Φ(x | k) dp_column, with the
    normal distribution functions of one variable at its cut given the other at its own.
    """
    from scipy.special import ndtr

    density = _density(h, k, rho)
    if not density > 0:
        return math.nan
    root = math.sqrt((1 - rho) * (1 + rho))
    row, column = float(ndtr((k - rho * h) / root)), float(ndtr((h - rho * k) / root))
    slopes = (1 - row - column, -row, -column, 0.0)
    mean = sum(slope * p for slope, p in zip(slopes, cells, strict=True))
    squares = sum(slope * slope * p for slope, p in zip(slopes, cells, strict=True))
    return (squares - mean * mean) / density / density
