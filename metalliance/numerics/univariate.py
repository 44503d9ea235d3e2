"""Least squares with independent effects: sums over k, never a k x k matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import Basis, orthonormal_basis, symmetrised
from metalliance.numerics.regressions import Regressions, Sums

__all__ = [
    "Generalised",
    "WeightedFit",
    "generalised_least_squares",
    "log_likelihoods",
    "typical_variance",
    "user_weighted",
    "weighted_least_squares",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedFit:
    """Weighted least squares of y on X with W = diag(w).

    Attributes
    ----------
    beta : (p,) float
    bread : (p, p) float
        (X'WX)⁻¹, the model-based covariance of beta.
    residuals : (k,) float
        y - Xβ.
    leverage : (k,) float
        Diagonal of X(X'WX)⁻¹X'W.
    rss : float
        Σ w e² = y'Py.
    trace_p, trace_pp : float
        tr P and tr PP for P = W - WX(X'WX)⁻¹X'W.
    log_det_xwx, log_det_xx : float
        ln|X'WX| and ln|X'X|.
    """

    beta: FloatArray
    bread: FloatArray
    residuals: FloatArray
    leverage: FloatArray
    rss: float
    trace_p: float
    trace_pp: float
    log_det_xwx: float
    log_det_xx: float


def weighted_least_squares(y: FloatArray, w: FloatArray, X: FloatArray) -> WeightedFit:
    """Solve by a QR decomposition of W^½Q, where X = QR.

    Parameters
    ----------
    y, w : (k,) float
        Effects and weights (inverse variances).
    X : (k, p) float
        Design of full column rank.
    """
    basis = orthonormal_basis(X)
    root = np.sqrt(w)
    inner, R = np.linalg.qr(root[:, None] * basis.Q)
    gamma = np.linalg.solve(R, inner.T @ (root * y))
    residuals = y - basis.Q @ gamma
    leverage = np.einsum("ij,ij->i", inner, inner)
    crossed = inner.T @ (w[:, None] * inner)
    inverse = np.linalg.inv(R)
    return WeightedFit(
        beta=basis.coefficients(gamma),
        bread=symmetrised(basis.covariance(inverse @ inverse.T)),
        residuals=residuals,
        leverage=leverage,
        rss=float(w @ residuals**2),
        trace_p=float(w @ (1 - leverage)),
        trace_pp=float(w**2 @ (1 - 2 * leverage) + np.sum(crossed**2)),
        log_det_xwx=float(2 * np.log(np.abs(np.diagonal(R))).sum()) + basis.log_det_xx,
        log_det_xx=basis.log_det_xx,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Generalised:
    """Generalised least squares at a known tau².

    Attributes
    ----------
    beta : (p,) float
    vcov : (p, p) float
        (X'M⁻¹X)⁻¹.
    rss : float
        y'Py.
    log_lik_ml, log_lik_reml : float
    """

    beta: FloatArray
    vcov: FloatArray
    rss: float
    log_lik_ml: float
    log_lik_reml: float


def generalised_least_squares(
    problem: Regressions, basis: Basis, tau2: float, at: Sums
) -> Generalised:
    """Coefficients and likelihoods of one problem on the design that ``basis`` stands for.

    ``at`` are its sums at tau².

    Notes
    -----
    The likelihoods are those of ``log_likelihoods``.
    """
    rss = float(at.q[0])
    shared = rss + float(np.log(problem.v + tau2).sum())
    log_det = -float(np.linalg.slogdet(at.bread[0])[1])
    log_2pi = float(np.log(2 * np.pi))
    return Generalised(
        beta=basis.coefficients(problem.y[0] @ basis.Q + at.gamma[0]),
        vcov=basis.covariance(at.bread[0]),
        rss=rss,
        log_lik_ml=-0.5 * (problem.k * log_2pi + shared),
        log_lik_reml=-0.5 * (problem.df * log_2pi + shared + log_det),
    )


def user_weighted(
    problem: Regressions, basis: Basis, a: FloatArray, tau2: float
) -> tuple[FloatArray, FloatArray]:
    """Coefficients with weights A = diag(a), a (k,), and their covariance under M = V + tau²I.

    Notes
    -----
    β = (X'AX)⁻¹X'Ay with covariance (X'AX)⁻¹X'AMAX(X'AX)⁻¹.
    """
    Q, y = basis.Q, problem.y[0]
    bread = np.linalg.inv((Q.T * a) @ Q)
    meat = (Q.T * (a**2 * (problem.v[0] + tau2))) @ Q
    centre = y @ Q
    gamma = centre + bread @ (Q.T @ (a * (y - Q @ centre)))
    return basis.coefficients(gamma), basis.covariance(bread @ meat @ bread)


def log_likelihoods(solution: WeightedFit, w: FloatArray) -> tuple[float, float]:
    """Log-likelihood and restricted log-likelihood (with ½ln|X'X|) at fixed weights.

    Notes
    -----
    ll_ML = -½(k ln 2π - Σ ln w + y'Py);
    ll_REML = -½((k-p) ln 2π - Σ ln w + ln|X'WX| - ln|X'X| + y'Py).
    """
    k, p = len(w), len(solution.beta)
    shared = solution.rss - np.log(w).sum()
    log_2pi = np.log(2 * np.pi)
    ml = -0.5 * (k * log_2pi + shared)
    reml = -0.5 * ((k - p) * log_2pi + shared + solution.log_det_xwx - solution.log_det_xx)
    return float(ml), float(reml)


def typical_variance(solution: WeightedFit) -> float:
    """(k-p)/tr P at W = 1/v: the sampling variance that I² compares tau² with.

    References
    ----------
    Higgins & Thompson (2002), doi:10.1002/sim.1186.
    """
    k, p = len(solution.residuals), len(solution.beta)
    return (k - p) / solution.trace_p
