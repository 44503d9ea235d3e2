"""Projected Newton ascent of the block likelihood over variance components θ ≥ 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metalliance.errors import ConvergenceError
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.likelihood import BlockProblem, Evaluation, evaluate
from metalliance.numerics.optimize import Convergence
from metalliance.numerics.univariate import typical_variance, weighted_least_squares

__all__ = ["Maximum", "maximise", "starting_values"]

_MAX_STEPS = 200
_TERMINAL = 1e-8
_CONVERGED = 1e-12
_RESOLVED = 1e-25


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum:
    """The best of all optima found.

    Attributes
    ----------
    theta : (T,) float
        Variance components; exactly 0 on the boundary.
    at : Evaluation
        The likelihood there.
    convergence : Convergence
    """

    theta: FloatArray
    at: Evaluation
    convergence: Convergence


@dataclass(slots=True)
class _Climber:
    """One ascent; counts its evaluations."""

    problem: BlockProblem
    restricted: bool
    free: NDArray[np.bool_]
    evaluations: int = 0

    def evaluate(self, theta: FloatArray) -> Evaluation:
        self.evaluations += 1
        return evaluate(self.problem, theta, self.restricted)

    def height(self, at: Evaluation) -> float:
        return at.reml if self.restricted else at.ml

    def climb(
        self, theta: FloatArray, known: Sequence[FloatArray]
    ) -> tuple[FloatArray, Evaluation, float] | None:
        """Ascend from θ; None if the path joins one that led to a known optimum."""
        at = self.evaluate(theta)
        step, decrement = self.direction(theta, at)
        for _ in range(_MAX_STEPS):
            if decrement <= _RESOLVED:
                return theta, at, decrement
            if decrement < 1e-3 and any(_close(theta, optimum) for optimum in known):
                return None
            if decrement < _TERMINAL and np.all(theta + step >= 0):
                following = theta + step
                ahead = self.evaluate(following)
                next_step, next_decrement = self.direction(following, ahead)
                if next_decrement >= decrement:
                    return theta, at, decrement
            else:
                following, ahead = self.search(theta, at, step, decrement)
                next_step, next_decrement = self.direction(following, ahead)
            theta, at, step, decrement = following, ahead, next_step, next_decrement
        return theta, at, decrement

    def direction(self, theta: FloatArray, at: Evaluation) -> tuple[FloatArray, float]:
        """Newton step within the face of free components, and twice the gain it promises.

        A component at zero stays there while the criterion falls, or the step points, outwards.
        """
        active = self.free & ~((theta == 0) & (at.gradient <= 0))
        while True:
            step = np.zeros_like(theta)
            if not active.any():
                return step, 0.0
            rows = np.flatnonzero(active)
            face = np.ix_(rows, rows)
            step[rows] = _newton(at.observed[face], at.expected[face], at.gradient[rows])
            outwards = active & (theta == 0) & (step < 0)
            if not outwards.any():
                return step, float(at.gradient @ step)
            active &= ~outwards

    def search(
        self, theta: FloatArray, at: Evaluation, step: FloatArray, decrement: float
    ) -> tuple[FloatArray, Evaluation]:
        """Go as far along the step as the boundary allows, and halve until it pays."""
        falling = step < 0
        limits = np.full(theta.shape, np.inf)
        limits[falling] = theta[falling] / -step[falling]
        reach = min(1.0, float(limits.min()))
        slack = 1e-13 * max(1.0, abs(self.height(at)))
        for halving in range(60):
            length = reach * 0.5**halving
            following = np.maximum(theta + length * step, 0.0)
            if halving == 0 and reach < 1:
                following[limits <= reach] = 0.0
            ahead = self.evaluate(following)
            if self.height(ahead) >= self.height(at) + 1e-4 * length * decrement - slack:
                return following, ahead
        raise ConvergenceError(
            "the likelihood could not be increased along its own gradient; check the sampling "
            "covariances for blocks that are nearly singular"
        )


def maximise(
    problem: BlockProblem,
    restricted: bool,
    fixed: FloatArray,
    starts: Sequence[FloatArray] | None = None,
) -> Maximum:
    """Maximise the (restricted) likelihood over the components that are not fixed.

    Parameters
    ----------
    problem : BlockProblem
    restricted : bool
        REML, else ML.
    fixed : (T,) float
        Values of fixed components; NaN where a component is estimated.
    starts : sequence of (T,) float, optional
        Where to begin; by default ``starting_values``. The best optimum wins.

    Raises
    ------
    ConvergenceError
        If no start leads to a point where the expected gain of a Newton step is below 1e-12.
    """
    free = np.isnan(fixed)
    climber = _Climber(problem=problem, restricted=restricted, free=free)
    if not free.any():
        at = climber.evaluate(fixed)
        return Maximum(theta=fixed, at=at, convergence=Convergence(method="fixed", evaluations=1))
    found: list[tuple[FloatArray, Evaluation, float]] = []
    tried = starting_values(problem) if starts is None else tuple(starts)
    for start in tried:
        origin = np.where(free, start, fixed)
        reached = climber.climb(origin, [theta for theta, _, _ in found])
        if reached is not None and reached[2] <= _CONVERGED:
            found.append(reached)
    if not found:
        raise ConvergenceError(
            f"no optimum of the likelihood was reached from {len(tried)} starts; "
            "simplify random=, or fix a component with sigma2="
        )
    theta, at, _ = max(found, key=lambda item: climber.height(item[1]))
    interior = free & (theta > 0)
    record = Convergence(
        method="projected Newton",
        score=float(np.max(np.abs(at.gradient * theta)[interior], initial=0.0)),
        evaluations=climber.evaluations,
        boundary=bool(np.any(free & (theta == 0))),
        starts=len(tried),
    )
    return Maximum(theta=theta, at=at, convergence=record)


def starting_values(problem: BlockProblem) -> tuple[FloatArray, ...]:
    """A moment estimate of the total, shared out evenly, mostly to each, and nearly none."""
    T = len(problem.kernels)
    v = problem.V.diagonal()
    y = np.empty(problem.V.size)
    for stack, part in zip(problem.V.stacks, problem.parts, strict=True):
        y[stack.rows] = part.y
    solution = weighted_least_squares(y, 1 / v, problem.basis.Q)
    df = len(y) - problem.basis.Q.shape[1]
    total = max((solution.rss - df) / solution.trace_p, 0.1 * typical_variance(solution))
    even = np.full(T, total / T)
    shares = [even]
    if T > 1:
        for t in range(T):
            share = np.full(T, 0.05 * total / (T - 1))
            share[t] = 0.95 * total
            shares.append(share)
    return (*shares, 1e-3 * even, 10 * even)


def _newton(observed: FloatArray, expected: FloatArray, gradient: FloatArray) -> FloatArray:
    """Solve by the observed information where it is positive definite, else the expected."""
    for information in (observed, expected):
        scale = np.sqrt(np.abs(np.diagonal(information)))
        if np.any(scale == 0):
            continue
        values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
        if values[0] > 1e-8:
            return np.asarray(vectors @ ((vectors.T @ (gradient / scale)) / values) / scale)
    raise ConvergenceError(
        "the information about the variance components is singular: the random terms cannot be "
        "told apart; leave one out or fix it with sigma2="
    )


def _close(theta: FloatArray, optimum: FloatArray) -> bool:
    same_face = np.array_equal(theta == 0, optimum == 0)
    return same_face and bool(np.all(np.abs(theta - optimum) <= 1e-3 * np.abs(optimum)))
