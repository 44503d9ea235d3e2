"""Whether totals agree with what the studies predict that told trait from state."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from metalliance.models.inference import MINIMUM_DF
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.distributions import critical_value, two_sided_p
from metalliance.traitstate.joint import contrast_table
from metalliance.traitstate.synthesis_model import Settled
from metalliance.traitstate.synthesis_rows import BESIDE_BETWEEN, weights_of_rows

__all__ = ["consistency", "told_apart"]

TESTED = ["std_error", "df", "p_value", "conf_low", "conf_high"]
COLUMNS = ["samples", "predicted", "discrepancy", *TESTED]


def consistency(
    settled: Settled,
    a: FloatArray,
    b: FloatArray,
    others: pd.DataFrame,
    iccs: tuple[float, float, float],
    level: float,
) -> pd.DataFrame:
    """Mean distance of totals from their prediction, in other samples and in the same ones.

    Parameters
    ----------
    settled : Settled
        The fit of the synthesis, with weights a and b (k,).
    others : DataFrame
        Rows that are not in it, with the reason in ``why``.
    iccs : (float, float, float)
        ICCs of alliance and outcome, and the share of deviations at other sessions.
    level : float

    Returns
    -------
    DataFrame
        samples (other, same), predicted (median total), discrepancy, std_error, df, p_value,
        conf_low, conf_high. ``other``: totals of samples without a between-patient effect, one
        coefficient more in the model, CR2. ``same``: totals beside the between-patient effect
        of their own sample, a t interval over independent studies (their sampling errors are
        nearly the same, so that no model holds both).
    """
    rows = [_other_samples(settled, a, b, level)]
    rows.append(_same_samples(settled, a, b, others, iccs, level))
    return pd.DataFrame([row for row in rows if row is not None], columns=COLUMNS)


def told_apart(a: FloatArray, b: FloatArray, clusters: IntArray) -> bool:
    """Whether two clusters or more have weights off the common ray of the others."""
    angle = np.round(np.arctan2(b, a), 6)
    most = pd.Series(angle).groupby(clusters).agg(lambda x: x.mode().iloc[0]).mode().iloc[0]
    return len(np.unique(clusters[angle != most])) >= 2


def _other_samples(
    settled: Settled, a: FloatArray, b: FloatArray, level: float
) -> list[object] | None:
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
    return ["other", predicted, *row[["estimate", *TESTED]]]


def _same_samples(
    settled: Settled,
    a: FloatArray,
    b: FloatArray,
    others: pd.DataFrame,
    iccs: tuple[float, float, float],
    level: float,
) -> list[object] | None:
    beside = others[others["why"].eq(BESIDE_BETWEEN)]
    if not len(beside):
        return None
    state = float(settled.inference.fit.beta[1])
    between = settled.rows.assign(a=a, b=b)
    between = between[between["component"].str.startswith("between_")]
    trait = ((between["r"] - between["b"] * state) / between["a"]).groupby(between["sample"]).mean()
    weights = weights_of_rows(beside, *iccs)
    predicted = weights[0] * beside["sample"].map(trait).to_numpy() + weights[1] * state
    apart = (beside["r"] - predicted).groupby(beside["cluster"]).mean()
    k = len(apart)
    if k < 2:
        return None
    mean, error = float(apart.mean()), float(apart.std(ddof=1)) / math.sqrt(k)
    half = float(critical_value(level, k - 1)) * error
    p = float(two_sided_p(mean / error, k - 1)) if k - 1 >= MINIMUM_DF else math.nan
    return ["same", float(np.median(predicted)), mean, error, k - 1.0, p, mean - half, mean + half]
