"""Files that a reader must refuse or survive: one problem each, never a traceback."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from metalliance.coding.review import read_review
from metalliance.coding.template import write_template
from metalliance.errors import CodingError, Problem
from tests.coding import workbooks as wb

SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def refused(path: Path) -> Problem:
    with pytest.raises(CodingError) as caught:
        read_review(path, strict=False)
    assert len(caught.value.problems) == 1
    problem = caught.value.problems[0]
    assert problem.what and problem.mend and problem.severity == "error"
    return problem


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A single table as .xlsx: study, n, r and one row."""
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["study", "n", "r"])
    book.active.append(["A", 60, 0.31])
    path = tmp_path / "table.xlsx"
    book.save(path)
    return path


def rewrite(
    path: Path,
    change: Callable[[str, bytes], bytes] = lambda name, data: data,
    extra: Mapping[str, bytes] | None = None,
) -> None:
    target = io.BytesIO()
    with (
        zipfile.ZipFile(path) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for name in source.namelist():
            out.writestr(name, change(name, source.read(name)))
        for name, data in (extra or {}).items():
            out.writestr(name, data)
    path.write_bytes(target.getvalue())


def test_the_table_itself_is_read(table: Path) -> None:
    assert read_review(table).effects().to_frame()["ni"].tolist() == [60.0]


@pytest.mark.parametrize("address", ["XFD1048576", "ZZZZ99999999"])
def test_a_stray_far_cell_is_refused_by_name(table: Path, address: str) -> None:
    row = address.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    stray = f'<row r="{row}"><c r="{address}"><v>1</v></c></row></sheetData>'.encode()
    rewrite(table, lambda n, d: d.replace(b"</sheetData>", stray) if n == SHEET else d)
    problem = refused(table)
    assert (problem.code, problem.cell) == ("far-cell", address)


def test_far_formatting_without_content_is_harmless(table: Path) -> None:
    stray = b'<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>'
    rewrite(table, lambda n, d: d.replace(b"</sheetData>", stray) if n == SHEET else d)
    assert len(read_review(table).effects()) == 1


def test_a_document_type_is_refused(table: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'

    def change(name: str, data: bytes) -> bytes:
        if name != SHEET:
            return data
        at = data.index(b"<worksheet")
        return data[:at] + bomb + data[at:]

    rewrite(table, change)
    assert refused(table).code == "hostile"


def test_a_part_that_unpacks_to_much_more_is_refused(table: Path) -> None:
    rewrite(table, extra={"xl/media/zeros.bin": b"\0" * (20 * 2**20)})
    problem = refused(table)
    assert (problem.code, problem.value) == ("hostile", "xl/media/zeros.bin")


def test_a_part_that_stands_twice_is_refused(table: Path) -> None:
    with zipfile.ZipFile(table, "a") as archive, pytest.warns(UserWarning):
        archive.writestr(SHEET, b"<worksheet/>")
    assert refused(table).code == "hostile"


def test_deep_nesting_is_refused(table: Path) -> None:
    deep = b"<a>" * 5000 + b"</a>" * 5000
    rewrite(
        table, lambda n, d: d.replace(b"</sheetData>", b"</sheetData>" + deep) if n == SHEET else d
    )
    assert refused(table).code == "hostile"


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file(table: Path, keep: float) -> None:
    content = table.read_bytes()
    table.write_bytes(content[: int(len(content) * keep)])
    assert refused(table).code == "corrupt"


def test_damaged_bytes(table: Path) -> None:
    content = bytearray(table.read_bytes())
    for at in range(200, len(content) - 400, 97):
        content[at] ^= 0xFF
    table.write_bytes(bytes(content))
    assert refused(table).code == "corrupt"


def test_broken_xml(table: Path) -> None:
    rewrite(table, lambda n, d: d[:-40] if n == SHEET else d)
    assert refused(table).code == "corrupt"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("locked.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "locked"),
        ("empty.csv", b"", "empty"),
        ("blank.csv", b"\n\n , \n", "empty"),
        ("paper.xlsx", b"%PDF-1.7 and more", "wrong-type"),
        ("binary.csv", b"\x00\x01\x02\x03", "wrong-type"),
        ("undecodable.csv", b"study,n,r\nM\x81ller,60,.3\n", "encoding"),
        ("header.csv", b"study,n,r\n", "no-rows"),
        ("prose.csv", b"This is a letter.\nIt holds no table.\n", "missing-column"),
        ("quote.csv", b'study,n,r\n"A,60,.31\nB,50,.2\n', "corrupt"),
        ("unnamed.csv", b"study,n,rho\nA,60,.31\n", "missing-column"),
    ],
)
def test_no_table(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refused(path).code == code


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere.xlsx").code == "missing"
    assert refused(tmp_path).code == "directory"
    assert refused(tmp_path / "nul\0name.xlsx").code == "missing"


def test_other_zip_files(tmp_path: Path) -> None:
    path = tmp_path / "letter.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    assert refused(path).code == "wrong-type"


def test_forty_more_sheets_are_left_alone(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    path = wb.one_effect(tmp_path / "many.xlsx")
    book = load_workbook(path)
    for number in range(40):
        book.create_sheet(f"notes {number}").append(["study", "r", "=1+1"])
    book.save(path)
    review = read_review(path)
    assert review.problems == ()
    assert len(review.effects()) == 1


def test_spreadsheet_errors_are_not_taken_for_blanks(table: Path) -> None:
    error = b'<c r="C2" t="e"><v>#N/A</v></c>'

    def change(name: str, data: bytes) -> bytes:
        if name != SHEET:
            return data
        start = data.index(b'<c r="C2"')
        end = data.index(b"</c>", start) + 4
        return data[:start] + error + data[end:]

    rewrite(table, change)
    problem = next(p for p in read_review(table, strict=False).problems)
    assert (problem.cell, problem.value, problem.code) == ("C2", "#N/A", "error-value")


def test_a_formula_with_its_result_is_read(table: Path) -> None:
    def change(name: str, data: bytes) -> bytes:
        return (
            data.replace(b"<v>0.31</v>", b"<f>0.3+0.01</f><v>0.31</v>") if name == SHEET else data
        )

    rewrite(table, change)
    assert read_review(table).effects().to_frame()["r"].tolist() == [0.31]


def test_merged_cells_are_named_and_not_spread(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    sheets = wb.good(2)
    path = wb.write(tmp_path / "merged.xlsx", sheets)
    book = load_workbook(path)
    column = wb.cell_of("EFFECTS", "page", 2).rstrip("2")
    book["EFFECTS"].merge_cells(f"{column}2:{column}3")
    book.save(path)
    problems = read_review(path).problems
    assert [(p.code, p.severity) for p in problems] == [("merged", "note")]
    assert f"{column}2:{column}3" in problems[0].what


def test_the_empty_template_has_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "review.xlsx"
    write_template(path)
    review = read_review(path)
    assert (review.problems, len(review.effects())) == ((), 0)
    assert len(review.effects().excluded()) == 0
