"""Cluster-robust covariance, its degrees of freedom and its joint test, by clusters.

The working model is the fitted one: W = M⁻¹ and target Θ = M. Then
(I-H)Θ(I-H)' = M - XBX' with B = (X'WX)⁻¹, so every quantity below is a sum over clusters of
p x p matrices, and nothing of size k x k is formed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import BlockDiagonal, FloatArray
from metalliance.numerics.linalg import (
    Basis,
    inverse,
    is_definite,
    orthonormal_basis,
    symmetrised,
    transpose,
)

__all__ = [
    "ADJUSTMENTS",
    "CR_TYPES",
    "CrType",
    "HotellingTest",
    "Sandwich",
    "cluster_robust",
    "hotelling_test",
    "satterthwaite_df",
]

CrType = Literal["CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"]
CR_TYPES: tuple[str, ...] = get_args(CrType)

_CUT_OFF = 1e-12
_USED_UP = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandwich:
    """A cluster-robust covariance and what its degrees of freedom need.

    In what follows a_j = A_j'W_jX_jBc is cluster j's part of the contrast c.

    Attributes
    ----------
    vcov : (p, p) float
        B (Σ_j X_j'W_jA_j e_je_j' A_j'W_jX_j) B.
    bread : (p, p) float
        B, the model-based covariance.
    scores : (J, p) float
        X_j'W_jA_je_j.
    spread : (J, p, p) float
        X_j'W_jA_j M_j A_j'W_jX_j.
    reach : (J, p, p) float
        X_j'A_j'W_jX_j.
    alone : (p,) bool
        Coefficients that could not be estimated without some one cluster: its residuals say
        nothing about them, so that no sandwich can tell how sure they are.
    """

    vcov: FloatArray
    bread: FloatArray
    scores: FloatArray
    spread: FloatArray
    reach: FloatArray
    alone: NDArray[np.bool_]

    @property
    def clusters(self) -> int:
        """J."""
        return len(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class HotellingTest:
    """Approximate Hotelling T² test of Cβ = 0.

    Attributes
    ----------
    statistic : float
        F; NaN where the approximation leaves no positive degrees of freedom.
    df_num, df_den : float
    """

    statistic: float
    df_num: float
    df_den: float


@dataclass(frozen=True, slots=True)
class _Clusters:
    """Clusters of one size: X (B, n, p), M, W and M - XBX' (B, n, n)."""

    X: FloatArray
    M: FloatArray
    W: FloatArray
    bread: FloatArray

    @property
    def residual_covariance(self) -> FloatArray:
        return self.M - self.X @ self.bread @ transpose(self.X)


def _unadjusted(stack: _Clusters) -> FloatArray:
    """A = I."""
    return np.broadcast_to(np.eye(stack.M.shape[1]), stack.M.shape)


def _bias_reduced(stack: _Clusters) -> FloatArray:
    """A = D'(D (M - XBX') D')^(-1/2) D with M = D'D.

    The symmetric form of Pustejovsky and Tipton; directions that the design uses up
    (eigenvalues below 1e-12 of the trace of DMD') get weight zero.
    """
    lower = np.asarray(np.linalg.cholesky(stack.M), dtype=np.float64)
    upper = transpose(lower)
    inner = symmetrised(upper @ stack.residual_covariance @ lower)
    values, vectors = np.linalg.eigh(inner)
    scale = np.einsum("bij,bji->b", stack.M, stack.M)[:, None]
    kept = values > _CUT_OFF * scale
    root = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    half = vectors * root[:, None, :]
    return np.asarray(lower @ (half @ transpose(vectors)) @ upper)


def _jackknife(stack: _Clusters) -> FloatArray:
    """A = (I - H_jj)⁻¹: leave one cluster out.

    The eigenvalues of H_jj lie between 0 and 1; one of 1 says that a coefficient rests on the
    cluster alone.
    """
    n = stack.M.shape[1]
    hat = stack.X @ stack.bread @ transpose(stack.X) @ stack.W
    left = np.eye(n) - hat
    if np.linalg.eigvals(left).real.min() < _USED_UP:
        raise SpecificationError(
            "CR3 needs every coefficient to be estimable without any one cluster, and here one "
            "is not; use CR2"
        )
    return np.asarray(inverse(left))


ADJUSTMENTS: Mapping[str, Callable[[_Clusters], FloatArray]] = {
    "CR0": _unadjusted,
    "CR1": _unadjusted,
    "CR1p": _unadjusted,
    "CR1S": _unadjusted,
    "CR2": _bias_reduced,
    "CR3": _jackknife,
}


def cluster_robust(
    kind: str, X: FloatArray, residuals: FloatArray, marginal: BlockDiagonal
) -> Sandwich:
    """Sandwich covariance of the coefficients.

    Parameters
    ----------
    kind : {'CR0', 'CR1', 'CR1p', 'CR1S', 'CR2', 'CR3'}
        CR1 is CR0 times J/(J-1), CR1p times J/(J-p), CR1S times J(k-1)/((J-1)(k-p)).
    X : (k, p) float
    residuals : (k,) float
        y - Xβ.
    marginal : BlockDiagonal
        M with one block per cluster.

    References
    ----------
    Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004.
    """
    basis = orthonormal_basis(X)
    inverses = [inverse(stack.values) for stack in marginal.stacks]
    parts = np.concatenate(
        [
            transpose(basis.Q[stack.rows]) @ W @ basis.Q[stack.rows]
            for stack, W in zip(marginal.stacks, inverses, strict=True)
        ]
    )
    bread = symmetrised(inverse(symmetrised(parts.sum(axis=0))))
    scores, spread, reach = [], [], []
    for stack, W in zip(marginal.stacks, inverses, strict=True):
        Q = basis.Q[stack.rows]
        adjusted = transpose(ADJUSTMENTS[kind](_Clusters(Q, stack.values, W, bread))) @ (W @ Q)
        scores.append(np.einsum("bni,bn->bi", adjusted, residuals[stack.rows]))
        spread.append(transpose(adjusted) @ stack.values @ adjusted)
        reach.append(transpose(Q) @ adjusted)
    factor = _factor(kind, sum(len(stack.rows) for stack in marginal.stacks), *X.shape)
    return _on_columns_of_x(
        basis.R,
        bread,
        np.sqrt(factor) * np.concatenate(scores),
        factor * np.concatenate(spread),
        np.sqrt(factor) * np.concatenate(reach),
        _resting_on_one(basis, bread, parts),
    )


def satterthwaite_df(sandwich: Sandwich, contrasts: FloatArray) -> FloatArray:
    """Degrees of freedom of each contrast (m, p): 2 E(v)²/Var(v) under the working model.

    Notes
    -----
    The cluster contributions z_j have covariance P = diag(d_j) - U B U', d_j = a_j'M_ja_j and
    row j of U is X_j'a_j; df = (tr P)²/Σ P².
    """
    directions = contrasts @ sandwich.bread
    degrees = []
    for b in directions:
        d = np.einsum("i,jil,l->j", b, sandwich.spread, b)
        U = sandwich.reach @ b
        leverage = np.einsum("ji,il,jl->j", U, sandwich.bread, U)
        inner = sandwich.bread @ (U.T @ U)
        trace = float(np.sum(d - leverage))
        squares = float(np.sum(d**2) - 2 * np.sum(d * leverage) + np.sum(inner * inner.T))
        degrees.append(trace**2 / squares if squares > 0 and trace > 0 else np.nan)
    return np.array(degrees)


def hotelling_test(sandwich: Sandwich, beta: FloatArray, contrasts: FloatArray) -> HotellingTest:
    """HTZ test of Cβ = 0 for q independent contrasts (q, p).

    Notes
    -----
    With Q = (Cβ)'(CVC')⁻¹Cβ and η = q(q+1)/Σ Var(L⁻¹ CVC' L⁻'), LL' = E(CVC') under the
    working model, F = (η-q+1)/(ηq) · Q on q and η-q+1 degrees of freedom.

    References
    ----------
    Tipton & Pustejovsky (2015), doi:10.3102/1076998615606099.
    """
    q = len(contrasts)
    robust = contrasts @ sandwich.vcov @ contrasts.T
    target = contrasts @ _expected_vcov(sandwich) @ contrasts.T
    if not (is_definite(target) and is_definite(robust)):
        return HotellingTest(statistic=np.nan, df_num=q, df_den=np.nan)
    half = inverse(np.asarray(np.linalg.cholesky(target), dtype=np.float64))
    total = _total_variance(sandwich, half @ contrasts @ sandwich.bread)
    if total <= 0:
        return HotellingTest(statistic=np.nan, df_num=q, df_den=np.nan)
    eta = q * (q + 1) / total
    estimate = contrasts @ beta
    wald = float(estimate @ np.linalg.solve(robust, estimate))
    df_den = eta - q + 1
    if df_den <= 0:
        return HotellingTest(statistic=np.nan, df_num=q, df_den=np.nan)
    return HotellingTest(statistic=df_den / (eta * q) * wald, df_num=q, df_den=df_den)


def _expected_vcov(sandwich: Sandwich) -> FloatArray:
    """E(V) under the working model."""
    meat = np.sum(
        sandwich.spread - transpose(sandwich.reach) @ sandwich.bread @ sandwich.reach, axis=0
    )
    return sandwich.bread @ symmetrised(meat) @ sandwich.bread


def _total_variance(sandwich: Sandwich, directions: FloatArray) -> float:
    """Σ_st Var(Σ_j z_sj z_tj) for the contrasts whose bread-multiplied rows are given (q, p)."""
    B = sandwich.bread
    d = np.einsum("si,jil,tl->stj", directions, sandwich.spread, directions)
    U = np.einsum("jil,sl->sji", sandwich.reach, directions)
    cross = np.einsum("sji,il,tjl->stj", U, B, U)
    N = np.einsum("sji,tjl->stil", U, U)
    total = 0.0
    q = len(directions)
    for s in range(q):
        for t in range(q):
            total += float(
                np.sum(d[s, s] * d[t, t])
                - np.sum(d[s, s] * cross[t, t])
                - np.sum(d[t, t] * cross[s, s])
                + np.sum(d[s, t] ** 2)
                - 2 * np.sum(d[s, t] * cross[s, t])
            )
            # Σ_jk (u_sj'Bu_sk)(u_tj'Bu_tk), then Σ_jk (u_sj'Bu_tk)(u_tj'Bu_sk)
            inner = B @ N[s, t] @ B
            total += float(np.sum(inner * N[s, t]) + np.sum(inner * N[s, t].T))
    return total


def _factor(kind: str, J: int, k: int, p: int) -> float:
    if kind == "CR1":
        return J / (J - 1) if J > 1 else np.nan
    if kind == "CR1p":
        return J / (J - p) if p < J else np.nan
    if kind == "CR1S":
        return J * (k - 1) / ((J - 1) * (k - p)) if J > 1 else np.nan
    return 1.0


def _on_columns_of_x(
    R: FloatArray,
    bread: FloatArray,
    scores: FloatArray,
    spread: FloatArray,
    reach: FloatArray,
    alone: NDArray[np.bool_],
) -> Sandwich:
    """Translate from the orthonormal basis Q = XR⁻¹ back to X."""
    back = inverse(R)
    bread = symmetrised(back @ bread @ back.T)
    scores = scores @ R
    parts = scores @ bread  # a sum of squares: never below zero
    return Sandwich(
        vcov=parts.T @ parts,
        bread=bread,
        scores=scores,
        spread=symmetrised(R.T @ spread @ R),
        reach=R.T @ reach @ R,
        alone=alone,
    )


def _resting_on_one(basis: Basis, bread: FloatArray, parts: FloatArray) -> NDArray[np.bool_]:
    """(p,) coefficients that are lost without some one cluster.

    Without cluster j the information is A - A_j; it is singular where B^½A_jB^½ has an
    eigenvalue of one, and its null vectors are the combinations that are lost.
    """
    root = np.linalg.cholesky(bread)
    values, vectors = np.linalg.eigh(symmetrised(root.T @ parts @ root))
    cluster, place = np.nonzero(values > 1 - 1e-9)
    lost = basis.coefficients(root @ vectors[cluster, :, place].T)
    size = np.abs(lost) / np.maximum(np.abs(lost).max(axis=0, initial=0.0), 1e-300)
    return np.asarray(np.any(size > 1e-6, axis=1))
