"""Between-study variance of independent effects: the table of estimators.

Every estimator solves its equation to machine precision and says how, or raises
``ConvergenceError``; none stands in for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from metalliance.numerics import tau2_iterated as iterated
from metalliance.numerics import tau2_moments as moments
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import orthonormal_basis
from metalliance.numerics.optimize import Convergence
from metalliance.numerics.regressions import Regressions, Sums, regressions
from metalliance.numerics.tau2_moments import Estimates

__all__ = ["ESTIMATORS", "TAU2_METHODS", "Tau2", "Tau2Estimator", "Tau2Method"]

Tau2Method = Literal["EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM", "GENQ"]
TAU2_METHODS: tuple[str, ...] = get_args(Tau2Method)


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


@dataclass(frozen=True, slots=True)
class Tau2Estimator:
    """How tau² is estimated, in one problem or in many at once, and its standard error.

    Examples
    --------
    >>> import numpy as np
    >>> y, v = np.array([0.1, 0.4, 0.9]), np.array([0.02, 0.02, 0.02])
    >>> round(ESTIMATORS["REML"](y, v, np.ones((3, 1))).value, 6)
    0.143333
    """

    solve: Callable[[Regressions], Estimates]
    standard_error: Callable[[Regressions, FloatArray, Sums], FloatArray]

    def __call__(
        self, y: FloatArray, v: FloatArray, X: FloatArray, weights: FloatArray | None = None
    ) -> Tau2:
        """Estimate from effects y (k,), variances v (k,) and a design X (k, p)."""
        problem = regressions(y, v, orthonormal_basis(X).Q, weights)
        found = self.solve(problem)
        return self.described(problem, found, problem.sums(found.value))

    def described(self, problem: Regressions, found: Estimates, at: Sums) -> Tau2:
        """The estimate of one problem, from what was found and the sums there."""
        return Tau2(
            value=float(found.value[0]),
            se=float(self.standard_error(problem, found.value, at)[0]),
            convergence=Convergence(
                method=found.method,
                score=float(found.score[0]),
                evaluations=found.evaluations,
                boundary=bool(found.boundary[0]),
                starts=int(found.starts[0]),
            ),
        )


ESTIMATORS: Mapping[str, Tau2Estimator] = {
    "EE": Tau2Estimator(moments.equal_effects, moments.no_standard_error),
    "DL": Tau2Estimator(moments.dersimonian_laird, moments.dersimonian_laird_se),
    "HE": Tau2Estimator(moments.hedges, moments.hedges_se),
    "HS": Tau2Estimator(moments.hunter_schmidt, moments.hunter_schmidt_se),
    "HSk": Tau2Estimator(moments.hunter_schmidt_corrected, moments.hunter_schmidt_corrected_se),
    "SJ": Tau2Estimator(moments.sidik_jonkman, moments.sidik_jonkman_se),
    "ML": Tau2Estimator(iterated.maximum_likelihood, iterated.maximum_likelihood_se),
    "REML": Tau2Estimator(
        iterated.restricted_maximum_likelihood, iterated.restricted_maximum_likelihood_se
    ),
    "EB": Tau2Estimator(iterated.paule_mandel, iterated.paule_mandel_se),
    "PM": Tau2Estimator(iterated.paule_mandel, iterated.paule_mandel_se),
    "PMM": Tau2Estimator(iterated.median_unbiased, iterated.paule_mandel_se),
    "GENQ": Tau2Estimator(moments.generalised_q, moments.generalised_q_se),
}
