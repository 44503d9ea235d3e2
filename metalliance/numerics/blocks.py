"""Block-diagonal matrices as stacks of equally sized blocks, and how rows form blocks.

A meta-analysis with dependent effects has a marginal covariance that is block diagonal by
cluster. Nothing here ever forms a k x k matrix unless asked to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["BlockDiagonal", "FloatArray", "IntArray", "Stack", "connected_components", "stack_rows"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """All blocks of one size.

    Attributes
    ----------
    rows : (B, n) int
        Row numbers of the B blocks, each of size n.
    values : (B, n, n) float
        The blocks.
    """

    rows: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDiagonal:
    """A symmetric k x k matrix that is zero outside its blocks.

    Attributes
    ----------
    size : int
        k.
    stacks : tuple of Stack
        Every row belongs to exactly one block.
    """

    size: int
    stacks: tuple[Stack, ...]

    @classmethod
    def of_singles(cls, diagonal: FloatArray) -> BlockDiagonal:
        """A diagonal matrix (k,) in blocks of one, rows in order."""
        rows = np.arange(len(diagonal))[:, None]
        stack = Stack(rows=rows, values=diagonal[:, None, None])
        return cls(size=len(diagonal), stacks=(stack,))

    def labels(self) -> IntArray:
        """(k,) number of the block that each row belongs to."""
        labels = np.empty(self.size, dtype=np.intp)
        first = 0
        for stack in self.stacks:
            count = len(stack.rows)
            labels[stack.rows] = np.arange(first, first + count)[:, None]
            first += count
        return labels

    def diagonal(self) -> FloatArray:
        """(k,) the diagonal."""
        diagonal = np.empty(self.size)
        for stack in self.stacks:
            diagonal[stack.rows] = np.diagonal(stack.values, axis1=1, axis2=2)
        return diagonal

    def regroup(self, labels: IntArray) -> BlockDiagonal:
        """Lay the same matrix out in coarser blocks; ``labels`` must not split a block."""
        size_of = np.bincount(labels)
        position = np.empty(self.size, dtype=np.intp)
        groups = stack_rows(labels)
        for rows in groups:
            position[rows] = np.arange(rows.shape[1])
        slot = np.empty(len(size_of), dtype=np.intp)
        holders: dict[int, FloatArray] = {}
        for rows in groups:
            slot[labels[rows[:, 0]]] = np.arange(len(rows))
            holders[rows.shape[1]] = np.zeros((*rows.shape, rows.shape[1]))
        for stack in self.stacks:
            coarse = labels[stack.rows]
            if np.any(coarse != coarse[:, :1]):
                raise ValueError("labels split a block")
            where = position[stack.rows]
            sizes = size_of[coarse[:, 0]]
            for n in np.unique(sizes):
                of_size = sizes == n
                block = slot[coarse[of_size, 0]][:, None, None]
                at = where[of_size]
                holders[int(n)][block, at[:, :, None], at[:, None, :]] = stack.values[of_size]
        return BlockDiagonal(
            size=self.size,
            stacks=tuple(Stack(rows=rows, values=holders[rows.shape[1]]) for rows in groups),
        )

    def take(self, rows: IntArray) -> BlockDiagonal:
        """The sub-matrix of some of the rows, in the order given."""
        kept = np.full(self.size, -1, dtype=np.intp)
        kept[rows] = np.arange(len(rows))
        stacks: dict[int, list[tuple[IntArray, FloatArray]]] = {}
        for stack in self.stacks:
            for members, block in zip(stack.rows, stack.values, strict=True):
                inside = np.flatnonzero(kept[members] >= 0)
                if inside.size:
                    order = inside[np.argsort(kept[members[inside]])]
                    entry = (kept[members[order]], block[np.ix_(order, order)])
                    stacks.setdefault(len(order), []).append(entry)
        return BlockDiagonal(
            size=len(rows),
            stacks=tuple(
                Stack(
                    rows=np.array([members for members, _ in entries]),
                    values=np.array([block for _, block in entries]),
                )
                for _, entries in sorted(stacks.items())
            ),
        )

    def select(self, keep: NDArray[np.bool_]) -> BlockDiagonal:
        """The matrix without the rows and columns where ``keep`` (k,) is false."""
        number = (np.cumsum(keep) - 1).astype(np.intp)
        pieces: dict[int, list[tuple[IntArray, FloatArray]]] = {}
        for stack in self.stacks:
            kept = keep[stack.rows]
            whole = kept.all(axis=1)
            if whole.any():
                size = stack.rows.shape[1]
                piece = (number[stack.rows[whole]], stack.values[whole])
                pieces.setdefault(size, []).append(piece)
            for b in np.flatnonzero(~whole & kept.any(axis=1)):
                inside = np.flatnonzero(kept[b])
                block = stack.values[b][np.ix_(inside, inside)]
                piece = (number[stack.rows[b, inside]][None], block[None])
                pieces.setdefault(len(inside), []).append(piece)
        return BlockDiagonal(
            size=int(keep.sum()),
            stacks=tuple(
                Stack(
                    rows=np.concatenate([rows for rows, _ in pieces[size]]),
                    values=np.concatenate([values for _, values in pieces[size]]),
                )
                for size in sorted(pieces)
            ),
        )

    def to_array(self) -> FloatArray:
        """The dense (k, k) matrix."""
        dense = np.zeros((self.size, self.size))
        for stack in self.stacks:
            dense[stack.rows[:, :, None], stack.rows[:, None, :]] = stack.values
        return dense

    def to_sparse(self) -> csr_array:
        """The same as a SciPy sparse array."""
        from scipy.sparse import csr_array

        i = [np.repeat(stack.rows, stack.rows.shape[1], axis=1).ravel() for stack in self.stacks]
        j = [np.tile(stack.rows, stack.rows.shape[1]).ravel() for stack in self.stacks]
        values = [stack.values.ravel() for stack in self.stacks]
        return csr_array(
            (np.concatenate(values), (np.concatenate(i), np.concatenate(j))),
            shape=(self.size, self.size),
        )


def stack_rows(labels: IntArray) -> tuple[IntArray, ...]:
    """Row numbers of the groups in ``labels`` (k,), one (B, n) array per group size.

    Within a group rows keep their order; groups of a size come in order of first appearance.
    """
    order = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels)
    sizes = sizes[sizes > 0]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    stacks = []
    for n in np.unique(sizes):
        rows = order[starts[sizes == n][:, None] + np.arange(n)]
        stacks.append(rows[np.argsort(rows[:, 0], kind="stable")])
    return tuple(stacks)


def connected_components(groupings: Sequence[IntArray]) -> IntArray:
    """(k,) component numbers of rows that share a group in any of the ``groupings``.

    Components are numbered by first appearance. Each grouping is (k,) integer codes; a
    negative code means "in no group".
    """
    k = len(groupings[0])
    component = np.arange(k)
    while True:
        before = component
        for codes in groupings:
            grouped = codes >= 0
            if not grouped.any():
                continue
            lowest = np.full(codes.max() + 1, k)
            np.minimum.at(lowest, codes[grouped], component[grouped])
            spread = component.copy()
            spread[grouped] = lowest[codes[grouped]]
            component = np.minimum(component, spread)
            component = component[component]
        if np.array_equal(before, component):
            break
    return np.unique(component, return_inverse=True)[1].astype(np.intp)
