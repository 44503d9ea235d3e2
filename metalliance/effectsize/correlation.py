"""Correlations, Fisher's z and their sampling variances."""

from __future__ import annotations

import math

__all__ = [
    "fisher_z",
    "fisher_z_inverse",
    "r_variance",
    "r_variance_from_z",
    "semipartial_variance",
    "significant_r",
    "spearman_variance",
    "spearman_z_variance",
    "within_z_variance",
    "within_z_variance_approximate",
    "z_variance",
]

# Assumed where a paper reports only patients and sessions: variance inflation for autocorrelated
# residuals, and the between-patient standard deviation of the within-patient slope.
DESIGN_EFFECT = 1.5
SLOPE_SD = 0.2


def fisher_z(r: float) -> float:
    """Fisher's z of a correlation.

    z = atanh(r) = ½ ln((1 + r)/(1 − r)).

    Parameters
    ----------
    r : float
        A correlation strictly between −1 and 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where |r| ≥ 1.

    References
    ----------
    Fisher, R. A. (1921). Metron, 1, 3–32.

    Examples
    --------
    >>> round(fisher_z(.31), 4)
    0.3205
    """
    if not -1.0 < r < 1.0:
        raise ValueError(f"a correlation lies strictly between -1 and 1, not at {r:g}")
    return math.atanh(r)


def fisher_z_inverse(z: float) -> float:
    """Correlation with Fisher's z ``z``: r = tanh(z).

    Examples
    --------
    >>> round(fisher_z_inverse(.32054540), 6)
    0.31
    """
    return math.tanh(z)


def z_variance(n: float, controls: float = 0) -> float:
    """Sampling variance of Fisher's z of a (partial) correlation.

    Var(z) = 1/(n − s − 3) with s variables held constant; for a partial correlation from a
    regression with m predictors, the focal one included, s = m − 1 and the variance is
    1/(n − m − 2).

    Parameters
    ----------
    n : float
        Independent observations (patients).
    controls : int
        Variables held constant, 0 for a zero-order correlation.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where n − s ≤ 3.

    References
    ----------
    Fisher, R. A. (1924). Metron, 3, 329–332.

    Examples
    --------
    >>> round(z_variance(60), 5)
    0.01754
    """
    if n - controls <= 3:
        raise ValueError(f"n = {n:g} with {controls} held constant leaves no variance: n - s > 3")
    return 1.0 / (n - controls - 3)


def r_variance(r: float, n: float, controls: float = 0) -> float:
    """Large-sample sampling variance of a (partial) correlation.

    Var(r) = (1 − r²)²/(n − s − 1) with s variables held constant.

    References
    ----------
    Olkin, I., & Siotani, M. (1976). In S. Ideka (Ed.), Essays in probability and statistics.

    Examples
    --------
    >>> round(r_variance(.31, 60), 6)
    0.013848
    """
    return (1.0 - r * r) ** 2 / (n - controls - 1)


def r_variance_from_z(r: float, v_z: float) -> float:
    """Delta-method variance on the r scale of an effect whose variance is known on z.

    Var(r) = (1 − r²)² Var(z).

    Examples
    --------
    >>> round(r_variance_from_z(.5, .01), 6)
    0.005625
    """
    return (1.0 - r * r) ** 2 * v_z


def spearman_variance(r: float, n: float) -> float:
    """Sampling variance of Spearman's ρ: (1 − r²)²(1 + r²/2)/(n − 3).

    References
    ----------
    Bonett, D. G., & Wright, T. A. (2000). Psychometrika, 65, 23–28.
    https://doi.org/10.1007/BF02294183

    Examples
    --------
    >>> round(spearman_variance(.427, 55) ** .5, 5)
    0.11845
    """
    return r_variance_from_z(r, spearman_z_variance(r, n))


def spearman_z_variance(r: float, n: float) -> float:
    """Sampling variance of Fisher's z of Spearman's ρ: (1 + r²/2)/(n − 3).

    References
    ----------
    Bonett, D. G., & Wright, T. A. (2000). Psychometrika, 65, 23–28.
    https://doi.org/10.1007/BF02294183

    Examples
    --------
    >>> round(spearman_z_variance(.427, 55), 6)
    0.020984
    """
    if n <= 3:
        raise ValueError(f"n = {n:g} leaves no variance: n > 3")
    return (1.0 + r * r / 2.0) / (n - 3)


def semipartial_variance(r: float, R2: float, n: float) -> float:
    """Large-sample variance of a semi-partial correlation, R² of the full model.

    (R⁴ − 2R² + (R² − r²) + 1 − (R² − r²)²)/n.

    References
    ----------
    Aloe, A. M., & Becker, B. J. (2012). https://doi.org/10.3102/1076998610396901

    Examples
    --------
    >>> round(semipartial_variance(.4, .25, 60) ** .5, 5)
    0.10363
    """
    if not 0 <= R2 < 1 or r * r > R2 + 1e-9:
        raise ValueError(
            f"R2 = {R2:g} of the full model must lie from r^2 = {r * r:.4g} to below 1"
        )
    if n <= 3:
        raise ValueError(f"n = {n:g} leaves no variance: n > 3")
    reduced = R2 - r * r
    return (R2 * R2 - 2.0 * R2 + reduced + 1.0 - reduced * reduced) / n


def within_z_variance(n_obs: float, n: float) -> float:
    """Sampling variance of Fisher's z of a within-patient (repeated-measures) correlation.

    With a common slope and independent residuals the correlation has
    df = n_obs − n − 1 degrees of freedom, and Var(z) = 1/(df − 1).

    Parameters
    ----------
    n_obs : float
        Occasions over all patients.
    n : float
        Patients.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where df ≤ 1.

    References
    ----------
    Bakdash, J. Z., & Marusich, L. R. (2017). Frontiers in Psychology, 8, 456.
    https://doi.org/10.3389/fpsyg.2017.00456

    Examples
    --------
    >>> round(within_z_variance(800, 100), 6)
    0.001433
    """
    df = n_obs - n - 1
    if df <= 1:
        raise ValueError(f"{n_obs:g} occasions of {n:g} patients leave {df:g} df: too few")
    return 1.0 / (df - 1)


def within_z_variance_approximate(
    r: float, n: float, sessions: float, *, deff: float = DESIGN_EFFECT, slope_sd: float = SLOPE_SD
) -> float:
    """Approximate variance of a within-patient z when only patients and sessions are known.

    Var(z) ≈ DEFF/(n(T̄ − 1) − 2) + τ²_slope/(n(1 − r²)²): autocorrelated residuals inflate the
    first term, slopes that differ between patients add the second. Both defaults are
    assumptions of this package, checked by simulation in its tests, and flag the effect as
    approximated.

    Examples
    --------
    >>> round(within_z_variance_approximate(.09, 120, 8), 4)
    0.0021
    """
    df = n * (sessions - 1) - 2
    if df <= 0:
        raise ValueError(f"{n:g} patients with {sessions:g} sessions leave no within-patient df")
    return deff / df + slope_sd**2 / (n * (1.0 - r * r) ** 2)


def significant_r(n: float, alpha: float = 0.05) -> float:
    """The smallest |r| of n patients that is significant, two-sided.

    r = t/√(t² + n − 2) with t the 1 − α/2 quantile of Student's t with n − 2 degrees of freedom;
    NaN for n < 3.

    Examples
    --------
    >>> round(significant_r(44), 3)
    0.297
    """
    from scipy.special import stdtrit

    if n < 3:
        return math.nan
    t = float(stdtrit(n - 2, 1 - alpha / 2))
    return t / math.sqrt(t * t + n - 2)
