"""Add the rows of a study to a copy of a workbook that people work in."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metalliance.coding.archive import save_workbook
from metalliance.coding.files import refuse_existing
from metalliance.coding.guard import file_problem
from metalliance.coding.live_workbook import header_of, open_copy, sheet_called
from metalliance.coding.review import Review, read_review
from metalliance.coding.sheets import put
from metalliance.coding.spreadsheet import open_source
from metalliance.coding.upgrade import Change, first_lost, log_changes
from metalliance.errors import MetallianceError

__all__ = ["append_rows"]

Rows = Mapping[str, Sequence[Mapping[str, object]]]


def append_rows(
    path: str | Path, out: str | Path, rows: Rows, *, today: datetime.date | None = None
) -> tuple[str, ...]:
    """Write a workbook with everything that ``path`` holds and ``rows`` below it.

    What was written is read again and compared with ``path``, row by row, before it is kept. The
    rows are listed in sheet CHANGES.

    Parameters
    ----------
    path : str or Path
        A workbook made from the template.
    out : str or Path
        A new file.
    rows : mapping of sheet name to rows
        Each row maps column names to values; every study is new to the workbook.
    today : date, optional
        For tests.

    Returns
    -------
    tuple of str
        What of the file its copy lacks, such as charts.

    Raises
    ------
    CodingError
        Where ``path`` is no such workbook, lacks a column, or has one of the studies.
    OutputError
        Where ``out`` exists.
    """
    path, out = Path(path), Path(out)
    refuse_existing(out)
    before = read_review(path, strict=False)
    if before.kind != "workbook":
        mend = "give a workbook made from the template"
        raise file_problem(path, "wrong-type", "has no sheets STUDIES and EFFECTS", mend)
    _refuse_known(before, rows)
    book, lacking = open_copy(open_source(path))
    changes = [
        change
        for sheet, added in rows.items()
        if added
        for change in [_append(book, before, sheet, added)]
    ]
    log_changes(book, changes, today or datetime.date.today())
    beside = out.with_name(f".{out.name}.new.xlsx")
    try:
        save_workbook(book, beside)
        lost = first_lost(before, read_review(beside, strict=False))
        if lost:
            raise MetallianceError(f"nothing was written: the new file would lack {lost}")
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return lacking


def _refuse_known(before: Review, rows: Rows) -> None:
    known = {record.text("study") for record in before.records.get("STUDIES", ())}
    again = [str(row["study"]) for row in rows.get("STUDIES", ()) if str(row["study"]) in known]
    if again:
        what = f"has the study {again[0]} already"
        raise file_problem(before.path, "known-study", what, "give the new study another id")


def _append(book: Any, before: Review, name: str, rows: Sequence[Mapping[str, object]]) -> Change:
    sheet, definition = sheet_called(book, name), before.codebook[name]
    header, columns = header_of(sheet, definition) if sheet is not None else (0, {})
    missing = sorted({key for row in rows for key in row} - set(columns))
    if sheet is None or missing:
        what = f"lacks the sheet {name}" if sheet is None else f"{name} lacks {missing[0]!r}"
        mend = "bring it up to date first: metalliance template --into FILE --out NEW"
        raise file_problem(before.path, "old-schema", what, mend)
    typed = [columns[field.name] for field in definition.fields if field.name in columns]
    filled = [
        number
        for number in range(header, sheet.max_row + 1)
        if any(_is_typed(sheet.cell(number, column).value) for column in typed)
    ]
    place = max(filled, default=header) + 1
    for number, row in enumerate(rows, start=place):
        for key, value in row.items():
            put(sheet.cell(number, columns[key]), value)
    last = place + len(rows) - 1
    where = f"row {place}" if last == place else f"rows {place} to {last}"
    return Change(sheet=name, column="", what=f"{where} added from session data")


def _is_typed(value: object) -> bool:
    """Something a person typed: no formula, nothing blank."""
    return value is not None and str(value).strip() != "" and not str(value).startswith("=")
