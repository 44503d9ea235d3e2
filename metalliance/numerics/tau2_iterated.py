"""Estimators of tau² that solve an equation: likelihoods, and quantiles of Q."""

from __future__ import annotations

import numpy as np
from scipy import special

from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.regressions import Regressions, condensed
from metalliance.numerics.roots import Roots, bracketed_roots
from metalliance.numerics.tau2_moments import Estimates

__all__ = [
    "maximum_likelihood",
    "maximum_likelihood_se",
    "median_unbiased",
    "paule_mandel",
    "paule_mandel_se",
    "restricted_maximum_likelihood",
    "restricted_maximum_likelihood_se",
    "solve_q",
]

_GRID = 33
_LARGE = 1000
_BINS = 128
_NEARLY = 1e-6


def maximum_likelihood(problems: Regressions) -> Estimates:
    """The highest maximum of the likelihood, beta profiled out."""
    return _maximum(problems, restricted=False)


def maximum_likelihood_se(problems: Regressions, tau2: FloatArray) -> FloatArray:
    """√(2/Σw²), from the expected information."""
    return np.sqrt(2 / np.sum((problems.v + tau2[:, None]) ** -2, axis=1))


def restricted_maximum_likelihood(problems: Regressions) -> Estimates:
    """The highest maximum of the restricted likelihood.

    References
    ----------
    Viechtbauer (2005), doi:10.3102/10769986030003261.
    """
    return _maximum(problems, restricted=True)


def restricted_maximum_likelihood_se(problems: Regressions, tau2: FloatArray) -> FloatArray:
    """√(2/tr PP), from the expected information."""
    return np.sqrt(2 / problems.traces(problems.solve_at(tau2))[1])


def paule_mandel(problems: Regressions) -> Estimates:
    """The tau² at which y'Py = k-p, or 0 where y'Py is below that from the start.

    The empirical Bayes estimator of Morris (1983) solves the same equation.

    References
    ----------
    Paule & Mandel (1982), doi:10.6028/jres.087.022; Morris (1983),
    doi:10.1080/01621459.1983.10477920.
    """
    return solve_q(problems, float(problems.df))


def median_unbiased(problems: Regressions) -> Estimates:
    """The tau² at which y'Py is the median of its chi-square distribution.

    References
    ----------
    Viechtbauer (2021), doi:10.1002/9781119482260.ch6 (Paule-Mandel, median unbiased).
    """
    return solve_q(problems, float(2 * special.gammaincinv(problems.df / 2, 0.5)))


def paule_mandel_se(problems: Regressions, tau2: FloatArray) -> FloatArray:
    """√(2k²/(k-p))/Σw at w = 1/(v + tau²)."""
    k = problems.k
    total = np.sum(1 / (problems.v + tau2[:, None]), axis=1)
    return np.asarray(np.sqrt(2 * k**2 / problems.df) / total)


def solve_q(problems: Regressions, target: float) -> Estimates:
    """The tau² at which the generalised Q = y'Py falls to a target; 0 where it starts below.

    Notes
    -----
    1/Q is nearly linear in tau², so Newton's method is applied to 1/target - 1/Q. Q is at most
    RSS/(tau² + min v), RSS that of ordinary least squares, which closes the bracket.
    """

    def excess(t: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        at = problems.take(rows).solve_at(t)
        u = at.w * at.residuals
        q = np.maximum(np.einsum("bk,bk->b", u, at.residuals), np.finfo(float).tiny)
        return 1 / target - 1 / q, -np.einsum("bk,bk->b", u, u) / q**2

    B = len(problems)
    everyone = np.arange(B)
    at_zero, slope = excess(np.zeros(B), everyone)
    rows = everyone[at_zero > 0]
    value, score = np.zeros(B), np.zeros(B)
    evaluations = 1
    if rows.size:
        lowest = problems.v.min(axis=1)
        high = problems.ordinary_rss() / target * (1 + 1e-9) - lowest * (1 - 1e-9)
        start = np.minimum(-at_zero / slope, 0.5 * high)
        roots = bracketed_roots(
            lambda t, some: excess(t, rows[some]),
            np.zeros(len(rows)),
            high[rows],
            start[rows],
            lowest[rows],
        )
        value[rows], score[rows] = roots.x, np.abs(roots.value) * target
        evaluations += roots.evaluations
    return Estimates(
        value=value,
        boundary=value == 0,
        score=score,
        starts=(at_zero > 0).astype(np.intp),
        evaluations=evaluations,
        method="safeguarded Newton" if rows.size else "closed form",
    )


def _maximum(problems: Regressions, restricted: bool) -> Estimates:
    """The highest maximum over [0, ceiling] in every problem.

    The derivative is looked at on a grid whose steps, a factor of 1.43, are fine against the
    width of anything made of 1/(v + tau²); every bracket of a change of sign is solved, and
    the highest solution wins. A large single problem is screened on bins of equal variance,
    which move a maximum by parts in a thousand, and then solved on the data from there; where
    a bracket does not hold on the data, the whole grid is evaluated on them.
    """
    grid = problems.ceiling()[:, None] * np.concatenate(([0.0], np.geomspace(1e-5, 1.0, _GRID - 1)))
    if len(problems) == 1 and problems.k > _LARGE:
        slopes = condensed(problems, _BINS).slopes(grid, restricted)
        slopes[:, :1] = problems.slopes(grid[:, :1], restricted)
        found = _solve_brackets(problems, grid, slopes, restricted, margin=1)
        if found is not None:
            return found
    slopes = problems.slopes(grid, restricted)
    found = _solve_brackets(problems, grid, slopes, restricted, margin=0)
    assert found is not None
    return found


def _solve_brackets(
    problems: Regressions, grid: FloatArray, slopes: FloatArray, restricted: bool, margin: int
) -> Estimates | None:
    """Solve wherever the slope turns from positive; None where a widened bracket misleads."""
    rows, cells = np.nonzero((slopes[:, :-1] > 0) & (slopes[:, 1:] <= 0))
    low, high = grid[rows, cells], grid[rows, cells + 1]
    above, below = slopes[rows, cells], slopes[rows, cells + 1]
    start = low + (high - low) * above / (above - below)
    if margin:
        low = grid[rows, np.maximum(cells - margin, 0)]
        high = grid[rows, np.minimum(cells + 1 + margin, grid.shape[1] - 1)]

    def slope(t: FloatArray, some: IntArray) -> tuple[FloatArray, FloatArray]:
        at = problems.take(rows[some]).score(t, restricted)
        return at.first, at.second

    scale = problems.v.min(axis=1)[rows]
    roots = bracketed_roots(slope, low, high, start, scale)
    if margin and not _are_maxima(roots, scale):
        return None
    at_zero = np.flatnonzero(slopes[:, 0] <= 0)
    owner = np.concatenate([at_zero, rows])
    place = np.concatenate([np.zeros(len(at_zero)), roots.x])
    left = np.concatenate([np.zeros(len(at_zero)), np.abs(roots.value) * roots.x])
    starts = np.bincount(owner, minlength=len(problems))
    best = _highest(problems, owner, place, starts, restricted)
    return Estimates(
        value=place[best],
        boundary=place[best] == 0,
        score=left[best],
        starts=starts,
        evaluations=grid.shape[1] + roots.evaluations,
        method="safeguarded Newton",
    )


def _are_maxima(roots: Roots, scale: FloatArray) -> bool:
    """Whether Newton's method came to rest at each root, rather than at an end of a bracket."""
    step = np.abs(roots.value) / np.where(roots.slope < 0, -roots.slope, np.nan)
    return bool(np.all(step <= _NEARLY * (roots.x + scale)))


def _highest(
    problems: Regressions, owner: IntArray, place: FloatArray, starts: IntArray, restricted: bool
) -> IntArray:
    """(B,) which candidate of each problem has the highest likelihood."""
    height = np.zeros(len(place))
    contested = np.flatnonzero(starts[owner] > 1)
    if contested.size:
        some = problems.take(owner[contested])
        height[contested] = some.score(place[contested], restricted).log_lik
    order = np.lexsort((-height, owner))
    return order[np.searchsorted(owner[order], np.arange(len(problems)))]
