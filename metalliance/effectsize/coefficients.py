"""Regression coefficients: standardised, raw, within patients, logistic, hazard ratios."""

from __future__ import annotations

import math

from metalliance.effectsize.correlation import fisher_z, r_variance_from_z
from metalliance.effectsize.estimate import (
    Estimate,
    Given,
    Quality,
    fisher,
    from_zero_order,
    partial_from_t,
    residual_df,
    standard_error,
    worse,
)
from metalliance.effectsize.groups import LOGIT_TO_D
from metalliance.effectsize.within import from_wald_within

__all__ = [
    "beta_to_r_peterson_brown",
    "between_from_contextual",
    "from_b",
    "from_beta",
    "from_beta_within",
    "from_hazard_ratio",
    "from_odds_ratio_slope",
    "within_metric",
]

NEVER_R = {
    "contextual": "a contextual coefficient is between minus within, in raw units: kept as b with "
    "its SE, never a correlation",
    "blended": "a slope of uncentred alliance mixes within and between: no correlation of either",
}


def from_beta(given: Given) -> Estimate:
    """Standardised coefficient of a model of patients.

    With one predictor r = β exactly. With m predictors the partial correlation of its test,
    t = β/SE, df = n − m − 1. Net of the lagged outcome β stays a β: yi = β, vi = SE². β is never
    turned into r by a regression equation.

    References
    ----------
    Aloe, A. M. (2014). https://doi.org/10.1080/00221309.2013.853021
    """
    _refuse(given)
    if given.lagged_partial:
        return _kept_as_beta(given.oriented(), 1.0, given, "")
    if given.within:
        return from_beta_within(given)
    beta = given.oriented()
    if given.m == 1 or (given.m is None and given.df is None and _has_no_error(given)):
        if given.m is None:
            raise ValueError(
                "with one predictor say m=1 (then r = beta); with more give its se, ci or "
                "test_value, and m or df"
            )
        how = f"beta = {beta:.6g} of the only predictor is r"
        return from_zero_order(beta, given.patients(), route="beta r", quality="direct", how=how)
    return _partial(beta, given, f"beta = {beta:.6g}", "beta partial")


def from_b(given: Given) -> Estimate:
    """Unstandardised coefficient.

    Of patients: the partial correlation of its test t = b/SE, df = n − m − 1; with one predictor
    and both standard deviations r = b·SD_x/SD_y. Within patients b·SD_x/SD_y with *within* standard
    deviations is standardised; without them only its test is left, which bounds |r| from below.
    """
    _refuse(given)
    b = given.oriented()
    if given.within or given.lagged_partial:
        return _within_b(b, given)
    if given.m == 1 and given.sd_x is not None and given.sd_y is not None:
        beta = b * _ratio(given)
        how = f"r = b SD_x/SD_y = {b:.6g} x {given.sd_x:g}/{given.sd_y:g} = {beta:.6g}"
        return from_zero_order(beta, given.patients(), route="b r", quality="converted", how=how)
    return _partial(b, given, f"b = {b:.6g}", "b partial")


def from_beta_within(given: Given) -> Estimate:
    """Standardised within-patient slope.

    Zero-order: z = atanh β, Var(z) = SE²/(1 − β²). Net of the lagged outcome: yi = β, vi = SE²,
    with no atanh since |β| may exceed 1. A slope standardised by *total* standard deviations is
    first turned to within ones: β_w = β √((1 − ICC_x)/(1 − ICC_y)).
    """
    _refuse(given)
    factor, told = _to_within(given)
    beta = given.oriented() * factor
    if given.lagged_partial:
        return _kept_as_beta(beta, factor, given, told)
    return _slope_to_z(beta, factor, given, told or f"beta = {beta:.6g}", "beta within")


def within_metric(ratio: float, icc_x: float, icc_y: float) -> float:
    """SD_x/SD_y of total scores turned into that of deviations from patient means.

    SD_within = SD_total √(1 − ICC), so that the ratio is multiplied by √((1 − ICC_x)/(1 − ICC_y)).
    Leaving this out is the commonest error with within-patient slopes: at ICC .7 and .6 the slope
    is 15 % too large.

    Examples
    --------
    >>> round(1 / within_metric(1, .7, .6), 3)
    1.155
    """
    for name, icc in (("icc_x", icc_x), ("icc_y", icc_y)):
        if not 0 <= icc < 1:
            raise ValueError(f"{name} = {icc:g} lies from 0 to below 1")
    return ratio * math.sqrt((1 - icc_x) / (1 - icc_y))


def from_odds_ratio_slope(given: Given) -> Estimate:
    """Odds ratio per unit of alliance: d = ln(OR)·SD_x·√3/π, r = d/√(1 + d²).

    Var(d) = (SE·SD_x·√3/π)², Var(r) = Var(d)/(1 + d²)³. The logistic curve is taken for a normal
    one: approximated.

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Psychological Bulletin, 117, 167–178.
    https://doi.org/10.1037/0033-2909.117.1.167
    """
    return _from_ratio_slope(given, "OR", "approximated")


def from_hazard_ratio(given: Given) -> Estimate:
    """Hazard ratio per unit of alliance, read as an odds ratio: a rough bound.

    Only for events that are rare over the time observed, and only among dropout outcomes.
    """
    return _from_ratio_slope(given, "HR", "bounded")


def between_from_contextual(
    b_within: float,
    b_contextual: float,
    se_within: float,
    se_contextual: float,
    covariance: float | None = None,
) -> tuple[float, float, Quality]:
    """Between coefficient of a model with the raw predictor and the person mean.

    b_between = b_within + b_contextual, Var = SE_w² + SE_c² + 2 Cov. The two are nearly always
    negatively correlated; without the covariance Var is too large, and flagged.

    Returns
    -------
    (float, float, str)
        Coefficient, standard error, quality.

    Examples
    --------
    >>> between_from_contextual(-.21, -.45, .08, .15)
    (-0.66, 0.17, 'approximated')
    """
    v = se_within**2 + se_contextual**2 + 2 * (covariance or 0.0)
    if v <= 0:
        raise ValueError("the covariance does not fit the two standard errors")
    quality: Quality = "approximated" if covariance is None else "converted"
    return round(b_within + b_contextual, 12), round(math.sqrt(v), 12), quality


def beta_to_r_peterson_brown(beta: float) -> float:
    """R = .98 β + .05 λ, λ = 1 where β ≥ 0: never used by this package.

    The equation has no statistical ground, is wrong even with one predictor, and is not symmetric:
    .20 becomes .246 and −.20 becomes −.196, so that the answer depends on the orientation of the
    scale. It stands here so that published reviews that used it can be followed.

    References
    ----------
    Peterson, R. A., & Brown, S. P. (2005). Journal of Applied Psychology, 90, 175–181.
    https://doi.org/10.1037/0021-9010.90.1.175

    Examples
    --------
    >>> round(beta_to_r_peterson_brown(.2), 3), round(beta_to_r_peterson_brown(-.2), 3)
    (0.246, -0.196)
    """
    return 0.98 * beta + (0.05 if beta >= 0 else 0.0)


def _refuse(given: Given) -> None:
    reason = NEVER_R.get(given.component)
    if reason is not None:
        raise ValueError(reason)


def _has_no_error(given: Given) -> bool:
    return given.se is None and given.ci is None and given.test_value is None


def _partial(coefficient: float, given: Given, how: str, route: str) -> Estimate:
    df, counted = residual_df(given)
    if given.test_value is not None and given.se is None and given.ci is None:
        t = math.copysign(abs(given.test_value), coefficient)
        told = f"t = {t:.6g} as printed"
    else:
        se, source = standard_error(given)
        t = coefficient / se
        told = f"{source}, t = {how.split(' = ')[0]}/SE = {t:.6g}"
    return partial_from_t(
        t, df, n=given.n, route=route, quality="converted", how=f"{how}; {told}; {counted}"
    )


def _within_b(b: float, given: Given) -> Estimate:
    if given.sd_x is None or given.sd_y is None:
        if given.lagged_partial:
            raise ValueError(
                "a slope net of the lagged outcome is pooled as a standardised coefficient: give "
                "sd_x and sd_y (within patients, or total with icc_x and icc_y)"
            )
        return _bounded_slope(b, given)
    factor, told = _standardiser(given)
    beta = b * factor
    how = f"beta = b {told} = {b:.6g} x {factor:.6g} = {beta:.6g}"
    if given.lagged_partial:
        return _kept_as_beta(beta, factor, given, how)
    return _slope_to_z(beta, factor, given, how, "b within")


def _bounded_slope(b: float, given: Given) -> Estimate:
    if given.test_value is not None and given.se is None and given.ci is None:
        t = math.copysign(abs(given.test_value), b)
        how = f"b = {b:.6g}; t = {t:.6g} as printed"
    else:
        se, told = standard_error(given)
        t = b / se
        how = f"b = {b:.6g}; {told}; t = b/SE = {t:.6g}"
    return from_wald_within(t, given, how=how, route="b within t")


def _ratio(given: Given) -> float:
    assert given.sd_x is not None and given.sd_y is not None
    if not (given.sd_x > 0 and given.sd_y > 0):
        raise ValueError("sd_x and sd_y are above 0")
    return given.sd_x / given.sd_y


def _standardiser(given: Given) -> tuple[float, str]:
    """What turns a raw within slope into a standardised one, with words."""
    ratio = _ratio(given)
    if given.sd_level == "within":
        return ratio, f"SD_x/SD_y (within) = b x {given.sd_x:g}/{given.sd_y:g}"
    if given.sd_level == "total":
        if given.icc_x is None or given.icc_y is None:
            raise ValueError(
                "total standard deviations make a within slope too large or too small: give icc_x "
                "and icc_y, or the standard deviations within patients"
            )
        told = (
            f"SD_x/SD_y (total) x sqrt((1 - {given.icc_x:g})/(1 - {given.icc_y:g}))"
            f" = b x {given.sd_x:g}/{given.sd_y:g} x "
            f"{math.sqrt((1 - given.icc_x) / (1 - given.icc_y)):.6g}"
        )
        return within_metric(ratio, given.icc_x, given.icc_y), told
    level = f"{given.sd_level!r}" if given.sd_level else "not said"
    raise ValueError(f"sd_level is {level}; a within slope needs 'within', or 'total' with ICCs")


def _to_within(given: Given) -> tuple[float, str]:
    """Factor from the metric a slope is standardised in to the within metric, with words."""
    if given.sd_level in (None, "within"):
        return 1.0, ""
    if given.sd_level != "total":
        raise ValueError(f"sd_level is {given.sd_level!r}; a within slope needs within or total")
    if given.icc_x is None or given.icc_y is None:
        raise ValueError(
            "a within slope standardised by total standard deviations is too large or too small: "
            "give icc_x and icc_y"
        )
    factor = within_metric(1.0, given.icc_x, given.icc_y)
    beta = given.oriented()
    return factor, (
        f"beta (total) = {beta:.6g}; beta within = {beta:.6g} x "
        f"sqrt((1 - {given.icc_x:g})/(1 - {given.icc_y:g})) = {beta * factor:.6g}"
    )


def _slope_to_z(beta: float, factor: float, given: Given, how: str, route: str) -> Estimate:
    """Zero-order standardised within slope on Fisher's z; its own SE carries its precision."""
    z = fisher(beta)
    se, told = standard_error(given)
    scaled = se * factor
    scale = f", in this metric {scaled:.6g}" if factor != 1 else ""
    v = scaled**2 / (1 - beta * beta)
    return Estimate(
        yi=z,
        vi=v,
        r=beta,
        v_r=r_variance_from_z(beta, v),
        ni=math.nan if given.n is None else given.n,
        route=route,
        quality="converted",
        trace=f"{how}; {told}{scale}; z = atanh({beta:.6g}) = {z:.6g}; "
        f"v = SE^2/(1 - beta^2) = {v:.6g}; effective n = 1/v + 3 = {1 / v + 3:.0f}",
    )


def _kept_as_beta(beta: float, factor: float, given: Given, how: str) -> Estimate:
    """β net of the lagged outcome: yi = β, vi = SE²."""
    se, told = standard_error(given)
    scaled = se * factor
    scale = f", in this metric {scaled:.6g}" if factor != 1 else ""
    quality: Quality = "direct" if factor == 1 and not how else "converted"
    return Estimate(
        yi=beta,
        vi=scaled**2,
        r=math.nan,
        v_r=math.nan,
        ni=math.nan if given.n is None else given.n,
        route="beta",
        quality=quality,
        trace=f"{how or f'beta = {beta:.6g} kept as it is'}; {told}{scale}; "
        f"v = SE^2 = {scaled**2:.6g}",
        es_metric="beta",
    )


def _from_ratio_slope(given: Given, name: str, quality: Quality) -> Estimate:
    if given.within:
        raise ValueError(f"a within-patient {name} is not converted")
    _refuse(given)
    ratio = given.number()
    if not ratio > 0:
        raise ValueError(f"{name} = {ratio:g} is not above 0")
    if given.sd_x is None:
        raise ValueError(
            f"{name} per unit of alliance needs sd_x (1 where alliance is standardised)"
        )
    if not given.sd_x > 0:
        raise ValueError(f"sd_x = {given.sd_x:g} is above 0")
    log_ratio = math.log(ratio) * (given.sign or 1)
    se, told = standard_error(given, log=True)
    d = log_ratio * given.sd_x * LOGIT_TO_D
    v_d = (se * given.sd_x * LOGIT_TO_D) ** 2
    r = d / math.sqrt(1 + d * d)
    v_r = v_d / (1 + d * d) ** 3
    z = fisher_z(r)
    v = v_r / (1 - r * r) ** 2
    bound = "; read as an odds ratio: only for rare events" if name == "HR" else ""
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=v_r,
        ni=math.nan if given.n is None else given.n,
        route=f"{name} slope",
        quality=worse(quality, "approximated"),
        trace=f"ln {name} = ln {ratio:g} = {log_ratio:.6g}, {told}; "
        f"d = ln {name} x {given.sd_x:g} x sqrt(3)/pi = {d:.6g}; r = d/sqrt(1 + d^2) = {r:.6g}; "
        f"Var(r) = {v_r:.6g}; z = {z:.6g}, v = {v:.6g}{bound}",
    )
