"""The sheets of a coded workbook become records, with what is missing or unfinished said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from metalliance.coding.codebook import (
    OWN,
    Codebook,
    SheetDefinition,
    closest,
    load_codebook,
)
from metalliance.coding.grid import expand_grid
from metalliance.coding.grids import Grid, note
from metalliance.coding.guard import file_problem
from metalliance.coding.headers import find_header, missing_columns
from metalliance.coding.linking import Sheets
from metalliance.coding.mapping import ColumnMapping
from metalliance.coding.own_moderators import own_fields
from metalliance.coding.pairs import read_pairs
from metalliance.coding.problem_sheet import PROBLEM_SHEET, read_answers
from metalliance.coding.records import Findings, Record
from metalliance.coding.sheets import schema_cell
from metalliance.coding.spreadsheet import Source
from metalliance.coding.tables import read_records
from metalliance.errors import CodingError, Problem

__all__ = [
    "is_workbook",
    "read_sheets",
    "read_workbook_records",
    "sheet_names",
    "unfinished",
    "version_of",
]

Records = Mapping[str, tuple[Record, ...]]
Names = Mapping[str, str]
SCHEMA_COLUMN = 25
KNOWN = frozenset(sheet.name for sheet in load_codebook().sheets)
COPY = re.compile(r"(?:COPY OF )?([A-Z]+)[ _-]*(?:\(\d+\)|\d+|COPY|OLD|BACKUP)?")


def sheet_names(source: Source) -> Names:
    """Names of sheets as they stand in the file, by the form that capitals and blanks leave alone.

    Raises
    ------
    CodingError
        Where two sheets have the name of one sheet of the codebook.
    """
    found: dict[str, str] = {}
    for name in source.sheet_names:
        form = name.strip().upper()
        if form in KNOWN and form in found:
            what = f"sheets {found[form]!r} and {name!r} are both {form}"
            mend = "keep one of them, or rename the other"
            raise file_problem(source.path, "duplicate-sheet", what, mend)
        found[form] = name
    return found


def is_workbook(source: Source, names: Names) -> bool:
    """Whether these sheets make a coded workbook, and not a file with a single table.

    Raises
    ------
    CodingError
        Where it is one, and STUDIES or EFFECTS is not there.
    """
    absent = [name for name in ("STUDIES", "EFFECTS") if name not in names]
    if absent and len({"STUDIES", "MEASURES", "MODELS", "EFFECTS"} & set(names)) > 1:
        near = [closest(name, tuple(names)) for name in absent]
        mend = f"did you mean {near[0]!r}? " if near[0] and near[0] not in KNOWN else ""
        what = f"has no sheet {' and no sheet '.join(absent)}"
        mend += "The sheets are called as in the template"
        raise file_problem(source.path, "missing-sheet", what, mend)
    return not absent


def read_workbook_records(
    source: Source, names: Names, findings: Findings, mapping: ColumnMapping | None = None
) -> tuple[Records, Codebook]:
    """Every sheet of the codebook as records, and the codebook with the team's moderators.

    Parameters
    ----------
    source : Source
    names : mapping
        Sheet names as they stand in the file, by their upper-case form.
    findings : Findings
    mapping : ColumnMapping, optional
        The reviewer's own names for columns and levels.

    Raises
    ------
    CodingError
        Where the workbook was made by a newer version of the schema.
    """
    mapping = mapping or ColumnMapping()
    base = mapping.applied(load_codebook())
    findings.problems += [*_without_sheet(mapping, names), *_copies(names)]
    _check_schema(source, names, base.schema, findings)
    if PROBLEM_SHEET in names:
        findings.answers = read_answers(source.grid(names[PROBLEM_SHEET]))
    own = _table(source, names, base["MODERATORS"], mapping, findings)
    codebook = base.with_own(own_fields(own, findings))
    found: dict[str, tuple[Record, ...]] = {"MODERATORS": own}
    for definition in codebook.sheets:
        if definition.name == "MODERATORS":
            continue
        if definition.layout == "pairs":
            found[definition.name] = _pairs(source, names, definition, findings)
        else:
            found[definition.name] = _table(source, names, definition, mapping, findings)
    return MappingProxyType(found), codebook


def _pairs(
    source: Source, names: Names, definition: SheetDefinition, findings: Findings
) -> tuple[Record, ...]:
    if definition.name not in names:
        return ()
    found = source.grid(names[definition.name])
    grid = Grid(sheet=definition.name, rows=found.rows, merged=found.merged)
    return (read_pairs(grid, definition, findings),)


def _copies(names: Names) -> list[Problem]:
    """Sheets that look like copies of others, such as EFFECTS (2)."""
    found = []
    for form, name in names.items():
        copied = COPY.fullmatch(form)
        if copied and copied.group(1) in KNOWN and form not in KNOWN:
            what = f"looks like a copy of {copied.group(1)} and is not read"
            found.append(note(name, "", what, "delete it if it is not needed", "sheet-copy"))
    return found


def _without_sheet(mapping: ColumnMapping, names: Names) -> list[Problem]:
    """Parts of a mapping that are for no sheet of the file."""
    found = []
    for sheet in mapping.columns:
        if sheet not in names:
            what = f"the file has no sheet {sheet}" if sheet else "names columns of no sheet"
            mend = "delete this part" if sheet else "write the sheet above them, as in [EFFECTS]"
            found.append(mapping.problem(what, mend, sheet))
    return found


def _table(
    source: Source,
    names: Names,
    definition: SheetDefinition,
    mapping: ColumnMapping,
    findings: Findings,
) -> tuple[Record, ...]:
    if definition.name not in names:
        return ()
    found = source.grid(names[definition.name])
    grid = Grid(sheet=definition.name, rows=found.rows, merged=found.merged)
    columns = mapping.columns.get(definition.name, {})
    header = find_header(grid, definition, findings, mapping=columns)
    if missing_columns(grid, definition, header, findings) and header.row < 0:
        return ()
    return read_records(grid, definition, header, findings)


def read_sheets(records: Records, names: Names, findings: Findings) -> Sheets:
    """The records that effects are linked from; rows of GRID expanded."""
    grid = expand_grid(records.get("GRID", ()), findings)
    return Sheets(
        studies=records["STUDIES"],
        measures=records["MEASURES"],
        models=records["MODELS"],
        effects=(*records["EFFECTS"], *grid),
        absent=_absent(names, findings),
    )


def _absent(names: Names, findings: Findings) -> dict[str, Problem]:
    if "MEASURES" in names:
        return {}
    problem = Problem(
        sheet="MEASURES",
        cell="",
        value="",
        what="this sheet is missing",
        mend="add it as in the template: one row per alliance or outcome score",
        severity="error",
        code="missing-sheet",
    )
    findings.problems.append(problem)
    return {"MEASURES": problem}


def _check_schema(source: Source, names: Names, current: str, findings: Findings) -> None:
    if "START" not in names:
        return
    grid = source.grid(names["START"])
    cell, _ = schema_cell()
    found = grid.at(0, SCHEMA_COLUMN) if grid.rows else None
    if not isinstance(found, str) or found == current:
        return
    own, mine = version_of(found), version_of(current)
    if own is not None and mine is not None and own < mine:
        what = "made by an older version; it is read, and lacks the newer columns"
        mend = "metalliance template --into FILE --out NEW brings it up to date and loses nothing"
        findings.problems.append(note("START", cell, what, mend, "schema", found[:80]))
        return
    what = f"is a schema that this version ({current}) does not know"
    problem = Problem(
        sheet="START",
        cell=cell,
        value=found[:80],
        what=what,
        mend="update metalliance",
        severity="error",
        code="schema",
    )
    raise CodingError([problem])


def version_of(schema: str) -> int | None:
    """The number of a workbook schema.

    >>> version_of("metalliance-workbook/2")
    2
    """
    name, _, number = schema.partition("/")
    return int(number) if name == "metalliance-workbook" and number.isdigit() else None


def unfinished(records: Records, codebook: Codebook, findings: Findings) -> None:
    """Blank cells that are to be coded: required ones, and choices that the team codes."""
    for name in ("STUDIES", "MEASURES", "MODELS", "INTERCORR", "EVIDENCE", "QUERIES", "EXCLUDED"):
        definition = codebook[name]
        required = [field.name for field in definition.fields if field.required]
        for record in records.get(name, ()):
            for field in required:
                if record.is_blank(field) and record.coded(field).cell:
                    findings.wait(record.text("study"), record, field)
    for name in ("STUDIES", "MODELS"):
        _wait_for_used(records.get(name, ()), codebook[name], findings)


def _wait_for_used(
    records: Sequence[Record], definition: SheetDefinition, findings: Findings
) -> None:
    """A choice that is coded for one study is to be coded for all of them."""
    choices = [f.name for f in definition.fields if f.levels and not f.optional]
    for name in choices:
        if any(record.code(name) == "" for record in records):
            for record in records:
                if record.is_blank(name) and record.row:
                    findings.wait(record.text("study"), record, name)
    for field in definition.own:
        for record in records:
            name = f"{OWN}{field.name}"
            if field.name in record.extra and record.is_blank(name):
                findings.wait(record.text("study"), record, name)
