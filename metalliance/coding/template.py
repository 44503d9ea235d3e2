"""Write the workbook, empty or filled, from the codebook."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metalliance.coding.about import ABOUT_KEYS
from metalliance.coding.codebook import Codebook, Field, SheetDefinition, load_codebook
from metalliance.coding.files import write_whole

__all__ = ["fill_workbook", "write_template"]

HOW_TO = (
    "1. STUDIES: one row per sample. 2. MEASURES: one row per alliance or outcome score. "
    "3. MODELS: one row per analysis; RAW (nothing controlled) and PRE (baseline only) need none. "
    "4. EFFECTS: one row per printed statistic.",
    "Type what is printed, with its sign; positive_means says what a positive number means.",
    "NR: the paper does not report it. NA: it does not apply. An empty cell: not yet coded. "
    "These three are never the same.",
    "Shaded columns are needed before a row is analysed. Grey columns are made by the sheet and "
    "ignored on import. Click [+] above the columns of EFFECTS for more.",
    "Check at any time:  metalliance check FILE    Report:  metalliance report FILE",
)
ROWS = 2000
FORMULA_ROWS = 300
GREY = "FF7F7F7F"
HEADER, NEEDED, MADE = "FFD9E2EC", "FFFFF2CC", "FFE7E6E6"
EPOCH = (1980, 1, 1, 0, 0, 0)
RISKY = ("=", "+", "-", "@")
Rows = Mapping[str, Sequence[Mapping[str, object]]]


def write_template(path: str | Path) -> None:
    """Write the empty workbook.

    Parameters
    ----------
    path : str or Path
        An ``.xlsx`` file; written beside its place first, then renamed.
    """
    fill_workbook(path, {})


def fill_workbook(path: str | Path, sheets: Rows, about: Mapping[str, str] | None = None) -> None:
    """Write a workbook with rows already in it.

    Parameters
    ----------
    path : str or Path
    sheets : mapping of sheet name to rows
        Each row maps column names to values; ``mod:`` columns in STUDIES are added at the end.
    about : mapping, optional
        What START says of the review; keys of ``ABOUT_KEYS``.

    Raises
    ------
    KeyError
        Where a row has a column that the codebook does not know.
    """
    from openpyxl import Workbook
    from openpyxl.worksheet.properties import PageSetupProperties

    codebook = load_codebook()
    book = Workbook()
    book.remove(book.active)
    _start(book.create_sheet("START"), codebook, about or {})
    for definition in codebook.sheets:
        _sheet(book.create_sheet(definition.name), definition, sheets.get(definition.name, ()))
    _codes(book.create_sheet("CODES"), codebook)
    for definition in codebook.sheets:
        sheet = book[definition.name]
        _dropdowns(sheet, definition, codebook)
        _formulas(sheet, definition, len(sheets.get(definition.name, ())))
    for sheet in book.worksheets:
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    _save(book, Path(path))


def _start(sheet: Any, codebook: Codebook, about: Mapping[str, str]) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.worksheet.datavalidation import DataValidation

    sheet.column_dimensions["A"].width = 32
    sheet.column_dimensions["B"].width = 90
    sheet["A1"] = "metalliance: coding workbook"
    sheet["A1"].font = Font(bold=True, size=14)
    row = 3
    for key, label in ABOUT_KEYS.items():
        sheet.cell(row, 1, key).font = Font(bold=True)
        cell = sheet.cell(row, 2)
        cell.fill = PatternFill("solid", start_color=NEEDED)
        cell.comment = Comment(f"{label}. Type it here.", "metalliance", height=60, width=260)
        if about.get(key):
            _put(cell, about[key])
        if key == "data" and about.get("data") == "simulated":
            cell.font = Font(bold=True, color="FFC00000")
        row += 1
    kinds = DataValidation(type="list", formula1='"real,simulated"', allow_blank=True)
    kinds.add(f"B{3 + list(ABOUT_KEYS).index('data')}")
    sheet.add_data_validation(kinds)
    for text in HOW_TO:
        row += 1
        cell = sheet.cell(row, 2, text)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.row_dimensions[row].height = 34
    for definition in codebook.sheets:
        row += 1
        sheet.cell(row + 1, 1, definition.name).font = Font(bold=True)
        sheet.cell(row + 1, 2, definition.about)
    sheet["Z1"] = codebook.schema
    sheet.column_dimensions["Z"].hidden = True


def _sheet(sheet: Any, definition: SheetDefinition, rows: Sequence[Mapping[str, object]]) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    extra = sorted({name for row in rows for name in row if str(name).startswith("mod:")})
    names = [*definition.names, *extra]
    unknown = sorted({str(name) for row in rows for name in row} - set(names))
    if unknown:
        raise KeyError(f"{definition.name} has no column {unknown[0]!r}")
    fields: list[Field | None] = [*definition.fields, *([None] * len(extra))]
    for number, (name, field) in enumerate(zip(names, fields, strict=True), start=1):
        letter = get_column_letter(number)
        cell = sheet.cell(1, number, name)
        cell.font = Font(bold=True)
        cell.alignment = Alignment(vertical="top", wrap_text=True)
        color = HEADER
        if field is not None:
            color = NEEDED if field.required else MADE if field.type == "formula" else HEADER
            cell.comment = Comment(_help(field), "metalliance", height=120, width=260)
            sheet.column_dimensions[letter].width = max(field.width, len(name) + 3)
            if field.group:
                sheet.column_dimensions[letter].outlineLevel = 1
                sheet.column_dimensions[letter].hidden = True
            if field.type == "id" or name == "p_printed":
                sheet.column_dimensions[letter].number_format = "@"
                for row in range(2, len(rows) + 2):
                    sheet.cell(row, number).number_format = "@"
        cell.fill = PatternFill("solid", start_color=color)
    for number, row_values in enumerate(rows, start=2):
        for column, name in enumerate(names, start=1):
            value = row_values.get(name)
            if value is not None and value != "":
                _put(sheet.cell(number, column), value)
    sheet.freeze_panes = "B2" if definition.name == "STUDIES" else "D2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(names))}{max(len(rows) + 1, 2)}"
    sheet.sheet_properties.outlinePr.summaryRight = False


def _help(field: Field) -> str:
    levels = f"\nOne of: {', '.join(field.levels)}" if field.levels else ""
    needed = "Needed. " if field.required else ""
    return f"{needed}{field.help}{levels}"


def _codes(sheet: Any, codebook: Codebook) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    for number, (name, levels) in enumerate(codebook.levels.items(), start=1):
        sheet.cell(1, number, name).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(number)].width = max(14, len(name) + 2)
        for row, level in enumerate((*levels, *_missing_codes(name)), start=2):
            _put(sheet.cell(row, number), level)
    sheet.freeze_panes = "A2"


def _missing_codes(list_name: str) -> tuple[str, ...]:
    without = ("positive_means", "role", "path", "stat", "component", "kind_measure", "status")
    return () if list_name in (*without, "phase", "kind_model") else ("NR", "NA")


def _dropdowns(sheet: Any, definition: SheetDefinition, codebook: Codebook) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    lists = list(codebook.levels)
    for number, field in enumerate(definition.fields, start=1):
        if field.levels:
            letter = get_column_letter(lists.index(field.list_name) + 1)
            count = len(field.levels) + len(_missing_codes(field.list_name))
            choices = f"CODES!${letter}$2:${letter}${count + 1}"
        elif field.source:
            choices = f"{field.source}!$A$2:$A${ROWS + 1}"
        else:
            continue
        rule = DataValidation(type="list", formula1=choices, allow_blank=True)
        rule.errorTitle, rule.error = field.name, "Choose from the list."
        rule.promptTitle, rule.prompt = field.name, field.help[:250]
        rule.showErrorMessage = rule.showInputMessage = True
        column = get_column_letter(number)
        rule.add(f"{column}2:{column}{ROWS + 1}")
        sheet.add_data_validation(rule)


def _put(cell: Any, value: object) -> None:
    """Write a value as it is; text never becomes a formula, now or when it is edited."""
    cell.value = value
    if isinstance(value, str) and value.startswith(RISKY):
        cell.data_type = "s"
        cell.quotePrefix = True


def _formulas(sheet: Any, definition: SheetDefinition, rows: int) -> None:
    """Fill the grey columns of EFFECTS: they show, and are never read."""
    from openpyxl.styles import Font

    for name, formula in made_by_the_sheet().items():
        if name not in definition.names:
            continue
        column = definition.names.index(name) + 1
        for row in range(2, max(rows, FORMULA_ROWS) + 2):
            cell = sheet.cell(row, column, formula.replace("{row}", str(row)))
            cell.font = Font(color=GREY)


def made_by_the_sheet() -> dict[str, str]:
    """Formulas of the grey columns, with ``{row}`` for the row number."""
    from openpyxl.utils import get_column_letter

    book = load_codebook()
    effects, measures = book["EFFECTS"].names, book["MEASURES"].names

    def own(name: str) -> str:
        return f"${get_column_letter(effects.index(name) + 1)}{{row}}"

    def column(name: str) -> str:
        letter = get_column_letter(measures.index(name) + 1)
        return f"MEASURES!${letter}$2:${letter}${ROWS + 1}"

    def of(measure: str, name: str) -> str:
        same = f"({column('study')}={own('study')})*({column('id')}={own(measure)})"
        return f"LOOKUP(2,1/({same}),{column(name)})"

    def when(measure: str) -> str:
        first = of(measure, "first_session")
        return f'IF(ISTEXT({first}),{first},IF({first}=0,"","s"&{first}))'

    def words(measure: str) -> str:
        parts = (of(measure, "instrument"), of(measure, "rater"), when(measure))
        return '&" "&'.join(parts)

    empty = f'OR({own("alliance")}="",{own("outcome")}="")'
    sessions = [
        of(m, s) for s in ("first_session", "last_session") for m in ("alliance", "outcome")
    ]
    first, last = ",".join(sessions[:2]), ",".join(sessions[2:])
    overlap = f"MAX(0,MIN({last})-MAX({first})+1)"
    known = "*".join(sessions)
    return {
        "label": f'=IF({empty},"",IFERROR({words("alliance")}&" → "&{words("outcome")},""))',
        "shared_occasions": f'=IF({empty},"",IF({own("lag")}="post",0,'
        f'IFERROR(IF({known}=0,"",{overlap}),0)))',
    }


def _save(book: Any, path: Path) -> None:
    buffer = io.BytesIO()
    book.properties.creator = "metalliance"
    book.save(buffer)
    write_whole(path, _without_times(buffer.getvalue()))


def _without_times(content: bytes) -> bytes:
    """Rewrite the archive so that the same rows give the same bytes."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as rewritten,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                stamp = rb"\g<1>1980-01-01T00:00:00Z\g<2>"
                data = re.sub(rb"(<dcterms:\w+[^>]*>)[^<]*(</dcterms:)", stamp, data)
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            rewritten.writestr(entry, data)
    return target.getvalue()
