"""Coded rows with the address of every cell, and what was found wrong while reading them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from metalliance.coding.cells import BLANK, Code, Coded
from metalliance.coding.codebook import OWN, load_codebook
from metalliance.errors import Problem, Severity

if TYPE_CHECKING:
    from metalliance.coding.mapping import ColumnRead

__all__ = [
    "Answered",
    "Findings",
    "Key",
    "Linked",
    "Record",
    "RowCells",
    "built_in_model",
    "doi_of",
    "fault_of",
]

SHEET_ORDER: tuple[str, ...] = tuple(sheet.name for sheet in load_codebook().sheets)
Key = tuple[str, int, str]
Answered = tuple[str, str, str, str, str, str]  # sheet, study, id, field, value, code


class RowCells(Mapping[str, Coded]):
    """The cells of one row by field, every column of its sheet included.

    Most cells of a workbook are blank: these are made when they are asked for.

    Parameters
    ----------
    filled : Mapping of str to Coded
        Cells with something in them.
    letters : Mapping of str to str
        Column letters of every field.
    row : int
        Row number as the spreadsheet shows it.
    """

    __slots__ = ("_letters", "_row", "filled")

    def __init__(self, filled: Mapping[str, Coded], letters: Mapping[str, str], row: int) -> None:
        self.filled = filled
        self._letters = letters
        self._row = row

    def __getitem__(self, name: str) -> Coded:
        found = self.filled.get(name)
        return Coded(cell=f"{self._letters[name]}{self._row}") if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in self.filled or name in self._letters

    def __iter__(self) -> Iterator[str]:
        yield from self._letters
        yield from (name for name in self.filled if name not in self._letters)

    def __len__(self) -> int:
        return len(self._letters.keys() | self.filled.keys())


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
    part : str
        The column of GRID whose cell this effect is; empty where the record is the whole row.
    """

    sheet: str
    row: int
    cells: Mapping[str, Coded]
    extra: Mapping[str, Coded] = field(default_factory=lambda: MappingProxyType({}))
    part: str = ""

    @property
    def key(self) -> Key:
        """Sheet, row and part: no two records share it."""
        return self.sheet, self.row, self.part

    def coded(self, name: str) -> Coded:
        """The cell of a field (``mod:name`` for the team's own); blank without such a column."""
        if name in self.cells:
            return self.cells[name]
        own = name.removeprefix(OWN) if name.startswith(OWN) else ""
        return self.extra.get(own, BLANK)

    def _filled(self, name: str) -> Coded:
        """As `coded`, without the address of a blank cell."""
        cells = self.cells.filled if isinstance(self.cells, RowCells) else self.cells
        found = cells.get(name)
        if found is not None:
            return found
        return self.coded(name) if name.startswith(OWN) else BLANK

    def filled(self) -> Iterable[str]:
        """Names of the fields that are not blank, in the order of the columns."""
        cells = self.cells.filled if isinstance(self.cells, RowCells) else self.cells
        return (name for name, coded in cells.items() if coded.code != "blank")

    def text(self, name: str) -> str:
        """The text or level of a field; empty without a value."""
        value = self._filled(name).value
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """The number of a field, or None without one."""
        value = self._filled(name).value
        return value if isinstance(value, float) else None

    def code(self, name: str) -> Code:
        """'' where there is a value, else NR, NA, blank or faulty."""
        return self._filled(name).code

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


def doi_of(record: Record) -> str:
    """The DOI of a row without its address, in small letters; empty without one."""
    text = record.text("doi").casefold().strip()
    return text.removeprefix("https://doi.org/").removeprefix("doi:").strip()


@cache
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


def fault_of(record: Record, faults: Mapping[Key, Problem]) -> Problem | None:
    """What spoils a record: its own cell, or the row that it shares with others."""
    return faults.get(record.key) or faults.get((record.sheet, record.row, ""))


class Findings:
    """Problems as they are found, which rows they spoil, and what every column is read as."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.faults: dict[Key, Problem] = {}
        self.waiting: dict[str, dict[str, str]] = {}
        self.answers: frozenset[Answered] = frozenset()
        self.columns: list[ColumnRead] = []
        self._told: set[tuple[str, str, str, str]] = set()

    def add(
        self,
        severity: Severity,
        record: Record,
        name: str,
        what: str,
        mend: str,
        code: str,
    ) -> None:
        """Record one problem at a field of a row; an error spoils the row.

        What is wrong with a cell that several effects share is said once.
        """
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
        if severity == "error":
            self.faults.setdefault(record.key, problem)
        told = (problem.sheet, problem.cell, code, what)
        if told not in self._told:
            self._told.add(told)
            self.problems.append(problem)

    def ask(self, record: Record, name: str, what: str, mend: str, code: str) -> None:
        """Ask a question, unless it has been answered.

        Answers stand in the row's note, as ``checked: reason`` for all questions of the row or
        ``checked code: reason`` for one, or in sheet PROBLEMS of an annotated copy.
        """
        if _answered(record.text("note"), code) or self._answer(record, name, code):
            return
        mend = f"{mend}; if it is right, write 'checked {code}: reason' in the row's note"
        self.add("question", record, name, what, mend, code)

    def _answer(self, record: Record, name: str, code: str) -> bool:
        own = record.text("id") or record.text("effect")
        known = (record.sheet, record.text("study"), own, name, record.coded(name).text, code)
        return known in self.answers

    def wait(self, study: str, record: Record, name: str, what: str = "") -> None:
        """A cell that is still to be coded, or ``what`` is still to be done about it."""
        places = self.waiting.setdefault(study, {})
        places.setdefault(record.address(name), f"{name}: {what}" if what else name)

    def fault(self, record: Record) -> Problem | None:
        """What spoils a row, if anything does."""
        return fault_of(record, self.faults)

    def todos(self) -> list[Problem]:
        """One problem per study, at its first blank cell, naming all."""
        found = []
        for study, places in self.waiting.items():
            cells = [f"{address} ({what})" for address, what in places.items()]
            names = ", ".join(cells[:12]) + (f" and {len(cells) - 12} more" if cells[12:] else "")
            count = "1 cell is" if len(cells) == 1 else f"{len(cells)} cells are"
            sheet, _, cell = next(iter(places)).rpartition("!")
            found.append(
                Problem(
                    sheet=sheet,
                    cell=cell,
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


ANSWER = re.compile(r"checked\b([^:]*):\s*(\S.*)", re.IGNORECASE)


def _answered(note: str, code: str) -> bool:
    """Whether a note answers questions of this kind.

    >>> _answered("checked se-and-n: SE is of z, p. 7; checked", "se-and-n")
    True
    >>> _answered("checked se-and-n: right", "large-z")
    False
    """
    for part in re.split(r"[;\n](?=\s*checked\b)", note, flags=re.IGNORECASE):
        found = ANSWER.match(part.strip())
        if found:
            codes = re.split(r"[\s,]+", found.group(1).strip().casefold())
            if codes == [""] or code in codes:
                return True
    return False
