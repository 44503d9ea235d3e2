"""Which effects enter the synthesis, and with which weights of trait and state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from metalliance.effectsize.paths import REVERSE
from metalliance.effectsize.table import EffectTable
from metalliance.numerics.blocks import FloatArray
from metalliance.traitstate.mixture import mixture_weights
from metalliance.traitstate.rows import DROPOUT_FORMS, as_numbers, working_rows

__all__ = ["BESIDE_BETWEEN", "OBSERVED", "split_rows", "weights_of_rows"]

#: Components that are correlations of scores over patients, mixtures of trait and state.
MIXED = ("total", "between_observed")
OBSERVED = (*MIXED, "between_latent", "within")
#: What an outcome may be: anything that subtracts an earlier score has lost its trait part.
FORMS = ("raw post", "session-level score", "", None, np.nan)
OCCASIONS = ("k_x", "k_y", "shared")
BESIDE_BETWEEN = "its sample has a between-patient effect"
NUMBERS = ("icc_x", "icc_y", "ni", "r", *OCCASIONS)
WORDS = ("prior_outcome_control", "quality")


def split_rows(effects: EffectTable | pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows that enter the synthesis, and those that do not with the reason in ``why``."""
    frame = working_rows(effects, dropout=True)
    for name in NUMBERS:
        frame[name] = as_numbers(frame, name) if name in frame else np.nan
    for name in WORDS:
        frame[name] = frame[name].astype(object).fillna("") if name in frame else ""
    frame["r"] = frame["r"].where(frame["r"].notna(), np.tanh(frame["yi"]))
    why = pd.Series("", index=frame.index)
    for reason, rule in RULES.items():
        why = why.where(why.ne("") | ~rule(frame), reason)
    used = why.eq("")
    for reason, second in (
        (BESIDE_BETWEEN, _beside_between(frame, used)),
        ("its sample has an effect of observed averages", _beside_observed(frame, used)),
    ):
        why = why.where(~second, reason)
    return (
        frame[why.eq("")].reset_index(drop=True),
        frame[why.ne("")].assign(why=why[why.ne("")]).reset_index(drop=True),
    )


def weights_of_rows(
    rows: pd.DataFrame, icc_x: float, icc_y: float, lagged_share: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """(k,) weights a of ρ_B and b of ρ_W, at these ICCs where a row has none of its own.

    ``lagged_share`` is the correlation of deviations at different occasions over that at one
    occasion: pairs of occasions that are not shared count with it.
    """
    x = rows["icc_x"].fillna(icc_x).to_numpy()
    y = rows["icc_y"].fillna(icc_y).to_numpy()
    k_x, k_y, shared = (rows[name].fillna(1).to_numpy() for name in OCCASIONS)
    a, b = mixture_weights(x, y, k_x, k_y, shared + lagged_share * (k_x * k_y - shared))
    latent = rows["component"].eq("between_latent").to_numpy()
    within = rows["component"].eq("within").to_numpy()
    return (
        np.where(latent, 1.0, np.where(within, 0.0, a)),
        np.where(latent, 0.0, np.where(within, 1.0, b)),
    )


def _mixed(frame: pd.DataFrame) -> pd.Series:
    return frame["component"].isin(MIXED)


def _adjusted(frame: pd.DataFrame) -> pd.Series:
    return _mixed(frame) & ~frame["prior_outcome_control"].isin(("", "none"))


def _impossible(frame: pd.DataFrame) -> pd.Series:
    """Sessions below one, more shared than seen, or an ICC that is not inside 0 to 1."""
    sessions = frame[["k_x", "k_y"]]
    shared = frame["shared"]
    icc = frame[["icc_x", "icc_y"]]
    outside = (icc.le(0) | icc.ge(1)).any(axis=1)
    return sessions.lt(1).any(axis=1) | shared.lt(0) | shared.gt(sessions.min(axis=1)) | outside


def _beside_between(frame: pd.DataFrame, used: pd.Series) -> pd.Series:
    between = used & frame["component"].str.startswith("between_")
    samples = frame.loc[between, "sample"]
    return used & frame["component"].eq("total") & frame["sample"].isin(samples)


def _beside_observed(frame: pd.DataFrame, used: pd.Series) -> pd.Series:
    samples = frame.loc[used & frame["component"].eq("between_observed"), "sample"]
    return used & frame["component"].eq("between_latent") & frame["sample"].isin(samples)


#: Reasons in the order in which a reader would ask; a row has the first that holds.
RULES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "not a correlation of patients or of deviations": lambda f: ~f["component"].isin(OBSERVED),
    "within-patient effect of different occasions": lambda f: (
        f["component"].eq("within") & f["estimand"].ne("concurrent_r")
    ),
    "from outcome to alliance": lambda f: f["path"].eq(REVERSE),
    "not on the correlation scale": lambda f: f["es_metric"].ne("z"),
    "outcome is dropout or the time to an event": lambda f: f["outcome_form"].isin(DROPOUT_FORMS),
    "outcome is a binary response, often defined against the baseline": lambda f: (
        _mixed(f) & f["outcome_form"].eq("binary response")
    ),
    "outcome is a change, or adjusted for its baseline": lambda f: (
        _mixed(f) & ~f["outcome_form"].isin(FORMS)
    ),
    "adjusted for earlier outcome": _adjusted,
    "occasions of the two scores are not coded": lambda f: (
        _mixed(f) & f[list(OCCASIONS)].isna().any(axis=1)
    ),
    "impossible sessions or ICCs": lambda f: _mixed(f) & _impossible(f),
}
