"""Projected Newton ascent of the likelihood over the parameters of all random terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metalliance.errors import ConvergenceError
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.covariances import Structure
from metalliance.numerics.likelihood import Evaluation, Likelihood, evaluate
from metalliance.numerics.optimize import Convergence
from metalliance.numerics.parameters import Parameters, Slope
from metalliance.numerics.starts import ESSENTIAL, starting_values, total_variance

__all__ = ["Maximum", "maximise"]

_MAX_STEPS = 200
_TERMINAL = 1e-8
_CONVERGED = 1e-12
_RESOLVED = 1e-25
_POSITIVE = 1e-8
_ESCAPE = 1e-6
_SINGULAR = 1e-12
_DETERMINED = 8.0
_NEAR = 0.05
_LONGEST = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Maximum:
    """The best of all optima found.

    Attributes
    ----------
    theta : (m,) float
    at : Evaluation
        The likelihood there.
    slope : Slope
        Its derivatives in θ.
    convergence : Convergence
    """

    theta: FloatArray
    at: Evaluation
    slope: Slope
    convergence: Convergence


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """A place on the way up."""

    theta: FloatArray
    at: Evaluation
    slope: Slope


@dataclass(frozen=True, slots=True, eq=False)
class _Direction:
    """A step, twice the gain it promises, and the parameters that may move."""

    step: FloatArray
    decrement: float
    active: NDArray[np.bool_]


@dataclass(slots=True)
class _Climber:
    """One or several ascents; counts their evaluations."""

    likelihood: Likelihood
    parameters: Parameters
    free: NDArray[np.bool_]
    variance: float
    units: FloatArray
    evaluations: int = 0

    def look(self, theta: FloatArray) -> _Point:
        self.evaluations += 1
        with np.errstate(invalid="ignore", divide="ignore"):
            at = evaluate(self.likelihood, self.parameters.psi(theta))
        return _Point(theta, at, self.parameters.slope(theta, at))

    def height(self, point: _Point) -> float:
        at = point.at
        value = at.reml if self.likelihood.restricted else at.ml
        return value if np.isfinite(value) else -np.inf

    def climb(self, theta: FloatArray, known: Sequence[_Point]) -> tuple[_Point, float] | None:
        """Ascend from θ; None if the path joins one that led to a known optimum."""
        here = self.look(theta)
        if not np.isfinite(self.height(here)):
            return None
        towards = self.direction(here)
        for _ in range(_MAX_STEPS):
            if towards.decrement < _NEAR and self.joins(here.theta + towards.step, known):
                return None
            following = self.advance(here, towards)
            if following is None:
                settled = self.settle(here)
                if settled is None:
                    return here, towards.decrement
                here = settled
            else:
                here = following
            towards = self.direction(here)
        return here, towards.decrement

    def advance(self, here: _Point, towards: _Direction) -> _Point | None:
        """One step up; None where there is nothing left to gain."""
        if towards.decrement <= _RESOLVED:
            return None
        inside = self.inside(here.theta + towards.step)
        if towards.decrement < _TERMINAL and inside:
            ahead = self.look(here.theta + towards.step)
            gained = self.direction(ahead).decrement < towards.decrement
            return ahead if gained else None
        return self.search(here, towards)

    def direction(self, here: _Point) -> _Direction:
        """Newton step within the face of parameters that are free and off their bounds.

        A parameter on its bound stays there while the criterion falls, or the step points,
        outwards.
        """
        slope, theta = here.slope, here.theta
        low, high = theta <= self.parameters.lower, theta >= self.parameters.upper
        active = self.free & ~(low & (slope.gradient <= 0)) & ~(high & (slope.gradient >= 0))
        while True:
            step = np.zeros_like(theta)
            if not active.any():
                return _Direction(step, 0.0, active)
            face = self.face(here, active)
            step = face @ _newton(*self.on_face(face, slope))
            outwards = active & ((low & (step < 0)) | (high & (step > 0)))
            if not outwards.any():
                step = self.shortened(step)
                return _Direction(step, float(slope.gradient @ step), active)
            active = active & ~outwards

    def escape(self, here: _Point, active: NDArray[np.bool_]) -> FloatArray | None:
        """A direction of positive curvature (one unit long), if there is one."""
        slope = here.slope
        flat = np.abs(slope.gradient) * self.units <= 1e-8
        face = self.face(here, active | (self.free & flat))
        if not face.shape[1]:
            return None
        observed, expected, _ = self.on_face(face, slope)
        scale = _scale(expected)
        values, vectors = np.linalg.eigh(observed / np.outer(scale, scale))
        return face @ (vectors[:, 0] / scale) if values[0] < -_ESCAPE else None

    def face(self, here: _Point, active: NDArray[np.bool_]) -> FloatArray:
        """(m, n) orthogonal directions, one unit long, within the active parameters.

        Directions in which the covariance does not change are left out.
        """
        rows = np.flatnonzero(active)
        face = np.zeros((len(here.theta), len(rows)))
        face[rows, np.arange(len(rows))] = self.units[rows]
        idle = self.parameters.idle(here.theta)
        if not idle.shape[1] or not rows.size:
            return face
        idle = idle[rows] / self.units[rows, None]
        left, sizes, _ = np.linalg.svd(idle, full_matrices=True)
        rank = int(np.sum(sizes > 1e-12))
        return np.asarray(face @ left[:, rank:])

    def on_face(self, face: FloatArray, slope: Slope) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Observed and expected information, and the gradient, along a face."""
        return (
            face.T @ slope.observed @ face,
            face.T @ slope.expected @ face,
            face.T @ slope.gradient,
        )

    def shortened(self, step: FloatArray) -> FloatArray:
        """The step, cut where it would change a parameter beyond recognition."""
        longest = float(np.max(np.abs(step) / self.units))
        return step * (_LONGEST / longest) if longest > _LONGEST else step

    def inside(self, theta: FloatArray) -> bool:
        return bool(
            np.all(theta >= self.parameters.lower) and np.all(theta <= self.parameters.upper)
        )

    def search(self, here: _Point, towards: _Direction) -> _Point:
        """Go as far along the step as the bounds allow, and halve until it pays."""
        theta, step = here.theta, towards.step
        limits = np.full(theta.shape, np.inf)
        falling, rising = step < 0, step > 0
        limits[falling] = (self.parameters.lower - theta)[falling] / step[falling]
        limits[rising] = (self.parameters.upper - theta)[rising] / step[rising]
        reach = min(1.0, float(limits.min()))
        bound = np.where(falling, self.parameters.lower, self.parameters.upper)
        slack = 1e-13 * max(1.0, abs(self.height(here)))
        for halving in range(60):
            length = reach * 0.5**halving
            following = np.clip(theta + length * step, self.parameters.lower, self.parameters.upper)
            if halving == 0 and reach < 1:
                following[limits <= reach] = bound[limits <= reach]
            ahead = self.look(following)
            wanted = self.height(here) + 1e-4 * length * towards.decrement - slack
            if self.height(ahead) >= wanted:
                return ahead
        raise ConvergenceError(
            "the likelihood could not be increased along its own gradient; check the sampling "
            "covariances for blocks that are nearly singular"
        )

    def settle(self, here: _Point) -> _Point | None:
        """From a stationary point: onto the edge if it lies there, or off a saddle; else None."""
        turned = self.parameters.turned(here.theta, here.at.gradient)
        if np.any(self.free & (turned != here.theta)):
            return self.look(np.where(self.free, turned, here.theta))
        snapped = np.where(
            self.free, self.parameters.snapped(here.theta, self.variance), here.theta
        )
        if not np.array_equal(snapped, here.theta):
            edge = self.look(snapped)
            if self.height(edge) >= self.height(here) - 1e-10:
                return edge
        direction = self.escape(here, self.direction(here).active)
        if direction is None:
            return None
        for length in 0.25 ** np.arange(8):
            for sign in (1.0, -1.0):
                tried = np.clip(
                    here.theta + sign * length * direction,
                    self.parameters.lower,
                    self.parameters.upper,
                )
                ahead = self.look(tried)
                if self.height(ahead) > self.height(here) + 1e-10:
                    return ahead
        return None

    def is_well_determined(self, optimum: _Point) -> bool:
        """Whether an optimum off all edges tells every parameter to about a third of its unit."""
        theta, parameters = optimum.theta, self.parameters
        if np.any(self.free & ((theta <= parameters.lower) | (theta >= parameters.upper))):
            return False
        observed = self.on_face(self.face(optimum, self.free), optimum.slope)[0]
        return bool(np.linalg.eigvalsh(observed)[0] >= _DETERMINED)

    def joins(self, ahead: FloatArray, known: Sequence[_Point]) -> bool:
        """Whether the next point is one of the known optima, give or take a little."""
        if not known or not self.inside(ahead):
            return False
        psi, room = self.parameters.psi(ahead), 1e-4 * self.variance
        goals = [self.parameters.psi(optimum.theta) for optimum in known]
        return any(bool(np.all(np.abs(psi - g) <= 0.03 * np.abs(g) + room)) for g in goals)


def maximise(
    likelihood: Likelihood,
    parameters: Parameters,
    fixed: FloatArray,
    starts: Sequence[FloatArray] | None = None,
) -> Maximum:
    """Maximise the (restricted) likelihood over the parameters that are not fixed.

    Parameters
    ----------
    likelihood : Likelihood
    parameters : Parameters
    fixed : (m,) float
        Values of fixed parameters; NaN where one is estimated.
    starts : sequence of (m,) float, optional
        Where to begin; by default ``starting_values``, of which the first three suffice where
        they lead to one and the same optimum, off all edges and well determined. The best
        optimum wins.

    Raises
    ------
    ConvergenceError
        If no start leads to a point where the expected gain of a Newton step is below 1e-12.
    """
    free = np.isnan(fixed)
    variance = total_variance(likelihood)
    climber = _Climber(likelihood, parameters, free, variance, parameters.units(variance))
    if not free.any():
        only = climber.look(fixed)
        record = Convergence(method="fixed", evaluations=1)
        return Maximum(theta=fixed, at=only.at, slope=only.slope, convergence=record)
    found: list[_Point] = []
    planned = starting_values(likelihood, parameters) if starts is None else tuple(starts)
    tried = 0
    for start in planned:
        if tried == ESSENTIAL and len(found) == 1 and climber.is_well_determined(found[0]):
            break
        tried += 1
        reached = climber.climb(np.where(free, start, fixed), found)
        if reached is not None and reached[1] <= _CONVERGED:
            found.append(reached[0])
    if not found:
        raise ConvergenceError(
            f"no optimum of the likelihood was reached from {tried} starts; "
            "simplify random= or structure=, or fix a component"
        )
    best = max(found, key=climber.height)
    return Maximum(
        theta=best.theta,
        at=best.at,
        slope=best.slope,
        convergence=_record(climber, best, tried),
    )


def _newton(observed: FloatArray, expected: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton step uphill: directions of positive curvature are followed, not fled.

    Where the observed information is not positive definite, its eigenvalues count by their size
    (Dauphin et al., 2014, arXiv:1406.2572), each at least a hundredth of the expected one.
    """
    scale = _scale(expected)
    values, vectors = np.linalg.eigh(observed / np.outer(scale, scale))
    if values[0] <= _POSITIVE:
        values = np.maximum(np.abs(values), 1e-2)
    return np.asarray(vectors @ ((vectors.T @ (gradient / scale)) / values) / scale)


def _scale(expected: FloatArray) -> FloatArray:
    """Square root of the information about one unit of each direction, never very small."""
    return np.asarray(np.sqrt(np.maximum(np.diagonal(expected), 1e-2)))


def _record(climber: _Climber, best: _Point, starts: int) -> Convergence:
    parameters, free = climber.parameters, climber.free
    on_bound = (best.theta <= parameters.lower) | (best.theta >= parameters.upper)
    interior = free & ~on_bound
    naturals = parameters.natural(best.theta)
    edge = on_bound & free
    for structure, natural, place in zip(
        parameters.structures, naturals, parameters.places, strict=True
    ):
        if free[place].any():
            degenerate = np.any(natural.tau2 == 0) or np.any(np.abs(natural.rho) == 1)
            edge[place] |= bool(degenerate) or _is_singular(structure, best.theta[place])
    return Convergence(
        method="projected Newton",
        score=float(np.max(np.abs(best.slope.gradient * climber.units)[interior], initial=0.0)),
        evaluations=climber.evaluations,
        boundary=bool(edge.any()),
        starts=starts,
    )


def _is_singular(structure: Structure, theta: FloatArray) -> bool:
    """Whether G has lost a dimension."""
    G = np.append(structure.entries(theta).psi, 0.0)[structure.pattern()]
    values = np.linalg.eigvalsh(G)
    return bool(abs(values[0]) <= _SINGULAR * values[-1])
