"""``fit``: from a specification and a table to a fitted model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError
from metalliance.models.design import Design, build_design, check_rank
from metalliance.models.independent import (
    check_independent,
    fit_independent,
    read_weights,
    user_weights,
)
from metalliance.models.inputs import Inputs, read_inputs
from metalliance.models.random import RandomTerm, parse_random, select_rows
from metalliance.models.result import Component, Fit
from metalliance.models.specification import (
    check_method,
    describe_call,
    fixed_sigma2,
    fixed_tau2,
    refuse_later_scope,
)
from metalliance.numerics.blocks import FloatArray
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
    method : {'EE', 'DL', 'HE', 'HS', 'HSk', 'SJ', 'ML', 'REML', 'EB', 'PM', 'PMM', 'GENQ'}
        Estimator of tau²; with ``random`` ML or REML. GENQ takes the ``weights``.
    yi, vi : str
        Columns of effects and sampling variances.
    weights : str or (k,) array, optional
        Weights of the mean of a univariate model, instead of 1/(vi + tau²).
    tau2 : float, optional
        Fixes tau² of a univariate model.
    sigma2 : float or sequence, optional
        Fixes the variances of the random terms in their order; None leaves one free.
    structure, scale, rho
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
    refuse_later_scope(structure=structure, scale=scale, rho=rho)
    check_method(method, random)
    inputs = read_inputs(effects, V, yi, vi)
    given = read_weights(weights, inputs.frame, method, random)
    design, X = build_design(mods, inputs.frame)
    call = describe_call(mods, random, V, method, yi, vi, tau2, sigma2)
    if random is None:
        check_independent(inputs, sigma2)
        fixed = fixed_tau2(tau2, method)
        if given is not None:
            call["weights"] = weights if isinstance(weights, str) else "given"
        return fit_independent(inputs, design, X, method, fixed, call, given)
    if tau2 is not None:
        raise SpecificationError("tau2= fixes a univariate model; with random= fix sigma2=")
    terms = parse_random(random, inputs.frame)
    inputs = _with_clusters(inputs, terms)
    return _fit_multilevel(inputs, design, X, method, terms, fixed_sigma2(sigma2, terms), call)


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
        given = user_weights(fitted)
        weights = None if given is None else given[keep]
        return fit_independent(inputs, fitted.design, X, fitted.method, known, call, weights)
    terms = select_rows(fitted.random, keep)
    near = np.maximum(fitted.sigma2, 0.01 * fitted.typical_v)
    return _fit_multilevel(
        inputs, fitted.design, X, fitted.method, terms, np.array(fixed), call, near
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
