"""One meta-regression fitted to many rearrangements of the same effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import Basis, inverse
from metalliance.numerics.regressions import Regressions, regressions

__all__ = ["Refits", "refit_many"]

_CHUNK = 60_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refits:
    """Results of B fits.

    Attributes
    ----------
    tau2 : (B,) float
    beta, std_error : (B, p) float
    wald : (B,) float
        (Cβ)'(C Var(β) C')⁻¹ Cβ.
    """

    tau2: FloatArray
    beta: FloatArray
    std_error: FloatArray
    wald: FloatArray


def refit_many(
    y: FloatArray,
    v: FloatArray,
    basis: Basis,
    estimate: Callable[[Regressions], FloatArray],
    scale: Callable[[FloatArray], FloatArray],
    contrasts: FloatArray,
) -> Refits:
    """Fit B problems that share a design.

    Parameters
    ----------
    y, v : (B, k) float
    basis : Basis
        Of the design X (k, p).
    estimate : callable
        Problems -> tau² (B,).
    scale : callable
        y'Py/(k-p) (B,) -> factor (B,) on the model-based covariance.
    contrasts : (q, p) float
        C of the joint test.
    """
    size = max(1, _CHUNK // y.shape[1])
    parts = [
        _refit(regressions(y[i : i + size], v[i : i + size], basis.Q), basis, estimate, scale)
        for i in range(0, len(y), size)
    ]
    tau2, beta, bread, factor = (np.concatenate(part) for part in zip(*parts, strict=True))
    tested = beta @ contrasts.T
    weight = inverse(contrasts @ bread @ contrasts.T)
    variance = factor[:, None] * np.diagonal(bread, axis1=1, axis2=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        wald = np.einsum("bi,bij,bj->b", tested, weight, tested) / factor
    return Refits(tau2=tau2, beta=beta, std_error=np.sqrt(variance), wald=wald)


def _refit(
    problems: Regressions,
    basis: Basis,
    estimate: Callable[[Regressions], FloatArray],
    scale: Callable[[FloatArray], FloatArray],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    tau2 = estimate(problems)
    at = problems.sums(tau2, cubes=False)
    back = np.linalg.inv(basis.R)
    beta = (problems.y @ basis.Q + at.gamma) @ back.T
    return tau2, beta, back @ at.bread @ back.T, scale(at.q / problems.df)
