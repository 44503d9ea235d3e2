"""Rows of an effect table by component, estimand and direction, ready for a joint model."""

from __future__ import annotations

import pandas as pd

from metalliance.effectsize.table import EffectTable, codes
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import connected_components

__all__ = ["BACK", "DROPOUT_FORMS", "FORTH", "with_part", "working_rows"]

FORTH, BACK = "alliance→outcome", "outcome→alliance"
#: Forms of outcome that are a family of their own: never pooled with measures of outcome.
DROPOUT_FORMS = ("dropout", "time-to-event")
#: What a column means where a plain table does not have it.
ASSUMED = {"path": FORTH, "es_metric": "z", "outcome_form": ""}


def working_rows(effects: EffectTable | pd.DataFrame) -> pd.DataFrame:
    """Usable rows with the columns that joint models read, and ``cluster``.

    A plain DataFrame needs ``study, component, estimand, yi, vi``; without others every study is
    one sample, effects run from alliance to outcome, and yi is Fisher's z. Dropout is left out.
    """
    frame = effects.to_frame() if isinstance(effects, EffectTable) else effects.copy()
    missing = [name for name in ("study", "component", "estimand", "yi", "vi") if name not in frame]
    if missing:
        raise SpecificationError(f"columns missing from the effects: {', '.join(missing)}")
    for name, value in ASSUMED.items():
        if name not in frame:
            frame[name] = value
    if "sample" not in frame:
        frame["sample"] = frame["study"]
    if "effect" not in frame:
        frame["effect"] = range(len(frame))
    frame = frame[~frame["outcome_form"].isin(DROPOUT_FORMS)].reset_index(drop=True)
    frame["cluster"] = connected_components([codes(frame["study"]), codes(frame["sample"])])
    return frame


def with_part(frame: pd.DataFrame, parts: dict[str, pd.Series]) -> pd.DataFrame:
    """The rows of either part, named in column ``part``."""
    chosen = [frame[rows].assign(part=part) for part, rows in parts.items()]
    return pd.concat(chosen, ignore_index=True)
