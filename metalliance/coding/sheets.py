"""Draw the sheets of a workbook from the codebook: headers, help, lists, grey formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metalliance.coding.codebook import OWN, Codebook, Field, SheetDefinition, load_codebook

__all__ = [
    "NEEDED",
    "define_lists",
    "draw_column",
    "draw_pairs",
    "draw_table",
    "fill_formulas",
    "put",
    "set_dropdown",
]

ROWS = 2000
FORMULA_ROWS = 300
GREY = "FF7F7F7F"
HEADER, NEEDED, MADE, OWN_COLUMN = "FFD9E2EC", "FFFFF2CC", "FFE7E6E6", "FFE2EFDA"
RISKY = ("=", "+", "-", "@")
FROZEN = {"STUDIES": "B2", "EXCLUDED": "B2", "MODERATORS": "B2", "GRID": "D2"}
WITHOUT_CODES = frozenset(
    {
        *("positive_means", "role", "path", "stat", "component", "kind_measure", "kind_model"),
        *("status", "phase", "own_sheet", "own_type", "data_kind", "state", "method"),
        *("query_to", "query_status", "exclusion_stage", "exclusion_reason", "n_source"),
    }
)


def put(cell: Any, value: object) -> None:
    """Write a value as it is; text never becomes a formula, now or when it is edited."""
    cell.value = value
    if isinstance(value, str) and value.startswith(RISKY):
        cell.data_type = "s"
        cell.quotePrefix = True


def draw_table(
    sheet: Any, definition: SheetDefinition, rows: Sequence[Mapping[str, object]]
) -> None:
    """Header, rows, frozen panes and filter of a sheet with one record per row.

    Raises
    ------
    KeyError
        Where a row has a column that the codebook does not know.
    """
    from openpyxl.utils import get_column_letter

    own = [f"{OWN}{field.name}" for field in definition.own]
    loose = sorted({str(n) for row in rows for n in row if str(n).startswith(OWN)} - set(own))
    names = [*definition.names, *own, *loose]
    unknown = sorted({str(name) for row in rows for name in row} - set(names))
    if unknown:
        raise KeyError(f"{definition.name} has no column {unknown[0]!r}")
    fields: list[Field | None] = [*definition.fields, *definition.own, *([None] * len(loose))]
    for number, (name, field) in enumerate(zip(names, fields, strict=True), start=1):
        draw_column(sheet, number, name, field, rows=len(rows))
    for number, row_values in enumerate(rows, start=2):
        for column, name in enumerate(names, start=1):
            value = row_values.get(name)
            if value is not None and value != "":
                put(sheet.cell(number, column), value)
    sheet.freeze_panes = FROZEN.get(definition.name, "D2")
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(names))}{max(len(rows) + 1, 2)}"
    sheet.sheet_properties.outlinePr.summaryRight = False


def draw_column(
    sheet: Any, number: int, name: str, field: Field | None, *, rows: int = 0, said: str = ""
) -> None:
    """Header cell, help, width and format of one column; ``said`` is added to its help."""
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    letter = get_column_letter(number)
    cell = sheet.cell(1, number, name)
    cell.font = Font(bold=True)
    cell.alignment = Alignment(vertical="top", wrap_text=True)
    cell.fill = PatternFill("solid", start_color=_colour(name, field))
    if field is None:
        return
    text = f"{_help(field)}\n{said}" if said else _help(field)
    cell.comment = Comment(text, "metalliance", height=120, width=260)
    sheet.column_dimensions[letter].width = max(field.width, len(name) + 3)
    if field.group:
        sheet.column_dimensions[letter].outlineLevel = 1
        sheet.column_dimensions[letter].hidden = True
    if field.type == "id" or name == "p_printed":
        sheet.column_dimensions[letter].number_format = "@"
        for row in range(2, rows + 2):
            sheet.cell(row, number).number_format = "@"


def _colour(name: str, field: Field | None) -> str:
    if name.startswith(OWN):
        return OWN_COLUMN
    if field is None:
        return HEADER
    return NEEDED if field.required else MADE if field.type == "formula" else HEADER


def _help(field: Field) -> str:
    levels = f"\nOne of: {', '.join(field.levels)}" if field.levels else ""
    needed = "Needed. " if field.required else ""
    return f"{needed}{field.help}{levels}"


def draw_pairs(
    sheet: Any, definition: SheetDefinition, values: Mapping[str, object], first: int
) -> int:
    """One row per field from row ``first``: name, value, what it means; the row after the last."""
    from openpyxl.styles import Alignment, Font, PatternFill

    for number, width in enumerate((32, 60, 90), start=1):
        sheet.column_dimensions["ABC"[number - 1]].width = width
    row = first
    for field in definition.fields:
        named = sheet.cell(row, 1, field.name)
        named.font, named.alignment = Font(bold=True), Alignment(vertical="top")
        value = sheet.cell(row, 2)
        value.fill = PatternFill("solid", start_color=NEEDED)
        value.alignment = Alignment(wrap_text=True, vertical="top")
        if field.type == "text":
            value.number_format = "@"
        sheet.cell(row, 3, field.help).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.row_dimensions[row].height = 15 * (1 + len(field.help) // 85)
        if values.get(field.name) not in (None, ""):
            put(value, values[field.name])
        if field.levels:
            set_dropdown(sheet, field, f"B{row}")
        row += 1
    return row


def define_lists(book: Any, codebook: Codebook) -> None:
    """Fill CODES and name its lists; lists that stand there already are written anew.

    Named lists outlive a spreadsheet program that saves the file; direct references to another
    sheet may not.
    """
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.workbook.defined_name import DefinedName

    sheet = book["CODES"] if "CODES" in book.sheetnames else book.create_sheet("CODES")
    own = {field.list_name: field.levels for s in codebook.sheets for field in s.own}
    own.pop("", None)
    titles = {cell.value: cell.column for cell in sheet[1] if cell.value}
    for name, levels in {**codebook.levels, **own}.items():
        number = titles.get(name) or len(titles) + 1
        titles[name] = number
        letter = get_column_letter(number)
        sheet.cell(1, number, name).font = Font(bold=True)
        sheet.column_dimensions[letter].width = max(14, len(name) + 2)
        entries = (*levels, *(() if name in WITHOUT_CODES else ("NR", "NA")))
        for row in range(2, max(sheet.max_row, len(entries) + 1) + 1):
            put(sheet.cell(row, number), entries[row - 2] if row - 2 < len(entries) else None)
        book.defined_names[f"list_{name}"] = DefinedName(
            f"list_{name}", attr_text=f"CODES!${letter}$2:${letter}${len(entries) + 1}"
        )
    for source in ("STUDIES",):
        book.defined_names[f"ids_{source}"] = DefinedName(
            f"ids_{source}", attr_text=f"{source}!$A$2:$A${ROWS + 1}"
        )
    sheet.freeze_panes = "A2"


def set_dropdown(sheet: Any, field: Field, cells: str) -> None:
    """Give cells the list of a field, if it has one."""
    from openpyxl.worksheet.datavalidation import DataValidation

    if field.levels:
        choices = f"list_{field.list_name}"
    elif field.source:
        choices = f"ids_{field.source}"
    else:
        return
    rule = DataValidation(type="list", formula1=choices, allow_blank=True)
    rule.errorTitle, rule.error = field.name[:32], "Choose from the list."
    rule.promptTitle, rule.prompt = field.name[:32], field.help[:250]
    rule.showErrorMessage = rule.showInputMessage = True
    rule.add(cells)
    sheet.add_data_validation(rule)


def column_cells(letter: str) -> str:
    """The cells of a column in which rows may stand.

    >>> column_cells("C")
    'C2:C2001'
    """
    return f"{letter}2:{letter}{ROWS + 1}"


def fill_formulas(
    sheet: Any, columns: Mapping[str, str], measures: Mapping[str, str], rows: int
) -> None:
    """Fill the grey columns of EFFECTS: they show, and are never read.

    Parameters
    ----------
    sheet : worksheet
    columns, measures : Mapping
        Letters of the columns of EFFECTS and of MEASURES.
    rows : int
        Rows that are filled already.
    """
    from openpyxl.styles import Font

    for name, formula in made_by_the_sheet(columns, measures).items():
        if name not in columns:
            continue
        for row in range(2, max(rows, FORMULA_ROWS) + 2):
            cell = sheet[f"{columns[name]}{row}"]
            cell.value = formula.replace("{row}", str(row))
            cell.font = Font(color=GREY)


def letters_of(definition: SheetDefinition) -> dict[str, str]:
    """Column letters of a sheet as the template lays it out."""
    from openpyxl.utils import get_column_letter

    return {name: get_column_letter(n) for n, name in enumerate(definition.names, start=1)}


def made_by_the_sheet(effects: Mapping[str, str], measures: Mapping[str, str]) -> dict[str, str]:
    """Formulas of the grey columns, with ``{row}`` for the row number."""

    def own(name: str) -> str:
        return f"${effects[name]}{{row}}"

    def column(name: str) -> str:
        letter = measures[name]
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


def schema_cell() -> tuple[str, str]:
    """Address and content of the hidden cell of START that names the schema."""
    return "Z1", load_codebook().schema
