"""Fitting independent effects: one tau², weights on a diagonal."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import DependenceWarning, SpecificationError
from metalliance.models.design import Design
from metalliance.models.inputs import Inputs, is_diagonal
from metalliance.models.result import Component, Fit
from metalliance.models.rows import describe_rows, numeric_column
from metalliance.numerics.blocks import BlockDiagonal, FloatArray
from metalliance.numerics.linalg import Basis, orthonormal_basis
from metalliance.numerics.regressions import Regressions, regressions
from metalliance.numerics.tau2 import ESTIMATORS
from metalliance.numerics.univariate import generalised_least_squares, user_weighted

__all__ = ["check_independent", "fit_independent", "read_weights"]


def read_weights(weights: Any, frame: pd.DataFrame, method: str, random: Any) -> FloatArray | None:
    """(k,) weights from a column name or an array; None where there are none.

    Raises
    ------
    SpecificationError
        If they are missing where the method needs them, or are no positive numbers.
    """
    if weights is None:
        if method == "GENQ":
            raise SpecificationError(
                "method GENQ needs weights=, a column or one number per effect; without "
                "weights choose DL or PM"
            )
        return None
    if random is not None:
        raise SpecificationError(
            "weights= holds for independent effects; a model with random= weights effects by its "
            "own covariance, so leave weights= out"
        )
    if isinstance(weights, str):
        values, name = numeric_column(frame, weights, "weights="), weights
    else:
        values, name = _array(weights, len(frame)), "weights="
    faulty = ~((values > 0) & np.isfinite(values))
    if faulty.any():
        raise SpecificationError(
            f"{name} must be finite and above zero; it is not in {describe_rows(frame, faulty)}"
        )
    return values


def fit_independent(
    inputs: Inputs,
    design: Design,
    X: FloatArray,
    method: str,
    fixed: float | None,
    call: dict[str, Any],
    weights: FloatArray | None = None,
) -> Fit:
    """Estimate tau² (or take it as fixed), then the coefficients."""
    y, v = inputs.yi, inputs.sampling.diagonal()
    basis = orthonormal_basis(X)
    problem = regressions(y, v, basis.Q, weights)
    known = ESTIMATORS["EE"] if fixed is not None else ESTIMATORS[method]
    found = known.solve(problem)
    value = float(found.value[0]) if fixed is None else fixed
    both = problem.sums(np.array([0.0, value]))
    alone, at = both.only(0), both.only(1)
    tau2 = known.described(problem, found, at)
    solution = generalised_least_squares(problem, basis, value, at)
    component = Component(
        term="", name="tau2", estimate=value, fixed=fixed is not None or method == "EE"
    )
    fit = Fit(
        call=call,
        design=design,
        random=(),
        method=method,
        data=inputs.frame,
        yi=y,
        vi=v,
        X=X,
        beta=solution.beta,
        vcov=solution.vcov,
        tau2=value,
        se_tau2=tau2.se,
        components=(component,),
        theta=np.array([tau2.value]),
        pinned=np.array([component.fixed]),
        sampling=BlockDiagonal.of_singles(v),
        marginal=BlockDiagonal.of_singles(v + value),
        clusters=inputs.clusters,
        cluster_name=inputs.cluster_name,
        q=float(alone.q[0]),
        typical_v=problem.df / float(alone.trace[0]),
        log_lik_ml=solution.log_lik_ml,
        log_lik_reml=solution.log_lik_reml,
        convergence=tau2.convergence,
        rss=float(np.sum((y - X @ solution.beta) ** 2 / (v + value))),
    )
    return fit if weights is None else _reweighted(fit, problem, basis, weights)


def _reweighted(fit: Fit, problem: Regressions, basis: Basis, weights: FloatArray) -> Fit:
    """The same fit with coefficients by the user's weights."""
    beta, vcov = user_weighted(problem, basis, weights, fit.tau2)
    residuals = fit.yi - fit.X @ beta
    loss = 0.5 * (float(np.sum(residuals**2 / (fit.vi + fit.tau2))) - fit.rss)
    return replace(
        fit,
        beta=beta,
        vcov=vcov,
        log_lik_ml=fit.log_lik_ml - loss,
        log_lik_reml=fit.log_lik_reml - loss,
        weights=weights,
    )


def check_independent(inputs: Inputs, structure: Any, sigma2: Any, rho: Any) -> None:
    """Refuse what a univariate model cannot use; announce studies that occur twice."""
    for name, value in (("structure", structure), ("sigma2", sigma2), ("rho", rho)):
        if value is not None:
            raise SpecificationError(
                f"{name}= belongs to random terms; add random=, or leave it out (a univariate "
                "model is fixed by tau2=)"
            )
    if not is_diagonal(inputs.sampling):
        raise SpecificationError(
            "V says that effects are correlated, which a univariate model cannot use; "
            "add random='~ 1 | study/effect'"
        )
    if inputs.clusters is not None:
        groups, what = inputs.clusters, "studies or samples"
    elif "study" in inputs.frame.columns:
        groups, what = pd.factorize(inputs.frame["study"])[0], "studies"
    else:
        return
    several = int(np.sum(np.bincount(groups[groups >= 0]) > 1))
    if several:
        if groups.max() == 0:
            who, mend = "all effects come from one study", "read nothing beyond that study"
        else:
            contribute = f"{several} {what} contribute" if several > 1 else "one study contributes"
            who = f"{contribute} more than one effect"
            mend = (
                "add random='~ 1 | study/effect' and V=, or use infer(vcov='CR2', cluster='study')"
            )
        warnings.warn(
            f"{who}, which this model treats as independent; {mend}",
            DependenceWarning,
            stacklevel=3,
        )


def _array(weights: Any, k: int) -> FloatArray:
    try:
        values = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecificationError("weights= must be a column or an array of numbers") from None
    if values.shape != (k,):
        raise SpecificationError(
            f"weights= has shape {values.shape}; it needs one number for each of {k} effects"
        )
    return values
