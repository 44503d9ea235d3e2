"""Likelihood of y ~ N(Xβ, V + Σ Z_t G_t Z_t') and its derivatives in the entries ψ of all G_t.

M is linear in ψ, so gradient and information are exact. With W = (D + εI)⁻¹ on the rotated data
and N = Γ(I + AΓ)⁻¹, A = Z'WZ, the inverse is M⁻¹ = W - WZNZ'W, and everything below follows
from the sums Z'W^aZ, Z'W^aR and R'W^aR, a = 1, 2, 3, over the rows of each block, R = [Q, y].
Where no term gives every row its own level, ε is zero, the sums are constant, and an evaluation
costs as much as there are blocks, whatever the number of effects.

Henderson's and Woodbury's identities as in Harville (1977), doi:10.1080/01621459.1977.10480998;
average information: Gilmour, Thompson & Cullis (1995), doi:10.2307/2533274.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray
from metalliance.numerics.layout import Factor, Group, Layout, lay_out
from metalliance.numerics.linalg import inverse, symmetrised, transpose

__all__ = ["Evaluation", "Likelihood", "SamplingOnly", "evaluate", "likelihood_of", "sampling_only"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Moments:
    """Weighted sums: A[a] (B, q, q) and b[a] (B, q, p+1) per group, S[a] (p+1, p+1) overall."""

    A: tuple[tuple[FloatArray, ...], ...]
    b: tuple[tuple[FloatArray, ...], ...]
    S: tuple[FloatArray, ...]
    traces: tuple[float, float]
    log_det: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Likelihood:
    """The (restricted) likelihood of one data set, ready to be evaluated at any ψ.

    Attributes
    ----------
    layout : Layout
    restricted : bool
        Which of the two the derivatives belong to.
    constant : _Moments or None
        The weighted sums, where they do not depend on ψ.
    """

    layout: Layout
    restricted: bool
    constant: _Moments | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """The profiled log-likelihoods at one ψ, with derivatives of the one asked for.

    Attributes
    ----------
    ml, reml : float
        Log-likelihood, and restricted log-likelihood with ½ln|X'X|.
    gradient : (C,) float
    observed, expected : (C, C) float
        Minus the Hessian, and its expectation.
    beta : (p,) float
    bread : (p, p) float
        (X'M⁻¹X)⁻¹.
    """

    ml: float
    reml: float
    gradient: FloatArray
    observed: FloatArray
    expected: FloatArray
    beta: FloatArray
    bread: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOnly:
    """The model with sampling error alone, M = V.

    Attributes
    ----------
    q : float
        e'V⁻¹e, Cochran's Q.
    trace_p : float
        tr P, P = V⁻¹ - V⁻¹X(X'V⁻¹X)⁻¹X'V⁻¹.
    """

    q: float
    trace_p: float


def likelihood_of(
    y: FloatArray, X: FloatArray, V: BlockDiagonal, factors: Sequence[Factor], restricted: bool
) -> Likelihood:
    """Prepare the likelihood of y (k,) on X (k, p) with sampling covariance V."""
    layout = lay_out(y, X, V, factors)
    constant = _moments(layout, 0.0, 1) if layout.identity is None else None
    return Likelihood(layout=layout, restricted=restricted, constant=constant)


def sampling_only(layout: Layout) -> SamplingOnly:
    """Q and tr P at ψ = 0."""
    w = 1 / layout.d
    p = layout.R.shape[1] - 1
    S1 = (layout.R * w[:, None]).T @ layout.R
    S2 = (layout.R[:, :p] * (w**2)[:, None]).T @ layout.R[:, :p]
    bread = inverse(S1[:p, :p])
    gamma = bread @ S1[:p, p]
    rss = float(S1[p, p] - gamma @ S1[:p, p])
    return SamplingOnly(q=rss, trace_p=float(w.sum() - np.sum(bread * S2)))


def evaluate(likelihood: Likelihood, psi: FloatArray) -> Evaluation:
    """Profile beta out at ψ and differentiate.

    Notes
    -----
    With P = M⁻¹ - M⁻¹X(X'M⁻¹X)⁻¹X'M⁻¹, K_c = ∂M/∂ψ_c and u = Py, for REML

    - gradient ½(u'K_c u - tr PK_c),
    - average information ½u'K_c P K_d u,
    - expected information ½tr PK_cPK_d,
    - observed information, twice the average less the expected;

    for ML the traces have M⁻¹ for P.
    """
    layout = likelihood.layout
    eps = 0.0 if layout.identity is None else float(psi[layout.identity])
    moments = likelihood.constant or _moments(layout, eps, 3)
    k, columns = layout.R.shape
    p = columns - 1
    extended = np.concatenate([[0.0], psi])
    parts = [
        _solve(group, extended, A, b)
        for group, A, b in zip(layout.groups, moments.A, moments.b, strict=True)
    ]
    M1 = moments.S[0] - sum(part.correction(1) for part in parts)
    log_det_m = moments.log_det + sum(part.log_det for part in parts)
    A = symmetrised(M1[:p, :p])
    bread = symmetrised(inverse(A))
    gamma = bread @ M1[:p, p]
    rss = float(M1[p, p] - gamma @ M1[:p, p])
    ml = -0.5 * (k * np.log(2 * np.pi) + log_det_m + rss)
    log_det_a = float(np.linalg.slogdet(A)[1])
    reml = -0.5 * ((k - p) * np.log(2 * np.pi) + log_det_m + log_det_a + rss)
    terms = _Derivatives.zeros(layout.entries, p)
    residual = np.append(-gamma, 1.0)
    for part in parts:
        terms.add_group(part, bread, residual)
    if layout.identity is not None:
        terms.add_identity(layout.identity, moments, parts, bread, residual)
    gradient, observed, expected = terms.assemble(bread, likelihood.restricted)
    return Evaluation(
        ml=float(ml),
        reml=float(reml),
        gradient=gradient,
        observed=observed,
        expected=expected,
        beta=layout.basis.coefficients(gamma + layout.offset),
        bread=layout.basis.covariance(bread),
    )


def _moments(layout: Layout, eps: float, powers: int) -> _Moments:
    w = 1 / (layout.d + eps)
    A: list[list[FloatArray]] = [[] for _ in layout.groups]
    b: list[list[FloatArray]] = [[] for _ in layout.groups]
    S = []
    weights = np.ones_like(w)
    for _ in range(powers):
        weights = weights * w
        weighted = layout.R * weights[:, None]
        S.append(weighted.T @ layout.R)
        for i, group in enumerate(layout.groups):
            left = group.Z * weights[group.rows, None]
            A[i].append(_block_products(left, group.Z, group.starts))
            b[i].append(_block_products(left, layout.R[group.rows], group.starts))
    return _Moments(
        A=tuple(map(tuple, A)),
        b=tuple(map(tuple, b)),
        S=tuple(S),
        traces=(float(w.sum()), float(w @ w)),
        log_det=-float(np.log(w).sum()),
    )


def _block_products(left: FloatArray, right: FloatArray, starts: IntArray) -> FloatArray:
    """Left'right of every block, (B, q, m), from rows (n, q) and (n, m)."""
    if len(starts) == 1:
        return np.asarray((left.T @ right)[None])
    if left.shape[1] == 0:
        return np.zeros((len(starts), 0, right.shape[1]))
    products = left[:, :, None] * right[:, None, :]
    return np.asarray(np.add.reduceat(products, starts, axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One group at one ψ: N, T = Z'M⁻¹Z (B, q, q), H = Z'M⁻¹R (B, q, p+1)."""

    group: Group
    A: tuple[FloatArray, ...]
    b: tuple[FloatArray, ...]
    N: FloatArray
    T: FloatArray
    H: FloatArray
    L: FloatArray
    log_det: float

    def correction(self, power: int) -> FloatArray:
        """What the random effects take off S[a]: S[a] - R'M⁻ᵃR, summed over blocks."""
        b1 = self.b[0]
        n1 = self.N @ b1
        if power == 1:
            return _summed(b1, n1)
        A2, b2 = self.A[1], self.b[1]
        if power == 2:
            mixed = _summed(b2, n1)
            return mixed + mixed.T - _summed(n1, A2 @ n1)
        A3, b3 = self.A[2], self.b[2]
        n2 = self.N @ b2
        outer = _summed(b3, n1)
        crossed = _summed(n2, A2 @ n1)
        inner = self.N @ (A2 @ n1)
        taken = outer + outer.T + _summed(b2, n2) - crossed - crossed.T
        return taken - _summed(n1, A3 @ n1) + _summed(A2 @ n1, inner)

    def second(self) -> tuple[FloatArray, FloatArray]:
        """Z'M⁻²Z and Z'M⁻²R."""
        left = self.L @ self.A[1]
        return left @ transpose(self.L), self.L @ self.b[1] - left @ (self.N @ self.b[0])

    def trace(self, power: int) -> float:
        """What the random effects take off tr Wᵃ."""
        if power == 1:
            return float(np.sum(self.N * transpose(self.A[1])))
        NA = self.N @ self.A[1]
        return float(2 * np.sum(self.N * transpose(self.A[2])) - np.sum(NA * transpose(NA)))


def _solve(
    group: Group, psi: FloatArray, A: tuple[FloatArray, ...], b: tuple[FloatArray, ...]
) -> _Part:
    gamma = psi[group.pattern]
    q = gamma.shape[1]
    L, log_det = _inverse_and_log_det(np.eye(q) + A[0] @ gamma)
    N = symmetrised(gamma @ L)
    return _Part(
        group=group,
        A=A,
        b=b,
        N=N,
        T=symmetrised(L @ A[0]),
        H=L @ b[0],
        L=L,
        log_det=log_det,
    )


def _inverse_and_log_det(stack: FloatArray) -> tuple[FloatArray, float]:
    q = stack.shape[1]
    if q == 0:
        return stack, 0.0
    if q == 1:
        return 1 / stack, float(np.log(stack).sum())
    if q == 2:
        a, b, c, d = stack[:, 0, 0], stack[:, 0, 1], stack[:, 1, 0], stack[:, 1, 1]
        determinant = a * d - b * c
        inverted = np.empty_like(stack)
        inverted[:, 0, 0], inverted[:, 1, 1] = d / determinant, a / determinant
        inverted[:, 0, 1], inverted[:, 1, 0] = -b / determinant, -c / determinant
        return inverted, float(np.log(determinant).sum())
    sign, log_det = np.linalg.slogdet(stack)
    return inverse(stack), float(log_det.sum()) if np.all(sign > 0) else np.nan


def _summed(left: FloatArray, right: FloatArray) -> FloatArray:
    """Sum over blocks of left'right, for (B, q, m) and (B, q, l)."""
    flat = left.reshape(-1, left.shape[2]).T @ right.reshape(-1, right.shape[2])
    return np.asarray(flat)


@dataclass(slots=True, eq=False)
class _Derivatives:
    """Sums over blocks from which gradient and information follow, by entry of ψ.

    trace tr M⁻¹K_c; quadratic u'K_cu; F_c = Q'M⁻¹K_cM⁻¹Q; f_c = Q'M⁻¹K_cu; and for pairs
    trace2 tr M⁻¹K_cM⁻¹K_d; twice tr B Q'M⁻¹K_cM⁻¹K_dM⁻¹Q; inner u'K_cM⁻¹K_du.
    """

    trace: FloatArray
    quadratic: FloatArray
    F: FloatArray
    f: FloatArray
    trace2: FloatArray
    twice: FloatArray
    inner: FloatArray

    @classmethod
    def zeros(cls, C: int, p: int) -> _Derivatives:
        return cls(
            trace=np.zeros(C),
            quadratic=np.zeros(C),
            F=np.zeros((C, p, p)),
            f=np.zeros((C, p)),
            trace2=np.zeros((C, C)),
            twice=np.zeros((C, C)),
            inner=np.zeros((C, C)),
        )

    def add_group(self, part: _Part, bread: FloatArray, residual: FloatArray) -> None:
        if part.T.shape[1] == 0:
            return
        H, v = part.H[:, :, :-1], part.H @ residual
        X = H @ (bread @ transpose(H))
        here = part.group.present
        E = part.group.masks
        c, p = len(here), H.shape[2]
        TE, XE = part.T @ E, X @ E
        Ev = (E @ v[:, :, None]).reshape(c, -1)
        TEv = (part.T @ Ev.reshape(c, *v.shape, 1)).reshape(c, -1)
        flat = H.reshape(-1, p).T
        self.trace[here] += np.einsum("cbij,bij->c", E, part.T)
        self.quadratic[here] += Ev @ v.ravel()
        self.F[here] += flat @ (E @ H).reshape(c, -1, p)
        self.f[here] += Ev @ flat.T
        pairs = np.ix_(here, here)
        ET = transpose(TE).reshape(c, -1)
        self.trace2[pairs] += TE.reshape(c, -1) @ ET.T
        self.twice[pairs] += XE.reshape(c, -1) @ ET.T
        self.inner[pairs] += TEv @ Ev.T

    def add_identity(
        self,
        e: int,
        moments: _Moments,
        parts: Sequence[_Part],
        bread: FloatArray,
        residual: FloatArray,
    ) -> None:
        """The entry whose K is the identity."""
        M2 = moments.S[1] - sum(part.correction(2) for part in parts)
        M3 = moments.S[2] - sum(part.correction(3) for part in parts)
        self.trace[e] = moments.traces[0] - sum(part.trace(1) for part in parts)
        self.quadratic[e] = residual @ M2 @ residual
        self.F[e] = M2[:-1, :-1]
        self.f[e] = M2[:-1] @ residual
        trace2 = moments.traces[1] - sum(part.trace(2) for part in parts)
        self._pair(
            e, e, trace2, float(np.sum(bread * M3[:-1, :-1])), float(residual @ M3 @ residual)
        )
        for part in parts:
            if part.T.shape[1] == 0:
                continue
            ZZ, ZR = part.second()
            H, v = part.H[:, :, :-1], part.H @ residual
            HB = H @ bread
            E = part.group.masks
            crossed = HB @ transpose(ZR[:, :, :-1])
            ahead = (ZR @ residual)[:, None, :] * v[:, :, None]
            values = [
                np.einsum("cbij,bij->c", E, matrix)
                for matrix in (ZZ, symmetrised(crossed), symmetrised(ahead))
            ]
            for c, trace2, twice, inner in zip(part.group.present, *values, strict=True):
                self._pair(int(c), e, float(trace2), float(twice), float(inner))

    def _pair(self, c: int, d: int, trace2: float, twice: float, inner: float) -> None:
        for row, column in {(c, d), (d, c)}:
            self.trace2[row, column] += trace2
            self.twice[row, column] += twice
            self.inner[row, column] += inner

    def assemble(
        self, bread: FloatArray, restricted: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        trace, trace2 = self.trace, self.trace2
        if restricted:
            BF = bread @ self.F
            trace = trace - np.einsum("cii->c", BF)
            trace2 = trace2 - 2 * self.twice + np.einsum("cij,dji->cd", BF, BF)
        average = 0.5 * (self.inner - self.f @ bread @ self.f.T)
        expected = symmetrised(0.5 * trace2)
        return 0.5 * (self.quadratic - trace), symmetrised(2 * average) - expected, expected
