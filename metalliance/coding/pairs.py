"""Sheets of pairs (START, PLAN, FLOW): a name in column A, its value in column B."""

from __future__ import annotations

from metalliance.coding.cells import Coded, a1, is_blank, parse_cell, shown
from metalliance.coding.codebook import SheetDefinition, closest, normalise_header
from metalliance.coding.records import Findings, Record
from metalliance.coding.spreadsheet import Grid, note

__all__ = ["read_pairs"]


def read_pairs(grid: Grid, definition: SheetDefinition, findings: Findings) -> Record:
    """The fields of a sheet of pairs as one record; a name that is none is noted.

    Of START only the names of fields are looked at: the rest is for people.
    """
    cells: dict[str, Coded] = {}
    names = {normalise_header(field.name): field for field in definition.fields}
    faults = []
    for row in range(len(grid.rows)):
        title = shown(grid.at(row, 0)).strip()
        field = names.get(normalise_header(title))
        raw, cell = grid.at(row, 1), a1(row, 1)
        if field is None:
            if title and row and definition.name != "START" and not is_blank(raw):
                _note_unknown(grid, row, title, definition, findings)
            continue
        if field.name in cells and is_blank(raw):
            continue
        coded, fault = parse_cell(raw, field, cell)
        if field.name in cells and cells[field.name].code != "blank":
            what = f"{field.name} stands here a second time; the first is used"
            findings.problems.append(
                note(grid.sheet, cell, what, "delete one of them", "duplicate-name", coded.text)
            )
            continue
        cells[field.name] = coded
        if fault is not None:
            faults.append((field.name, fault))
    record = Record(sheet=definition.name, row=1, cells=cells)
    for name, fault in faults:
        findings.add("error", record, name, fault.what, fault.mend, fault.code)
    return record


def _note_unknown(
    grid: Grid, row: int, title: str, definition: SheetDefinition, findings: Findings
) -> None:
    near = closest(title, definition.names)
    mend = f"did you mean {near}?" if near else f"its names are: {', '.join(definition.names)}"
    what = f"is no name of {definition.name} and is not read"
    findings.problems.append(note(grid.sheet, a1(row, 0), what, mend, "unknown-name", title[:80]))
