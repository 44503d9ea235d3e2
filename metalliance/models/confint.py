"""``confint``: intervals for variance components."""

from __future__ import annotations

import warnings
from typing import Literal, get_args

import numpy as np
import pandas as pd

from metalliance.errors import MetallianceWarning, SpecificationError
from metalliance.models.inference import Inference, as_model
from metalliance.models.result import Fit
from metalliance.numerics.covariances import Natural
from metalliance.numerics.likelihood import likelihood_of
from metalliance.numerics.linalg import orthonormal_basis
from metalliance.numerics.parameters import parameters_of
from metalliance.numerics.profile import Profiled, profile_interval
from metalliance.numerics.regressions import regressions
from metalliance.numerics.starts import total_variance
from metalliance.numerics.tau2_intervals import Interval, likelihood_interval, q_profile

__all__ = ["INTERVALS", "confint"]

IntervalType = Literal["qprofile", "profile"]
INTERVALS: tuple[str, ...] = get_args(IntervalType)


def confint(fit: Fit | Inference, type: str | None = None, level: float = 0.95) -> pd.DataFrame:
    """Confidence intervals for the variance components.

    Parameters
    ----------
    fit : Fit or Inference
    type : {None, 'qprofile', 'profile'}
        ``qprofile`` inverts the generalised Q statistic and goes with every estimator of a
        univariate model, whose default it is. ``profile`` inverts the likelihood ratio test
        of an ML or REML fit.
    level : float

    Returns
    -------
    DataFrame
        term name estimate conf_low conf_high. A univariate fit has the rows tau2, i2 (in
        percent) and h2; the limits of the latter two are those of tau2 carried over. With
        random terms there is one row per component; NaN where it is held.

    Raises
    ------
    SpecificationError
        If tau2 was not estimated, or not by a likelihood where ``type`` needs one.

    Warns
    -----
    MetallianceWarning
        If the effects vary less than any tau2 allows, so that the interval is empty; both
        limits are then zero.

    Notes
    -----
    I² = 100 τ²/(τ² + ṽ) and H² = τ²/ṽ + 1 with ṽ = (k-p)/tr P at W = 1/vi.

    References
    ----------
    Viechtbauer (2007), doi:10.1002/sim.2514.
    """
    if type is not None and type not in INTERVALS:
        raise ValueError(f"unknown type {type!r}; choose one of {', '.join(INTERVALS)}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    model = as_model(fit)
    if not model.univariate:
        return _multilevel_intervals(model, type or "profile", level)
    return _univariate_intervals(model, type or "qprofile", level)


def _multilevel_intervals(fit: Fit, type: str, level: float) -> pd.DataFrame:
    if type != "profile":
        raise SpecificationError(
            f"type={type!r} holds for univariate models; with random= choose type='profile'"
        )
    profiled = _profiled(fit)
    rows, component = [], iter(fit.components)
    for t, natural in enumerate(profiled.naturals):
        for place in range(len(natural.tau2) + len(natural.rho)):
            part = next(component)
            limits = (np.nan, np.nan)
            if not part.fixed:
                try:
                    interval = profile_interval(profiled, t, place, level)
                except ValueError as error:
                    raise SpecificationError(
                        f"{part.name} of {part.term} has no profile beside what is held: {error}"
                    ) from None
                limits = (interval.low, interval.high)
            rows.append((part.term, part.name, part.estimate, *limits))
    return pd.DataFrame(rows, columns=["term", "name", "estimate", "conf_low", "conf_high"])


def _profiled(fit: Fit) -> Profiled:
    """The likelihood of a fit, its structures with nothing held, and what is held."""
    factors = [term.factor for term in fit.random]
    likelihood = likelihood_of(fit.yi, fit.X, fit.sampling, factors, fit.method == "REML")
    naturals = parameters_of([factor.structure for factor in factors]).natural(fit.theta)
    held, components = [], iter(fit.components)
    for natural in naturals:
        values = [
            value if next(components).fixed else np.nan for value in (*natural.tau2, *natural.rho)
        ]
        split = len(natural.tau2)
        held.append(Natural(tau2=np.array(values[:split]), rho=np.array(values[split:])))
    return Profiled(
        likelihood=likelihood,
        parameters=parameters_of([term.free_structure for term in fit.random]),
        naturals=naturals,
        held=tuple(held),
        height=fit.log_lik_reml if fit.method == "REML" else fit.log_lik_ml,
        unit=total_variance(likelihood),
    )


def _univariate_intervals(fit: Fit, type: str, level: float) -> pd.DataFrame:
    if fit.components[0].fixed:
        reason = "method EE sets tau2 to zero" if fit.method == "EE" else "tau2= was fixed"
        raise SpecificationError(
            f"{reason}, so it has no confidence interval; estimate it, for example with REML"
        )
    interval = _tau2_interval(fit, type, level)
    if interval.empty:
        warnings.warn(
            f"the effects vary less than sampling error alone explains at the {level:.0%} level: "
            "the confidence interval of tau2 is empty, and both limits are given as zero",
            MetallianceWarning,
            stacklevel=3,
        )
    values = np.array([fit.tau2, interval.low, interval.high])
    return pd.DataFrame(
        [
            ("", name, *numbers)
            for name, numbers in (
                ("tau2", values),
                ("i2", 100 * values / (values + fit.typical_v)),
                ("h2", values / fit.typical_v + 1),
            )
        ],
        columns=["term", "name", "estimate", "conf_low", "conf_high"],
    )


def _tau2_interval(fit: Fit, type: str, level: float) -> Interval:
    problem = regressions(fit.yi, fit.vi, orthonormal_basis(fit.X).Q)
    if type == "qprofile":
        return q_profile(problem, level)
    if fit.method not in ("ML", "REML"):
        raise SpecificationError(
            f"type='profile' inverts a likelihood, which {fit.method} does not maximise; "
            "choose type='qprofile', or fit by ML or REML"
        )
    return likelihood_interval(problem, fit.tau2, fit.method == "REML", level)
