"""Read a workbook or a text table as it stands: grids of raw cells, never changed or guessed."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalliance.coding.cells import ErrorValue, Raw, Uncached, is_blank
from metalliance.coding.guard import (
    MAX_CELLS,
    FileKind,
    SheetFacts,
    file_problem,
    inspect_workbook,
    sniff_kind,
)
from metalliance.errors import CodingError, Problem

__all__ = ["Grid", "Source", "filled_rows", "note", "open_source"]

COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+", re.ASCII)
POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+", re.ASCII)
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One table of raw cells; row and column 0 are row 1 and column A of the file.

    ``merged`` holds ranges as (first row, first column, last row, last column), zero-based.
    """

    sheet: str
    rows: tuple[tuple[Raw, ...], ...]
    merged: tuple[tuple[int, int, int, int], ...] = ()

    def at(self, row: int, column: int) -> Raw:
        """The cell, or None where the row is shorter."""
        cells = self.rows[row]
        return cells[column] if 0 <= column < len(cells) else None


class Source:
    """An input file: its kind, its hash, its sheets, each read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kind: FileKind = sniff_kind(path)
        self.problems: tuple[Problem, ...] = ()
        try:
            self.content = path.read_bytes()
        except OSError as error:
            raise file_problem(
                path, "missing", f"cannot be read: {error.strerror}", "check its permissions"
            ) from None
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        self._facts: dict[str, SheetFacts] = {}
        self._book: Any = None
        if self.kind == "workbook":
            self.sheet_names = self._open_book()
        else:
            self.sheet_names = (path.name,)

    def _open_book(self) -> tuple[str, ...]:
        from python_calamine import CalamineError, load_workbook

        self._facts, linked = inspect_workbook(self.path, self.content)
        if linked:
            what = "links to other files; the values saved here are used"
            self.problems = (note(self.path.name, "", what, "", "external-links"),)
        try:
            self._book = load_workbook(io.BytesIO(self.content))
        except (CalamineError, OSError, ValueError, KeyError) as error:
            raise self._unreadable(error) from None
        return tuple(self._book.sheet_names)

    def _unreadable(self, error: Exception) -> CodingError:
        return file_problem(
            self.path,
            "corrupt",
            f"is no readable .xlsx file ({str(error)[:100]})",
            "open it in a spreadsheet program and save it again as .xlsx",
        )

    def grid(self, sheet: str) -> Grid:
        """All cells of one sheet.

        Raises
        ------
        CodingError
            With one problem where the sheet is too large or cannot be read.
        """
        if self.kind == "text":
            grid, self.problems = _text_grid(self.path, self.content)
            return grid
        return self._sheet(sheet)

    def _sheet(self, sheet: str) -> Grid:
        from python_calamine import CalamineError

        facts = self._facts.get(sheet, SheetFacts())
        if facts.too_large:
            problem = Problem(
                sheet=sheet,
                cell=facts.farthest,
                value="",
                what=f"lies so far out that the sheet would have {facts.rows * facts.columns:,} "
                f"cells (at most {MAX_CELLS:,} are read)",
                mend="delete this stray cell, or the empty rows and columns before it",
                severity="error",
                code="far-cell",
            )
            raise CodingError([problem])
        try:
            found = self._book.get_sheet_by_name(sheet)
            values = found.to_python(skip_empty_area=False)
            merged = found.merged_cell_ranges
        except (CalamineError, OSError, ValueError, KeyError, OverflowError) as error:
            raise self._unreadable(error) from None
        rows = [list(row) for row in values]
        _overlay(rows, facts)
        ranges = tuple((a, b, c, d) for (a, b), (c, d) in merged or ())
        return Grid(sheet=sheet, rows=tuple(tuple(row) for row in rows), merged=ranges)


def open_source(path: str | Path) -> Source:
    """Open a file for reading, or raise CodingError with one problem."""
    return Source(Path(path))


def note(sheet: str, cell: str, what: str, mend: str, code: str, value: str = "") -> Problem:
    """A problem of severity ``note``."""
    return Problem(
        sheet=sheet, cell=cell, value=value, what=what, mend=mend, severity="note", code=code
    )


def _overlay(rows: list[list[Raw]], facts: SheetFacts) -> None:
    """Put back what the reader shows as empty: formulas without a result, and error values."""
    marks: list[tuple[str, Raw]] = [(address, Uncached()) for address in facts.uncached]
    marks += [(address, ErrorValue(text)) for address, text in facts.errors.items()]
    for address, mark in marks:
        letters = address.rstrip("0123456789")
        column = 0
        for letter in letters:
            column = column * 26 + ord(letter) - 64
        row = int(address[len(letters) :]) - 1
        while len(rows) <= row:
            rows.append([])
        rows[row].extend([None] * (column - len(rows[row])))
        rows[row][column - 1] = mark


def _text_grid(path: Path, content: bytes) -> tuple[Grid, tuple[Problem, ...]]:
    text, encoding = _decode(path, content)
    delimiter = _delimiter(text)
    problems = []
    if encoding != "UTF-8" or delimiter != ",":
        what = f"read as {encoding}, separated by {DELIMITERS[delimiter]}"
        problems.append(note(path.name, "", what, "", "text-format"))
    if _mojibake(text):
        what = "holds text like 'Ã¼' that was saved in the wrong encoding"
        mend = "export the table again as UTF-8; numbers are not affected"
        problems.append(note(path.name, "", what, mend, "mojibake"))
    rows = tuple(tuple(row) for row in _records(path, text, delimiter))
    if delimiter == ";" and _decimal_commas(rows):
        rows = tuple(tuple(_with_point(cell) for cell in row) for row in rows)
        what = "decimal commas are read as decimal points: the cells are separated by semicolons"
        problems.append(note(path.name, "", what, "", "decimal-comma-table"))
    return Grid(sheet=path.name, rows=rows), tuple(problems)


def _decimal_commas(rows: Sequence[Sequence[Raw]]) -> bool:
    """Whether numbers of a table have decimal commas and none has a decimal point."""
    cells = [cell.strip() for row in rows for cell in row if isinstance(cell, str)]
    return any(map(COMMA_NUMBER.fullmatch, cells)) and not any(map(POINT_NUMBER.fullmatch, cells))


def _with_point(cell: Raw) -> Raw:
    if isinstance(cell, str) and COMMA_NUMBER.fullmatch(cell.strip()):
        return cell.replace(",", ".")
    return cell


def _records(path: Path, text: str, delimiter: str) -> Iterator[Sequence[Raw]]:
    closed = _quotes_closed(text, delimiter)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=not closed)
    cells = 0
    try:
        for row in reader:
            cells += len(row)
            if cells > MAX_CELLS:
                raise file_problem(path, "too-large", "has too many cells", "reviews are smaller")
            yield row
    except csv.Error as error:
        raise file_problem(
            path,
            "corrupt",
            f"line {reader.line_num} cannot be read as a table ({error})",
            "look for a quotation mark that is never closed",
        ) from None


def _quotes_closed(text: str, delimiter: str) -> bool:
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end" not in str(error)
    return True


def _decode(path: Path, content: bytes) -> tuple[str, str]:
    for mark, encoding in ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if content.startswith(mark):
            return _decoded(path, content, "utf-16"), encoding
    if b"\x00" in content:
        raise file_problem(path, "wrong-type", "is no text table", "give an .xlsx or .csv file")
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return _decoded(path, content, "cp1252"), "Windows-1252"


def _decoded(path: Path, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeError:
        mend = "save the table again as CSV in UTF-8"
        raise file_problem(path, "encoding", "is text in an unknown encoding", mend) from None


def _delimiter(text: str) -> str:
    line = next((line for line in text.splitlines() if line.strip()), "")
    outside = "".join(line.split('"')[::2])
    best = max(DELIMITERS, key=outside.count)
    return best if outside.count(best) else ","


def _mojibake(text: str) -> bool:
    for lead in ("Ã", "â€", "Â"):
        at = text.find(lead)
        if at >= 0:
            word = text[at : at + 3 if lead == "â€" else at + 2]
            try:
                word.encode("cp1252").decode("utf-8")
            except UnicodeError:
                continue
            return True
    return False


def filled_rows(grid: Grid) -> Iterator[int]:
    """Numbers of rows with anything in them."""
    for number, row in enumerate(grid.rows):
        if any(not is_blank(cell) for cell in row):
            yield number
