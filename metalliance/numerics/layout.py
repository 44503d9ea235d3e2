"""Data of a multilevel model laid out for its likelihood: rotated by V, reduced to cells.

V is diagonalised block by block once, V = U D U'. In the rotated data the covariance is
M = D + εI + Z Γ Z': a diagonal plus a matrix of low rank in each block. ε is the variance of a
term that gives every row a level of its own; a *cell* (a column of Z) is one random effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import (
    BlockDiagonal,
    FloatArray,
    IntArray,
    Stack,
    connected_components,
)
from metalliance.numerics.covariances import Structure
from metalliance.numerics.linalg import Basis, orthonormal_basis, transpose

__all__ = ["Factor", "Group", "Layout", "lay_out", "marginal", "model_blocks", "relevant_entries"]

_FEW_BLOCKS = 1000
_WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factor:
    """One random term.

    Attributes
    ----------
    outer : (k,) int
        Group within which random effects are correlated.
    inner : (k,) int or None
        Inner level of each row, 0 … q-1.
    slopes : (k, q) float or None
        Design of random slopes, instead of ``inner``.
    structure : Structure
        Of the q x q covariance G of a group.
    """

    outer: IntArray
    inner: IntArray | None
    slopes: FloatArray | None
    structure: Structure

    @property
    def q(self) -> int:
        """Order of G."""
        return len(self.structure.pattern())

    def is_identity(self) -> bool:
        """Whether every row is a random effect of its own, all with one variance."""
        if self.inner is None or self.structure.size != (1, 0):
            return False
        return len(np.unique(self.outer * self.q + self.inner)) == len(self.outer)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Blocks with equally many cells.

    Attributes
    ----------
    rows : (n,) int
        Rotated rows of the group, block after block.
    starts : (B,) int
        Where each block begins among them.
    Z : (n, q) float
        Rotated cells.
    pattern : (B, q, q) int
        Which entry of G stands at each place of Γ: 1 + its number, 0 for none.
    present : (c,) int
        The entries that occur.
    masks : (c, B, q, q) float
        One where they do.
    """

    rows: IntArray
    starts: IntArray
    Z: FloatArray
    pattern: IntArray
    present: IntArray
    masks: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Everything the likelihood needs.

    Attributes
    ----------
    V : BlockDiagonal
    factors : tuple of Factor
    first : tuple of int
        Number of the first entry ψ of each factor.
    entries : int
        C, the number of entries of all factors.
    identity : int or None
        The entry ε.
    basis : Basis
        X = QR.
    offset : (p,) float
        Coefficients on Q taken out of y beforehand, so that nothing cancels later.
    d : (k,) float
        Eigenvalues of V.
    R : (k, p+1) float
        Rotated Q, and rotated y less the offset.
    groups : tuple of Group
    """

    V: BlockDiagonal
    factors: tuple[Factor, ...]
    first: tuple[int, ...]
    entries: int
    identity: int | None
    basis: Basis
    offset: FloatArray
    d: FloatArray
    R: FloatArray
    groups: tuple[Group, ...]


def model_blocks(V: BlockDiagonal, factors: Sequence[Factor]) -> IntArray:
    """(k,) labels of the finest blocks that hold V and every factor."""
    return connected_components([V.labels(), *(factor.outer for factor in factors)])


def lay_out(y: FloatArray, X: FloatArray, V: BlockDiagonal, factors: Sequence[Factor]) -> Layout:
    """Rotate by V and collect the cells of every block.

    Parameters
    ----------
    y : (k,) float
    X : (k, p) float
        Of full column rank.
    V : BlockDiagonal
        Positive definite.
    factors : sequence of Factor
    """
    sizes = [int(factor.structure.pattern().max()) + 1 for factor in factors]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    identity = [t for t, factor in enumerate(factors) if factor.is_identity()][:1]
    basis = orthonormal_basis(X)
    d, vectors = _eigen(V)
    R = _rotated(V, vectors, np.column_stack([basis.Q, y]))
    offset = _weighted_coefficients(R, d)
    R[:, -1] -= R[:, :-1] @ offset
    low_rank = [t for t in range(len(factors)) if t not in identity]
    return Layout(
        V=V,
        factors=tuple(factors),
        first=tuple(first[:-1].tolist()),
        entries=int(first[-1]),
        identity=int(first[identity[0]]) if identity else None,
        basis=basis,
        offset=offset,
        d=d,
        R=R,
        groups=_groups(V, vectors, [(factors[t], int(first[t])) for t in low_rank]),
    )


def marginal(V: BlockDiagonal, factors: Sequence[Factor], psi: FloatArray) -> BlockDiagonal:
    """M = V + Σ Z_t G_t Z_t' in the model's blocks; ψ (C,) holds the entries of all G_t."""
    wide = V.regroup(model_blocks(V, factors))
    stacks = []
    for stack in wide.stacks:
        values = stack.values.copy()
        begin = 0
        for factor in factors:
            pattern = factor.structure.pattern()
            G = np.append(psi[begin : begin + pattern.max() + 1], 0.0)[pattern]
            begin += int(pattern.max()) + 1
            outer = factor.outer[stack.rows]
            together = outer[:, :, None] == outer[:, None, :]
            if factor.slopes is not None:
                Z = factor.slopes[stack.rows]
                values += together * (Z @ G @ transpose(Z))
            elif factor.inner is not None:
                inner = factor.inner[stack.rows]
                values += together * G[inner[:, :, None], inner[:, None, :]]
        stacks.append(Stack(rows=stack.rows, values=values))
    return BlockDiagonal(size=V.size, stacks=tuple(stacks))


def relevant_entries(factor: Factor) -> IntArray:
    """(C_t,) in how many outer groups each entry of G occurs; 0: the data do not show it."""
    pattern = factor.structure.pattern()
    if factor.slopes is not None:
        present = np.zeros((int(factor.outer.max()) + 1, factor.q), dtype=bool)
        for j in range(factor.q):
            np.logical_or.at(present[:, j], factor.outer, factor.slopes[:, j] != 0)
    else:
        present = np.zeros((int(factor.outer.max()) + 1, factor.q), dtype=bool)
        present[factor.outer, factor.inner] = True
    together = present.astype(np.float64).T @ present
    counts = np.zeros(int(pattern.max()) + 1, dtype=np.intp)
    for a, b in zip(*np.nonzero(pattern >= 0), strict=True):
        counts[pattern[a, b]] = max(counts[pattern[a, b]], int(together[a, b]))
    return counts


def _eigen(V: BlockDiagonal) -> tuple[FloatArray, list[FloatArray | None]]:
    """Eigenvalues by row, and eigenvectors by stack (None where blocks have one row)."""
    d = np.empty(V.size)
    vectors: list[FloatArray | None] = []
    for stack in V.stacks:
        if stack.rows.shape[1] == 1:
            d[stack.rows[:, 0]] = stack.values[:, 0, 0]
            vectors.append(None)
        else:
            values, columns = np.linalg.eigh(stack.values)
            d[stack.rows] = values
            vectors.append(np.asarray(columns, dtype=np.float64))
    return d, vectors


def _rotated(
    V: BlockDiagonal, vectors: Sequence[FloatArray | None], table: FloatArray
) -> FloatArray:
    """U' table, block by block."""
    rotated = np.array(table, dtype=np.float64)
    for stack, columns in zip(V.stacks, vectors, strict=True):
        if columns is not None:
            rotated[stack.rows] = transpose(columns) @ rotated[stack.rows]
    return rotated


def _weighted_coefficients(R: FloatArray, d: FloatArray) -> FloatArray:
    root = 1 / np.sqrt(d)
    solution = np.linalg.lstsq(R[:, :-1] * root[:, None], R[:, -1] * root, rcond=None)[0]
    return np.asarray(solution, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Random effects of all factors: the rows each stands in, and where it belongs."""

    row: IntArray
    cell: IntArray
    value: FloatArray
    factor: IntArray
    outer: IntArray
    inner: IntArray


def _cells(factors: Sequence[Factor]) -> _Cells:
    """One entry per row and cell it takes part in; the last four describe each cell."""
    row, cell, value = [], [], []
    owner, outer, inner = [], [], []
    begin = 0
    for t, factor in enumerate(factors):
        k, q = len(factor.outer), factor.q
        if factor.slopes is not None:
            keys = (factor.outer[:, None] * q + np.arange(q)).ravel()
            rows, values = np.repeat(np.arange(k), q), factor.slopes.ravel()
        else:
            keys = factor.outer * q + (0 if factor.inner is None else factor.inner)
            rows, values = np.arange(k), np.ones(k)
        unique, place = np.unique(keys, return_inverse=True)
        row.append(rows)
        cell.append(begin + place)
        value.append(values)
        owner.append(np.full(len(unique), t))
        outer.append(unique // q)
        inner.append(unique % q)
        begin += len(unique)
    return _Cells(*(np.concatenate(part) for part in (row, cell, value, owner, outer, inner)))


def _groups(
    V: BlockDiagonal,
    vectors: Sequence[FloatArray | None],
    factors: Sequence[tuple[Factor, int]],
) -> tuple[Group, ...]:
    labels = model_blocks(V, [factor for factor, _ in factors])
    if not factors:
        nothing = np.zeros((1, 0, 0), dtype=np.intp)
        rows, starts = np.arange(V.size), np.zeros(1, dtype=np.intp)
        return (_group_of(rows, starts, np.zeros((V.size, 0)), nothing),)
    cells = _cells([factor for factor, _ in factors])
    block_of_cell = np.empty(len(cells.factor), dtype=np.intp)
    block_of_cell[cells.cell] = labels[cells.row]
    local, count = _positions(block_of_cell, int(labels.max()) + 1)
    width = _padded(count)
    return tuple(
        _group(V, vectors, factors, cells, labels, local, block_of_cell, width, int(q))
        for q in np.unique(width)
    )


def _group(
    V: BlockDiagonal,
    vectors: Sequence[FloatArray | None],
    factors: Sequence[tuple[Factor, int]],
    cells: _Cells,
    labels: IntArray,
    local: IntArray,
    block_of_cell: IntArray,
    width: IntArray,
    q: int,
) -> Group:
    inside = width == q
    order = np.flatnonzero(inside[labels])
    rows = order[np.argsort(labels[order], kind="stable")]
    blocks, starts = np.unique(labels[rows], return_index=True)
    slot = np.full(len(width), -1, dtype=np.intp)
    slot[blocks] = np.arange(len(blocks))
    Z = np.zeros((V.size, q))
    used = inside[block_of_cell[cells.cell]]
    Z[cells.row[used], local[cells.cell[used]]] = cells.value[used]
    pattern = np.zeros((len(blocks), q, q), dtype=np.intp)
    owner, outer, inner = (np.full((len(blocks), q), -1) for _ in range(3))
    mine = np.flatnonzero(inside[block_of_cell])
    at = (slot[block_of_cell[mine]], local[mine])
    owner[at], outer[at], inner[at] = cells.factor[mine], cells.outer[mine], cells.inner[mine]
    for t, (factor, first) in enumerate(factors):
        places = factor.structure.pattern()
        same = (owner[:, :, None] == t) & (owner[:, None, :] == t)
        same &= outer[:, :, None] == outer[:, None, :]
        level = np.where(owner == t, inner, 0)
        entry = places[level[:, :, None], level[:, None, :]]
        pattern = np.where(same & (entry >= 0), 1 + first + entry, pattern)
    rotated = _rotated(V, vectors, Z)
    return _group_of(rows, starts.astype(np.intp), rotated[rows], pattern)


def _group_of(rows: IntArray, starts: IntArray, Z: FloatArray, pattern: IntArray) -> Group:
    present = np.unique(pattern[pattern > 0]) - 1
    masks = (pattern == 1 + present[:, None, None, None]).astype(np.float64)
    return Group(rows=rows, starts=starts, Z=Z, pattern=pattern, present=present, masks=masks)


def _positions(labels: IntArray, n: int) -> tuple[IntArray, IntArray]:
    """Running number of each item within its label, and how many items a label has."""
    order = np.argsort(labels, kind="stable")
    count = np.bincount(labels, minlength=n)
    begin = np.concatenate([[0], np.cumsum(count)[:-1]])
    local = np.empty(len(labels), dtype=np.intp)
    local[order] = np.arange(len(labels)) - begin[labels[order]]
    return local, count.astype(np.intp)


def _padded(count: IntArray) -> IntArray:
    """A width for each block, of only a few, so that nearly equal blocks share a group.

    With few blocks a group costs more than the zeros that it saves.
    """
    most = int(count.max())
    least = 2 if len(count) < _FEW_BLOCKS else 1
    steps = np.array([n for n in _WIDTHS if least * n < most] + [most])
    return np.asarray(steps[np.searchsorted(steps, count)], dtype=np.intp)
