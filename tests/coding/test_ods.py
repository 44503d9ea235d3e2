"""OpenDocument spreadsheets: the same review as from .xlsx, at the same addresses."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest

from metalliance.coding.raw import ErrorValue, Uncached
from metalliance.coding.review import read_review
from metalliance.coding.spreadsheet import open_source
from metalliance.errors import CodingError, Problem
from tests.coding import documents as doc

DATA = Path(__file__).parents[2] / "data"
TABLE = [["study", "n", "r"], ["A", 60, 0.31], ["B", 50, 0.2]]


def write(tmp_path: Path, tables: str, **options: str) -> Path:
    path = tmp_path / "table.ods"
    path.write_bytes(doc.ods(tables, **options))
    return path


def refused(path: Path) -> Problem:
    with pytest.raises(CodingError) as caught:
        read_review(path, strict=False)
    (problem,) = caught.value.problems
    assert problem.mend
    return problem


def test_a_table_is_a_review(tmp_path: Path) -> None:
    review = read_review(write(tmp_path, doc.ods_table("effects", TABLE)))
    frame = review.effects().to_frame()
    assert frame["r"].tolist() == [0.31, 0.2]
    assert frame["address"].tolist() == ["effects!C2", "effects!C3"]


def test_addresses_hold_behind_repeated_rows_and_cells(tmp_path: Path) -> None:
    empty = '<table:table-row table:number-rows-repeated="4"><table:table-cell/></table:table-row>'
    table = doc.ods_table(
        "T", [["<table:table-cell table:number-columns-repeated='3'/>", *row] for row in TABLE]
    )
    at = table.index("<table:table-row>")
    review = read_review(write(tmp_path, table[:at] + empty + table[at:]))
    assert review.effects().to_frame()["address"].tolist() == ["T!F6", "T!F7"]


def cell(attributes: str, shown: str = "") -> str:
    inside = f"<text:p>{shown}</text:p>" if shown else ""
    return f"<table:table-cell {attributes}>{inside}</table:table-cell>"


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        (cell('office:value-type="percentage" office:value="0.31"', "31%"), 0.31),
        (cell('office:value-type="boolean" office:boolean-value="true"', "TRUE"), True),
        (
            cell('office:value-type="date" office:date-value="2026-09-03"', "9"),
            datetime.date(2026, 9, 3),
        ),
        (cell('table:formula="of:=1+1" office:value-type="float" office:value="2"', "2"), 2.0),
        (cell('table:formula="of:=[.A1]+1"'), Uncached("[.A1]+1")),
        (
            cell(
                'table:formula="of:=1/0" office:value-type="string" calcext:value-type="error"',
                "#DIV/0!",
            ),
            ErrorValue("#DIV/0!"),
        ),
        (
            "<table:table-cell office:value-type='string'><office:annotation><text:p>a comment"
            "</text:p></office:annotation><text:p>WAI</text:p></table:table-cell>",
            "WAI",
        ),
    ],
)
def test_cells(tmp_path: Path, xml: str, value: object) -> None:
    source = open_source(write(tmp_path, doc.ods_table("T", [["a"], [xml]])))
    assert source.grid("T").at(1, 0) == value


def test_hidden_rows_and_merged_cells_are_noted(tmp_path: Path) -> None:
    span = 'table:number-rows-spanned="2" office:value-type="float" office:value="60"'
    rows = [
        ["study", "n", "r"],
        ["A", cell(span, "60"), 0.31],
        ["B", "<table:covered-table-cell/>", 0.2],
    ]
    first, second, third = doc.ods_table("T", rows).split("</table:table-row>", 2)
    third = third.replace("<table:table-row>", '<table:table-row table:visibility="filter">')
    table = "</table:table-row>".join((first, second, third))
    problems = read_review(write(tmp_path, table), strict=False).problems
    assert {(p.code, p.cell) for p in problems if p.severity == "note"} == {
        ("hidden-rows", "A3"),
        ("merged", "B2"),
    }


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (
            '<table:table-row table:number-rows-repeated="1048576"><table:table-cell '
            'table:number-columns-repeated="1024" office:value-type="float" office:value="1"/>'
            "</table:table-row>",
            "far-cell",
        ),
        (
            '<table:table-row table:number-rows-repeated="999999999999999999999"><table:table-cell '
            'office:value-type="float" office:value="1"/></table:table-row>',
            "far-cell",
        ),
        (
            '<table:table-row><table:table-cell table:number-columns-repeated="16384" '
            'office:value-type="float" office:value="1"/></table:table-row>',
            "too-wide",
        ),
        ("<a>" * 5000 + "</a>" * 5000, "hostile"),
        ("<table:table-row>", "corrupt"),
    ],
)
def test_hostile_tables_are_refused(tmp_path: Path, row: str, code: str) -> None:
    table = doc.ods_table("T", TABLE).replace("</table:table>", row + "</table:table>")
    assert refused(write(tmp_path, table)).code == code


def test_endless_empty_rows_are_harmless(tmp_path: Path) -> None:
    empty = (
        '<table:table-row table:number-rows-repeated="1048573"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row>'
    )
    table = doc.ods_table("T", TABLE).replace("</table:table>", empty + "</table:table>")
    assert len(read_review(write(tmp_path, table)).effects()) == 2


def test_entities_and_passwords(tmp_path: Path) -> None:
    table = doc.ods_table("T", TABLE)
    head = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    assert refused(write(tmp_path, table, head=head)).code == "hostile"
    manifest = doc.MANIFEST.replace("/>", "><manifest:encryption-data/></manifest:manifest>")
    assert refused(write(tmp_path, table, manifest=manifest)).code == "locked"


@pytest.mark.office
@pytest.mark.parametrize("name", ["congruence_kolden2011", "simulated_alliance_295"])
def test_a_workbook_saved_as_ods_is_the_same_review(tmp_path: Path, name: str) -> None:
    office = shutil.which("soffice")
    assert office is not None
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    subprocess.run(
        [
            office,
            profile,
            "--headless",
            "--convert-to",
            "ods",
            "--outdir",
            tmp_path,
            DATA / f"{name}.xlsx",
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    before = read_review(DATA / f"{name}.xlsx", strict=False)
    after = read_review(tmp_path / f"{name}.ods", strict=False)
    assert after.effects().to_frame().equals(before.effects().to_frame())
    assert after.problems == before.problems
