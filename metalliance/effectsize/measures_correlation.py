"""Measures of escalc: correlations, partial and semi-partial ones, R², reliabilities."""

from __future__ import annotations

import numpy as np

from metalliance.effectsize.measure_parts import Columns, Pair, mean_by_n, on_z, refuse
from metalliance.numerics.blocks import FloatArray

__all__ = [
    "alpha",
    "alpha_bonett",
    "alpha_hakstian_whalen",
    "correlation",
    "explained",
    "fisher_z",
    "partial",
    "semipartial",
    "unbiased_correlation",
    "z_explained",
    "z_partial",
    "z_semipartial",
]


def correlation(c: Columns, vtype: str) -> Pair:
    """COR: r. LS (1 − r²)²/(n − 1); AV with the mean r weighted by n; H0 (1 − r²)/(n − 2)."""
    r, n = c["ri"], c["ni"]
    refuse(np.abs(r) > 1, "ri lies outside -1 to 1")
    if vtype == "H0":
        v = (1 - r**2) / (n - 2)
    else:
        inner = mean_by_n(r, n) if vtype == "AV" else r
        v = (1 - inner**2) ** 2 / (n - 1)
    return r, np.where(n > 3, v, np.nan)


def unbiased_correlation(c: Columns, vtype: str) -> Pair:
    """UCOR: Olkin and Pratt's r · ₂F₁(½, ½; (n − 2)/2; 1 − r²), n > 4.

    LS (1 − y²)²/(n − 1), AV with the mean y weighted by n; UB
    y² − 1 + (n − 3)/(n − 2)(1 − r²) ₂F₁(1, 1; n/2; 1 − r²).
    https://doi.org/10.1214/aoms/1177706717
    """
    r, n = c["ri"], c["ni"]
    refuse(np.abs(r) > 1, "ri lies outside -1 to 1")
    big = np.where(n > 4, n, np.nan)
    y = r * _hypergeometric(0.5, (big - 2) / 2, 1 - r**2)
    if vtype == "UB":
        v = y**2 - 1 + (big - 3) / (big - 2) * (1 - r**2) * _hypergeometric(1.0, big / 2, 1 - r**2)
    else:
        inner = mean_by_n(y, n) if vtype == "AV" else y
        v = (1 - inner**2) ** 2 / (big - 1)
    return y, v


def _hypergeometric(a: float, c: FloatArray, z: FloatArray) -> FloatArray:
    """₂F₁(a, a; c; z) for 0 ≤ z ≤ 1; its series where c is large, where scipy's may fail."""
    from scipy.special import hyp2f1

    term = np.ones_like(z)
    total = np.ones_like(z)
    for k in range(400):
        term = term * (a + k) ** 2 / ((c + k) * (k + 1)) * z
        total = total + term
    return np.where(c > 15, total, hyp2f1(a, a, c, z))


def fisher_z(c: Columns, _: str) -> Pair:
    """ZCOR: atanh r, 1/(n − 3)."""
    r, n = c["ri"], c["ni"]
    refuse(np.abs(r) > 1, "ri lies outside -1 to 1")
    z = np.where(np.abs(r) < 1, np.arctanh(np.clip(r, -1, 1)), np.nan)
    return z, np.where(n > 3, 1 / (n - 3), np.nan)


def _residual_df(c: Columns) -> FloatArray:
    """N − m − 1, NaN where nothing is left."""
    df = c["ni"] - c["mi"] - 1
    return np.where(df > 0, df, np.nan)


def partial(c: Columns, vtype: str) -> Pair:
    """PCOR: t/√(t² + n − m − 1), (1 − r²)²/(n − m); m counts all predictors. AV with the mean r."""
    df = _residual_df(c)
    r = c["ti"] / np.sqrt(c["ti"] ** 2 + df)
    inner = mean_by_n(r, c["ni"]) if vtype == "AV" else r
    return r, (1 - inner**2) ** 2 / (df + 1)


def z_partial(c: Columns, vtype: str) -> Pair:
    """ZPCOR: atanh of the partial correlation, 1/(n − m − 2)."""
    r, _ = partial(c, vtype)
    df = _residual_df(c)
    return np.arctanh(r), np.where(df > 1, 1 / (df - 1), np.nan)


def semipartial(c: Columns, vtype: str) -> Pair:
    """SPCOR: t√(1 − R²)/√(n − m − 1); (R⁴ − 2R² + R_r² + 1 − R_r⁴)/n with R_r² = R² − r².

    AV with the mean r. https://doi.org/10.3102/1076998610396901
    """
    t, n, r2 = c["ti"], c["ni"], c["r2i"]
    refuse((r2 < 0) | (r2 > 1), "r2i lies outside 0 to 1")
    r = t * np.sqrt(1 - r2) / np.sqrt(_residual_df(c))
    inner = mean_by_n(r, n) if vtype == "AV" else r
    reduced = r2 - inner**2
    return r, (r2**2 - 2 * r2 + reduced + 1 - reduced**2) / n


def z_semipartial(c: Columns, vtype: str) -> Pair:
    """ZSPCOR: atanh of it, its variance over (1 − r²)²."""
    return on_z(*semipartial(c, vtype))


def explained(c: Columns, _: str) -> Pair:
    """R2: R², 4R²(1 − R²)²/n."""
    r2, n = c["r2i"], c["ni"]
    refuse((r2 < 0) | (r2 > 1), "r2i lies outside 0 to 1")
    return r2, 4 * r2 * (1 - r2) ** 2 / n


def z_explained(c: Columns, _: str) -> Pair:
    """ZR2: atanh √R², 1/n."""
    r2, n = c["r2i"], c["ni"]
    refuse((r2 < 0) | (r2 > 1), "r2i lies outside 0 to 1")
    return np.arctanh(np.sqrt(r2)), 1 / n


def alpha(c: Columns, _: str) -> Pair:
    """ARAW: α of m items, 2m(1 − α)²/((m − 1)(n − 2)).

    Bonett, D. G. (2002). https://doi.org/10.3102/10769986027004335
    """
    a, m, n = c["ai"], c["mi"], c["ni"]
    refuse(a > 1, "ai (alpha) is above 1")
    return a, 2 * m * (1 - a) ** 2 / ((m - 1) * (n - 2))


def alpha_hakstian_whalen(c: Columns, _: str) -> Pair:
    """AHW: 1 − (1 − α)^⅓, 18m(n − 1)(1 − α)^⅔/((m − 1)(9n − 11)²).

    Hakstian, A. R., & Whalen, T. E. (1976). https://doi.org/10.1007/BF02291840
    """
    a, m, n = c["ai"], c["mi"], c["ni"]
    refuse(a > 1, "ai (alpha) is above 1")
    y = 1 - np.cbrt(1 - a)
    return y, 18 * m * (n - 1) * np.cbrt(1 - a) ** 2 / ((m - 1) * (9 * n - 11) ** 2)


def alpha_bonett(c: Columns, _: str) -> Pair:
    """ABT: −ln(1 − α), 2m/((m − 1)(n − 2))."""
    a, m, n = c["ai"], c["mi"], c["ni"]
    refuse(a >= 1, "ai (alpha) is 1 or above")
    return -np.log(1 - a), 2 * m / ((m - 1) * (n - 2))
