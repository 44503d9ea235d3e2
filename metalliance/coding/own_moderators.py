"""The team's own moderators: rows of MODERATORS, or a TOML file, become fields of the codebook."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from metalliance.coding.cells import Coded, Fault, parse_cell, shown
from metalliance.coding.codebook import (
    Codebook,
    Field,
    FieldType,
    load_codebook,
    normalise_header,
)
from metalliance.coding.records import Findings, Record
from metalliance.errors import CodingError, Problem

__all__ = ["checked_rows", "extended", "own_field", "own_fields", "read_moderators"]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)
TYPES: dict[str, FieldType] = {
    "choice": "choice",
    "number": "number",
    "integer": "integer",
    "text": "text",
}
NEEDED = ("name", "sheet", "type")


def own_fields(records: Sequence[Record], findings: Findings) -> Mapping[str, tuple[Field, ...]]:
    """Fields by sheet, from the rows of MODERATORS; a row that cannot be one is an error."""
    found: dict[str, list[Field]] = {}
    names: dict[str, Record] = {}
    for record in records:
        if any(record.is_blank(name) for name in NEEDED):
            for name in NEEDED:
                if record.is_blank(name):
                    findings.wait("", record, name)
            continue
        sheet, name = record.text("sheet"), record.text("name")
        fault = _fault(record)
        first = names.setdefault(f"{sheet} {normalise_header(name)}", record)
        if first is not record:
            fault = ("name", f"{name} stands here a second time ({first.address('name')})", "")
        if fault is not None:
            findings.add("error", record, fault[0], fault[1], fault[2], "own-moderator")
        elif sheet:
            found.setdefault(sheet, []).append(_of_record(record))
    return {sheet: tuple(fields) for sheet, fields in found.items()}


def _of_record(record: Record) -> Field:
    return own_field(
        record.text("name"),
        record.text("type"),
        levels=_levels(record.text("levels")),
        minimum=record.number("minimum"),
        maximum=record.number("maximum"),
        help=record.text("help"),
    )


def own_field(
    name: str,
    type: str,
    *,
    levels: Sequence[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    help: str = "",
) -> Field:
    """One moderator as a field of the codebook.

    >>> own_field("homework", "choice", levels=("yes", "no")).level("YES")
    'yes'
    """
    return Field(
        name=name,
        type=TYPES[type],
        help=help or "A variable of this review.",
        levels=tuple(levels),
        list_name=f"mod_{name}" if levels else "",
        minimum=minimum,
        maximum=maximum,
        width=max(12.0, len(name) + 6.0),
    )


def _levels(text: str) -> tuple[str, ...]:
    parts = re.split(r"[;|\n]", text)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _fault(record: Record) -> tuple[str, str, str] | None:
    """Field, what and mend of the first thing wrong with a declared moderator."""
    name, levels = record.text("name"), _levels(record.text("levels"))
    low, high = record.number("minimum"), record.number("maximum")
    if not NAME.fullmatch(name):
        return "name", "is no short name", "use letters, digits and underscores, a letter first"
    if record.text("sheet") and load_codebook()[record.text("sheet")].find(name) is not None:
        return "name", f"{record.text('sheet')} has a column of this name", "choose another"
    if record.text("type") == "choice" and len(levels) < 2:
        return "levels", "a choice needs two levels or more", "e.g. yes; no"
    if record.text("type") != "choice" and levels:
        return "type", "has levels but is no choice", "type choice, or empty the levels"
    if low is not None and high is not None and low > high:
        return "minimum", f"is above the maximum ({high:g})", "exchange them"
    return None


def read_moderators(path: str | Path) -> tuple[Record, ...]:
    """Rows of MODERATORS from a TOML file.

    The file holds one ``[[moderators]]`` per moderator, with the columns of MODERATORS as keys;
    ``levels`` may be a list.

    Raises
    ------
    CodingError
        With every problem of the file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except OSError as error:
        raise _file_problem(path, f"cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _file_problem(path, f"is not TOML: {error}") from None
    entries = raw.get("moderators")
    if set(raw) != {"moderators"} or not isinstance(entries, list) or not entries:
        raise _file_problem(path, "holds something else than [[moderators]]")
    return checked_rows(path.name, [e if isinstance(e, dict) else {"name": e} for e in entries])


def checked_rows(source: str, rows: Sequence[Mapping[str, object]]) -> tuple[Record, ...]:
    """Rows of names and values as records of MODERATORS, or every problem at once.

    >>> rows = [{"name": "homework", "sheet": "STUDIES", "type": "choice", "levels": "yes; no"}]
    >>> checked_rows("team.toml", rows)[0].text("levels")
    'yes; no'
    """
    findings = Findings()
    records = tuple(_checked_row(source, n, row, findings) for n, row in enumerate(rows, start=1))
    own_fields(records, findings)
    errors = [problem for problem in findings.problems if problem.severity == "error"]
    if errors:
        raise CodingError(errors)
    return records


def _checked_row(source: str, number: int, row: Mapping[str, object], findings: Findings) -> Record:
    definition = load_codebook()["MODERATORS"]
    place = f"moderator {number}"
    cells: dict[str, Coded] = {}
    faults: list[tuple[str, Fault]] = []
    for key, value in row.items():
        if key not in definition.names:
            cells[key] = Coded(code="faulty", text=shown(key), cell=place)
            faults.append((key, Fault("unknown-key", "is no key", _known(definition.names))))
            continue
        raw = "; ".join(map(str, value)) if isinstance(value, list | tuple) else value
        usable = raw if isinstance(raw, str | int | float) or raw is None else str(raw)
        cells[key], fault = parse_cell(usable, definition[key], place)
        faults += [] if fault is None else [(key, fault)]
    record = Record(sheet=source, row=number, cells=cells)
    faults += [
        (key, Fault("missing", f"{key} is missing", f"say {key} = …"))
        for key in NEEDED
        if record.is_blank(key)
    ]
    for key, fault in faults:
        findings.add("error", record, key, fault.what, fault.mend, fault.code)
    return record


def _known(names: Sequence[str]) -> str:
    return f"use one of: {', '.join(names)}"


def _file_problem(path: Path, what: str) -> CodingError:
    problem = Problem(
        sheet=path.name,
        cell="",
        value="",
        what=what,
        mend="write one [[moderators]] with name, sheet and type for each",
        severity="error",
        code="own-moderators",
    )
    return CodingError([problem])


def extended(codebook: Codebook, records: Sequence[Record]) -> Codebook:
    """The codebook with the moderators that checked rows declare."""
    return codebook.with_own(own_fields(records, Findings()))
