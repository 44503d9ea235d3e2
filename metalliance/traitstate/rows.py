"""Rows of an effect table by component, estimand and direction, ready for a joint model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from metalliance.effectsize.columns import row_list
from metalliance.effectsize.paths import FORWARD
from metalliance.effectsize.table import EffectTable, codes, pairs_among
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import connected_components

__all__ = [
    "DROPOUT_FORMS",
    "as_numbers",
    "reported_pairs",
    "with_part",
    "working_rows",
]

#: Forms of outcome that are a family of their own: never pooled with measures of outcome.
DROPOUT_FORMS = ("dropout", "time-to-event")
NEEDED = ("study", "component", "estimand", "yi", "vi")


def working_rows(effects: EffectTable | pd.DataFrame, *, dropout: bool = False) -> pd.DataFrame:
    """Usable rows with the columns that joint models read, and ``cluster``.

    A plain DataFrame needs ``study, component, estimand, yi, vi``; without others every study is
    one sample, effects run from alliance to outcome, and yi is Fisher's z, for lagged partial
    effects a coefficient. Outcomes of dropout are left out unless asked for.
    """
    frame = effects.to_frame() if isinstance(effects, EffectTable) else effects.copy()
    missing = [name for name in NEEDED if name not in frame]
    if missing:
        raise SpecificationError(f"columns missing from the effects: {', '.join(missing)}")
    for name in ("yi", "vi"):
        frame[name] = as_numbers(frame, name)
    impossible = ~(np.isfinite(frame["yi"]) & np.isfinite(frame["vi"]) & (frame["vi"] > 0))
    if impossible.any():
        raise SpecificationError(
            f"yi or vi is missing, infinite or not positive in {row_list(frame, impossible)}"
        )
    frame["component"] = frame["component"].fillna("").astype(str)
    partial = frame["estimand"].eq("lagged_partial")
    assumed = {"path": FORWARD, "es_metric": partial.map({True: "beta", False: "z"})}
    for name, value in {**assumed, "outcome_form": ""}.items():
        if name not in frame:
            frame[name] = value
    if "sample" not in frame:
        frame["sample"] = frame["study"]
    if "effect" not in frame:
        frame["effect"] = range(len(frame))
    if not dropout:
        frame = frame[~frame["outcome_form"].isin(DROPOUT_FORMS)]
    frame = frame.reset_index(drop=True)
    frame["cluster"] = connected_components([codes(frame["study"]), codes(frame["sample"])])
    return frame


def as_numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as float; text in it is refused by name."""
    numbers = pd.to_numeric(frame[name], errors="coerce")
    text = numbers.isna() & frame[name].notna()
    if text.any():
        raise SpecificationError(f"{name} is no number in {row_list(frame, text)}")
    return numbers.astype(float)


def reported_pairs(effects: EffectTable | pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame | None:
    """Sampling correlations that the reports of these rows give, where any are known."""
    return pairs_among(effects.correlations, rows) if isinstance(effects, EffectTable) else None


def with_part(frame: pd.DataFrame, parts: dict[str, pd.Series]) -> pd.DataFrame:
    """The rows of either part, named in column ``part``."""
    chosen = [frame[rows].assign(part=part) for part, rows in parts.items()]
    return pd.concat(chosen, ignore_index=True)
