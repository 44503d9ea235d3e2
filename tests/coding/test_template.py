"""The workbook that is handed to coders."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import load_workbook

from metalliance.coding.codebook import load_codebook
from metalliance.coding.review import read_review
from metalliance.coding.template import fill_workbook, write_template
from tests.coding import workbooks as wb

SHEETS = [
    *("START", "PLAN", "STUDIES", "MEASURES", "MODELS", "EFFECTS", "GRID", "INTERCORR"),
    *("EVIDENCE", "QUERIES", "EXCLUDED", "FLOW", "MODERATORS", "CODES"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "review.xlsx"
    write_template(path)
    return path


def test_sheets_and_columns_in_the_order_of_the_codebook(template: Path) -> None:
    book = load_workbook(template)
    assert book.sheetnames == SHEETS
    assert not any(sheet.merged_cells.ranges for sheet in book)
    for definition in load_codebook().tables:
        header = [cell.value for cell in book[definition.name][1]]
        assert header == list(definition.names)


def test_effects_show_thirty_six_columns_and_hide_the_rest(template: Path) -> None:
    sheet = load_workbook(template)["EFFECTS"]
    definition = load_codebook()["EFFECTS"]
    hidden = [f.name for f in definition.fields if f.group]
    assert len(definition.fields) - len(hidden) == 36
    assert definition.names[35] == "status" and hidden[0] == "df1"
    groups = sheet.column_dimensions
    assert not any(groups[letter].hidden for letter in ("A", "R", "AJ"))
    assert groups["AK"].hidden and groups["AK"].outlineLevel == 1
    assert sheet.freeze_panes and sheet.auto_filter.ref


def test_every_choice_has_a_list_and_every_column_its_help(template: Path) -> None:
    book = load_workbook(template)
    codes = {column[0].value: [c.value for c in column[1:]] for column in book["CODES"].columns}
    for definition in load_codebook().tables:
        sheet = book[definition.name]
        lists = {
            str(area).split(":")[0].rstrip("0123456789"): rule.formula1
            for rule in sheet.data_validations.dataValidation
            for area in rule.sqref.ranges
        }
        for cell, field in zip(sheet[1], definition.fields, strict=True):
            assert field.help in cell.comment.text
            assert (cell.column_letter in lists) == bool(field.levels or field.source)
            if field.levels:
                assert codes[field.list_name][: len(field.levels)] == list(field.levels)
            if field.type == "id":
                assert sheet.column_dimensions[cell.column_letter].number_format == "@"


def test_the_schema_stands_in_a_hidden_cell(template: Path) -> None:
    sheet = load_workbook(template)["START"]
    assert sheet["Z1"].value == load_codebook().schema
    assert sheet.column_dimensions["Z"].hidden


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    first = wb.one_effect(tmp_path / "a.xlsx").read_bytes()
    assert wb.one_effect(tmp_path / "b.xlsx").read_bytes() == first


def test_grey_columns_hold_formulas_that_are_not_read(tmp_path: Path) -> None:
    path = wb.one_effect(tmp_path / "grey.xlsx")
    sheet = load_workbook(path)["EFFECTS"]
    for name in ("label", "shared_occasions"):
        value = sheet[wb.cell_of("EFFECTS", name, 2)].value
        assert value.startswith("=IF(") and len(value) < 8000
        assert sheet[wb.cell_of("EFFECTS", name, 300)].value.startswith("=IF(")
    review = read_review(path)
    assert (review.problems, len(review.effects_coded)) == ((), 1)


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1", "-cmd", "=HYPERLINK(1)"])
def test_text_never_becomes_a_formula_and_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    path = wb.one_effect(tmp_path / "text.xlsx", note=text)
    cell = load_workbook(path)["EFFECTS"][wb.cell_of("EFFECTS", "note", 2)]
    assert (cell.data_type, cell.value, cell.quotePrefix) == ("s", text, True)
    assert read_review(path).effects_coded[0].text("note") == text


def test_every_field_survives_the_round_trip(tmp_path: Path) -> None:
    sheets = wb.good(1)
    given = {"page": "7", "p_printed": "n.s.", "quote": "r = .31", "ci_level": 90, "R2": 0.2}
    sheets["EFFECTS"][0].update(given)
    sheets["STUDIES"][0]["mod:dose"] = 3
    path = tmp_path / "trip.xlsx"
    fill_workbook(path, sheets, about={"title": "A review"})
    review = read_review(path)
    assert review.problems == () and review.about["title"] == "A review"
    effect = review.effects_coded[0]
    assert {name: effect.coded(name).value for name in given} == given
    assert review.studies[0].extra["dose"].value == 3.0


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no column 'colour'"):
        fill_workbook(tmp_path / "x.xlsx", {"STUDIES": [{"study": "A", "colour": "red"}]})
    assert list(tmp_path.iterdir()) == []
