"""The quoted sentence behind a judgement: where it is demanded, and whether it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from metalliance.coding.codebook import closest, load_codebook
from metalliance.coding.derivation import derive
from metalliance.coding.records import Findings, Linked, Record
from metalliance.coding.sophistication import HAND_SCORED, ITEMS

__all__ = ["check_evidence", "demanded"]

Place = tuple[Record, str]
Key = tuple[str, str, str]
CLAIMS: Mapping[str, tuple[str, ...]] = {
    "total": ("total",),
    "trait-like": ("between_observed", "between_latent"),
    "between": ("between_observed", "between_latent"),
    "state-like": ("within",),
    "within": ("within",),
    "change": ("between_change",),
}
DESCRIBED = ("STUDIES", "MEASURES", "MODELS", "EFFECTS")
WANTED = "quote it in EVIDENCE"


def check_evidence(
    linked: Sequence[Linked], records: Mapping[str, tuple[Record, ...]], findings: Findings
) -> None:
    """What is demanded and not quoted is to do; a quotation of nothing that exists is an error."""
    given = records.get("EVIDENCE", ())
    quoted = {_key(record) for record in given if not record.is_blank("quote")}
    known = _known(linked, records)
    for record in given:
        _check_place(record, known, findings)
    for record, field in demanded(linked, records.get("MODELS", ())):
        own = record.text("id") or record.text("effect")
        if (record.text("study"), own, field.casefold()) not in quoted:
            findings.wait(record.text("study"), record, field, WANTED)


def demanded(linked: Sequence[Linked], models: Sequence[Record]) -> Iterator[Place]:
    """Hand scores of 2, overrides, and components that are not what the authors call them."""
    for model in models:
        for item in HAND_SCORED:
            if model.text(item) == "2":
                yield model, item
    for one in linked:
        for item in ITEMS:
            if not one.effect.is_blank(item) and not one.effect.is_blank("override_reason"):
                yield one.effect, item
        claim = CLAIMS.get(one.effect.text("component_claimed"))
        component = derive(one).component if claim else ""
        if claim and component and component not in claim:
            yield one.effect, "component"


def _key(record: Record) -> Key:
    return record.text("study"), record.text("id"), record.text("field").casefold()


def _known(
    linked: Sequence[Linked], records: Mapping[str, tuple[Record, ...]]
) -> dict[str, set[str]]:
    """Ids by study."""
    found: dict[str, set[str]] = {}
    for name in ("STUDIES", "MEASURES", "MODELS"):
        for record in records.get(name, ()):
            found.setdefault(record.text("study"), {""}).add(record.text("id"))
    for one in linked:
        found.setdefault(one.effect.text("study"), {""}).add(one.effect.text("effect"))
    return found


def _check_place(record: Record, known: Mapping[str, set[str]], findings: Findings) -> None:
    study, own = record.text("study"), record.text("id")
    if study and study in known and own not in known[study]:
        ids = tuple(sorted(known[study] - {""}))
        near = closest(own, ids)
        what = f"study {study} has no measure, model or effect {own}"
        mend = f"did you mean {near!r}?" if near else f"it has: {', '.join(ids)}"
        findings.add("error", record, "id", what, mend, "unknown-id")
    elif study and study not in known:
        what = f"study {study} has no row in STUDIES"
        mend = "add the study, or correct the id"
        findings.add("error", record, "study", what, mend, "orphan-study")
    field = record.text("field")
    if field and not any(load_codebook()[name].find(field) for name in DESCRIBED):
        names = tuple(n for name in DESCRIBED for n in load_codebook()[name].names)
        near = closest(field, names)
        mend = f"did you mean {near!r}?" if near else "type the name of a column, e.g. D1"
        findings.add("question", record, "field", "is no column", mend, "unknown-field")
