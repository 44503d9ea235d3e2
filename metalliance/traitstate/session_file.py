"""A file of sessions, .csv, .xlsx or .ods, as the table it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from metalliance.coding.grids import Grid, filled_rows
from metalliance.coding.guard import file_problem
from metalliance.coding.raw import a1, is_blank, shown
from metalliance.coding.spreadsheet import Source, open_source
from metalliance.errors import CodingError, Problem
from metalliance.traitstate.session_data import (
    SessionColumns,
    SessionData,
    check_sessions,
    plain_title,
)

__all__ = ["SessionFile", "read_sessions"]


MEND = "give one file with one row per patient and session"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFile:
    """Sessions of one file.

    Attributes
    ----------
    path : Path
    sha256 : str
    sheet : str
    data : SessionData
    problems : tuple of Problem
        Notes on how the file was read.
    """

    path: Path
    sha256: str
    sheet: str
    data: SessionData
    problems: tuple[Problem, ...]


def read_sessions(path: str | Path, columns: SessionColumns, sheet: str = "") -> SessionFile:
    """Read a long table of sessions.

    Parameters
    ----------
    path : str or Path
    columns : SessionColumns
    sheet : str
        Of a workbook; the first that has the columns where none is named.

    Raises
    ------
    CodingError
        With every problem and its cell.
    """
    source = _opened(path)
    if source.kind == "folder":
        raise file_problem(source.path, "directory", "is a folder", MEND)
    name = _sheet(source, columns, sheet)
    grid = source.grid(name)
    rows = list(filled_rows(grid))
    if not rows:
        raise file_problem(source.path, "empty", "is empty", MEND)
    header = _header_row(grid, rows, columns)
    titles = [shown(cell).strip() for cell in grid.rows[header]]
    body = [row for row in rows if row > header]
    frame = pd.DataFrame(
        [[grid.at(row, column) for column in range(len(titles))] for row in body],
        columns=pd.Index(titles, dtype=object),
        dtype=object,
    )
    frame = frame.loc[:, [bool(title) for title in titles]]

    def place(column: str, row: int) -> tuple[str, str]:
        known = row >= 0 and column in titles
        return name, a1(body[row], titles.index(column)) if known else ""

    data = check_sessions(frame, columns, place)
    return SessionFile(
        path=source.path, sha256=source.sha256, sheet=name, data=data, problems=source.problems
    )


def _opened(path: str | Path) -> Source:
    try:
        return open_source(path)
    except CodingError as error:
        review = ("empty", "directory")  # whose mend is that of a review
        problems = [replace(p, mend=MEND) if p.code in review else p for p in error.problems]
        raise CodingError(problems) from None


def _sheet(source: Source, columns: SessionColumns, wanted: str) -> str:
    names = source.sheet_names
    if wanted:
        if wanted not in names:
            mend = f"its sheets are {', '.join(names)}"
            raise file_problem(source.path, "no-sheet", f"has no sheet {wanted!r}", mend)
        return wanted
    if not names:
        raise file_problem(source.path, "empty", "has no sheet", "give a table of sessions")
    if len(names) == 1:
        return names[0]
    found = {name: _most(source.grid(name), columns) for name in names}
    return max(names, key=lambda name: found[name])


def _most(grid: Grid, columns: SessionColumns) -> int:
    return max((_known(grid, row, columns) for row in list(filled_rows(grid))[:20]), default=0)


def _known(grid: Grid, row: int, columns: SessionColumns) -> int:
    titles = {plain_title(shown(cell)) for cell in grid.rows[row] if not is_blank(cell)}
    return len(titles & set(map(plain_title, columns.given().values())))


def _header_row(grid: Grid, rows: Sequence[int], columns: SessionColumns) -> int:
    """The first of twenty rows with the most names of columns."""
    candidates = rows[:20]
    return max(candidates, key=lambda row: (_known(grid, row, columns), -row))
