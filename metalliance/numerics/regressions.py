"""Meta-regressions of independent effects that share a design, as functions of tau²."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.linalg import inverse, orthonormal_basis

__all__ = ["Regressions", "Score", "Solution", "condensed", "regressions"]

_CHUNK = 200_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """Weighted least squares of B problems.

    Attributes
    ----------
    w : (B, k) float
        Weights.
    bread : (B, p, p) float
        (Q'WQ)⁻¹.
    gamma : (B, p) float
        Coefficients on Q.
    residuals : (B, k) float
    """

    w: FloatArray
    bread: FloatArray
    gamma: FloatArray
    residuals: FloatArray

    @property
    def rss(self) -> FloatArray:
        """(B,) y'Py = Σ w e²."""
        return np.asarray(np.einsum("bk,bk,bk->b", self.w, self.residuals, self.residuals))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """Log-likelihood (up to a constant) and its derivatives with respect to tau², each (B,)."""

    log_lik: FloatArray
    first: FloatArray
    second: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regressions:
    """B problems y_b ~ N(Qγ, diag(v_b + tau²)).

    Wherever a value of tau² is asked for, (B,) of them are given; one problem (B = 1) is
    evaluated at as many values as are given.

    Attributes
    ----------
    y, v : (B, k) float
    Q : (k, p) float
        Orthonormal basis of the design. Nothing below depends on which basis it is.
    products : (k, p * p) float
        The outer product of each row of Q with itself.
    weights : (B, k) float or None
        The user's weights, for the estimator that needs them.
    counts : (k,) float or None
        How many effects a row stands for; None where every row is an effect.
    """

    y: FloatArray
    v: FloatArray
    Q: FloatArray
    products: FloatArray
    weights: FloatArray | None = None
    counts: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def k(self) -> int:
        """Number of effects in each problem."""
        return len(self.Q) if self.counts is None else round(float(self.counts.sum()))

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return self.Q.shape[1]

    @property
    def df(self) -> int:
        """Residual degrees of freedom."""
        return self.k - self.p

    def take(self, rows: IntArray) -> Regressions:
        """Some of the problems, in the order given; a single problem stays as it is."""
        if len(self) == 1:
            return self
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, y=self.y[rows], v=self.v[rows], weights=weights)

    def moments(self, w: FloatArray) -> FloatArray:
        """(B, p, p) Q'WQ."""
        return np.asarray((w @ self.products).reshape(-1, self.p, self.p))

    def total(self, values: FloatArray) -> FloatArray:
        """(B,) sums over effects of values (B, k)."""
        return np.asarray(values.sum(axis=1) if self.counts is None else values @ self.counts)

    def solve(self, w: FloatArray) -> Solution:
        """Weighted least squares with weights w (B, k)."""
        bread = inverse(self.moments(w))
        gamma = np.einsum("bij,bj->bi", bread, (w * self.y) @ self.Q)
        return Solution(w=w, bread=bread, gamma=gamma, residuals=self.y - gamma @ self.Q.T)

    def solve_at(self, tau2: FloatArray) -> Solution:
        """Generalised least squares at tau² (B,)."""
        return self.solve(1 / (self.v + tau2[:, None]))

    def traces(self, solution: Solution) -> tuple[FloatArray, FloatArray]:
        """(B,) tr P and tr PP, from sums of w, w² and w³."""
        w, bread = solution.w, solution.bread
        w2 = w * w
        B = bread @ self.moments(w2)
        cubic = np.einsum("bij,bji->b", bread, self.moments(w2 * w))
        first = self.total(w) - np.einsum("bii->b", B)
        return first, self.total(w2) - 2 * cubic + np.einsum("bij,bji->b", B, B)

    def score(self, tau2: FloatArray, restricted: bool) -> Score:
        """The (restricted) likelihood at tau² (B,), beta profiled out.

        l' = ½(y'PPy - tr P), l'' = ½tr PP - y'PPPy for REML, with W for P in the traces for ML.
        """
        at = self.solve_at(tau2)
        u = at.w * at.residuals
        wu = at.w * u
        Qwu = wu @ self.Q
        cubic = np.einsum("bk,bk->b", wu, u) - np.einsum("bi,bij,bj->b", Qwu, at.bread, Qwu)
        log_lik = 0.5 * (self.total(np.log(at.w)) - np.einsum("bk,bk->b", u, at.residuals))
        if restricted:
            trace, trace2 = self.traces(at)
            log_lik = log_lik + 0.5 * np.linalg.slogdet(at.bread)[1]
        else:
            trace, trace2 = self.total(at.w), self.total(at.w**2)
        squared = np.einsum("bk,bk->b", u, u)
        return Score(
            log_lik=log_lik, first=0.5 * (squared - trace), second=0.5 * trace2 - cubic
        )

    def slopes(self, grid: FloatArray, restricted: bool) -> FloatArray:
        """(B, G) first derivatives of the (restricted) likelihood on a grid (B, G) of tau²."""
        B, G = grid.shape
        first = np.empty(B * G)
        rows = np.repeat(np.arange(B), G)
        for part in _chunks(B * G, len(self.Q)):
            some = self.take(rows[part])
            at = some.solve_at(grid.ravel()[part])
            trace = some.total(at.w)
            if restricted:
                trace = trace - np.einsum("bij,bji->b", at.bread, some.moments(at.w**2))
            u = at.w * at.residuals
            first[part] = 0.5 * (np.einsum("bk,bk->b", u, u) - trace)
        return first.reshape(B, G)

    def ordinary_rss(self) -> FloatArray:
        """(B,) residual sums of squares of ordinary least squares."""
        e = self.y - (self.y @ self.Q) @ self.Q.T
        return np.asarray(np.einsum("bk,bk->b", e, e))

    def ceiling(self) -> FloatArray:
        """(B,) values of tau² above which the (restricted) likelihood falls.

        tr P ≥ (k-p)/(tau² + max v) and y'PPy ≤ RSS/(tau² + min v)², RSS that of ordinary least
        squares.
        """
        low, high = self.v.min(axis=1), self.v.max(axis=1)
        ratio = self.ordinary_rss() / self.df
        return np.asarray(ratio + np.sqrt(ratio * (ratio + high)) + low)


def regressions(
    y: FloatArray, v: FloatArray, X: FloatArray, weights: FloatArray | None = None
) -> Regressions:
    """One problem, y and v (k,), or B of them, y and v (B, k), on a design X (k, p)."""
    Q = orthonormal_basis(X).Q
    products = (Q[:, :, None] * Q[:, None, :]).reshape(len(Q), -1)
    return Regressions(
        y=np.atleast_2d(y),
        v=np.atleast_2d(v),
        Q=Q,
        products=products,
        weights=None if weights is None else np.atleast_2d(weights),
    )


def condensed(problem: Regressions, bins: int) -> Regressions:
    """One problem with effects of nearly equal variance put together.

    The sums of squares and products of (Q, y) within a bin are kept exactly, in p+1 rows each;
    only the variances are replaced, by their mean in the bin.
    """
    v, p = problem.v[0], problem.p
    logs = np.log(v)
    low, width = float(logs.min()), float(np.ptp(logs))
    step = width / bins if width > 0 else 1.0
    number = np.minimum((logs - low) / step, bins - 1).astype(np.intp)
    count = np.bincount(number, minlength=bins).astype(np.float64)
    Z = np.column_stack([problem.Q, problem.y[0] - problem.Q @ (problem.Q.T @ problem.y[0])])
    crossed = np.empty((bins, p + 1, p + 1))
    for i in range(p + 1):
        for j in range(i + 1):
            crossed[:, i, j] = np.bincount(number, Z[:, i] * Z[:, j], minlength=bins)
            crossed[:, j, i] = crossed[:, i, j]
    filled = np.flatnonzero(count)
    mean = np.bincount(number, v, minlength=bins)[filled] / count[filled]
    values, vectors = np.linalg.eigh(crossed[filled])
    roots = np.sqrt(np.maximum(values, 0.0))
    rows = (roots[:, :, None] * np.swapaxes(vectors, 1, 2)).reshape(-1, p + 1)
    Q = np.ascontiguousarray(rows[:, :p])
    return Regressions(
        y=rows[None, :, p],
        v=np.repeat(mean, p + 1)[None, :],
        Q=Q,
        products=(Q[:, :, None] * Q[:, None, :]).reshape(len(Q), -1),
        counts=np.repeat(count[filled] / (p + 1), p + 1),
    )


def _chunks(rows: int, width: int) -> Iterator[slice]:
    """Slices of so many rows that a float array of that width stays in the cache."""
    size = max(1, _CHUNK // width)
    return (slice(first, first + size) for first in range(0, rows, size))
