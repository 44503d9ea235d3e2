"""Confidence intervals for tau² of independent effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import critical_value
from metalliance.numerics.optimize import bracketed_newton
from metalliance.numerics.regressions import Regressions
from metalliance.numerics.tau2_iterated import solve_q

__all__ = ["Interval", "likelihood_interval", "q_profile"]

_GRID = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Limits of tau².

    Attributes
    ----------
    low, high : float
    empty : bool
        No tau² of zero or more is compatible with the data: they vary less than sampling error
        alone would make them. Both limits are then zero.
    """

    low: float
    high: float
    empty: bool = False


def q_profile(problem: Regressions, level: float) -> Interval:
    """All tau² at which the generalised Q = y'Py lies between its chi-square quantiles.

    Notes
    -----
    Q falls in tau². The lower limit solves Q = χ²_{k-p; 1-α/2}, the upper Q = χ²_{k-p; α/2};
    either is zero where Q starts below.

    References
    ----------
    Viechtbauer (2007), doi:10.1002/sim.2514; with moderators Jackson et al. (2014),
    doi:10.1186/1471-2288-14-103.
    """
    half, tail = problem.df / 2, (1 - level) / 2
    low = solve_q(problem, float(2 * special.gammainccinv(half, tail)))
    high = solve_q(problem, float(2 * special.gammaincinv(half, tail)))
    return Interval(
        low=float(low.value[0]), high=float(high.value[0]), empty=bool(high.boundary[0])
    )


def likelihood_interval(
    problem: Regressions, tau2: float, restricted: bool, level: float
) -> Interval:
    """From the smallest to the largest tau² that a likelihood ratio test does not reject.

    Parameters
    ----------
    problem : Regressions
        A single one.
    tau2 : float
        Where the (restricted) likelihood is highest.
    restricted : bool
    level : float

    Notes
    -----
    2(l(τ̂²) - l(τ²)) ≤ χ²_{1; level}, beta profiled out. The likelihood is looked at on a grid
    first, so that a second peak within reach belongs to the interval.

    References
    ----------
    Hardy & Thompson (1996), doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A.
    """
    drop = 0.5 * float(critical_value(level, np.inf)) ** 2
    peak = float(problem.log_likelihood(np.array([tau2]), restricted)[0])

    def excess(t: float) -> tuple[float, float]:
        at = np.array([t])
        height = float(problem.log_likelihood(at, restricted)[0])
        return height - peak + drop, float(problem.score(at, restricted)[0][0])

    top = float(problem.ceiling()[0])
    while excess(top)[0] > 0:
        top *= 4
    grid = np.unique([0.0, tau2, *np.geomspace(1e-5 * top, top, _GRID)])
    inside = np.flatnonzero(_heights(problem, grid, restricted) > peak - drop)
    first, last = int(inside[0]), int(inside[-1])
    scale = float(problem.v.min())
    high = bracketed_newton(excess, grid[last], grid[last + 1], scale)[0]
    if first == 0:
        return Interval(low=0.0, high=high)
    low = bracketed_newton(_negated(excess), grid[first - 1], grid[first], scale)[0]
    return Interval(low=low, high=high)


def _heights(problem: Regressions, grid: FloatArray, restricted: bool) -> FloatArray:
    return np.array([problem.log_likelihood(t, restricted)[0] for t in grid[:, None]])


def _negated(
    function: Callable[[float], tuple[float, float]],
) -> Callable[[float], tuple[float, float]]:
    def opposite(x: float) -> tuple[float, float]:
        value, slope = function(x)
        return -value, -slope

    return opposite
