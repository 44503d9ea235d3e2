"""Turn decisions into the consensus review: a copy of A's file that holds what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metalliance.coding.adjudicated_rows import ConsensusBook
from metalliance.coding.agreement import Agreement
from metalliance.coding.archive import save_workbook
from metalliance.coding.cells import Coded, parse_cell
from metalliance.coding.comparison import coded_by
from metalliance.coding.consensus import Consensus, Item, consensus
from metalliance.coding.decisions import other_value
from metalliance.coding.disagreements import Disagreement
from metalliance.coding.files import refuse_existing
from metalliance.coding.guard import file_problem
from metalliance.coding.history import HistoryRow, draw_history, read_history
from metalliance.coding.matching import Group
from metalliance.coding.review import read_review
from metalliance.errors import CodingError, MetallianceError, Problem

__all__ = ["Adjudicated", "adjudicate"]

ALONE = "(study)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudicated:
    """What was written.

    Attributes
    ----------
    path : Path
    decided, open : int
        Disagreements that were settled, and those whose cells were left empty.
    added : tuple of str
        Rows that A's file did not have, as ``sheet study id``.
    lacking : tuple of str
        What the copy lacks of A's file, as charts.
    """

    path: Path
    decided: int
    open: int
    added: tuple[str, ...]
    lacking: tuple[str, ...]


def adjudicate(
    agreement: Agreement,
    decisions: str | Path,
    out: str | Path,
    *,
    allow_open: bool = False,
    history: str | Path | None = None,
) -> Adjudicated:
    """Write the consensus review: A's workbook with every decision carried out, and its history.

    Effects that only others found and that were kept are added with the measures and models they
    need; effects that were dropped stay with the role *not used*. Studies that one coder alone
    has coded are taken over. Sheet HISTORY lists every disagreement, what each coder typed and
    what was decided, with columns for later amendments.

    Parameters
    ----------
    agreement : Agreement
        Of the coders' files.
    decisions : str or Path
        The decided list of `write_consensus`.
    out : str or Path
        A new ``.xlsx`` file.
    allow_open : bool
        Leave cells of undecided rows empty, so that they count as still to be coded; an effect of
        which it is undecided whether it exists is not used. Otherwise open rows are refused.
    history : str or Path, optional
        An earlier consensus review, whose amendments are carried over.

    Returns
    -------
    Adjudicated

    Raises
    ------
    CodingError
        Listing every row that is undecided or cannot be carried out.
    OutputError
        Where ``out`` exists.
    """
    out = Path(out)
    refuse_existing(out)
    first = agreement.reviews[0]
    if first.kind != "workbook":
        what = "is a single table; a consensus review is a workbook"
        raise file_problem(first.path, "wrong-type", what, "move the rows into the template first")
    found = consensus(agreement, decisions)
    if not allow_open:
        _refuse_open(found, Path(decisions))
    book = ConsensusBook(agreement, _edits(found))
    problems = book.problems()
    if problems:
        raise CodingError(problems)
    _include(book, found)
    old = read_history(history) if history is not None else ()
    rows = _history(book, found, old)
    rows = _amended(book, rows)
    draw_history(book.book, rows, agreement.coders)
    beside = out.with_name(f".{out.name}.new.xlsx")
    try:
        save_workbook(book.book, beside)
        _verify(book, beside)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return Adjudicated(
        path=out,
        decided=len(found.items) - len(found.open),
        open=len(found.open),
        added=tuple(book.added),
        lacking=book.lacking,
    )


def _refuse_open(found: Consensus, path: Path) -> None:
    problems = [
        Problem(
            sheet=path.name,
            cell=item.decision.cells.get("decision", ""),
            value="",
            what=f"{item.disagreement.study} {item.disagreement.id} {item.disagreement.field}: "
            + ("is reopened" if item.state == "reopened" else "is not decided"),
            mend=f"choose one of: {', '.join(item.disagreement.choices)}"
            if item.decision.cells
            else "this list does not have it: run agree again with --previous and --consensus",
            severity="error",
            code="undecided",
        )
        for item in found.open
    ]
    if problems:
        raise CodingError(problems)


# --- what is to be typed ------------------------------------------------------------------------


def _edits(found: Consensus) -> dict[int, dict[str, Coded | Group]]:
    """By group, what its fields are to hold; references as the group that is meant."""
    edits: dict[int, dict[str, Coded | Group]] = {}
    for item in found.items:
        one, decision = item.disagreement, item.decision
        if one.comparison is None:
            edits.setdefault(id(one.group), {}).update(_role(item))
            continue
        if decision.choice != found.agreement.coders[0]:
            for group in _sharing(one, found.agreement):
                edits.setdefault(id(group), {})[one.field] = _decided(item, found.agreement)
    return edits


def _sharing(one: Disagreement, agreement: Agreement) -> tuple[Group, ...]:
    """The thing itself, and effects that have this very cell in common with it, as in GRID."""
    if not any(row.record.part for row in one.group.members):
        return (one.group,)
    return tuple(
        group
        for group in agreement.groups.groups["EFFECTS"]
        if group is one.group
        or tuple(row.record.address(one.field) if row else "" for row in group.rows) == one.cells
    )


def _decided(item: Item, agreement: Agreement) -> Coded | Group:
    one, choice = item.disagreement, item.decision.choice
    assert one.comparison is not None
    if not choice:
        return Coded()
    if choice == "other":
        value = other_value(one, item.decision, agreement)
        assert isinstance(value, Coded)
        return value
    answer = one.comparison.answers[agreement.coders.index(choice)]
    if one.comparison.kind == "reference" and answer.row is not None:
        target = getattr(answer.row.linked, one.field)
        group = agreement.groups.group(answer.row.coder, target)
        if target is not None and target.row and group is not None:
            return group
    return answer.coded


def _role(item: Item) -> dict[str, Coded | Group]:
    """An effect that was dropped, or that is undecided, stays and is not used."""
    if item.disagreement.group.sheet != "EFFECTS" or item.decision.choice == "keep":
        return {}
    reason = item.decision.reason or "no such effect"
    why = f"consensus: {reason}" if item.decision.choice else "undecided whether it exists"
    return {
        "role": Coded(value="not used", code="", text="not used"),
        "role_reason": Coded(value=why, code="", text=why),
    }


def _include(book: ConsensusBook, found: Consensus) -> None:
    """Carry out the edits, and add every row that belongs in and that A does not have."""
    agreement = found.agreement
    workers = coded_by(agreement.reviews, agreement.groups)
    asked = {
        id(item.disagreement.group): item.decision.choice
        for item in found.items
        if item.disagreement.comparison is None
    }
    for group in agreement.groups.groups["STUDIES"]:
        at_work = workers.get(group.study, frozenset())
        if group.rows[0] is not None and at_work and 0 not in at_work:
            book.fill(group, min(at_work))
    known = {group.study for group in agreement.groups.groups["STUDIES"] if group.rows[0]}
    for sheet in ("STUDIES", "MEASURES", "MODELS"):
        for group in agreement.groups.groups[sheet]:
            without_a = 0 not in workers.get(group.study, frozenset({0}))
            unknown = sheet == "STUDIES" and group.study not in known
            if group.rows[0] is not None or without_a or unknown:
                book.include(group)
    for sheet in ("EFFECTS", "INTERCORR"):
        for group in agreement.groups.groups[sheet]:
            choice = asked.get(id(group), "keep")
            if group.rows[0] is not None or choice == "keep" or (not choice and sheet == "EFFECTS"):
                book.include(group)
    book.take_over()


# --- history ----------------------------------------------------------------------------------


def _history(book: ConsensusBook, found: Consensus, old: Sequence[HistoryRow]) -> list[HistoryRow]:
    rows = [_row(book, item, found.agreement) for item in found.items]
    agreement = found.agreement
    for study, coders in agreement.not_shared:
        typed = tuple("coded" if letter in coders else "" for letter in agreement.coders)
        decided = f"coded by {coders[0]} alone"
        rows.append(
            HistoryRow(study=study, id="", field=ALONE, cell="", typed=typed, decided=decided)
        )
    kept = {(row.study, row.id, row.field): row for row in old if row.amended}
    rows = [
        replace(
            row,
            amended=before.amended,
            amended_date=before.amended_date,
            amended_reason=before.amended_reason,
            place=before.place,
        )
        if (before := kept.pop((row.study, row.id, row.field), None)) is not None
        else row
        for row in rows
    ]
    return [*rows, *kept.values()]


def _row(book: ConsensusBook, item: Item, agreement: Agreement) -> HistoryRow:
    one, decision = item.disagreement, item.decision
    if one.comparison is None:
        decided = {"keep": "kept", "drop": "dropped"}.get(decision.choice, "")
    else:
        decided = book.shown(one.group, one.field)
    return HistoryRow(
        study=one.study,
        id=book.id_of(one.group) or one.id,
        field=one.field,
        cell=book.address(one.group, one.field if one.comparison else ""),
        typed=one.typed,
        decision=decision.choice,
        decided=decided,
        reason=decision.reason,
        by=decision.by,
        date=decision.date,
    )


def _amended(book: ConsensusBook, rows: Sequence[HistoryRow]) -> list[HistoryRow]:
    """Carry out the amendments that were made to an earlier consensus review."""
    problems: list[Problem] = []
    found = []
    for row in rows:
        if not row.amended:
            found.append(row)
            continue
        place = book.find(row.study, row.id, row.field)
        if place is None:
            found.append(row)
            continue
        field, address = place
        coded, fault = parse_cell(row.amended, field, "")
        if fault is not None:
            sheet, _, cell = row.place.partition("!")
            problems.append(
                Problem(
                    sheet=sheet,
                    cell=cell,
                    value=row.amended,
                    what=f"{row.study} {row.id} {row.field}: the amended value {fault.what}",
                    mend=fault.mend,
                    severity="error",
                    code="amended",
                )
            )
            continue
        book.type(address, coded)
        found.append(replace(row, cell=address))
    if problems:
        raise CodingError(problems)
    return found


def _verify(book: ConsensusBook, path: Path) -> None:
    """The file says what was decided, or it is not kept."""
    after = read_review(path, strict=False)
    cells: dict[str, Coded] = {}
    for records in after.records.values():
        for record in records:
            for coded in (*record.cells.values(), *record.extra.values()):
                cells[f"{record.sheet}!{coded.cell}"] = coded
    for address, wanted in book.typed.items():
        there = cells.get(address, Coded())
        if (there.value, there.code) != (wanted.value, wanted.code):
            raise MetallianceError(
                f"nothing was written: {address} would read {there.text!r}, not {wanted.text!r}"
            )
