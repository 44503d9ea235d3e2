"""Matrices that several tests of the numerics use."""

import numpy as np

from metalliance.numerics.blocks import BlockDiagonal, Stack, stack_rows


def block_matrix(labels: np.ndarray, seed: int = 0) -> BlockDiagonal:
    """Random positive definite blocks, one for each label."""
    rng = np.random.default_rng(seed)
    stacks = []
    for rows in stack_rows(labels):
        n = rows.shape[1]
        half = rng.normal(size=(len(rows), n, n))
        stacks.append(Stack(rows=rows, values=half @ np.swapaxes(half, 1, 2) + np.eye(n)))
    return BlockDiagonal(size=len(labels), stacks=tuple(stacks))
