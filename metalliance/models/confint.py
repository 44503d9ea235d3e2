"""``confint``: intervals for variance components."""

from __future__ import annotations

import warnings
from typing import Literal, get_args

import numpy as np
import pandas as pd

from metalliance.errors import MetallianceWarning, SpecificationError
from metalliance.models.inference import Inference, as_model
from metalliance.models.result import Fit
from metalliance.numerics.linalg import orthonormal_basis
from metalliance.numerics.regressions import regressions
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
        percent) and h2; the limits of the latter two are those of tau2 carried over.

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
        return _multilevel_intervals(model, type, level)
    return _univariate_intervals(model, type or "qprofile", level)


def _multilevel_intervals(fit: Fit, type: str | None, level: float) -> pd.DataFrame:
    raise SpecificationError(
        "this version gives no intervals for the variance components of a model with random="
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
