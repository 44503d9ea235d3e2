"""One copy of a seeded workbook for every coder, so that each codes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalliance.coding.archive import save_workbook
from metalliance.coding.cells import is_blank
from metalliance.coding.files import refuse_existing
from metalliance.coding.guard import file_problem
from metalliance.coding.history import HISTORY_SHEET
from metalliance.coding.live_workbook import header_of, open_copy, restore_lists, sheet_called
from metalliance.coding.review import Review, read_review
from metalliance.coding.sheets import put
from metalliance.coding.spreadsheet import open_source
from metalliance.errors import CodingError, Problem

__all__ = ["Split", "plain_initials", "split_review"]

LONGEST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What was written.

    Attributes
    ----------
    paths : tuple of Path
        One per coder.
    effects : int
        Effects that stand in the file already, and so in every copy.
    lacking : tuple of str
        What a copy lacks of the file, as charts.
    """

    paths: tuple[Path, ...]
    effects: int
    lacking: tuple[str, ...]


def split_review(
    path: str | Path, coders: Sequence[str], folder: str | Path | None = None
) -> Split:
    """Write one copy of a workbook for every coder, with their initials in empty coder cells.

    Parameters
    ----------
    path : str or Path
        The seeded workbook; it is only read. Whatever stands in it stands in every copy.
    coders : sequence of str
        Initials, two or more: letters and digits, no two alike.
    folder : str or Path, optional
        Where to write ``NAME_INITIALS.xlsx``; by default beside the file.

    Returns
    -------
    Split

    Raises
    ------
    CodingError
        Where the file is no workbook, lists no study, or is a consensus review.
    OutputError
        Where one of the copies exists already; then none is written.
    ValueError
        For initials that cannot serve, each with the reason.

    Examples
    --------
    >>> import tempfile
    >>> from metalliance.coding.template import fill_workbook
    >>> path = Path(tempfile.mkdtemp()) / "review.xlsx"
    >>> fill_workbook(path, {"STUDIES": [{"study": "S001"}]})
    >>> [copy.name for copy in split_review(path, ["AB", "CD"]).paths]
    ['review_AB.xlsx', 'review_CD.xlsx']
    """
    path = Path(path)
    initials = plain_initials(coders)
    review = read_review(path, strict=False)
    source = open_source(path)
    _refuse(review, source.sheet_names)
    home = path.parent if folder is None else Path(folder)
    copies = tuple(home / f"{path.stem}_{name}.xlsx" for name in initials)
    refuse_existing(*copies)
    lacking: tuple[str, ...] = ()
    for name, copy in zip(initials, copies, strict=True):
        book, lacking = open_copy(source)
        restore_lists(book, review.codebook)
        _sign(book, review, name)
        save_workbook(book, copy)
    return Split(paths=copies, effects=len(review.effects_coded), lacking=lacking)


def plain_initials(coders: Sequence[str]) -> tuple[str, ...]:
    """Initials of two coders or more.

    Raises
    ------
    ValueError
        Naming every problem.

    Examples
    --------
    >>> plain_initials(["AB", " CD "])
    ('AB', 'CD')
    """
    names = tuple(name.strip() for name in coders)
    wrong = [
        f"{name!r} is not plain: letters and digits only, {LONGEST} at most"
        for name in names
        if not name.isalnum() or len(name) > LONGEST
    ]
    folded = [name.casefold() for name in names]
    again = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if again:
        wrong.append(f"{', '.join(again)}: every coder needs initials of their own")
    if len(names) < 2:
        wrong.append("give the initials of two coders or more, e.g. AB,CD")
    if wrong:
        raise ValueError("; ".join(wrong))
    return names


def _refuse(review: Review, sheets: Sequence[str]) -> None:
    if review.kind != "workbook":
        mend = "give a workbook made by metalliance template"
        raise file_problem(review.path, "wrong-type", "has no sheets STUDIES and EFFECTS", mend)
    if HISTORY_SHEET in {name.strip().upper() for name in sheets}:
        what = f"has a sheet {HISTORY_SHEET}: it is a consensus review"
        raise file_problem(review.path, "consensus", what, "split the seeded workbook")
    if not review.studies:
        problem = Problem(
            sheet="STUDIES",
            cell="A2",
            value="",
            what="holds no study: coders would have nothing to code",
            mend="list the included studies first",
            severity="error",
            code="no-studies",
        )
        raise CodingError([problem])


def _sign(book: Any, review: Review, initials: str) -> None:
    """Put the initials into the empty coder cells of rows that hold anything."""
    for definition in review.codebook.tables:
        records = review.records.get(definition.name, ())
        sheet = sheet_called(book, definition.name)
        if sheet is None or not records:
            continue
        _, columns = header_of(sheet, definition)
        if "coder" not in columns:
            continue
        for record in records:
            cell = sheet.cell(record.row, columns["coder"])
            if is_blank(cell.value):
                put(cell, initials)
