"""Read a file or a folder as it stands: grids of raw cells, never changed or guessed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metalliance.coding.cells import ErrorValue, Raw, Uncached, column_number
from metalliance.coding.folder import read_folder
from metalliance.coding.grids import Grid, filled_rows, note
from metalliance.coding.guard import FileKind, file_problem, inspect_workbook, sniff_kind
from metalliance.coding.sheet_facts import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, SheetFacts
from metalliance.coding.text_table import text_grid
from metalliance.errors import CodingError, Problem

__all__ = ["Grid", "Source", "filled_rows", "note", "open_source"]

MOST_ROWS_NAMED = 12
FAR = "delete this stray cell, or the empty rows and columns before it"


class Source:
    """An input file or folder: its kind, its hash, its sheets, each read when asked for.

    Attributes
    ----------
    path : Path
    kind : {'workbook', 'text', 'folder'}
    content : bytes
        Empty for a folder.
    sha256 : str
        Of the content, or of all tables of a folder in the order of their names.
    sheet_names : tuple of str
    problems : tuple of Problem
        What was found so far; sheets add to it as they are read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kind: FileKind = sniff_kind(path)
        self.content = b""
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._tables: Mapping[str, tuple[Path, bytes]] = {}
        self._facts: Mapping[str, SheetFacts] = {}
        self._grids: dict[str, Grid] = {}
        self._cells: dict[str, int] = {}
        self._at_once = False
        self._book: Any = None
        if self.kind == "folder":
            self._tables, self.sha256, self._problems[""] = read_folder(path)
            self.sheet_names = tuple(self._tables)
            return
        self.content = _content(path)
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        if self.kind == "workbook":
            self.sheet_names = self._open_book()
        else:
            self._tables = {path.name: (path, self.content)}
            self.sheet_names = (path.name,)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Notes about the file and the sheets that were read."""
        return tuple(problem for found in self._problems.values() for problem in found)

    def _open_book(self) -> tuple[str, ...]:
        from python_calamine import CalamineError, load_workbook

        inspected = inspect_workbook(self.path, self.content)
        self._facts = inspected.sheets
        self._at_once = inspected.at_once
        if self._at_once:
            for name, facts in self._facts.items():
                self._make_room(name, facts)
        if inspected.linked:
            what = "links to other files; the values saved here are used"
            self._problems[""] = (note(self.path.name, "", what, "", "external-links"),)
        try:
            self._book = load_workbook(io.BytesIO(self.content))
        except (CalamineError, OSError, ValueError, KeyError) as error:
            raise self._unreadable(error) from None
        return tuple(self._book.sheet_names)

    def _unreadable(self, error: Exception) -> CodingError:
        return file_problem(
            self.path,
            "corrupt",
            f"is no readable spreadsheet ({str(error)[:100]})",
            "open it in a spreadsheet program and save it again as .xlsx",
        )

    def grid(self, sheet: str) -> Grid:
        """All cells of one sheet.

        Raises
        ------
        CodingError
            With one problem where the sheet is too large or cannot be read.
        """
        if sheet not in self._grids:
            if sheet in self._tables:
                path, content = self._tables[sheet]
                self._grids[sheet], self._problems[sheet] = text_grid(path, content, sheet)
            else:
                self._grids[sheet] = self._sheet(sheet)
        return self._grids[sheet]

    def _make_room(self, sheet: str, facts: SheetFacts) -> None:
        """Count the cells of a sheet once; refuse it where all together are too many."""
        self._cells[sheet] = facts.rows * facts.columns
        most = MAX_CELLS // 2 if self._at_once else MAX_CELLS
        _refuse_large(sheet, facts, sum(self._cells.values()), most)

    def _sheet(self, sheet: str) -> Grid:
        from python_calamine import CalamineError

        facts = self._facts.get(sheet, SheetFacts())
        self._make_room(sheet, facts)
        try:
            found = self._book.get_sheet_by_name(sheet)
            values = found.to_python(skip_empty_area=False)
            merged = found.merged_cell_ranges
        except (CalamineError, OSError, ValueError, KeyError, OverflowError) as error:
            raise self._unreadable(error) from None
        _overlay(values, facts)
        self._problems[sheet] = _hidden_rows(sheet, facts)
        ranges = tuple((a, b, c, d) for (a, b), (c, d) in merged or ()) or tuple(facts.merged)
        return Grid(sheet=sheet, rows=tuple(map(tuple, values)), merged=ranges)


def open_source(path: str | Path) -> Source:
    """Open a file or a folder for reading, or raise CodingError with what is wrong."""
    return Source(Path(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise file_problem(path, "missing", what, "check its permissions") from None


def _refuse_large(sheet: str, facts: SheetFacts, together: int, most: int) -> None:
    if facts.too_large:
        code = "far-cell"
        what = "lies so far out that the sheet would have "
        what += f"{facts.rows * facts.columns:,} cells (at most {MAX_CELLS:,} are read)"
        mend = FAR
    elif facts.rows > MAX_ROWS:
        code = "far-cell"
        what = f"is in row {facts.rows:,} (at most {MAX_ROWS:,} are read)"
        mend = FAR
    elif facts.columns > MAX_COLUMNS:
        code = "too-wide"
        what = f"is in column {facts.columns:,} (at most {MAX_COLUMNS:,} are read)"
        mend = "delete the columns that are not needed"
    elif together > most:
        code = "too-large"
        what = f"with this sheet the file has over {most:,} cells"
        mend = "delete rows, columns and sheets that are not needed"
    else:
        return
    problem = Problem(
        sheet=sheet,
        cell=facts.farthest,
        value="",
        what=what,
        mend=mend,
        severity="error",
        code=code,
    )
    raise CodingError([problem])


def _hidden_rows(sheet: str, facts: SheetFacts) -> tuple[Problem, ...]:
    rows = [row for row in facts.hidden if row <= facts.rows]
    if not rows:
        return ()
    named = ", ".join(map(str, rows[:MOST_ROWS_NAMED]))
    more = f" and {len(rows) - MOST_ROWS_NAMED:,} more" if rows[MOST_ROWS_NAMED:] else ""
    what = f"rows that a filter or a person has hidden are read like any other: {named}{more}"
    return (note(sheet, f"A{rows[0]}", what, "delete them if they do not belong", "hidden-rows"),)


def _overlay(rows: list[list[Raw]], facts: SheetFacts) -> None:
    """Put back what the reader does not show: formulas, errors, leading zeros."""
    marks: list[tuple[str, Raw]] = [(at, Uncached(text)) for at, text in facts.uncached.items()]
    marks += [(at, ErrorValue(text)) for at, text in facts.errors.items()]
    marks += facts.padded.items()
    for address, mark in marks:
        letters = address.rstrip("0123456789")
        column, row = column_number(letters), int(address[len(letters) :]) - 1
        while len(rows) <= row:
            rows.append([])
        rows[row].extend([None] * (column + 1 - len(rows[row])))
        rows[row][column] = mark
