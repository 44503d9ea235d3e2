"""Rows below a header become records: every cell read, with its address."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

from metalliance.coding.cells import (
    Coded,
    Fault,
    Raw,
    a1,
    column_letters,
    is_blank,
    parse_cell,
    parse_number,
    shown,
)
from metalliance.coding.codebook import Field, SheetDefinition
from metalliance.coding.damage import damage
from metalliance.coding.grids import Grid, note
from metalliance.coding.headers import Header
from metalliance.coding.records import Findings, Record, RowCells
from metalliance.coding.stray_rows import check_stray_rows

__all__ = ["read_records"]

TEXT = "text"
DIGIT = re.compile(r"\d")
ALMOST_NUMBERS = ("decimal-comma", "thousands", "typographic-minus", "percent", "stars")
_Read = tuple[Coded, Fault | None, Fault | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column that is read: its field, its place, and what its cells were read as before."""

    name: str
    field: Field
    at: int
    letters: str
    own: bool
    seen: dict[tuple[type, Raw], _Read] = dataclass_field(default_factory=dict)

    def read(self, raw: Raw, row: int) -> _Read:
        """A cell of row number ``row``, as its spreadsheet counts."""
        key = (type(raw), raw)
        found = self.seen.get(key)
        if found is None:
            found = self.seen[key] = (*self._parsed(raw), damage(raw, self.field))
        coded, fault, remark = found
        cell = f"{self.letters}{row}"
        coded = Coded(value=coded.value, code=coded.code, text=coded.text, cell=cell)
        return coded, fault, remark

    def _parsed(self, raw: Raw) -> tuple[Coded, Fault | None]:
        loose = self.own and self.field.type == TEXT and not isinstance(raw, bool)
        if loose and isinstance(raw, int | float):
            return Coded(value=float(raw), code="", text=shown(raw)), None
        return parse_cell(raw, self.field, "")


def read_records(
    grid: Grid, definition: SheetDefinition, header: Header, findings: Findings
) -> tuple[Record, ...]:
    """Every row below the header that holds more than the template's own formulas."""
    columns = _columns(definition, header)
    letters = {c.name: c.letters for c in columns if not c.own}
    own = {c.name: c.letters for c in columns if c.own}
    records: list[Record] = []
    for row in range(header.row + 1, len(grid.rows)):
        cells = grid.rows[row]
        within = [c for c in columns if c.at < len(cells) and cells[c.at] != ""]
        filled = [c for c in within if not is_blank(cells[c.at])]
        if filled:
            first = not records
            records.append(_read_row(grid, filled, row, findings, letters, own, first))
    check_stray_rows(records, findings)
    _note_merged(grid, header, {column.at for column in columns}, findings)
    for name in own:
        if definition.own_field(name).type == TEXT:
            _note_almost_numbers(name, records, findings)
    return tuple(records)


def _columns(definition: SheetDefinition, header: Header) -> tuple[_Column, ...]:
    fields = [(name, definition[name], at, False) for name, at in header.fields.items()]
    fields += [(name, definition.own_field(name), at, True) for name, at in header.extra.items()]
    return tuple(
        _Column(name=name, field=field, at=at, letters=column_letters(at), own=own)
        for name, field, at, own in fields
        if field.type != "formula"
    )


def _read_row(
    grid: Grid,
    filled: Sequence[_Column],
    row: int,
    findings: Findings,
    letters: Mapping[str, str],
    own_letters: Mapping[str, str],
    first: bool,
) -> Record:
    cells: dict[str, Coded] = {}
    own: dict[str, Coded] = {}
    faults: list[tuple[str, _Column, Fault]] = []
    remarks: list[tuple[str, Fault]] = []
    for column in filled:
        coded, fault, remark = column.read(grid.rows[row][column.at], row + 1)
        (own if column.own else cells)[column.name] = coded
        if fault is None and remark is None:
            continue
        name = f"mod:{column.name}" if column.own else column.name
        cells[name] = coded
        if fault is not None:
            faults.append((name, column, fault))
        elif remark is not None:
            remarks.append((name, remark))
    record = Record(
        sheet=grid.sheet,
        row=row + 1,
        cells=RowCells(cells, letters, row + 1),
        extra=RowCells(own, own_letters, row + 1),
    )
    if first and _second_header(filled, cells, faults):
        what = "looks like a second line of header (units or explanations), which is no data"
        again = Fault("second-header", what, "delete this row, or move it above the header")
        faults = [(filled[0].name, filled[0], again)]
    for name, column, fault in faults:
        # A cell of a correlation matrix spoils its own effect, not the others of its row.
        matrix = column.field.type == "statistic" and not column.own
        spoiled = replace(record, part=name) if matrix else record
        findings.add("error", spoiled, name, fault.what, fault.mend, fault.code)
    for name, remark in remarks:
        findings.add("note", record, name, remark.what, remark.mend, remark.code)
    return record


def _second_header(
    filled: Sequence[_Column],
    cells: Mapping[str, Coded],
    faults: Sequence[tuple[str, _Column, Fault]],
) -> bool:
    """Whether a row has words wherever numbers or levels should stand, in two columns or more."""
    typed = [column for column in filled if column.field.type not in ("id", TEXT)]
    words = [
        fault
        for name, _, fault in faults
        if fault.code in ("not-a-number", "unknown-level") and not DIGIT.search(cells[name].text)
    ]
    return len(typed) == len(words) == len(faults) and len(words) > 1


def _note_almost_numbers(name: str, records: Sequence[Record], findings: Findings) -> None:
    """A moderator with a cell like 34,5 is text in every row: say so once."""
    for record in records:
        coded = record.extra[name]
        found = parse_number(coded.value) if isinstance(coded.value, str) else 0.0
        if isinstance(found, Fault) and found.code in ALMOST_NUMBERS:
            what = f"{found.what}, so that {name} is read as text in every row"
            findings.problems.append(
                note(record.sheet, coded.cell, what, found.mend, found.code, coded.text)
            )
            return


def _note_merged(grid: Grid, header: Header, columns: set[int], findings: Findings) -> None:
    for top, left, bottom, right in grid.merged:
        inside = any(left <= column <= right for column in columns)
        if inside and bottom > header.row and top < len(grid.rows):
            place = f"{a1(top, left)}:{a1(bottom, right)}"
            what = f"cells {place} are merged: only the first holds the value"
            mend = "unmerge them and type the value in every row it is meant for"
            findings.problems.append(note(grid.sheet, a1(top, left), what, mend, "merged"))
