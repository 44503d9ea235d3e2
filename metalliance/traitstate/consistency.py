"""Whether totals agree with what the studies predict that told trait from state."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from metalliance.models.inference import MINIMUM_DF
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.distributions import critical_value, two_sided_p
from metalliance.traitstate.joint import contrast_table
from metalliance.traitstate.mixture import Band
from metalliance.traitstate.synthesis_model import Settled
from metalliance.traitstate.synthesis_rows import BESIDE_BETWEEN, weights_of_rows

__all__ = ["consistency", "told_apart"]

TESTED = ["std_error", "df", "p_value", "conf_low", "conf_high"]
COLUMNS = ["samples", "predicted", "discrepancy", *TESTED, "band_low", "band_high"]


def consistency(
    settled: Settled,
    others: pd.DataFrame,
    icc_x: Band,
    icc_y: Band,
    lagged_share: float,
    level: float,
) -> pd.DataFrame:
    """Mean distance of totals from their prediction, in other samples and in the same ones.

    Parameters
    ----------
    settled : Settled
        The fit of the synthesis, at the mean ICCs.
    others : DataFrame
        Rows that are not in it, with the reason in ``why``.
    icc_x, icc_y : (mean, low, high)
    lagged_share : float
    level : float

    Returns
    -------
    DataFrame
        samples (other, same), predicted (median total), discrepancy, std_error, df, p_value,
        conf_low, conf_high, and the lowest and highest limit over the band of ICCs. ``other``:
        totals of samples without a between-patient effect, one coefficient more in the model,
        CR2. ``same``: totals beside the between-patient effect of their own sample, a t interval
        over independent studies (their sampling errors are nearly the same, so that no model
        holds both), at the mean ICCs alone.
    """
    nodes = [(icc_x[0], icc_y[0]), *((x, y) for x in icc_x[1:] for y in icc_y[1:])]
    found = [_other_samples(settled, *node, lagged_share, level) for node in nodes]
    rows: list[list[object]] = []
    if found[0] is not None:
        limits = np.array([row[-2:] for row in found if row is not None], dtype=float)
        rows.append(["other", *found[0], float(limits.min()), float(limits.max())])
    same = _same_samples(settled, others, icc_x[0], icc_y[0], lagged_share, level)
    if same is not None:
        rows.append(["same", *same, math.nan, math.nan])
    return pd.DataFrame(rows, columns=COLUMNS)


def told_apart(a: FloatArray, b: FloatArray, clusters: IntArray) -> bool:
    """Whether two clusters or more have weights off the common ray of the others."""
    angle = np.round(np.arctan2(b, a), 6)
    most = pd.Series(angle).groupby(clusters).agg(lambda x: x.mode().iloc[0]).mode().iloc[0]
    return len(np.unique(clusters[angle != most])) >= 2


def _other_samples(
    settled: Settled, icc_x: float, icc_y: float, lagged_share: float, level: float
) -> list[float] | None:
    a, b = weights_of_rows(settled.rows, icc_x, icc_y, lagged_share)
    total = settled.rows["component"].eq("total").to_numpy()
    clusters = settled.rows["cluster"].to_numpy()
    alone = ~total
    decided = alone.any() and told_apart(a[alone], b[alone], clusters[alone])
    if len(np.unique(clusters[total])) < 2 or not decided:
        return None
    inference = settled.at(a, b, extra=total.astype(float))
    row = contrast_table(inference, {"discrepancy": np.array([0.0, 0.0, 1.0])}, level).iloc[0]
    beta = inference.fit.beta
    predicted = float(np.median(a[total]) * beta[0] + np.median(b[total]) * beta[1])
    return [predicted, *row[["estimate", *TESTED]].astype(float)]


def _same_samples(
    settled: Settled,
    others: pd.DataFrame,
    icc_x: float,
    icc_y: float,
    lagged_share: float,
    level: float,
) -> list[float] | None:
    beside = others[others["why"].eq(BESIDE_BETWEEN)]
    if not len(beside):
        return None
    a, b = weights_of_rows(settled.rows, icc_x, icc_y, lagged_share)
    state = float(settled.inference.fit.beta[1])
    between = settled.rows.assign(a=a, b=b)
    between = between[between["component"].str.startswith("between_")]
    trait = ((between["r"] - between["b"] * state) / between["a"]).groupby(between["sample"]).mean()
    weights = weights_of_rows(beside, icc_x, icc_y, lagged_share)
    predicted = weights[0] * beside["sample"].map(trait).to_numpy() + weights[1] * state
    apart = (beside["r"] - predicted).groupby(beside["cluster"]).mean().dropna()
    k = len(apart)
    if k < 2:
        return None
    mean, error = float(apart.mean()), float(apart.std(ddof=1)) / math.sqrt(k)
    half = float(critical_value(level, k - 1)) * error
    p = float(two_sided_p(mean / error, k - 1)) if k - 1 >= MINIMUM_DF else math.nan
    return [float(np.nanmedian(predicted)), mean, error, k - 1.0, p, mean - half, mean + half]
