"""A single table with one row per effect: study, n, r, and whatever else describes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from metalliance.coding.cells import Coded, shown
from metalliance.coding.codebook import SheetDefinition, load_codebook, normalise_header
from metalliance.coding.grids import Grid, filled_rows
from metalliance.coding.guard import file_problem
from metalliance.coding.headers import HEADER_WITHIN, Header, find_header, recognised
from metalliance.coding.mapping import renamed
from metalliance.coding.problem_sheet import PROBLEM_SHEET
from metalliance.coding.records import Findings, Linked, Record
from metalliance.coding.spreadsheet import Source
from metalliance.coding.tables import read_records
from metalliance.errors import CodingError, Problem

__all__ = ["Assumed", "read_flat", "table_sheet"]

Assumed = tuple[str, str, str]
FLAT = "a single table without this column"


def table_sheet(source: Source, columns: Mapping[str, str]) -> Grid:
    """The first sheet whose header names fields; else the first with anything in it.

    Parameters
    ----------
    source : Source
    columns : Mapping of str to str
        Titles of columns to fields, from a mapping.
    """
    definition = load_codebook().flat
    given = renamed(columns)
    first: Grid | None = None
    for name in source.sheet_names:
        if name.strip().upper() == PROBLEM_SHEET:
            continue
        grid = source.grid(name)
        rows = list(islice(filled_rows(grid), HEADER_WITHIN))
        if not rows:
            continue
        first = grid if first is None else first
        if any(recognised(grid, definition, row, given) >= 2 for row in rows):
            return grid
    if first is None:
        mend = "give a file with one row per effect"
        raise file_problem(source.path, "empty", "holds no rows", mend)
    return first


def read_flat(
    grid: Grid, definition: SheetDefinition, mapping: Mapping[str, str], findings: Findings
) -> tuple[tuple[Linked, ...], tuple[Assumed, ...]]:
    """Read a table of effects, filling what such a table leaves unsaid and saying so.

    Parameters
    ----------
    grid : Grid
    definition : SheetDefinition
        Of the single table.
    mapping : Mapping of str to str
        Titles of columns to fields.
    findings : Findings
    """
    header = find_header(grid, definition, findings, flat=True, mapping=mapping)
    _check_columns(grid, header, findings)
    records = read_records(grid, definition, header, findings)
    if not records:
        what, mend = "has a header but no rows", "add one row per effect"
        raise CodingError([_sheet_problem(grid, "", "no-rows", what, mend)])
    assumed = _assumptions(header)
    dated = _authors_with_year(grid, header)
    if dated:
        assumed += (("study", "authors and year", "the table names studies by authors only"),)
    default = {name: value for name, value, _ in assumed}
    counts: dict[str, int] = {}
    linked = []
    for record in records:
        cells = dict(record.cells)
        if dated:
            cells["study"] = _dated(record)
            record = replace(record, cells=cells)
        _statistic(record, cells, findings, "stat" in header.fields)
        for name in ("component", "positive_means"):
            if name in default:
                cells[name] = Coded(value=default[name], code="", text=default[name])
        if "effect" not in header.fields:
            study = record.text("study")
            counts[study] = counts.get(study, 0) + 1
            cells["effect"] = Coded(value=f"E{counts[study]}", code="", text="")
        whole = replace(record, cells=cells)
        linked.append(
            Linked(effect=whole, study=None, alliance=None, outcome=None, model=None, flat=True)
        )
    _duplicates([one.effect for one in linked], findings)
    return tuple(linked), assumed


def _authors_with_year(grid: Grid, header: Header) -> bool:
    """Whether studies are named by authors alone beside a year: two papers may share authors."""
    title = normalise_header(shown(grid.at(header.row, header.fields["study"])))
    return title in ("author", "authors") and "year" in header.extra


def _dated(record: Record) -> Coded:
    study, year = record.coded("study"), record.extra.get("year", Coded())
    if not isinstance(study.value, str) or year.code:
        return study
    return replace(study, value=f"{study.value} ({year.text})")


def _sheet_problem(grid: Grid, cell: str, code: str, what: str, mend: str) -> Problem:
    return Problem(
        sheet=grid.sheet, cell=cell, value="", what=what, mend=mend, severity="error", code=code
    )


def _check_columns(grid: Grid, header: Header, findings: Findings) -> None:
    fields = header.fields
    has_effect = "r" in fields or "value" in fields or "yi" in fields
    has_size = "n" in fields or {"yi", "vi"} <= set(fields) or {"value", "se"} <= set(fields)
    if header.row >= 0 and "study" in fields and has_effect and has_size:
        _check_width(grid, header, findings)
        return
    lacking = ["study"] * ("study" not in fields)
    lacking += ["r (or yi and vi, or stat and value)"] * (not has_effect)
    lacking += ["n"] * (not has_size)
    first = next(filled_rows(grid), 0)
    row = grid.rows[first] if grid.rows else ()
    seen = ", ".join(str(cell) for cell in row if cell not in ("", None))[:200]
    what = f"has no column {' and no column '.join(lacking)}" + (
        f"; it has: {seen}" if seen else ""
    )
    mend = 'name the columns so in the first row, or say in a mapping: "your column" = "study"'
    cell = f"A{header.row + 1}" if header.row >= 0 else ""
    missing = _sheet_problem(grid, cell, "missing-column", what, mend)
    raise CodingError([*findings.problems, missing])


def _check_width(grid: Grid, header: Header, findings: Findings) -> None:
    width = len(grid.rows[header.row])
    for number in range(header.row + 1, len(grid.rows)):
        extra = [cell for cell in grid.rows[number][width:] if cell not in ("", None)]
        if extra:
            record = Record(sheet=grid.sheet, row=number + 1, cells={})
            cells = len(grid.rows[number])
            what = f"the row has {cells} cells, the header {width}"
            mend = "a decimal comma, or a comma in a text without quotation marks?"
            findings.add("error", record, "", what, mend, "ragged-row")


def _assumptions(header: Header) -> tuple[Assumed, ...]:
    fields = header.fields
    found: list[Assumed] = []
    if "component" not in fields and "alliance_term" not in fields:
        found.append(("component", "total", FLAT))
    if "positive_means" not in fields:
        found.append(("positive_means", "better", FLAT + ": signs are taken as printed"))
    if "stat" not in fields and "value" in fields:
        found.append(("stat", "r", FLAT))
    return tuple(found)


def _statistic(
    record: Record, cells: dict[str, Coded], findings: Findings, stat_column: bool
) -> None:
    r, yi = record.coded("r"), record.coded("yi")
    if record.coded("value").code != "blank":
        if not stat_column:
            cells["stat"] = Coded(value="r", code="", text="r")
        if r.code == "" and r.value != record.coded("value").value:
            what = "r and value differ; value is used"
            findings.ask(record, "r", what, "keep one of them", "two-values")
        return
    if r.code != "blank":
        _take(cells, "r", r)
        _compare(record, findings)
    elif yi.code != "blank":
        _take(cells, "z", yi)
    else:
        _take(cells, "r", r if r.cell else yi)


def _take(cells: dict[str, Coded], stat: str, value: Coded) -> None:
    if cells.get("stat", Coded()).code == "blank":
        cells["stat"] = Coded(value=stat, code="", text=stat)
    cells["value"] = value


def _compare(record: Record, findings: Findings) -> None:
    r, yi = record.number("r"), record.number("yi")
    stat = record.text("stat")
    if r is None or yi is None or stat not in ("", "r") or not -1 < r < 1:
        return
    rounding = 0.0051 / (1 - r**2)
    if abs(math.atanh(r) - yi) > max(0.001, rounding):
        what = f"differs from Fisher's z of r = {r:g}, which is {math.atanh(r):.4f}; r is used"
        findings.ask(record, "yi", what, "check both", "r-and-yi")


def _duplicates(effects: Sequence[Record], findings: Findings) -> None:
    seen: dict[tuple[str, str], Record] = {}
    for effect in effects:
        key = (effect.text("study"), effect.text("effect"))
        if not all(key):
            continue
        first = seen.setdefault(key, effect)
        if first is not effect:
            what = f"{' '.join(key)} stands here a second time; the first is "
            what += first.address("effect")
            findings.add(
                "error", effect, "effect", what, "give every effect its own id", "duplicate-id"
            )
