"""Profile-likelihood intervals of variances and correlations of random effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metalliance.errors import ConvergenceError
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.covariances import Natural
from metalliance.numerics.distributions import critical_value
from metalliance.numerics.likelihood import Likelihood
from metalliance.numerics.maximise import Maximum, maximise
from metalliance.numerics.optimize import bracketed_newton
from metalliance.numerics.parameters import Parameters, parameters_of

__all__ = ["ProfileInterval", "Profiled", "profile_interval"]

_HIGHER = 1e-6
_DOUBLINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profiled:
    """The fit whose likelihood is profiled.

    Attributes
    ----------
    likelihood : Likelihood
    parameters : Parameters
        Of the structures with nothing held.
    naturals : tuple of Natural
        Estimates, by structure.
    held : tuple of Natural
        Values that the user holds, by structure; NaN where one is estimated.
    height : float
        The maximum.
    unit : float
        A notable variance.
    """

    likelihood: Likelihood
    parameters: Parameters
    naturals: tuple[Natural, ...]
    held: tuple[Natural, ...]
    height: float
    unit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileInterval:
    """Limits of one component.

    Attributes
    ----------
    low, high : float
        Where the limit lies on the edge of what is possible, that edge.
    evaluations : int
        Maximisations of the other components.
    """

    low: float
    high: float
    evaluations: int


@dataclass(slots=True, eq=False)
class _Profile:
    """Log-likelihood maximised over everything but one component."""

    of: Profiled
    structure: int
    place: int
    threshold: float
    evaluations: int = 0
    near: tuple[Natural, ...] = ()

    def at(self, value: float) -> tuple[float, float]:
        """Height above the threshold, and its derivative, with the component at a value."""
        self.evaluations += 1
        parameters, pinned = self.hold(value)
        near = self.near or self.top
        starts = [
            _inside(parameters, naturals, self.of.unit) for naturals in (near, self.of.naturals)
        ]
        best = maximise(self.of.likelihood, parameters, pinned, starts)
        self.near = parameters.natural(best.theta)
        height = _height(best, self.of.likelihood)
        if height > self.of.height + _HIGHER:
            raise ConvergenceError(
                "a higher likelihood was met while profiling a component than the fit has; fit "
                "again with fewer random terms or a simpler structure"
            )
        return height - self.threshold, self.slope(value, best)

    def slope(self, value: float, best: Maximum) -> float:
        """Derivative in the held component, the others staying where they are."""
        step = 1e-6 * max(abs(value), 1e-3 * self.unit)
        ends = np.clip([value - step, value + step], *self.edges())
        entries = []
        for moved in ends:
            parameters, pinned = self.hold(float(moved))
            theta = np.where(np.isnan(pinned), best.theta, pinned)
            entries.append(parameters.psi(theta))
        change = best.at.gradient @ (entries[1] - entries[0])
        return float(change / (ends[1] - ends[0]))

    @property
    def top(self) -> tuple[Natural, ...]:
        return self.of.naturals

    @property
    def unit(self) -> float:
        return 1.0 if self.is_correlation else self.of.unit

    @property
    def is_correlation(self) -> bool:
        return self.place >= len(self.of.naturals[self.structure].tau2)

    def estimate(self) -> float:
        natural = self.of.naturals[self.structure]
        return float(np.concatenate([natural.tau2, natural.rho])[self.place])

    def edges(self) -> tuple[float, float]:
        """The lowest and the highest possible value."""
        if not self.is_correlation:
            return 0.0, np.inf
        low = self.of.parameters.structures[self.structure].bounds[0]
        lowest = float(low[-1]) if np.isfinite(low[-1]) else -1.0
        return lowest, 1.0

    def hold(self, value: float) -> tuple[Parameters, FloatArray]:
        """Parameters with the component held at a value, beside what the user holds."""
        structures, pieces = [], []
        for t, (structure, held) in enumerate(
            zip(self.of.parameters.structures, self.of.held, strict=True)
        ):
            tau2, rho = held.tau2.copy(), held.rho.copy()
            if t == self.structure:
                if self.is_correlation:
                    rho[self.place - len(tau2)] = value
                else:
                    tau2[self.place] = value
            kept, pinned = structure.pin(tau2, rho)
            structures.append(kept)
            pieces.append(pinned)
        return parameters_of(structures), np.concatenate(pieces)


def profile_interval(
    profiled: Profiled, structure: int, place: int, level: float
) -> ProfileInterval:
    """All values of one component that a likelihood ratio test does not reject.

    Parameters
    ----------
    profiled : Profiled
    structure, place : int
        Which component: its structure, and its number among variances, then correlations.
    level : float

    Raises
    ------
    ValueError
        Where the structure cannot hold this component beside others that the user holds.
    ConvergenceError
        If the profile rises above the maximum.

    Notes
    -----
    2(l̂ - l_p(c)) = χ²_{1;level}, solved to machine precision on each side of the estimate; a
    limit on the edge of the parameter space is that edge.

    References
    ----------
    Venzon & Moolgavkar (1988), doi:10.2307/2347496.
    """
    cut = 0.5 * float(critical_value(level, np.inf)) ** 2
    profile = _Profile(profiled, structure, place, profiled.height - cut)
    estimate = profile.estimate()
    if np.isnan(estimate):
        return ProfileInterval(low=np.nan, high=np.nan, evaluations=0)
    lowest, highest = profile.edges()
    low = _limit(profile, estimate, lowest, -1.0)
    profile.near = ()
    high = _limit(profile, estimate, highest, 1.0)
    return ProfileInterval(low=low, high=high, evaluations=profile.evaluations)


def _limit(profile: _Profile, estimate: float, edge: float, side: float) -> float:
    """Where the profile crosses the threshold between the estimate and an edge."""
    inner, outer = estimate, edge
    if np.isinf(edge):
        outer = max(2 * estimate, 0.5 * profile.unit)
        for _ in range(_DOUBLINGS):
            if profile.at(outer)[0] < 0:
                break
            inner, outer = outer, 2 * outer
        else:
            return edge
    elif abs(edge - estimate) <= 1e-12 or profile.at(edge)[0] >= 0:
        return edge

    def falling(distance: float) -> tuple[float, float]:
        value, slope = profile.at(estimate + side * distance)
        return value, side * slope

    ends = (abs(inner - estimate), abs(outer - estimate))
    distance = bracketed_newton(falling, *ends, scale=1e-6 * profile.unit)[0]
    return estimate + side * distance


def _inside(parameters: Parameters, naturals: Sequence[Natural], unit: float) -> FloatArray:
    """Starting values off all edges."""
    off = [
        replace(
            natural,
            tau2=np.maximum(natural.tau2, 1e-3 * unit),
            rho=np.clip(np.nan_to_num(natural.rho), -0.98, 0.98),
        )
        for natural in naturals
    ]
    return np.clip(parameters.theta(off), parameters.lower, parameters.upper)


def _height(best: Maximum, likelihood: Likelihood) -> float:
    return best.at.reml if likelihood.restricted else best.at.ml
