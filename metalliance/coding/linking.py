"""Join the sheets by their ids: duplicates, rows of no study, references that lead nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from metalliance.coding.codebook import BUILT_IN_MODELS, closest
from metalliance.coding.records import Findings, Linked, Record, built_in_model
from metalliance.errors import Problem

__all__ = ["Sheets", "link"]

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheets:
    """The records of a workbook; ``absent`` holds the problem of each sheet that it lacks."""

    studies: tuple[Record, ...]
    measures: tuple[Record, ...]
    models: tuple[Record, ...]
    effects: tuple[Record, ...]
    absent: Mapping[str, Problem] = field(default_factory=dict)


def link(sheets: Sheets, findings: Findings) -> tuple[Linked, ...]:
    """Give every effect the rows it refers to, and report what cannot be joined."""
    studies = _unique(sheets.studies, _study_key, "sample of a study", "study", findings)
    measures = _unique(sheets.measures, _local_key, "measure of a study", "id", findings)
    models = _unique(sheets.models, _local_key, "model of a study", "id", findings)
    _unique(sheets.effects, _effect_key, "effect of a study", "effect", findings)
    known: dict[str, list[Record]] = {}
    for record in studies.values():
        known.setdefault(record.text("study"), []).append(record)
    orphans = _orphans(sheets, known, findings)
    return tuple(
        _link_one(effect, known, measures, models, orphans, sheets, findings)
        for effect in sheets.effects
    )


def _study_key(record: Record) -> Key:
    study = record.text("study")
    return (study, record.text("sample") or study) if study else ()


def _local_key(record: Record) -> Key:
    study, own = record.text("study"), record.text("id")
    return (study, own) if study and own else ()


def _effect_key(record: Record) -> Key:
    study, own = record.text("study"), record.text("effect")
    return (study, own) if study and own else ()


def _unique(
    records: Sequence[Record],
    key_of: Callable[[Record], Key],
    what: str,
    field: str,
    findings: Findings,
) -> dict[Key, Record]:
    found: dict[Key, Record] = {}
    for record in records:
        key = key_of(record)
        if not key:
            continue
        first = found.setdefault(key, record)
        if first is not record:
            name = " ".join(dict.fromkeys(key))
            message = f"{name} stands here a second time; the first is {first.address(field)}"
            mend = f"every {what} has its own id: change this one, or delete the row"
            findings.add("error", record, field, message, mend, "duplicate-id")
    return found


def _orphans(
    sheets: Sheets, known: dict[str, list[Record]], findings: Findings
) -> dict[str, Record]:
    uses: dict[str, list[Record]] = {}
    for record in (*sheets.effects, *sheets.measures, *sheets.models):
        study = record.text("study")
        if study and study not in known:
            uses.setdefault(study, []).append(record)
    unreadable = any(record.code("study") == "faulty" for record in sheets.studies)
    for study, records in uses.items():
        if not unreadable:
            _report_orphan(study, records, tuple(known), findings)
    return {study: records[0] for study, records in uses.items()}


def _report_orphan(
    study: str, records: list[Record], known: tuple[str, ...], findings: Findings
) -> None:
    also = ", ".join(record.address("study") for record in records[1:6])
    more = f" (also {also}{' …' if records[6:] else ''})" if also else ""
    zeros = [name for name in known if name.lstrip("0") == study.lstrip("0")]
    near = zeros[0] if zeros else closest(study, known)
    lost = ", which has leading zeros that a number loses" if zeros else ""
    mend = f"did you mean {near!r}{lost}? " if near else ""
    what = f"study {study} has no row in STUDIES{more}"
    findings.add(
        "error",
        records[0],
        "study",
        what,
        f"{mend}Add the study to STUDIES or correct the id",
        "orphan-study",
    )
    problem = findings.problems[-1]
    for record in records[1:]:
        findings.faults.setdefault(record.key, problem)


def _link_one(
    effect: Record,
    known: dict[str, list[Record]],
    measures: dict[Key, Record],
    models: dict[Key, Record],
    orphans: dict[str, Record],
    sheets: Sheets,
    findings: Findings,
) -> Linked:
    study = effect.text("study")
    if not study or study in orphans:
        return Linked(effect=effect, study=None, alliance=None, outcome=None, model=None)
    return Linked(
        effect=effect,
        study=_sample_row(effect, known[study], findings),
        alliance=_measure(effect, "alliance", measures, sheets, findings),
        outcome=_measure(effect, "outcome", measures, sheets, findings),
        model=_model(effect, models, sheets, findings),
    )


def _sample_row(effect: Record, rows: list[Record], findings: Findings) -> Record | None:
    own = effect.text("sample")
    if not own:
        if len(rows) > 1 and effect.is_blank("sample"):
            findings.wait(effect.text("study"), effect, "sample")
        return rows[0] if len(rows) == 1 else None
    for row in rows:
        if (row.text("sample") or row.text("study")) == own:
            return row
    samples = tuple(row.text("sample") or row.text("study") for row in rows)
    what = f"study {effect.text('study')} has no sample {own} in STUDIES"
    mend = f"its samples are: {', '.join(samples)}"
    findings.add("error", effect, "sample", what, mend, "unknown-sample")
    return None


def _measure(
    effect: Record,
    field: str,
    measures: dict[Key, Record],
    sheets: Sheets,
    findings: Findings,
) -> Record | None:
    study, own = effect.text("study"), effect.text(field)
    if not own:
        return None
    record = measures.get((study, own))
    if record is None:
        _report_unknown(effect, field, "MEASURES", sheets, (), findings)
        return None
    kind = record.text("kind")
    if kind and kind != field:
        what = f"{own} is an {kind} measure ({record.address('kind')})"
        mend = f"give the id of an {field} measure, or correct its kind"
        findings.add("error", effect, field, what, mend, "wrong-kind")
    return record


def _model(
    effect: Record, models: dict[Key, Record], sheets: Sheets, findings: Findings
) -> Record | None:
    study, own = effect.text("study"), effect.text("model")
    if not own:
        return None
    record = models.get((study, own))
    if record is not None:
        return record
    if own.upper() in BUILT_IN_MODELS:
        return built_in_model(own.upper())
    _report_unknown(effect, "model", "MODELS", sheets, BUILT_IN_MODELS, findings)
    return None


def _report_unknown(
    effect: Record,
    field: str,
    sheet: str,
    sheets: Sheets,
    built_in: tuple[str, ...],
    findings: Findings,
) -> None:
    if sheet in sheets.absent:
        findings.faults.setdefault(effect.key, sheets.absent[sheet])
        return
    records = sheets.measures if sheet == "MEASURES" else sheets.models
    study, own = effect.text("study"), effect.text(field)
    of_study = [record for record in records if record.text("study") == study]
    unreadable = [r for r in of_study if r.code("id") == "faulty"]
    if unreadable:
        cause = findings.fault(unreadable[0])
        if cause is not None:
            findings.faults.setdefault(effect.key, cause)
            return
    ids = (*(record.text("id") for record in of_study if record.text("id")), *built_in)
    near = closest(own, ids)
    there = f"it has: {', '.join(ids)}" if ids else "it has none"
    mend = f"did you mean {near!r}? " if near else ""
    what = f"study {study} has no row {own} in {sheet}"
    findings.add(
        "error", effect, field, what, f"{mend}{there}; add the row or correct the id", "unknown-id"
    )
