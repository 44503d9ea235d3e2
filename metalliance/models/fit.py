"""``fit``: from a specification and a table to a fitted model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metalliance.effectsize.table import EffectTable
from metalliance.errors import DependenceWarning, SpecificationError
from metalliance.models.design import Design, build_design, check_rank
from metalliance.models.inputs import Inputs, is_diagonal, read_inputs
from metalliance.models.random import RandomTerm, parse_random, select_rows
from metalliance.models.result import Component, Fit
from metalliance.models.specification import (
    check_method,
    describe_call,
    fixed_sigma2,
    fixed_tau2,
    refuse_later_scope,
)
from metalliance.numerics.blocks import BlockDiagonal, FloatArray
from metalliance.numerics.likelihood import (
    BlockProblem,
    block_problem,
    evaluate,
    grouping_kernel,
    inseparable,
    marginal,
    model_blocks,
)
from metalliance.numerics.maximise import maximise, starting_values
from metalliance.numerics.optimize import Convergence
from metalliance.numerics.tau2 import ESTIMATORS, Tau2
from metalliance.numerics.univariate import (
    log_likelihoods,
    typical_variance,
    weighted_least_squares,
)

__all__ = ["Fit", "fit", "refit"]


def fit(
    effects: EffectTable | pd.DataFrame,
    mods: str = "~ 1",
    random: str | Sequence[str] | None = None,
    structure: Any = None,
    V: Any = None,
    method: str = "REML",
    yi: str = "yi",
    vi: str = "vi",
    weights: Any = None,
    scale: Any = None,
    tau2: float | None = None,
    sigma2: float | Sequence[float | None] | None = None,
    rho: Any = None,
) -> Fit:
    """Fit a random-effects, meta-regression or multilevel model.

    Parameters
    ----------
    effects : EffectTable or DataFrame
        One row per effect; any table with effects and sampling variances can be fitted.
    mods : str
        Moderators, e.g. ``~ 1``, ``~ rater``, ``~ 0 + component``.
    random : str or list of str, optional
        Random intercepts, e.g. ``~ 1 | study/effect``. Without it effects are independent.
    V : SamplingCovariance or (k, k) array, optional
        Sampling covariance; the diagonal ``vi`` by default.
    method : {'EE', 'DL', 'ML', 'REML', 'PM'}
        Estimator of tau²; with ``random`` ML or REML.
    yi, vi : str
        Columns of effects and sampling variances.
    tau2 : float, optional
        Fixes tau² of a univariate model.
    sigma2 : float or sequence, optional
        Fixes the variances of the random terms in their order; None leaves one free.
    structure, weights, scale, rho
        Not fitted by this version; anything but None is refused.

    Returns
    -------
    Fit

    Raises
    ------
    SpecificationError
        Missing or impossible numbers, rank loss, terms that cannot be told apart, combinations
        that are not fitted. The message names columns and rows.
    ConvergenceError
        If no optimum was reached.

    Notes
    -----
    y ~ N(Xβ, V + τ²I), or N(Xβ, V + Σ σ²_t Z_t Z_t').

    References
    ----------
    Viechtbauer (2005), doi:10.3102/10769986030003261; Konstantopoulos (2011),
    doi:10.1002/jrsm.35.

    Examples
    --------
    >>> frame = pd.DataFrame({"yi": [0.1, 0.4, 0.9], "vi": [0.02, 0.02, 0.02]})
    >>> round(fit(frame).tau2, 6)
    0.143333
    """
    refuse_later_scope(structure=structure, weights=weights, scale=scale, rho=rho)
    check_method(method, random)
    inputs = read_inputs(effects, V, yi, vi)
    design, X = build_design(mods, inputs.frame)
    call = describe_call(mods, random, V, method, yi, vi, tau2, sigma2)
    if random is None:
        _check_univariate(inputs, sigma2)
        return _fit_univariate(inputs, design, X, method, fixed_tau2(tau2, method), call)
    if tau2 is not None:
        raise SpecificationError("tau2= fixes a univariate model; with random= fix sigma2=")
    terms = parse_random(random, inputs.frame)
    fixed = fixed_sigma2(sigma2, terms)
    inputs = _with_clusters(inputs, terms)
    return _fit_multilevel(inputs, design, X, method, terms, fixed, call)


def refit(fitted: Fit, keep: NDArray[np.bool_]) -> Fit:
    """The same model for the rows where ``keep`` (k,) holds, columns of X unchanged.

    Raises
    ------
    SpecificationError
        If a coefficient or a variance can no longer be estimated.
    """
    X = fitted.X[keep]
    check_rank(X, fitted.terms)
    clusters = fitted.clusters
    if clusters is not None:
        clusters = pd.factorize(clusters[keep])[0].astype(np.intp)
    inputs = Inputs(
        frame=fitted.data.loc[keep],
        yi=fitted.yi[keep],
        sampling=fitted.sampling.select(keep),
        clusters=clusters,
        cluster_name=fitted.cluster_name,
    )
    call = dict(fitted.call)
    fixed = [part.estimate if part.fixed else np.nan for part in fitted.components]
    if fitted.univariate:
        known = fixed[0] if fitted.components[0].fixed and fitted.method != "EE" else None
        return _fit_univariate(inputs, fitted.design, X, fitted.method, known, call)
    terms = select_rows(fitted.random, keep)
    near = np.maximum(fitted.sigma2, 0.01 * fitted.typical_v)
    return _fit_multilevel(
        inputs, fitted.design, X, fitted.method, terms, np.array(fixed), call, near
    )


def _fit_univariate(
    inputs: Inputs,
    design: Design,
    X: FloatArray,
    method: str,
    fixed: float | None,
    call: dict[str, Any],
) -> Fit:
    y, v = inputs.yi, inputs.sampling.diagonal()
    if fixed is None:
        tau2 = ESTIMATORS[method](y, v, X)
    else:
        tau2 = Tau2(value=fixed, se=float("nan"), convergence=Convergence(method="fixed"))
    w = 1 / (v + tau2.value)
    solution = weighted_least_squares(y, w, X)
    alone = weighted_least_squares(y, 1 / v, X)
    ml, reml = log_likelihoods(solution, w)
    rows = np.arange(len(y))
    component = Component(
        term="", name="tau2", estimate=tau2.value, fixed=fixed is not None or method == "EE"
    )
    return Fit(
        call=call,
        design=design,
        random=(),
        method=method,
        data=inputs.frame,
        yi=y,
        vi=v,
        X=X,
        beta=solution.beta,
        vcov=solution.bread,
        tau2=tau2.value,
        se_tau2=tau2.se,
        components=(component,),
        sampling=BlockDiagonal.from_diagonal(v, rows),
        marginal=BlockDiagonal.from_diagonal(v + tau2.value, rows),
        clusters=inputs.clusters,
        cluster_name=inputs.cluster_name,
        q=alone.rss,
        typical_v=typical_variance(alone),
        log_lik_ml=ml,
        log_lik_reml=reml,
        convergence=tau2.convergence,
    )


def _fit_multilevel(
    inputs: Inputs,
    design: Design,
    X: FloatArray,
    method: str,
    terms: tuple[RandomTerm, ...],
    fixed: FloatArray,
    call: dict[str, Any],
    near: FloatArray | None = None,
) -> Fit:
    restricted = method == "REML"
    groupings = [term.codes for term in terms]
    V = inputs.sampling.regroup(model_blocks(inputs.sampling, groupings))
    problem = block_problem(inputs.yi, X, V, [grouping_kernel(V, codes) for codes in groupings])
    _check_separable(problem, terms, fixed, restricted)
    starts = None if near is None else (near, starting_values(problem)[0])
    best = maximise(problem, restricted, fixed, starts)
    alone = evaluate(problem, np.zeros(len(terms)), restricted)
    return Fit(
        call=call,
        design=design,
        random=terms,
        method=method,
        data=inputs.frame,
        yi=inputs.yi,
        vi=V.diagonal(),
        X=X,
        beta=best.at.beta,
        vcov=best.at.bread,
        tau2=float("nan"),
        se_tau2=float("nan"),
        components=tuple(
            Component(term=term.name, name="sigma2", estimate=float(value), fixed=not np.isnan(was))
            for term, value, was in zip(terms, best.theta, fixed, strict=True)
        ),
        sampling=V,
        marginal=marginal(problem, best.theta),
        clusters=inputs.clusters,
        cluster_name=inputs.cluster_name,
        q=alone.rss,
        typical_v=(len(X) - X.shape[1]) / alone.trace_p,
        log_lik_ml=best.at.ml,
        log_lik_reml=best.at.reml,
        convergence=best.convergence,
    )


def _with_clusters(inputs: Inputs, terms: tuple[RandomTerm, ...]) -> Inputs:
    """Clusters of a DataFrame: its outermost factor, unless there are several."""
    outer = [term for term in terms if term.outermost]
    if inputs.clusters is not None or len(outer) != 1:
        return inputs
    return replace(inputs, clusters=outer[0].codes, cluster_name=outer[0].name)


def _check_univariate(inputs: Inputs, sigma2: Any) -> None:
    if sigma2 is not None:
        raise SpecificationError("sigma2= fixes random terms; without random= fix tau2=")
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
    counts = np.bincount(groups[groups >= 0])
    if np.any(counts > 1):
        warnings.warn(
            f"{int(np.sum(counts > 1))} {what} contribute more than one effect, which this model "
            "treats as independent; add random='~ 1 | study/effect' and V=, or use "
            "infer(vcov='CR2', cluster='study')",
            DependenceWarning,
            stacklevel=3,
        )


def _check_separable(
    problem: BlockProblem, terms: tuple[RandomTerm, ...], fixed: FloatArray, restricted: bool
) -> None:
    if not np.isnan(fixed).all():
        return
    named = inseparable(problem, starting_values(problem)[0], restricted)
    if named:
        shown = ", ".join(terms[t].name for t in named)
        raise SpecificationError(
            f"the variance of {shown} cannot be told apart from the other random terms or from "
            "the moderators; leave a term out of random= or a moderator out of mods="
        )
