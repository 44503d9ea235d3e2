"""Estimators of tau² that equate one weighted sum of squares with its expectation.

All of them look at y'Py for some fixed weights A, with P = A - AX(X'AX)⁻¹X'A and M = V + τ²I:

    E y'Py = tr PV + τ² tr P,    Var y'Py = 2 tr PMPM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.regressions import Regressions, Sums

__all__ = [
    "BoolArray",
    "Estimates",
    "dersimonian_laird",
    "dersimonian_laird_se",
    "equal_effects",
    "generalised_q",
    "generalised_q_se",
    "hedges",
    "hedges_se",
    "hunter_schmidt",
    "hunter_schmidt_corrected",
    "hunter_schmidt_corrected_se",
    "hunter_schmidt_se",
    "no_standard_error",
    "sidik_jonkman",
    "sidik_jonkman_se",
]

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Estimates of tau² in B problems.

    Attributes
    ----------
    value : (B,) float
    boundary : (B,) bool
        Zero because the equation asks for less.
    score : (B,) float
        What is left of the equation that was solved, as a pure number.
    starts : (B,) int
        Brackets in which a solution was sought.
    evaluations : int
        Evaluations of the criterion.
    method : str
        ``fixed``, ``closed form`` or ``safeguarded Newton``.
    """

    value: FloatArray
    boundary: BoolArray
    score: FloatArray
    starts: IntArray
    evaluations: int = 0
    method: str = "closed form"


def equal_effects(problems: Regressions) -> Estimates:
    """tau² = 0 by assumption."""
    B = len(problems)
    return Estimates(
        value=np.zeros(B),
        boundary=np.zeros(B, dtype=bool),
        score=np.zeros(B),
        starts=np.zeros(B, dtype=np.intp),
        method="fixed",
    )


def no_standard_error(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """NaN: nothing was estimated."""
    return np.full(len(problems), np.nan)


def dersimonian_laird(problems: Regressions) -> Estimates:
    """(Q - (k-p))/tr P with A = 1/v.

    References
    ----------
    DerSimonian & Laird (1986), doi:10.1016/0197-2456(86)90046-2.
    """
    return _method_of_moments(problems, 1 / problems.v)


def dersimonian_laird_se(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """√(2 tr PMPM)/tr P with A = 1/v."""
    return _method_of_moments_se(problems, 1 / problems.v, tau2)


def hedges(problems: Regressions) -> Estimates:
    """(RSS - tr PV)/(k-p) with equal weights: ordinary least squares.

    References
    ----------
    Hedges & Olkin (1985), *Statistical Methods for Meta-Analysis*, ch. 9.
    """
    return _method_of_moments(problems, np.ones_like(problems.v))


def hedges_se(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """√(2 tr PMPM)/(k-p) with equal weights."""
    return _method_of_moments_se(problems, np.ones_like(problems.v), tau2)


def generalised_q(problems: Regressions) -> Estimates:
    """(y'Py - tr PV)/tr P with the user's weights.

    References
    ----------
    DerSimonian & Kacker (2007), doi:10.1016/j.cct.2006.04.004; Jackson (2013),
    doi:10.1002/jrsm.1081.
    """
    return _method_of_moments(problems, _user_weights(problems))


def generalised_q_se(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """√(2 tr PMPM)/tr P with the user's weights."""
    return _method_of_moments_se(problems, _user_weights(problems), tau2)


def hunter_schmidt(problems: Regressions) -> Estimates:
    """(Q - k)/Σw with w = 1/v.

    References
    ----------
    Hunter & Schmidt (1990); Viechtbauer (2005), doi:10.3102/10769986030003261.
    """
    return _hunter_schmidt(problems, 1.0)


def hunter_schmidt_se(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """√(2 tr PMPM)/Σw with w = 1/v."""
    w = 1 / problems.v
    return np.asarray(_sd(problems, w, tau2) / w.sum(axis=1))


def hunter_schmidt_corrected(problems: Regressions) -> Estimates:
    """(Q k/(k-p) - k)/Σw: Hunter-Schmidt with the degrees of freedom accounted for.

    References
    ----------
    Brannick et al. (2019), doi:10.1177/1094428117741966.
    """
    return _hunter_schmidt(problems, problems.k / problems.df)


def hunter_schmidt_corrected_se(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """k/(k-p) times that of Hunter-Schmidt."""
    return problems.k / problems.df * hunter_schmidt_se(problems, tau2, at)


def sidik_jonkman(problems: Regressions) -> Estimates:
    """τ₀² y'Py/(k-p) with A = 1/(v + τ₀²) and τ₀² = Σ(y - ȳ)²/k. Positive unless all y agree.

    References
    ----------
    Sidik & Jonkman (2005), doi:10.1111/j.1467-9876.2005.00489.x.
    """
    first = problems.y.var(axis=1)
    raw = first * problems.solve(1 / (problems.v + first[:, None])).rss / problems.df
    return _truncated(raw)


def sidik_jonkman_se(problems: Regressions, tau2: FloatArray, at: Sums) -> FloatArray:
    """τ₀² √(2 tr PMPM)/(k-p) with A = 1/(v + τ₀²)."""
    first = problems.y.var(axis=1)
    return np.asarray(first * _sd(problems, 1 / (problems.v + first[:, None]), tau2) / problems.df)


def _user_weights(problems: Regressions) -> FloatArray:
    if problems.weights is None:
        raise ValueError("the generalised Q estimator needs weights")
    return problems.weights


def _truncated(raw: FloatArray) -> Estimates:
    return Estimates(
        value=np.maximum(raw, 0.0),
        boundary=raw <= 0,
        score=np.zeros(len(raw)),
        starts=np.zeros(len(raw), dtype=np.intp),
    )


def _hunter_schmidt(problems: Regressions, inflation: float) -> Estimates:
    w = 1 / problems.v
    return _truncated((inflation * problems.solve(w).rss - problems.k) / w.sum(axis=1))


def _method_of_moments(problems: Regressions, a: FloatArray) -> Estimates:
    at = problems.solve(a)
    corrected = np.einsum("bij,bji->b", at.bread, problems.moments(a**2 * problems.v))
    trace_pv = np.einsum("bk,bk->b", a, problems.v) - corrected
    return _truncated((at.rss - trace_pv) / problems.trace(at))


def _method_of_moments_se(problems: Regressions, a: FloatArray, tau2: FloatArray) -> FloatArray:
    return np.asarray(_sd(problems, a, tau2) / problems.trace(problems.solve(a)))


def _sd(problems: Regressions, a: FloatArray, tau2: FloatArray) -> FloatArray:
    """(B,) √(2 tr PMPM), where tr PMPM = Σa²m² - 2 tr B Q'A³M²Q + tr (B Q'A²MQ)²."""
    m = problems.v + tau2[:, None]
    bread = problems.solve(a).bread
    inner = bread @ problems.moments(a**2 * m)
    cubic = np.einsum("bij,bji->b", bread, problems.moments(a**3 * m**2))
    trace = np.sum((a * m) ** 2, axis=1) - 2 * cubic + np.einsum("bij,bji->b", inner, inner)
    return np.asarray(np.sqrt(2 * trace))
