"""A reviewer's own names for columns and levels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from metalliance.cli import run
from metalliance.coding.columns import columns_of
from metalliance.coding.mapping import SAID, ColumnRead, How, as_mapping, mapping_text
from metalliance.coding.review import read_review
from metalliance.errors import CodingError, Problem
from tests.coding import workbooks as wb

OWN = "Paper,Sample size,corr,Alliance rater\nA,60,.31,client\nB,50,.20,therapist\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(OWN, "utf-8")
    return path


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A workbook whose coders renamed columns and use their own words."""
    path = wb.write(tmp_path / "book.xlsx", wb.good(2))
    names = load_workbook(path)
    for sheet, old, new in (
        ("EFFECTS", "n", "How many"),
        ("EFFECTS", "value", "Zahl"),
        ("MEASURES", "rater", "Who"),
    ):
        names[sheet][wb.cell_of(sheet, old, 1)] = new
    names["MEASURES"][wb.cell_of("MEASURES", "rater", 2)] = "Patientin"
    names.save(path)
    return path


def refused(path: Path, mapping: object) -> tuple[Problem, ...]:
    with pytest.raises(CodingError) as caught:
        read_review(path, mapping)
    return caught.value.problems


def test_every_way_of_reading_a_column_is_said() -> None:
    assert set(SAID) == set(get_args(How))


def test_a_single_table_from_a_dict_and_from_a_file(table: Path, tmp_path: Path) -> None:
    mapping = {"Paper": "study", "corr": "r", "Alliance rater": "mod:rater"}
    file = tmp_path / "own.toml"
    file.write_text("".join(f'"{title}" = "{name}"\n' for title, name in mapping.items()), "utf-8")
    for form in (mapping, file, str(file)):
        review = read_review(table, form)
        effects = review.effects()
        assert effects.to_frame()["r"].tolist() == [0.31, 0.2]
        assert effects.moderators == ("rater",)
        assert [(c.title, c.field, c.how) for c in review.columns] == [
            ("Paper", "study", "mapping"),
            ("Sample size", "n", "synonym"),
            ("corr", "r", "mapping"),
            ("Alliance rater", "mod:rater", "mapping"),
        ]


def test_a_column_may_be_left_out(table: Path) -> None:
    mapping = {"Paper": "study", "corr": "r", "Alliance rater": "not read"}
    assert read_review(table, mapping).effects().moderators == ()


def test_a_workbook_by_sheet_with_own_words(book: Path) -> None:
    assert "missing-column" in {p.code for p in refused(book, None)}
    mapping = {
        "EFFECTS": {"How many": "n", "Zahl": "value"},
        "measures": {"Who": "rater"},
        "values": {"rater": {"Patientin": "patient"}},
    }
    review = read_review(book, mapping)
    assert review.effects().to_frame()["ni"].tolist() == [60.0, 60.0]
    assert review.measures[0].text("rater") == "patient"


def test_the_same_column_without_its_word_is_an_error_at_its_cell(book: Path) -> None:
    mapping = {"EFFECTS": {"How many": "n", "Zahl": "value"}, "MEASURES": {"Who": "rater"}}
    (problem,) = [p for p in refused(book, mapping) if p.severity == "error"]
    cell = wb.cell_of("MEASURES", "rater", 2)
    assert (problem.address, problem.code) == (f"MEASURES!{cell}", "unknown-level")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[EFECTS]\n"N" = "n"\n', ["did you mean [EFFECTS]?"]),
        ('[EFFECTS]\n"N" = "nn"\n"M" = 3\n', ["did you mean n?", "Give a field of EFFECTS"]),
        ('[EFFECTS]\n"N" = "n"\n"Size" = "n"\n', ["keep one"]),
        ('[values.ratr]\nclient = "patient"\n', ["did you mean [values.rater]?"]),
        ('[values.rater]\nclient = "patiant"\n', ["use one of: patient, therapist"]),
        ('[values.rater]\ntherapist = "patient"\n', ["delete this line"]),
        ('[values]\nrater = "patient"\n', ["did you mean"]),
    ],
)
def test_every_problem_of_a_mapping_at_once(tmp_path: Path, text: str, told: list[str]) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(CodingError) as caught:
        as_mapping(file)
    problems = caught.value.problems
    assert [(p.sheet, p.code) for p in problems] == [("own.toml", "mapping")] * len(told)
    for problem, words in zip(problems, told, strict=True):
        assert words in problem.mend


@pytest.mark.parametrize(
    "content", [b"[EFFECTS\n", b"\xff\xfe\x00", b"a = 1\na = 2\n", b"x = " + b"[" * 5000]
)
def test_what_is_no_mapping(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(content)
    with pytest.raises(CodingError) as caught:
        as_mapping(file)
    assert [p.code for p in caught.value.problems] == ["mapping"]


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.toml", tmp_path):
        with pytest.raises(CodingError):
            as_mapping(path)


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"EFFECTS": {"Nowhere": "n"}}, "has no column 'Nowhere'"),
        ({"GRID": {"x": "n"}, "EFFECTS": {}}, "has no column 'x'"),
        ({"Paper": "study"}, "names columns of no sheet"),
    ],
)
def test_a_mapping_must_fit_the_workbook(tmp_path: Path, mapping: object, told: str) -> None:
    path = wb.write(tmp_path / "book.xlsx", wb.good(1))
    assert any(told in p.what for p in refused(path, mapping))


def test_a_mapping_for_a_workbook_does_not_fit_a_table(table: Path) -> None:
    mapping = {"Paper": "study", "corr": "r", "EFFECTS": {"corr": "r"}}
    assert [p.code for p in refused(table, mapping)] == ["mapping"]


@pytest.mark.parametrize("header", ["study,n,sample size,r", "study,Sample Size,ni,r"])
def test_two_columns_that_mean_the_same_are_named(tmp_path: Path, header: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\nA,60,60,.3\n")
    (problem,) = refused(path, None)
    assert problem.code == "duplicate-column" and "both mean n" in problem.what
    assert "B1" in problem.what and problem.cell == "C1"


def test_a_mapping_says_which_of_two_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("study,n,N analysed,r\nA,60,50,.3\n")
    assert {p.code for p in refused(path, {"N analysed": "n"})} == {"duplicate-column"}
    review = read_review(path, {"N analysed": "n", "n": "not read"})
    assert review.effects().to_frame()["ni"].tolist() == [50.0]


def test_a_saved_mapping_reads_the_same_review(book: Path, table: Path, tmp_path: Path) -> None:
    first = {"Paper": "study", "corr": "r"}
    for path, mapping in ((table, first), (wb.write(tmp_path / "b.xlsx", wb.good(3)), None)):
        saved = tmp_path / f"{path.stem}.toml"
        saved.write_text(mapping_text(columns_of(path, mapping), path.name), "utf-8")
        before, after = read_review(path, mapping), read_review(path, saved)
        assert after.effects().to_frame().equals(before.effects().to_frame())
        assert after.problems == before.problems


TITLES = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\x7f"), min_size=1, max_size=30
)


@given(titles=st.lists(TITLES, min_size=1, max_size=5, unique=True))
def test_any_title_survives_the_file(titles: list[str]) -> None:
    import tomllib

    read = [
        ColumnRead(sheet="EFFECTS", cell="A1", title=title, field="n", how="name")
        for title in titles
    ]
    assert tomllib.loads(mapping_text(read, "t.csv"))["EFFECTS"] == dict.fromkeys(titles, "n")


def test_check_writes_what_it_read_even_where_a_column_is_missing(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "own.toml"
    assert run(["check", str(table), "--save-mapping", str(saved)]) == 2
    text = saved.read_text("utf-8")
    assert '"Sample size" = "n"' in text and '"corr" = "mod:corr"' in text
    saved.write_text(text.replace("mod:corr", "r").replace("mod:Paper", "study"), "utf-8")
    capsys.readouterr()
    assert run(["check", str(table), "--mapping", str(saved)]) == 0
    shown = capsys.readouterr().out
    assert "read  Paper → study, Sample size → n, corr → r" in shown
    assert run(["check", str(table), "--save-mapping", str(saved)]) == 2  # never written over


def test_check_says_in_json_what_columns_are_read_as(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(OWN.replace("Paper", "Study").replace("corr", "r"))
    assert run(["check", str(table), "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)["result"]["columns"]
    assert columns[1] == {
        "sheet": "",
        "cell": "B1",
        "title": "Sample size",
        "field": "n",
        "how": "synonym",
    }


@pytest.mark.parametrize("command", ["effects", "report", "fit"])
def test_other_commands_take_a_mapping(table: Path, tmp_path: Path, command: str) -> None:
    saved = tmp_path / "own.toml"
    saved.write_text('"Paper" = "study"\n"corr" = "r"\n')
    out = tmp_path / ("out" if command == "report" else "out.csv")
    options = [] if command == "fit" else ["--out", str(out)]
    options += ["--formats", "html"] if command == "report" else []
    assert run([command, str(table), "--mapping", str(saved), *options]) == 0
