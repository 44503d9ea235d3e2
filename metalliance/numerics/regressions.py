"""Meta-regressions of independent effects that share a design, as functions of tau²."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.linalg import inverse

__all__ = ["Regressions", "Solution", "Sums", "condensed", "regressions"]

_CHUNK = 200_000
_BLOCK = 12_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """Weighted least squares of B problems.

    Attributes
    ----------
    w : (B, k) float
        Weights.
    bread : (B, p, p) float
        (Q'WQ)⁻¹.
    residuals : (B, k) float
    """

    w: FloatArray
    bread: FloatArray
    residuals: FloatArray

    @property
    def rss(self) -> FloatArray:
        """(B,) y'Py = Σ w e²."""
        return _dot(self.w * self.residuals, self.residuals)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Generalised least squares of B problems at one tau² each, from sums of powers of w.

    With e = y - Qγ: y'Py = Σwe², y'PPy = Σw²e², y'PPPy = Σw³e² - e'W²Q(Q'WQ)⁻¹Q'W²e.

    Attributes
    ----------
    gamma : (B, p) float
        Coefficients on Q, of effects less their ordinary least squares fit.
    bread : (B, p, p) float
    q, squared, cubed : (B,) float
        y'Py, y'PPy, y'PPPy.
    w, w2 : (B,) float
        Σw and Σw².
    trace, trace2 : (B,) float
        tr P and tr PP.
    """

    gamma: FloatArray
    bread: FloatArray
    q: FloatArray
    squared: FloatArray
    cubed: FloatArray
    w: FloatArray
    w2: FloatArray
    trace: FloatArray
    trace2: FloatArray

    def only(self, row: int) -> Sums:
        """One of the rows, still as arrays of length one."""
        each = {part.name: getattr(self, part.name)[row : row + 1] for part in fields(self)}
        return Sums(**each)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regressions:
    """B problems y_b ~ N(Qγ, diag(v_b + tau²)).

    Wherever a value of tau² is asked for, (B,) of them are given; one problem (B = 1) is
    evaluated at as many values as are given.

    Attributes
    ----------
    y, v : (B, k) float
    centred : (B, k) float
        Residuals of ordinary least squares, which every P annihilates as it does y.
    basis : (p, k) float
        Q transposed, with orthonormal rows. Nothing below depends on which basis it is.
    weights : (B, k) float or None
        The user's weights, for the estimator that needs them.
    counts : (k,) float or None
        How many effects a row stands for; None where every row is an effect.
    """

    y: FloatArray
    v: FloatArray
    centred: FloatArray
    basis: FloatArray
    weights: FloatArray | None = None
    counts: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def k(self) -> int:
        """Number of effects in each problem."""
        return self.rows if self.counts is None else round(float(self.counts.sum()))

    @property
    def rows(self) -> int:
        """Number of rows, that is of effects unless they have been put together."""
        return int(self.basis.shape[1])

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return len(self.basis)

    @property
    def df(self) -> int:
        """Residual degrees of freedom."""
        return self.k - self.p

    def take(self, rows: IntArray) -> Regressions:
        """Some of the problems, in the order given; a single problem stays as it is."""
        if len(self) == 1:
            return self
        weights = None if self.weights is None else self.weights[rows]
        return replace(
            self, y=self.y[rows], v=self.v[rows], centred=self.centred[rows], weights=weights
        )

    def moments(self, w: FloatArray) -> FloatArray:
        """(B, p, p) Q'WQ."""
        if len(w) == 1:
            return np.asarray(((self.basis * w) @ self.basis.T)[None])
        return np.asarray((w @ _products(self.basis)).reshape(-1, self.p, self.p))

    def solve(self, w: FloatArray) -> Solution:
        """Weighted least squares with weights w (B, k), residuals in full."""
        bread = _inverse(self.moments(w))
        gamma = np.einsum("bij,bj->bi", bread, (w * self.centred) @ self.basis.T)
        return Solution(w=w, bread=bread, residuals=self.centred - gamma @ self.basis)

    def trace(self, solution: Solution) -> FloatArray:
        """(B,) tr P."""
        corrected = _trace(solution.bread, self.moments(solution.w**2))
        return np.asarray(solution.w.sum(axis=1) - corrected)

    def sums(self, tau2: FloatArray, cubes: bool = True) -> Sums:
        """Generalised least squares at tau² (B,); without ``cubes``, w³ stays out (NaN)."""
        p = self.p
        S, totals = self._powers(tau2, 3 if cubes else 2)
        bread = _inverse(S[0, :, :p, :p])
        gamma = (bread @ S[0, :, :p, p:])[:, :, 0]
        contrast = np.concatenate([-gamma, np.ones((len(gamma), 1))], axis=1)
        crossed = (S @ contrast[:, :, None])[..., 0]
        forms = (crossed * contrast).sum(axis=2)
        B2 = bread @ S[1, :, :p, :p]
        cubed = trace2 = np.full(len(gamma), np.nan)
        if cubes:
            u = crossed[1, :, :p]
            cubed = forms[2] - (u[:, None] @ bread @ u[:, :, None])[:, 0, 0]
            trace2 = totals[1] + _trace(B2, B2) - 2 * _trace(bread, S[2, :, :p, :p])
        return Sums(
            gamma=gamma,
            bread=bread,
            q=forms[0],
            squared=forms[1],
            cubed=cubed,
            w=totals[0],
            w2=totals[1],
            trace=totals[0] - np.trace(B2, axis1=1, axis2=2),
            trace2=trace2,
        )

    def score(self, tau2: FloatArray, restricted: bool) -> tuple[FloatArray, FloatArray]:
        """(B,) first and second derivative of the (restricted) likelihood, beta profiled out.

        l' = ½(y'PPy - tr P), l'' = ½tr PP - y'PPPy for REML, with W for P in the traces for ML.
        """
        at = self.sums(tau2)
        trace, trace2 = (at.trace, at.trace2) if restricted else (at.w, at.w2)
        return 0.5 * (at.squared - trace), 0.5 * trace2 - at.cubed

    def slopes(self, grid: FloatArray, restricted: bool) -> FloatArray:
        """(B, G) first derivatives of the (restricted) likelihood on a grid (B, G) of tau²."""
        B, G = grid.shape
        first = np.empty(B * G)
        rows = np.repeat(np.arange(B), G)
        for some in _slices(B * G, max(1, _CHUNK // self.rows)):
            at = self.take(rows[some]).sums(grid.ravel()[some], cubes=False)
            first[some] = 0.5 * (at.squared - (at.trace if restricted else at.w))
        return first.reshape(B, G)

    def log_likelihood(self, tau2: FloatArray, restricted: bool) -> FloatArray:
        """(B,) the (restricted) likelihood up to a constant."""
        at = self.solve(1 / (self.v + tau2[:, None]))
        value = 0.5 * (np.log(at.w).sum(axis=1) - at.rss)
        if not restricted:
            return np.asarray(value)
        return np.asarray(value + 0.5 * np.linalg.slogdet(at.bread)[1])

    def ordinary_rss(self) -> FloatArray:
        """(B,) residual sums of squares of ordinary least squares."""
        return _dot(self.centred, self.centred)

    def ceiling(self) -> FloatArray:
        """(B,) values of tau² above which the (restricted) likelihood falls.

        tr P ≥ (k-p)/(tau² + max v) and y'PPy ≤ RSS/(tau² + min v)², RSS that of ordinary least
        squares.
        """
        low, high = self.v.min(axis=1), self.v.max(axis=1)
        ratio = self.ordinary_rss() / self.df
        return np.asarray(ratio + np.sqrt(ratio * (ratio + high)) + low)

    def _powers(self, tau2: FloatArray, highest: int) -> tuple[FloatArray, FloatArray]:
        """(m, B, p+1, p+1) sums (Q, y)'Wᵐ(Q, y) and (m, B) sums Σwᵐ, m = 1, 2, ...

        Many effects are taken in blocks that stay in the cache.
        """
        S = np.zeros((highest, len(tau2), self.p + 1, self.p + 1))
        totals = np.zeros((highest, len(tau2)))
        size = _BLOCK // (self.p + 1) if len(tau2) == 1 else self.rows
        crossed = self._crossed if len(tau2) == 1 else self._crossed_of_many
        for some in _slices(self.rows, size):
            w = 1 / (self.v[:, some] + tau2[:, None])
            crossed(S, w, some)
            power = w
            for m in range(highest):
                if m:
                    power = power * w
                totals[m] += self._total(power, some)
        return S, totals

    def _crossed(self, S: FloatArray, w: FloatArray, some: slice) -> None:
        """Add (Q, y)'Wᵐ(Q, y) of one problem at one tau² to S (m, 1, p+1, p+1)."""
        Z = np.concatenate([self.basis[:, some], self.centred[:, some]])
        powered = Z
        for m in range(len(S)):
            powered = powered * w
            S[m, 0] += powered @ Z.T

    def _crossed_of_many(self, S: FloatArray, w: FloatArray, some: slice) -> None:
        """Add (Q, y)'Wᵐ(Q, y) of B problems, or of one at B values, to S (m, B, p+1, p+1)."""
        p = self.p
        basis, y = self.basis[:, some], self.centred[:, some]
        products = _products(basis)
        powered = w
        for m in range(len(S)):
            if m:
                powered = powered * w
            S[m, :, :p, :p] += (powered @ products).reshape(-1, p, p)
            weighted = powered * y
            linear = weighted @ basis.T
            S[m, :, :p, p] += linear
            S[m, :, p, :p] += linear
            S[m, :, p, p] += np.einsum("bk,bk->b", weighted, np.broadcast_to(y, w.shape))

    def _total(self, values: FloatArray, some: slice) -> FloatArray:
        if self.counts is None:
            return np.asarray(values.sum(axis=1))
        return np.asarray(values @ self.counts[some])


def regressions(
    y: FloatArray, v: FloatArray, Q: FloatArray, weights: FloatArray | None = None
) -> Regressions:
    """One problem, y and v (k,), or B of them, y and v (B, k), on an orthonormal Q (k, p)."""
    y = np.atleast_2d(y)
    return Regressions(
        y=y,
        v=np.atleast_2d(v),
        centred=y - (y @ Q) @ Q.T,
        basis=np.ascontiguousarray(Q.T),
        weights=None if weights is None else np.atleast_2d(weights),
    )


def condensed(problem: Regressions, bins: int) -> Regressions:
    """One problem with effects of nearly equal variance put together.

    The sums of squares and products of (Q, y) within a bin are kept exactly, in p+1 rows each;
    only the variances are replaced, by their mean in the bin.
    """
    size = problem.p + 1
    low, high = np.log(problem.v.min()), np.log(problem.v.max())
    per_bin = (high - low) / bins if high > low else 1.0
    count, mean, crossed = np.zeros(bins), np.zeros(bins), np.zeros((size, size, bins))
    for some in _slices(problem.rows, _BLOCK // size):
        v = problem.v[0, some]
        number = np.minimum((np.log(v) - low) / per_bin, bins - 1).astype(np.intp)
        Z = [*problem.basis[:, some], problem.centred[0, some]]
        count += np.bincount(number, minlength=bins)
        mean += np.bincount(number, v, minlength=bins)
        for i in range(size):
            for j in range(i + 1):
                crossed[i, j] += np.bincount(number, Z[i] * Z[j], minlength=bins)
    filled = np.flatnonzero(count)
    values, vectors = np.linalg.eigh(crossed[:, :, filled].transpose(2, 0, 1))
    roots = np.sqrt(np.maximum(values, 0.0))
    rows = (roots[:, :, None] * np.swapaxes(vectors, 1, 2)).reshape(-1, size)
    return Regressions(
        y=rows[None, :, -1],
        v=np.repeat(mean[filled] / count[filled], size)[None, :],
        centred=rows[None, :, -1],
        basis=np.ascontiguousarray(rows[:, :-1].T),
        counts=np.repeat(count[filled] / size, size),
    )


def _products(basis: FloatArray) -> FloatArray:
    """(k, p * p) outer product of each column of a basis (p, k) with itself."""
    return np.asarray((basis[:, None] * basis[None]).reshape(-1, basis.shape[1]).T)


def _inverse(matrices: FloatArray) -> FloatArray:
    return 1 / matrices if matrices.shape[-1] == 1 else inverse(matrices)


def _trace(a: FloatArray, b: FloatArray) -> FloatArray:
    """(B,) traces of products."""
    if a.shape[-1] == 1:
        return np.asarray((a * b)[:, 0, 0])
    return np.asarray(np.einsum("bij,bji->b", a, b))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """(B,) row by row."""
    return np.asarray(np.einsum("bk,bk->b", a, b))


def _slices(length: int, size: int) -> Iterator[slice]:
    return (slice(first, first + size) for first in range(0, length, size))
