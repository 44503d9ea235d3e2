"""The annotated copy: marked cells, a list that can be answered, and still a valid workbook."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import load_workbook

from metalliance.cli import run
from metalliance.coding.problem_sheet import PROBLEM_SHEET, annotate
from metalliance.coding.review import Review, read_review
from metalliance.errors import OutputError
from tests.coding import workbooks as wb


def faulty(tmp_path: Path) -> Path:
    sheets = wb.good(4)
    sheets["EFFECTS"][1].update(value=1.2)
    sheets["EFFECTS"][2].update(se=0.0169)
    sheets["EFFECTS"][3].update(n=None)
    return wb.write(tmp_path / "review.xlsx", sheets)


def found(review: Review) -> list[tuple[str, str]]:
    return [(p.code, p.address) for p in review.problems]


def answer(path: Path, code: str, text: str) -> None:
    book = load_workbook(path)
    sheet = book[PROBLEM_SHEET]
    titles = {cell.value: cell.column for cell in sheet[2]}
    for row in range(3, sheet.max_row + 1):
        if sheet.cell(row, titles["code"]).value == code:
            sheet.cell(row, titles["answer"]).value = text
    book.save(path)


def test_the_copy_reads_as_the_original(tmp_path: Path) -> None:
    path = faulty(tmp_path)
    before, content = read_review(path, strict=False), path.read_bytes()
    done = annotate(before, tmp_path / "copy.xlsx")
    assert path.read_bytes() == content
    after = read_review(done.path, strict=False)
    assert found(after) == found(before)
    assert after.effects().to_frame().equals(before.effects().to_frame())
    assert done.marked == 3 and done.lacking == ()


def test_cells_are_marked_and_the_list_links_to_them(tmp_path: Path) -> None:
    done = annotate(read_review(faulty(tmp_path), strict=False), tmp_path / "copy.xlsx")
    book = load_workbook(done.path)
    value = book["EFFECTS"][wb.cell_of("EFFECTS", "value", 3)]
    assert "lies between" in value.comment.text and value.fill.start_color.rgb == "FFF4B6B6"
    rows = [[c.value for c in row[:4]] for row in book[PROBLEM_SHEET].iter_rows(min_row=3)]
    assert [row[0] for row in rows] == ["error", "question", "to do"]
    link = book[PROBLEM_SHEET]["B3"].hyperlink
    assert link.location == f"'EFFECTS'!{value.coordinate}"
    lists = {str(rule.formula1) for rule in book["EFFECTS"].data_validations.dataValidation}
    assert {"list_stat", "list_positive_means", "ids_STUDIES"} <= lists


def test_an_answer_silences_its_question_until_the_cell_changes(tmp_path: Path) -> None:
    copy = annotate(read_review(faulty(tmp_path), strict=False), tmp_path / "copy.xlsx").path
    answer(copy, "se-and-n", "SE of another analysis, p. 9")
    assert "se-and-n" not in [code for code, _ in found(read_review(copy, strict=False))]
    again = annotate(read_review(copy, strict=False), tmp_path / "again.xlsx").path
    assert "se-and-n" not in [code for code, _ in found(read_review(again, strict=False))]
    wb.put(again, {("EFFECTS", wb.cell_of("EFFECTS", "se", 4)): 0.02})
    assert "se-and-n" in [code for code, _ in found(read_review(again, strict=False))]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = faulty(tmp_path)
    review = read_review(path, strict=False)
    with pytest.raises(OutputError, match="exists"):
        annotate(review, path)


def test_a_flat_table_becomes_a_workbook_with_marks(tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    path.write_text("study,n,r\nA,40,.3\nB,=1+1,.2\nC,50,1.4\n", encoding="utf-8")
    before = read_review(path, strict=False)
    copy = annotate(before, tmp_path / "copy.xlsx").path
    after = read_review(copy, strict=False)
    codes = [(p.code, p.cell) for p in before.problems]
    assert [(p.code, p.cell) for p in after.problems] == codes
    assert len(after.effects()) == len(before.effects()) == 1


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = faulty(tmp_path)
    assert run(["check", str(path), "--annotate", str(tmp_path / "c.xlsx")]) == 2
    assert "3 cells marked, listed in PROBLEMS" in capsys.readouterr().out
    assert run(["check", str(path), "--annotate", str(tmp_path / "c.xlsx")]) == 2
    assert "exists and is left as it is" in capsys.readouterr().err


def test_signs_as_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheets = wb.good(4)
    sheets["EFFECTS"][0].update(page=7)
    sheets["EFFECTS"][1].update(value=-0.2, positive_means="worse")
    sheets["EFFECTS"][2].update(value=-0.15)
    sheets["EFFECTS"][3].update(positive_means="unclear")
    path = wb.write(tmp_path / "signs.xlsx", sheets)
    run(["check", str(path), "--signs"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("G0")]
    assert [line[:3] for line in lines] == ["G04", "G03", "G02", "G01"]
    assert lines[3] == "G01 E1: better alliance goes with LOWER BDI, r = +.10, p. 7"
    assert "LOWER BDI (reversed: positive means worse), r = +.20" in lines[2]
    assert "HIGHER BDI, r = −.15" in lines[1]
    assert "unclear, r = +.16 as printed" in lines[0]
