"""A table that already holds effects and sampling variances: any CSV or sheet with yi and vi.

Nothing is converted and no column but the two has a meaning here. Rows keep the number they have
in the file, so that every later message names a row that can be found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.coding.cells import (
    BLANKS,
    ErrorValue,
    Fault,
    Raw,
    Uncached,
    a1,
    is_blank,
    parse_number,
    shown,
)
from metalliance.coding.guard import file_problem
from metalliance.coding.spreadsheet import Grid, Source, filled_rows, note
from metalliance.errors import CodingError, Problem

__all__ = ["EffectFile", "read_effect_file", "retyped", "titles", "typed"]

TRUTH = {"true": 1.0, "false": 0.0}
# Spreadsheets keep such ids as text; read as numbers they would lose their zeros.
LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
SLIPS = ("decimal-comma", "typographic-minus", "thousands")
LOOKS_MISSING = ("na", "n/a", "n.a.", "nr", "n.r.", "nan", "none", "null", "-", ".")
AT_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectFile:
    """A table as read.

    Attributes
    ----------
    grid : Grid
    header : int
        Number of the header row in the grid, from 0.
    columns : Mapping
        Names to columns of the grid.
    frame : DataFrame
        One row per filled row below the header, its index the row number in the file. A column
        whose filled cells are all numbers holds numbers, any other text; empty cells are missing
        and nothing else is: ``NA`` and ``None`` are text.
    """

    grid: Grid
    header: int
    columns: Mapping[str, int]
    frame: pd.DataFrame

    def check_effects(self, rows: Sequence[int], yi: str, vi: str) -> None:
        """Raise with every cell of these rows that is no effect or no variance above zero."""
        problems = []
        for row in rows:
            for name in (yi, vi):
                fault = _fault(self.raw(row, name))
                if fault is None and name == vi:
                    fault = _not_above_zero(self.raw(row, name))
                if fault is not None:
                    problems.append(self._problem(row, name, fault))
        _raise(problems)

    def check_moderators(self, rows: Sequence[int], names: Sequence[str]) -> None:
        """Raise with every cell that keeps a column of numbers from being one."""
        problems = []
        for name in names:
            filled = [row for row in rows if not is_blank(self.raw(row, name))]
            faults = {row: _fault(self.raw(row, name)) for row in filled}
            some = any(fault is None for fault in faults.values())
            for row, fault in faults.items():
                if fault is None or not (some or fault.code in SLIPS):
                    continue
                if fault.code not in SLIPS:
                    what = "is text in a column that has numbers"
                    mend = f"leave it empty if missing; write C({name}) if these are levels"
                    fault = Fault("mixed", what, mend)
                problems.append(self._problem(row, name, fault))
        _raise(problems)

    def looks_missing(self, rows: Sequence[int], names: Sequence[str]) -> tuple[Problem, ...]:
        """A note for every column whose text says "missing" but is a level like any other."""
        notes = []
        for name in names:
            words = [(row, shown(self.raw(row, name)).strip(BLANKS)) for row in rows]
            found = [(row, word) for row, word in words if word.lower() in LOOKS_MISSING]
            if found:
                cell = a1(found[0][0] - 1, self.columns[name])
                what = f"{name}: {len(found)} such cells are a level like any other"
                mend = "leave them empty if the moderator is missing"
                notes.append(note(self.grid.sheet, cell, what, mend, "level", found[0][1]))
        return tuple(notes)

    def raw(self, row: int, name: str) -> Raw:
        """The cell of a row number of the file."""
        return self.grid.at(row - 1, self.columns[name])

    def _problem(self, row: int, name: str, fault: Fault) -> Problem:
        return _problem(
            self.grid, a1(row - 1, self.columns[name]), fault, f"{name}: ", self.raw(row, name)
        )


def read_effect_file(source: Source, needed: Sequence[str]) -> EffectFile | None:
    """The first sheet whose header has all ``needed`` columns; None where none has them.

    ``Yi`` is read as ``yi`` where nothing else is called so.

    Raises
    ------
    CodingError
        Where the table has a column twice, a row longer than its header, or no rows.
    """
    seen = False
    for sheet in source.sheet_names:
        grid = source.grid(sheet)
        header = next(filled_rows(grid), None)
        if header is None:
            continue
        seen = True
        names = _spelt(titles(grid), needed)
        if set(needed) <= set(names):
            return _table(grid, header, names)
    if not seen:
        mend = "give a file with one row per effect"
        raise file_problem(source.path, "empty", "holds no rows", mend)
    return None


def _spelt(names: Sequence[str], needed: Sequence[str]) -> list[str]:
    """The names, with the needed ones in their own spelling whatever their capitals."""
    folded = [name.casefold() for name in names]
    own = {
        name.casefold(): name
        for name in needed
        if name not in names and folded.count(name.casefold()) == 1
    }
    return [own.get(fold, name) for name, fold in zip(names, folded, strict=True)]


def titles(grid: Grid) -> list[str]:
    """What stands in the first filled row."""
    header = next(filled_rows(grid), None)
    return [] if header is None else [shown(cell).strip(BLANKS) for cell in grid.rows[header]]


def typed(cells: Sequence[Raw]) -> pd.Series:
    """A column: numbers where every filled cell is one, else text; blank is missing."""
    filled = [cell for cell in cells if not is_blank(cell)]
    words = [shown(cell).strip(BLANKS) for cell in filled]
    if filled and all(word.lower() in TRUTH for word in words):
        truth = [None if is_blank(cell) else TRUTH[shown(cell).strip().lower()] for cell in cells]
        return pd.Series(truth, dtype=np.float64)
    if filled and all(
        _fault(cell) is None and not LEADING_ZERO.fullmatch(word)
        for cell, word in zip(filled, words, strict=True)
    ):
        numbers = [np.nan if is_blank(cell) else parse_number(cell) for cell in cells]
        return _whole(pd.Series(numbers, dtype=np.float64))
    text = [None if is_blank(cell) else shown(cell).strip(BLANKS) for cell in cells]
    return pd.Series(text, dtype=object)


def retyped(frame: pd.DataFrame) -> pd.DataFrame:
    """Some rows of a table, each column typed by what stands in these rows."""
    columns = {}
    for name in frame.columns:
        cells = [None if pd.isna(cell) else cell for cell in frame[name].tolist()]
        columns[name] = typed(cells).set_axis(frame.index)
    return pd.DataFrame(columns, index=frame.index)


def _whole(numbers: pd.Series) -> pd.Series:
    """Integers where all are, so that ids and levels read ``2`` and not ``2.0``."""
    values = numbers.to_numpy()
    if np.all(np.isfinite(values)) and np.all(values == np.floor(values)):
        return numbers.astype(np.int64) if np.all(np.abs(values) < 2**53) else numbers
    return numbers


def _table(grid: Grid, header: int, names: Sequence[str]) -> EffectFile:
    columns: dict[str, int] = {}
    for column, title in enumerate(names):
        if title in columns:
            what = f"there is a column {title!r} already, {a1(header, columns[title])}"
            fault = Fault("duplicate-column", what, "rename one of them")
            raise CodingError([_problem(grid, a1(header, column), fault, "", title)])
        if title:
            columns[title] = column
    rows = [row for row in filled_rows(grid) if row > header]
    if not rows:
        fault = Fault("no-rows", "has a header but no rows", "add one row per effect")
        raise CodingError([_problem(grid, "", fault, "", "")])
    _check_width(grid, rows, len(names))
    cells = {name: [grid.at(row, column) for row in rows] for name, column in columns.items()}
    frame = pd.DataFrame({name: typed(column) for name, column in cells.items()})
    frame.index = pd.Index([row + 1 for row in rows])
    return EffectFile(grid=grid, header=header, columns=columns, frame=frame)


def _check_width(grid: Grid, rows: Sequence[int], width: int) -> None:
    mend = "a decimal comma, or a comma in a text without quotation marks?"
    _raise(
        [
            _problem(
                grid,
                a1(row, width),
                Fault("ragged-row", f"the row is longer than the header ({width} cells)", mend),
                "",
                grid.at(row, width),
            )
            for row in rows
            if any(not is_blank(cell) for cell in grid.rows[row][width:])
        ]
    )


def _fault(raw: Raw) -> Fault | None:
    """What keeps a cell from being a number; None for a number."""
    if is_blank(raw):
        return Fault("missing", "is empty", "type the number, or delete the row")
    if isinstance(raw, Uncached):
        what = "holds a formula whose result was never saved"
        return Fault("uncached-formula", what, "save the file in a spreadsheet program")
    if isinstance(raw, ErrorValue):
        return Fault("error-value", "is an error of the spreadsheet", "correct the formula")
    number = parse_number(raw)
    if not isinstance(number, Fault):
        return None
    known = number.code in SLIPS or number.code == "date"
    mend = number.mend if known else "type the number, or delete the row"
    return Fault(number.code, number.what, mend)


def _not_above_zero(raw: Raw) -> Fault | None:
    number = parse_number(raw)
    if isinstance(number, Fault) or number > 0:
        return None
    what = "a sampling variance is above zero"
    return Fault("range", what, "correct it, or delete the row")


def _problem(grid: Grid, cell: str, fault: Fault, prefix: str, raw: Raw) -> Problem:
    return Problem(
        sheet=grid.sheet,
        cell=cell,
        value=shown(raw),
        what=prefix + fault.what,
        mend=fault.mend,
        severity="error",
        code=fault.code,
    )


def _raise(problems: Sequence[Problem]) -> None:
    """Raise with the problems, the later ones of a long list as a count."""
    if not problems:
        return
    more = len(problems) - AT_MOST
    told = list(problems[:AT_MOST])
    if more > 0:
        last = problems[AT_MOST]
        what = f"{more} more cells of this kind, from here on"
        told.append(
            Problem(
                sheet=last.sheet,
                cell=last.cell,
                value="",
                what=what,
                mend="",
                severity="error",
                code="more",
            )
        )
    raise CodingError(told)
