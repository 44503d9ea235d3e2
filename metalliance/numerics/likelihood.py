"""Likelihood of y ~ N(Xβ, V + Σ θ_t D_t) by blocks, and its maximum over θ ≥ 0.

M is linear in θ, so the gradient and the observed information are exact and cheap. Blocks of
equal size are handled together; no k x k matrix is formed.
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
from metalliance.numerics.linalg import Basis, inverse, orthonormal_basis, symmetrised, transpose

__all__ = [
    "BlockProblem",
    "Evaluation",
    "block_problem",
    "evaluate",
    "grouping_kernel",
    "inseparable",
    "marginal",
    "model_blocks",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Blocks of one size n: V (B, n, n), D (T, B, n, n), Q (B, n, p), y (B, n)."""

    V: FloatArray
    D: FloatArray
    Q: FloatArray
    y: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockProblem:
    """Data of the likelihood, laid out by blocks.

    Attributes
    ----------
    V : BlockDiagonal
        Sampling covariance, in blocks that no kernel crosses.
    kernels : tuple of BlockDiagonal
        The D_t, laid out like V.
    basis : Basis
        X = QR; everything inside works on Q.
    parts : tuple
        One per block size.
    """

    V: BlockDiagonal
    kernels: tuple[BlockDiagonal, ...]
    basis: Basis
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The profiled log-likelihoods at one θ, with derivatives of the one asked for.

    Attributes
    ----------
    ml, reml : float
        Log-likelihood, and restricted log-likelihood with ½ln|X'X|.
    gradient : (T,) float
    observed, expected : (T, T) float
        Minus the Hessian, and its expectation.
    beta : (p,) float
    bread : (p, p) float
        (X'M⁻¹X)⁻¹.
    rss : float
        e'M⁻¹e.
    trace_p : float
        tr P, P = M⁻¹ - M⁻¹X(X'M⁻¹X)⁻¹X'M⁻¹.
    """

    ml: float
    reml: float
    gradient: FloatArray
    observed: FloatArray
    expected: FloatArray
    beta: FloatArray
    bread: FloatArray
    rss: float
    trace_p: float


def model_blocks(V: BlockDiagonal, groupings: Sequence[IntArray]) -> IntArray:
    """(k,) labels of the finest blocks that hold both V and every grouping."""
    return connected_components([V.labels(), *groupings])


def grouping_kernel(layout: BlockDiagonal, codes: IntArray) -> BlockDiagonal:
    """D with a one wherever two rows share a code; ``layout`` gives the blocks."""
    return BlockDiagonal(
        size=layout.size,
        stacks=tuple(
            Stack(
                rows=stack.rows,
                values=(codes[stack.rows][:, :, None] == codes[stack.rows][:, None, :]).astype(
                    np.float64
                ),
            )
            for stack in layout.stacks
        ),
    )


def block_problem(
    y: FloatArray, X: FloatArray, V: BlockDiagonal, kernels: Sequence[BlockDiagonal]
) -> BlockProblem:
    """Lay the data out by blocks.

    Parameters
    ----------
    y : (k,) float
    X : (k, p) float
        Of full column rank.
    V : BlockDiagonal
    kernels : sequence of BlockDiagonal
        Laid out like ``V``; positive semi-definite.
    """
    basis = orthonormal_basis(X)
    parts = []
    for i, stack in enumerate(V.stacks):
        D = [kernel.stacks[i].values for kernel in kernels]
        parts.append(
            _Part(
                V=stack.values,
                D=np.stack(D) if D else np.empty((0, *stack.values.shape)),
                Q=basis.Q[stack.rows],
                y=y[stack.rows],
            )
        )
    return BlockProblem(V=V, kernels=tuple(kernels), basis=basis, parts=tuple(parts))


def marginal(problem: BlockProblem, theta: FloatArray) -> BlockDiagonal:
    """M = V + Σ θ_t D_t."""
    stacks = []
    for stack, part in zip(problem.V.stacks, problem.parts, strict=True):
        stacks.append(Stack(rows=stack.rows, values=_covariance(part, theta)))
    return BlockDiagonal(size=problem.V.size, stacks=tuple(stacks))


def evaluate(problem: BlockProblem, theta: FloatArray, restricted: bool) -> Evaluation:
    """Profile beta out at θ and differentiate.

    Notes
    -----
    With P = M⁻¹ - M⁻¹X(X'M⁻¹X)⁻¹X'M⁻¹ and u = Py, for REML

    - gradient ½(u'D_t u - tr PD_t),
    - observed information u'D_s P D_t u - ½tr PD_sPD_t,
    - expected information ½tr PD_sPD_t;

    for ML the traces have M⁻¹ for P.
    """
    Q = problem.basis.Q
    k, p = Q.shape
    T = len(problem.kernels)
    inverses, log_det_m = _inverses(problem, theta)
    WQ = [W @ part.Q for W, part in zip(inverses, problem.parts, strict=True)]
    Wy = [
        (W @ part.y[:, :, None])[:, :, 0] for W, part in zip(inverses, problem.parts, strict=True)
    ]
    A = np.zeros((p, p))
    right = np.zeros(p)
    for part, wq, wy in zip(problem.parts, WQ, Wy, strict=True):
        A += np.einsum("bni,bnj->ij", part.Q, wq)
        right += np.einsum("bni,bn->i", part.Q, wy)
    A = symmetrised(A)
    bread = symmetrised(inverse(A))
    gamma = bread @ right
    rss = trace_w = 0.0
    WWQ = np.zeros((p, p))
    terms = _Derivatives.zeros(T, p)
    for part, W, wq, wy in zip(problem.parts, inverses, WQ, Wy, strict=True):
        u = wy - wq @ gamma
        rss += float(np.sum((part.y - part.Q @ gamma) * u))
        trace_w += float(np.einsum("bii->", W))
        WWQ += np.einsum("bni,bnj->ij", wq, wq)
        terms.add(part.D, W, wq, u)
    ml = -0.5 * (k * np.log(2 * np.pi) + log_det_m + rss)
    log_det_a = float(np.linalg.slogdet(A)[1])
    reml = -0.5 * ((k - p) * np.log(2 * np.pi) + log_det_m + log_det_a + rss)
    gradient, observed, expected = terms.assemble(bread, restricted)
    return Evaluation(
        ml=float(ml),
        reml=float(reml),
        gradient=gradient,
        observed=observed,
        expected=expected,
        beta=problem.basis.coefficients(gamma),
        bread=problem.basis.covariance(bread),
        rss=rss,
        trace_p=trace_w - float(np.trace(bread @ WWQ)),
    )


def inseparable(problem: BlockProblem, theta: FloatArray, restricted: bool) -> tuple[int, ...]:
    """Components that the data cannot tell apart from each other or from the moderators.

    They are the ones that take part in a null direction of the expected information, each
    component scaled by the information it would have without moderators and rivals.
    """
    alone = np.sqrt(np.diagonal(evaluate(problem, theta, restricted=False).expected))
    information = evaluate(problem, theta, restricted).expected / np.outer(alone, alone)
    values, vectors = np.linalg.eigh(information)
    null = vectors[:, values < 1e-9]
    return tuple(int(t) for t in np.flatnonzero(np.any(np.abs(null) > 1e-3, axis=1)))


@dataclass(slots=True)
class _Derivatives:
    """Sums over blocks from which gradient and information follow."""

    trace_wd: FloatArray
    quadratic: FloatArray
    F: FloatArray
    trace_wdwd: FloatArray
    G: FloatArray
    inner: FloatArray
    cross: FloatArray

    @classmethod
    def zeros(cls, T: int, p: int) -> _Derivatives:
        return cls(
            trace_wd=np.zeros(T),
            quadratic=np.zeros(T),
            F=np.zeros((T, p, p)),
            trace_wdwd=np.zeros((T, T)),
            G=np.zeros((T, T, p, p)),
            inner=np.zeros((T, T)),
            cross=np.zeros((T, p)),
        )

    def add(self, D: FloatArray, W: FloatArray, WQ: FloatArray, u: FloatArray) -> None:
        WD = W @ D
        DWQ = D @ WQ
        Du = (D @ u[:, :, None])[..., 0]
        WDu = (W @ Du[..., None])[..., 0]
        self.trace_wd += np.einsum("tbii->t", WD)
        self.quadratic += np.einsum("tbi,bi->t", Du, u)
        self.F += np.einsum("bni,tbnj->tij", WQ, DWQ)
        self.cross += np.einsum("bni,tbn->ti", WQ, Du)
        WDWQ = W @ DWQ
        for s in range(len(D)):
            for t in range(s + 1):
                traced = float(np.sum(WD[s] * transpose(WD[t])))
                inner = float(np.sum(Du[s] * WDu[t]))
                G = np.einsum("bni,bnj->ij", DWQ[s], WDWQ[t])
                self.trace_wdwd[s, t] += traced
                self.inner[s, t] += inner
                self.G[s, t] += G
                if t < s:
                    self.trace_wdwd[t, s] += traced
                    self.inner[t, s] += inner
                    self.G[t, s] += G.T

    def assemble(
        self, bread: FloatArray, restricted: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        trace, trace2 = self.trace_wd, self.trace_wdwd
        if restricted:
            AF = bread @ self.F
            trace = trace - np.einsum("tii->t", AF)
            twice = 2 * np.einsum("ij,stji->st", bread, self.G)
            trace2 = trace2 - twice + np.einsum("sij,tji->st", AF, AF)
        curvature = self.inner - self.cross @ bread @ self.cross.T
        gradient = 0.5 * (self.quadratic - trace)
        return gradient, symmetrised(curvature - 0.5 * trace2), symmetrised(0.5 * trace2)


def _covariance(part: _Part, theta: FloatArray) -> FloatArray:
    return part.V + np.tensordot(theta, part.D, axes=1)


def _inverses(problem: BlockProblem, theta: FloatArray) -> tuple[list[FloatArray], float]:
    """M⁻¹ of every part, and ln|M|."""
    inverses = []
    log_det = 0.0
    for part in problem.parts:
        lower = np.linalg.cholesky(_covariance(part, theta))
        log_det += 2 * float(np.log(np.diagonal(lower, axis1=1, axis2=2)).sum())
        half = inverse(np.asarray(lower, dtype=np.float64))
        inverses.append(transpose(half) @ half)
    return inverses, log_det
