"""The sheet HISTORY of a consensus review: who typed what, what was decided, what changed later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalliance.coding.cells import Raw, a1, shown
from metalliance.coding.guard import file_problem
from metalliance.coding.sheets import put
from metalliance.coding.spreadsheet import open_source

__all__ = [
    "HISTORY_SHEET",
    "HistoryRow",
    "draw_history",
    "fit_height",
    "plain_text",
    "read_history",
]

HISTORY_SHEET = "HISTORY"
PLACE = ("study", "id", "field", "cell")
OUTCOME = ("decision", "decided", "reason", "by", "date")
AMENDED = ("amended", "amended_date", "amended_reason")
WIDTHS = {"field": 20, "cell": 15, "decided": 20, "reason": 40, "amended": 16, "amended_reason": 40}
HELP = {
    "cell": "Where the value stands in this workbook.",
    "decided": "The value of the consensus.",
    "amended": "A later change: the new value. Change the cell itself as well.",
    "amended_date": "Day of the change, e.g. 2027-01-31.",
    "amended_reason": "Why it was changed, and by whom.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One disagreement and what became of it.

    Attributes
    ----------
    study, id, field : str
        Ids as in the consensus review; ``field`` is ``(effect)`` for whether an effect exists.
    cell : str
        ``sheet!cell`` where the value stands.
    typed : tuple of str
        What each coder had, in the order A, B, C …
    decision : str
        A, B …, other, keep or drop; empty while open.
    decided, reason, by, date : str
    amended, amended_date, amended_reason : str
        A later change.
    place : str
        ``HISTORY!row``.
    """

    study: str
    id: str
    field: str
    cell: str
    typed: tuple[str, ...]
    decision: str = ""
    decided: str = ""
    reason: str = ""
    by: str = ""
    date: str = ""
    amended: str = ""
    amended_date: str = ""
    amended_reason: str = ""
    place: str = ""


def read_history(path: str | Path) -> tuple[HistoryRow, ...]:
    """What a consensus review says of its own history.

    Parameters
    ----------
    path : str or Path
        A workbook written by ``metalliance agree --adjudicated``.

    Returns
    -------
    tuple of HistoryRow

    Raises
    ------
    CodingError
        Where the file cannot be read, or has no sheet HISTORY.
    """
    source = open_source(path)
    names = {name.strip().upper(): name for name in source.sheet_names}
    if HISTORY_SHEET not in names:
        what = f"has no sheet {HISTORY_SHEET}: it is no consensus review"
        mend = "give a file written by metalliance agree --adjudicated"
        raise file_problem(Path(path), "no-history", what, mend)
    rows = source.grid(names[HISTORY_SHEET]).rows
    titles = [plain_text(cell) for cell in rows[0]] if rows else []
    found = []
    for number, row in enumerate(rows[1:], start=1):
        texts = {name: plain_text(cell) for name, cell in zip(titles, row, strict=False)}
        if not any(texts.values()):
            continue
        given = {name: texts.get(name, "") for name in (*PLACE, *OUTCOME, *AMENDED)}
        typed = tuple(text for name, text in texts.items() if len(name) == 1 and name.isupper())
        found.append(HistoryRow(typed=typed, place=f"{HISTORY_SHEET}!{a1(number, 0)}", **given))
    return tuple(found)


def plain_text(cell: Raw) -> str:
    """A cell as text, at full length."""
    return cell.strip() if isinstance(cell, str) else shown(cell)


def draw_history(book: Any, rows: Sequence[HistoryRow], letters: Sequence[str]) -> None:
    """Write the sheet HISTORY at the end of a workbook that is open for changing."""
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.properties import PageSetupProperties

    sheet = book.create_sheet(HISTORY_SHEET)
    titles = (*PLACE, *letters, *OUTCOME, *AMENDED)
    widths: list[float] = []
    for number, title in enumerate(titles, start=1):
        cell = sheet.cell(1, number, title)
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", start_color="FFE2EFDA" if title in AMENDED else "FFD9E2EC")
        if title in HELP:
            cell.comment = Comment(HELP[title], "metalliance", height=60, width=260)
        width = 18 if title in letters else WIDTHS.get(title, 14)
        sheet.column_dimensions[get_column_letter(number)].width = width
        widths.append(width)
    for number, row in enumerate(rows, start=2):
        place = [getattr(row, name) for name in PLACE]
        rest = [getattr(row, name) for name in (*OUTCOME, *AMENDED)]
        typed = (*row.typed, *("" for _ in letters))[: len(letters)]
        texts = (*place, *typed, *rest)
        fit_height(sheet, number, texts, widths)
        for column, text in enumerate(texts, start=1):
            cell = sheet.cell(number, column)
            cell.number_format = "@"
            cell.alignment = Alignment(vertical="top", wrap_text=True)
            put(cell, text or None)
        _link(book, sheet.cell(number, PLACE.index("cell") + 1), row.cell)
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.freeze_panes = "D2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(titles))}{max(len(rows) + 1, 2)}"


def fit_height(sheet: Any, row: int, texts: Sequence[str], widths: Sequence[float]) -> None:
    """Make a row as high as its longest text needs; not every program does so by itself."""
    lines = [
        sum(max(1, math.ceil(len(part) / (0.9 * width))) for part in text.split("\n"))
        for text, width in zip(texts, widths, strict=True)
    ]
    sheet.row_dimensions[row].height = 14.5 * min(max(lines, default=1), 20)


def _link(book: Any, cell: Any, address: str) -> None:
    from openpyxl.styles import Font

    name, _, place = address.partition("!")
    if place[:1].isalpha() and name in book.sheetnames:
        cell.hyperlink = f"#'{name}'!{place}"
        cell.font = Font(color="FF0563C1", underline="single")
