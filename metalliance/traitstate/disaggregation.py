"""What session data say of one study: effects by component, their covariance, their measures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.effectsize.table import CORE_COLUMNS, EffectTable

__all__ = ["EFFECT_COLUMNS", "MEASURE_COLUMNS", "Disaggregation", "effect_table"]

EFFECT_COLUMNS: tuple[str, ...] = (
    "component",
    "estimand",
    "path",
    "lag",
    "es_metric",
    "estimate",
    "conf_low",
    "conf_high",
    "yi",
    "vi",
    "r",
    "v_r",
    "se_model",
    "se_bootstrap",
    "n_eff",
    "ni",
    "n_obs",
    "k_x",
    "k_y",
    "shared",
    "slope",
    "slope_se",
    "slope_sd",
    "slope_sd_low",
    "slope_sd_high",
    "sd_x",
    "sd_y",
    "lag_days",
    "lag_days_low",
    "lag_days_high",
    "route",
)
MEASURE_COLUMNS: tuple[str, ...] = (
    "measure",
    "patients",
    "occasions",
    "constant",
    "sessions",
    "mean",
    "sd_total",
    "sd_within",
    "sd_between",
    "icc",
    "icc_low",
    "icc_high",
    "icc_stable",
    "icc_stable_low",
    "icc_stable_high",
    "autocorrelation",
    "autocorrelation_low",
    "autocorrelation_high",
    "reliability",
    "reliability_low",
    "reliability_high",
    "eta",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disaggregation:
    """Effects of one study from its sessions.

    Attributes
    ----------
    table : DataFrame
        One row per component and estimand, columns ``EFFECT_COLUMNS``. ``estimate`` and its limits
        are read on r, on β (``es_metric`` beta), or in raw units (slope); ``yi`` and ``vi`` are
        what a model pools. A contextual row has neither yi nor r.
    covariance : DataFrame
        Sampling covariances of the rows on the scale of ``yi`` (contextual: of its slope), from
        resampling patients.
    measures : DataFrame
        Alliance and outcome, columns ``MEASURE_COLUMNS``. ``icc`` is by analysis of variance,
        which takes successive deviations as independent; ``icc_stable`` and ``autocorrelation``
        (of deviations, session to session) are of the likelihood with both, ``reliability`` is
        of the mean of ``sessions`` scores with that autocorrelation.
    notes : tuple of str
        What was noticed, assumed and left out.
    call : mapping
        Method, lag, path, detrend, weights, outcome_positive, seed, replicates.
    """

    table: pd.DataFrame
    covariance: pd.DataFrame
    measures: pd.DataFrame
    notes: tuple[str, ...]
    call: Mapping[str, object]


def effect_table(found: Disaggregation, study: str, sample: str = "") -> EffectTable:
    """The poolable rows as an effect table of one study; the others with their reason.

    Parameters
    ----------
    found : Disaggregation
    study, sample : str
        Ids; the sample is the study's own where none is named.

    Examples
    --------
    >>> import metalliance as ma
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"patient": np.repeat(range(20), 4), "session": [1, 2, 3, 4] * 20})
    >>> table["alliance"] = rng.normal(size=80)
    >>> table["outcome"] = .5 * table["alliance"] + rng.normal(size=80)
    >>> rows = effect_table(ma.disaggregate(table), "S1").to_frame()
    >>> rows["component"].tolist()
    ['total', 'between_observed', 'within', 'between_change']
    """
    frame = found.table.assign(
        study=study,
        sample=sample or study,
        effect=[f"E{i + 1}" for i in range(len(found.table))],
        quality="direct",
    )
    usable = np.isfinite(frame["yi"]) & (frame["vi"] > 0)
    details = ["n_obs", "slope", "slope_se", "slope_sd", "se_model", "n_eff"]
    core = [c for c in frame.columns if c not in EFFECT_COLUMNS or c in _CORE]
    left_out = frame.loc[~usable, ["study", "sample", "effect"]].assign(
        reason=[_reason(row) for _, row in frame[~usable].iterrows()], address=""
    )
    return EffectTable.build(frame.loc[usable, [*core, *details]], left_out)


_NAMED_HERE = ("study", "sample", "effect", "quality")
_CORE = tuple(name for name in CORE_COLUMNS if name not in _NAMED_HERE)


def _reason(row: pd.Series) -> str:
    if row["component"] == "contextual":
        return "a contextual slope is a difference of slopes, not an association"
    return "no number" if not math.isfinite(row["yi"]) else "no sampling variance"
