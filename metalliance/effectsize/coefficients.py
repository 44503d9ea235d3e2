"""Regression coefficients and hazard ratios: what they say about a correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from metalliance.effectsize.correlation import (
    fisher_z,
    r_variance,
    r_variance_from_z,
)
from metalliance.effectsize.estimate import Estimate, Given, Quality, from_zero_order
from metalliance.effectsize.precision import (
    printed_standard_error,
    printed_t,
    standard_error_needed,
)
from metalliance.effectsize.slopes import (
    logistic_slope_d,
    logistic_slope_z,
    logistic_slope_z_variance,
    partial_r,
    standardised_slope,
    within_sd,
)
from metalliance.effectsize.within import from_b_within, from_beta_within, refuse_unpooled

__all__ = ["from_b", "from_beta", "from_hazard_ratio", "from_odds_ratio_slope"]


def from_beta(given: Given) -> Estimate:
    """Standardised regression coefficient.

    One predictor: r = β exactly. Several: the partial correlation t/√(t² + df) with t = β/SE and
    df = n − m − 1, a different estimand from r, which its route names. Without a standard error
    nothing is made of a β among several: formulas that take β for r (Peterson & Brown, 2005)
    have no statistical ground. Within patients, or net of the lagged outcome, see
    ``from_beta_within``.

    References
    ----------
    Aloe, A. M. (2015). Inaccuracy of regression results in replacing bivariate correlations.
    Research Synthesis Methods, 6, 21–27. https://doi.org/10.1002/jrsm.1126

    Examples
    --------
    >>> one = from_beta(Given(stat="beta", value=.30, n=80, m=1))
    >>> several = from_beta(Given(stat="beta", value=.30, se=.11, n=80, m=3))
    >>> round(one.r, 3), one.quality, round(several.r, 3), several.route
    (0.3, 'direct', 0.299, 'beta, partial r')
    """
    refuse_unpooled(given)
    if given.within and given.sd_level is None and given.estimand != "lagged_partial":
        raise ValueError(
            "sd_level is missing: is the within-patient beta in SDs within patients ('within') or "
            "of all scores ('total', which also needs icc_x and icc_y)?"
        )
    if given.within or given.estimand == "lagged_partial":
        return from_beta_within(given)
    if given.component == "between_latent":
        return _latent_beta(given)
    model = _model(given)
    if model.m == 1:
        how = "r = beta with one predictor"
        return from_zero_order(
            given.printed, given.patients, route="beta", quality="direct", how=how
        )
    return _partial(given, model)


def from_b(given: Given) -> Estimate:
    """Unstandardised regression coefficient, in the units of the measures.

    Within patients, see ``from_b_within``. Else, with one predictor and the standard deviations of
    the same patients, r = b·SD_x/SD_y; in every other case the partial correlation of
    t = b/SE with df = n − m − 1 patients, which needs no standard deviation. A contextual or
    blended coefficient is no correlation.

    Examples
    --------
    >>> between = {"stat": "b", "value": -.45, "se": .15, "component": "between_observed"}
    >>> estimate = from_b(Given(**between, n=120, m=2))
    >>> round(estimate.r, 3), round(1 / estimate.vi), estimate.quality
    (-0.267, 116, 'converted')
    """
    refuse_unpooled(given)
    if given.within or given.estimand == "lagged_partial":
        return from_b_within(given)
    model = _model(given)
    if model.m == 1 and given.sd_x is not None and given.sd_y is not None:
        _refuse_other_level(given)
        beta = standardised_slope(given.printed, given.sd_x, given.sd_y)
        how = f"r = beta = {given.printed:g} x {given.sd_x:g}/{given.sd_y:g} with one predictor"
        return from_zero_order(beta, given.patients, route="b", quality="converted", how=how)
    return _partial(given, model)


def from_odds_ratio_slope(given: Given) -> Estimate:
    """Odds ratio per unit of alliance, from a logistic regression.

    d = lnOR·SD_x·√3/π and r = d/√(1 + d²), the correlation with the continuous outcome that the
    two categories are taken to cut; z = arsinh d with Var(z) = SE_d²/(1 + d²). The interval is
    one of the odds ratio, ``se`` that of its logarithm.

    Examples
    --------
    >>> printed = Given(stat="OR", value=1.5, ci=(1.1, 2.045), sd_x=.8, n=150)
    >>> estimate = from_odds_ratio_slope(printed)
    >>> round(estimate.r, 3), round(estimate.vi, 5), estimate.quality
    (0.176, 0.00472, 'approximated')
    """
    sd_x, how = _alliance_sd(given)
    return _logistic(given, sd_x, how, name="OR", quality="approximated")


def from_hazard_ratio(given: Given) -> Estimate:
    """Hazard ratio of dropout: read as an odds ratio, and so only a bound.

    There is no exact conversion. Where dropout is rare the hazard ratio is near the odds ratio;
    where it is common it lies nearer to 1, and |r| is a lower bound. Per unit of alliance with
    ``sd_x``, or of two groups with ``n1`` and ``n2``, whose indicator has SD √(n1·n2)/(n1 + n2).

    Examples
    --------
    >>> printed = Given(stat="HR", value=.7, ci=(.5, .98), sd_x=.8, n=150)
    >>> estimate = from_hazard_ratio(printed)
    >>> round(estimate.r, 3), estimate.quality
    (-0.155, 'bounded')
    """
    if given.sd_x is None and given.n1 is not None and given.n2 is not None:
        sd_x, how = _indicator_sd(given.n1, given.n2)
    else:
        sd_x, how = _alliance_sd(given)
    how += (
        "; dropout only: HR read as OR, which holds where dropout is rare and is a lower bound of "
        "|r| where it is common"
    )
    return _logistic(given, sd_x, how, name="HR", quality="bounded")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """Predictors (alliance included) and residual degrees of freedom in patients."""

    m: float
    df: float
    how: str


def _model(given: Given) -> _Model:
    n, m, df = given.n, given.m, given.df
    if m is not None and m < 1:
        raise ValueError(f"m = {m:g}: alliance itself counts, so m is at least 1")
    if df is not None:
        if n is not None and df > n - 2:
            raise ValueError(
                f"df = {df:g} is more than n = {n:g} patients allow; df of occasions do not belong "
                "to a coefficient between patients. Give m, or df in patients"
            )
        implied = math.nan if n is None else n - df - 1
        return _Model(m=implied if m is None else m, df=df, how=f"df = {df:g} as printed")
    n = given.patients
    if m is None:
        raise ValueError(
            "m is missing (the number of predictors in the model, alliance and its other terms "
            "included), or df"
        )
    df = n - m - 1
    return _Model(m=m, df=df, how=f"df = {n:g} - {m:g} - 1 = {df:g}")


def _partial(given: Given, model: _Model) -> Estimate:
    t, how = printed_t(given, what=f"a {given.stat} among several predictors", df=model.df)
    r = partial_r(t, model.df)
    z, v = fisher_z(r), 1.0 / (model.df - 1)
    latent = given.component == "between_latent"
    bound = ", a lower bound of |r|: latent scores are less certain than observed ones"
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance(r, model.df + 2),
        ni=model.df + model.m + 1 if given.n is None else given.n,
        route=f"{given.stat}, partial r",
        quality="bounded" if latent else "converted",
        trace=(
            f"{how}; {model.how}; partial r = t/sqrt(t^2 + df) = {r:.6g}{bound if latent else ''}; "
            f"z = {z:.6g}; v = 1/({model.df:g} - 1) = {v:.6g}"
        ),
    )


def _latent_beta(given: Given) -> Estimate:
    if given.m != 1:
        return _partial(given, _model(given))
    error = standard_error_needed(
        printed_standard_error(given, given.printed),
        "a latent correlation, which is less precise than n patients suggest,",
    )
    r = given.printed
    z, se_z = fisher_z(r), error.se / (1.0 - r * r)
    v = se_z * se_z
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=error.se * error.se,
        ni=math.nan if given.n is None else given.n,
        route="beta latent",
        quality="converted",
        trace=(
            f"r = beta with one predictor; z = atanh({r:.6g}) = {z:.6g}; {error.how}; "
            f"v = SE^2/(1 - r^2)^2 = {v:.6g}"
        ),
    )


def _refuse_other_level(given: Given) -> None:
    fitting = "between" if (given.component or "").startswith("between_") else "total"
    if given.sd_level not in (fitting, *([None] if fitting == "total" else [])):
        raise ValueError(
            f"sd_level {given.sd_level!r} does not standardise a coefficient of component "
            f"{given.component or 'total'!r}; it takes {fitting}, or leave sd_x and sd_y blank "
            "and give se or test_value"
        )


def _alliance_sd(given: Given) -> tuple[float, str]:
    refuse_unpooled(given)
    if given.estimand == "lagged_partial":
        raise ValueError(
            "an effect net of the lagged outcome is pooled as a standardised coefficient; "
            "an odds or hazard ratio is none"
        )
    if given.sd_x is None:
        raise ValueError(
            "sd_x is missing: the ratio is per unit of alliance, so its SD is needed (1 where the "
            "ratio is per SD)"
        )
    if not given.within or given.sd_level == "within":
        return given.sd_x, f"SD = {given.sd_x:g}"
    if given.sd_level != "total" or given.icc_x is None:
        raise ValueError(
            "a within-patient ratio needs sd_x within patients (sd_level 'within'), or of all "
            "scores ('total') with icc_x"
        )
    sd_x = within_sd(given.sd_x, given.icc_x)
    return sd_x, f"SD within = {given.sd_x:g} x sqrt(1 - {given.icc_x:g}) = {sd_x:.6g}"


def _indicator_sd(n1: float, n2: float) -> tuple[float, str]:
    if not (n1 > 0 and n2 > 0):
        raise ValueError(f"n1 = {n1:g} and n2 = {n2:g} must both be above 0")
    sd_x = math.sqrt(n1 / (n1 + n2)) * math.sqrt(n2 / (n1 + n2))
    return sd_x, f"two groups of {n1:g} and {n2:g}: SD = {sd_x:.6g}"


def _logistic(given: Given, sd_x: float, how: str, *, name: str, quality: Quality) -> Estimate:
    if not given.printed > 0:
        raise ValueError(
            f"{name} = {given.printed:g} must be above 0; where ln {name} is printed, give its "
            "exponential"
        )
    log_ratio = math.log(given.printed)
    error = standard_error_needed(
        printed_standard_error(given, log_ratio, ratio=True), f"the {name} of a slope"
    )
    d = logistic_slope_d(log_ratio, sd_x)
    z = logistic_slope_z(d)
    v = logistic_slope_z_variance(d, logistic_slope_d(error.se, sd_x))
    r = math.tanh(z)
    adjusted = "" if given.m in (None, 1) else f"; adjusted for {given.m - 1:g} other predictors"
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance_from_z(r, v),
        ni=math.nan if given.n is None else given.n,
        route=f"{name} slope",
        quality=quality,
        trace=(
            f"{how}; d = ln({given.printed:g}) x SD x sqrt(3)/pi = {d:.6g}; "
            f"r = d/sqrt(1 + d^2) = {r:.6g}; z = {z:.6g}; {error.how} of ln {name}; "
            f"v = SE_d^2/(1 + d^2) = {v:.6g}{adjusted}"
        ),
    )
