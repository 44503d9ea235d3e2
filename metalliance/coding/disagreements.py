"""Everything that coders have to decide together, one thing at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from metalliance.coding.agreement import Agreement
from metalliance.coding.agreement_tables import describe
from metalliance.coding.comparison import Answer, Comparison, coded_by
from metalliance.coding.identity import Row
from metalliance.coding.matching import Group
from metalliance.coding.review import Review

__all__ = ["EXISTENCE", "Disagreement", "disagreements"]

EXISTENCE = {"EFFECTS": "(effect)", "INTERCORR": "(row)"}
NOT_FOUND, EMPTY, FAULTY = "not found", "(empty)", "(cannot be read)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disagreement:
    """One field that coders filled in differently, or one effect that only some of them found.

    Attributes
    ----------
    group : Group
    comparison : Comparison or None
        None where the question is whether the effect exists.
    study, id, field : str
        ``id`` as the first coder has it; ``field`` is ``(effect)`` for whether it exists.
    key : str
        The same in every run over the same rows.
    typed, cells : tuple of str
        Per coder, for people.
    quotes : str
    """

    group: Group
    comparison: Comparison | None
    study: str
    id: str
    field: str
    key: str
    typed: tuple[str, ...]
    cells: tuple[str, ...]
    quotes: str

    @property
    def choices(self) -> tuple[str, ...]:
        """What may stand in the column decision."""
        if self.comparison is None:
            return ("keep", "drop")
        letters = [
            chr(ord("A") + number)
            for number, answer in enumerate(self.comparison.answers)
            if answer.row is not None and answer.coded.code != "faulty"
        ]
        return (*letters, "other")


def disagreements(agreement: Agreement) -> tuple[Disagreement, ...]:
    """All disagreements of all phases, study by study.

    Besides values that differ these are cells that one coder left empty or that cannot be read,
    and effects that not every coder found.

    Parameters
    ----------
    agreement : Agreement

    Returns
    -------
    tuple of Disagreement
    """
    found = [*_of_fields(agreement), *_of_existence(agreement)]
    order = {study: n for n, study in enumerate(coded_by(agreement.reviews, agreement.groups))}
    return tuple(sorted(found, key=lambda one: order.get(one.study, len(order))))


def _of_fields(agreement: Agreement) -> Iterator[Disagreement]:
    for one in agreement.comparisons:
        if one.agree and not one.one_sided:
            continue
        yield _disagreement(
            agreement,
            one.group,
            one.field.name,
            typed=tuple(_typed(answer) for answer in one.answers),
            cells=tuple(answer.address for answer in one.answers),
            comparison=one,
        )


def _typed(answer: Answer) -> str:
    if answer.row is None:
        return NOT_FOUND
    if answer.coded.code == "faulty":
        return f"{answer.shown} {FAULTY}"
    return answer.shown or EMPTY


def _of_existence(agreement: Agreement) -> Iterator[Disagreement]:
    workers = coded_by(agreement.reviews, agreement.groups)
    for sheet, name in EXISTENCE.items():
        for group in agreement.groups.groups[sheet]:
            at_work = workers.get(group.study, frozenset())
            there = {row.coder for row in group.members}
            if at_work <= there:
                continue
            yield _disagreement(
                agreement,
                group,
                name,
                typed=tuple(describe(row) if row else NOT_FOUND for row in group.rows),
                cells=tuple(row.record.address() if row else "" for row in group.rows),
            )


def _disagreement(
    agreement: Agreement,
    group: Group,
    name: str,
    *,
    typed: tuple[str, ...],
    cells: tuple[str, ...],
    comparison: Comparison | None = None,
) -> Disagreement:
    ids = " ".join(
        f"{letter}:{row.id}"
        for letter, row in zip(agreement.coders, group.rows, strict=True)
        if row
    )
    return Disagreement(
        group=group,
        comparison=comparison,
        study=group.study,
        id=group.first.id,
        field=name,
        key=f"{group.sheet} / {group.study} / {ids} / {name}",
        typed=typed,
        cells=cells,
        quotes=_quotes(agreement, group, name),
    )


def _quotes(agreement: Agreement, group: Group, name: str) -> str:
    """What coders quote for this field in EVIDENCE, else for the whole effect."""
    parts = []
    for letter, row in zip(agreement.coders, group.rows, strict=True):
        quotes = [] if row is None else _quotes_of(row, agreement.reviews, name)
        parts += [f"{letter}: {quote}" for quote in dict.fromkeys(quotes)]
    return "\n".join(parts)


def _quotes_of(row: Row, reviews: Sequence[Review], name: str) -> list[str]:
    record = row.record
    own = "" if record.sheet == "STUDIES" else row.id
    found = [
        _quote(evidence.text("quote"), evidence.text("page"))
        for evidence in reviews[row.coder].records.get("EVIDENCE", ())
        if evidence.text("study") == record.text("study")
        and evidence.text("id") == own
        and evidence.text("field") == name.removeprefix("mod:")
    ]
    if not found and (record.text("quote") or record.text("page")):
        found.append(_quote(record.text("quote"), record.text("page")))
    return found


def _quote(quote: str, page: str) -> str:
    where = f"p. {page}" if page[:1].isdigit() else page
    if not quote:
        return where
    return f"“{quote}” ({where})" if page else f"“{quote}”"
