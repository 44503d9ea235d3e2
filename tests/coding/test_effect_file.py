"""Tables of effects as they stand: types of columns, row numbers, and faults with their cells."""

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from metalliance.coding.effect_file import EffectFile, read_effect_file, typed
from metalliance.coding.spreadsheet import open_source
from metalliance.errors import CodingError


def read(folder: Path, text: str, needed: tuple[str, ...] = ("yi", "vi")) -> EffectFile | None:
    path = folder / "t.csv"
    path.write_bytes(text.encode("utf-8-sig"))
    return read_effect_file(open_source(path), needed)


def test_columns_are_numbers_or_text_and_only_blank_is_missing(tmp_path: Path) -> None:
    text = (
        "study,yi,vi,year,word,flag,id\nA,.3,1e-2,2001,NA,TRUE,007\n\nB,-.1,.02,,None,false,012\n"
    )
    file = read(tmp_path, text)
    assert file is not None
    frame = file.frame
    assert frame.index.tolist() == [2, 4]
    assert frame["yi"].tolist() == [0.3, -0.1]
    assert frame["word"].tolist() == ["NA", "None"]
    assert frame["flag"].tolist() == [1, 0]
    assert frame["id"].tolist() == ["007", "012"]
    assert frame["year"].isna().tolist() == [False, True]


def test_whole_numbers_stay_whole() -> None:
    assert typed(["1", "2", "3"]).tolist() == [1, 2, 3]
    assert pd.api.types.is_integer_dtype(typed(["1", "2"]))
    assert pd.api.types.is_float_dtype(typed(["1", ""]))


def test_semicolons_bring_decimal_commas(tmp_path: Path) -> None:
    file = read(tmp_path, "study;yi;vi\nA;0,3;0,02\nB;0,25;0,01\n")
    assert file is not None
    assert file.frame["yi"].tolist() == [0.3, 0.25]


def test_a_table_without_the_columns_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, "study,n,r\nA,40,.3\n") is None


def test_a_sheet_of_a_workbook(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["study", "yi", "vi", "on"])
    book.active.append(["A", 0.3, 0.02, True])
    book.active.append([7, 0.1, 0.01, False])
    path = tmp_path / "t.xlsx"
    book.save(path)
    file = read_effect_file(open_source(path), ["yi", "vi"])
    assert file is not None
    assert file.frame["study"].tolist() == ["A", "7"]
    assert file.frame["on"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "cell", "code"),
    [
        ("yi,vi,yi\n1,1,1\n", "C1", "duplicate-column"),
        ("yi,vi\n1,1,1\n", "C2", "ragged-row"),
        ("yi,vi\n", "", "no-rows"),
    ],
)
def test_tables_that_cannot_be_meant(tmp_path: Path, text: str, cell: str, code: str) -> None:
    with pytest.raises(CodingError) as caught:
        read(tmp_path, text)
    (problem,) = caught.value.problems
    assert (problem.cell, problem.code) == (cell, code)


def test_effects_and_variances_are_checked_cell_by_cell(tmp_path: Path) -> None:
    file = read(tmp_path, "yi,vi\nx,1\n.2,0\n,1\n.3,-\n.1,.1\n")
    assert file is not None
    with pytest.raises(CodingError) as caught:
        file.check_effects(file.frame.index, "yi", "vi")
    assert [problem.cell for problem in caught.value.problems][:1] == ["A2"]
    assert {problem.cell for problem in caught.value.problems} == {"A2", "A4", "B3", "B5"}
    file.check_effects([6], "yi", "vi")


def test_many_faults_are_counted(tmp_path: Path) -> None:
    file = read(tmp_path, "yi,vi\n" + "x,1\n" * 30)
    assert file is not None
    with pytest.raises(CodingError) as caught:
        file.check_effects(file.frame.index, "yi", "vi")
    assert len(caught.value.problems) == 21
    assert "10 more" in caught.value.problems[-1].what


def test_a_moderator_of_numbers_holds_no_text(tmp_path: Path) -> None:
    file = read(tmp_path, 'yi,vi,x,w,g\n1,1,1,"0,5",a\n1,1,NA,"0,7",b\n1,1,,"0,9",NA\n')
    assert file is not None
    rows = file.frame.index
    with pytest.raises(CodingError, match=r"C3 'NA'.*C\(x\)"):
        file.check_moderators(rows, ["x"])
    with pytest.raises(CodingError, match=r"type 0\.5"):
        file.check_moderators(rows, ["w"])
    file.check_moderators(rows, ["g"])
    (note,) = file.looks_missing(rows, ["g"])
    assert note.cell == "E4"
