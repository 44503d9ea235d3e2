"""Write the workbook, empty or filled, from the codebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metalliance.coding.archive import save_workbook
from metalliance.coding.codebook import OWN, Codebook, load_codebook
from metalliance.coding.own_moderators import checked_rows, extended
from metalliance.coding.records import Record
from metalliance.coding.sheets import (
    column_cells,
    define_lists,
    draw_pairs,
    draw_table,
    fill_formulas,
    letters_of,
    schema_cell,
    set_dropdown,
)

__all__ = ["SHEET_NAMES", "draw_sheet", "fill_workbook", "write_template"]

HOW_TO = (
    "1. STUDIES: one row per sample. 2. MEASURES: one row per alliance or outcome score. "
    "3. MODELS: one row per analysis; RAW (nothing controlled) and PRE (baseline only) need none. "
    "4. EFFECTS: one row per printed statistic; a printed correlation matrix goes into GRID.",
    "Type what is printed, with its sign; positive_means says what a positive number means.",
    "NR: the paper does not report it. NA: it does not apply. An empty cell: not yet coded. "
    "These three are never the same.",
    "Yellow columns are needed before a row is analysed. Grey columns are made by the sheet and "
    "ignored on import. Green columns are this team's own (sheet MODERATORS). "
    "Click [+] above the columns of EFFECTS for more.",
    "Check at any time:  metalliance check FILE    Report:  metalliance report FILE",
)
SHEET_NAMES: tuple[str, ...] = tuple(sheet.name for sheet in load_codebook().sheets)
Rows = Mapping[str, Sequence[Mapping[str, object]]]


def write_template(path: str | Path, moderators: Sequence[Record] = ()) -> None:
    """Write the empty workbook.

    Parameters
    ----------
    path : str or Path
        An ``.xlsx`` file; written beside its place first, then renamed.
    moderators : sequence of Record, optional
        The team's own, from `read_moderators`.
    """
    rows = [{name: coded.value for name, coded in one.cells.items()} for one in moderators]
    fill_workbook(path, {"MODERATORS": rows} if rows else {})


def fill_workbook(path: str | Path, sheets: Rows, about: Mapping[str, str] | None = None) -> None:
    """Write a workbook with rows already in it.

    Parameters
    ----------
    path : str or Path
    sheets : mapping of sheet name to rows
        Each row maps column names to values; ``mod:`` columns are added at the end. Sheets of
        pairs (PLAN, FLOW) take one row that maps names to values.
    about : mapping, optional
        What START says of the review.

    Raises
    ------
    KeyError
        Where a row has a column that the codebook does not know.
    """
    from openpyxl import Workbook

    own = checked_rows("MODERATORS", sheets.get("MODERATORS", ()))
    codebook = extended(load_codebook(), own)
    book = Workbook()
    book.remove(book.active)
    given = {**sheets, "START": [about or {}]}
    for definition in codebook.sheets:
        draw_sheet(book, codebook, definition.name, given.get(definition.name, ()))
    define_lists(book, codebook)
    save_workbook(book, Path(path))


def draw_sheet(
    book: Any, codebook: Codebook, name: str, rows: Sequence[Mapping[str, object]] = ()
) -> None:
    """Add one sheet to a workbook: its columns, lists, formulas and rows."""
    from openpyxl.worksheet.properties import PageSetupProperties

    definition, sheet = codebook[name], book.create_sheet(name)
    if name == "START":
        _start(sheet, codebook, rows[0] if rows else {})
    elif definition.layout == "pairs":
        _pairs(sheet, codebook, name, rows[0] if rows else {})
    else:
        draw_table(sheet, definition, rows)
        letters = {cell.value: cell.column_letter for cell in sheet[1]}
        for field in definition.fields:
            set_dropdown(sheet, field, column_cells(letters[field.name]))
        for field in definition.own:
            set_dropdown(sheet, field, column_cells(letters[f"{OWN}{field.name}"]))
    if name == "EFFECTS":
        fill_formulas(sheet, letters_of(definition), letters_of(codebook["MEASURES"]), len(rows))
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


def _pairs(sheet: Any, codebook: Codebook, name: str, values: Mapping[str, object]) -> None:
    from openpyxl.styles import Alignment, Font

    sheet["A1"] = name
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["B1"] = codebook[name].about
    sheet["B1"].alignment = Alignment(wrap_text=True, vertical="top")
    unknown = sorted(set(values) - set(codebook[name].names))
    if unknown:
        raise KeyError(f"{name} has no row {unknown[0]!r}")
    draw_pairs(sheet, codebook[name], values, first=3)
    sheet.row_dimensions[1].height = 48


def _start(sheet: Any, codebook: Codebook, about: Mapping[str, object]) -> None:
    from openpyxl.styles import Alignment, Font

    sheet["A1"] = "metalliance: coding workbook"
    sheet["A1"].font = Font(bold=True, size=14)
    row = draw_pairs(sheet, codebook["START"], about, first=3) + 1
    if about.get("data") == "simulated":
        place = 3 + codebook["START"].names.index("data")
        sheet.cell(place, 2).font = Font(bold=True, color="FFC00000")
    texts = [("", text) for text in HOW_TO]
    texts += [(sheet_.name, sheet_.about) for sheet_ in codebook.sheets[1:]]
    texts += [("CODES", "The lists behind the cells.")]
    for name, text in texts:
        sheet.cell(row, 1, name).font = Font(bold=True)
        sheet.cell(row, 2, text)
        for column in (1, 2):
            sheet.cell(row, column).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.row_dimensions[row].height = 15 * (1 + len(text) // 60)
        row += 1
    address, schema = schema_cell()
    sheet[address] = schema
    sheet.column_dimensions["Z"].hidden = True
