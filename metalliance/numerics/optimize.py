"""How an optimum was found, and the safeguarded root it is found with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metalliance.errors import ConvergenceError

__all__ = ["Convergence", "bracketed_newton"]

_EPS = float(np.finfo(float).eps)
_NEARLY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """The record of an optimisation.

    Attributes
    ----------
    method : str
        ``closed form``, ``fixed``, ``safeguarded Newton`` or ``projected Newton``.
    score : float
        Largest absolute derivative of the criterion over the components that are free and off
        the boundary, times the component (a pure number); 0 where nothing was iterated.
    evaluations : int
        Evaluations of the criterion, over all starts.
    boundary : bool
        At least one estimated component is exactly zero because the criterion falls there.
    converged : bool
        Always true on a fit that was returned; ``ConvergenceError`` otherwise.
    starts : int
        From how many places (or brackets) the optimum was sought.
    """

    method: str
    score: float = 0.0
    evaluations: int = 0
    boundary: bool = False
    converged: bool = True
    starts: int = 0


def bracketed_newton(
    function: Callable[[float], tuple[float, float]],
    low: float,
    high: float,
    scale: float,
    max_iterations: int = 200,
    start: float | None = None,
) -> tuple[float, float, int]:
    """Root of a function that is positive at ``low`` and negative at ``high``.

    Newton steps, and a bisection whenever a step leaves the bracket or fails to halve the one
    before; ends at the resolution of float64 relative to ``root + scale``, or where rounding
    in the function keeps a step (then below 1e-9 of that) from shrinking any further.

    Parameters
    ----------
    function : callable
        x -> (value, derivative).
    low, high : float
        The bracket.
    scale : float
        Added to the root when judging a step: the size at which x begins to matter.
    start : float, optional
        Where to begin; by default in the middle of the bracket.

    Returns
    -------
    tuple of float, float, int
        Root, value there, evaluations.
    """
    x = 0.5 * (low + high) if start is None else start
    last = high - low
    for evaluation in range(1, max_iterations + 1):
        value, slope = function(x)
        if value == 0.0:
            return x, value, evaluation
        if np.isnan(value):
            break
        low, high = (x, high) if value > 0 else (low, x)
        step = -value / slope if slope < 0 else np.inf
        size = x + scale
        at_resolution = abs(step) <= 4 * _EPS * size or high - low <= 4 * _EPS * size
        only_noise = abs(step) <= _NEARLY * size and abs(step) >= 0.5 * last
        if at_resolution or only_noise:
            return x, value, evaluation
        inside = low < x + step < high and abs(step) <= 0.5 * last
        following = x + step if inside else 0.5 * (low + high)
        last = abs(following - x)
        x = float(following)
    raise ConvergenceError(
        f"no root was found to machine precision in {evaluation} evaluations; "
        "check the effects and variances for extreme values"
    )
