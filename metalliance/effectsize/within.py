"""Associations of occasions within patients: their degrees of freedom and their precision."""

from __future__ import annotations

import math

from metalliance.effectsize.correlation import (
    DESIGN_EFFECT,
    SLOPE_SD,
    fisher_z,
    r_variance_from_z,
    within_z_variance,
    within_z_variance_approximate,
)
from metalliance.effectsize.estimate import Estimate, Given, Quality, worse

__all__ = ["from_wald_within", "from_within_correlation", "occasion_df"]


def from_within_correlation(
    r: float, given: Given, *, route: str, how: str, quality: Quality = "direct"
) -> Estimate:
    """Z = atanh r with the variance that the occasions give.

    With the number of occasions Var(z) = 1/(df − 1), df = n_obs − n − 1 (one slope for all
    patients, independent residuals). With patients and sessions only it is approximated.
    """
    z, n = fisher_z(r), given.patients()
    if given.n_obs is not None:
        v = within_z_variance(given.n_obs, n)
        found: Quality = "direct"
        variance = f"v = 1/({given.n_obs:g} - {n:g} - 2) = {v:.6g} (common slope assumed)"
    else:
        v, variance = _approximate(r, given)
        found = "approximated"
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance_from_z(r, v),
        ni=n,
        route=route,
        quality=worse(quality, found),
        trace=f"{how}; z = atanh({r:.6g}) = {z:.6g}; {variance}",
    )


def from_wald_within(t: float, given: Given, *, how: str, route: str) -> Estimate:
    """Partial correlation of a within-patient slope from its test, without any standard deviation.

    r = t/√(t² + df) with the degrees of freedom of occasions. Slopes that differ between patients
    and correlated residuals make t smaller than the correlation deserves: |r| is a lower bound.
    The variance does not come from t, which would be circular, but from patients and sessions.

    Notes
    -----
    With the df of patients, t = −4 of 100 patients in 8 sessions would be r = −.375 instead of
    −.150: such a df is refused.
    """
    df, counted = occasion_df(given)
    r = t / math.sqrt(t * t + df)
    z = fisher_z(r)
    v, variance = _approximate(r, given)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance_from_z(r, v),
        ni=given.patients(),
        route=route,
        quality="bounded",
        trace=f"{how}; {counted}; r = t/sqrt(t^2 + {df:g}) = {r:.6g}, a lower bound "
        f"of |r| where slopes differ or residuals are correlated; z = {z:.6g}; {variance}; "
        f"effective n = 1/v + 3 = {1 / v + 3:.0f}",
    )


def occasion_df(given: Given) -> tuple[float, str]:
    """Degrees of freedom of a within-patient slope, with words.

    n_obs − n − 1, or n(T − 1) − 1 with T sessions per patient; a lag of L sessions takes L
    occasions from every patient. A given df is used unless it is that of patients.

    Examples
    --------
    >>> occasion_df(Given(stat="t", n=120, sessions=8))[0]
    839.0
    >>> occasion_df(Given(stat="t", n=120, sessions=8, lag=1.0))[0]
    719.0
    """
    n = given.patients()
    if given.df is not None:
        if given.df <= n:
            raise ValueError(
                f"df = {given.df:g} looks like degrees of freedom of {n:g} patients; those of a "
                "within effect count occasions: leave df out and give n_obs or sessions"
            )
        return given.df, f"df = {given.df:g}"
    lost = f" - {given.lag:g} x {n:g}" if given.lag else ""
    if given.n_obs is not None:
        df = given.n_obs - given.lag * n - n - 1
        counted = f"df = {given.n_obs:g}{lost} - {n:g} - 1 = {df:g}"
    elif given.sessions is not None:
        occasions = given.sessions - given.lag
        df = n * (occasions - 1) - 1
        counted = f"df = {n:g} x ({occasions:g} - 1) - 1 = {df:g}"
    else:
        raise ValueError("n_obs (occasions in total) or sessions (mean per patient) is missing")
    if df <= 1:
        raise ValueError(f"{counted}: too few occasions")
    return df, counted


def _approximate(r: float, given: Given) -> tuple[float, str]:
    """Var(z) from patients and sessions, with words."""
    n = given.patients()
    if given.sessions is not None:
        sessions = given.sessions - given.lag
    elif given.n_obs is not None:
        sessions = given.n_obs / n - given.lag
    else:
        raise ValueError(
            "a within-patient association needs n_obs (occasions in total) or sessions (mean per "
            "patient)"
        )
    v = within_z_variance_approximate(r, n, sessions)
    return v, (
        f"v = {DESIGN_EFFECT:g}/({n:g}({sessions:g} - 1) - 2)"
        f" + {SLOPE_SD:g}^2/({n:g}(1 - r^2)^2) = {v:.6g}"
    )
