"""Least squares with independent effects: sums over k, never a k x k matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import Basis
from metalliance.numerics.regressions import Regressions, Sums

__all__ = ["Generalised", "generalised_least_squares", "user_weighted"]


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
    ll_ML = -½(k ln 2π + Σ ln(v + τ²) + y'Py); ll_REML, with ½ln|X'X|, is
    -½((k-p) ln 2π + Σ ln(v + τ²) + ln|X'WX| - ln|X'X| + y'Py).
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
