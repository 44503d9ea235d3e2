"""What a covariance structure of random effects is: from free parameters to the entries of G.

A random term says how the true effects of one outer group vary together: G is q x q over the
inner levels (or random slopes). Every structure names the distinct entries of G (``pattern``)
and maps its own parameters θ to their values ψ with first and second derivatives, so that one
likelihood in ψ serves them all.

Variances and common correlations have bounds. An unstructured G is LL' with a full square L:
an optimum on the edge of the cone of covariance matrices (a variance of zero, a correlation of
one) is an ordinary stationary point of L. LL' does not change when L is rotated, and the
directions in which it does not (``idle``) are left out of every step (Burer & Monteiro, 2003,
doi:10.1007/s10107-002-0352-8; Absil, Mahony & Sepulchre, 2008, ISBN 978-0-691-13298-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np

from metalliance.numerics.blocks import FloatArray, IntArray

__all__ = ["Entries", "Natural", "Structure", "places_of", "refuse_outside", "triangle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The C distinct entries of G at θ (m,).

    Attributes
    ----------
    psi : (C,) float
    jacobian : (C, m) float
    hessian : (C, m, m) float
    """

    psi: FloatArray
    jacobian: FloatArray
    hessian: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Natural:
    """Variances and correlations, as a reader wants them.

    Attributes
    ----------
    tau2 : (t,) float
    rho : (s,) float
        NaN in a fit where a variance is zero, so that there is no correlation.
    """

    tau2: FloatArray
    rho: FloatArray


class Structure(Protocol):
    """What the likelihood and the optimiser ask of a structure."""

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds (m,) of θ."""

    @property
    def size(self) -> tuple[int, int]:
        """How many variances and how many correlations there are."""

    def pattern(self) -> IntArray:
        """(q, q) number of the entry that stands at each place of G; -1 for a zero."""

    def entries(self, theta: FloatArray) -> Entries:
        """Values of the entries with their derivatives."""

    def natural(self, theta: FloatArray) -> Natural:
        """Variances and correlations at θ."""

    def theta(self, tau2: FloatArray, rho: FloatArray) -> FloatArray:
        """Return θ (m,) at given variances and correlations."""

    def pin(self, tau2: FloatArray, rho: FloatArray) -> tuple[Structure, FloatArray]:
        """Hold variances and correlations at values that are not NaN.

        Returns a structure for what is left, and its θ (m,) with NaN where it is free. Raises
        ``ValueError`` with a sentence where the values are impossible or cannot be held.
        """

    def idle(self, theta: FloatArray) -> FloatArray:
        """(m, n) directions in which no entry changes."""

    def units(self, variance: float) -> FloatArray:
        """(m,) size of a notable change of θ where ``variance`` is one of a variance."""

    def snapped(self, theta: FloatArray, variance: float) -> FloatArray:
        """Put what lies within rounding of the edge exactly on it."""


def refuse_outside(rho: FloatArray, lowest: float) -> None:
    """Raise ``ValueError`` for correlations below ``lowest`` or above 1; NaN passes."""
    if np.any(rho < lowest) or np.any(rho > 1):
        raise ValueError(f"a correlation must lie between {lowest:.4g} and 1 here")


@cache
def triangle(q: int) -> IntArray:
    """Diagonal entries 0 … q-1, then the lower triangle row by row."""
    places = np.empty((q, q), dtype=np.intp)
    a, b = places_of(q)
    places[a, b] = places[b, a] = np.arange(len(a))
    return places


@cache
def places_of(q: int) -> tuple[IntArray, IntArray]:
    """Row and column of the diagonal entries, then of the lower triangle row by row."""
    rows, columns = np.tril_indices(q, -1)
    diagonal = np.arange(q)
    return np.concatenate([diagonal, rows]), np.concatenate([diagonal, columns])
