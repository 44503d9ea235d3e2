"""A folder of tables is the review that the workbook is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from metalliance.cli import run
from metalliance.coding.review import read_review
from metalliance.errors import CodingError, Problem
from tests.coding import workbooks as wb
from tests.coding.documents import as_folder

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    book = wb.write(tmp_path / "book.xlsx", wb.good(3))
    return as_folder(book, tmp_path / "review")


def refused(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(CodingError) as caught:
        read_review(path, strict=False)
    return caught.value.problems


@pytest.mark.parametrize("name", ["congruence_kolden2011", "simulated_alliance_295"])
def test_the_same_review_as_from_the_workbook(tmp_path: Path, name: str) -> None:
    book = read_review(DATA / f"{name}.xlsx", strict=False)
    tables = read_review(as_folder(DATA / f"{name}.xlsx", tmp_path / name), strict=False)
    assert tables.effects().to_frame().equals(book.effects().to_frame())
    assert tables.problems == book.problems
    assert (tables.kind, tables.about) == (book.kind, book.about)


def test_names_in_any_capitals_and_every_table_in_its_own_way(folder: Path) -> None:
    effects = (folder / "EFFECTS.csv").read_text("utf-8")
    (folder / "EFFECTS.csv").unlink()
    (folder / "Effects.tsv").write_bytes(effects.replace(",", "\t").encode("utf-16"))
    review = read_review(folder)
    assert len(review.effects()) == 3
    assert [(p.code, p.sheet) for p in review.problems] == [("text-format", "Effects.tsv")]


def test_problems_name_the_sheet_and_the_cell(folder: Path) -> None:
    path = folder / "EFFECTS.csv"
    path.write_text(path.read_text("utf-8").replace("0.12", "1.2"), "utf-8")
    cell = wb.cell_of("EFFECTS", "value", 3)
    found = [p for p in read_review(folder, strict=False).problems if p.severity == "error"]
    assert [(p.address, p.code) for p in found] == [(f"EFFECTS!{cell}", "correlation-range")]


def test_other_files_are_named_and_left_alone(folder: Path) -> None:
    (folder / "letter.docx").write_bytes(b"PK")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "old").mkdir()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (problem,) = read_review(folder).problems
    assert (problem.code, problem.severity) == ("ignored-files", "note")
    assert "letter.docx, old" in problem.what
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_ten_thousand_files(folder: Path) -> None:
    for number in range(10_000):
        (folder / f"{number}.csv").touch()
    (problem,) = read_review(folder).problems
    assert "and 9,994 more" in problem.what


def test_every_table_that_cannot_be_read_is_named_at_once(folder: Path) -> None:
    (folder / "STUDIES.csv").write_bytes(b"")
    (folder / "MODELS.csv").write_bytes(b"PK\x03\x04")
    (folder / "MEASURES.csv").unlink()
    (folder / "MEASURES.csv").mkdir()
    os.mkfifo(folder / "PLAN.txt")
    (folder / "PLAN.csv").unlink()
    found = {(p.sheet, p.code) for p in refused(folder)}
    assert found == {
        ("STUDIES.csv", "empty"),
        ("MODELS.csv", "wrong-type"),
        ("MEASURES.csv", "wrong-type"),
        ("PLAN.txt", "wrong-type"),
    }


def test_two_tables_of_one_sheet(folder: Path) -> None:
    (folder / "effects.tsv").write_bytes(b"study\tn\n")
    (problem,) = refused(folder)
    assert problem.code == "duplicate-sheet"
    assert "EFFECTS.csv and effects.tsv" in problem.what


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "EFECTS.csv").write_text("study,n\n")
    (tmp_path / "STUDIES.csv").write_text("study\n")
    (problem,) = refused(tmp_path)
    assert problem.code == "directory"
    assert "without EFFECTS.csv" in problem.what and "did you mean EFECTS" in problem.mend


def test_the_hash_is_of_the_tables_alone(folder: Path) -> None:
    first = read_review(folder).sha256
    (folder / "notes.txt").write_text("x")
    assert read_review(folder).sha256 == first
    path = folder / "STUDIES.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    assert read_review(folder).sha256 != first


def test_commands_take_a_folder(folder: Path, tmp_path: Path) -> None:
    assert run(["check", str(folder), "--annotate", str(tmp_path / "checked.xlsx")]) == 0
    assert run(["effects", str(folder), "--out", str(tmp_path / "effects.csv")]) == 0
    again = read_review(tmp_path / "checked.xlsx", strict=False)
    assert len(again.effects()) == 3
