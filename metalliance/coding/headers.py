"""Find the header of a table and which column holds which field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from metalliance.coding.cells import a1, is_blank, shown
from metalliance.coding.codebook import OWN, SheetDefinition, closest, normalise_header
from metalliance.coding.grids import Grid, note
from metalliance.coding.mapping import NOT_READ, ColumnRead, How, renamed
from metalliance.coding.records import Findings
from metalliance.errors import Problem

__all__ = ["HEADER_WITHIN", "Header", "find_header", "missing_columns", "recognised"]

HEADER_WITHIN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Which column holds which field.

    ``fields`` and ``extra`` map names to zero-based columns; ``row`` is zero-based, −1 without a
    header.
    """

    row: int
    fields: Mapping[str, int]
    extra: Mapping[str, int]


def recognised(
    grid: Grid, definition: SheetDefinition, row: int, given: Mapping[str, str] | None = None
) -> int:
    """How many cells of a row name a field, or stand in the mapping ``given``."""
    titles = [shown(cell) for cell in grid.rows[row]]
    names = {field.name for title in titles if (field := definition.find(title))}
    return len(names) + sum(normalise_header(title) in (given or {}) for title in titles)


def find_header(
    grid: Grid,
    definition: SheetDefinition,
    findings: Findings,
    *,
    flat: bool = False,
    mapping: Mapping[str, str] | None = None,
) -> Header:
    """Match the columns of the first row that looks like a header.

    Parameters
    ----------
    grid : Grid
    definition : SheetDefinition
    findings : Findings
        Takes the problems, and what every column is read as.
    flat : bool
        Whether a column that names no field is a moderator.
    mapping : Mapping of str to str, optional
        Titles to fields; it goes before names and synonyms.
    """
    given = renamed(mapping or {})
    row = _header_row(grid, definition, given)
    search = _Search(grid=grid, definition=definition, row=row, flat=flat)
    if row >= 0:
        for column, raw in enumerate(grid.rows[row]):
            if not is_blank(raw):
                title = shown(raw).strip()
                search.place(column, title, given.get(normalise_header(title)))
        search.place_others()
        search.check_mapped(mapping or {})
    findings.problems += search.problems
    findings.columns += [read for _, read in sorted(search.read.items())]
    return Header(row=row, fields=search.fields, extra=search.extra)


def _header_row(grid: Grid, definition: SheetDefinition, given: Mapping[str, str]) -> int:
    enough = min(2, sum(field.required for field in definition.fields))
    only_one = -1
    for row in range(min(HEADER_WITHIN, len(grid.rows))):
        count = recognised(grid, definition, row, given)
        if count >= enough:
            return row
        only_one = row if count and only_one < 0 else only_one
    return only_one


class _Search:
    """The columns of one header as they are matched."""

    def __init__(self, *, grid: Grid, definition: SheetDefinition, row: int, flat: bool) -> None:
        self.grid = grid
        self.definition = definition
        self.row = row
        self.flat = flat
        self.fields: dict[str, int] = {}
        self.extra: dict[str, int] = {}
        self.unknown: list[tuple[int, str]] = []
        self.read: dict[int, ColumnRead] = {}
        self.problems: list[Problem] = []

    def place(self, column: int, title: str, target: str | None) -> None:
        """Give a column the field that the mapping, its name or a synonym says."""
        if target == NOT_READ:
            self._say(column, title, NOT_READ, "mapping")
            return
        if target is not None and target.lower().startswith(OWN):
            self._own(column, title, target[len(OWN) :], "mapping")
            return
        field = self.definition.find(title if target is None else target)
        if field is None:
            self.unknown.append((column, title))
        else:
            named = normalise_header(title) == normalise_header(field.name)
            how: How = "mapping" if target is not None else "name" if named else "synonym"
            self._take(self.fields, column, title, field.name, field.name, how)

    def place_others(self) -> None:
        """Columns that name no field: stand-ins, the team's own moderators, others."""
        for column, title in self.unknown:
            stands_for = self._fallback(title)
            own = re.fullmatch(r"mod\s*:\s*(.+)", title, re.IGNORECASE)
            if stands_for:
                self._take(self.fields, column, title, stands_for, stands_for, "fallback")
            elif own or self.flat:
                self._own(column, title, own.group(1) if own else title, "moderator")
            else:
                self._unread(column, title)

    def check_mapped(self, mapping: Mapping[str, str]) -> None:
        """Columns that the mapping names must stand in the file."""
        titles = [shown(cell).strip() for cell in self.grid.rows[self.row] if not is_blank(cell)]
        present = set(map(normalise_header, titles))
        for title in mapping:
            if normalise_header(title) not in present:
                what = f"has no column {title!r}, which the mapping names"
                mend = f"its columns are: {', '.join(titles)[:200]}"
                self._wrong(0, "", what, mend, "mapping")

    def _fallback(self, title: str) -> str:
        wanted = normalise_header(title)
        for field in self.definition.fields:
            if field.name not in self.fields and wanted in map(normalise_header, field.fallback):
                return field.name
        return ""

    def _own(self, column: int, title: str, name: str, how: How) -> None:
        name = _moderator_name(name)
        self._take(self.extra, column, title, name, f"{OWN}{name}", how)

    def _take(
        self, places: dict[str, int], column: int, title: str, name: str, field: str, how: How
    ) -> None:
        if name in places:
            self._twice(column, title, places[name], name)
        else:
            places[name] = column
        self._say(column, title, field, how)

    def _say(self, column: int, title: str, field: str, how: How) -> None:
        sheet = "" if self.flat else self.definition.name
        self.read[column] = ColumnRead(
            sheet=sheet, cell=a1(self.row, column), title=title, field=field, how=how
        )

    def _twice(self, column: int, title: str, at: int, name: str) -> None:
        first = shown(self.grid.at(self.row, at))
        both = f"{a1(self.row, at)} ({first!r}) and {a1(self.row, column)} ({title!r})"
        mend = f'keep one of them, rename the other, or say "{NOT_READ}" of one in a mapping'
        self._wrong(column, title, f"{both} both mean {name}", mend, "duplicate-column")

    def _wrong(self, column: int, title: str, what: str, mend: str, code: str) -> None:
        self.problems.append(
            Problem(
                sheet=self.grid.sheet,
                cell=a1(self.row, column),
                value=title[:80],
                what=what,
                mend=mend,
                severity="error",
                code=code,
            )
        )

    def _unread(self, column: int, title: str) -> None:
        self._say(column, title, NOT_READ, "not read")
        if self.definition.name == "GRID" and re.fullmatch(r"O\d+", title, re.IGNORECASE):
            what = f"GRID has columns O1 to O12; {title} is not read"
            mend = "give the measure a lower number, or code these effects in EFFECTS"
            self._wrong(column, title, what, mend, "unknown-column")
            return
        near = closest(title, self.definition.names)
        mend = f"did you mean {near}? " if near else ""
        mend += "The team's own variables are columns mod:name, declared in MODERATORS"
        what, cell = "is no column of this sheet and is not read", a1(self.row, column)
        self.problems.append(note(self.grid.sheet, cell, what, mend, "unknown-column", title[:80]))


def _moderator_name(title: str) -> str:
    title = title.strip()
    if title.isidentifier():
        return title
    name = re.sub(r"\W+", "_", normalise_header(title)).strip("_")
    return f"mod_{name}" if not name or name[0].isdigit() else name


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
                mend="name the column as in the template, or say in a mapping which one it is",
                severity="error",
                code="missing-column",
            )
        )
    return absent
