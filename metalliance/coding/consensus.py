"""The list of disagreements that coders settle: merge it with earlier decisions, and write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from metalliance.coding.agreement import Agreement
from metalliance.coding.archive import save_workbook
from metalliance.coding.decisions import Decision, check_decisions, chosen, read_decisions
from metalliance.coding.disagreements import Disagreement, disagreements
from metalliance.coding.files import refuse_existing
from metalliance.coding.history import fit_height
from metalliance.coding.sheets import put
from metalliance.errors import CodingError

__all__ = ["CONSENSUS_SHEET", "Consensus", "Item", "State", "consensus", "write_consensus"]

State = Literal["new", "carried over", "reopened"]
CONSENSUS_SHEET = "CONSENSUS"
SETTLED_SHEET = "SETTLED"
WIDTHS = {
    "study": 10,
    "id": 8,
    "field": 17,
    "cells": 18,
    "quotes": 34,
    "decision": 11,
    "value": 14,
    "reason": 28,
    "by": 7,
    "date": 11,
    "state": 13,
    "earlier": 30,
    "key": 10,
}
HELP = {
    "cells": "Where each coder typed it.",
    "quotes": "What each coder quotes from the paper.",
    "decision": "A, B …: this coder is right. other: neither; type the value beside it. For "
    "(effect): keep or drop. Empty: not yet decided.",
    "value": "Only with other: the right value.",
    "reason": "Why.",
    "by": "Who decided: initials.",
    "date": "Day, e.g. 2026-03-05.",
    "state": "new; carried over: decided before, nothing changed; reopened: decided before, but a "
    "coder has changed the cell since.",
    "earlier": "The decision that was made on other values.",
}
HOW = (
    "One row for every difference between the coders' files, for every cell that one of them left "
    "empty, and for every effect that not all of them found.",
    "Decide together: choose A, B … or other in the column decision (keep or drop for an effect), "
    "give the reason, your initials and the day. With other, type the value.",
    "An empty decision is not agreement: the row stays open.",
    "Corrections of a coder's own file reopen the rows they touch; run agree again with "
    "--previous and this file. Every other decision is carried over.",
    "When all rows are decided:  metalliance agree FILES --previous THIS --adjudicated NEW.xlsx",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One disagreement with its decision, if there is one.

    Attributes
    ----------
    disagreement : Disagreement
    decision : Decision
        Empty while open.
    state : {'new', 'carried over', 'reopened'}
    earlier : str
        Of a reopened one: what was decided, on which values.
    """

    disagreement: Disagreement
    decision: Decision
    state: State
    earlier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """All disagreements with their decisions, and decisions that are no longer needed."""

    agreement: Agreement
    items: tuple[Item, ...]
    settled: tuple[Decision, ...]

    @property
    def open(self) -> tuple[Item, ...]:
        """What is still to be decided."""
        return tuple(item for item in self.items if not item.decision.choice)


def consensus(agreement: Agreement, previous: str | Path | None = None) -> Consensus:
    """Bring today's disagreements together with the decisions of an earlier list.

    A decision is carried over where everything that the coders typed about it is as it was; where
    one of them has changed, it is reopened and the old decision shown beside it.

    Parameters
    ----------
    agreement : Agreement
    previous : str or Path, optional
        A list of `write_consensus`, decided in part or in full; it is only read.

    Returns
    -------
    Consensus

    Raises
    ------
    CodingError
        With every decision of the earlier list that cannot be read, by its cell.
    """
    old = read_decisions(previous, agreement.coders) if previous is not None else {}
    items = [_item(one, old.get(one.key)) for one in disagreements(agreement)]
    problems = check_decisions([(i.disagreement, i.decision) for i in items], agreement)
    if problems:
        raise CodingError(problems)
    known = {item.disagreement.key for item in items}
    settled = tuple(
        decision
        for key, decision in old.items()
        if key not in known and (decision.touched or decision.earlier)
    )
    return Consensus(agreement=agreement, items=tuple(items), settled=settled)


def _item(one: Disagreement, old: Decision | None) -> Item:
    if old is None:
        return Item(disagreement=one, decision=Decision(), state="new")
    old = replace(old, choice=chosen(old.choice, one.choices) or old.choice)
    if old.typed == one.typed:
        state: State = "carried over" if old.choice else "new"
        if not old.choice and old.earlier:
            state = "reopened"
        return Item(disagreement=one, decision=old, state=state, earlier=old.earlier)
    earlier = _said(old) if old.touched else old.earlier
    state = "reopened" if earlier else "new"
    return Item(disagreement=one, decision=Decision(), state=state, earlier=earlier)


def _said(old: Decision) -> str:
    """An old decision in a line."""
    letters = [chr(ord("A") + number) for number in range(len(old.typed))]
    typed = ", ".join(f"{a} {text}" for a, text in zip(letters, old.typed, strict=True))
    value = f" {old.value}" if old.value else ""
    who = ", ".join(part for part in (old.by, old.date) if part)
    why = f": {old.reason}" if old.reason else ""
    return f"was {typed} → {old.choice or 'undecided'}{value}{f' ({who})' if who else ''}{why}"


# --- writing ----------------------------------------------------------------------------------


def write_consensus(found: Consensus, path: str | Path) -> None:
    """Write the list as a workbook: one row per disagreement, with dropdowns for the decision.

    Parameters
    ----------
    found : Consensus
    path : str or Path
        A new ``.xlsx`` file.

    Raises
    ------
    OutputError
        Where ``path`` exists: decisions are never written over.
    """
    from openpyxl import Workbook

    path = Path(path)
    refuse_existing(path)
    book = Workbook()
    book.remove(book.active)
    _list(book.create_sheet(CONSENSUS_SHEET), found)
    _how(book.create_sheet("HOW"), found)
    _frame(book.create_sheet("AGREEMENT"), found.agreement.table)
    _frame(book.create_sheet("MATCHING"), found.agreement.matching)
    _frame(book.create_sheet("ONLY_IN"), found.agreement.only_in)
    if found.settled:
        _settled(book.create_sheet(SETTLED_SHEET), found)
    for sheet in book.worksheets:
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
    save_workbook(book, path)


def columns_of(letters: Sequence[str]) -> tuple[str, ...]:
    """Columns of the list."""
    return (
        *("study", "id", "field", *letters, "cells", "quotes"),
        *("decision", "value", "reason", "by", "date", "state", "earlier", "key"),
    )


def width_of(title: str) -> float:
    """Width of a column; those of the coders are named by a single letter."""
    return 24 if len(title) == 1 else WIDTHS.get(title, 14)


def _list(sheet: Any, found: Consensus) -> None:
    from openpyxl.styles import PatternFill
    from openpyxl.utils import get_column_letter

    letters = found.agreement.coders
    titles = columns_of(letters)
    _head(sheet, titles)
    to_fill = {"decision", "value", "reason", "by", "date"}
    for number, item in enumerate(found.items, start=2):
        texts = _texts(item, letters)
        seen = [(texts[title], width_of(title)) for title in titles if title != "key"]
        fit_height(sheet, number, [text for text, _ in seen], [width for _, width in seen])
        for column, title in enumerate(titles, start=1):
            cell = sheet.cell(number, column)
            _text(cell, texts.get(title, ""))
            if title in to_fill:
                cell.fill = PatternFill("solid", start_color="FFFFF2CC")
            elif item.state == "reopened" and title in ("state", "earlier"):
                cell.fill = PatternFill("solid", start_color="FFFFE08A")
    column = get_column_letter(titles.index("decision") + 1)
    for choices in sorted({item.disagreement.choices for item in found.items}):
        rows = [n for n, i in enumerate(found.items, start=2) if i.disagreement.choices == choices]
        _dropdown(sheet, choices, column, rows)
    sheet.column_dimensions[get_column_letter(len(titles))].hidden = True
    sheet.freeze_panes = "D2"
    last = get_column_letter(len(titles) - 1)
    sheet.auto_filter.ref = f"A1:{last}{max(len(found.items) + 1, 2)}"


def _texts(item: Item, letters: Sequence[str]) -> Mapping[str, str]:
    one, decision = item.disagreement, item.decision
    cells = [f"{a} {cell}" for a, cell in zip(letters, one.cells, strict=True) if cell]
    return {
        "study": one.study,
        "id": one.id,
        "field": one.field,
        **dict(zip(letters, one.typed, strict=True)),
        "cells": "\n".join(cells),
        "quotes": one.quotes,
        "decision": decision.choice,
        "value": decision.value,
        "reason": decision.reason,
        "by": decision.by,
        "date": decision.date,
        "state": item.state,
        "earlier": item.earlier,
        "key": one.key,
    }


def _head(sheet: Any, titles: Sequence[str]) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    for number, title in enumerate(titles, start=1):
        cell = sheet.cell(1, number, title)
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", start_color="FFD9E2EC")
        if title in HELP:
            cell.comment = Comment(HELP[title], "metalliance", height=90, width=260)
        sheet.column_dimensions[get_column_letter(number)].width = width_of(title)


def _text(cell: Any, text: str) -> None:
    from openpyxl.styles import Alignment

    cell.number_format = "@"
    cell.alignment = Alignment(vertical="top", wrap_text=True)
    put(cell, text or None)


def _dropdown(sheet: Any, choices: Sequence[str], column: str, rows: Sequence[int]) -> None:
    """A list in these rows, which are ascending; neighbours share a range."""
    from openpyxl.worksheet.datavalidation import DataValidation

    rule = DataValidation(type="list", formula1=f'"{",".join(choices)}"', allow_blank=True)
    rule.errorTitle, rule.error = "decision", f"One of: {', '.join(choices)}."
    rule.showErrorMessage = True
    for _, run in groupby(enumerate(rows), key=lambda one: one[1] - one[0]):
        those = [row for _, row in run]
        rule.add(f"{column}{those[0]}:{column}{those[-1]}")
    sheet.add_data_validation(rule)


def _how(sheet: Any, found: Consensus) -> None:
    from openpyxl.styles import Alignment, Font

    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 12, 110
    sheet["A1"] = "Settling disagreements"
    sheet["A1"].font = Font(bold=True, size=14)
    row = 3
    for text in HOW:
        sheet.cell(row, 2, text).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.row_dimensions[row].height = 32
        row += 1
    for letter, review in zip(found.agreement.coders, found.agreement.reviews, strict=True):
        row += 1
        sheet.cell(row, 1, letter).font = Font(bold=True)
        put(sheet.cell(row, 2), f"{review.path.name}  (SHA-256 {review.sha256})")


def _frame(sheet: Any, frame: pd.DataFrame) -> None:
    """A table as it is; numbers stay numbers."""
    from openpyxl.utils import get_column_letter

    _head(sheet, [str(column) for column in frame.columns])
    for number, row in enumerate(frame.itertuples(index=False), start=2):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(number, column)
            if isinstance(value, str):
                put(cell, value or None)
            elif pd.notna(value):
                cell.value = value if isinstance(value, int) else float(value)
                cell.number_format = "0" if float(value).is_integer() else "0.000"
    for number, column in enumerate(frame.columns, start=1):
        longest = max([len(str(v)) for v in frame[column] if isinstance(v, str)], default=0)
        width = min(max(longest, len(str(column))) + 2, 60)
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "B2"


def _settled(sheet: Any, found: Consensus) -> None:
    """Decisions on what is no disagreement any more: nothing is lost."""
    letters = found.agreement.coders
    titles = ("study", "id", "field", *letters, "decision", "value", "reason", "by", "date")
    _head(sheet, titles)
    for number, old in enumerate(found.settled, start=2):
        place = (old.study, old.id, old.field, *old.typed)
        rest = (old.choice, old.value, old.reason, old.by, old.date)
        for column, text in enumerate((*place, *rest), start=1):
            _text(sheet.cell(number, column), text)
