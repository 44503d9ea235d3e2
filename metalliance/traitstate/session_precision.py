"""How precise the components of one data set are: patients resampled, and what that implies."""

from __future__ import annotations

import math

import numpy as np

from metalliance.numerics.blocks import FloatArray

__all__ = [
    "REPLICATES",
    "covariance_of",
    "limits",
    "percentile_limits",
    "resampled",
    "within_df",
    "within_model_variance",
]

REPLICATES = 1000


def resampled(n_patients: int, seed: int, replicates: int = REPLICATES) -> FloatArray:
    """(R, N) how often each patient is drawn into each of R resamples of N patients.

    Whole patients are drawn, with all their sessions: that carries autocorrelation, slopes that
    differ between patients and unequal numbers of sessions (Cameron, Gelbach & Miller, 2008,
    https://doi.org/10.1162/rest.90.3.414).

    Examples
    --------
    >>> resampled(4, seed=0, replicates=3).sum(axis=1).tolist()
    [4.0, 4.0, 4.0]
    """
    rng = np.random.default_rng(seed)
    share = np.full(n_patients, 1.0 / n_patients)
    return rng.multinomial(n_patients, share, size=replicates).astype(np.float64)


def covariance_of(replicates: FloatArray, n_patients: int) -> FloatArray:
    """(q, q) covariance of q statistics over replicates (R, q).

    Times N/(N − 1): a resample of N patients varies like a sample whose variance is divided by N
    in place of N − 1. Replicates without a number for a statistic are left out of its entries.
    """
    known = np.isfinite(replicates)
    values = np.where(known, replicates, 0.0)
    means = values.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - means, 0.0)
    both = known.astype(np.float64).T @ known.astype(np.float64)
    products = centred.T @ centred / np.maximum(both - 1.0, 1.0)
    return np.asarray(np.where(both > 1, products, np.nan) * n_patients / (n_patients - 1.0))


def limits(estimate: float, se: float, df: float, level: float = 0.95) -> tuple[float, float]:
    """Estimate ± t·SE; NaN where there is no standard error or no df."""
    from scipy.special import stdtrit

    if not (math.isfinite(se) and df >= 1):
        return math.nan, math.nan
    half = float(stdtrit(df, 0.5 + level / 2)) * se
    return estimate - half, estimate + half


def percentile_limits(replicates: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Quantiles of the replicates of one statistic."""
    known = replicates[~np.isnan(replicates)]
    if len(known) < 2:
        return math.nan, math.nan
    low, high = np.quantile(known, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def within_df(n: FloatArray, lines: bool) -> float:
    """Degrees of freedom of a correlation within patients with a common slope.

    Σ(n_i − 1) − 1 over patients with two pairs or more; Σ(n_i − 2) − 1 over those with three
    where each patient's straight line is taken out.

    Parameters
    ----------
    n : (N,) float
        Pairs of each patient.
    lines : bool
    """
    lost = 2 if lines else 1
    return float((n[n > lost] - lost).sum() - 1)


def within_model_variance(df: float) -> float:
    """Var(z) = 1/(df − 1): one slope for all patients, independent residuals."""
    return 1.0 / (df - 1) if df > 1 else math.nan
