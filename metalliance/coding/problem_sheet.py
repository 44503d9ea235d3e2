"""The annotated copy: a workbook with its problems marked, listed and answerable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalliance.coding.archive import save_workbook
from metalliance.coding.cells import shown
from metalliance.coding.codebook import OWN
from metalliance.coding.records import Answered, Record
from metalliance.coding.sheets import put
from metalliance.coding.spreadsheet import Grid
from metalliance.errors import Problem

if TYPE_CHECKING:
    from metalliance.coding.review import Review

__all__ = ["PROBLEM_SHEET", "annotate", "read_answers"]

PROBLEM_SHEET = "PROBLEMS"
COLUMNS = ("severity", "where", "value", "problem", "what to do", "answer")
HIDDEN = ("sheet", "study", "id", "field", "code")
WIDTHS = (10, 18, 18, 70, 60, 40, 10, 10, 10, 14, 18)
COLOURS = {
    "error": "FFF4B6B6",
    "question": "FFFFE08A",
    "todo": "FFD6E4F5",
    "note": "FFE7E6E6",
}
WORDS = {"error": "error", "question": "question", "todo": "to do", "note": "note"}
HOW = (
    "Errors keep a row out; questions do not. Correct the cell, or answer a question once in the "
    "column answer: it is then silent as long as the cell stays as it is. This sheet may be "
    "deleted; it is written anew by metalliance check --annotate."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """What was written: the file, how many cells were marked, what the copy lacks."""

    path: Path
    marked: int
    lacking: tuple[str, ...]


def annotate(review: Review, path: str | Path) -> Annotated:
    """Write a copy of a review with marked cells and a sheet PROBLEMS.

    Parameters
    ----------
    review : Review
        From `read_review` with ``strict=False``. Its file is only read.
    path : str or Path
        A new ``.xlsx`` file.

    Returns
    -------
    Annotated

    Raises
    ------
    OutputError
        Where ``path`` exists.
    """
    from metalliance.coding.files import refuse_existing
    from metalliance.coding.live_workbook import open_copy, restore_lists
    from metalliance.coding.spreadsheet import open_source

    path = Path(path)
    refuse_existing(path)
    source = open_source(review.path)
    book, lacking = open_copy(source)
    answers = read_answers_of(book)
    places = _places(review)
    marked = sum(_mark(book, problem) for problem in reversed(review.problems))
    if PROBLEM_SHEET in book.sheetnames:
        del book[PROBLEM_SHEET]
    _list(book, review.problems, places, answers)
    if review.kind == "workbook":
        restore_lists(book, review.codebook)
    save_workbook(book, path)
    return Annotated(path=path, marked=marked, lacking=lacking)


def _places(review: Review) -> Mapping[tuple[str, str], tuple[Record, str]]:
    """Record and field of every coded cell."""
    found: dict[tuple[str, str], tuple[Record, str]] = {}
    for records in (*review.records.values(), review.effects_coded):
        for record in records:
            own = {f"{OWN}{name}": coded for name, coded in record.extra.items()}
            for name, coded in {**record.cells, **own}.items():
                if coded.cell:
                    found.setdefault((record.sheet, coded.cell), (record, name))
    return found


def _sheet_of(book: Any, problem: Problem) -> Any | None:
    for title in book.sheetnames:
        if title.strip().upper() == problem.sheet.upper():
            return book[title]
    stem = Path(problem.sheet).stem[:31]
    return book[stem] if stem in book.sheetnames else None


def _mark(book: Any, problem: Problem) -> bool:
    """Colour the cell and say in its comment what is wrong; whole sheets have no cell."""
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill
    from openpyxl.utils.cell import coordinate_from_string
    from openpyxl.utils.exceptions import CellCoordinatesException

    sheet = _sheet_of(book, problem)
    if sheet is None or problem.severity == "note":
        return False
    try:
        coordinate_from_string(problem.cell)
    except CellCoordinatesException:
        return False
    cell = sheet[problem.cell]
    if not hasattr(cell, "comment") or type(cell).__name__ == "MergedCell":
        return False
    text = f"{WORDS[problem.severity]}: {problem.what}. {problem.mend}"
    before = cell.comment.text.strip() + "\n" if cell.comment else ""
    if text not in before:
        cell.comment = Comment(f"{before}{text}"[:1500], "metalliance", height=140, width=320)
    cell.fill = PatternFill("solid", start_color=COLOURS[problem.severity])
    return True


def _list(
    book: Any,
    problems: Sequence[Problem],
    places: Mapping[tuple[str, str], tuple[Record, str]],
    answers: Mapping[Answered, str],
) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.properties import PageSetupProperties

    sheet = book.create_sheet(PROBLEM_SHEET, 1 if "START" in book.sheetnames else 0)
    sheet["D1"] = HOW
    sheet["D1"].alignment = Alignment(wrap_text=True, vertical="top")
    sheet.row_dimensions[1].height = 64
    for number, (name, width) in enumerate(zip((*COLUMNS, *HIDDEN), WIDTHS, strict=True), start=1):
        cell = sheet.cell(2, number, name)
        cell.font = Font(bold=True)
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = width
        if name in HIDDEN:
            sheet.column_dimensions[letter].hidden = True
    row = 3
    shown_keys: set[Answered] = set()
    for severity in ("error", "question", "todo", "note"):
        for problem in problems:
            if problem.severity != severity:
                continue
            key = _key(problem, places)
            shown_keys.add(key)
            _line(book, sheet, row, problem, key, answers.get(key, ""))
            row += 1
    for key, answer in answers.items():
        if key not in shown_keys:
            _answered_line(sheet, row, key, answer)
            row += 1
    for number in range(3, row):
        sheet.cell(number, 1).fill = PatternFill(
            "solid", start_color=_colour(sheet.cell(number, 1).value)
        )
    sheet.freeze_panes = "A3"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.auto_filter.ref = f"A2:{get_column_letter(len(COLUMNS))}{max(row - 1, 3)}"


def _colour(word: str) -> str:
    severity = next((name for name, shown_as in WORDS.items() if shown_as == word), "note")
    return COLOURS[severity]


def _key(problem: Problem, places: Mapping[tuple[str, str], tuple[Record, str]]) -> Answered:
    record, field = places.get((problem.sheet, problem.cell), (None, ""))
    study = record.text("study") if record is not None else ""
    own = (record.text("id") or record.text("effect")) if record is not None else ""
    return problem.sheet, study, own, field, problem.value, problem.code


def _line(book: Any, sheet: Any, row: int, problem: Problem, key: Answered, answer: str) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.worksheet.hyperlink import Hyperlink

    place, study, own, field, value, code = key
    mend = problem.mend.split("; if it is right, write")[0]
    if problem.severity == "question":
        mend = f"{mend}; if it is right, say why in the column answer"
    texts = (WORDS[problem.severity], problem.address, value, problem.what, mend, answer)
    lines = max(len(problem.what) / WIDTHS[3], len(mend) / WIDTHS[4], 0.5)
    sheet.row_dimensions[row].height = 15.0 * (1 + int(1.2 * lines))
    for number, text in enumerate((*texts, place, study, own, field, code), start=1):
        cell = sheet.cell(row, number)
        put(cell, text or None)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    target = _sheet_of(book, problem)
    if target is not None and problem.cell[:1].isalpha():
        link = sheet.cell(row, 2)
        link.hyperlink = Hyperlink(ref=link.coordinate, location=f"'{target.title}'!{problem.cell}")
        link.font = Font(color="FF0563C1", underline="single")


def _answered_line(sheet: Any, row: int, key: Answered, answer: str) -> None:
    place, study, own, field, value, code = key
    where = " ".join(part for part in (place, study, own, field) if part)
    texts = ("answered", where, value, code, "", answer, place, study, own, field, code)
    for number, text in enumerate(texts, start=1):
        put(sheet.cell(row, number), text or None)


def read_answers(grid: Grid) -> frozenset[Answered]:
    """The questions that sheet PROBLEMS answers."""
    return frozenset(_answers(grid.rows))


def read_answers_of(book: Any) -> Mapping[Answered, str]:
    """Answers of a workbook that is open for changing, with their words."""
    if PROBLEM_SHEET not in book.sheetnames:
        return {}
    return _answers([[cell.value for cell in row] for row in book[PROBLEM_SHEET].iter_rows()])


def _answers(rows: Sequence[Sequence[Any]]) -> dict[Answered, str]:
    titles: dict[str, int] = {}
    found: dict[Answered, str] = {}
    for row in rows:
        words = [shown(cell).strip() for cell in row]
        if not titles:
            if set(HIDDEN) <= set(words):
                titles = {word: number for number, word in enumerate(words) if word}
            continue
        cells = {name: words[at] if at < len(words) else "" for name, at in titles.items()}
        if cells.get("answer"):
            key = (cells["sheet"], cells["study"], cells["id"])
            found[(*key, cells["field"], cells["value"], cells["code"])] = cells["answer"]
    return found
