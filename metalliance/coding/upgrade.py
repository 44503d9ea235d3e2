"""Bring a live workbook up to date: newer sheets and columns, and the team's moderators."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metalliance.coding.archive import save_workbook
from metalliance.coding.codebook import OWN, Codebook, Field, SheetDefinition
from metalliance.coding.files import refuse_existing, write_whole
from metalliance.coding.guard import file_problem
from metalliance.coding.live_workbook import (
    header_of,
    open_copy,
    restore_lists,
    sheet_called,
)
from metalliance.coding.own_moderators import extended
from metalliance.coding.records import Record
from metalliance.coding.review import Review, read_review
from metalliance.coding.sheets import draw_column, draw_pairs, put, schema_cell
from metalliance.coding.spreadsheet import open_source
from metalliance.coding.template import draw_sheet
from metalliance.errors import CodingError, MetallianceError, Problem

__all__ = [
    "CHANGE_SHEET",
    "Change",
    "Upgrade",
    "bring_up_to_date",
    "first_lost",
    "log_changes",
]

CHANGE_SHEET = "CHANGES"
CHANGE_COLUMNS = ("date", "sheet", "column", "change")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that was added."""

    sheet: str
    column: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What was written, what was added, what the file lacks now, and the copy of the old one."""

    path: Path
    changes: tuple[Change, ...]
    lacking: tuple[str, ...]
    backup: Path | None


def bring_up_to_date(
    path: str | Path,
    out: str | Path,
    moderators: Sequence[Record] = (),
    *,
    today: datetime.date | None = None,
) -> Upgrade:
    """Write a workbook with everything that ``path`` holds and what it lacks.

    Added are sheets and columns of a newer codebook, ``moderators``, and the columns of
    moderators that were typed into MODERATORS by hand. Nothing is moved or removed: new columns
    stand to the right. Every change is listed in sheet CHANGES. What was written is read again
    and compared with ``path``, row by row, before it is kept.

    Parameters
    ----------
    path : str or Path
        A workbook of this or an older schema.
    out : str or Path
        A new file, or ``path`` itself: then a copy of the old file is kept beside it.
    moderators : sequence of Record
        From `read_moderators`.
    today : date, optional
        For tests.

    Raises
    ------
    CodingError
        Where ``path`` is no such workbook, a row of its MODERATORS is wrong, or a moderator
        stands in it already.
    OutputError
        Where ``out`` exists.
    """
    path, out, day = Path(path), Path(out), today or datetime.date.today()
    in_place = out.exists() and out.resolve() == path.resolve()
    if not in_place:
        refuse_existing(out)
    before = read_review(path, strict=False)
    if before.kind != "workbook":
        mend = "give a workbook made from the template"
        raise file_problem(path, "wrong-type", "has no sheets STUDIES and EFFECTS", mend)
    wrong = [p for p in before.problems if p.sheet == "MODERATORS" and p.severity == "error"]
    if wrong:
        raise CodingError(wrong)
    _refuse_known(before, moderators)
    source = open_source(path)
    book, lacking = open_copy(source)
    codebook = extended(before.codebook, moderators)
    said = f"added {day.isoformat()}, exploratory" if before.effects_coded else ""
    changes = [*_add_sheets(book, codebook), *_add_columns(book, codebook, said)]
    _declare(book, codebook, moderators, said)
    _add_rows(book, codebook, changes)
    address, schema = schema_cell()
    start = sheet_called(book, "START")
    if start[address].value != schema:
        changes.append(Change(sheet="START", column="schema", what=f"now {schema}"))
    start[address] = schema
    _drop_old_lists(book, codebook)
    restore_lists(book, codebook)
    log_changes(book, changes, day)
    beside = out.with_name(f".{out.name}.new.xlsx")
    try:
        save_workbook(book, beside)
        lost = first_lost(before, read_review(beside, strict=False))
        if lost:
            raise MetallianceError(f"nothing was written: the new file would lack {lost}")
        backup = _backup(path, source.content, day) if in_place else None
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return Upgrade(path=out, changes=tuple(changes), lacking=lacking, backup=backup)


def _refuse_known(before: Review, moderators: Sequence[Record]) -> None:
    problems: list[Problem] = []
    for record in moderators:
        sheet = before.codebook[record.text("sheet")]
        if any(field.name == record.text("name") for field in sheet.own):
            what = f"{sheet.name} has the moderator {record.text('name')} already"
            error = file_problem(before.path, "own-moderator", what, "choose another name")
            problems += error.problems
    if problems:
        raise CodingError(problems)


def _add_sheets(book: Any, codebook: Codebook) -> list[Change]:
    """Sheets that the workbook lacks, each after the one before it in the template."""
    changes = []
    previous = ""
    for definition in codebook.sheets:
        if sheet_called(book, definition.name) is None:
            draw_sheet(book, codebook, definition.name)
            sheet = book[definition.name]
            place = book.sheetnames.index(previous) + 1 if previous else 0
            book.move_sheet(sheet, place - book.sheetnames.index(definition.name))
            changes.append(Change(sheet=definition.name, column="", what="sheet added"))
        previous = sheet_called(book, definition.name).title
    return changes


def _add_columns(book: Any, codebook: Codebook, said: str) -> list[Change]:
    changes = []
    for definition in codebook.tables:
        sheet = sheet_called(book, definition.name)
        row, columns = header_of(sheet, definition)
        last = max(columns.values(), default=0)
        width = max((c.column for c in sheet[row] if c.value is not None), default=last)
        for name, field in _wanted(definition):
            if name in columns:
                continue
            width += 1
            own = name.startswith(OWN)
            _add_column(sheet, row, width, name, field, said if own else "")
            what = f"column added ({said})" if own and said else "column added"
            changes.append(Change(sheet=definition.name, column=name, what=what))
    return changes


def _wanted(definition: SheetDefinition) -> list[tuple[str, Field]]:
    made = [(field.name, field) for field in definition.fields if field.type != "formula"]
    return [*made, *((f"{OWN}{field.name}", field) for field in definition.own)]


def _add_column(sheet: Any, row: int, column: int, name: str, field: Field, said: str) -> None:
    draw_column(sheet, column, name, field, said=said)
    if row != 1:
        moved, cell = sheet.cell(row, column), sheet.cell(1, column)
        moved.value, moved.fill, moved.font = cell.value, cell.fill.copy(), cell.font.copy()
        moved.comment, cell.value, cell.comment = cell.comment, None, None


def _declare(book: Any, codebook: Codebook, moderators: Sequence[Record], said: str) -> None:
    """Rows of MODERATORS for the new ones; a date for those whose column was added now."""
    sheet = sheet_called(book, "MODERATORS")
    row, columns = header_of(sheet, codebook["MODERATORS"])
    if said:
        for number in range(row + 1, sheet.max_row + 1):
            named = sheet.cell(number, columns["name"]).value
            added = sheet.cell(number, columns["added"])
            if named and not added.value and _is_new(book, codebook, str(named), said):
                added.value = said
    filled = [n for n in range(1, sheet.max_row + 1) if sheet.cell(n, columns["name"]).value]
    place = max(filled, default=row) + 1
    for record in moderators:
        for name, column in columns.items():
            value = said if name == "added" and said else record.coded(name).value
            put(sheet.cell(place, column), value)
        place += 1


def _is_new(book: Any, codebook: Codebook, name: str, said: str) -> bool:
    for definition in codebook.tables:
        sheet = sheet_called(book, definition.name)
        row, columns = header_of(sheet, definition)
        column = columns.get(f"{OWN}{name}")
        comment = sheet.cell(row, column).comment if column else None
        if comment is not None and said in comment.text:
            return True
    return False


def _add_rows(book: Any, codebook: Codebook, changes: list[Change]) -> None:
    """Names that a sheet of pairs lacks, below the others."""
    for definition in codebook.pairs:
        sheet = sheet_called(book, definition.name)
        there = {str(cell.value).strip() for cell in sheet["A"] if cell.value is not None}
        missing = tuple(field for field in definition.fields if field.name not in there)
        if missing and definition.name != "START":
            draw_pairs(sheet, replace(definition, fields=missing), {}, first=sheet.max_row + 1)
            changes += [
                Change(sheet=definition.name, column=field.name, what="row added")
                for field in missing
            ]


def _drop_old_lists(book: Any, codebook: Codebook) -> None:
    """Lists that point into CODES by cells: they are set again by name."""
    for definition in codebook.tables:
        sheet = sheet_called(book, definition.name)
        rules = sheet.data_validations.dataValidation
        rules[:] = [r for r in rules if not str(r.formula1).startswith(("CODES!", "STUDIES!"))]


def log_changes(book: Any, changes: Sequence[Change], day: datetime.date) -> None:
    """List changes in sheet CHANGES, below those of earlier days."""
    from openpyxl.styles import Font

    sheet = sheet_called(book, CHANGE_SHEET)
    if sheet is None:
        sheet = book.create_sheet(CHANGE_SHEET)
        for number, (name, width) in enumerate(
            zip(CHANGE_COLUMNS, (12, 14, 28, 50), strict=True), start=1
        ):
            sheet.cell(1, number, name).font = Font(bold=True)
            sheet.column_dimensions["ABCD"[number - 1]].width = width
    row = sheet.max_row + 1
    for change in changes:
        for number, value in enumerate(
            (day.isoformat(), change.sheet, change.column, change.what), start=1
        ):
            put(sheet.cell(row, number), value)
        row += 1


def _backup(path: Path, content: bytes, day: datetime.date) -> Path:
    number, backup = 1, path.with_name(f"{path.stem}.backup-{day.isoformat()}{path.suffix}")
    while backup.exists():
        number += 1
        name = f"{path.stem}.backup-{day.isoformat()}-{number}{path.suffix}"
        backup = path.with_name(name)
    write_whole(backup, content)
    return backup


def first_lost(before: Review, after: Review) -> str:
    """The first cell of the old file that the new one does not hold as it was."""
    for sheet, old in before.records.items():
        new = {record.row: record for record in after.records.get(sheet, ())}
        for record in old:
            there = new.get(record.row)
            for cells, name in ((record.cells, "cells"), (record.extra, "extra")):
                found: Mapping[str, Any] = getattr(there, name) if there is not None else {}
                for field, coded in cells.items():
                    same = field in found and found[field].value == coded.value
                    if not same and coded.code != "blank" and field != "added":
                        return f"{sheet}!{coded.cell} ({field})"
    return ""
