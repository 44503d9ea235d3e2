"""Alliance and outcome one by one: how much of each is stable, and how reliable its means are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.traitstate.centring import Moments, Series, moments
from metalliance.traitstate.session_components import between_products, eta, pooled_products
from metalliance.traitstate.session_precision import percentile_limits

__all__ = ["MeasureFacts", "analysis_of_variance_icc", "group_share", "measure_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureFacts:
    """One measure over sessions.

    Attributes
    ----------
    patients, occasions : int
    constant : int
        Patients with several sessions and one score.
    sessions : float
        Harmonic mean of scores per patient.
    mean, sd_total, sd_within, sd_between : float
        ``sd_between`` of patient means.
    icc, icc_low, icc_high : float
        Share of variance between patients by analysis of variance, with bootstrap limits.
    eta : float
        Square root of the share of the sum of squares between patients.
    """

    patients: int
    occasions: int
    constant: int
    sessions: float
    mean: float
    sd_total: float
    sd_within: float
    sd_between: float
    icc: float
    icc_low: float
    icc_high: float
    eta: float


def measure_facts(series: Series, values: FloatArray, draws: FloatArray) -> MeasureFacts:
    """Describe one measure.

    Parameters
    ----------
    series : Series
    values : (n,) float
        Its scores; NaN where not measured.
    draws : (R, N) float
        Resamples of patients.
    """
    known = ~np.isnan(values)
    m = moments(series.patient[known], values[known][:, None], series.n_patients)
    one = np.ones((1, series.n_patients))
    has, several = m.n > 0, m.n > 1
    df = float((m.n[has] - 1).sum())
    within = float(m.products[:, 0, 0].sum())
    low, high = percentile_limits(analysis_of_variance_icc(m, draws))
    return MeasureFacts(
        patients=int(has.sum()),
        occasions=int(known.sum()),
        constant=int((several & (m.products[:, 0, 0] <= 0)).sum()),
        sessions=float(has.sum() / (1.0 / m.n[has]).sum()) if has.any() else math.nan,
        mean=float(values[known].mean()) if known.any() else math.nan,
        sd_total=float(values[known].std(ddof=1)) if known.sum() > 1 else math.nan,
        sd_within=math.sqrt(within / df) if df > 0 else math.nan,
        sd_between=float(m.means[has, 0].std(ddof=1)) if has.sum() > 1 else math.nan,
        icc=float(analysis_of_variance_icc(m, one)[0]),
        icc_low=low,
        icc_high=high,
        eta=float(eta(m, one)[0, 0]),
    )


def analysis_of_variance_icc(m: Moments, weights: FloatArray) -> FloatArray:
    r"""(R,) intraclass correlation of the first variable from mean squares, unequal n_i.

    ICC = σ²_B/(σ²_B + MS_W), σ²_B = (MS_B − MS_W)/n_0 and n_0 = (n − Σn_i²/n)/(N − 1); negative
    components are 0. It takes deviations at different sessions as independent: under
    autocorrelation part of them counts as stable.

    References
    ----------
    Donner, A. (1986). International Statistical Review, 54, 67–82.
    https://doi.org/10.2307/1403259
    """
    there = (m.n > 0).astype(np.float64)
    patients, n = weights @ there, weights @ m.n
    squares = weights @ (m.n**2)
    ss_between = between_products(m, weights, "occasions")[:, 0, 0]
    ss_within = pooled_products(m, weights)[:, 0, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        ms_within = ss_within / (n - patients)
        n0 = (n - squares / n) / (patients - 1)
        between = np.maximum((ss_between / (patients - 1) - ms_within) / n0, 0.0)
        return np.asarray(between / (between + ms_within))


def group_share(values: FloatArray, group: IntArray) -> float:
    """Share of the variance of patients' numbers that lies between groups, such as therapists.

    Parameters
    ----------
    values : (N,) float
        One number per patient; NaN leaves a patient out.
    group : (N,) int
        −1 leaves a patient out.

    Examples
    --------
    >>> group_share(np.array([1.0, 1.1, 3.0, 3.1]), np.array([0, 0, 1, 1])) > .9
    True
    """
    known = ~np.isnan(values) & (group >= 0)
    if not known.any():
        return math.nan
    m = moments(group[known], values[known][:, None], int(group.max()) + 1)
    return float(analysis_of_variance_icc(m, np.ones((1, len(m.n))))[0])
