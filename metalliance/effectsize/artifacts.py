"""Corrections for unreliability, restricted range and patients who share a therapist.

None of them touches a main analysis: they are sensitivity checks that rest on numbers from
elsewhere, taken as known.
"""

from __future__ import annotations

import math

__all__ = ["correct_range", "disattenuate", "effective_n"]


def disattenuate(
    r: float, v_r: float, reliability_x: float = 1.0, reliability_y: float = 1.0
) -> tuple[float, float]:
    """Correlation of the true scores behind two unreliable ones: r/√(rel_x rel_y).

    Its variance is Var(r)/(rel_x rel_y), the reliabilities taken as known.

    Parameters
    ----------
    r, v_r : float
        Correlation and its sampling variance.
    reliability_x, reliability_y : float
        Above 0, at most 1.

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        Where a reliability is impossible, or the corrected correlation would reach ±1.

    References
    ----------
    Spearman, C. (1904). American Journal of Psychology, 15, 72–101.
    https://doi.org/10.2307/1412159

    Examples
    --------
    >>> r, v = disattenuate(.28, .0025, .8, .9)
    >>> round(r, 4), round(v, 6)
    (0.33, 0.003472)
    """
    for name, value in (("reliability_x", reliability_x), ("reliability_y", reliability_y)):
        if not 0 < value <= 1:
            raise ValueError(f"{name} = {value:g} lies above 0 and at most at 1")
    product = reliability_x * reliability_y
    corrected = r / math.sqrt(product)
    if abs(corrected) >= 1:
        raise ValueError(f"the corrected correlation would be {corrected:.3g}: check the inputs")
    return corrected, v_r / product


def correct_range(r: float, v_r: float, ratio: float) -> tuple[float, float]:
    """Correlation in an unrestricted population, direct restriction of one variable.

    r u/√(1 + r²(u² − 1)) with u = SD unrestricted / SD restricted (Thorndike's case 2); variance by
    the delta method, u² / (1 + r²(u² − 1))³ Var(r).

    References
    ----------
    Thorndike, R. L. (1949). Personnel selection. Wiley.
    Bobko, P., & Rieck, A. (1980). Applied Psychological Measurement, 4, 385–398.
    https://doi.org/10.1177/014662168000400309

    Examples
    --------
    >>> r, v = correct_range(.3, .01, 1.5)
    >>> round(r, 4), round(v, 6)
    (0.4266, 0.016341)
    """
    if not ratio > 0:
        raise ValueError(f"ratio = {ratio:g} of two standard deviations is above 0")
    if not -1 < r < 1:
        raise ValueError(f"r = {r:g} lies strictly between -1 and 1")
    stretch = 1 + r * r * (ratio * ratio - 1)
    return r * ratio / math.sqrt(stretch), ratio * ratio / stretch**3 * v_r


def effective_n(n: float, patients_per_therapist: float, icc_x: float, icc_y: float) -> float:
    """Patients that count, where patients of one therapist are alike in both scores.

    n/(1 + (PTR − 1) ICC_x ICC_y) (Moulton's factor). It holds for a correlation between patients
    whose study ignored therapists, where the therapists' effects on x and on y are uncorrelated;
    where they are correlated the association itself is partly one of therapists, which no n mends.

    Parameters
    ----------
    n : float
        Patients.
    patients_per_therapist : float
        PTR: patients over therapists.
    icc_x, icc_y : float
        Shares of the variance of alliance and of outcome that lie between therapists.

    Raises
    ------
    ValueError
        Where a number is impossible.

    References
    ----------
    Moulton, B. R. (1986). Journal of Econometrics, 32, 385–397.
    https://doi.org/10.1016/0304-4076(86)90021-7

    Examples
    --------
    >>> round(effective_n(300, 10, .05, .08), 1)
    289.6
    """
    for name, icc in (("icc_x", icc_x), ("icc_y", icc_y)):
        if not 0 <= icc <= 1:
            raise ValueError(f"{name} = {icc:g} lies from 0 to 1")
    if not (patients_per_therapist >= 1 and n > 0):
        raise ValueError("n is above 0 and each therapist has at least one patient")
    return n / (1 + (patients_per_therapist - 1) * icc_x * icc_y)
