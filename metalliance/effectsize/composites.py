"""One correlation for several of the same patients: that of their sum, or their mean.

A last resort: several effects of a sample belong into a model of dependent effects. Both rest on
the correlation of the measures among themselves, which is assumed where nobody reports it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from metalliance.effectsize.correlated import olkin_siotani
from metalliance.numerics.blocks import FloatArray

__all__ = ["ASSUMED_INTER_CORRELATION", "composite_r", "mean_r"]

#: Of two outcome measures of one patient. Scores of one measure over sessions are nearer .7.
ASSUMED_INTER_CORRELATION = 0.5


def composite_r(
    r: ArrayLike,
    inter_correlation: float = ASSUMED_INTER_CORRELATION,
    n: float = math.nan,
    *,
    inter_correlation_y: float = ASSUMED_INTER_CORRELATION,
) -> tuple[float, float]:
    """Correlation of the sums of standardised measures, on one side or on both.

    r_c = Σ_i Σ_j r_ij / (√(k + k(k − 1) ρ_x) √(m + m(m − 1) ρ_y)), with variance
    (1 − r_c²)²/(n − 1). Unlike the mean of the r it is larger than they are where ρ < 1: a sum is
    more reliable than its parts.

    Parameters
    ----------
    r : (k,) or (k, m) array_like
        Correlations of k measures with one variable, or with m others.
    inter_correlation : float
        Mean correlation of the k measures among themselves; .5 is assumed unless told otherwise.
    n : float
        Patients; without it the variance is NaN.
    inter_correlation_y : float
        Mean correlation of the m others among themselves.

    Returns
    -------
    (float, float)
        The correlation and its sampling variance, the inter-correlations taken as known.

    Raises
    ------
    ValueError
        Where the correlations cannot hold together, or n ≤ 3.

    References
    ----------
    Ghiselli, E. E., Campbell, J. P., & Zedeck, S. (1981). Measurement theory for the behavioral
    sciences (chapter 7). Freeman.
    Hunter, J. E., & Schmidt, F. L. (2004). Methods of meta-analysis (chapter 10).
    https://doi.org/10.4135/9781412985031

    Examples
    --------
    >>> r, v = composite_r([.28, .58], .25, 31)
    >>> round(r, 4), round(v, 5)
    (0.5439, 0.01653)
    >>> round(composite_r([[.2, .3], [.25, .35]])[0], 4)
    0.3667
    """
    matrix = _matrix(r, n)
    k, m = matrix.shape
    spread = math.sqrt(_sum_variance(k, inter_correlation) * _sum_variance(m, inter_correlation_y))
    composite = float(matrix.sum()) / spread
    if abs(composite) >= 1:
        told = f"{inter_correlation:g}" + (f" and {inter_correlation_y:g}" if m > 1 else "")
        raise ValueError(
            f"these correlations with inter-correlations of {told} would give {composite:.3g}: "
            "they cannot all hold"
        )
    return composite, (1 - composite**2) ** 2 / (n - 1)


def mean_r(
    r: ArrayLike,
    inter_correlation: float = ASSUMED_INTER_CORRELATION,
    n: float = math.nan,
    *,
    inter_correlation_y: float = ASSUMED_INTER_CORRELATION,
) -> tuple[float, float]:
    """Mean of several correlations of the same patients, with the variance of a mean.

    r̄ is the mean of all r and Var(r̄) the mean of all entries of V, the covariances of dependent
    correlations (`olkin_siotani`) over n − 1, at the correlations given.

    Parameters
    ----------
    r : (k,) or (k, m) array_like
        Correlations of k measures with one variable, or with m others.
    inter_correlation, n, inter_correlation_y : float
        As in `composite_r`.

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        Where the correlations cannot hold together, or n ≤ 3.

    References
    ----------
    Olkin, I., & Siotani, M. (1976). Asymptotic distribution of functions of a correlation
    matrix. In S. Ikeda (Ed.), Essays in probability and statistics (pp. 235–251).
    Gleser, L. J., & Olkin, I. (2009). Stochastically dependent effect sizes. In H. Cooper, L. V.
    Hedges, & J. C. Valentine (Eds.), The handbook of research synthesis and meta-analysis
    (2nd ed., pp. 357–376).

    Examples
    --------
    >>> r, v = mean_r([.28, .58], .25, 31)
    >>> round(r, 4), round(v, 5)
    (0.43, 0.01248)
    """
    matrix = _matrix(r, n)
    composite_r(matrix, inter_correlation, inter_correlation_y=inter_correlation_y)
    k, m = matrix.shape
    among_x, among_y = _equal(k, inter_correlation), _equal(m, inter_correlation_y)
    i, j = (index.ravel() for index in np.indices((k, m)))
    first, second = np.ix_(np.arange(k * m), np.arange(k * m))
    covariance = olkin_siotani(
        matrix[i, j][first],
        matrix[i, j][second],
        among_x[i[first], i[second]],
        matrix[i[first], j[second]],
        matrix[i[second], j[first]],
        among_y[j[first], j[second]],
    )
    return float(matrix.mean()), float(covariance.mean()) / (n - 1)


def _matrix(r: ArrayLike, n: float) -> FloatArray:
    matrix = np.asarray(r, dtype=np.float64)
    matrix = matrix.reshape(-1, 1) if matrix.ndim < 2 else matrix
    if matrix.ndim > 2 or matrix.size == 0 or not np.all(np.abs(matrix) < 1):
        raise ValueError(
            "every correlation lies strictly between -1 and 1, and there is at least one"
        )
    if n <= 3:
        raise ValueError(f"n = {n:g} is too small: n > 3")
    return matrix


def _sum_variance(k: int, rho: float) -> float:
    """Variance of the sum of k standardised scores with mean correlation ρ."""
    variance = k + k * (k - 1) * rho
    if not (variance > 0 and rho <= 1):
        raise ValueError(f"an inter-correlation of {rho:g} of {k} scores is impossible")
    return variance


def _equal(k: int, rho: float) -> FloatArray:
    return np.where(np.eye(k, dtype=bool), 1.0, rho)
