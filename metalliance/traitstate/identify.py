"""Whether effects can tell trait from state, and which of them do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.models.inference import Inference
from metalliance.numerics.blocks import BlockDiagonal, FloatArray

__all__ = ["Identification", "identification"]

DISAGGREGATED = ("within", "between_latent", "between_observed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """How well a design separates two correlations.

    Attributes
    ----------
    rank : int
        Of the weights (a, b): 2 where both correlations can be estimated.
    condition : float
        Of the information about them, with both columns scaled to unit length; 1 is best.
    share_disaggregated : float
        Share of the information on ρ_W, ρ_B being unknown, that is lost without the studies
        that disaggregated; near 1 the others say next to nothing about ρ_W.
    clusters : int
        Independent studies with any weight on ρ_W.
    """

    rank: int
    condition: float
    share_disaggregated: float
    clusters: int


def identification(
    rows: pd.DataFrame, a: FloatArray, b: FloatArray, inference: Inference
) -> Identification:
    """Describe the design of a fit with weights a and b (k,)."""
    X = np.column_stack([a, b])
    marginal = inference.fit.marginal
    everything = information(X, marginal)
    scale = np.sqrt(np.diag(everything))
    values = np.linalg.eigvalsh(everything / np.outer(scale, scale))
    mixed = ~rows["component"].isin(DISAGGREGATED).to_numpy()
    left = _about_state(information(X[mixed], marginal.select(mixed))) if mixed.any() else 0.0
    return Identification(
        rank=int(np.linalg.matrix_rank(X, tol=1e-8)),
        condition=float(np.sqrt(values[1] / max(values[0], np.finfo(float).tiny))),
        share_disaggregated=float(1 - left / _about_state(everything)),
        clusters=int(rows.loc[b > 0, "cluster"].nunique()),
    )


def information(X: FloatArray, marginal: BlockDiagonal) -> FloatArray:
    """X'M⁻¹X (2, 2)."""
    total = np.zeros((X.shape[1], X.shape[1]))
    for stack in marginal.stacks:
        part = X[stack.rows]
        total += np.einsum("bni,bnj->ij", part, np.linalg.solve(stack.values, part))
    return total


def _about_state(information_: FloatArray) -> float:
    """Information on the second coefficient with the first unknown (Schur complement)."""
    if information_[0, 0] <= 0:
        return float(information_[1, 1])
    return float(information_[1, 1] - information_[0, 1] ** 2 / information_[0, 0])
