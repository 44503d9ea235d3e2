"""What an undisaggregated correlation is made of: weights of its between and within parts."""

from __future__ import annotations

import numpy as np

from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray

__all__ = ["ICC_X", "ICC_Y", "Band", "check_band", "mixture_weights", "share_between"]

#: Mean, low and high.
Band = tuple[float, float, float]
#: Intraclass correlations of alliance and of outcome where a study does not say.
ICC_X: Band = (0.70, 0.55, 0.80)
ICC_Y: Band = (0.60, 0.45, 0.75)


def check_band(name: str, band: Band) -> None:
    """Refuse a band of ICCs that is not 0 < low <= mean <= high < 1."""
    mean, low, high = band
    if not 0 < low <= mean <= high < 1:
        raise SpecificationError(
            f"{name} = {tuple(band)}: give mean, low and high with 0 < low <= mean <= high < 1"
        )


def share_between(icc: FloatArray | float, k: FloatArray | float) -> FloatArray:
    """Variance of a mean of k occasions, where one occasion has variance 1: ICC + (1 − ICC)/k.

    ``k`` NaN stands for a latent mean, whose variance is the ICC.

    Examples
    --------
    >>> share_between(.6, np.array([1, 4, np.nan])).tolist()
    [1.0, 0.7, 0.6]
    """
    icc, k = np.broadcast_arrays(np.asarray(icc, float), np.asarray(k, float))
    return np.asarray(np.where(np.isnan(k), icc, icc + (1 - icc) / np.where(np.isnan(k), 1, k)))


def mixture_weights(
    icc_x: FloatArray | float,
    icc_y: FloatArray | float,
    k_x: FloatArray | float,
    k_y: FloatArray | float,
    shared: FloatArray | float,
) -> tuple[FloatArray, FloatArray]:
    r"""Weights a and b of E r = a ρ_B + b ρ_W for a correlation of two scores over patients.

    The scores are means of k_x occasions of alliance and of k_y occasions of outcome, of which
    ``shared`` are the same occasions; ρ_B is the correlation of patients' latent means, ρ_W that
    of the deviations from them at one occasion. With V = ICC + (1 − ICC)/k:

    a = √(ICC_x ICC_y) / √(V_x V_y),  b = s/(k_x k_y) · √((1 − ICC_x)(1 − ICC_y)) / √(V_x V_y).

    Deviations at different occasions are taken as uncorrelated: without shared occasions b = 0.

    Parameters
    ----------
    icc_x, icc_y : float or array
        Intraclass correlations of one occasion's alliance and outcome.
    k_x, k_y, shared : float or array
        Occasions of either score, and those they share (0 to the smaller of the two).

    Returns
    -------
    a, b : arrays

    References
    ----------
    Snijders, T. A. B., & Bosker, R. J. (2012). Multilevel analysis (2nd ed.), section 3.6.
    Robinson, W. S. (1950). American Sociological Review, 15, 351–357.
    https://doi.org/10.2307/2087176

    Examples
    --------
    >>> a, b = mixture_weights(.6, .5, 1, 1, 1)
    >>> round(float(a * -.4 + b * -.1), 4)
    -0.2638
    """
    icc_x, icc_y = np.asarray(icc_x, float), np.asarray(icc_y, float)
    scale = np.sqrt(share_between(icc_x, k_x) * share_between(icc_y, k_y))
    overlap = np.asarray(shared, float) / (np.asarray(k_x, float) * np.asarray(k_y, float))
    a = np.sqrt(icc_x * icc_y) / scale
    b = overlap * np.sqrt((1 - icc_x) * (1 - icc_y)) / scale
    return np.asarray(a), np.asarray(b)
