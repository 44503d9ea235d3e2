"""One copy for every coder: everything kept, initials filled in, nothing written over."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from openpyxl import load_workbook
from openpyxl.styles import PatternFill

from metalliance.coding import splitting
from metalliance.coding.review import read_review
from metalliance.coding.splitting import plain_initials, split_review
from metalliance.coding.template import fill_workbook
from metalliance.errors import CodingError, OutputError
from tests.coding import workbooks as wb


@pytest.fixture
def seeded(tmp_path: Path) -> Path:
    path = tmp_path / "review.xlsx"
    studies = [wb.study(f"S{n:03d}", citation=f"Author, {2000 + n}", phase="main") for n in (1, 2)]
    studies[1]["coder"] = "ZZ"
    studies[0]["mod:homework"] = "yes"
    fill_workbook(path, {"STUDIES": studies}, about={"title": "=A review"})
    book = load_workbook(path)
    book["STUDIES"]["C2"].fill = PatternFill("solid", start_color="FF00FF00")
    book["STUDIES"].column_dimensions["B"].width = 33
    book.create_sheet("Our notes")["B3"] = "kept"
    book.save(path)
    return path


def test_examples_run() -> None:
    done = doctest.testmod(splitting)
    assert (done.failed, done.attempted > 0) == (0, True)


def test_each_copy_holds_everything_and_the_initials(seeded: Path) -> None:
    before = seeded.read_bytes()
    done = split_review(seeded, ["AB", "CD"])
    assert [path.name for path in done.paths] == ["review_AB.xlsx", "review_CD.xlsx"]
    assert (done.effects, done.lacking) == (0, ())
    assert seeded.read_bytes() == before
    original = load_workbook(seeded)
    for initials, path in zip(("AB", "CD"), done.paths, strict=True):
        copy = load_workbook(path)
        assert copy.sheetnames == original.sheetnames
        for sheet in original:
            for row in sheet.iter_rows():
                for cell in row:
                    there = copy[sheet.title][cell.coordinate]
                    if sheet.title == "STUDIES" and cell.coordinate == _coder(2):
                        assert (cell.value, there.value) == (None, initials)
                        continue
                    assert there.value == cell.value
                    assert there.number_format == cell.number_format
                    assert there.fill.start_color.rgb == cell.fill.start_color.rgb
                    assert (there.comment and there.comment.text) == (
                        cell.comment and cell.comment.text
                    )
            for letter, column in sheet.column_dimensions.items():
                there = copy[sheet.title].column_dimensions[letter]
                assert (there.width, there.hidden) == (column.width, column.hidden)
            rules = copy[sheet.title].data_validations.dataValidation
            assert len(rules) == len(sheet.data_validations.dataValidation)
        assert copy["STUDIES"][_coder(3)].value == "ZZ"
        review = read_review(path, strict=False)
        assert not [p for p in review.problems if p.severity == "error"]
        assert review.studies[0].extra["homework"].value == "yes"


def _coder(row: int) -> str:
    return wb.cell_of("STUDIES", "coder", row)


def test_effects_that_stand_already_are_kept_and_told(tmp_path: Path) -> None:
    path = wb.write(tmp_path / "r.xlsx", wb.good(3))
    done = split_review(path, ["AB", "CD"], tmp_path / "out")
    assert done.effects == 3
    review = read_review(done.paths[1])
    assert [effect.text("coder") for effect in review.effects_coded] == ["CD"] * 3


def test_a_copy_that_exists_stops_all(seeded: Path) -> None:
    standing = seeded.with_name("review_CD.xlsx")
    standing.write_text("mine")
    with pytest.raises(OutputError, match=r"review_CD\.xlsx exists"):
        split_review(seeded, ["AB", "CD"])
    assert standing.read_text() == "mine"
    assert not seeded.with_name("review_AB.xlsx").exists()


@pytest.mark.parametrize(
    ("coders", "why"),
    [
        (["AB"], "two coders or more"),
        ([], "two coders or more"),
        (["AB", "ab"], "initials of their own"),
        (["AB", "../CD"], "'../CD' is not plain"),
        (["AB", "C D"], "'C D' is not plain"),
        (["AB", ""], "'' is not plain"),
        (["AB", "=CD"], "'=CD' is not plain"),
        (["AB", "C" * 13], "12 at most"),
    ],
)
def test_initials_that_cannot_serve(coders: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        plain_initials(coders)


def test_all_problems_of_initials_at_once() -> None:
    with pytest.raises(ValueError, match=r"'a/b' is not plain.*own"):
        plain_initials(["a/b", "X", "x"])


def test_files_that_cannot_be_split(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("study,n,r\nA,40,.3\n")
    empty = tmp_path / "empty.xlsx"
    fill_workbook(empty, {})
    for path, code in ((table, "wrong-type"), (empty, "no-studies"), (tmp_path / "no", "missing")):
        with pytest.raises(CodingError) as caught:
            split_review(path, ["AB", "CD"])
        assert [problem.code for problem in caught.value.problems] == [code]
