"""A grid of raw cells becomes records: find the header, match the columns, read every cell."""

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
from metalliance.coding.codebook import Field, SheetDefinition, closest, normalise_header
from metalliance.coding.damage import damage
from metalliance.coding.grids import Grid, note
from metalliance.coding.records import Findings, Record, RowCells
from metalliance.errors import Problem

__all__ = ["Header", "find_header", "read_records", "recognised"]

HEADER_WITHIN = 20
TEXT = "text"
ALMOST_NUMBERS = ("decimal-comma", "thousands", "typographic-minus", "percent", "stars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Which column holds which field.

    ``fields`` and ``extra`` map names to zero-based columns; ``row`` is zero-based, −1 without a
    header.
    """

    row: int
    fields: Mapping[str, int]
    extra: Mapping[str, int]


def recognised(grid: Grid, definition: SheetDefinition, row: int) -> int:
    """How many cells of a row name a field."""
    names = {field.name for cell in grid.rows[row] if (field := definition.find(shown(cell)))}
    return len(names)


def find_header(
    grid: Grid,
    definition: SheetDefinition,
    findings: Findings,
    *,
    flat: bool = False,
    mapping: Mapping[str, str] | None = None,
) -> Header:
    """Match the columns of the first row that looks like a header."""
    renamed = {normalise_header(key): value for key, value in (mapping or {}).items()}
    row = _header_row(grid, definition, renamed)
    fields: dict[str, int] = {}
    extra: dict[str, int] = {}
    if row < 0:
        return Header(row=-1, fields=fields, extra=extra)
    unknown = []
    for column, raw in enumerate(grid.rows[row]):
        if is_blank(raw):
            continue
        title = shown(raw).strip()
        title = renamed.get(normalise_header(title), title)
        field = definition.find(title)
        if field is None:
            unknown.append((column, title))
        elif field.name in fields:
            first = grid.at(row, fields[field.name])
            findings.problems.append(
                _twice(grid, row, column, title, shown(first), fields[field.name], field.name)
            )
        else:
            fields[field.name] = column
    for column, title in unknown:
        _place_unknown(grid, row, column, title, definition, findings, fields, extra, flat)
    return Header(row=row, fields=fields, extra=extra)


def _header_row(grid: Grid, definition: SheetDefinition, renamed: Mapping[str, str]) -> int:
    enough = min(2, sum(field.required for field in definition.fields))
    only_one = -1
    for row in range(min(HEADER_WITHIN, len(grid.rows))):
        mapped = sum(normalise_header(shown(cell)) in renamed for cell in grid.rows[row])
        count = recognised(grid, definition, row) + mapped
        if count >= enough:
            return row
        only_one = row if count and only_one < 0 else only_one
    return only_one


def _header_error(grid: Grid, row: int, column: int, title: str, what: str, mend: str) -> Problem:
    return Problem(
        sheet=grid.sheet,
        cell=a1(row, column),
        value=title[:80],
        what=what,
        mend=mend,
        severity="error",
        code="unknown-column",
    )


def _twice(
    grid: Grid, row: int, column: int, title: str, first: str, at: int, name: str
) -> Problem:
    return Problem(
        sheet=grid.sheet,
        cell=a1(row, column),
        value=title,
        what=f"{a1(row, at)} ({first!r}) and {a1(row, column)} ({title!r}) both mean {name}",
        mend="keep one of them, or rename the other",
        severity="error",
        code="duplicate-column",
    )


def _place_unknown(
    grid: Grid,
    row: int,
    column: int,
    title: str,
    definition: SheetDefinition,
    findings: Findings,
    fields: dict[str, int],
    extra: dict[str, int],
    flat: bool,
) -> None:
    wanted = normalise_header(title)
    for field in definition.fields:
        if field.name not in fields and wanted in map(normalise_header, field.fallback):
            fields[field.name] = column
            return
    own = re.fullmatch(r"mod\s*:\s*(.+)", title, re.IGNORECASE)
    if own or flat:
        name = _moderator_name(own.group(1) if own else title)
        if name in extra:
            first = shown(grid.at(row, extra[name]))
            findings.problems.append(_twice(grid, row, column, title, first, extra[name], name))
        else:
            extra[name] = column
        return
    if definition.name == "GRID" and re.fullmatch(r"O\d+", title, re.IGNORECASE):
        what = f"GRID has columns O1 to O12; {title} is not read"
        mend = "give the measure a lower number, or code these effects in EFFECTS"
        findings.problems.append(_header_error(grid, row, column, title, what, mend))
        return
    near = closest(title, definition.names)
    mend = f"did you mean {near}? " if near else ""
    findings.problems.append(
        note(
            grid.sheet,
            a1(row, column),
            "is no column of this sheet and is not read",
            f"{mend}The team's own variables are columns mod:name, declared in MODERATORS",
            "unknown-column",
            title[:80],
        )
    )


def _moderator_name(title: str) -> str:
    title = title.strip()
    if title.isidentifier():
        return title
    name = re.sub(r"\W+", "_", normalise_header(title)).strip("_")
    return f"mod_{name}" if not name or name[0].isdigit() else name


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
    records = []
    for row in range(header.row + 1, len(grid.rows)):
        cells = grid.rows[row]
        within = [c for c in columns if c.at < len(cells) and cells[c.at] != ""]
        filled = [c for c in within if not is_blank(cells[c.at])]
        if filled:
            record = _read_row(grid, filled, row, findings, letters, own)
            records.append(record)
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
    for name, column, fault in faults:
        # A cell of a correlation matrix spoils its own effect, not the others of its row.
        matrix = column.field.type == "statistic" and not column.own
        spoiled = replace(record, part=name) if matrix else record
        findings.add("error", spoiled, name, fault.what, fault.mend, fault.code)
    for name, remark in remarks:
        findings.add("note", record, name, remark.what, remark.mend, remark.code)
    return record


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


def missing_columns(
    grid: Grid, definition: SheetDefinition, header: Header, findings: Findings
) -> tuple[str, ...]:
    """Required columns that the sheet does not have: one problem for all of them."""
    absent = tuple(f.name for f in definition.fields if f.required and f.name not in header.fields)
    if absent:
        titles = [shown(cell) for cell in grid.rows[header.row]] if header.row >= 0 else []
        seen = ", ".join(title for title in titles if title.strip())[:200]
        findings.problems.append(
            Problem(
                sheet=grid.sheet,
                cell=a1(max(header.row, 0), 0),
                value="",
                what=f"has no column {', '.join(absent)}" + (f"; it has: {seen}" if seen else ""),
                mend="name the column as in the template",
                severity="error",
                code="missing-column",
            )
        )
    return absent
