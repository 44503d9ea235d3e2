"""Tail probabilities and quantiles of z, t, chi-square and F.

Built on ``scipy.special``; ``scipy.stats`` costs more than a second to import. ``df = inf``
stands for the normal distribution, and NaN goes in and out silently.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from metalliance.numerics.blocks import FloatArray

__all__ = ["chi2_sf", "critical_value", "f_sf", "two_sided_p"]


def two_sided_p(statistic: ArrayLike, df: ArrayLike) -> FloatArray:
    r"""Two-sided p-value of a t statistic, of a z statistic where ``df`` is infinite.

    Parameters
    ----------
    statistic, df : array_like
        Broadcast against each other.

    Notes
    -----
    P(\|T\| > t) = I_{df/(df+t²)}(df/2, 1/2), exact far into the tail.

    Examples
    --------
    >>> float(two_sided_p(0.0, 5))
    1.0
    """
    t, nu = np.broadcast_arrays(np.asarray(statistic, float), np.asarray(df, float))
    normal = np.isinf(nu)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        finite = np.where(normal | ~(nu > 0), np.nan, nu)
        student = special.betainc(finite / 2, 0.5, finite / (finite + t**2))
        return np.asarray(np.where(normal, 2 * special.ndtr(-np.abs(t)), student))


def critical_value(level: float, df: ArrayLike) -> FloatArray:
    """Half-width, in standard errors, of a central interval of the given ``level``.

    Examples
    --------
    >>> round(float(critical_value(0.95, np.inf)), 4)
    1.96
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    nu = np.asarray(df, float)
    upper = 0.5 + level / 2
    with np.errstate(invalid="ignore"):
        student = special.stdtrit(np.where(np.isfinite(nu) & (nu > 0), nu, np.nan), upper)
        return np.asarray(np.where(np.isinf(nu), special.ndtri(upper), student))


def chi2_sf(statistic: ArrayLike, df: ArrayLike) -> FloatArray:
    """Upper tail of the chi-square distribution."""
    return np.asarray(special.chdtrc(df, statistic), dtype=float)


def f_sf(statistic: ArrayLike, df_num: ArrayLike, df_den: ArrayLike) -> FloatArray:
    """Upper tail of the F distribution; real-valued degrees of freedom are allowed."""
    den = np.asarray(df_den, float)
    valid = np.where(den > 0, den, np.nan)
    return np.asarray(special.fdtrc(df_num, valid, statistic), dtype=float)
