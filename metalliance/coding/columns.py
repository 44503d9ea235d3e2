"""What the columns of a file would be read as, whether or not the file can be read as a review."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from metalliance.coding.cells import a1, is_blank, shown
from metalliance.coding.codebook import load_codebook
from metalliance.coding.flat import table_sheet
from metalliance.coding.grids import filled_rows
from metalliance.coding.headers import find_header
from metalliance.coding.mapping import NOT_READ, ColumnMapping, ColumnRead, as_mapping
from metalliance.coding.records import Findings
from metalliance.coding.spreadsheet import Source, open_source
from metalliance.coding.workbook import is_workbook, sheet_names

__all__ = ["columns_of"]


def columns_of(
    path: str | Path, mapping: str | Path | Mapping[str, object] | None = None
) -> tuple[ColumnRead, ...]:
    """Every column of a file with what it is read as, sheet by sheet.

    Parameters
    ----------
    path : str or Path
        A workbook, a folder of tables, or a single table.
    mapping : str, Path or Mapping, optional
        As in `read_review`.

    Raises
    ------
    CodingError
        Where the file, or the mapping, cannot be read at all.
    """
    own = as_mapping(mapping)
    source = open_source(path)
    names = sheet_names(source)
    if not is_workbook(source, names):
        return _of_table(source, own)
    findings = Findings()
    for definition in load_codebook().tables:
        if definition.name in names:
            grid = source.grid(names[definition.name])
            columns = own.columns.get(definition.name, {})
            find_header(grid, definition, findings, mapping=columns)
    return tuple(findings.columns)


def _of_table(source: Source, mapping: ColumnMapping) -> tuple[ColumnRead, ...]:
    columns = mapping.columns.get("", {})
    grid = table_sheet(source, columns)
    findings = Findings()
    find_header(grid, load_codebook().flat, findings, flat=True, mapping=columns)
    if findings.columns:
        return tuple(findings.columns)
    row = next(filled_rows(grid))
    return tuple(
        ColumnRead(
            sheet="", cell=a1(row, at), title=shown(raw).strip(), field=NOT_READ, how="not read"
        )
        for at, raw in enumerate(grid.rows[row])
        if not is_blank(raw)
    )
