"""Corrections for unreliability and restricted range, and the composite of several correlations.

None of them touches a main analysis: corrections are sensitivity checks that rest on numbers from
elsewhere, and a composite rests on an assumed inter-correlation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["composite_r", "correct_range", "disattenuate", "effective_n"]


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


def composite_r(r: Sequence[float], inter_correlation: float, n: float) -> tuple[float, float]:
    """Correlation of one variable with the sum of several standardised others.

    r_c = Σ r_j / √(k + k(k − 1) ρ), with variance (1 − r_c²)²/(n − 1). Unlike the mean of the r it
    is larger than each of them where ρ < 1: the sum is more reliable than its parts.

    Parameters
    ----------
    r : sequence of float
        Correlations of the same patients.
    inter_correlation : float
        Mean correlation of the others among themselves. Where it is assumed, .5 is usual; scores of
        one patient over sessions are nearer .7.
    n : float
        Patients.

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        Where the correlations cannot hold together, or n ≤ 3.

    References
    ----------
    Ghiselli, E. E., Campbell, J. P., & Zedeck, S. (1981). Measurement theory for the behavioral
    sciences (chapter 7). Freeman.
    Hunter, J. E., & Schmidt, F. L. (2004). Methods of meta-analysis (chapter 10).
    https://doi.org/10.4135/9781412985031

    Examples
    --------
    >>> r, v = composite_r([.28, .58], .25, 31)
    >>> round(r, 4), round(v, 5)
    (0.5439, 0.01653)
    """
    k = len(r)
    if k < 1 or any(not -1 < value < 1 for value in r):
        raise ValueError(
            "every correlation lies strictly between -1 and 1, and there is at least one"
        )
    if n <= 3:
        raise ValueError(f"n = {n:g} is too small: n > 3")
    spread = k + k * (k - 1) * inter_correlation
    if spread <= 0 or inter_correlation > 1:
        raise ValueError(
            f"an inter-correlation of {inter_correlation:g} of {k} scores is impossible"
        )
    composite = sum(r) / math.sqrt(spread)
    if abs(composite) >= 1:
        raise ValueError(
            f"these correlations with an inter-correlation of {inter_correlation:g} would give "
            f"{composite:.3g}: they cannot all hold"
        )
    return composite, (1 - composite**2) ** 2 / (n - 1)


def effective_n(
    n: float, patients_per_therapist: float, icc_x: float = 0.05, icc_y: float = 0.05
) -> float:
    """Patients that count, where patients of one therapist are alike in both scores.

    n/(1 + (PTR − 1) ICC_x ICC_y), therapist effects on x and y uncorrelated (Moulton's factor).

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
    if patients_per_therapist < 1 or n <= 0:
        raise ValueError("n is above 0 and each therapist has at least one patient")
    return n / (1 + (patients_per_therapist - 1) * icc_x * icc_y)
