"""A reported statistic becomes an effect: one function per statistic, one dict of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from metalliance.effectsize.correlation import (
    DESIGN_EFFECT,
    SLOPE_SD,
    fisher_z,
    fisher_z_inverse,
    r_variance,
    r_variance_from_z,
    within_z_variance,
    within_z_variance_approximate,
    z_variance,
)
from metalliance.errors import ConversionError

__all__ = ["CONVERSIONS", "QUALITIES", "Estimate", "Quality", "Stat", "effect_size"]

Stat = Literal["r", "z", "r_partial", "beta"]
Quality = Literal["direct", "converted", "approximated", "bounded"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)
NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One effect on its analysis scale.

    Attributes
    ----------
    yi, vi : float
        Fisher's z and its sampling variance; for route ``beta`` the coefficient and SE².
    r, v_r : float
        The same as a correlation; NaN for route ``beta``.
    ni : float
        Patients.
    route : str
        Which conversion was taken.
    quality : {'direct', 'converted', 'approximated', 'bounded'}
        The worse of value and variance.
    trace : str
        The arithmetic, to be followed by hand.
    """

    yi: float
    vi: float
    r: float
    v_r: float
    ni: float
    route: str
    quality: Quality
    trace: str


Given = Mapping[str, Any]


def effect_size(
    *,
    stat: str,
    value: float | None = None,
    n: float | None = None,
    se: float | None = None,
    ci: tuple[float, float] | None = None,
    m: int | None = None,
    n_obs: float | None = None,
    sessions: float | None = None,
    sign: int | None = None,
    component: str | None = None,
    estimand: str | None = None,
) -> Estimate:
    """Turn one reported statistic into an effect.

    Parameters
    ----------
    stat : {'r', 'z', 'r_partial', 'beta'}
        What was reported: a correlation, Fisher's z, a partial correlation, or a standardised
        coefficient (converted where ``estimand`` is ``lagged_partial``: net of the lagged
        outcome).
    value : float
        The printed number.
    n : float
        Patients in that analysis.
    se : float, optional
        Printed standard error of ``value`` (``beta``).
    ci : (float, float), optional
        Printed 95 % interval; stands in for ``se``.
    m : int, optional
        Predictors of the regression, the focal one included (``r_partial``).
    n_obs, sessions : float, optional
        Occasions in total, or on average per patient, for a within-patient correlation.
    sign : {1, -1}, optional
        −1 reverses the printed sign.
    component : str, optional
        ``within`` marks a correlation of occasions within patients.
    estimand : str, optional
        ``lagged_partial`` marks a coefficient net of the lagged outcome.

    Returns
    -------
    Estimate

    Raises
    ------
    ConversionError
        Names what is missing or impossible.

    Examples
    --------
    >>> estimate = effect_size(stat="r", value=.31, n=60)
    >>> round(estimate.yi, 4), round(estimate.vi, 5), estimate.quality
    (0.3205, 0.01754, 'direct')
    """
    if stat not in CONVERSIONS:
        raise ConversionError(
            f"stat {stat!r} is not converted by this version; it converts: "
            + ", ".join(CONVERSIONS)
        )
    if sign not in (None, 1, -1):
        raise ConversionError(f"sign is 1 or -1, not {sign!r}")
    if value is None or not math.isfinite(value):
        raise ConversionError(f"stat {stat!r} needs its value")
    given: Given = {
        "value": value * (sign or 1),
        "n": n,
        "se": se,
        "ci": ci,
        "m": m,
        "n_obs": n_obs,
        "sessions": sessions,
        "within": component == "within",
        "estimand": estimand,
    }
    try:
        return CONVERSIONS[stat](given)
    except ValueError as error:
        raise ConversionError(f"stat {stat!r}: {error}") from None


def from_r(given: Given) -> Estimate:
    """Pearson correlation: z = atanh r, Var(z) = 1/(n − 3)."""
    r = given["value"]
    z = fisher_z(r)
    if given["within"]:
        return _within(z, given, route="r within")
    return _zero_order(z, r, given, route="r", how=f"z = atanh({r:.6g}) = {z:.6g}")


def from_z(given: Given) -> Estimate:
    """Fisher's z as printed: Var(z) = 1/(n − 3)."""
    z = given["value"]
    if given["within"]:
        return _within(z, given, route="z within")
    r = fisher_z_inverse(z)
    how = f"z = {z:.6g} as printed; r = tanh z = {r:.6g}"
    return _zero_order(z, r, given, route="z", how=how)


def from_partial_r(given: Given) -> Estimate:
    """Partial correlation: Var(z) = 1/(n − m − 2) with m predictors, the focal one included."""
    r = given["value"]
    z = fisher_z(r)
    if given["within"]:
        raise ValueError("a within-patient partial correlation is not converted by this version")
    n = _needed(given, "n")
    m = _needed(given, "m", "the number of predictors in the model, alliance included")
    if m < 1:
        raise ValueError(f"m = {m:g}: alliance itself counts, so m is at least 1")
    controls = int(m) - 1
    v = z_variance(n, controls)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance(r, n, controls),
        ni=n,
        route="r_partial",
        quality="direct",
        trace=f"z = atanh({r:.6g}) = {z:.6g}; v = 1/({n:g} - {m:g} - 2) = {v:.6g}",
    )


def from_beta(given: Given) -> Estimate:
    """Standardised lagged coefficient: kept as β with v = SE² (no atanh: |β| may exceed 1)."""
    if given["estimand"] != "lagged_partial":
        raise ValueError(
            "a standardised beta is converted only for a within effect net of the lagged outcome"
        )
    beta = given["value"]
    se, source = _standard_error(given)
    n = given["n"]
    return Estimate(
        yi=beta,
        vi=se**2,
        r=math.nan,
        v_r=math.nan,
        ni=math.nan if n is None else n,
        route="beta",
        quality="direct",
        trace=f"beta = {beta:.6g} kept as it is; SE = {source}; v = SE^2 = {se**2:.6g}",
    )


CONVERSIONS: dict[str, Callable[[Given], Estimate]] = {
    "r": from_r,
    "z": from_z,
    "r_partial": from_partial_r,
    "beta": from_beta,
}


def _zero_order(z: float, r: float, given: Given, *, route: str, how: str) -> Estimate:
    n = _needed(given, "n")
    v = z_variance(n)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance(r, n),
        ni=n,
        route=route,
        quality="direct",
        trace=f"{how}; v = 1/({n:g} - 3) = {v:.6g}",
    )


def _within(z: float, given: Given, *, route: str) -> Estimate:
    r = fisher_z_inverse(z)
    n = _needed(given, "n")
    n_obs, sessions = given["n_obs"], given["sessions"]
    quality: Quality
    if n_obs is not None:
        v = within_z_variance(n_obs, n)
        quality = "direct"
        how = f"v = 1/({n_obs:g} - {n:g} - 2) = {v:.6g} (common slope assumed)"
    elif sessions is not None:
        v = within_z_variance_approximate(r, n, sessions)
        quality = "approximated"
        how = (
            f"v = {DESIGN_EFFECT:g}/({n:g}({sessions:g} - 1) - 2)"
            f" + {SLOPE_SD:g}^2/({n:g}(1 - r^2)^2) = {v:.6g}"
        )
    else:
        raise ValueError(
            "a within-patient correlation needs n_obs (occasions in total) or sessions_mean"
        )
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance_from_z(r, v),
        ni=n,
        route=route,
        quality=quality,
        trace=f"z = atanh({r:.6g}) = {z:.6g}; {how}",
    )


def _standard_error(given: Given) -> tuple[float, str]:
    se, ci = given["se"], given["ci"]
    if se is not None:
        if not se > 0:
            raise ValueError(f"se = {se:g} must be above 0")
        return se, f"{se:.6g} as printed"
    if ci is not None:
        low, high = ci
        if not low < high:
            raise ValueError(f"the interval [{low:g}, {high:g}] has no width")
        se = (high - low) / (2 * NORMAL_975)
        return se, f"({high:g} - {low:g})/(2 x 1.96) = {se:.6g}"
    raise ValueError("a lagged coefficient needs its se or its 95% interval")


def _needed(given: Given, name: str, meaning: str = "") -> float:
    value = given[name]
    if value is None:
        told = {"n": "the number of patients"}.get(name, meaning)
        raise ValueError(f"{name} is missing ({told})")
    return float(value)
