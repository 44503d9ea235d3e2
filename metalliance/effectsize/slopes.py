"""Regression slopes: standardising them, and reading their test as a correlation.

Numbers only. What a paper has to report for each is decided in ``coefficients.py`` and
``within.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "BetweenSlope",
    "beta_to_r_peterson_brown",
    "between_from_contextual",
    "fixed_sd_z_variance",
    "logistic_slope_d",
    "logistic_slope_z",
    "logistic_slope_z_variance",
    "n_effective",
    "occasion_df",
    "partial_r",
    "standardised_slope",
    "within_metric",
    "within_sd",
]


def partial_r(t: float, df: float) -> float:
    """Partial correlation behind the t of a regression slope.

    r = t/√(t² + df), with df = n − m − 1 for m predictors, the focal one included; for a slope of
    person-mean-centred scores with a common slope, df = n(T − 1) − 1. Its Fisher z has variance
    1/(df − 1).

    Parameters
    ----------
    t : float
        The slope divided by its standard error.
    df : float
        Residual degrees of freedom, in the units (patients or occasions) of the slope.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where df ≤ 1, which leaves no variance.

    References
    ----------
    Aloe, A. M., & Thompson, C. G. (2013). Journal of the Society for Social Work and Research,
    4, 390–404. https://doi.org/10.5243/jsswr.2013.24

    Examples
    --------
    >>> round(partial_r(-4, 699), 3), round(partial_r(-4, 98), 3)
    (-0.15, -0.375)
    """
    if not df > 1:
        raise ValueError(f"{df:g} degrees of freedom are too few: more than 1 are needed")
    return t / math.hypot(t, math.sqrt(df))


def standardised_slope(b: float, sd_x: float, sd_y: float) -> float:
    """Slope in standard deviations of outcome per standard deviation of alliance.

    β = b·SD_x/SD_y; the standard error is scaled alike. Both standard deviations are those of
    the level the slope is about: of patients, or of occasions within patients.

    Raises
    ------
    ValueError
        Where a standard deviation is not above 0.

    References
    ----------
    Hoffman, L. (2015). Longitudinal analysis: Modeling within-person fluctuation and change.
    https://doi.org/10.4324/9781315744094

    Examples
    --------
    >>> round(standardised_slope(-.21, .5, .7), 3)
    -0.15
    """
    return b * _positive(sd_x, "sd_x") / _positive(sd_y, "sd_y")


def within_sd(sd_total: float, icc: float) -> float:
    """Standard deviation within patients: SD_w = SD·√(1 − ICC).

    Parameters
    ----------
    sd_total : float
        Standard deviation of all scores, every patient and occasion.
    icc : float
        Share of their variance that lies between patients, 0 to below 1.

    Raises
    ------
    ValueError
        Where the ICC is outside [0, 1).

    References
    ----------
    Snijders, T. A. B., & Bosker, R. J. (2012). Multilevel analysis (2nd ed.), section 3.3.

    Examples
    --------
    >>> round(within_sd(1, .7), 3)
    0.548
    """
    return sd_total * math.sqrt(1.0 - _icc(icc, "icc"))


def within_metric(beta_total: float, icc_x: float, icc_y: float) -> float:
    """Within-patient slope in within-patient SDs, from one standardised by total SDs.

    β_w = β_total·√((1 − ICC_x)/(1 − ICC_y)), since b·SD_x/SD_y = β_w·√((1 − ICC_y)/(1 − ICC_x)).
    Only where both ICCs are equal do the two agree; at .70 and .60 the slope in total SDs is 15 %
    too large. A standard error is scaled alike.

    References
    ----------
    Wang, L., Zhang, Q., Maxwell, S. E., & Bergeman, C. S. (2019). Multivariate Behavioral
    Research, 54, 403–419. https://doi.org/10.1080/00273171.2018.1536922

    Examples
    --------
    >>> round(within_metric(.23, .7, .6), 3)
    0.199
    """
    return beta_total * math.sqrt((1.0 - _icc(icc_x, "icc_x")) / (1.0 - _icc(icc_y, "icc_y")))


def fixed_sd_z_variance(beta: float, se: float) -> float:
    """Variance of Fisher's z of a zero-order standardised slope with its model's standard error.

    Var(z) = SE²/(1 − β²). The model takes the standard deviations as fixed: with df residual
    degrees of freedom SE² = (1 − β²)/df, so that Var(z) = 1/df, as for a correlation. The
    ordinary delta method, SE²/(1 − β²)², would count the standard deviations' error twice.

    Raises
    ------
    ValueError
        Where |β| ≥ 1, or SE² is 0 or without bound.

    Examples
    --------
    >>> df = 699
    >>> se = ((1 - .15**2) / df) ** .5
    >>> round(1 / fixed_sd_z_variance(.15, se), 6)
    699.0
    """
    if not -1.0 < beta < 1.0:
        raise ValueError(f"a zero-order standardised slope lies between -1 and 1, not at {beta:g}")
    v = se * se / (1.0 - beta * beta)
    if not 0.0 < v < math.inf:
        raise ValueError(
            f"a standard error of {se:g} gives no usable variance; check se and the SDs"
        )
    return v


def n_effective(v_z: float) -> float:
    """Independent patients that would give Fisher's z this variance: n = 1/v + 3.

    Examples
    --------
    >>> round(n_effective(.002128))
    473
    """
    return 1.0 / v_z + 3.0


def occasion_df(n: float, occasions: float, lag: int = 0) -> float:
    """Degrees of freedom of a within-patient slope: occasions, not patients.

    df = n_obs − n − 1 = n(T̄ − 1) − 1 with a common slope and independent residuals. Each session
    of lag costs one occasion per patient.

    Parameters
    ----------
    n : float
        Patients.
    occasions : float
        Assessed occasions over all patients, n·T̄, before any are lost to the lag.
    lag : int
        Sessions from alliance to outcome.

    References
    ----------
    Bakdash, J. Z., & Marusich, L. R. (2017). Frontiers in Psychology, 8, 456.
    https://doi.org/10.3389/fpsyg.2017.00456

    Examples
    --------
    >>> occasion_df(120, 960), occasion_df(120, 960, lag=1)
    (839, 719)
    """
    return occasions - n * (1 + lag) - 1


def logistic_slope_d(log_or: float, sd_x: float) -> float:
    """Logistic slope in SDs of a latent continuous outcome per SD of alliance.

    d = lnOR·SD_x·√3/π: a logistic residual has standard deviation π/√3. The standard error of
    lnOR is scaled alike.

    Parameters
    ----------
    log_or : float
        Log odds ratio per unit of alliance.
    sd_x : float
        Standard deviation of alliance in those units; 1 where the odds ratio is per SD.

    Raises
    ------
    ValueError
        Where sd_x is not above 0.

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Psychological Bulletin, 117, 167–178.
    https://doi.org/10.1037/0033-2909.117.1.167

    Examples
    --------
    >>> round(logistic_slope_d(math.log(1.5), .8), 4)
    0.1788
    """
    return log_or * _positive(sd_x, "sd_x") * math.sqrt(3.0) / math.pi


def logistic_slope_z(d: float) -> float:
    """Fisher's z of a latent slope: r = d/√(1 + d²), so z = atanh r = arsinh d.

    The latent outcome has variance d² + 1 in units of its residual.

    Examples
    --------
    >>> round(logistic_slope_z(.1788), 4), round(math.tanh(logistic_slope_z(.1788)), 3)
    (0.1779, 0.176)
    """
    return math.asinh(d)


def logistic_slope_z_variance(d: float, se_d: float) -> float:
    """Delta-method variance of ``logistic_slope_z``: SE_d²/(1 + d²).

    Examples
    --------
    >>> round(logistic_slope_z_variance(.1788, .08), 5)
    0.0062
    """
    return se_d * se_d / (1.0 + d * d)


@dataclass(frozen=True, slots=True, kw_only=True)
class BetweenSlope:
    """A between-patient slope put together from a contextual model.

    Attributes
    ----------
    b, se : float
        In the units of the model.
    approximated : bool
        Whether the covariance of the two coefficients was not given but taken from a balanced
        design.
    """

    b: float
    se: float
    approximated: bool


def between_from_contextual(
    b_within: float, b_contextual: float, se_w: float, se_c: float, cov: float | None = None
) -> BetweenSlope:
    """Between-patient slope of a model with raw (not person-mean-centred) alliance.

    With raw alliance beside its person mean, the mean's coefficient is contextual: between minus
    within. So b_B = b_W + b_C and Var(b_B) = SE_W² + SE_C² + 2·cov(b_W, b_C).

    Parameters
    ----------
    b_within, b_contextual : float
        Coefficients of raw alliance and of its person mean.
    se_w, se_c : float
        Their standard errors.
    cov : float, optional
        Their covariance. Without it cov = −SE_W² is used, which is exact where every patient has
        equally many sessions and one slope is common to all, because then the within and
        between slopes are uncorrelated: Var(b_B) = SE_C² − SE_W². The result is flagged.

    Returns
    -------
    BetweenSlope

    Raises
    ------
    ValueError
        Where a standard error is not above 0, or no positive variance is left.

    References
    ----------
    Raudenbush, S. W., & Bryk, A. S. (2002). Hierarchical linear models (2nd ed.), chapter 5.

    Examples
    --------
    >>> between = between_from_contextual(-.21, -.45, .08, .15)
    >>> round(between.b, 2), round(between.se, 3), between.approximated
    (-0.66, 0.127, True)
    """
    _positive(se_w, "se_w")
    _positive(se_c, "se_c")
    covariance = -(se_w**2) if cov is None else cov
    variance = se_w**2 + se_c**2 + 2.0 * covariance
    if not variance > 0.0:
        told = "without cov, se_c must exceed se_w" if cov is None else f"cov = {cov:g} is too low"
        raise ValueError(f"the between-patient slope has no positive variance: {told}")
    return BetweenSlope(b=b_within + b_contextual, se=math.sqrt(variance), approximated=cov is None)


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


def _positive(value: float, name: str) -> float:
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} = {value:g} must be above 0")
    return value


def _icc(value: float, name: str) -> float:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} = {value:g} must be a share from 0 to below 1")
    return value
