"""A table of raw cells as a file holds it, and notes about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from metalliance.coding.cells import Raw, is_blank
from metalliance.errors import Problem

__all__ = ["Grid", "filled_rows", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One table of raw cells; row and column 0 are row 1 and column A of the file.

    ``merged`` holds ranges as (first row, first column, last row, last column), zero-based.
    """

    sheet: str
    rows: tuple[tuple[Raw, ...], ...]
    merged: tuple[tuple[int, int, int, int], ...] = ()

    def at(self, row: int, column: int) -> Raw:
        """The cell, or None where the row is shorter."""
        cells = self.rows[row]
        return cells[column] if 0 <= column < len(cells) else None


def filled_rows(grid: Grid) -> Iterator[int]:
    """Numbers of rows with anything in them."""
    for number, row in enumerate(grid.rows):
        if any(not is_blank(cell) for cell in row):
            yield number


def note(sheet: str, cell: str, what: str, mend: str, code: str, value: str = "") -> Problem:
    """A problem of severity ``note``."""
    return Problem(
        sheet=sheet, cell=cell, value=value, what=what, mend=mend, severity="note", code=code
    )
