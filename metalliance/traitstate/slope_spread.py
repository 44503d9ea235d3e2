"""How much a within-patient slope differs between patients, over studies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from metalliance.effectsize.table import EffectTable
from metalliance.numerics.distributions import critical_value

__all__ = ["SlopeSpread", "slope_spread"]

COLUMN = "slope_sd_within"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopeSpread:
    """Standard deviation of patients' own slopes, in the metric of the pooled effects.

    Attributes
    ----------
    studies : int
        Independent studies that report one.
    estimate, conf_low, conf_high : float
        Geometric mean over studies, each counting once; no limits below two studies.
    smallest, largest : float
    zeros : int
        Effects whose slope SD was estimated as zero; no logarithm holds them, so that
        ``estimate`` is too large where there are many.
    positive : float
        Share of patients with a positive slope where the mean slope is the pooled one and slopes
        are normal.
    """

    studies: int
    estimate: float
    conf_low: float
    conf_high: float
    smallest: float
    largest: float
    positive: float
    zeros: int


def slope_spread(effects: EffectTable, mean: float, level: float = 0.95) -> SlopeSpread | None:
    """Pool the random-slope standard deviations of one within-patient pool.

    Their logarithms are averaged over independent studies, with a t interval: reports give no
    sampling error of a slope SD, so studies cannot be weighted by it.

    Parameters
    ----------
    effects : EffectTable
        With the column ``slope_sd_within``.
    mean : float
        Pooled slope, for ``positive``.
    level : float

    Returns
    -------
    SlopeSpread or None
        None where no study reports one.
    """
    frame = effects.usable
    if COLUMN not in frame:
        return None
    values = frame[COLUMN].astype(float)
    given = values.notna() & (values > 0)
    if not given.any():
        return None
    zeros = int(values.eq(0).sum())
    logs = np.log(values[given]).groupby(effects.clusters()[given.to_numpy()]).mean()
    k, centre = len(logs), float(logs.mean())
    half = math.nan
    if k > 1:
        half = float(critical_value(level, k - 1)) * float(logs.std(ddof=1)) / math.sqrt(k)
    spread = math.exp(centre)
    return SlopeSpread(
        studies=k,
        estimate=spread,
        conf_low=math.exp(centre - half),
        conf_high=math.exp(centre + half),
        smallest=math.exp(float(logs.min())),
        largest=math.exp(float(logs.max())),
        positive=float(special.ndtr(mean / spread)),
        zeros=zeros,
    )
