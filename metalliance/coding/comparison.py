"""What each coder typed about the same thing, field by field, at the level where it is coded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from metalliance.coding.cells import BLANK, Coded
from metalliance.coding.codebook import Field, normalise_level
from metalliance.coding.derivation import derive
from metalliance.coding.identity import Row, own_id
from metalliance.coding.matching import Group, Matching
from metalliance.coding.records import Record
from metalliance.coding.review import Review
from metalliance.coding.sophistication import ITEMS
from metalliance.effectsize.paths import FORWARD

__all__ = [
    "PHASES",
    "REFERENCES",
    "Answer",
    "Comparison",
    "Kind",
    "Phase",
    "coded_by",
    "compare",
    "is_override",
    "kind_of",
    "phase_of",
]

Kind = Literal["nominal", "ordinal", "number", "reference", "text"]
Phase = Literal["training", "pilot", "main"]
PHASES: tuple[Phase, ...] = get_args(Phase)
REFERENCES: Mapping[str, str] = {"alliance": "MEASURES", "outcome": "MEASURES", "model": "MODELS"}
ORDERED_LISTS = ("score", "score_to_1", "preregistered")
NUMBERS = ("number", "integer", "correlation", "statistic")
WORKED_ON = ("in progress", "done", "checked")
SEEDED = frozenset({"year", "pub_status", "country"})
NOT_COMPARED = frozenset(
    {
        *("study", "sample", "id", "effect", "id1", "id2", "label", "shared_occasions"),
        *("citation", "authors", "title", "doi", "note", "quote", "page", "definition"),
        *("role_reason", "override_reason", "exclude_set", "exclude_reason"),
        *("coder", "status", "date", "phase"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one coder says in one field.

    Attributes
    ----------
    row : Row or None
        None where this coder has no such row.
    coded : Coded
        The cell.
    key : object
        What is compared: level, number, text, ``NR``, ``NA``, the group of the row referred to;
        None where nothing is said.
    typed : bool
        False where an empty cell stands for a value, as an empty path for alliance→outcome.
    shown : str
        For people.
    """

    row: Row | None = None
    coded: Coded = BLANK
    key: object = None
    typed: bool = False
    shown: str = ""

    @property
    def address(self) -> str:
        """``sheet!cell``; empty without one."""
        if self.row is None or not self.coded.cell:
            return ""
        return f"{self.row.record.sheet}!{self.coded.cell}"

    @property
    def left_empty(self) -> bool:
        """True where the row is there, and this cell of it is empty or cannot be read."""
        if self.row is None or self.key is not None:
            return False
        return bool(self.coded.cell) or self.row.record.sheet == "GRID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One field of one thing as all coders have it.

    Attributes
    ----------
    group : Group
    field : Field
    kind : Kind
    phase : Phase
    answers : tuple of Answer
        One per coder.
    """

    group: Group
    field: Field
    kind: Kind
    phase: Phase
    answers: tuple[Answer, ...]

    @property
    def agree(self) -> bool:
        """True where all who say something say the same."""
        return len({answer.key for answer in self.answers if answer.key is not None}) < 2

    @property
    def one_sided(self) -> bool:
        """True where one coder says nothing that can be read and another does."""
        said = any(answer.key is not None for answer in self.answers)
        return said and any(answer.left_empty for answer in self.answers)


def compare(reviews: Sequence[Review], matching: Matching) -> Iterator[Comparison]:
    """Every field that at least one coder filled in, of everything that two coders have.

    Cells that several effects share, as those of a row of GRID, are compared once. A study that a
    coder has not worked on is not compared with that coder.

    Parameters
    ----------
    reviews : sequence of Review
    matching : Matching
        Of these reviews.
    """
    workers = coded_by(reviews, matching)
    phases = phase_of(matching)
    seen: set[tuple[str, ...]] = set()
    for group in _in_order(matching):
        at_work = workers.get(group.study, frozenset())
        rows = tuple(
            row if row is not None and row.coder in at_work else None for row in group.rows
        )
        if sum(row is not None for row in rows) < 2:
            continue
        for field in _fields(reviews, rows):
            answers = tuple(
                Answer() if row is None else _answer(row, field, matching) for row in rows
            )
            cells = tuple(answer.address for answer in answers)
            key = (field.name, *cells)
            unsaid = all(a.coded.code == "blank" or not a.coded.cell for a in answers)
            if unsaid or key in seen:
                continue
            seen.add(key)
            yield Comparison(
                group=group,
                field=field,
                kind=kind_of(group.sheet, field, answers),
                phase=phases.get(group.study, "main"),
                answers=answers,
            )


def coded_by(reviews: Sequence[Review], matching: Matching) -> Mapping[str, frozenset[int]]:
    """Which coders have worked on a study: who has rows of it, set its status, or coded its facts.

    Facts that a library lists (citation, year, country …) may have been seeded and do not count.
    """
    found: dict[str, set[int]] = {}
    for sheet in ("MEASURES", "MODELS", "EFFECTS"):
        for group in matching.groups[sheet]:
            found.setdefault(group.study, set()).update(row.coder for row in group.members)
    for group in matching.groups["STUDIES"]:
        found.setdefault(group.study, set()).update(
            row.coder for row in group.members if _worked_on(row.record)
        )
    return {study: frozenset(coders) for study, coders in found.items()}


def _worked_on(study: Record) -> bool:
    status = study.text("status")
    if status:
        return status in WORKED_ON
    cells = {**study.cells, **{f"mod:{name}": coded for name, coded in study.extra.items()}}
    return any(
        coded.code in ("", "NR", "NA") and name not in NOT_COMPARED | SEEDED
        for name, coded in cells.items()
    )


def phase_of(matching: Matching) -> Mapping[str, Phase]:
    """Phase of every study: the first that a coder gives; studies without one are main."""
    found: dict[str, Phase] = {}
    for group in matching.groups["STUDIES"]:
        for row in group.members:
            for phase in PHASES:
                if row.record.text("phase") == phase:
                    found.setdefault(group.study, phase)
    return found


def kind_of(sheet: str, field: Field, answers: Sequence[Answer] = ()) -> Kind:
    """How a field is compared."""
    if sheet == "EFFECTS" and field.name in REFERENCES:
        return "reference"
    if field.levels:
        return "ordinal" if field.list_name in ORDERED_LISTS else "nominal"
    if field.type in ("session", "lag"):
        return "nominal"
    if field.type in NUMBERS:
        return "number"
    given = [answer.key for answer in answers if answer.key not in (None, "NR", "NA")]
    return "number" if given and all(isinstance(key, float) for key in given) else "text"


def _in_order(matching: Matching) -> Iterator[Group]:
    for sheet in ("STUDIES", "MEASURES", "MODELS", "EFFECTS", "INTERCORR"):
        yield from matching.groups[sheet]


def _fields(reviews: Sequence[Review], rows: Sequence[Row | None]) -> tuple[Field, ...]:
    """Fields of the codebook, then the team's own moderators."""
    found: dict[str, Field] = {}
    for row in rows:
        if row is None:
            continue
        review, record = reviews[row.coder], row.record
        flat = row.linked is not None and row.linked.flat
        sheet = "FLAT" if flat else "EFFECTS" if row.linked is not None else record.sheet
        definition = review.codebook[sheet]
        given = {record.coded(name).cell for name in ("r", "yi")} if flat else set()
        for field in definition.fields:
            if field.name not in record.cells or field.type == "formula":
                continue
            again = field.name in ("stat", "value") and record.coded(field.name).cell in given
            if field.name not in NOT_COMPARED and not again:
                found.setdefault(field.name, field)
        for name in record.extra:
            own = definition.own_field(name)
            found.setdefault(f"mod:{name}", replace(own, name=f"mod:{name}"))
    return tuple(found.values())


def _answer(row: Row, field: Field, matching: Matching) -> Answer:
    coded = _cell(row.record, field.name)
    if coded.code == "faulty":
        return Answer(row=row, coded=coded, shown=coded.text)
    if field.name in REFERENCES and row.linked is not None:
        return _reference(row, field.name, coded, matching)
    if coded.code == "blank":
        key = _stands_for(row, field.name)
        shown = "" if key is None else f"(empty: {_words(key)})"
        return Answer(row=row, coded=coded, key=key, shown=shown)
    return Answer(row=row, coded=coded, key=_key(coded), typed=True, shown=_shown(coded))


def _cell(record: Record, name: str) -> Coded:
    if name.startswith("mod:"):
        return record.extra.get(name.removeprefix("mod:"), BLANK)
    return record.coded(name)


def _key(coded: Coded) -> object:
    if coded.code in ("NR", "NA"):
        return coded.code
    return normalise_level(coded.value) if isinstance(coded.value, str) else coded.value


def _shown(coded: Coded) -> str:
    if coded.code:
        return coded.code
    return _words(coded.value)


def _words(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _reference(row: Row, name: str, coded: Coded, matching: Matching) -> Answer:
    """The group of the row that is referred to; what leads nowhere counts as typed."""
    linked = row.linked
    target = getattr(linked, name) if linked is not None else None
    group = matching.group(row.coder, target) if target is not None and target.row else None
    if target is None and coded.code == "blank":
        return Answer(row=row, coded=coded)
    typed = coded.text or own_id(target) if target is not None else coded.text
    key: object = typed.upper()
    shown = typed
    if group is not None and target is not None:
        key = id(group)
        shown = f"{own_id(target)} ({_description(target)})"
    return Answer(row=row, coded=coded, key=key, typed=True, shown=shown)


def _description(record: Record) -> str:
    names = ("instrument", "rater", "subscale", "first_session")
    if record.sheet == "MODELS":
        names = ("kind", "disaggregation", "prior_outcome_control", "covariates")
    parts = [_shown(record.coded(name)) for name in names if record.code(name) == ""]
    return ", ".join(parts) or "nothing coded"


def _stands_for(row: Row, name: str) -> object:
    """What an empty cell means, where the workbook says so."""
    linked = row.linked
    if linked is None:
        record = row.record
        if name == "last_session" and record.code("first_session") == "":
            return _key(record.coded("first_session"))
        return None
    if name == "path":
        return normalise_level(FORWARD)
    if name == "role":
        return "main"
    if name in ("component", "estimand", "alliance_term"):
        return normalise_level(str(getattr(derive(linked), name))) or None
    if name in ("n", "sessions_mean") and linked.model is not None:
        return linked.model.number("n" if name == "n" else "sessions")
    return None


def is_override(comparison: Comparison) -> bool:
    """True for a score of EFFECTS that stands over a derived one."""
    return comparison.group.sheet == "EFFECTS" and comparison.field.name in ITEMS
