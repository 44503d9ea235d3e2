"""Structures with bounds on their parameters: ID, DIAG, CS, AR, HCS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.covariances import (
    Entries,
    Natural,
    Structure,
    places_of,
    refuse_outside,
    triangle,
)

__all__ = ["Heteroscedastic", "Homogeneous", "Independent"]

_ZERO = 1e-10
_TRIALS = 41


@dataclass(frozen=True, slots=True)
class Independent:
    """Uncorrelated inner levels, with one variance (ID) or one each (DIAG). θ = variances."""

    q: int
    common: bool

    @property
    def size(self) -> tuple[int, int]:
        return (1 if self.common else self.q), 0

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        m = self.size[0]
        return np.zeros(m), np.full(m, np.inf)

    def pattern(self) -> IntArray:
        places = np.full((self.q, self.q), -1, dtype=np.intp)
        np.fill_diagonal(places, 0 if self.common else np.arange(self.q))
        return places

    def entries(self, theta: FloatArray) -> Entries:
        m = len(theta)
        return Entries(psi=theta, jacobian=np.eye(m), hessian=np.zeros((m, m, m)))

    def natural(self, theta: FloatArray) -> Natural:
        return Natural(tau2=theta, rho=np.empty(0))

    def theta(self, tau2: FloatArray, rho: FloatArray) -> FloatArray:
        return tau2

    def pin(self, tau2: FloatArray, rho: FloatArray) -> tuple[Structure, FloatArray]:
        return self, tau2

    def idle(self, theta: FloatArray) -> FloatArray:
        return np.empty((len(theta), 0))

    def turned(self, theta: FloatArray, slope: FloatArray) -> FloatArray:
        return theta

    def units(self, variance: float) -> FloatArray:
        return np.full(self.size[0], variance)

    def snapped(self, theta: FloatArray, variance: float) -> FloatArray:
        return theta


@dataclass(frozen=True, slots=True)
class Homogeneous:
    """One variance and one correlation, alike for all pairs (CS) or ρ^distance (AR).

    θ = (τ², ρ). A common correlation of ``together`` levels that occur in one group cannot lie
    below -1/(together - 1).
    """

    q: int
    together: int
    decaying: bool

    @property
    def size(self) -> tuple[int, int]:
        return 1, 1

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        lowest = -1.0 if self.decaying else _lowest_correlation(self.together)
        return np.array([0.0, lowest]), np.array([np.inf, 1.0])

    def pattern(self) -> IntArray:
        place = np.arange(self.q)
        distance = np.abs(place[:, None] - place)
        return np.asarray(distance if self.decaying else np.minimum(distance, 1), dtype=np.intp)

    def entries(self, theta: FloatArray) -> Entries:
        tau2, rho = theta
        lag = np.arange(self.q if self.decaying else 2)
        power = rho ** lag.astype(np.float64)
        slope = lag * rho ** np.maximum(lag - 1, 0).astype(np.float64)
        bend = lag * (lag - 1) * rho ** np.maximum(lag - 2, 0).astype(np.float64)
        hessian = np.zeros((len(lag), 2, 2))
        hessian[:, 0, 1] = hessian[:, 1, 0] = slope
        hessian[:, 1, 1] = tau2 * bend
        return Entries(
            psi=tau2 * power, jacobian=np.column_stack([power, tau2 * slope]), hessian=hessian
        )

    def natural(self, theta: FloatArray) -> Natural:
        tau2, rho = theta[:1], theta[1:]
        return Natural(tau2=tau2, rho=np.where(tau2 > 0, rho, np.nan))

    def theta(self, tau2: FloatArray, rho: FloatArray) -> FloatArray:
        return np.concatenate([tau2, rho])

    def pin(self, tau2: FloatArray, rho: FloatArray) -> tuple[Structure, FloatArray]:
        refuse_outside(rho, self.bounds[0][1])
        return self, np.concatenate([tau2, rho])

    def idle(self, theta: FloatArray) -> FloatArray:
        return np.empty((len(theta), 0))

    def turned(self, theta: FloatArray, slope: FloatArray) -> FloatArray:
        if theta[0] > 0:
            return theta
        low, high = self.bounds[0][1], self.bounds[1][1]
        trials = np.append(theta[1], np.linspace(low, high, _TRIALS if self.decaying else 2))
        distance = np.arange(len(slope))
        rises = (trials[:, None] ** distance) @ slope
        best = int(np.argmax(rises))
        return np.array([0.0, trials[best]]) if rises[best] > 0 else theta

    def units(self, variance: float) -> FloatArray:
        return np.array([variance, 1.0])

    def snapped(self, theta: FloatArray, variance: float) -> FloatArray:
        return theta


@dataclass(frozen=True, slots=True)
class Heteroscedastic:
    """One variance each and one common correlation (HCS). θ = (τ_1 … τ_q, ρ), τ_a ≥ 0."""

    q: int
    together: int

    @property
    def size(self) -> tuple[int, int]:
        return self.q, 1

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        lower = np.append(np.zeros(self.q), _lowest_correlation(self.together))
        return lower, np.append(np.full(self.q, np.inf), 1.0)

    def pattern(self) -> IntArray:
        return triangle(self.q)

    def entries(self, theta: FloatArray) -> Entries:
        q = self.q
        tau, rho = theta[:q], theta[q]
        a, b = places_of(q)
        off = (a != b).astype(np.float64)
        R = np.where(a == b, 1.0, rho)
        row = np.arange(len(a))
        jacobian, hessian = np.zeros((len(a), q + 1)), np.zeros((len(a), q + 1, q + 1))
        for one, other in ((a, b), (b, a)):
            np.add.at(jacobian, (row, one), tau[other] * R)
            np.add.at(hessian, (row, one, other), R)
            np.add.at(hessian[:, :, q], (row, one), tau[other] * off)
            np.add.at(hessian[:, q, :], (row, one), tau[other] * off)
        jacobian[:, q] = tau[a] * tau[b] * off
        return Entries(psi=tau[a] * tau[b] * R, jacobian=jacobian, hessian=hessian)

    def natural(self, theta: FloatArray) -> Natural:
        tau2 = theta[: self.q] ** 2
        known = np.count_nonzero(tau2) > 1
        return Natural(tau2=tau2, rho=theta[self.q :] if known else np.array([np.nan]))

    def theta(self, tau2: FloatArray, rho: FloatArray) -> FloatArray:
        return np.concatenate([np.sqrt(tau2), rho])

    def pin(self, tau2: FloatArray, rho: FloatArray) -> tuple[Structure, FloatArray]:
        refuse_outside(rho, self.bounds[0][-1])
        return self, np.concatenate([np.sqrt(tau2), rho])

    def idle(self, theta: FloatArray) -> FloatArray:
        return np.empty((len(theta), 0))

    def turned(self, theta: FloatArray, slope: FloatArray) -> FloatArray:
        return theta

    def units(self, variance: float) -> FloatArray:
        return np.append(np.full(self.q, np.sqrt(variance)), 1.0)

    def snapped(self, theta: FloatArray, variance: float) -> FloatArray:
        tau = theta[: self.q]
        return np.append(np.where(tau**2 < _ZERO * variance, 0.0, tau), theta[self.q])


def _lowest_correlation(together: int) -> float:
    return -1.0 / (together - 1) if together > 1 else -1.0
