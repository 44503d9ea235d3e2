"""Total, between and within associations from the sums of each patient, for any patient weights.

Every function takes weights (R, N), one row per replicate and one column per patient, and gives
(R,) numbers: a row of ones is the estimate, counts of a resample are a bootstrap replicate.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.traitstate.centring import Moments

__all__ = [
    "WEIGHTINGS",
    "Weighting",
    "average_sessions",
    "between_correlation",
    "between_products",
    "between_slope",
    "eta",
    "partial_coefficient",
    "patient_correlation",
    "pooled_products",
    "several_sessions",
    "total_correlation",
    "within_correlation",
    "within_slope",
]

ROUNDING = 1e-13  # of a difference of sums, relative to them
Weighting = Literal["patients", "occasions"]
WEIGHTINGS: tuple[str, ...] = get_args(Weighting)


def average_sessions(n: FloatArray, by: Weighting) -> float:
    """Sessions whose mean has the noise that patient means have on average, from (N,) counts."""
    has = n[n > 0]
    if not len(has):
        return math.nan
    return float(has.mean()) if by == "occasions" else float(len(has) / (1.0 / has).sum())


def several_sessions(k: float) -> bool:
    """Whether a mean of k sessions is of more than one, k as a whole number."""
    return not k < 1.5


def pooled_products(m: Moments, weights: FloatArray) -> FloatArray:
    """(R, p, p) sums of squares and products about the patients' own means."""
    n_patients, p = m.means.shape
    return np.asarray((weights @ m.products.reshape(n_patients, p * p)).reshape(-1, p, p))


def between_products(m: Moments, weights: FloatArray, by: Weighting) -> FloatArray:
    """(R, p, p) sums of squares and products of patient means about their mean.

    Each patient counts once (``patients``) or once per pair (``occasions``).
    """
    counts = (m.n > 0).astype(np.float64) if by == "patients" else m.n
    w = weights * counts
    total = w.sum(axis=1)
    sums = w @ m.means
    outer = m.means[:, :, None] * m.means[:, None, :]
    n_patients, p = m.means.shape
    raw = (w @ outer.reshape(n_patients, p * p)).reshape(-1, p, p)
    with np.errstate(invalid="ignore", divide="ignore"):
        about = raw - sums[:, :, None] * sums[:, None, :] / total[:, None, None]
    diagonal = np.arange(p)
    still = about[:, diagonal, diagonal] <= ROUNDING * raw[:, diagonal, diagonal]
    about[still[:, :, None] | still[:, None, :]] = 0.0
    return np.asarray(about)


def total_correlation(m: Moments, weights: FloatArray) -> FloatArray:
    r"""Correlation over all pairs, patients disregarded.

    r_total = η_x η_y r_B + √(1 − η_x²) √(1 − η_y²) r_W, exactly, with r_B weighted by pairs
    (Robinson, 1950, https://doi.org/10.2307/2087176).
    """
    return _correlation(pooled_products(m, weights) + between_products(m, weights, "occasions"))


def within_correlation(m: Moments, weights: FloatArray) -> FloatArray:
    """Correlation of deviations from the patients' own means: the repeated-measures correlation.

    It equals t/√(t² + df) of a slope common to all patients with an intercept for each (Bakdash &
    Marusich, 2017, https://doi.org/10.3389/fpsyg.2017.00456).
    """
    return _correlation(pooled_products(m, weights))


def between_correlation(m: Moments, weights: FloatArray, by: Weighting) -> FloatArray:
    """Correlation of patient means."""
    return _correlation(between_products(m, weights, by))


def within_slope(m: Moments, weights: FloatArray) -> FloatArray:
    """Slope of the second variable's deviations on the first's, in their units."""
    return _slope(pooled_products(m, weights))


def between_slope(m: Moments, weights: FloatArray, by: Weighting) -> FloatArray:
    """Slope of the second variable's patient means on the first's, in their units."""
    return _slope(between_products(m, weights, by))


def eta(m: Moments, weights: FloatArray) -> FloatArray:
    """(R, p) square roots of the share of each variable's sum of squares between patients."""
    between = np.diagonal(between_products(m, weights, "occasions"), axis1=1, axis2=2)
    within = np.diagonal(pooled_products(m, weights), axis1=1, axis2=2)
    return np.asarray(np.sqrt(between / (between + within)))


def partial_coefficient(m: Moments, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    r"""Coefficient of x on y net of the earlier y, all three as deviations from patient means.

    Parameters
    ----------
    m : Moments
        Of x, y and the earlier y.
    weights : (R, N)

    Returns
    -------
    raw, standardised : (R,)
        b, and β = b·√(S_xx/S_yy) in standard deviations within patients.

    Notes
    -----
    With few sessions the autoregression is drawn towards and past zero, and b with it where x and
    y go together, as the earlier outcome correlates with the error that centring carries (Nickell,
    1981, https://doi.org/10.2307/1911408).
    """
    s = pooled_products(m, weights)
    design = s[:, [0, 2]][:, :, [0, 2]]
    return _standardised(_solved(design, s[:, [0, 2], 1])[:, 0], s)


def patient_correlation(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Correlation over patients of two numbers each has once; NaN leaves a patient out."""
    known = ~(np.isnan(x) | np.isnan(y))
    x0, y0 = np.where(known, x, 0.0), np.where(known, y, 0.0)
    n = max(int(known.sum()), 1)
    means = np.column_stack([x0 - x0.sum() / n, y0 - y0.sum() / n])
    one = Moments(n=known.astype(np.float64), means=means, products=np.zeros((len(x), 2, 2)))
    return between_correlation(one, weights, "patients")


def _correlation(products: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        r = products[:, 0, 1] / np.sqrt(products[:, 0, 0] * products[:, 1, 1])
    return np.asarray(np.clip(r, -1.0, 1.0))


def _slope(products: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(products[:, 0, 1] / products[:, 0, 0])


def _solved(design: FloatArray, target: FloatArray) -> FloatArray:
    """(R, q) solutions; NaN where a design is singular."""
    scale = np.sqrt(np.maximum(np.diagonal(design, axis1=1, axis2=2), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    scaled = design / (scale[:, :, None] * scale[:, None, :])
    singular = np.abs(np.linalg.det(scaled)) < 1e-12
    scaled[singular] = np.eye(design.shape[1])
    solved = np.linalg.solve(scaled, (target / scale)[:, :, None])[:, :, 0] / scale
    solved[singular] = np.nan
    return np.asarray(solved)


def _standardised(b: FloatArray, within: FloatArray) -> tuple[FloatArray, FloatArray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return b, np.asarray(b * np.sqrt(within[:, 0, 0] / within[:, 1, 1]))
