"""Coded rows with the address of every cell, and what was found wrong while reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from metalliance.coding.cells import BLANK, Code, Coded
from metalliance.coding.codebook import load_codebook
from metalliance.errors import Problem, Severity

__all__ = ["Findings", "Linked", "Record", "built_in_model"]

SHEET_ORDER = ("STUDIES", "MEASURES", "MODELS", "EFFECTS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of one sheet.

    Attributes
    ----------
    sheet : str
    row : int
        Row number as the spreadsheet shows it; 0 for a built-in model.
    cells : Mapping of str to Coded
        By field of the codebook.
    extra : Mapping of str to Coded
        The team's own columns, by moderator name.
    """

    sheet: str
    row: int
    cells: Mapping[str, Coded]
    extra: Mapping[str, Coded] = field(default_factory=lambda: MappingProxyType({}))

    def coded(self, name: str) -> Coded:
        """The cell of a field; a blank one where the sheet has no such column."""
        return self.cells.get(name, BLANK)

    def text(self, name: str) -> str:
        """The text or level of a field; empty without a value."""
        value = self.coded(name).value
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """The number of a field, or None without one."""
        value = self.coded(name).value
        return value if isinstance(value, float) else None

    def code(self, name: str) -> Code:
        """'' where there is a value, else NR, NA, blank or faulty."""
        return self.coded(name).code

    def is_blank(self, name: str) -> bool:
        """True where nothing is coded yet."""
        return self.code(name) == "blank"

    def address(self, name: str = "") -> str:
        """``sheet!cell`` of a field, or of the row."""
        cell = self.coded(name).cell if name else ""
        return f"{self.sheet}!{cell}" if cell else f"{self.sheet}!{self.row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """An effect with the rows it refers to; None where a reference leads nowhere."""

    effect: Record
    study: Record | None
    alliance: Record | None
    outcome: Record | None
    model: Record | None
    flat: bool = False

    def referred(self) -> Iterable[Record]:
        """The rows of other sheets that the effect stands on."""
        for record in (self.study, self.alliance, self.outcome, self.model):
            if record is not None:
                yield record

    @property
    def resolved(self) -> bool:
        """True where every reference leads somewhere, or none is needed."""
        rows = (self.alliance, self.outcome, self.model)
        return self.flat or all(record is not None for record in rows)

    @property
    def sample(self) -> str:
        """Sample id; by default that of the study, else the study's own id."""
        own = self.effect.text("sample")
        if own:
            return own
        of_study = self.study.text("sample") if self.study is not None else ""
        return of_study or self.effect.text("study")


def built_in_model(name: str) -> Record:
    """RAW or PRE as a record."""
    facts = load_codebook().models[name]
    cells = {key: _given(value) for key, value in facts.items()}
    return Record(sheet="MODELS", row=0, cells={"id": _given(name), **cells})


def _given(value: str | float) -> Coded:
    if value == "NA":
        return Coded(code="NA", text="NA")
    return Coded(
        value=float(value) if isinstance(value, int | float) else value, code="", text=str(value)
    )


class Findings:
    """Problems as they are found, and which rows they spoil."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.faults: dict[tuple[str, int], Problem] = {}
        self.waiting: dict[str, list[tuple[Record, str]]] = {}

    def add(
        self,
        severity: Severity,
        record: Record,
        name: str,
        what: str,
        mend: str,
        code: str,
    ) -> None:
        """Record one problem at a field of a row; an error spoils the row."""
        coded = record.coded(name)
        problem = Problem(
            sheet=record.sheet,
            cell=coded.cell or str(record.row),
            value=coded.text,
            what=what,
            mend=mend,
            severity=severity,
            code=code,
        )
        self.problems.append(problem)
        if severity == "error":
            self.faults.setdefault((record.sheet, record.row), problem)

    def ask(self, record: Record, name: str, what: str, mend: str, code: str) -> None:
        """Ask a question, unless the row's note already answers it."""
        if record.text("note").casefold().startswith("checked:"):
            return
        mend = f"{mend}; if it is right, start the row's note with 'checked:' and the reason"
        self.add("question", record, name, what, mend, code)

    def wait(self, study: str, record: Record, name: str) -> None:
        """A cell that is still to be coded."""
        places = self.waiting.setdefault(study, [])
        if not any(
            place.row == record.row and n == name
            for place, n in places
            if place.sheet == record.sheet
        ):
            places.append((record, name))

    def fault(self, record: Record) -> Problem | None:
        """What spoils a row, if anything does."""
        return self.faults.get((record.sheet, record.row))

    def todos(self) -> list[Problem]:
        """One problem per study, at its first blank cell, naming all."""
        found = []
        for study, places in self.waiting.items():
            record, name = places[0]
            cells = [f"{r.address(n)} ({n})" for r, n in places]
            names = ", ".join(cells[:12]) + (f" and {len(cells) - 12} more" if cells[12:] else "")
            count = "1 cell is" if len(cells) == 1 else f"{len(cells)} cells are"
            found.append(
                Problem(
                    sheet=record.sheet,
                    cell=record.coded(name).cell or str(record.row),
                    value="",
                    what=f"{study or 'a row without a study'}: {count} still to be coded: {names}",
                    mend="type the value, or NR (not reported) or NA (not applicable)",
                    severity="todo",
                    code="blank",
                )
            )
        return found

    def in_order(self) -> tuple[Problem, ...]:
        """All problems, sheet by sheet and row by row."""
        return tuple(sorted([*self.problems, *self.todos()], key=_place))


def _place(problem: Problem) -> tuple[int, int, int, str]:
    sheet = SHEET_ORDER.index(problem.sheet) if problem.sheet in SHEET_ORDER else len(SHEET_ORDER)
    letters = problem.cell.rstrip("0123456789")
    digits = problem.cell[len(letters) :]
    return sheet, int(digits or 0), len(letters), letters
