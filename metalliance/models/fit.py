"""``fit``: from a specification and a table to a fitted model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metalliance.effectsize.table import EffectTable
from metalliance.errors import ConvergenceError, MetallianceWarning, SpecificationError
from metalliance.models.design import Design, build_design, check_rank
from metalliance.models.independent import (
    check_independent,
    fit_independent,
    read_weights,
)
from metalliance.models.inputs import Inputs, read_inputs
from metalliance.models.multilevel import (
    FixedValues,
    RandomPart,
    fit_multilevel,
    near_parameters,
    random_part,
    selected_part,
)
from metalliance.models.random import parse_random
from metalliance.models.result import Fit
from metalliance.models.specification import (
    check_method,
    describe_call,
    fixed_tau2,
    refuse_later_scope,
)
from metalliance.numerics.blocks import FloatArray

__all__ = ["Fit", "fit", "refit", "remodel"]


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
    tau2: FixedValues = None,
    sigma2: FixedValues = None,
    rho: FixedValues = None,
    near: Fit | None = None,
) -> Fit:
    """Fit a random-effects, meta-regression or multilevel model.

    Parameters
    ----------
    effects : EffectTable or DataFrame
        One row per effect; any table with effects and sampling variances can be fitted.
    mods : str
        Moderators, e.g. ``~ 1``, ``~ rater``, ``~ 0 + component``.
    random : str or list of str, optional
        Random effects; without them effects are independent. ``~ 1 | study/sample/effect``: an
        intercept at every level. ``~ component | study``: one random effect per component and
        study, together as ``structure`` says. ``~ 1 + week | study`` with GEN: random slopes.
        A list has several such terms, which may be crossed.
    structure : {'ID', 'DIAG', 'CS', 'HCS', 'UN', 'AR', 'GEN'} or list, optional
        Covariance of the inner levels of a group: equal variances without correlation, own
        variances, one variance and correlation (the default), own variances and one
        correlation, anything, correlation to the power of the distance in the order of the
        levels, and anything for slopes.
    V : SamplingCovariance or (k, k) array, optional
        Sampling covariance; the diagonal ``vi`` by default.
    method : {'EE', 'DL', 'HE', 'HS', 'HSk', 'SJ', 'ML', 'REML', 'EB', 'PM', 'PMM', 'GENQ'}
        Estimator of tau²; with ``random`` ML or REML. GENQ takes the ``weights``.
    yi, vi : str
        Columns of effects and sampling variances.
    weights : str or (k,) array, optional
        Weights of the mean of a univariate model, instead of 1/(vi + tau²).
    tau2, sigma2, rho : float or sequence, optional
        Values at which components are held, in the order of ``components``: tau² of a univariate
        model or of inner | outer terms, variances of intercepts, correlations. None leaves one
        free.
    near : Fit, optional
        The same random terms and structures fitted to other numbers: the search begins near its
        components alone, and in the usual places only where it does not converge from there.
    scale
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
    y ~ N(Xβ, V + τ²I), or N(Xβ, V + Σ Z_t G_t Z_t'). The likelihood is maximised by projected
    Newton steps from several places until a step can gain no more; ``convergence`` says where
    it ended. Variances of zero and correlations of one are found exactly.

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
    refuse_later_scope(scale=scale)
    check_method(method, random)
    inputs = read_inputs(effects, V, yi, vi)
    given = read_weights(weights, inputs.frame, method, random)
    design, X = build_design(mods, inputs.frame)
    if random is None:
        call = describe_call(mods, None, None, V, method, yi, vi, tau2, None, None, weights)
        check_independent(inputs, structure, sigma2, rho)
        return fit_independent(inputs, design, X, method, fixed_tau2(tau2, method), call, given)
    terms = parse_random(random, inputs.frame, structure)
    used = [term.structure for term in terms if term.structure != "1"]
    part = random_part(terms, sigma2, tau2, rho)
    call = describe_call(mods, random, used, V, method, yi, vi, tau2, sigma2, rho)
    if near is not None:
        if len(near.theta) != len(part.pinned):
            raise SpecificationError("near= is a fit with other random terms or structures")
        return _from_nearby(near, inputs, design, X, part, call)
    return fit_multilevel(inputs, design, X, method, part, call)


def remodel(fitted: Fit, mods: str, frame: pd.DataFrame) -> Fit:
    """The same effects, covariance and random terms with other moderators.

    Parameters
    ----------
    fitted : Fit
        With random terms.
    mods : str
        Moderators, as for ``fit``.
    frame : DataFrame
        The k rows that were fitted, in their order, with the columns of ``mods``.

    Returns
    -------
    Fit
        The search begins near the components of ``fitted``, where that of ``fit`` begins in
        several places; if it does not converge from there, it does begin in those.
    """
    if fitted.univariate or len(frame) != fitted.k:
        raise ValueError("remodel takes the rows of a fit with random terms")
    design, X = build_design(mods, frame)
    inputs = Inputs(
        frame=frame.set_axis(fitted.data.index),
        yi=fitted.yi,
        sampling=fitted.sampling,
        clusters=fitted.clusters,
        cluster_name=fitted.cluster_name,
    )
    part = selected_part(fitted, np.ones(fitted.k, dtype=bool))
    return _from_nearby(fitted, inputs, design, X, part, {**fitted.call, "mods": mods})


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
        given = fitted.weights
        weights = None if given is None else given[keep]
        return fit_independent(inputs, fitted.design, X, fitted.method, known, call, weights)
    return _from_nearby(fitted, inputs, fitted.design, X, selected_part(fitted, keep), call)


def _from_nearby(
    fitted: Fit,
    inputs: Inputs,
    design: Design,
    X: FloatArray,
    part: RandomPart,
    call: dict[str, Any],
) -> Fit:
    """A fit that resembles another, searched from its components."""
    near = near_parameters(part, fitted.theta, 0.01 * fitted.typical_v)
    try:
        return fit_multilevel(inputs, design, X, fitted.method, part, call, (near,))
    except ConvergenceError:
        # A single start may end on its way; the usual ones take longer.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetallianceWarning)
            return fit_multilevel(inputs, design, X, fitted.method, part, call)
