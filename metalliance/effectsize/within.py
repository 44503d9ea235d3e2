"""Within-patient correlations and coefficients, standardised or read from their test.

A coefficient in within-patient SDs is the best there is; a bare test value is the last resort.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from metalliance.effectsize.correlation import (
    fisher_z,
    r_variance_from_z,
)
from metalliance.effectsize.estimate import Estimate, Given, Quality
from metalliance.effectsize.occasions import (
    approximate_variance,
    conversion_df,
    occasions_of,
)
from metalliance.effectsize.precision import (
    StandardError,
    printed_standard_error,
    printed_t,
    standard_error_needed,
)
from metalliance.effectsize.slopes import (
    fixed_sd_z_variance,
    n_effective,
    occasion_df,
    partial_r,
    standardised_slope,
    within_metric,
    within_sd,
)

__all__ = [
    "from_b_within",
    "from_beta_within",
    "from_within_correlation",
    "refuse_unpooled",
    "wald_within",
]

METRIC_NOT_SAID = "(not said, assumed)"

UNPOOLED = {
    "contextual": (
        "a contextual coefficient is a raw b with its SE, between minus within: it is kept, not "
        "pooled. The between-patient slope is its sum with the within slope; code that sum as "
        "between_observed if the paper prints it"
    ),
    "blended": (
        "the coefficient of raw alliance in a multilevel model mixes within and between patients "
        "in unknown shares (blended): it is kept, not pooled. Ask the authors for the model with "
        "person-mean-centred alliance"
    ),
}


def refuse_unpooled(given: Given) -> None:
    """Raise where the coefficient is contextual or blended, which no correlation stands for."""
    if given.component in UNPOOLED:
        raise ValueError(UNPOOLED[given.component])


def from_beta_within(given: Given) -> Estimate:
    """Standardised within-patient coefficient.

    Zero-order (``concurrent_r``, ``lagged_r``): z = atanh β_w, Var(z) = SE²/(1 − β_w²). Net of the
    lagged outcome (``lagged_partial``): β_w itself with SE², no atanh, since |β_w| may exceed 1.
    ``sd_level`` total is brought to within-patient SDs first, which needs both ICCs.

    Without a standard error the variance of a zero-order coefficient is approximated from
    patients and sessions.

    Examples
    --------
    >>> estimate = from_beta_within(Given(stat="beta_within", value=.15, se=.04))
    >>> round(estimate.r, 2), round(n_effective(estimate.vi)), estimate.quality
    (0.15, 614, 'converted')
    """
    refuse_unpooled(given)
    if given.component not in (None, "within"):
        raise ValueError(
            f"a within-patient beta cannot be about component {given.component!r}; check the "
            "alliance term"
        )
    return _standardised(given, _beta_scale(given))


def from_b_within(given: Given) -> Estimate:
    """Unstandardised within-patient coefficient, in the units of the measures.

    With standard deviations β_w = b·SD_wx/SD_wy, then as ``from_beta_within``. Without them
    t = b/SE (or the printed test value) is read as a partial correlation (see ``wald_within``).

    Examples
    --------
    >>> printed = {"stat": "b", "value": -.21, "se": .08, "n": 120, "component": "within"}
    >>> by_sd = from_b_within(Given(**printed, sd_x=.5, sd_y=.8, sd_level="within"))
    >>> by_test = from_b_within(Given(**printed, sessions=8, lag=0))
    >>> round(by_sd.r, 3), round(by_test.r, 3), by_test.quality
    (-0.131, -0.09, 'bounded')
    """
    refuse_unpooled(given)
    if given.sd_x is not None and given.sd_y is not None:
        return _standardised(given, _b_scale(given))
    one_sd = given.sd_x is not None or given.sd_y is not None
    unused = "one SD without the other is not used; " if one_sd else ""
    t, how = printed_t(given, what="a within-patient b without SDs")
    return wald_within(t, given, unused + how)


def from_within_correlation(
    r: float, given: Given, *, route: str, how: str, controls: float = 0
) -> Estimate:
    """Correlation of occasions within patients: Var(z) = 1/(df − 1), df = n_obs − n − 1.

    One session of lag costs every patient an occasion, each variable held constant one more. With
    ``sessions`` in place of ``n_obs`` the variance is approximated.

    References
    ----------
    Bakdash, J. Z., & Marusich, L. R. (2017). Frontiers in Psychology, 8, 456.
    https://doi.org/10.3389/fpsyg.2017.00456

    Examples
    --------
    >>> given = Given(stat="r", value=.1, n=100, n_obs=800, component="within")
    >>> estimate = from_within_correlation(.1, given, route="r within", how="r = 0.1")
    >>> round(estimate.vi, 6), estimate.quality
    (0.001433, 'direct')
    """
    z, occasions = fisher_z(r), occasions_of(given)
    quality: Quality
    if given.n_obs is not None:
        df = occasions.df - controls
        if not df > 1:
            raise ValueError(f"{occasions.how}: {df:g} df are too few")
        v, quality = 1.0 / (df - 1), "direct"
        told = f"{occasions.how}: df = {df:g}; v = 1/({df:g} - 1) = {v:.6g} (common slope assumed)"
    else:
        v, told = approximate_variance(r, occasions)
        quality = "approximated"
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance_from_z(r, v),
        ni=occasions.n,
        route=route,
        quality=quality,
        trace=f"{how}; z = atanh({r:.6g}) = {z:.6g}; {told}",
    )


def wald_within(t: float, given: Given, how: str) -> Estimate:
    """Within-patient correlation from the test of a coefficient alone.

    r = t/√(t² + df) with df = n(T̄ − 1) − 1 occasions (one session less per session of lag). It is
    exact for one common slope and independent residuals. Slopes that differ between patients and
    robust standard errors under autocorrelation raise the SE and so lower |r|: the effect is
    ``bounded``, in general a lower bound of |r|. The exception is a model of autocorrelated
    residuals where alliance itself is not autocorrelated, whose |r| comes out larger. The variance
    does not come from the SE, which would be circular, but from patients and sessions:
    Var(z) ≈ DEFF/(n(T̄ − 1) − 2) + τ²/(n(1 − r²)²).

    Parameters
    ----------
    t : float
        Coefficient divided by its standard error.
    given : Given
        ``n`` and ``sessions`` (or ``n_obs``), ``lag``, ``df``.
    how : str
        Where t comes from, for the trace.

    Raises
    ------
    ValueError
        Where occasions are missing, or df counts patients.

    Examples
    --------
    >>> given = Given(stat="t", value=-2.625, n=120, sessions=8, lag=1, component="within")
    >>> estimate = wald_within(-2.625, given, "t as printed")
    >>> round(estimate.r, 3), estimate.quality
    (-0.097, 'bounded')
    """
    if given.estimand == "lagged_partial":
        raise ValueError(
            "an effect net of the lagged outcome is pooled as a standardised coefficient, not as "
            "the r of its test: add the beta, or b with sd_x, sd_y and their sd_level"
        )
    occasions = occasions_of(given)
    df, told = conversion_df(given, occasions)
    r = partial_r(t, df)
    z = fisher_z(r)
    if given.lag is None and occasions.lag == 0:
        later = occasion_df(occasions.n, occasions.total, 1)
        if later > 1:
            told += f"; lag not reported, 0 taken (r = {partial_r(t, later):.3g} at lag 1)"
    v, precision = approximate_variance(r, occasions)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance_from_z(r, v),
        ni=occasions.n,
        route="t within",
        quality="bounded",
        trace=(
            f"{how}; {told}; r = t/sqrt(t^2 + {df:g}) = {r:.6g}, in general a lower bound of |r| "
            f"(too low where slopes differ between patients); z = {z:.6g}; "
            f"{precision}"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """What turns the printed coefficient into within-patient SDs."""

    factor: float
    how: str
    route: str


def _standardised(given: Given, scale: _Scale) -> Estimate:
    beta = given.printed * scale.factor
    error = printed_standard_error(given, given.printed)
    if given.estimand == "lagged_partial":
        se = standard_error_needed(error, "a lagged coefficient")
        return _kept_as_beta(given, scale, se)
    if not -1 < beta < 1:
        raise ValueError(
            f"{scale.how}: a zero-order within-patient coefficient in SDs lies between -1 and 1; "
            "check the SDs and sd_level, or whether the model holds the lagged outcome constant"
        )
    z = fisher_z(beta)
    if error is None:
        v, precision = approximate_variance(beta, occasions_of(given))
    else:
        se_beta = error.se * scale.factor
        v = fixed_sd_z_variance(beta, se_beta)
        scaled = "" if scale.factor == 1 else f"; SE of beta = {se_beta:.6g}"
        precision = f"{error.how}{scaled}; v = SE^2/(1 - beta^2) = {v:.6g}"
    return Estimate(
        yi=z,
        vi=v,
        r=beta,
        v_r=r_variance_from_z(beta, v),
        ni=math.nan if given.n is None else float(given.n),
        route=scale.route,
        quality="converted" if error is not None else "approximated",
        trace=(
            f"{scale.how}; r = beta, z = atanh({beta:.6g}) = {z:.6g}; {precision}; as precise as "
            f"{n_effective(v):.6g} independent patients"
        ),
    )


def _kept_as_beta(given: Given, scale: _Scale, error: StandardError) -> Estimate:
    beta, se = given.printed * scale.factor, error.se * scale.factor
    scaled = "" if scale.factor == 1 else f"; SE of beta = {se:.6g}"
    return Estimate(
        yi=beta,
        vi=se * se,
        r=math.nan,
        v_r=math.nan,
        ni=math.nan if given.n is None else float(given.n),
        route="beta",
        quality="direct" if scale.factor == 1 else "converted",
        trace=(
            f"{scale.how}; {error.how}{scaled}; beta = {beta:.6g} kept as it is; "
            f"v = SE^2 = {se * se:.6g}"
        ),
        es_metric="beta",
    )


def _beta_scale(given: Given) -> _Scale:
    if given.sd_level in (None, "within"):
        said = "as printed" if given.sd_level else METRIC_NOT_SAID
        how = f"beta = {given.printed:.6g} in within-patient SDs {said}"
        return _Scale(factor=1.0, how=how, route="beta within")
    _refuse_other_level(given)
    icc_x, icc_y = _iccs(given, "a beta standardised by total SDs")
    factor = within_metric(1.0, icc_x, icc_y)
    how = (
        f"beta = {given.printed:g} x sqrt((1 - {icc_x:g})/(1 - {icc_y:g})) = "
        f"{given.printed * factor:.6g}, from total to within-patient SDs"
    )
    return _Scale(factor=factor, how=how, route="beta within, total SDs and ICCs")


def _b_scale(given: Given) -> _Scale:
    sd_x, sd_y = given.sd_x, given.sd_y
    assert sd_x is not None and sd_y is not None
    if given.sd_level is None:
        raise ValueError(
            "sd_level is missing: are sd_x and sd_y SDs within patients ('within') or of all "
            "scores ('total', which also needs icc_x and icc_y)?"
        )
    route = "b within"
    if given.sd_level != "within":
        _refuse_other_level(given)
        icc_x, icc_y = _iccs(given, "a within-patient b with total SDs")
        sd_x, sd_y = within_sd(sd_x, icc_x), within_sd(sd_y, icc_y)
        route = "b within, total SDs and ICCs"
    factor = standardised_slope(1.0, sd_x, sd_y)
    how = (
        f"beta = {given.printed:g} x {sd_x:.6g}/{sd_y:.6g} = {given.printed * factor:.6g} in "
        "within-patient SDs"
    )
    return _Scale(factor=factor, how=how, route=route)


def _refuse_other_level(given: Given) -> None:
    if given.sd_level != "total":
        raise ValueError(
            f"sd_level {given.sd_level!r} does not standardise a within-patient coefficient; it "
            "takes within or total"
        )


def _iccs(given: Given, what: str) -> tuple[float, float]:
    if given.icc_x is not None and given.icc_y is not None:
        return given.icc_x, given.icc_y
    mend = "Add both ICCs, or the SDs within patients"
    if given.stat == "b":
        mend += "; or leave sd_x and sd_y blank for a lower bound of r from the test value"
    raise ValueError(
        f"{what} needs icc_x and icc_y: taking total SDs for within-patient SDs is the commonest "
        f"error (15 % too large at ICCs of .70 and .60). {mend}"
    )
