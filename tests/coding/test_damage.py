"""What spreadsheet programs and people do to data is named, at its cell."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from metalliance.coding.review import read_review
from metalliance.errors import CodingError, Problem
from tests.coding import workbooks as wb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return wb.write(tmp_path / "book.xlsx", wb.good(4))


def found(path: Path, code: str) -> list[Problem]:
    return [p for p in read_review(path, strict=False).problems if p.code == code]


DAY = datetime.datetime(2026, 9, 3)


@pytest.mark.parametrize(
    ("sheet", "column", "value", "code", "severity"),
    [
        ("EFFECTS", "value", DAY, "date", "error"),
        ("EFFECTS", "n", datetime.time(3, 9), "date", "error"),
        ("MEASURES", "first_session", DAY, "date", "error"),
        ("MEASURES", "first_session", 46268, "date", "error"),
        ("EFFECTS", "page", DAY, "date", "note"),
        ("EFFECTS", "value", "\u2212.21", "typographic-minus", "error"),
        ("EFFECTS", "value", "0,31", "decimal-comma", "error"),
        ("EFFECTS", "value", "31%", "percent", "error"),
        ("EFFECTS", "value", ".31*", "stars", "error"),
        ("EFFECTS", "value", "<.05", "inequality", "error"),
        ("EFFECTS", "value", "'.31", "apostrophe", "error"),
        ("EFFECTS", "n", "6O", "look-alike", "error"),
        ("EFFECTS", "n", "1,234", "thousands", "error"),
        ("EFFECTS", "n", "1 234", "thousands", "error"),
        ("EFFECTS", "n", "1'234", "thousands", "error"),
        ("EFFECTS", "n", "1.234,5", "thousands", "error"),
        ("EFFECTS", "n", "#REF!", "error-value", "error"),
        ("EFFECTS", "n", "####", "error-value", "error"),
        ("EFFECTS", "n", "=1+", "uncached-formula", "error"),
        ("STUDIES", "doi", "1.02E+15", "power-of-ten", "note"),
        ("STUDIES", "doi", 10**16, "digits-lost", "note"),
        ("STUDIES", "title", "x" * 32_767, "cut-text", "note"),
        ("STUDIES", "preregistered", True, "unknown-level", "error"),
        ("MEASURES", "rater", "pateint", "unknown-level", "error"),
    ],
)
def test_cells(path: Path, sheet: str, column: str, value: Any, code: str, severity: str) -> None:
    cell = wb.cell_of(sheet, column, 3)
    wb.put(path, {(sheet, cell): value})
    assert [(p.address, p.severity) for p in found(path, code)] == [(f"{sheet}!{cell}", severity)]


@pytest.mark.parametrize("value", ["60", " 60 ", "60\u00a0", 60.0, "6e1"])
def test_numbers_as_text_are_numbers(path: Path, value: Any) -> None:
    wb.put(path, {("EFFECTS", wb.cell_of("EFFECTS", "n", 3)): value})
    review = read_review(path)
    assert review.problems == ()
    assert review.effects().to_frame()["ni"].tolist() == [60.0] * 4


def test_a_date_says_what_may_have_been_typed(path: Path) -> None:
    wb.put(path, {("EFFECTS", wb.cell_of("EFFECTS", "value", 3)): DAY})
    assert "9-3 or 3/9" in found(path, "date")[0].what


@pytest.mark.parametrize("spelt", ["G02 ", "\u00a0G02", "G02\u200b"])
def test_blanks_around_an_id_do_not_matter(path: Path, spelt: str) -> None:
    wb.put(path, {("EFFECTS", wb.cell_of("EFFECTS", "study", 3)): spelt})
    review = read_review(path)
    assert review.problems == () and len(review.effects()) == 4


@pytest.mark.parametrize(
    ("spelt", "why"), [("g02", "capitals"), ("G 02", "blanks"), ("'G02", "signs")]
)
def test_look_alike_ids(path: Path, spelt: str, why: str) -> None:
    cell = wb.cell_of("EFFECTS", "study", 3)
    wb.put(path, {("EFFECTS", cell): spelt})
    (asked,) = found(path, "look-alike")
    assert asked.cell == cell and why in asked.what
    assert [p.cell for p in found(path, "orphan-study")] == [cell]


def test_a_cyrillic_letter_is_named(path: Path) -> None:
    cell = wb.cell_of("EFFECTS", "alliance", 3)
    wb.put(path, {("EFFECTS", cell): "\u04101"})
    (problem,) = found(path, "look-alike")
    assert problem.cell == cell and "Cyrillic Capital Letter A" in problem.what


def test_ids_shown_with_leading_zeros_are_read_as_shown(tmp_path: Path) -> None:
    path = wb.write(tmp_path / "book.xlsx", wb.good(2))
    book = load_workbook(path)
    for sheet in ("STUDIES", "MEASURES", "EFFECTS"):
        for row in range(2, book[sheet].max_row + 1):
            cell = book[sheet].cell(row, 1)
            if cell.value == "G01":
                cell.value = "007" if sheet == "EFFECTS" else 7
                cell.number_format = "@" if sheet == "EFFECTS" else "000"
    book.save(path)
    review = read_review(path)
    assert review.effects().to_frame()["study"].tolist() == ["007", "G02"]


def test_hidden_rows_are_read_and_said(path: Path) -> None:
    book = load_workbook(path)
    book["EFFECTS"].row_dimensions[3].hidden = True
    book.save(path)
    (problem,) = found(path, "hidden-rows")
    assert (problem.address, problem.severity) == ("EFFECTS!A3", "note")
    assert len(read_review(path).effects()) == 4


@pytest.mark.parametrize("word", ["Total", "MEAN", "Overall:", "Pooled"])
def test_a_row_of_totals_is_an_error(tmp_path: Path, word: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"study,n,r\nA,60,.3\nB,50,.2\n{word},110,.25\n")
    with pytest.raises(CodingError) as caught:
        read_review(path)
    assert [(p.address, p.code) for p in caught.value.problems] == [("t.csv!A4", "totals-row")]
    assert len(read_review(path, strict=False).effects()) == 2


def test_a_study_by_a_person_of_that_name_is_none(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("study,n,r\nMean & Total (2010),60,.3\n")
    assert read_review(path).problems == ()


def test_a_second_line_of_header_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("study,n,r\n(authors),(patients),(correlation)\nA,60,.3\n")
    problems = read_review(path, strict=False).problems
    assert [(p.address, p.code) for p in problems] == [("t.csv!A2", "second-header")]


def test_a_series_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"S{i},{60 + i},.{i + 11}\n" for i in range(8))
    path.write_text(f"study,n,r\nX,80,.2\n{rows}")
    (problem,) = read_review(path).problems
    assert (problem.address, problem.code, problem.severity) == ("t.csv!B3", "series", "question")
    assert "t.csv!B10" in problem.what


def test_copies_of_sheets_are_named(path: Path) -> None:
    book = load_workbook(path)
    for name in ("EFFECTS (2)", "Copy of STUDIES", "notes"):
        book.create_sheet(name)
    book.save(path)
    assert [p.sheet for p in found(path, "sheet-copy")] == ["EFFECTS (2)", "Copy of STUDIES"]


@pytest.mark.parametrize("name", ["effects", "Effects ", " EFFECTS"])
def test_sheets_are_found_whatever_their_capitals(path: Path, name: str) -> None:
    book = load_workbook(path)
    book["EFFECTS"].title = "elsewhere"  # the writer takes capitals for another name
    book["elsewhere"].title = name
    book.save(path)
    assert len(read_review(path).effects()) == 4


def test_two_sheets_of_one_name(path: Path) -> None:
    book = load_workbook(path)
    book.create_sheet("effects ")
    book.save(path)
    (problem,) = found_error(path)
    assert problem.code == "duplicate-sheet" and "'effects '" in problem.what


def test_a_misspelt_sheet_is_named(path: Path) -> None:
    book = load_workbook(path)
    book["EFFECTS"].title = "EFECTS"
    book.save(path)
    (problem,) = found_error(path)
    assert problem.code == "missing-sheet" and "did you mean 'EFECTS'" in problem.mend


def found_error(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(CodingError) as caught:
        read_review(path, strict=False)
    return caught.value.problems


def test_the_header_may_stand_lower(path: Path) -> None:
    book = load_workbook(path)
    book["EFFECTS"].insert_rows(1, 3)
    book["EFFECTS"]["A1"] = "Our effects, as of March"
    book.save(path)
    review = read_review(path)
    assert (
        review.effects().to_frame()["address"].iloc[0]
        == f"EFFECTS!{wb.cell_of('EFFECTS', 'value', 5)}"
    )


def test_formulas_without_results_show_the_formula(path: Path) -> None:
    cell = wb.cell_of("EFFECTS", "value", 3)
    wb.put(path, {("EFFECTS", cell): "=0.3+0.01"})
    assert [(p.cell, p.value) for p in found(path, "uncached-formula")] == [(cell, "=0.3+0.01")]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("Müller et al., 2001", "Müller et al. 2001", "punctuation"),
        ("Flückiger 2012", "Fluckiger 2012", "accents"),
        ("Smith 2001", "smith 2001", "capitals"),
    ],
)
def test_studies_of_a_table_that_look_alike(
    tmp_path: Path, first: str, second: str, why: str
) -> None:
    """They would count as two studies."""
    path = tmp_path / "t.csv"
    path.write_text(f'study,n,r\n"{first}",60,.3\n"{first}",60,.2\n"{second}",60,.1\n', "utf-8")
    (problem,) = read_review(path).problems
    assert (problem.address, problem.code) == ("t.csv!A4", "look-alike")
    assert why in problem.what


def test_studies_with_other_numbers_do_not_look_alike(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("study,n,r\n1.2,60,.3\n12,50,.2\nSmith 2001,60,.1\nSmith 2011,60,.1\n")
    assert read_review(path).problems == ()


def test_two_faults_in_the_first_row_are_no_header(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("study,n,r\nA,60 patients,.3 (ns)\n")
    problems = read_review(path, strict=False).problems
    assert [(p.cell, p.code) for p in problems] == [("B2", "not-a-number"), ("C2", "not-a-number")]
