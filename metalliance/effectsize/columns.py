"""Columns of a table, read whole: what is absent or missing is refused by name and row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable, codes
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray, IntArray

__all__ = ["column", "complete_codes", "label_at", "numbers", "row_list", "usable_frame"]

_SHOWN = 5


def usable_frame(effects: EffectTable | pd.DataFrame) -> pd.DataFrame:
    """The rows to compute on: the usable ones of an effect table, or the frame itself."""
    if isinstance(effects, EffectTable):
        return effects.usable
    if isinstance(effects, pd.DataFrame):
        return effects
    raise SpecificationError(
        f"effects must be an EffectTable or a DataFrame, not {type(effects).__name__}"
    )


def row_list(frame: pd.DataFrame, chosen: Any) -> str:
    """``row(s) 3, 7`` by index label; ``chosen`` is boolean or row numbers."""
    labels = frame.index[chosen]
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return "row(s) " + ", ".join(map(str, labels[:_SHOWN])) + more


def column(frame: pd.DataFrame, name: str, role: str) -> pd.Series:
    """The column ``name``, which plays ``role``."""
    if name not in frame.columns:
        raise SpecificationError(
            f"{role} column {name!r} is not in the data; it has: "
            + ", ".join(map(str, frame.columns))
        )
    found = frame[name]
    if isinstance(found, pd.DataFrame):
        raise SpecificationError(f"{role} column {name!r} occurs twice; rename one")
    return found


def complete_codes(frame: pd.DataFrame, name: str, role: str) -> IntArray:
    """(k,) integer codes of a column without missing values."""
    coded = codes(column(frame, name, role))
    if np.any(coded < 0):
        where = row_list(frame, coded < 0)
        raise SpecificationError(f"column {name!r} is missing in {where}; name the {role}")
    return coded


def numbers(frame: pd.DataFrame, name: str, role: str) -> FloatArray:
    """(k,) finite numbers."""
    given = column(frame, name, role)
    values = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    text = np.isnan(values) & given.notna().to_numpy()
    if text.any() or pd.api.types.is_datetime64_any_dtype(given):
        where = row_list(frame, text if text.any() else slice(None))
        raise SpecificationError(f"column {name!r} holds no number in {where}")
    if not np.all(np.isfinite(values)):
        where = row_list(frame, ~np.isfinite(values))
        raise SpecificationError(f"column {name!r} is missing in {where}")
    return np.asarray(values, dtype=np.float64)


def label_at(frame: pd.DataFrame, name: str, row: int) -> str:
    """What stands in column ``name`` at row number ``row``, as text."""
    return str(frame[name].iloc[row])
