"""Ten defects in one workbook: ten addressed messages and nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from metalliance.coding.review import read_review
from metalliance.errors import CodingError, Problem
from tests.coding import workbooks as wb

DEFECTS = {
    12: ({"value": 1.2}, "value", "error", "correlation-range"),
    13: ({"value": ".3*"}, "value", "error", "stars"),
    14: ({"value": "0,35"}, "value", "error", "decimal-comma"),
    15: ({"n": 3}, "n", "error", "too-small"),
    16: ({"effect": "E1", "study": "G01"}, "effect", "error", "duplicate-id"),
    17: ({"stat": "pearsonn"}, "stat", "error", "unknown-level"),
    18: ({"study": "G99"}, "study", "error", "orphan-study"),
    19: ({"positive_means": None}, "positive_means", "todo", "blank"),
    20: ({"value": "=0.1+0.2"}, "value", "error", "uncached-formula"),
    21: ({"se": 0.02}, "se", "question", "se-and-n"),
}


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    sheets = wb.good(10)
    path = wb.write(tmp_path / "ten.xlsx", sheets)
    cells = {}
    for row, (changed, *_) in DEFECTS.items():
        faulty = {**wb.effect("G02", f"X{row}"), **changed}
        for column, value in faulty.items():
            cells["EFFECTS", wb.cell_of("EFFECTS", column, row)] = value
    wb.put(path, cells)
    return path


def expected() -> set[tuple[str, str, str, str]]:
    return {
        ("EFFECTS", wb.cell_of("EFFECTS", column, row), severity, code)
        for row, (_, column, severity, code) in DEFECTS.items()
    }


def found(problems: tuple[Problem, ...]) -> set[tuple[str, str, str, str]]:
    return {(p.sheet, p.cell, p.severity, p.code) for p in problems}


def test_ten_messages_and_nothing_else(workbook: Path) -> None:
    with pytest.raises(CodingError) as caught:
        read_review(workbook)
    problems = caught.value.problems
    assert len(problems) == 10
    assert found(problems) == expected()
    kinds = [problem.severity for problem in problems]
    assert (kinds.count("error"), kinds.count("todo"), kinds.count("question")) == (8, 1, 1)


def test_every_message_says_what_to_change(workbook: Path) -> None:
    problems = read_review(workbook, strict=False).problems
    told = {problem.code: str(problem) for problem in problems}
    assert "'.3*'" in told["stars"] and "type .3 and move * to p_printed" in told["stars"]
    assert "type 0.35" in told["decimal-comma"]
    assert "EFFECTS!C2" in told["duplicate-id"]
    assert "did you mean 'r'" in told["unknown-level"]
    assert "STUDIES" in told["orphan-study"]
    assert "save it" in told["uncached-formula"]
    assert "checked se-and-n:" in told["se-and-n"]
    assert all(problem.mend for problem in problems)


def test_good_rows_stay_good_and_every_row_is_accounted_for(workbook: Path) -> None:
    table = read_review(workbook, strict=False).effects()
    usable = table.to_frame()
    assert [f"G{i:02d}" for i in range(1, 11)] == usable["study"].tolist()[:10]
    assert usable["effect"].tolist()[10:] == ["X21"]
    left = table.excluded()
    assert len(usable) + len(left) == 20
    assert left["status"].tolist() == ["faulty"] * 7 + ["waiting"] + ["faulty"]
    assert left["reason"].str.len().min() > 10
    addresses = {f"EFFECTS!{cell}" for _, cell, severity, _ in expected() if severity != "question"}
    assert set(left["address"]) == addresses


def test_the_file_is_not_touched(workbook: Path) -> None:
    before = hashlib.sha256(workbook.read_bytes()).hexdigest()
    review = read_review(workbook, strict=False)
    assert hashlib.sha256(workbook.read_bytes()).hexdigest() == before == review.sha256


def test_a_question_is_answered_once(workbook: Path) -> None:
    note = wb.cell_of("EFFECTS", "note", 21)
    wb.put(workbook, {("EFFECTS", note): "checked: SE as printed, table 3"})
    problems = read_review(workbook, strict=False).problems
    assert not [problem for problem in problems if problem.severity == "question"]
