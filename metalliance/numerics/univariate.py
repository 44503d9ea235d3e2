"""Weighted least squares with independent effects: sums over k, never a k x k matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import orthonormal_basis, symmetrised

__all__ = ["WeightedFit", "log_likelihoods", "typical_variance", "weighted_least_squares"]


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
