"""Read what was decided in a list of disagreements, and say by cell what cannot be carried out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from metalliance.coding.agreement import Agreement
from metalliance.coding.cells import Coded, a1, parse_cell
from metalliance.coding.codebook import BUILT_IN_MODELS, closest
from metalliance.coding.comparison import REFERENCES
from metalliance.coding.disagreements import Disagreement
from metalliance.coding.guard import file_problem
from metalliance.coding.history import plain_text
from metalliance.coding.spreadsheet import open_source
from metalliance.errors import Problem

__all__ = ["Decision", "check_decisions", "chosen", "other_value", "read_decisions"]

SHEET = "CONSENSUS"
WRITTEN = ("study", "id", "field", "decision", "value", "reason", "by", "date", "earlier", "key")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What stands in a row of the list.

    Attributes
    ----------
    choice : str
        A, B …, other, keep or drop; empty while open.
    value : str
        With other.
    reason, by, date, earlier : str
    study, id, field : str
    typed : tuple of str
        What the coders had when it was decided.
    file : str
        Name of the list.
    cells : Mapping of str to str
        Address of every column of the row.
    """

    choice: str = ""
    value: str = ""
    reason: str = ""
    by: str = ""
    date: str = ""
    earlier: str = ""
    study: str = ""
    id: str = ""
    field: str = ""
    typed: tuple[str, ...] = ()
    file: str = ""
    cells: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def touched(self) -> bool:
        """True where anybody has written anything."""
        return bool(self.choice or self.value or self.reason)


def read_decisions(path: str | Path, letters: Sequence[str]) -> dict[str, Decision]:
    """Rows of a list, by key.

    Parameters
    ----------
    path : str or Path
    letters : sequence of str
        The coders compared now.

    Raises
    ------
    CodingError
        Where the file is no such list, or one of another number of coders.
    """
    path = Path(path)
    source = open_source(path)
    names = {name.strip().upper(): name for name in source.sheet_names}
    mend = "give a file written by metalliance agree --consensus"
    if SHEET not in names:
        raise file_problem(path, "no-consensus", f"has no sheet {SHEET}", mend)
    rows = source.grid(names[SHEET]).rows
    titles = [plain_text(cell) for cell in rows[0]] if rows else []
    missing = [name for name in WRITTEN if name not in titles]
    if missing:
        what = f"sheet {SHEET} lacks the column {', '.join(missing)}"
        raise file_problem(path, "no-consensus", what, mend)
    coders = [name for name in titles if len(name) == 1 and name.isupper()]
    if coders != list(letters):
        what = f"was written for the coders {', '.join(coders)}; now there are {len(letters)} files"
        mend = "give the same files in the same order"
        raise file_problem(path, "other-coders", what, mend)
    found = {}
    for number, row in enumerate(rows[1:], start=1):
        texts = {name: plain_text(cell) for name, cell in zip(titles, row, strict=False)}
        if texts.get("key"):
            cells = {name: a1(number, column) for column, name in enumerate(titles)}
            found[texts["key"]] = _decision(path.name, texts, coders, cells)
    return found


def _decision(
    file: str, texts: Mapping[str, str], letters: Sequence[str], cells: Mapping[str, str]
) -> Decision:
    def text(name: str) -> str:
        return texts.get(name, "")

    return Decision(
        choice=text("decision"),
        value=text("value"),
        reason=text("reason"),
        by=text("by"),
        date=text("date"),
        earlier=text("earlier"),
        study=text("study"),
        id=text("id"),
        field=text("field"),
        typed=tuple(text(letter) for letter in letters),
        file=file,
        cells=cells,
    )


def check_decisions(
    pairs: Sequence[tuple[Disagreement, Decision]], agreement: Agreement
) -> tuple[Problem, ...]:
    """What is wrong with decisions: unknown ones, values that are missing, idle or impossible."""
    problems = []
    for one, decision in pairs:
        fault = _fault(one, decision, agreement)
        if fault is not None:
            column, what, mend = fault
            problems.append(
                Problem(
                    sheet=decision.file,
                    cell=decision.cells.get(column, ""),
                    value=decision.choice if column == "decision" else decision.value,
                    what=f"{one.study} {one.id} {one.field}: {what}",
                    mend=mend,
                    severity="error",
                    code="decision",
                )
            )
    return tuple(problems)


def _fault(
    one: Disagreement, decision: Decision, agreement: Agreement
) -> tuple[str, str, str] | None:
    """Column, what is wrong with it, how to mend it."""
    if not decision.choice:
        if decision.value:
            what = "a value stands here without a decision"
            return "value", what, "choose other in the column decision, or delete the value"
        return None
    choice = decision.choice
    if choice not in one.choices:
        near = closest(decision.choice, one.choices)
        mend = f"did you mean {near}? " if near else ""
        return "decision", "is no decision", f"{mend}Choose one of: {', '.join(one.choices)}"
    if choice != "other":
        if decision.value:
            what = f"the decision is {choice}, and a value stands beside it"
            return "value", what, "delete the value, or choose other"
        return None
    if not decision.value:
        return "value", "other needs a value", "type the right value, NR or NA"
    wrong = other_value(one, decision, agreement)
    return ("value", wrong[0], wrong[1]) if isinstance(wrong, tuple) else None


def other_value(
    one: Disagreement, decision: Decision, agreement: Agreement
) -> Coded | tuple[str, str]:
    """The value of an *other*, or what is wrong with it and how to mend it."""
    assert one.comparison is not None
    field, sheet = one.comparison.field, REFERENCES.get(one.field, "")
    if one.comparison.kind == "reference":
        known = _ids(agreement, one.study, sheet)
        if sheet == "MODELS":
            known = (*known, *BUILT_IN_MODELS)
        named = chosen(decision.value, known)
        if not named:
            what = f"coder A has no row {decision.value} of {one.study} in {sheet}"
            return what, f"its rows are: {', '.join(known)}" if known else "choose a coder's row"
        return Coded(value=named, code="", text=named)
    coded, fault = parse_cell(_number(decision.value), field, "")
    return coded if fault is None else (fault.what, fault.mend)


def _number(text: str) -> str | float:
    """A plain number as a number, as a spreadsheet cell would hold it."""
    try:
        return float(text) if text.strip().lstrip("+-")[:1] in "0123456789." else text
    except ValueError:
        return text


def chosen(text: str, known: Sequence[str]) -> str:
    """The known word that is meant, whatever its capitals; empty without one."""
    return next((own for own in known if own.casefold() == text.strip().casefold()), "")


def _ids(agreement: Agreement, study: str, sheet: str) -> tuple[str, ...]:
    return tuple(
        row.id
        for group in agreement.groups.groups[sheet]
        if group.study == study and (row := group.rows[0]) is not None
    )
