"""Between-study variance of independent effects: estimators, each one function.

Every estimator solves its equation to machine precision and says how, or raises
``ConvergenceError``; none stands in for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import inverse, orthonormal_basis
from metalliance.numerics.optimize import Convergence, bracketed_newton
from metalliance.numerics.univariate import weighted_least_squares

__all__ = ["ESTIMATORS", "TAU2_METHODS", "Tau2", "Tau2Estimator", "Tau2Method", "standard_error"]

Tau2Method = Literal["EE", "DL", "ML", "REML", "PM"]
TAU2_METHODS: tuple[str, ...] = get_args(Tau2Method)

_GRID = 32
_CHUNK = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tau2:
    """An estimate of tau² and how it was found.

    Attributes
    ----------
    value, se : float
        Estimate and its standard error (NaN where the method has none).
    convergence : Convergence
    """

    value: float
    se: float
    convergence: Convergence


Tau2Estimator = Callable[[FloatArray, FloatArray, FloatArray], Tau2]


@dataclass(frozen=True, slots=True)
class _Profile:
    """Sums that every criterion needs, as functions of tau² (G values at once)."""

    y: FloatArray
    v: FloatArray
    Q: FloatArray

    def solve(self, t: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weights (G, k), (Q'WQ)⁻¹ (G, p, p) and residuals (G, k)."""
        w = 1 / (self.v + t[:, None])
        p = self.Q.shape[1]
        products = (self.Q[:, :, None] * self.Q[:, None, :]).reshape(len(self.y), p * p)
        A = (w @ products).reshape(-1, p, p)
        bread = inverse(A)
        gamma = np.einsum("gij,gj->gi", bread, (w * self.y) @ self.Q)
        return w, bread, np.asarray(self.y - gamma @ self.Q.T)

    def score(self, t: FloatArray, restricted: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log-likelihood, its first and its second derivative at each t (G,).

        l' = ½(y'PPy - tr P), l'' = ½tr PP - y'PPPy for REML, with W for P in the traces for ML.
        """
        w, bread, e = self.solve(t)
        p = self.Q.shape[1]
        u = w * e
        wu = np.einsum("gk,kp->gp", w * u, self.Q)
        cubic = np.sum(w * u**2, axis=1) - np.einsum("gi,gij,gj->g", wu, bread, wu)
        ll = -0.5 * (np.sum(w * e**2, axis=1) - np.log(w).sum(axis=1))
        trace, trace2 = w.sum(axis=1), (w**2).sum(axis=1)
        if restricted:
            products = (self.Q[:, :, None] * self.Q[:, None, :]).reshape(len(self.y), p * p)
            B = bread @ (w**2 @ products).reshape(-1, p, p)
            C = bread @ (w**3 @ products).reshape(-1, p, p)
            trace = trace - np.trace(B, axis1=1, axis2=2)
            trace2 = trace2 - 2 * np.trace(C, axis1=1, axis2=2) + np.einsum("gij,gji->g", B, B)
            ll = ll + 0.5 * np.linalg.slogdet(bread)[1]
        return ll, 0.5 * (np.sum(u**2, axis=1) - trace), 0.5 * trace2 - cubic

    def generalised_q(self, t: float) -> tuple[float, float]:
        """The sum y'Py and its derivative -y'PPy."""
        w, _, e = self.solve(np.array([t]))
        return float(np.sum(w * e**2)), -float(np.sum((w * e) ** 2))

    def ceiling(self) -> float:
        """A value above which the (restricted) likelihood falls.

        tr P ≥ (k-p)/(t + max v) and y'PPy ≤ RSS/(t + min v)², RSS that of ordinary least squares.
        """
        df = len(self.y) - self.Q.shape[1]
        rss = float(np.sum((self.y - self.Q @ (self.Q.T @ self.y)) ** 2))
        low, high = float(self.v.min()), float(self.v.max())
        ratio = rss / df
        return float(ratio + np.sqrt(ratio * (ratio + high)) + low)


def equal_effects(y: FloatArray, v: FloatArray, X: FloatArray) -> Tau2:
    """tau² = 0 by assumption."""
    return Tau2(value=0.0, se=float("nan"), convergence=Convergence(method="fixed"))


def dersimonian_laird(y: FloatArray, v: FloatArray, X: FloatArray) -> Tau2:
    """max(0, (Q - (k-p))/tr P) with W = 1/v.

    References
    ----------
    DerSimonian & Laird (1986), doi:10.1016/0197-2456(86)90046-2.
    """
    fixed = weighted_least_squares(y, 1 / v, X)
    df = len(y) - X.shape[1]
    raw = (fixed.rss - df) / fixed.trace_p
    value = max(0.0, raw)
    return Tau2(
        value=value,
        se=standard_error("DL", value, v, X),
        convergence=Convergence(method="closed form", boundary=raw <= 0),
    )


def maximum_likelihood(y: FloatArray, v: FloatArray, X: FloatArray) -> Tau2:
    """Maximise the likelihood, beta profiled out."""
    return _maximise(y, v, X, restricted=False)


def restricted_maximum_likelihood(y: FloatArray, v: FloatArray, X: FloatArray) -> Tau2:
    """Maximise the restricted likelihood.

    References
    ----------
    Viechtbauer (2005), doi:10.3102/10769986030003261.

    Examples
    --------
    >>> y, v = np.array([0.1, 0.4, 0.9]), np.array([0.02, 0.02, 0.02])
    >>> round(restricted_maximum_likelihood(y, v, np.ones((3, 1))).value, 6)
    0.143333
    """
    return _maximise(y, v, X, restricted=True)


def paule_mandel(y: FloatArray, v: FloatArray, X: FloatArray) -> Tau2:
    """The tau² at which y'Py = k-p, or 0 where y'Py is below that from the start.

    References
    ----------
    Paule & Mandel (1982), doi:10.6028/jres.087.022.
    """
    profile = _Profile(y, v, orthonormal_basis(X).Q)
    df = len(y) - X.shape[1]

    def excess(t: float) -> tuple[float, float]:
        q, slope = profile.generalised_q(t)
        return q - df, slope

    at_zero = excess(0.0)[0]
    if at_zero <= 0:
        record = Convergence(method="closed form", evaluations=1, boundary=True)
        return Tau2(value=0.0, se=standard_error("PM", 0.0, v, X), convergence=record)
    root, left, evaluations = bracketed_newton(excess, 0.0, profile.ceiling(), float(v.min()))
    record = Convergence(
        method="safeguarded Newton", score=abs(left), evaluations=evaluations + 1, starts=1
    )
    return Tau2(value=root, se=standard_error("PM", root, v, X), convergence=record)


ESTIMATORS: Mapping[str, Tau2Estimator] = {
    "EE": equal_effects,
    "DL": dersimonian_laird,
    "ML": maximum_likelihood,
    "REML": restricted_maximum_likelihood,
    "PM": paule_mandel,
}


def standard_error(method: str, tau2: float, v: FloatArray, X: FloatArray) -> float:
    """Standard error of an estimated tau².

    Notes
    -----
    REML √(2/tr PP); ML √(2/Σw²); PM √(2k²/(k-p))/Σw, all at W = 1/(v + tau²);
    DL √(2(k-p) + 4τ² tr P + 2τ⁴ tr PP)/tr P at W = 1/v.
    """
    k, p = X.shape
    w = 1 / v if method == "DL" else 1 / (v + tau2)
    if method == "ML":
        return float(np.sqrt(2 / np.sum(w**2)))
    if method == "PM":
        return float(np.sqrt(2 * k**2 / (k - p)) / np.sum(w))
    solution = weighted_least_squares(np.zeros(k), w, X)
    if method == "REML":
        return float(np.sqrt(2 / solution.trace_pp))
    if method == "DL":
        trace, trace2 = solution.trace_p, solution.trace_pp
        return float(np.sqrt(2 * (k - p) + 4 * tau2 * trace + 2 * tau2**2 * trace2) / trace)
    return float("nan")


def _maximise(y: FloatArray, v: FloatArray, X: FloatArray, restricted: bool) -> Tau2:
    """Global maximum over [0, ceiling]: every bracket of a grid is solved, the best one wins."""
    profile = _Profile(y, v, orthonormal_basis(X).Q)

    def slope(t: float) -> tuple[float, float]:
        _, first, second = profile.score(np.array([t]), restricted)
        return float(first[0]), float(second[0])

    ceiling = profile.ceiling()
    grid = np.concatenate(([0.0], np.geomspace(1e-5, 1.0, _GRID) * ceiling))
    step = max(1, _CHUNK // len(y))
    scores = np.concatenate(
        [profile.score(grid[i : i + step], restricted)[1] for i in range(0, len(grid), step)]
    )
    candidates = [(0.0, 0.0)] if scores[0] <= 0 else []
    evaluations = len(grid)
    peaks = np.flatnonzero((scores[:-1] > 0) & (scores[1:] <= 0))
    for i in peaks:
        root, left, used = bracketed_newton(slope, grid[i], grid[i + 1], float(v.min()))
        candidates.append((root, left))
        evaluations += used
    heights = profile.score(np.array([t for t, _ in candidates]), restricted)[0]
    value, left = candidates[int(np.argmax(heights))]
    record = Convergence(
        method="safeguarded Newton",
        score=abs(left) * value,
        evaluations=evaluations,
        boundary=value == 0.0,
        starts=len(candidates),
    )
    method = "REML" if restricted else "ML"
    return Tau2(value=value, se=standard_error(method, value, v, X), convergence=record)
