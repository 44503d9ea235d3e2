"""A text table (.csv, .tsv) becomes a grid; how it was read is said where it is not the rule."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from metalliance.coding.grids import Grid, note
from metalliance.coding.guard import file_problem
from metalliance.coding.raw import ErrorValue, Raw, is_blank, is_error_text
from metalliance.coding.sheet_facts import MAX_CELLS, MAX_COLUMNS, MAX_ROWS
from metalliance.errors import Problem

__all__ = ["text_grid"]

Rows = list[list[str]]
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
LOOKED_AT = 200
LONGEST_CELL = 2**20
SEPARATOR_LINE = re.compile(r'"?sep=([,;|\t])"?', re.IGNORECASE)
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+", re.ASCII)
POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+", re.ASCII)
NUMBER_OR_CODE = re.compile(r"[+-]?\d*,?\d+|NR|NA|n\.?s\.?|", re.ASCII | re.IGNORECASE)


def text_grid(path: Path, content: bytes, sheet: str) -> tuple[Grid, tuple[Problem, ...]]:
    """Read a text table.

    Encoding (UTF-8, UTF-16 with a mark, else Windows-1252), delimiter and decimal comma are
    found from the text.

    Parameters
    ----------
    path : Path
        Named in what is said.
    content : bytes
    sheet : str
        Name of the grid.

    Returns
    -------
    grid : Grid
    said : tuple of Problem
        Notes on how the text was read, where it is not UTF-8 separated by commas.

    Raises
    ------
    CodingError
        With one problem where it is no text table.
    """
    text, encoding = _decode(path, content)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    told = SEPARATOR_LINE.fullmatch(text.partition("\n")[0].strip())
    if told:
        text = text.partition("\n")[2]
    delimiter = told.group(1) if told else _delimiter(text)
    said = []
    if encoding != "UTF-8" or delimiter != ",":
        what = f"read as {encoding}, separated by {DELIMITERS[delimiter]}"
        said.append(note(path.name, "", what, "", "text-format"))
    if _mojibake(text):
        what = "holds text like 'Ã¼' that was saved in the wrong encoding"
        mend = "export the table again as UTF-8; numbers are not affected"
        said.append(note(path.name, "", what, mend, "mojibake"))
    rows = _records(path, text, delimiter)
    if delimiter != "," and _with_points(rows):
        what = "decimal commas are read as decimal points: the cells are separated by "
        what += f"{DELIMITERS[delimiter]}s"
        said.append(note(path.name, "", what, "", "decimal-comma-table"))
    cells: tuple[tuple[Raw, ...], ...] = tuple(tuple(map(_raw, row)) for row in rows)
    return Grid(sheet=sheet, rows=cells), tuple(said)


def _raw(cell: str) -> Raw:
    return ErrorValue(cell.strip()[:20]) if is_error_text(cell.strip()) else cell


def _with_points(rows: Rows) -> bool:
    """Write decimal commas as points, in columns of numbers of a table that has no points."""
    cells = [cell.strip() for row in rows for cell in row]
    if any(map(POINT_NUMBER.fullmatch, cells)) or not any(map(COMMA_NUMBER.fullmatch, cells)):
        return False
    first = next(number for number, row in enumerate(rows) if any(not is_blank(c) for c in row))
    below = rows[first + 1 :]
    changed = False
    for column in range(max(map(len, below), default=0)):
        held = [row for row in below if len(row) > column]
        if all(NUMBER_OR_CODE.fullmatch(row[column].strip()) for row in held):
            for row in held:
                changed = changed or "," in row[column]
                row[column] = row[column].replace(",", ".")
    return changed


def _records(path: Path, text: str, delimiter: str) -> Rows:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(_lines(text), delimiter=delimiter)
    rows: Rows = []
    cells = 0
    try:
        for row in reader:
            rows.append(row)
            cells += len(row)
            if len(row) > MAX_COLUMNS:
                what = f"line {reader.line_num} has {len(row):,} columns; {MAX_COLUMNS:,} are read"
                raise file_problem(path, "too-wide", what, "delete the columns that are not needed")
            if len(rows) > MAX_ROWS or cells > MAX_CELLS:
                what = f"has over {MAX_ROWS:,} rows or {MAX_CELLS:,} cells"
                raise file_problem(path, "too-large", what, "reviews are far smaller")
        if '"' in text:
            _check_quotes(text, delimiter)
    except csv.Error as error:
        raise file_problem(
            path,
            "corrupt",
            f"line {reader.line_num} cannot be read as a table ({error})",
            "look for a quotation mark that is never closed",
        ) from None
    return rows


def _check_quotes(text: str, delimiter: str) -> None:
    """Raise where a quotation mark is never closed; other oddities are read as they stand."""
    try:
        for _ in csv.reader(_lines(text), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise


def _lines(text: str) -> Iterator[str]:
    """Lines with their ends, one at a time."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


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
    """The sign that cuts the first rows into the same number of cells, the more the better."""
    return max(DELIMITERS, key=lambda sign: _evenness(_first_rows(text, sign)))


def _first_rows(text: str, delimiter: str) -> Rows:
    try:
        found = csv.reader(_lines(text), delimiter=delimiter)
        return [row for row in islice(found, LOOKED_AT) if any(cell.strip() for cell in row)]
    except csv.Error:
        return []


def _evenness(rows: Rows) -> tuple[float, int]:
    """How many rows are as wide as the header, and how wide; nothing for a single column."""
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    return sum(len(row) == width for row in rows) / len(rows), width


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
