"""Small multilevel data sets for the tests of the likelihood and of its maximum."""

from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import BlockDiagonal, IntArray, Stack, stack_rows
from metalliance.numerics.covariances import Structure
from metalliance.numerics.layout import Factor
from metalliance.numerics.likelihood import Likelihood, likelihood_of
from metalliance.numerics.parameters import Parameters, parameters_of
from metalliance.numerics.structures import STRUCTURES

#: Random terms by name; s study, l lab, c crossed with both, r row, each with an inner structure.
MODELS: dict[str, tuple[str, ...]] = {
    "nested": ("s", "r"),
    "three levels": ("l", "s", "r"),
    "crossed": ("s", "c"),
    "crossed with rows": ("s", "c", "r"),
    "row": ("r",),
    "study": ("s",),
    "ID": ("s:ID",),
    "DIAG": ("s:DIAG",),
    "CS": ("s:CS",),
    "HCS": ("s:HCS",),
    "AR": ("s:AR",),
    "UN": ("s:UN",),
    "UN of two": ("s:UN2",),
    "GEN": ("s:GEN",),
    "UN and row": ("s:UN", "r"),
    "GEN in lab, CS in study": ("l:GEN", "s:CS"),
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """y, X and V with their random terms."""

    y: np.ndarray
    X: np.ndarray
    V: BlockDiagonal
    factors: tuple[Factor, ...]

    @property
    def parameters(self) -> Parameters:
        return parameters_of([factor.structure for factor in self.factors])

    def likelihood(self, restricted: bool = True) -> Likelihood:
        return likelihood_of(self.y, self.X, self.V, self.factors, restricted)

    def psi(self, seed: int = 0) -> np.ndarray:
        """Entries of positive definite matrices with variances about .1."""
        rng, pieces = np.random.default_rng(seed), []
        for factor in self.factors:
            variances, correlations = factor.structure.size
            tau2 = rng.uniform(0.05, 0.2, variances)
            theta = factor.structure.theta(tau2, rng.uniform(-0.2, 0.4, correlations))
            pieces.append(factor.structure.entries(theta).psi)
        return np.concatenate(pieces)


def example(
    model: str,
    seed: int = 0,
    sizes: tuple[int, ...] = tuple(range(1, 13)),
    covarying: bool = True,
    spread: float = 1.0,
    v: float = 0.1,
) -> Example:
    """Studies of the given sizes, rows shuffled, effects that vary as the model says, roughly."""
    rng = np.random.default_rng(seed)
    study = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    k = len(study)
    codes = {"s": study, "l": study // 3, "c": rng.integers(0, 4, k), "r": np.arange(k)}
    x = rng.normal(size=k)
    factors = tuple(factor_of(name, codes, x, rng) for name in MODELS[model])
    vi = v * np.exp(0.5 * rng.normal(size=k))
    between = rng.normal(size=len(sizes))[study] + 0.5 * rng.normal(size=k)
    y = 0.3 + spread * np.sqrt(v) * between + np.sqrt(vi) * rng.normal(size=k)
    V = sampling(study, vi, rng) if covarying else BlockDiagonal.of_singles(vi)
    return Example(y=y, X=np.column_stack([np.ones(k), x]), V=V, factors=factors)


def factor_of(
    name: str, codes: dict[str, IntArray], x: np.ndarray, rng: np.random.Generator
) -> Factor:
    outer, _, structure = name.partition(":")
    k = len(x)
    if structure == "GEN":
        slopes = np.column_stack([np.ones(k), x])
        return Factor(
            outer=codes[outer], inner=None, slopes=slopes, structure=STRUCTURES["GEN"](2, 2)
        )
    q = {"": 1, "UN2": 2}.get(structure, 3)
    made: Structure = STRUCTURES[structure.removesuffix("2") or "ID"](q, q)
    inner = rng.integers(0, q, k)
    return Factor(outer=codes[outer], inner=inner, slopes=None, structure=made)


def sampling(study: IntArray, vi: np.ndarray, rng: np.random.Generator) -> BlockDiagonal:
    """Variances vi and a random positive definite correlation within studies."""
    stacks = []
    for rows in stack_rows(study):
        n = rows.shape[1]
        half = rng.normal(size=(len(rows), n, n + 2))
        C = half @ np.swapaxes(half, 1, 2)
        scale = np.sqrt(vi[rows] / np.diagonal(C, axis1=1, axis2=2))
        stacks.append(Stack(rows=rows, values=scale[:, :, None] * C * scale[:, None, :]))
    return BlockDiagonal(size=len(study), stacks=tuple(stacks))
