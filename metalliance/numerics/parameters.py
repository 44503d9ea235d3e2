"""From the free parameters of all random terms to the entries of their covariance matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.covariances import Natural, Structure
from metalliance.numerics.likelihood import Evaluation

__all__ = ["Parameters", "Slope", "parameters_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameters:
    """θ of all structures, one after the other.

    Attributes
    ----------
    structures : tuple of Structure
    places : tuple of slice
        Where each structure's parameters stand in θ (m,).
    lower, upper : (m,) float
    """

    structures: tuple[Structure, ...]
    places: tuple[slice, ...]
    lower: FloatArray
    upper: FloatArray

    def psi(self, theta: FloatArray) -> FloatArray:
        """Entries (C,) of all covariance matrices at θ."""
        parts = [s.entries(theta[at]).psi for s, at in self._pairs()]
        return np.concatenate(parts) if parts else np.empty(0)

    def slope(self, theta: FloatArray, at: Evaluation) -> Slope:
        """Chain the derivatives in ψ through to θ."""
        m, C = len(theta), len(at.gradient)
        jacobian, bend = np.zeros((C, m)), np.zeros((m, m))
        first = 0
        for structure, place in self._pairs():
            entries = structure.entries(theta[place])
            rows = slice(first, first + len(entries.psi))
            jacobian[rows, place] = entries.jacobian
            bend[place, place] = np.einsum("c,cij->ij", at.gradient[rows], entries.hessian)
            first = rows.stop
        return Slope(
            gradient=jacobian.T @ at.gradient,
            observed=jacobian.T @ at.observed @ jacobian - bend,
            expected=jacobian.T @ at.expected @ jacobian,
        )

    def natural(self, theta: FloatArray) -> tuple[Natural, ...]:
        """Variances and correlations of every structure."""
        return tuple(structure.natural(theta[at]) for structure, at in self._pairs())

    def theta(self, natural: Sequence[Natural]) -> FloatArray:
        """Return θ at given variances and correlations."""
        parts = [
            structure.theta(values.tau2, values.rho)
            for structure, values in zip(self.structures, natural, strict=True)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def units(self, variance: float) -> FloatArray:
        """(m,) size of a notable change of each parameter."""
        parts = [structure.units(variance) for structure in self.structures]
        return np.concatenate(parts) if parts else np.empty(0)

    def snapped(self, theta: FloatArray, variance: float) -> FloatArray:
        """Return θ with what lies within rounding of an edge put exactly on it."""
        parts = [structure.snapped(theta[at], variance) for structure, at in self._pairs()]
        return np.concatenate(parts) if parts else np.empty(0)

    def turned(self, theta: FloatArray, slope: FloatArray) -> FloatArray:
        """Return θ of the same entries from which the likelihood can rise, if there is one."""
        parts, first = [], 0
        for structure, at in self._pairs():
            last = first + int(structure.pattern().max()) + 1
            parts.append(structure.turned(theta[at], slope[first:last]))
            first = last
        return np.concatenate(parts) if parts else np.empty(0)

    def idle(self, theta: FloatArray) -> FloatArray:
        """(m, n) directions in which no entry changes."""
        columns = []
        for structure, at in self._pairs():
            own = structure.idle(theta[at])
            wide = np.zeros((len(theta), own.shape[1]))
            wide[at] = own
            columns.append(wide)
        return np.hstack(columns) if columns else np.empty((0, 0))

    def _pairs(self) -> list[tuple[Structure, slice]]:
        return list(zip(self.structures, self.places, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slope:
    """First and second derivatives of the log-likelihood in θ.

    Attributes
    ----------
    gradient : (m,) float
    observed, expected : (m, m) float
        Minus the Hessian, and its expectation.
    """

    gradient: FloatArray
    observed: FloatArray
    expected: FloatArray


def parameters_of(structures: Sequence[Structure]) -> Parameters:
    """Line up the parameters of several structures."""
    places, lower, upper, first = [], [], [], 0
    for structure in structures:
        low, high = structure.bounds
        places.append(slice(first, first + len(low)))
        lower.append(low)
        upper.append(high)
        first += len(low)
    return Parameters(
        structures=tuple(structures),
        places=tuple(places),
        lower=np.concatenate(lower) if lower else np.empty(0),
        upper=np.concatenate(upper) if upper else np.empty(0),
    )
