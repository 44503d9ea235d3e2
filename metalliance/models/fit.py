"""``fit``: from a specification and a table to a fitted model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.errors import DependenceWarning, SpecificationError
from metalliance.models.design import Design, build_design
from metalliance.models.inputs import Inputs, is_diagonal, read_inputs
from metalliance.models.random import RandomTerm, parse_random
from metalliance.models.result import Component, Fit
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
from metalliance.numerics.tau2 import ESTIMATORS, TAU2_METHODS, Tau2
from metalliance.numerics.univariate import (
    log_likelihoods,
    typical_variance,
    weighted_least_squares,
)

__all__ = ["fit"]

_NOT_YET = ("HE", "HS", "HSk", "SJ", "EB", "PMM", "GENQ")


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
    _refuse_later_scope(structure=structure, weights=weights, scale=scale, rho=rho)
    _check_method(method, random)
    inputs = read_inputs(effects, V, yi, vi)
    design, X = build_design(mods, inputs.frame)
    call = _call(mods, random, V, method, yi, vi, tau2, sigma2)
    if random is None:
        _check_univariate(inputs, sigma2)
        return _fit_univariate(inputs, design, X, method, _fixed_tau2(tau2, method), call)
    if tau2 is not None:
        raise SpecificationError("tau2= fixes a univariate model; with random= fix sigma2=")
    terms = parse_random(random, inputs.frame)
    fixed = _fixed_sigma2(sigma2, terms)
    return _fit_multilevel(inputs, design, X, method, terms, fixed, call)


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
        cluster_name="study or sample" if inputs.clusters is not None else "",
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
) -> Fit:
    restricted = method == "REML"
    groupings = [term.codes for term in terms]
    V = inputs.sampling.regroup(model_blocks(inputs.sampling, groupings))
    problem = block_problem(inputs.yi, X, V, [grouping_kernel(V, codes) for codes in groupings])
    _check_separable(problem, terms, fixed, restricted)
    best = maximise(problem, restricted, fixed)
    alone = evaluate(problem, np.zeros(len(terms)), restricted)
    clusters, name = _default_clusters(inputs, terms)
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
        clusters=clusters,
        cluster_name=name,
        q=alone.rss,
        typical_v=(len(X) - X.shape[1]) / alone.trace_p,
        log_lik_ml=best.at.ml,
        log_lik_reml=best.at.reml,
        convergence=best.convergence,
    )


def _default_clusters(inputs: Inputs, terms: tuple[RandomTerm, ...]) -> tuple[Any, str]:
    """Linked studies and samples of an EffectTable; else the outermost factor, if there is one."""
    if inputs.clusters is not None:
        return inputs.clusters, "study or sample"
    outer = [term for term in terms if term.outermost]
    return (outer[0].codes, outer[0].name) if len(outer) == 1 else (None, "")


def _refuse_later_scope(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise SpecificationError(
                f"{name}= is not fitted by this version; it fits univariate models "
                f"({', '.join(TAU2_METHODS)}) and nested random intercepts (ML, REML)"
            )


def _check_method(method: str, random: Any) -> None:
    if method in _NOT_YET:
        raise SpecificationError(
            f"method {method} is not fitted by this version; it fits {', '.join(TAU2_METHODS)}"
        )
    if method not in TAU2_METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(TAU2_METHODS)}")
    if random is not None and method not in ("ML", "REML"):
        raise SpecificationError(
            f"random= is fitted by ML or REML, not by {method}; choose one of them, "
            "or leave random= out"
        )


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


def _fixed_tau2(tau2: float | None, method: str) -> float | None:
    if tau2 is None:
        return None
    if method == "EE":
        raise SpecificationError("method EE sets tau2 to zero; leave tau2= out, or use REML")
    if not (np.isscalar(tau2) and np.isfinite(tau2) and tau2 >= 0):
        raise SpecificationError(f"tau2= must be a number of at least zero, not {tau2!r}")
    return float(tau2)


def _fixed_sigma2(sigma2: Any, terms: tuple[RandomTerm, ...]) -> FloatArray:
    if sigma2 is None:
        return np.full(len(terms), np.nan)
    given = [sigma2] if np.isscalar(sigma2) else list(sigma2)
    names = ", ".join(term.name for term in terms)
    if len(given) != len(terms):
        raise SpecificationError(
            f"sigma2= has {len(given)} values for {len(terms)} random terms ({names})"
        )
    values = np.array([np.nan if value is None else value for value in given], dtype=np.float64)
    if np.any(values < 0) or np.any(np.isinf(values)):
        raise SpecificationError(f"sigma2= must be finite and at least zero, not {sigma2!r}")
    return values


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


def _call(
    mods: str,
    random: str | Sequence[str] | None,
    V: Any,
    method: str,
    yi: str,
    vi: str,
    tau2: float | None,
    sigma2: float | Sequence[float | None] | None,
) -> dict[str, Any]:
    """The specification, ready for JSON."""
    note = getattr(V, "description", None)
    if V is None:
        covariance = f"diag({vi})"
    else:
        covariance = str(note) if isinstance(note, str) else "given"
    fixed: Any = sigma2
    if sigma2 is not None and not np.isscalar(sigma2):
        fixed = [None if value is None else float(value) for value in sigma2]
    return {
        "mods": mods.strip(),
        "random": random if random is None or isinstance(random, str) else list(random),
        "V": covariance,
        "method": method,
        "yi": yi,
        "vi": vi,
        "tau2": None if tau2 is None else float(tau2),
        "sigma2": float(fixed) if np.isscalar(fixed) else fixed,
    }
