"""The codebook: one declarative file, read once; template, validation and help come from it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, get_args

__all__ = [
    "BUILT_IN_MODELS",
    "Codebook",
    "Field",
    "FieldType",
    "SheetDefinition",
    "closest",
    "load_codebook",
    "normalise_header",
    "normalise_level",
]

FieldType = Literal[
    "id",
    "text",
    "choice",
    "integer",
    "number",
    "correlation",
    "session",
    "lag",
    "date",
    "date",
    "statistic",
    "formula",
]
Layout = Literal["rows", "pairs"]
BUILT_IN_MODELS: tuple[str, ...] = ("RAW", "PRE")
OWN = "mod:"
# Fields of EFFECTS that name rows of other sheets, or are made by the sheet, mean nothing alone.
NOT_IN_FLAT: frozenset[str] = frozenset(
    {"alliance", "outcome", "model", "label", "shared_occasions", "component_claimed"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column: what may stand in it and what it means."""

    name: str
    type: FieldType
    help: str
    required: bool = False
    levels: tuple[str, ...] = ()
    list_name: str = ""
    aliases: tuple[tuple[str, str], ...] = ()
    synonyms: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    exclusive: bool = False
    longest: int | None = None
    optional: bool = False
    group: str = ""
    width: float = 9.0
    source: str = ""

    def level(self, text: str) -> str | None:
        """The level that ``text`` spells, or None."""
        wanted = normalise_level(text)
        for level in self.levels:
            if normalise_level(level) == wanted:
                return level
        for alias, level in self.aliases:
            if normalise_level(alias) == wanted:
                return level
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetDefinition:
    """One sheet: its columns in order, or in layout ``pairs`` its rows of name and value.

    ``own`` are the team's moderators of this sheet; their columns are headed ``mod:name``.
    """

    name: str
    about: str
    fields: tuple[Field, ...]
    layout: Layout = "rows"
    own: tuple[Field, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(field.name for field in self.fields)

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no column {name!r}")

    def own_field(self, name: str) -> Field:
        """The team's moderator of this name; free text where it is not declared."""
        for field in self.own:
            if normalise_header(field.name) == normalise_header(name):
                return field
        return Field(name=name, type="text", help="")

    def find(self, header: str) -> Field | None:
        """The field that a column header names, by name or synonym."""
        wanted = normalise_header(header)
        for field in self.fields:
            if normalise_header(field.name) == wanted:
                return field
        for field in self.fields:
            if any(normalise_header(synonym) == wanted for synonym in field.synonyms):
                return field
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Codebook:
    """All sheets, all lists, the built-in models, the schema version.

    Examples
    --------
    >>> book = load_codebook()
    >>> book["EFFECTS"]["stat"].level("Pearson R")
    'r'
    """

    schema: str
    sheets: tuple[SheetDefinition, ...]
    flat: SheetDefinition
    levels: Mapping[str, tuple[str, ...]]
    models: Mapping[str, Mapping[str, str | float]]

    def __getitem__(self, name: str) -> SheetDefinition:
        for sheet in (*self.sheets, self.flat):
            if sheet.name == name:
                return sheet
        raise KeyError(f"the codebook has no sheet {name!r}")

    @property
    def tables(self) -> tuple[SheetDefinition, ...]:
        """Sheets with one record per row."""
        return tuple(sheet for sheet in self.sheets if sheet.layout == "rows")

    @property
    def pairs(self) -> tuple[SheetDefinition, ...]:
        """Sheets with one field per row."""
        return tuple(sheet for sheet in self.sheets if sheet.layout == "pairs")

    def with_own(self, own: Mapping[str, tuple[Field, ...]]) -> Codebook:
        """The codebook with the team's moderators, by sheet."""
        sheets = tuple(
            replace(sheet, own=(*sheet.own, *own.get(sheet.name, ()))) for sheet in self.sheets
        )
        return replace(self, sheets=sheets)


def normalise_header(text: str) -> str:
    """Casefolded and stripped, with spaces and hyphens as underscores.

    >>> normalise_header(" Publication-Year ")
    'publication_year'
    """
    return re.sub(r"[\s\-_.]+", "_", text.strip().casefold()).strip("_")


def normalise_level(text: str) -> str:
    """Casefolded, arrows and blanks made one.

    >>> normalise_level(" Alliance -> Outcome ")
    'alliance→outcome'
    """
    folded = text.strip().casefold().replace("->", "→").replace("–", "-")
    folded = re.sub(r"\s*→\s*", "→", folded)
    return re.sub(r"[\s_]+", " ", folded)


def closest(text: str, choices: tuple[str, ...]) -> str:
    """The choice most like ``text``, or an empty string."""
    by_form = {normalise_level(choice): choice for choice in reversed(choices)}
    found = difflib.get_close_matches(normalise_level(text)[:80], list(by_form), n=1, cutoff=0.6)
    return by_form[found[0]] if found else ""


@cache
def load_codebook() -> Codebook:
    """The codebook shipped with the package."""
    text = resources.files("metalliance.coding").joinpath("codebook.toml").read_text("utf-8")
    raw = tomllib.loads(text)
    levels = {name: tuple(values) for name, values in raw["levels"].items()}
    aliases = raw["aliases"]
    by_name = {sheet["name"]: _sheet(sheet, levels, aliases) for sheet in raw["sheets"]}
    flat = by_name.pop("FLAT")
    return Codebook(
        schema=raw["schema"],
        sheets=tuple(by_name.values()),
        flat=_flat(flat, by_name["EFFECTS"]),
        levels=MappingProxyType(levels),
        models=MappingProxyType(raw["models"]),
    )


def _sheet(
    raw: dict[str, Any], levels: dict[str, tuple[str, ...]], aliases: dict[str, dict[str, str]]
) -> SheetDefinition:
    fields = tuple(_field(entry, levels, aliases) for entry in raw["fields"])
    return SheetDefinition(
        name=raw["name"], about=raw["about"], fields=fields, layout=raw.get("layout", "rows")
    )


def _field(
    raw: dict[str, Any], levels: dict[str, tuple[str, ...]], aliases: dict[str, dict[str, str]]
) -> Field:
    if raw["type"] not in get_args(FieldType):
        raise ValueError(f"codebook: {raw['name']} has the unknown type {raw['type']!r}")
    list_name = raw.get("levels", "")
    return Field(
        name=raw["name"],
        type=raw["type"],
        help=raw["help"],
        required=raw.get("required", False),
        levels=levels[list_name] if list_name else (),
        list_name=list_name,
        aliases=tuple(aliases.get(list_name, {}).items()),
        synonyms=tuple(raw.get("synonyms", ())),
        fallback=tuple(raw.get("fallback", ())),
        minimum=raw.get("minimum"),
        maximum=raw.get("maximum"),
        exclusive=raw.get("exclusive", False),
        longest=raw.get("longest"),
        optional=raw.get("optional", False),
        group=raw.get("group", ""),
        width=raw.get("width", 9.0),
        source=raw.get("from", ""),
    )


def _flat(only: SheetDefinition, effects: SheetDefinition) -> SheetDefinition:
    own = {field.name for field in only.fields}
    taken = tuple(f for f in effects.fields if f.name not in NOT_IN_FLAT | own)
    return SheetDefinition(name=only.name, about=only.about, fields=(*only.fields, *taken))
