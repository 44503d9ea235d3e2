"""Columns of a table as a formula uses them: numbers, or factors with levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from metalliance.errors import SpecificationError
from metalliance.models.formula import Variable
from metalliance.models.rows import describe_rows, listed
from metalliance.numerics.blocks import FloatArray, IntArray

__all__ = ["Factor", "read_variable"]

_NUMBERS = ("integer", "floating", "mixed-integer-float", "boolean", "decimal")
_LABELS = ("string", "categorical", "empty")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factor:
    """A column as levels.

    Attributes
    ----------
    codes : (m,) int
        Position of each row's level.
    levels : tuple
        The first is the reference.
    """

    codes: IntArray
    levels: tuple[Any, ...]


def read_variable(
    frame: pd.DataFrame, variable: Variable, known: tuple[Any, ...] | None, fitted: bool
) -> FloatArray | Factor:
    """A complete column as float64 (m,) or as a factor.

    Parameters
    ----------
    frame : DataFrame
    variable : Variable
    known : tuple or None
        Where ``fitted``: the levels met in the fitted rows, None for a number.
    fitted : bool
        Whether the rows are new ones for a model that has been fitted.

    Notes
    -----
    Levels keep the order of a categorical column; otherwise they are sorted. Levels that do not
    occur are left out.
    """
    column = frame[variable.column]
    if fitted and known is not None:
        return _known_levels(frame, column, known)
    is_factor = variable.role == "factor" or not _holds_numbers(frame, column)
    if not is_factor:
        return _numbers(frame, column)
    if variable.role == "number" or fitted:
        where = "the fitted rows have numbers" if fitted else "a transform takes numbers"
        value = column.tolist()[0]
        kind = "text" if isinstance(value, str) else "categories"
        raise SpecificationError(
            f"{variable.column!r} holds {kind} such as {value!r}, but {where}; "
            "correct the column or use a number"
        )
    levels = _levels(column)
    if variable.reference is not None:
        first = _matching(levels, variable)
        levels = (first, *(level for level in levels if level is not first))
    return Factor(codes=_codes(column, levels), levels=levels)


def _holds_numbers(frame: pd.DataFrame, column: pd.Series) -> bool:
    kind = types.infer_dtype(column.dropna() if column.dtype == object else column)
    if kind in _NUMBERS:
        return True
    if kind in _LABELS:
        return False
    if kind in ("mixed", "mixed-integer"):
        is_text = np.array([isinstance(value, str) for value in column])
        if is_text.any():
            raise SpecificationError(
                f"{column.name!r} holds both text and other values, with text in "
                f"{describe_rows(frame, is_text)}; make all of them numbers or all of them text"
            )
    raise SpecificationError(
        f"{column.name!r} holds {kind} values such as {column.tolist()[0]!r}, which cannot be a "
        "moderator; add a column of numbers, such as a year, or of text"
    )


def _numbers(frame: pd.DataFrame, column: pd.Series) -> FloatArray:
    values = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    infinite = ~np.isfinite(values)
    if infinite.any():
        raise SpecificationError(
            f"{column.name!r} is not a finite number in {describe_rows(frame, infinite)}; "
            "correct it or leave these rows out"
        )
    return values


def _levels(column: pd.Series) -> tuple[Any, ...]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        occurring = set(column.unique())
        return tuple(level for level in column.cat.categories if level in occurring)
    try:
        return tuple(sorted(column.unique().tolist()))
    except TypeError:
        raise SpecificationError(
            f"{column.name!r} holds values that cannot be levels of a factor, such as "
            f"{column.tolist()[0]!r}; make all of them text or all of them numbers"
        ) from None


def _matching(levels: tuple[Any, ...], variable: Variable) -> Any:
    wanted = str(variable.reference)
    same = [level for level in levels if str(level) == wanted] or [
        level for level in levels if _as_number(level) == _as_number(wanted) is not None
    ]
    if not same:
        raise SpecificationError(
            f"{variable.name}: there is no such level; levels: {listed(levels)}"
        )
    return same[0]


def _as_number(value: Any) -> float | None:
    """The number that a number, or the text of one, stands for."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _known_levels(frame: pd.DataFrame, column: pd.Series, known: tuple[Any, ...]) -> Factor:
    codes = _codes(column, known)
    unseen = codes < 0
    if unseen.any():
        value = column.tolist()[int(np.flatnonzero(unseen)[0])]
        raise SpecificationError(
            f"{column.name!r} has the level {value!r} in {describe_rows(frame, unseen)}, "
            f"which the fitted rows do not have; levels: {listed(known)}"
        )
    return Factor(codes=codes, levels=known)


def _codes(column: pd.Series, levels: tuple[Any, ...]) -> IntArray:
    values = column.astype(object) if column.dtype != object else column
    position = {level: i for i, level in enumerate(levels)}
    try:
        return np.array([position.get(value, -1) for value in values], dtype=np.intp)
    except TypeError:
        raise SpecificationError(
            f"{column.name!r} holds values that cannot be levels of a factor; make them text"
        ) from None
