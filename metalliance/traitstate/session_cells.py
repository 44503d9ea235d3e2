"""Cells of a session table: identifiers, numbers, days."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter

import numpy as np
import pandas as pd

from metalliance.coding.raw import ErrorValue, Fault, Uncached, is_blank, shown
from metalliance.coding.written_numbers import no_number, parse_number
from metalliance.numerics.blocks import FloatArray

__all__ = ["INFINITE", "cell_number", "days", "identifier", "numbers"]

MISSING = frozenset(("NR", "NA", "N/A", "NAN", ".", "N.A.", "K.A.", "-", "–", "—"))
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+", re.ASCII)
NO_THOUSANDS = re.compile(r"[+-]?(0*|\d{4,}),\d+|[+-]?\d*,(\d{1,2}|\d{4,})", re.ASCII)
POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+", re.ASCII)
INFINITE = Fault("not-a-number", "is no finite number", "type the number, or leave the cell empty")

MIXED = Fault(
    "mixed-decimals",
    "has a decimal point, and most numbers of its column a decimal comma",
    "write all of them one way",
)


def identifier(cell: object) -> str:
    """A patient, therapist or arm as text; empty where none is named.

    Examples
    --------
    >>> identifier(12.0), identifier(" P7 "), identifier(None)
    ('12', 'P7', '')
    """
    if _absent(cell):
        return ""
    if isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool):
        return shown(float(cell))
    return str(cell).strip()


def cell_number(cell: object) -> tuple[float, Fault | None]:
    """A number, NaN where the cell is empty, and what is wrong with it.

    Examples
    --------
    >>> cell_number("3.5"), cell_number("NA")[1]
    ((3.5, None), None)
    >>> cell_number("good")[1].what
    'is text, not a number'
    """
    if _absent(cell):
        return math.nan, None
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, pd.Timestamp):
        cell = cell.to_pydatetime()
    if isinstance(cell, Uncached):
        what = "is a formula whose result the file does not hold"
        return math.nan, Fault("uncached", what, "open and save the file in a spreadsheet program")
    if isinstance(cell, ErrorValue):
        return math.nan, Fault("error-value", "is an error of the spreadsheet", "mend the formula")
    if isinstance(cell, str | int | float | datetime.date | datetime.time | datetime.timedelta):
        found = parse_number(cell)
        return (math.nan, found) if isinstance(found, Fault) else (found, None)
    return math.nan, no_number(None)


def numbers(column: pd.Series) -> tuple[FloatArray, list[tuple[int, Fault]], tuple[str, ...]]:
    """(n,) numbers of a column, the rows that hold none, and how it was read, in sentences.

    Decimal commas are read where one of them at least cannot be a comma between thousands. In a
    column that has decimal points as well, the rarer ones are faults.

    Examples
    --------
    >>> values, faults, notes = numbers(pd.Series(["3,5", "4", "n.a."]))
    >>> values.tolist(), notes[0]
    ([3.5, 4.0, nan], 'decimal commas were read as decimal points')
    """
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in column]
    words = Counter(c for c in cells if isinstance(c, str) and not is_blank(c) and _absent(c))
    notes = []
    commas = any(isinstance(c, str) and NO_THOUSANDS.fullmatch(c) for c in cells)
    pointed = [row for row, cell in enumerate(cells) if _has_point(cell)] if commas else []
    by_comma = commas and len(pointed) < sum(map(_has_comma, cells))
    if by_comma:
        cells = [str(c).replace(",", ".") if _has_comma(c) else c for c in cells]
        notes.append("decimal commas were read as decimal points")
    values = np.full(len(cells), np.nan)
    faults = [(row, MIXED) for row in pointed] if by_comma else []
    for row, cell in enumerate(cells):
        values[row], fault = cell_number(cell)
        if fault is not None:
            faults.append((row, fault))
    if words:
        what = "1 cell was" if words.total() == 1 else f"{words.total():,} cells were"
        told = ", ".join(f"{word} ({n:,})" for word, n in words.most_common())
        notes.append(f"{what} taken as missing: {told}")
    return values, faults, tuple(notes)


def _has_comma(cell: object) -> bool:
    return isinstance(cell, str) and bool(COMMA_NUMBER.fullmatch(cell))


def _has_point(cell: object) -> bool:
    if isinstance(cell, float):
        return math.isfinite(cell) and cell % 1 != 0
    return isinstance(cell, str) and bool(POINT_NUMBER.fullmatch(cell))


def days(column: pd.Series) -> tuple[FloatArray, list[tuple[int, Fault]]]:
    """(n,) days, from numbers or dates, and the rows that hold neither.

    Examples
    --------
    >>> days(pd.Series(["2024-03-01", "2024-03-08"]))[0].tolist()
    [19783.0, 19790.0]
    """
    values = np.full(len(column), np.nan)
    faults: list[tuple[int, Fault]] = []
    for row, cell in enumerate(column):
        if _absent(cell):
            continue
        dated = _date_in_days(cell)
        if dated is not None:
            values[row] = dated
            continue
        values[row], fault = cell_number(cell)
        if fault is not None:
            what = "is neither a number of days nor a date"
            faults.append((row, Fault("no-day", what, "type days, or dates like 2024-03-08")))
    return values, faults


def _date_in_days(cell: object) -> float | None:
    if isinstance(cell, str):
        if "-" not in cell:
            return None
        try:
            cell = datetime.datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
    if isinstance(cell, pd.Timestamp):
        cell = cell.to_pydatetime()
    if isinstance(cell, np.datetime64):
        cell = pd.Timestamp(cell).to_pydatetime()
    if isinstance(cell, datetime.datetime):
        seconds = cell.hour * 3600 + cell.minute * 60 + cell.second
        return cell.toordinal() - _EPOCH + seconds / 86400
    return float(cell.toordinal() - _EPOCH) if isinstance(cell, datetime.date) else None


_EPOCH = datetime.date(1970, 1, 1).toordinal()


def _absent(cell: object) -> bool:
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return True
    if isinstance(cell, float | np.floating) and math.isnan(cell):
        return True
    if isinstance(cell, str):
        return is_blank(cell) or "".join(cell.upper().split()) in MISSING
    return False
