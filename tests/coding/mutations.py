"""Real workbooks, damaged on purpose: one planted mistake a file, and whether it is found.

    python -m tests.coding.mutations 5000

writes that many files from the shipped workbooks, each with one mistake of a named kind at a random
place, reads them, and prints for every kind how often the mistake was told at its own cell.
"""

from __future__ import annotations

import datetime
import io
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from metalliance.coding.codebook import load_codebook
from metalliance.coding.live_workbook import header_of
from metalliance.coding.review import read_review
from metalliance.errors import CodingError

DATA = Path(__file__).resolve().parents[2] / "data"
SOURCES = ("congruence_kolden2011.xlsx", "simulated_alliance_295.xlsx")
STUDIES_KEPT = 12


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One kind of damage.

    ``codes`` are the findings that count as detection; empty: nothing may be found.
    """

    name: str
    plant: Callable[[Book, random.Random], str]
    codes: tuple[str, ...]


class Book:
    """A workbook in memory that can be damaged and mended again."""

    def __init__(self, source: str) -> None:
        self.book = load_workbook(DATA / source)
        self.columns: dict[str, dict[str, int]] = {}
        for definition in load_codebook().tables:
            sheet = self.book[definition.name]
            self.columns[definition.name] = dict(header_of(sheet, definition)[1])
        self._keep_some_studies()
        self.undo: list[Callable[[], None]] = []

    def _keep_some_studies(self) -> None:
        """A file of a dozen studies is as real as one of three hundred, and faster."""
        studies = self.book["STUDIES"]
        kept = {studies.cell(row, 1).value for row in range(2, 2 + STUDIES_KEPT)}
        for name in ("STUDIES", "MEASURES", "MODELS", "EFFECTS"):
            sheet = self.book[name]
            rows = [
                [cell.value for cell in row]
                for row in sheet.iter_rows(min_row=2)
                if row[0].value in kept
            ]
            sheet.delete_rows(2, sheet.max_row)
            for number, row in enumerate(rows, start=2):
                for column, value in enumerate(row, start=1):
                    if not (isinstance(value, str) and value.startswith("=")):
                        sheet.cell(number, column).value = value

    def rows(self, sheet: str) -> int:
        return sum(1 for row in self.book[sheet].iter_rows(min_row=2) if row[0].value is not None)

    def cell(self, sheet: str, name: str, row: int) -> Any:
        return self.book[sheet].cell(row, self.columns[sheet][name])

    def any_row(self, sheet: str, rng: random.Random, where: Callable[[int], bool]) -> int:
        rows = [row for row in range(2, self.rows(sheet) + 2) if where(row)]
        return rng.choice(rows)

    def put(self, sheet: str, name: str, row: int, value: object) -> str:
        cell = self.cell(sheet, name, row)
        before, shown_as = cell.value, cell.number_format

        def undo() -> None:
            cell.value = before
            cell.number_format = shown_as

        self.undo.append(undo)
        cell.value = value
        return f"{sheet}!{cell.coordinate}"

    def bytes(self) -> bytes:
        buffer = io.BytesIO()
        self.book.save(buffer)
        return buffer.getvalue()

    def mend(self) -> None:
        while self.undo:
            self.undo.pop()()


def used(book: Book, row: int) -> bool:
    """A main or sensitivity row with a number."""
    value = book.cell("EFFECTS", "value", row).value
    role = book.cell("EFFECTS", "role", row).value
    sign = book.cell("EFFECTS", "positive_means", row).value
    return isinstance(value, int | float) and role != "not used" and sign in ("better", "worse")


def simple(book: Book, row: int) -> bool:
    return used(book, row) and book.cell("EFFECTS", "stat", row).value == "r"


def effect(name: str, *values: object, only: Callable[[Book, int], bool] = used) -> Any:
    """Plant one of the values in a column of a used effect."""

    def plant(book: Book, rng: random.Random) -> str:
        row = book.any_row("EFFECTS", rng, lambda r: only(book, r))
        return book.put("EFFECTS", name, row, rng.choice(values))

    return plant


def other(sheet: str, name: str, *values: object, kind: str = "") -> Any:
    def plant(book: Book, rng: random.Random) -> str:
        row = book.any_row(
            sheet, rng, lambda r: not kind or book.cell(sheet, "kind", r).value == kind
        )
        return book.put(sheet, name, row, rng.choice(values))

    return plant


def several(*changes: tuple[str, object], at: str) -> Any:
    """Plant several cells of one effect of patients; the finding stands at column ``at``."""

    def plant(book: Book, rng: random.Random) -> str:
        row = book.any_row("EFFECTS", rng, lambda r: simple(book, r))
        for name, value in changes:
            book.put("EFFECTS", name, row, value)
        return f"EFFECTS!{book.cell('EFFECTS', at, row).coordinate}"

    return plant


def last_session(book: Book, rng: random.Random) -> str:
    first = book.columns["MEASURES"]["first_session"]
    sheet = book.book["MEASURES"]
    row = book.any_row(
        "MEASURES", rng, lambda r: isinstance(sheet.cell(r, first).value, int | float)
    )
    return book.put("MEASURES", "last_session", row, 0)


def swapped_measures(book: Book, rng: random.Random) -> str:
    row = book.any_row("EFFECTS", rng, lambda r: used(book, r))
    a = book.cell("EFFECTS", "outcome", row).value
    return book.put("EFFECTS", "alliance", row, a)


def second_id(book: Book, rng: random.Random) -> str:
    """An effect takes the id of the one before it, in the same study."""
    study = book.columns["EFFECTS"]["study"]
    sheet = book.book["EFFECTS"]
    row = book.any_row(
        "EFFECTS",
        rng,
        lambda r: r > 2 and sheet.cell(r, study).value == sheet.cell(r - 1, study).value,
    )
    return book.put("EFFECTS", "effect", row, book.cell("EFFECTS", "effect", row - 1).value)


def second_study(book: Book, rng: random.Random) -> str:
    row = book.any_row("STUDIES", rng, lambda r: r > 2)
    book.put("STUDIES", "sample", row, book.cell("STUDIES", "sample", row - 1).value)
    return book.put("STUDIES", "study", row, book.cell("STUDIES", "study", row - 1).value)


def header(sheet: str, name: str, text: str) -> Any:
    def plant(book: Book, rng: random.Random) -> str:
        address = book.put(sheet, name, 1, text)
        return f"{sheet}!A1" if text.startswith("xx") else address

    return plant


def merged(book: Book, rng: random.Random) -> str:
    row = book.any_row("EFFECTS", rng, lambda r: used(book, r))
    first = book.cell("EFFECTS", "page", row)
    sheet = book.book["EFFECTS"]
    place = f"{first.coordinate}:{sheet.cell(row + 1, first.column).coordinate}"
    sheet.merge_cells(place)
    book.undo.append(lambda: sheet.unmerge_cells(place))
    return f"EFFECTS!{first.coordinate}"


def padded(book: Book, rng: random.Random) -> str:
    row = book.any_row("EFFECTS", rng, lambda r: used(book, r))
    return book.put("EFFECTS", "study", row, f" {book.cell('EFFECTS', 'study', row).value} ")


def as_text(book: Book, rng: random.Random) -> str:
    row = book.any_row("EFFECTS", rng, lambda r: used(book, r))
    return book.put("EFFECTS", "value", row, f" {book.cell('EFFECTS', 'value', row).value} ")


def hidden(book: Book, rng: random.Random) -> str:
    row = book.any_row("EFFECTS", rng, lambda r: used(book, r))
    dimension = book.book["EFFECTS"].row_dimensions[row]
    dimension.hidden = True
    book.undo.append(lambda: setattr(dimension, "hidden", False))
    return f"EFFECTS!A{row}"


def look_alike(book: Book, rng: random.Random) -> str:
    """An id with a Cyrillic letter in the place of the Latin one."""
    row = book.any_row("EFFECTS", rng, lambda r: used(book, r))
    own = str(book.cell("EFFECTS", "alliance", row).value)
    return book.put("EFFECTS", "alliance", row, own.replace("A", "\u0410"))


def totals(book: Book, rng: random.Random) -> str:
    row = book.rows("EFFECTS") + 2
    for name, value in (("effect", "x"), ("value", 0.3), ("n", 900)):
        book.put("EFFECTS", name, row, value)
    return book.put("EFFECTS", "study", row, rng.choice(["Total", "mean", "Overall"]))


def other_sheet(title: str) -> Any:
    def plant(book: Book, rng: random.Random) -> str:
        sheet = book.book.create_sheet(title)
        book.undo.append(lambda: book.book.remove(sheet))
        return title

    return plant


DATE = datetime.datetime(2026, 9, 3)
OPERATORS: tuple[Operator, ...] = (
    Operator(name="r above 1", plant=effect("value", 1.2, -1.07, 2, only=simple),
             codes=("correlation-range",)),
    Operator(name="r in percent", plant=effect("value", 31, -45, only=simple),
             codes=("correlation-range",)),
    Operator(name="r of exactly 1", plant=effect("value", 1, -1, only=simple),
             codes=("correlation-range",)),
    Operator(name="stars", plant=effect("value", ".3*", "-.21**", "0.4†"), codes=("stars",)),
    Operator(name="decimal comma", plant=effect("value", "0,35", "-,2"), codes=("decimal-comma",)),
    Operator(name="typographic minus", plant=effect("value", "−.3", "–0.21"),
             codes=("typographic-minus",)),
    Operator(name="inequality", plant=effect("value", "<.05", "> .3"), codes=("inequality",)),
    Operator(name="percent sign", plant=effect("value", "30%"), codes=("percent",)),
    Operator(name="words for a number", plant=effect("value", "n.s.", "see text", "r=.3"),
             codes=("not-a-number",)),
    Operator(name="a date for a number", plant=effect("value", DATE), codes=("date",)),
    Operator(name="a date for a session", plant=other("MEASURES", "first_session", DATE),
             codes=("date",)),
    Operator(name="formula without result", plant=effect("value", "=A1+1"),
             codes=("uncached-formula",)),
    Operator(name="spreadsheet error", plant=effect("value", "#REF!", "#DIV/0!"),
             codes=("error-value",)),
    Operator(name="n too small", plant=effect("n", 3, 0, -20), codes=("too-small",)),
    Operator(name="n with decimals", plant=effect("n", 60.5), codes=("not-whole",)),
    Operator(name="unknown statistic", plant=effect("stat", "pearsn", "rr"),
             codes=("unknown-level",)),
    Operator(name="unknown sign", plant=effect("positive_means", "up", "bettter"),
             codes=("unknown-level",)),
    Operator(name="unknown rater", plant=other("MEASURES", "rater", "patiennt", 7),
             codes=("unknown-level",)),
    Operator(name="unknown alliance id", plant=effect("alliance", "A99", "a1 b"),
             codes=("unknown-id",)),
    Operator(name="unknown model id", plant=effect("model", "M77"), codes=("unknown-id",)),
    Operator(name="unknown sample", plant=effect("sample", "nowhere"), codes=("unknown-sample",)),
    Operator(name="outcome in the place of alliance", plant=swapped_measures,
             codes=("wrong-kind",)),
    Operator(name="effect of no study", plant=effect("study", "Z999"), codes=("orphan-study",)),
    Operator(name="effect id twice", plant=second_id, codes=("duplicate-id",)),
    Operator(name="study twice", plant=second_study, codes=("duplicate-id",)),
    Operator(name="value left blank", plant=effect("value", None), codes=("blank",)),
    Operator(name="statistic left blank", plant=effect("stat", None), codes=("blank",)),
    Operator(name="sign left blank", plant=effect("positive_means", None), codes=("blank",)),
    Operator(name="impossible year", plant=other("STUDIES", "year", 19999, 97, "MMX"),
             codes=("range", "not-a-number")),
    Operator(name="interval upside down",
             plant=several(("ci_low", 0.5), ("ci_high", -0.5), at="ci_low"), codes=("interval",)),
    Operator(name="interval beside its value",
             plant=several(("ci_low", 0.95), ("ci_high", 0.99), at="ci_low"), codes=("interval",)),
    Operator(name="a variance for an SE", plant=several(("se", 0.004), at="se"),
             codes=("se-and-n",)),
    Operator(name="component against the terms",
             plant=several(("alliance_term", "change or slope"), ("component", "within"),
                           at="component"), codes=("between-change",)),
    Operator(name="sessions in the wrong order",
             plant=last_session,
             codes=("session-order",)),
    Operator(name="column renamed", plant=header("EFFECTS", "value", "xx value"),
             codes=("missing-column",)),
    Operator(name="column twice", plant=header("EFFECTS", "quote", "N patients"),
             codes=("duplicate-column",)),
    Operator(name="merged cells", plant=merged, codes=("merged",)),
    Operator(name="blanks around an id (harmless)", plant=padded, codes=()),
    Operator(name="a number kept as text (harmless)", plant=as_text, codes=()),
    Operator(name="a hidden row", plant=hidden, codes=("hidden-rows",)),
    Operator(name="a Cyrillic letter in an id", plant=look_alike, codes=("look-alike",)),
    Operator(name="the letter O for a zero", plant=effect("n", "6O", "1O4", "8o"),
             codes=("look-alike",)),
    Operator(name="signs between thousands", plant=effect("n", "1,234", "1 234", "1'234"),
             codes=("thousands",)),
    Operator(name="an apostrophe before a number", plant=effect("value", "'.3"),
             codes=("apostrophe",)),
    Operator(name="a column too narrow", plant=effect("value", "#####"), codes=("error-value",)),
    Operator(name="a day as a number of days",
             plant=other("MEASURES", "first_session", 46268, 45903), codes=("date",)),
    Operator(name="yes or no for a level", plant=effect("positive_means", True, False),
             codes=("unknown-level",)),
    Operator(name="an id rewritten as a power of ten",
             plant=other("STUDIES", "citation", "1.02E+15"), codes=("power-of-ten",)),
    Operator(name="a row of totals", plant=totals, codes=("totals-row",)),
    Operator(name="a copy of a sheet", plant=other_sheet("EFFECTS (2)"), codes=("sheet-copy",)),
    Operator(name="a sheet of notes (harmless)", plant=other_sheet("my notes"), codes=()),
)  # fmt: skip


@dataclass
class Tally:
    """Of one operator: files, mistakes told at their cell, and what went wrong."""

    files: int = 0
    told: int = 0
    wrong: list[str] = field(default_factory=list)


def trial(operator: Operator, book: Book, rng: random.Random, folder: Path, tally: Tally) -> None:
    """Plant, write, read, judge, mend."""
    try:
        address = operator.plant(book, rng)
    except IndexError:  # this workbook has no place for such a mistake
        book.mend()
        return
    content = book.bytes()
    book.mend()
    path = folder / "damaged.xlsx"
    path.write_bytes(content)
    tally.files += 1
    try:
        review = read_review(path, strict=False)
        problems = review.problems
        fault = impossible(review)
        if fault:
            tally.wrong.append(f"{operator.name} at {address}: {fault}")
    except CodingError as error:
        problems = error.problems
    except Exception as error:
        tally.wrong.append(f"{operator.name} at {address}: {type(error).__name__}: {error}")
        return
    if path.read_bytes() != content:
        tally.wrong.append(f"{operator.name}: the file was changed")
    told = {(p.code, p.address) for p in problems}
    named = {p.code for p in problems if address and address in p.what}
    if operator.codes:
        found = any((code, address) in told or code in named for code in operator.codes)
    else:
        found = told == book_problems(book)
    tally.told += found
    if not found and len(tally.wrong) < 5:
        tally.wrong.append(f"{operator.name} at {address} not told: {sorted(told)[:4]}")


def impossible(review: Any) -> str:
    """An accepted value that cannot be, or a row that was lost."""
    table = review.effects()
    frame = table.to_frame()
    if len(frame) + len(table.excluded()) != len(review.effects_coded):
        return "a row was lost"
    if len(frame) and not ((frame["r"].abs() < 1) | frame["r"].isna()).all():
        return "a correlation of 1 or more was accepted"
    if len(frame) and not (frame["vi"] > 0).all():
        return "a variance of 0 or less was accepted"
    return ""


UNHARMED: dict[int, set[tuple[str, str]]] = {}


def book_problems(book: Book) -> set[tuple[str, str]]:
    """What is told of the workbook as it is."""
    if id(book) not in UNHARMED:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "plain.xlsx"
            path.write_bytes(book.bytes())
            found = read_review(path, strict=False).problems
        UNHARMED[id(book)] = {(p.code, p.address) for p in found}
    return UNHARMED[id(book)]


def run(count: int, seed: int = 0) -> dict[str, Tally]:
    """``count`` damaged files, the operators and workbooks in turn."""
    rng = random.Random(seed)
    books = [Book(source) for source in SOURCES]
    tallies = {operator.name: Tally() for operator in OPERATORS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            operator = OPERATORS[number % len(OPERATORS)]
            book = books[(number // len(OPERATORS)) % len(books)]
            trial(operator, book, rng, Path(folder), tallies[operator.name])
    return tallies


def main() -> int:
    """Print the table for docs/validation.md."""
    tallies = run(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    print("| planted | files | told at its cell |\n|---|---|---|")
    for name, tally in tallies.items():
        print(f"| {name} | {tally.files} | {tally.told} |")
    wrong = [text for tally in tallies.values() for text in tally.wrong]
    print("\n".join(wrong[:40]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
