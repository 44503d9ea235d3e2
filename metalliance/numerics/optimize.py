"""How an optimum was found, and the safeguarded root it is found with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metalliance.errors import ConvergenceError

__all__ = ["Convergence", "bracketed_newton"]

_EPS = float(np.finfo(float).eps)


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
) -> tuple[float, float, int]:
    """Root of a function that is positive at ``low`` and negative at ``high``.

    Newton steps, and a bisection whenever a step leaves the bracket or the bracket shrinks too
    slowly; ends at the resolution of float64 relative to ``root + scale``.

    Parameters
    ----------
    function : callable
        x -> (value, derivative).
    low, high : float
        The bracket.
    scale : float
        Added to the root when judging a step: the size at which x begins to matter.

    Returns
    -------
    tuple of float, float, int
        Root, value there, evaluations.
    """
    x = 0.5 * (low + high)
    previous_width = high - low
    for evaluation in range(1, max_iterations + 1):
        value, slope = function(x)
        if value == 0.0:
            return x, value, evaluation
        if value > 0:
            low = x
        else:
            high = x
        newton = x - value / slope if slope < 0 else np.nan
        resolution = 4 * _EPS * (x + scale)
        if low <= newton <= high:
            if abs(newton - x) <= resolution:
                return float(newton), value, evaluation
            following = newton
        else:
            following = 0.5 * (low + high)
        if high - low <= resolution:
            return x, value, evaluation
        if evaluation % 4 == 0:
            if high - low > 0.5 * previous_width and not abs(newton - x) < 1e-6 * (x + scale):
                following = 0.5 * (low + high)
            previous_width = high - low
        x = float(following)
    raise ConvergenceError(
        f"no root was found to machine precision in {max_iterations} evaluations; "
        "check the effects and variances for extreme values"
    )
