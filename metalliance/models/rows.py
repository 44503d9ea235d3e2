"""Naming rows and columns of a user's table in messages."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError

__all__ = ["describe_rows", "listed", "numeric_column", "require_columns"]

_SHOWN = 8
_SHOWN_NAMES = 20


def describe_rows(frame: pd.DataFrame, mask: Any) -> str:
    """``row 3 (study 'Bordin'), row 7 (...) and 5 more`` for the rows where ``mask`` holds."""
    positions = np.flatnonzero(np.asarray(mask, dtype=bool))
    studies = frame["study"].tolist() if "study" in frame.columns else None
    labels = frame.index.tolist()
    named = []
    for i in positions[:_SHOWN]:
        study = f" (study {str(studies[i])!r})" if studies is not None else ""
        named.append(f"row {labels[i]}{study}")
    more = len(positions) - _SHOWN
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def listed(values: Sequence[Any], shown: int = _SHOWN_NAMES) -> str:
    """``'a', 'b' and 3 more``."""
    more = len(values) - shown
    return ", ".join(repr(value) for value in values[:shown]) + (
        f" and {more} more" if more > 0 else ""
    )


def require_columns(frame: pd.DataFrame, names: Sequence[str], used_in: str) -> None:
    """Raise unless every name is one column; suggest the nearest one."""
    for name in names:
        if name not in frame.columns:
            available = [str(column) for column in frame.columns]
            near = get_close_matches(name, available, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"columns: {listed(available)}"
            raise SpecificationError(f"{used_in}: there is no column {name!r}; {hint}")
        if not frame.columns.is_unique and isinstance(frame[name], pd.DataFrame):
            raise SpecificationError(f"{used_in}: the column {name!r} occurs twice; rename one")


def numeric_column(frame: pd.DataFrame, name: str, used_in: str) -> np.ndarray[Any, Any]:
    """A column as float64, or a sentence about the rows where it is no finite number."""
    require_columns(frame, [name], used_in)
    column = frame[name]
    if column.dtype == np.float64 and np.isfinite(column.to_numpy()).all():
        return np.array(column.to_numpy())
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    missing = column.isna().to_numpy()
    if missing.any():
        raise SpecificationError(
            f"{name} is missing in {describe_rows(frame, missing)}; "
            "leave these rows out, or supply the value"
        )
    faulty = ~np.isfinite(values)
    if faulty.any():
        raise SpecificationError(
            f"{name} is not a finite number in {describe_rows(frame, faulty)}; "
            "correct the values or leave these rows out"
        )
    return np.array(values, dtype=np.float64)
