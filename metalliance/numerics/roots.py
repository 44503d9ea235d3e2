"""Many safeguarded roots at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metalliance.errors import ConvergenceError
from metalliance.numerics.blocks import FloatArray, IntArray

__all__ = ["Roots", "bracketed_roots"]

_EPS = float(np.finfo(float).eps)
_NEARLY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roots:
    """Roots of N functions.

    Attributes
    ----------
    x : (N,) float
    value : (N,) float
        Of the function at the root.
    evaluations : int
        Calls of the function.
    """

    x: FloatArray
    value: FloatArray
    evaluations: int


def bracketed_roots(
    function: Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]],
    low: FloatArray,
    high: FloatArray,
    start: FloatArray,
    scale: FloatArray,
    max_iterations: int = 200,
) -> Roots:
    """Roots of functions that are positive at ``low`` and negative at ``high``.

    Newton steps, and a bisection whenever a step leaves the bracket or fails to halve the one
    before. A root is left alone once it is at the resolution of float64 relative to
    ``x + scale``, or once rounding in the function keeps a step (then below 1e-9 of that) from
    shrinking any further.

    Parameters
    ----------
    function : callable
        x (n,), numbers of the functions (n,) -> values (n,), derivatives (n,).
    low, high, start : (N,) float
        Brackets, and where to begin in them.
    scale : (N,) float
        The size at which x begins to matter.
    """
    x, low, high = start.copy(), low.copy(), high.copy()
    value = np.empty_like(x)
    last = high - low
    active = np.arange(len(x))
    evaluations = 0
    while active.size:
        at = x[active]
        f, df = function(at, active)
        evaluations += 1
        if evaluations > max_iterations or np.isnan(f).any():
            raise ConvergenceError(
                f"no root was found to machine precision in {evaluations} evaluations; "
                "check the effects and variances for extreme values"
            )
        value[active] = f
        low[active] = a = np.where(f > 0, at, low[active])
        high[active] = b = np.where(f > 0, high[active], at)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(df < 0, -f / df, np.inf)
        size, previous, length = at + scale[active], last[active], np.abs(step)
        resolved = np.minimum(length, b - a) <= 4 * _EPS * size
        noise = (length <= _NEARLY * size) & (length >= 0.5 * previous)
        inside = (a < at + step) & (at + step < b) & (length <= 0.5 * previous)
        following = np.where(inside, at + step, 0.5 * (a + b))
        going = ~(resolved | noise | (f == 0))
        active = active[going]
        last[active] = np.abs(following - at)[going]
        x[active] = following[going]
    return Roots(x=x, value=value, evaluations=evaluations)
