"""p-values of a family of tests, adjusted for their number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metalliance.numerics.blocks import FloatArray

__all__ = ["benjamini_hochberg", "holm"]


def holm(p: FloatArray) -> FloatArray:
    """Step-down adjusted p-values that control the family-wise error rate.

    Parameters
    ----------
    p : (m,) float
        p-values of one family; NaN where there was no test, which then does not count.

    Returns
    -------
    (m,) float
        NaN where p is NaN.

    Notes
    -----
    With p in ascending order, p̃_(i) = max_{j ≤ i} min(1, (m - j + 1) p_(j)). Valid under any
    dependence of the tests.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics, 6, 65-70. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    return _adjusted(p, lambda q: np.maximum.accumulate(q * np.arange(len(q), 0, -1)))


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Step-up adjusted p-values that control the false discovery rate.

    Parameters
    ----------
    p : (m,) float
        As for `holm`.

    Returns
    -------
    (m,) float
        NaN where p is NaN.

    Notes
    -----
    With p in ascending order, p̃_(i) = min_{j ≥ i} min(1, m p_(j) / j). Valid for independent
    tests and those with positive regression dependence.

    References
    ----------
    Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the
    Royal Statistical Society B, 57, 289-300. https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """

    def step_up(q: FloatArray) -> FloatArray:
        scaled = q * len(q) / np.arange(1, len(q) + 1)
        return np.asarray(np.minimum.accumulate(scaled[::-1])[::-1])

    return _adjusted(p, step_up)


def _adjusted(p: FloatArray, in_order: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Apply a rule for ascending p-values to those that there are."""
    p = np.asarray(p, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    ascending = tested[np.argsort(p[tested], kind="stable")]
    adjusted[ascending] = np.minimum(in_order(p[ascending]), 1.0)
    return adjusted
