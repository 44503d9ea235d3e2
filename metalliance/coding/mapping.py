"""A reviewer's own names for columns and levels: read from a file, checked, written for editing.

::

    # single table: names of its columns stand at the top
    "Sample size" = "n"

    [EFFECTS]                     # in a workbook: by sheet
    "Sample size" = "n"
    "Comments" = "not read"
    "Setting" = "mod:setting"     # a moderator

    [values.rater]                # own words for levels
    client = "patient"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from metalliance.coding.codebook import (
    OWN,
    Codebook,
    SheetDefinition,
    closest,
    load_codebook,
    normalise_header,
    normalise_level,
)
from metalliance.coding.guard import file_problem
from metalliance.errors import CodingError, Problem

__all__ = [
    "NOT_READ",
    "SAID",
    "ColumnMapping",
    "ColumnRead",
    "How",
    "as_mapping",
    "mapping_text",
    "renamed",
]

NOT_READ = "not read"
VALUES = "values"
TABLE = ""
MAX_FILE = 2**20
How = Literal["name", "synonym", "fallback", "mapping", "moderator", "not read"]
SAID: Mapping[How, str] = {
    "name": "its name",
    "synonym": "a synonym",
    "fallback": "no other column names it",
    "mapping": "from the mapping",
    "moderator": "a moderator",
    "not read": "no column of this sheet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRead:
    """One column of a file: where it stands, what it is called, what it is read as, and why."""

    sheet: str
    cell: str
    title: str
    field: str
    how: How


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """A checked mapping.

    Attributes
    ----------
    source : str
        The file it came from, or ``mapping``.
    columns : Mapping
        By sheet (empty for a single table): titles of columns to names of fields.
    values : Mapping
        By field: own words to levels.
    """

    source: str = "mapping"
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def applied(self, codebook: Codebook) -> Codebook:
        """The codebook, with the own words for levels understood."""
        if not self.values:
            return codebook
        sheets = tuple(self._with_words(sheet) for sheet in codebook.sheets)
        return replace(codebook, sheets=sheets, flat=self._with_words(codebook.flat))

    def _with_words(self, sheet: SheetDefinition) -> SheetDefinition:
        fields = tuple(
            replace(one, aliases=(*self.values[one.name].items(), *one.aliases))
            if one.name in self.values
            else one
            for one in sheet.fields
        )
        return replace(sheet, fields=fields)

    def problem(self, what: str, mend: str, value: str = "") -> Problem:
        """What is wrong with the mapping."""
        return file_problem(Path(self.source), "mapping", what, mend, value[:80]).problems[0]


def renamed(columns: Mapping[str, str]) -> dict[str, str]:
    """A sheet's part of a mapping, by the normal form of its titles."""
    return {normalise_header(title): name for title, name in columns.items()}


def as_mapping(given: str | Path | Mapping[str, object] | None) -> ColumnMapping:
    """A mapping from a TOML file, or from what Python gives in its form.

    Raises
    ------
    CodingError
        With every problem of the mapping.
    """
    if given is None:
        return ColumnMapping()
    if isinstance(given, Mapping):
        return _checked(ColumnMapping(), given)
    path = Path(given)
    try:
        if path.stat().st_size > MAX_FILE:
            raise file_problem(path, "mapping", "is too large", "give a mapping, not the review")
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise file_problem(path, "mapping", what, "check the name and the folder") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        mend = 'write lines such as "Sample size" = "n", under the sheet in brackets: [EFFECTS]'
        raise file_problem(path, "mapping", f"is no mapping: {error}", mend) from None
    return _checked(ColumnMapping(source=path.name), raw)


def _checked(empty: ColumnMapping, raw: Mapping[str, object]) -> ColumnMapping:
    columns: dict[str, dict[str, str]] = {}
    values: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    book = load_codebook()
    sheets = {sheet.name: sheet for sheet in book.tables}
    top = {title: name for title, name in raw.items() if not isinstance(name, Mapping)}
    parts = {title: part for title, part in raw.items() if isinstance(part, Mapping)}
    for title, part in {TABLE: top, **parts}.items():
        sheet = title.strip().upper()
        if title.strip().casefold() == VALUES:
            found, faults = _value_words(empty, part, book)
            values.update(found)
        elif sheet == TABLE or sheet in sheets:
            definition = sheets.get(sheet, book.flat)
            columns[sheet], faults = _column_names(empty, part, definition)
        else:
            near = closest(sheet, tuple(sheets))
            mend = f"did you mean [{near}]?" if near else f"use one of {', '.join(sheets)}, values"
            faults = [empty.problem("is no sheet", mend, title)]
        problems += faults
    if problems:
        raise CodingError(problems)
    return replace(empty, columns={s: c for s, c in columns.items() if c}, values=values)


def _column_names(
    mapping: ColumnMapping, part: Mapping[str, object], definition: SheetDefinition
) -> tuple[dict[str, str], list[Problem]]:
    found: dict[str, str] = {}
    taken: dict[str, str] = {}
    problems: list[Problem] = []
    place = "" if definition.name == load_codebook().flat.name else f" of {definition.name}"
    for title, given in part.items():
        name = _field_name(given, definition)
        if name is None:
            near = closest(str(given), definition.names)
            mend = f"did you mean {near}? " if near else ""
            mend += f'Give a field{place}, {OWN}name for a moderator, or "{NOT_READ}"'
            what = f"column {title!r} is mapped to {given!r}, which is no field"
            problems.append(mapping.problem(what, mend, title))
            continue
        first = taken.setdefault(name, title) if name != NOT_READ else title
        if first != title:
            what = f"columns {first!r} and {title!r} are both mapped to {name}"
            mend = f'keep one; map the other to {OWN}name or to "{NOT_READ}"'
            problems.append(mapping.problem(what, mend, title))
        found[title] = name
    return found, problems


def _field_name(given: object, definition: SheetDefinition) -> str | None:
    """The field, moderator or NOT_READ that a mapping means; None where it is none of them."""
    if not isinstance(given, str):
        return None
    text = given.strip()
    if text.casefold() == NOT_READ:
        return NOT_READ
    own = re.fullmatch(r"mod\s*:\s*(\S.*)", text, re.IGNORECASE)
    if own:
        return f"{OWN}{own.group(1)}"
    known = definition.find(text)
    return known.name if known is not None else None


def _value_words(
    mapping: ColumnMapping, part: Mapping[str, object], book: Codebook
) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    found: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    choices = {f.name: f for sheet in (book.flat, *book.tables) for f in sheet.fields if f.levels}
    for name, words in part.items():
        known = choices.get(normalise_header(name)) or choices.get(name)
        if known is None or not isinstance(words, Mapping):
            near = closest(name, tuple(choices))
            mend = f"did you mean [values.{near}]?" if near else "name a column that has a list"
            what = f"[values.{name}] is for no column with a list of levels"
            problems.append(mapping.problem(what, mend, name))
            continue
        for word, given in words.items():
            level = known.level(given) if isinstance(given, str) else None
            means = known.level(word)
            if level is None:
                mend = f"use one of: {', '.join(known.levels)}"
                problems.append(mapping.problem(f"{given!r} is no level of {name}", mend, word))
            elif means is not None and means != level and _is_level(word, known.levels):
                what = f"{word!r} is a level of {name} itself and cannot mean {level!r}"
                problems.append(mapping.problem(what, "delete this line", word))
            else:
                found.setdefault(known.name, {})[word] = level
    return found, problems


def _is_level(word: str, levels: Sequence[str]) -> bool:
    return normalise_level(word) in map(normalise_level, levels)


def mapping_text(columns: Sequence[ColumnRead], file: str) -> str:
    """A mapping file that says what every column was read as.

    >>> read = ColumnRead(sheet="", cell="B1", title="N", field="n", how="name")
    >>> print(mapping_text([read], "table.csv").splitlines()[-1])
    "N" = "n"  # B1, its name
    """
    lines = [
        f"# What the columns of {file} are read as. Change what stands on the right: a field of",
        f'# the codebook, {OWN}name for a moderator, or "{NOT_READ}". Then:',
        "# metalliance check FILE --mapping THIS_FILE",
    ]
    sheet = TABLE
    for one in columns:
        if one.sheet != sheet:
            sheet = one.sheet
            lines += ["", f"[{sheet}]"]
        lines.append(f"{_quoted(one.title)} = {_quoted(one.field)}  # {one.cell}, {SAID[one.how]}")
    return "\n".join(lines).replace("\x7f", "") + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    kept = "".join(letter if letter >= " " else f"\\u{ord(letter):04X}" for letter in plain)
    return f'"{kept.replace(chr(127), "")}"'
