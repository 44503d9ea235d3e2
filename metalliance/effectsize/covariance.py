"""SamplingCovariance: V of dependent effects in blocks, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Rho", "SamplingCovariance", "first_indefinite", "place"]

Rho = float | Mapping[tuple[str, str], float]

# A row whose variance given the earlier rows of its block is a smaller share of its own than
# this is a linear combination of them, up to rounding.
_SINGULAR = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SamplingCovariance:
    """The sampling covariance matrix V of k effects, block diagonal by cluster.

    Attributes
    ----------
    blocks : BlockDiagonal
        V itself, size k.
    rho : float or mapping or None
        What was assumed about correlations; None where all were given.
    cluster : str
        Column whose rows share patients.
    phi : float or None
        Autocorrelation per unit of time, where time was given.
    reported, assumed : int
        Pairs of effects within clusters whose correlation was reported, and was assumed.
    unmatched : int
        Reported correlations that name effects which are not among the k.
    basis : str
        Where no correlation was assumed: what V was computed from.
    yi : (k,) float or None
        The effects V belongs to, where they were computed with it.
    """

    blocks: BlockDiagonal
    rho: Rho | None
    cluster: str = ""
    phi: float | None = None
    reported: int = 0
    assumed: int = 0
    unmatched: int = 0
    basis: str = ""
    yi: FloatArray | None = None

    @property
    def description(self) -> str:
        """What was assumed, in words."""
        if self.rho is None:
            return f"{self.basis or 'given correlations'} within {self.cluster}"
        by_pair = isinstance(self.rho, Mapping)
        said = "rho by component pair" if by_pair else f"rho = {self.rho:g}"
        if self.phi is not None:
            said += f", times phi = {self.phi:g} per unit of time"
        said += f" within {self.cluster}"
        if self.reported or self.unmatched:
            said += f"; {self.reported} pair(s) as reported, {self.assumed} assumed"
        if self.unmatched:
            said += f"; {self.unmatched} reported correlation(s) of effects that are not here"
        return said

    def to_array(self) -> FloatArray:
        """Dense (k, k) matrix."""
        return self.blocks.to_array()

    def to_sparse(self) -> csr_array:
        """SciPy sparse (k, k) array."""
        return self.blocks.to_sparse()


def first_indefinite(values: FloatArray) -> int | None:
    """Number of the first of B symmetric blocks (B, n, n) that is not positive definite."""
    try:
        definite = _is_definite(values)
    except np.linalg.LinAlgError:
        definite = np.array([_one_is_definite(block) for block in values])
    bad = np.flatnonzero(~definite)
    return int(bad[0]) if bad.size else None


def place(blocks: FloatArray, rows: IntArray, i: IntArray, j: IntArray, values: FloatArray) -> None:
    """Write entries (i, j) of a block-diagonal matrix into its ``blocks`` (B, n, n).

    ``rows`` (B, n) are the row numbers of the blocks; entries of other blocks are passed over.
    """
    n = rows.shape[1]
    slot = np.full(max(rows.max(), i.max(initial=0), j.max(initial=0)) + 1, -1, dtype=np.intp)
    slot[rows] = np.arange(rows.size).reshape(rows.shape)
    here = slot[i] >= 0
    block, a = np.divmod(slot[i[here]], n)
    blocks[block, a, slot[j[here]] % n] = values[here]


def _is_definite(values: FloatArray) -> np.ndarray:
    pivots = np.diagonal(np.linalg.cholesky(values), axis1=-2, axis2=-1) ** 2
    own = np.diagonal(values, axis1=-2, axis2=-1)
    return np.asarray((pivots > _SINGULAR * own).all(axis=-1))


def _one_is_definite(block: FloatArray) -> bool:
    try:
        return bool(_is_definite(block))
    except np.linalg.LinAlgError:
        return False
