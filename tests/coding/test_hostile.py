"""Files that a reader must refuse or survive: one problem each, never a traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from metalliance.coding.raw import a1
from metalliance.coding.review import read_review
from metalliance.coding.template import write_template
from metalliance.errors import CodingError, Problem
from tests.coding import workbooks as wb
from tests.coding.documents import MAIN, RELATIONS, ods, packed, worksheet, xlsx

SHEET = "xl/worksheets/sheet1.xml"


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
        ("page.xls", b"<html><table><tr><td>study</td></tr></table></html>", "wrong-type"),
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
    os.mkfifo(tmp_path / "pipe.csv")
    assert refused(tmp_path / "pipe.csv").code == "wrong-type"
    assert refused(tmp_path / "nul\0name.xlsx").code == "missing"


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("word/document.xml", "a Word document"),
        ("xl/workbook.bin", "an .xlsb workbook"),
        ("Index/Document.iwa", "an Apple Numbers file"),
        ("tables/EFFECTS.csv", "a zip file"),
        ("anything", "a zip file"),
    ],
)
def test_other_zip_files(tmp_path: Path, part: str, told: str) -> None:
    path = tmp_path / "other.xlsx"
    path.write_bytes(packed({part: "<w/>"}))
    problem = refused(path)
    assert problem.code == "wrong-type" and told in problem.what


@pytest.mark.parametrize(
    ("stream", "code"), [("EncryptedPackage", "locked"), ("Workbook", "old-format")]
)
def test_old_and_locked_files_are_told_apart(tmp_path: Path, stream: str, code: str) -> None:
    path = tmp_path / "old.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + stream.encode("utf-16-le"))
    assert refused(path).code == code


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


MEASURE = """
import resource, sys
from metalliance.coding.review import read_review
from metalliance.errors import CodingError
try:
    read_review(sys.argv[1], strict=False)
    codes = ["read"]
except CodingError as error:
    codes = [problem.code for problem in error.problems]
print(*codes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
SHARED = "<si><t>{}</t></si>"
HEAD = '<row r="1"><c r="A1" t="inlineStr"><is><t>study</t></is></c></row>'


def huge_cell() -> bytes:
    """600 MB of one letter in one cell."""
    opening = worksheet('<row r="1"><c r="A1" t="inlineStr"><is><t>').removesuffix(
        "</sheetData></worksheet>"
    )
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx(""))) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for name in source.namelist():
            if name != SHEET:
                out.writestr(name, source.read(name))
        with out.open(SHEET, "w") as stream:
            stream.write(opening.encode())
            for _ in range(600):
                stream.write(b"x" * 2**20)
            stream.write(b"</t></is></c></row></sheetData></worksheet>")
    return buffer.getvalue()


def wide() -> bytes:
    """16,384 columns with a title each."""
    cells = "".join(
        f'<c r="{a1(0, at)}" t="inlineStr"><is><t>m{at}</t></is></c>' for at in range(16_384)
    )
    return xlsx(worksheet(f'<row r="1">{cells}</row>'))


def shared_text(letters: int, cells: int) -> bytes:
    """One text that many cells show."""
    rows = "".join(
        f'<row r="{r}"><c r="A{r}" t="s"><v>0</v></c></row>' for r in range(2, cells + 2)
    )
    relation = (
        f'<Relationship Id="rId9" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
    )
    with zipfile.ZipFile(io.BytesIO(xlsx(worksheet(HEAD + rows)))) as source:
        parts = {name: source.read(name).decode() for name in source.namelist()}
    relations = "xl/_rels/workbook.xml.rels"
    parts[relations] = parts[relations].replace("</Relationships>", f"{relation}</Relationships>")
    texts = SHARED.format("x" * letters)
    return packed({**parts, "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>'})


def entities() -> bytes:
    """Thirty entities, each twice the one before."""
    lines = "".join(f'<!ENTITY a{n + 1} "&a{n};&a{n};">' for n in range(30))
    return xlsx(f'<!DOCTYPE x [<!ENTITY a0 "ha">{lines}]>' + worksheet(HEAD))


HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "600 MB in one cell": ("a.xlsx", huge_cell, "hostile"),
    "16,384 columns": ("a.xlsx", wide, "too-wide"),
    "one text in many cells": ("a.xlsx", lambda: shared_text(1_000_000, 50_000), "hostile"),
    "entities": ("a.xlsx", entities, "hostile"),
    "endless nesting": ("a.xlsx", lambda: xlsx(worksheet("<a>" * 1_000_000)), "hostile"),
    "merged cells": (
        "a.xlsx",
        lambda: xlsx(
            worksheet(HEAD).replace(
                "</worksheet>",
                "<mergeCells>" + '<mergeCell ref="A1:B2"/>' * 200_000 + "</mergeCells></worksheet>",
            )
        ),
        "hostile",
    ),
    "a cell repeated in .ods": (
        "a.ods",
        lambda: ods(
            '<table:table table:name="T"><table:table-row table:number-rows-repeated="1048576">'
            '<table:table-cell table:number-columns-repeated="16384" office:value-type="float" '
            'office:value="1"/></table:table-row></table:table>'
        ),
        "far-cell",
    ),
    "forty tables of .ods": (
        "a.ods",
        lambda: ods(
            "".join(
                f'<table:table table:name="T{n}"><table:table-row '
                'table:number-rows-repeated="4900"><table:table-cell office:value="1" '
                'table:number-columns-repeated="500" office:value-type="float"/>'
                "</table:table-row></table:table>"
                for n in range(40)
            )
        ),
        "too-large",
    ),
    "a long text repeated in .ods": (
        "a.ods",
        lambda: ods(
            '<table:table table:name="T"><table:table-row table:number-rows-repeated="1000">'
            f'<table:table-cell office:value-type="string"><text:p>{"x" * 1_000_000}</text:p>'
            "</table:table-cell></table:table-row></table:table>"
        ),
        "hostile",
    ),
    "many lines": ("a.csv", lambda: b"study,n,r\n" + b"\n" * 40_000_000, "too-large"),
    "many columns": ("a.csv", lambda: b"study,n,r\n" + b"," * 40_000_000, "too-wide"),
    "one long cell": ("a.csv", lambda: b'study,n,r\n"' + b"x" * 40_000_000, "corrupt"),
    "a large text": ("a.csv", lambda: b"study,n,r\n" + b"A,60,.31\n" * 7_000_000, "too-large"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_before_it_hurts(tmp_path: Path, name: str) -> None:
    """By its name, and with less than 1 GB of memory in all."""
    file, make, code = HOSTILE[name]
    path = tmp_path / file
    path.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    said, memory = done.stdout.split()
    assert said == code
    assert int(memory) < 2**20  # KiB
