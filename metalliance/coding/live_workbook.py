"""Open a workbook that people work in, so that a changed copy of it can be written."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metalliance.coding.codebook import OWN, Codebook, Field, SheetDefinition
from metalliance.coding.sheets import column_cells, define_lists, put, set_dropdown
from metalliance.coding.spreadsheet import Source

__all__ = ["header_of", "open_copy", "restore_lists", "sheet_called"]

# Parts of a workbook that the library which writes the copy does not carry over.
NOT_CARRIED = {
    "xl/charts/": "charts",
    "xl/media/": "pictures",
    "xl/pivotTables/": "pivot tables",
    "xl/ctrlProps/": "form controls",
    "xl/activeX/": "form controls",
    "xl/vbaProject.bin": "macros",
    "xl/slicers/": "slicers",
    "xl/threadedComments/": "threaded comments (their text stays)",
}
HEADER_WITHIN = 20


def open_copy(source: Source) -> tuple[Any, tuple[str, ...]]:
    """The workbook for changing, and what of it a copy will lack.

    A table or a folder of tables becomes a workbook with one sheet for each.
    """
    from openpyxl import Workbook, load_workbook

    if source.content[:2] == b"PK" and _is_xlsx(source.content):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(source.content), rich_text=True)
        return book, _not_carried(source.content)
    book = Workbook()
    book.remove(book.active)
    for name in source.sheet_names:
        sheet = book.create_sheet(_title(name))
        for number, row in enumerate(source.grid(name).rows, start=1):
            for column, cell in enumerate(row, start=1):
                put(sheet.cell(number, column), _plain(cell))
    return book, ()


def _is_xlsx(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "xl/workbook.xml" in archive.namelist()


def _not_carried(content: bytes) -> tuple[str, ...]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
    found = [what for part, what in NOT_CARRIED.items() if any(n.startswith(part) for n in names)]
    return tuple(dict.fromkeys(found))


def _title(name: str) -> str:
    kept = "".join("_" if letter in "[]:*?/\\" else letter for letter in Path(name).stem)
    return kept[:31] or "TABLE"


def _plain(cell: Any) -> Any:
    """A value that a cell may hold: without signs that a workbook cannot keep."""
    if isinstance(cell, str):
        return "".join(letter for letter in cell if letter >= " " or letter in "\n\t")
    return cell if isinstance(cell, int | float | bool) or cell is None else str(cell)


def sheet_called(book: Any, name: str) -> Any:
    """The sheet of this name, whatever its capitals; None where there is none."""
    for title in book.sheetnames:
        if title.strip().upper() == name:
            return book[title]
    return None


def header_of(sheet: Any, definition: SheetDefinition) -> tuple[int, Mapping[str, int]]:
    """Header row and columns by field name (``mod:name`` for the team's own), both from 1."""
    best: tuple[int, dict[str, int]] = (1, {})
    for row in range(1, min(HEADER_WITHIN, sheet.max_row) + 1):
        found: dict[str, int] = {}
        for cell in sheet[row]:
            if not isinstance(cell.value, str):
                continue
            title = cell.value.strip()
            field = definition.find(title)
            if field is not None:
                found.setdefault(field.name, cell.column)
            elif title.lower().startswith(OWN):
                found.setdefault(f"{OWN}{title[len(OWN) :].strip()}", cell.column)
        if len(found) > len(best[1]):
            best = (row, found)
    return best


def restore_lists(book: Any, codebook: Codebook) -> None:
    """Give every choice column its list again: spreadsheet programs may keep them elsewhere."""
    from openpyxl.utils import get_column_letter

    define_lists(book, codebook)
    for definition in codebook.tables:
        sheet = sheet_called(book, definition.name)
        if sheet is None:
            continue
        _, columns = header_of(sheet, definition)
        covered = {
            column
            for rule in sheet.data_validations.dataValidation
            for area in rule.sqref.ranges
            for column in range(area.min_col, area.max_col + 1)
        }
        for name, column in columns.items():
            field = _field(definition, name)
            if field is not None and column not in covered:
                set_dropdown(sheet, field, column_cells(get_column_letter(column)))


def _field(definition: SheetDefinition, name: str) -> Field | None:
    if not name.startswith(OWN):
        return definition[name]
    own = definition.own_field(name.removeprefix(OWN))
    return own if own.levels else None
