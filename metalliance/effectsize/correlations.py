"""Correlations as they are printed: Pearson, Fisher's z, Spearman, partial, semi-partial."""

from __future__ import annotations

from metalliance.effectsize.correlation import (
    fisher_z,
    fisher_z_inverse,
    r_variance,
    semipartial_variance,
    spearman_variance,
    spearman_z_variance,
    z_variance,
)
from metalliance.effectsize.estimate import Estimate, Given, from_zero_order
from metalliance.effectsize.within import from_within_correlation

__all__ = ["from_partial", "from_r", "from_semipartial", "from_spearman", "from_z"]


def from_r(given: Given) -> Estimate:
    """Pearson correlation: z = atanh r, Var(z) = 1/(n − 3), Var(r) = (1 − r²)²/(n − 1).

    Within patients Var(z) = 1/(df − 1) with df = n_obs − n − 1, or approximated.

    References
    ----------
    Fisher, R. A. (1921). Metron, 1, 3–32.
    Bakdash, J. Z., & Marusich, L. R. (2017). https://doi.org/10.3389/fpsyg.2017.00456
    """
    r = given.printed
    if given.within:
        return from_within_correlation(r, given, route="r within", how=f"r = {r:.6g}")
    return from_zero_order(r, given.patients, route="r", quality="direct", how=f"r = {r:.6g}")


def from_z(given: Given) -> Estimate:
    """Fisher's z as printed: r = tanh z, Var(z) = 1/(n − 3)."""
    z = given.printed
    r = fisher_z_inverse(z)
    how = f"z = {z:.6g} as printed; r = tanh z = {r:.6g}"
    if abs(r) == 1:
        raise ValueError(f"a Fisher z of {z:g} is a correlation of 1; is it the z of a test?")
    if given.within:
        return from_within_correlation(r, given, route="z within", how=how)
    n = given.patients
    v = z_variance(n)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance(r, n),
        ni=n,
        route="z",
        quality="direct",
        trace=f"{how}; v = 1/({n:g} - 3) = {v:.6g}",
    )


def from_spearman(given: Given) -> Estimate:
    """Spearman's ρ taken as r, with the variance of Bonett and Wright.

    Var(z) = (1 + r²/2)/(n − 3), Var(r) = (1 − r²)²(1 + r²/2)/(n − 3). Flagged as converted: ρ is
    near r where both variables are normal.

    References
    ----------
    Bonett, D. G., & Wright, T. A. (2000). Psychometrika, 65, 23–28.
    https://doi.org/10.1007/BF02294183
    """
    given.refuse_within(": its sampling variance is not known")
    r, n = given.printed, given.patients
    z, v = fisher_z(r), spearman_z_variance(r, n)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=spearman_variance(r, n),
        ni=n,
        route="rho_spearman",
        quality="converted",
        trace=f"rho = {r:.6g} taken as r; z = atanh({r:.6g}) = {z:.6g}; "
        f"v = (1 + {r:.6g}^2/2)/({n:g} - 3) = {v:.6g}",
    )


def from_partial(given: Given) -> Estimate:
    """Partial correlation: Var(z) = 1/(n − m − 2), Var(r) = (1 − r²)²/(n − m).

    m counts all predictors, the focal one included. Another quantity than r: a pool of both should
    tell them apart by ``route``. Within patients the variance is that of a correlation within
    patients, with one occasion less per control.

    References
    ----------
    Fisher, R. A. (1924). Metron, 3, 329–332.
    Aloe, A. M. (2014). https://doi.org/10.1080/00221309.2013.853021
    """
    r = given.printed
    controls = None if given.m is None else given.m - 1
    if controls is not None and controls < 0:
        raise ValueError(f"m = {given.m:g}: alliance itself counts, so m is at least 1")
    if given.within:
        return from_within_correlation(
            r, given, route="r_partial within", how=f"partial r = {r:.6g}", controls=controls or 0
        )
    n = given.patients
    if controls is None:
        raise ValueError("m is missing (the number of predictors in the model, alliance included)")
    z, v = fisher_z(r), z_variance(n, controls)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance(r, n, controls),
        ni=n,
        route="r_partial",
        quality="direct",
        trace=f"z = atanh({r:.6g}) = {z:.6g}; v = 1/({n:g} - {given.m:g} - 2) = {v:.6g}",
    )


def from_semipartial(given: Given) -> Estimate:
    """Semi-partial correlation with the R² of the full model.

    Var(r) = (R⁴ − 2R² + R_r² + 1 − R_r⁴)/n with R_r² = R² − r² of the model without alliance;
    Var(z) = Var(r)/(1 − r²)². Fisher's z does not stabilise this variance.

    References
    ----------
    Aloe, A. M., & Becker, B. J. (2012). Journal of Educational and Behavioral Statistics, 37,
    278–297. https://doi.org/10.3102/1076998610396901
    """
    given.refuse_within("; give the slope with its SE")
    r, n = given.printed, given.patients
    if given.R2 is None:
        raise ValueError("R2 is missing (of the full model, alliance included)")
    z, v_r = fisher_z(r), semipartial_variance(r, given.R2, n)
    v = v_r / (1 - r * r) ** 2
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=v_r,
        ni=n,
        route="r_semipartial",
        quality="direct",
        trace=f"z = atanh({r:.6g}) = {z:.6g}; Var(r) of Aloe and Becker with R2 = {given.R2:g}: "
        f"{v_r:.6g}; v = Var(r)/(1 - r^2)^2 = {v:.6g}",
    )
