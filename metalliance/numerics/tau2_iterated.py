"""Estimators of tau² that solve an equation: likelihoods, and quantiles of Q."""

from __future__ import annotations

import numpy as np
from scipy import special

from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.optimize import bracketed_newton
from metalliance.numerics.regressions import Regressions, Sums, condensed
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

_FACTOR = 1.43
_SMALL = 0.05
_LARGE = 1000
_BINS = 128
_NEAR = 0.1


def maximum_likelihood(problems: Regressions) -> Estimates:
    """The highest maximum of the likelihood, beta profiled out."""
    return _maximum(problems, restricted=False)


def maximum_likelihood_se(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """√(2/Σw²), from the expected information."""
    return np.asarray(np.sqrt(2 / at.w2))


def restricted_maximum_likelihood(problems: Regressions) -> Estimates:
    """The highest maximum of the restricted likelihood.

    References
    ----------
    Viechtbauer (2005), doi:10.3102/10769986030003261.
    """
    return _maximum(problems, restricted=True)


def restricted_maximum_likelihood_se(
    problems: Regressions, tau2: FloatArray, at: Sums
) -> FloatArray:
    """√(2/tr PP), from the expected information."""
    return np.sqrt(2 / at.trace2)


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
    Viechtbauer (2021), *Median-unbiased estimators for the amount of heterogeneity in
    meta-analysis*, European Congress of Methodology, Valencia.
    """
    return solve_q(problems, float(2 * special.gammaincinv(problems.df / 2, 0.5)))


def paule_mandel_se(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """√(2k²/(k-p))/Σw at w = 1/(v + tau²)."""
    return np.asarray(np.sqrt(2 * problems.k**2 / problems.df) / at.w)


def solve_q(problems: Regressions, target: float) -> Estimates:
    """The tau² at which the generalised Q = y'Py falls to a target; 0 where it starts below.

    Notes
    -----
    1/Q is nearly linear in tau², so Newton's method is applied to 1/target - 1/Q. Q is at most
    RSS/(tau² + min v), RSS that of ordinary least squares, which closes the bracket.
    """
    B = len(problems)
    alone = problems.sums(np.zeros(B), cubes=False)
    rows = np.flatnonzero(alone.q > target)
    value, score = np.zeros(B), np.zeros(B)
    evaluations = 1
    if rows.size:

        def excess(t: FloatArray, some: IntArray) -> tuple[FloatArray, FloatArray]:
            at = problems.take(rows[some]).sums(t, cubes=False)
            return 1 / target - 1 / at.q, -at.squared / at.q**2

        lowest = problems.v.min(axis=1)[rows]
        high = problems.ordinary_rss()[rows] / target * (1 + 1e-9) - lowest * (1 - 1e-9)
        q, squared = alone.q[rows], alone.squared[rows]
        start = np.minimum((q / target - 1) * q / squared, 0.5 * high)
        roots = bracketed_roots(excess, np.zeros(len(rows)), high, start, lowest)
        value[rows], score[rows] = roots.x, np.abs(roots.value) * target
        evaluations += roots.evaluations
    return Estimates(
        value=value,
        boundary=value == 0,
        score=score,
        starts=(alone.q > target).astype(np.intp),
        evaluations=evaluations,
        method="safeguarded Newton" if rows.size else "closed form",
    )


def _maximum(problems: Regressions, restricted: bool) -> Estimates:
    """The highest maximum over [0, ceiling] in every problem.

    The derivative is made of powers of 1/(v + tau²). It is looked at on a grid that is fine
    against the width of those: at zero, from a twentieth of the smallest v, below which they
    are all but straight, and on in factors of 1.43 up to the ceiling. Every change of sign is
    solved, and the highest solution wins. A large single problem is screened, and first
    solved, on bins of nearly equal variance, which move a maximum by parts in a thousand;
    where Newton's method on the data goes far from there, the whole grid is evaluated on them.
    """
    grid = _grid(problems)
    if len(problems) == 1 and problems.k > _LARGE:
        found = _maximum_by_bins(problems, grid, restricted)
        if found is not None:
            return found
    slopes = problems.slopes(grid, restricted)
    rows, low, high, start = _brackets(problems, grid, slopes)
    roots = _solve(problems, restricted, rows, low, high, start)
    return _highest(problems, restricted, slopes, rows, roots)


def _grid(problems: Regressions) -> FloatArray:
    """(B, G) values of tau², as many in every problem as the widest range needs."""
    low, high = _SMALL * problems.v.min(axis=1), problems.ceiling()
    steps = int(np.ceil(np.max(np.log(high / low)) / np.log(_FACTOR)))
    spread = low[:, None] * (high / low)[:, None] ** np.linspace(0, 1, steps + 1)
    return np.concatenate([np.zeros((len(problems), 1)), spread], axis=1)


def _maximum_by_bins(problem: Regressions, grid: FloatArray, restricted: bool) -> Estimates | None:
    bins = condensed(problem, _BINS)
    slopes = bins.slopes(grid, restricted)
    slopes[:, :1] = problem.slopes(grid[:, :1], restricted)
    rows, low, high, start = _brackets(problem, grid, slopes)
    near = _solve(bins, restricted, rows, low, high, start)
    ceiling = grid[rows, -1]
    roots = _solve(problem, restricted, rows, np.zeros(len(rows)), ceiling, near.x)
    stayed = np.abs(roots.x - near.x) <= _NEAR * (near.x + float(problem.v.min()))
    if not stayed.all():
        return None
    return _highest(problem, restricted, slopes, rows, roots)


def _brackets(
    problems: Regressions, grid: FloatArray, slopes: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Where the slope turns from positive: problem, low, high, and a start.

    The start is a secant of slope times (tau² + ṽ)², which is nearly linear.
    """
    rows, cells = np.nonzero((slopes[:, :-1] > 0) & (slopes[:, 1:] <= 0))
    low, high = grid[rows, cells], grid[rows, cells + 1]
    typical = 1 / (1 / problems.v).mean(axis=1)[rows]
    above = slopes[rows, cells] * (low + typical) ** 2
    below = slopes[rows, cells + 1] * (high + typical) ** 2
    return rows, low, high, low + (high - low) * above / (above - below)


def _solve(
    problems: Regressions,
    restricted: bool,
    rows: IntArray,
    low: FloatArray,
    high: FloatArray,
    start: FloatArray,
) -> Roots:
    scale = problems.v.min(axis=1)[rows]
    if len(rows) == 1:
        return _solve_one(problems.take(rows), restricted, low[0], high[0], start[0], scale[0])

    def slope(t: FloatArray, some: IntArray) -> tuple[FloatArray, FloatArray]:
        return problems.take(rows[some]).score(t, restricted)

    return bracketed_roots(slope, low, high, start, scale)


def _solve_one(
    problem: Regressions, restricted: bool, low: float, high: float, start: float, scale: float
) -> Roots:
    """The same without the overhead of many."""

    def slope(t: float) -> tuple[float, float]:
        first, second = problem.score(np.array([t]), restricted)
        return float(first[0]), float(second[0])

    root, left, used = bracketed_newton(slope, low, high, scale, start=start)
    return Roots(x=np.array([root]), value=np.array([left]), evaluations=used)


def _highest(
    problems: Regressions, restricted: bool, slopes: FloatArray, rows: IntArray, roots: Roots
) -> Estimates:
    """Of the maxima found in each problem, and of zero where the slope is down, the highest."""
    zeros = np.flatnonzero(slopes[:, 0] <= 0)
    nothing = np.zeros(len(zeros))
    owner = np.concatenate([zeros, rows])
    place = np.concatenate([nothing, roots.x])
    left = np.concatenate([nothing, np.abs(roots.value) * roots.x])
    starts = np.bincount(owner, minlength=len(problems))
    height = np.zeros(len(place))
    contested = np.flatnonzero(starts[owner] > 1)
    if contested.size:
        some = problems.take(owner[contested])
        height[contested] = some.log_likelihood(place[contested], restricted)
    order = np.lexsort((-height, owner))
    best = order[np.searchsorted(owner[order], np.arange(len(problems)))]
    return Estimates(
        value=place[best],
        boundary=place[best] == 0,
        score=left[best],
        starts=starts,
        evaluations=slopes.shape[1] + roots.evaluations,
        method="safeguarded Newton",
    )
