"""What identifies a row of a coder: its facts, its id, and which of them must be equal.

Coders number measures, models and effects as they find them, so that an id alone proves nothing.
For every sheet the ways to recognise a row stand in order, from the surest to the weakest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from metalliance.coding.cells import Coded
from metalliance.coding.derivation import Facts, derive
from metalliance.coding.records import Linked, Record
from metalliance.coding.review import Review

__all__ = [
    "EFFECT_TIERS",
    "MEASURE_FACTS",
    "MEASURE_TIERS",
    "MODEL_FACTS",
    "MODEL_TIERS",
    "PAIR_TIERS",
    "SAMPLE_TIERS",
    "How",
    "Row",
    "Tier",
    "effect_rows",
    "own_id",
    "pair_rows",
    "rows_of",
    "sample_rows",
]

How = Literal["id", "content", "alone"]
FactKey = tuple[object, ...]
Place = Callable[[Record], object]
Name = Callable[[str], str]

MEASURE_FACTS = (
    *("kind", "instrument", "rater", "subscale", "first_session", "last_session"),
    *("follow_up_months", "outcome_form"),
)
MODEL_FACTS = (
    *("kind", "disaggregation", "detrending", "prior_outcome_control", "lagged_outcome"),
    *("reverse_path", "covariates", "m", "n"),
)
EFFECT_FACTS = ("alliance", "outcome", "model kind", "alliance_term", "path", "lag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One coder's row with what identifies it.

    ``facts`` are compared by name, ``loose`` says what it might be confused with.
    """

    coder: int
    study: str
    record: Record
    id: str
    facts: Mapping[str, object]
    loose: FactKey
    linked: Linked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A way to join rows: those whose key is equal, where only one row of each side has it."""

    how: How
    key: Callable[[Row], FactKey | None]


def own_id(record: Record) -> str:
    """The id that a coder gave to a row."""
    if record.sheet == "STUDIES":
        return record.text("sample") or record.text("study")
    if record.sheet == "INTERCORR":
        return f"{record.text('id1')}–{record.text('id2')}"
    return record.text("id") or record.text("effect")


def _plain(coded: Coded) -> object:
    """A value for comparing: a number, letters and digits in small letters, or the code."""
    if isinstance(coded.value, str):
        return re.sub(r"[\W_]+", "", coded.value.casefold())
    return coded.value if coded.value is not None else coded.code


def sample_rows(coder: int, review: Review) -> list[Row]:
    """Rows of STUDIES."""
    found = []
    for record in review.studies:
        facts = {name: _plain(record.coded(name)) for name in ("doi", "citation", "title")}
        study = record.text("study")
        found.append(_row(coder, study, record, facts, loose=(study,)))
    return found


def rows_of(
    coder: int, records: Sequence[Record], facts: Sequence[str], name_of: Name
) -> list[Row]:
    """Rows of MEASURES or MODELS."""
    found = []
    for record in records:
        coded = {name: _plain(record.coded(name)) for name in facts}
        if "last_session" in coded and record.is_blank("last_session"):
            coded["last_session"] = coded["first_session"]
        loose = (coded["kind"], coded.get("instrument"))
        found.append(_row(coder, name_of(record.text("study")), record, coded, loose))
    return found


def _row(
    coder: int, study: str, record: Record, facts: Mapping[str, object], loose: FactKey
) -> Row:
    return Row(coder=coder, study=study, record=record, id=own_id(record), facts=facts, loose=loose)


def effect_rows(coder: int, review: Review, place: Place, name_of: Name) -> list[Row]:
    """Effects; ``place`` is the same for rows of other sheets that were joined."""

    def of(record: Record | None, otherwise: str) -> object:
        return place(record) if record is not None and record.row else otherwise

    found = []
    for linked in review.linked:
        effect = linked.effect
        named = bool(effect.coded("effect").cell) or not linked.flat
        found.append(
            Row(
                coder=coder,
                study=name_of(effect.text("study")),
                record=effect,
                id=effect.text("effect") if named else "",
                facts={
                    "sample": of(linked.study, linked.sample),
                    **_identity(linked, derive(linked), of),
                    "value": _plain(effect.coded("value")),
                },
                loose=(of(linked.alliance, ""), of(linked.outcome, "")),
                linked=linked,
            )
        )
    return found


def _identity(
    linked: Linked, facts: Facts, of: Callable[[Record | None, str], object]
) -> dict[str, object]:
    effect, model = linked.effect, linked.model
    if linked.flat:
        return {"component": facts.component, "path": facts.path, "lag": facts.lag_text}
    return {
        "alliance": of(linked.alliance, effect.text("alliance")),
        "outcome": of(linked.outcome, effect.text("outcome")),
        "model kind": model.text("kind") if model is not None else effect.text("model"),
        "alliance_term": facts.alliance_term,
        "path": facts.path,
        "lag": facts.lag_text,
        "model": of(model, effect.text("model").upper()),
    }


def pair_rows(coder: int, review: Review, place: Place, name_of: Name) -> list[Row]:
    """Rows of INTERCORR: two measures, in either order."""
    measures = {(m.text("study"), m.text("id")): m for m in review.measures}
    found = []
    for record in review.records.get("INTERCORR", ()):
        ends = []
        for name in ("id1", "id2"):
            measure = measures.get((record.text("study"), record.text(name)))
            ends.append(str(record.text(name) if measure is None else place(measure)))
        both = tuple(sorted(ends))
        facts = {"measures": both, "sample": record.text("sample")}
        found.append(_row(coder, name_of(record.text("study")), record, facts, loose=both))
    return found


# --- the ways to join, from the surest to the weakest -------------------------------------------


def _by(*names: str, with_id: bool = False) -> Callable[[Row], FactKey | None]:
    """Rows of one study with these facts equal; with ``with_id`` also their ids."""

    def key(row: Row) -> FactKey | None:
        if with_id and not row.id:
            return None
        own = (row.id,) if with_id else ()
        return (row.study, *own, *(row.facts.get(name) for name in names))

    return key


def _with(key: Callable[[Row], FactKey | None], name: str) -> Callable[[Row], FactKey | None]:
    """Likewise, and only rows that have this fact."""
    absent = (None, "", "blank", "NR", "NA", "faulty")
    return lambda row: key(row) if row.facts.get(name) not in absent else None


def _stem(row: Row) -> FactKey | None:
    """All facts, of the instrument its first three letters: BDI and BDI-II."""
    others = [row.facts[name] for name in MEASURE_FACTS if name != "instrument"]
    stem = str(row.facts["instrument"])[:3]
    return (row.study, stem, *others) if len(stem) == 3 else None


def _but_one(names: Sequence[str], fixed: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """The names without each of them that may differ."""
    return [tuple(n for n in names if n != out) for out in names if out not in fixed]


def _sample_id(row: Row) -> FactKey | None:
    return (row.study, row.id) if row.study else None


def _anywhere(name: str) -> Callable[[Row], FactKey | None]:
    return _with(lambda row: (name, row.facts[name]), name)


SAMPLE_TIERS = (
    Tier(how="id", key=_sample_id),
    Tier(how="content", key=_anywhere("doi")),
    Tier(how="content", key=_anywhere("citation")),
    Tier(how="content", key=_with(_by(), "title")),
    Tier(how="content", key=lambda row: (row.study,) if row.study else None),
)
MEASURE_TIERS = (
    Tier(how="id", key=_by(*MEASURE_FACTS, with_id=True)),
    Tier(how="content", key=_by(*MEASURE_FACTS)),
    *(Tier(how="id", key=_by(*names, with_id=True)) for names in _but_one(MEASURE_FACTS)),
    *(
        Tier(how="content", key=_by(*names))
        for names in _but_one(MEASURE_FACTS, fixed=("instrument",))
    ),
    Tier(how="content", key=_stem),
    Tier(how="id", key=_with(_by("kind", "instrument", with_id=True), "instrument")),
    Tier(how="content", key=_with(_by("kind", "instrument", "rater"), "instrument")),
    Tier(how="id", key=_with(_by("kind", "rater", "first_session", with_id=True), "rater")),
)
MODEL_TIERS = (
    Tier(how="id", key=_by(*MODEL_FACTS, with_id=True)),
    Tier(how="content", key=_by(*MODEL_FACTS)),
    *(Tier(how="id", key=_by(*names, with_id=True)) for names in _but_one(MODEL_FACTS)),
    *(Tier(how="content", key=_by(*names)) for names in _but_one(MODEL_FACTS)),
    Tier(how="id", key=_by("kind", with_id=True)),
    Tier(how="content", key=_by("kind", "disaggregation")),
    Tier(how="content", key=_by("kind")),
    *(
        Tier(how="id", key=_by(*names, with_id=True))
        for others in _but_one(MODEL_FACTS)
        for names in _but_one(others)
    ),
)
ALL_FACTS = ("sample", *EFFECT_FACTS, "component")
EFFECT_TIERS = (
    Tier(how="id", key=_by(*ALL_FACTS, "value", with_id=True)),
    Tier(how="content", key=_by(*ALL_FACTS, "model", "value")),
    Tier(how="content", key=_by(*ALL_FACTS, "value")),
    Tier(how="id", key=_by(*ALL_FACTS, with_id=True)),
    *(
        Tier(how="content", key=_with(_by(*names, "value"), "value"))
        for names in _but_one(ALL_FACTS)
    ),
    Tier(how="content", key=_by(*ALL_FACTS, "model")),
    Tier(how="content", key=_by(*ALL_FACTS)),
    Tier(how="id", key=_by("sample", "alliance", "outcome", with_id=True)),
    Tier(how="id", key=_with(_by("value", with_id=True), "value")),
    *(
        Tier(how="content", key=_with(_by(*names, "value"), "value"))
        for others in _but_one(ALL_FACTS)
        for names in _but_one(others)
    ),
)
PAIR_TIERS = (
    Tier(how="content", key=_by("measures", "sample")),
    Tier(how="content", key=_by("measures")),
)
