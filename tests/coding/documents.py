"""Spreadsheets written by hand for tests: .ods, folders of tables, workbooks as raw XML."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from openpyxl import load_workbook

NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
)
MANIFEST = (
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
)
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def ods(tables: str, *, manifest: str = MANIFEST, head: str = "") -> bytes:
    """An .ods file from the XML of its tables."""
    content = (
        f"{head}<office:document-content {NAMES}><office:body><office:spreadsheet>"
        f"{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": manifest,
            "content.xml": content,
        }
    )


def ods_table(name: str, rows: Sequence[Sequence[object]]) -> str:
    """A table of text, numbers and raw XML (cells that begin with ``<``)."""
    body = "".join(
        f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows
    )
    return f'<table:table table:name="{name}">{body}</table:table>'


def _ods_cell(value: object) -> str:
    if isinstance(value, str) and value.startswith("<"):
        return value
    if value is None or value == "":
        return "<table:table-cell/>"
    if isinstance(value, int | float):
        given = f'office:value-type="float" office:value="{value!r}"'
        return f"<table:table-cell {given}><text:p>{value}</text:p></table:table-cell>"
    return (
        f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
    )


def xlsx(sheet: str, *, styles: str = "") -> bytes:
    """An .xlsx file with one sheet, TABLE, from the XML of that sheet."""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="TABLE" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": sheet,
    }
    if styles:
        parts["xl/styles.xml"] = styles
    return packed(parts)


def worksheet(rows: str) -> str:
    """The XML of a sheet from that of its rows."""
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def packed(parts: Mapping[str, str]) -> bytes:
    """A zip of these parts, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def as_folder(
    workbook: Path, folder: Path, *, delimiter: str = ",", encoding: str = "utf-8"
) -> Path:
    """The sheets of a workbook as tables in a folder."""
    folder.mkdir(exist_ok=True)
    for sheet in load_workbook(workbook, data_only=True):
        rows = [["" if v is None else v for v in row] for row in sheet.iter_rows(values_only=True)]
        with (folder / f"{sheet.title}.csv").open("w", newline="", encoding=encoding) as file:
            csv.writer(file, delimiter=delimiter).writerows(rows)
    return folder
