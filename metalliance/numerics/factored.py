"""Unstructured covariance matrices LL', and what is left of them when parts are held."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

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

__all__ = ["Circular", "Factored", "unstructured"]

_ZERO = 1e-10
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Factored:
    """An unstructured G = LL', some rows of L held to a pattern. θ = the free numbers in L.

    Rows of L in the order ``order``. The first ``anchored`` rows are τ_a u_a with lengths τ_a in
    θ and directions u_a = ``directions`` held; the other rows are free. With no row anchored
    every L is possible, with one the first variance is a parameter of its own, with two the
    first two variances and their correlation, and with all rows every correlation is held.
    Lengths are not negative: below zero a held correlation would change its sign.
    """

    q: int
    order: tuple[int, ...]
    directions: tuple[tuple[float, ...], ...] = ()

    @property
    def anchored(self) -> int:
        return len(self.directions)

    @property
    def size(self) -> tuple[int, int]:
        return self.q, self.q * (self.q - 1) // 2

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        free = self.q * (self.q - self.anchored)
        lower = np.append(np.zeros(self.anchored), np.full(free, -np.inf))
        return lower, np.full(len(lower), np.inf)

    def pattern(self) -> IntArray:
        return triangle(self.q)

    def entries(self, theta: FloatArray) -> Entries:
        a, b = places_of(self.q)
        slopes, hessian = _linear(self)
        L = self._rows(theta)
        jacobian = (slopes[a] @ L[b][:, :, None] + slopes[b] @ L[a][:, :, None])[:, :, 0]
        return Entries(psi=np.einsum("cj,cj->c", L[a], L[b]), jacobian=jacobian, hessian=hessian)

    def natural(self, theta: FloatArray) -> Natural:
        L = self._rows(theta)
        tau = np.sqrt(np.einsum("aj,aj->a", L, L))
        below = np.tril_indices(self.q, -1)
        scale = tau[below[0]] * tau[below[1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            rho = np.einsum("cj,cj->c", L[below[0]], L[below[1]]) / scale
        rho = np.where(np.abs(rho) > 1 - _ROUNDING, np.sign(rho), rho)
        return Natural(tau2=tau**2, rho=np.where(scale > 0, rho, np.nan))

    def theta(self, tau2: FloatArray, rho: FloatArray) -> FloatArray:
        n, order = self.anchored, list(self.order)
        G = np.eye(self.q)
        below = np.tril_indices(self.q, -1)
        G[below] = G[below[1], below[0]] = np.nan_to_num(rho)
        tau = np.sqrt(tau2)
        G = (G * np.outer(tau, tau))[np.ix_(order, order)]
        anchors = tau[order[:n], None] * np.array(self.directions).reshape(n, self.q)[:, :n]
        shared = np.linalg.lstsq(anchors, G[:n, n:], rcond=None)[0].T
        rest = _square_root(G[n:, n:] - shared @ shared.T)
        return np.concatenate([tau[order[:n]], np.hstack([shared, rest]).ravel()])

    def pin(self, tau2: FloatArray, rho: FloatArray) -> tuple[Structure, FloatArray]:
        known, correlated = ~np.isnan(tau2), ~np.isnan(rho)
        refuse_outside(rho, -1.0)
        if not known.any() and not correlated.any():
            return self, np.full(len(self.bounds[0]), np.nan)
        if correlated.all():
            return self._with_correlations(tau2, rho)
        if known.all() and self.q == 2:
            return Circular(), np.append(np.sqrt(tau2), np.nan)
        if known.sum() == 1 and not correlated.any():
            first = int(np.flatnonzero(known)[0])
            rest = tuple(i for i in range(self.q) if i != first)
            kept = Factored(self.q, (first, *rest), (_unit(self.q, 0),))
            free = np.full(len(kept.bounds[0]), np.nan)
            free[0] = np.sqrt(tau2[first])
            return kept, free
        if correlated.sum() == 1 and not known.any():
            below = np.tril_indices(self.q, -1)
            pair = int(np.flatnonzero(correlated)[0])
            ends = (int(below[1][pair]), int(below[0][pair]))
            rest = tuple(i for i in range(self.q) if i not in ends)
            value = float(rho[pair])
            second = (value, float(np.sqrt(max(0.0, 1 - value**2))), *([0.0] * (self.q - 2)))
            kept = Factored(self.q, (*ends, *rest), (_unit(self.q, 0), second))
            return kept, np.full(len(kept.bounds[0]), np.nan)
        raise ValueError(
            "of an unstructured term hold one variance, or one correlation, or all correlations "
            "(with any variances)"
        )

    def _with_correlations(self, tau2: FloatArray, rho: FloatArray) -> tuple[Structure, FloatArray]:
        R = np.eye(self.q)
        below = np.tril_indices(self.q, -1)
        R[below] = R[below[1], below[0]] = rho
        if np.linalg.eigvalsh(R)[0] < -_ZERO:
            raise ValueError("these correlations cannot hold together (not positive definite)")
        rows = _square_root(R)
        rows /= np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
        kept = Factored(self.q, tuple(range(self.q)), tuple(map(tuple, rows.tolist())))
        return kept, np.sqrt(tau2)

    def idle(self, theta: FloatArray) -> FloatArray:
        """Rotations of the columns that leave the anchored rows alone."""
        n = self.anchored
        free = self._rows(theta)[list(self.order[n:])]
        used = int(np.any(np.array(self.directions).reshape(n, self.q) != 0, axis=0).sum())
        turns = []
        for i in range(used, self.q):
            for j in range(used, i):
                turn = np.zeros_like(free)
                turn[:, i], turn[:, j] = free[:, j], -free[:, i]
                turns.append(np.concatenate([np.zeros(n), turn.ravel()]))
        return np.array(turns).T if turns and free.size else np.empty((len(theta), 0))

    def turned(self, theta: FloatArray, slope: FloatArray) -> FloatArray:
        return theta

    def units(self, variance: float) -> FloatArray:
        return np.full(len(self.bounds[0]), np.sqrt(variance))

    def snapped(self, theta: FloatArray, variance: float) -> FloatArray:
        n, little = self.anchored, _ZERO * variance
        lengths = np.where(theta[:n] ** 2 < little, 0.0, theta[:n])
        free = theta[n:].reshape(self.q - n, self.q)
        none = (np.einsum("aj,aj->a", free, free) < little)[:, None]
        free = np.where(none, 0.0, free)
        left, sizes, right = np.linalg.svd(free[:, n:], full_matrices=False)
        small = sizes**2 < little
        if np.any(small & (sizes > _ROUNDING * np.sqrt(variance))):
            rest = (left * np.where(small, 0.0, sizes)) @ right
            free = np.where(none, 0.0, np.hstack([free[:, :n], rest]))
        return np.concatenate([lengths, free.ravel()])

    def _rows(self, theta: FloatArray) -> FloatArray:
        """L (q, q)."""
        return np.asarray(np.einsum("m,amj->aj", theta, _linear(self)[0]))


@cache
def _linear(factored: Factored) -> tuple[FloatArray, FloatArray]:
    """Derivatives of the rows of L in θ (q, m, q), and the second ones of the entries of LL'."""
    q, n = factored.q, factored.anchored
    slopes = np.zeros((q, len(factored.bounds[0]), q))
    for i, row in enumerate(factored.order):
        if i < n:
            slopes[row, i] = factored.directions[i]
        else:
            first = n + (i - n) * q
            slopes[row, first : first + q] = np.eye(q)
    a, b = places_of(q)
    half = slopes[a] @ np.swapaxes(slopes[b], 1, 2)
    return slopes, half + np.swapaxes(half, 1, 2)


@dataclass(frozen=True, slots=True)
class Circular:
    """Two variances that are held, and their correlation. θ = (τ_1, τ_2, φ), ρ = cos φ."""

    @property
    def size(self) -> tuple[int, int]:
        return 2, 1

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        return np.array([0.0, 0.0, -np.inf]), np.full(3, np.inf)

    def pattern(self) -> IntArray:
        return np.array([[0, 2], [2, 1]])

    def entries(self, theta: FloatArray) -> Entries:
        one, two, cosine, sine = theta[0], theta[1], np.cos(theta[2]), np.sin(theta[2])
        jacobian = np.array(
            [
                [2 * one, 0.0, 0.0],
                [0.0, 2 * two, 0.0],
                [two * cosine, one * cosine, -one * two * sine],
            ]
        )
        hessian = np.zeros((3, 3, 3))
        hessian[0, 0, 0] = hessian[1, 1, 1] = 2.0
        hessian[2] = [
            [0.0, cosine, -two * sine],
            [cosine, 0.0, -one * sine],
            [-two * sine, -one * sine, -one * two * cosine],
        ]
        psi = np.array([one**2, two**2, one * two * cosine])
        return Entries(psi=psi, jacobian=jacobian, hessian=hessian)

    def natural(self, theta: FloatArray) -> Natural:
        tau2 = theta[:2] ** 2
        return Natural(tau2=tau2, rho=np.cos(theta[2:]) if np.all(tau2 > 0) else np.full(1, np.nan))

    def theta(self, tau2: FloatArray, rho: FloatArray) -> FloatArray:
        return np.append(np.sqrt(tau2), np.arccos(np.clip(rho, -1.0, 1.0)))

    def pin(self, tau2: FloatArray, rho: FloatArray) -> tuple[Structure, FloatArray]:
        return self, self.theta(tau2, rho)

    def idle(self, theta: FloatArray) -> FloatArray:
        return np.empty((3, 0))

    def turned(self, theta: FloatArray, slope: FloatArray) -> FloatArray:
        return theta

    def units(self, variance: float) -> FloatArray:
        return np.array([np.sqrt(variance), np.sqrt(variance), 1.0])

    def snapped(self, theta: FloatArray, variance: float) -> FloatArray:
        if np.sin(theta[2]) ** 2 < _ZERO:
            return np.append(theta[:2], np.round(theta[2] / np.pi) * np.pi)
        return theta


def unstructured(q: int) -> Factored:
    """Any q x q covariance matrix."""
    return Factored(q, tuple(range(q)))


def _unit(q: int, j: int) -> tuple[float, ...]:
    return tuple(np.eye(q)[j].tolist())


def _square_root(G: FloatArray) -> FloatArray:
    """L with LL' = G for a G that is positive semi-definite up to rounding."""
    values, vectors = np.linalg.eigh(G)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
