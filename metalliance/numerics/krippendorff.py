"""Krippendorff's alpha: any number of coders, codes may be missing, three kinds of scale."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from metalliance.numerics.agreement import (
    NO_INTERVAL,
    NO_UNITS,
    ONE_CATEGORY,
    Coefficient,
    category_counts,
)
from metalliance.numerics.blocks import FloatArray

__all__ = ["ALPHA_METRICS", "AlphaMetric", "krippendorff_alpha"]

AlphaMetric = Literal["nominal", "ordinal", "interval"]
FEW_UNITS = "no interval from fewer than 3 units"


def nominal_disagreement(counts: FloatArray, _: FloatArray) -> tuple[FloatArray, float]:
    """Pairs of different categories: within every unit, and among all codes."""
    per_unit, totals = counts.sum(axis=1), counts.sum(axis=0)
    within = (counts * (per_unit[:, None] - counts)).sum(axis=1)
    return np.asarray(within), float(totals.sum() ** 2 - (totals**2).sum())


def ordinal_disagreement(counts: FloatArray, _: FloatArray) -> tuple[FloatArray, float]:
    """Squared differences of middle ranks: the codes that lie between, half of both included."""
    totals = counts.sum(axis=0)
    return interval_disagreement(counts, np.cumsum(totals) - totals / 2)


def interval_disagreement(counts: FloatArray, values: FloatArray) -> tuple[FloatArray, float]:
    """Squared differences of values: within every unit, and among all codes."""
    per_unit, totals = counts.sum(axis=1), counts.sum(axis=0)
    x = values - float(totals @ values) / float(totals.sum())
    within = 2 * (per_unit * (counts @ x**2) - (counts @ x) ** 2)
    return np.asarray(within), 2 * float(totals.sum() * (totals @ x**2) - (totals @ x) ** 2)


ALPHA_METRICS = {
    "nominal": nominal_disagreement,
    "ordinal": ordinal_disagreement,
    "interval": interval_disagreement,
}


def krippendorff_alpha(
    codes: FloatArray,
    metric: AlphaMetric = "nominal",
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Coefficient:
    r"""Krippendorff's alpha with a bootstrap interval.

    Parameters
    ----------
    codes : (n, coders) array
        Numbers; NaN where a coder gave none. Units with fewer than two codes are left out.
    metric : {'nominal', 'ordinal', 'interval'}
    level : float
        Of the interval.
    resamples : int
        Of units, with replacement; 0 leaves the interval out.
    seed : int

    Returns
    -------
    Coefficient
        ``std_error`` is the standard deviation over resamples. NaN where all codes are equal.

    Raises
    ------
    ValueError
        Unknown ``metric``.

    Notes
    -----
    α = 1 − D_o/D_e. Over the coincidences o_ck of values within units, each unit with m_u codes
    weighing 1/(m_u − 1): D_o = Σ o_ck δ²_ck / N and D_e = Σ n_c n_k δ²_ck / (N (N − 1)). The
    interval is the percentile one of a bootstrap over units; resamples without any variation of
    codes have no alpha and are left out.

    References
    ----------
    Krippendorff (2004), doi:10.1111/j.1468-2958.2004.tb00738.x; Hayes & Krippendorff (2007),
    doi:10.1080/19312450709336664; bootstrap over units: Zapf et al. (2016),
    doi:10.1186/s12874-016-0200-9.

    Examples
    --------
    >>> first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    >>> second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    >>> round(krippendorff_alpha(np.column_stack([first, second]).astype(float)).estimate, 3)
    0.095
    """
    if metric not in ALPHA_METRICS:
        raise ValueError(f"metric is one of {', '.join(ALPHA_METRICS)}, not {metric!r}")
    codes = np.asarray(codes, dtype=float)
    codes = codes[(~np.isnan(codes)).sum(axis=1) >= 2]
    n = len(codes)
    if n == 0:
        return Coefficient(note=NO_UNITS)
    counts, values = category_counts(codes), np.unique(codes[~np.isnan(codes)])
    estimate = _alpha(counts, values, metric)
    if math.isnan(estimate):
        return Coefficient(n=n, note=ONE_CATEGORY)
    if estimate == 1:
        return Coefficient(estimate=1.0, n=n, note=NO_INTERVAL)
    if n < 3 or resamples == 0:
        return Coefficient(estimate=estimate, n=n, note=FEW_UNITS if n < 3 else "")
    rng = np.random.default_rng(seed)
    units = rng.integers(n, size=(resamples, n))
    found = np.array([_alpha(counts[sample], values, metric) for sample in units])
    found = found[~np.isnan(found)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Coefficient(
        estimate=estimate,
        std_error=float(found.std(ddof=1)),
        conf_low=float(low),
        conf_high=float(high),
        n=n,
    )


def _alpha(counts: FloatArray, values: FloatArray, metric: AlphaMetric) -> float:
    per_unit = counts.sum(axis=1)
    total = float(per_unit.sum())
    within, among = ALPHA_METRICS[metric](counts, values)
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return math.nan
    observed = float((within / (per_unit - 1)).sum()) / total
    return 1 - observed * total * (total - 1) / among
