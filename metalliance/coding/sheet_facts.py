"""What is known of a sheet before a reader sets memory aside for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from metalliance.coding.safe_xml import RefusedError

__all__ = ["MAX_CELLS", "MAX_COLUMNS", "MAX_ROWS", "MAX_SHEETS", "Box", "SheetFacts"]

MAX_CELLS = 5_000_000
MAX_ROWS = 100_000
MAX_COLUMNS = 2_000
MAX_SHEETS = 1_000
MAX_LETTERS = 50_000_000
MAX_REMARKABLE = 1_000_000
Box = tuple[int, int, int, int]


@dataclass(slots=True)
class SheetFacts:
    """What one sheet of a workbook holds, before it is read.

    Attributes
    ----------
    rows, columns : int
        The box that reaches from A1 to the farthest filled row and column.
    farthest : str
        Address of the filled cell that made the box as large as it is.
    uncached : dict of str to str
        Formulas without a saved result, by address.
    letters : int
        Of all texts, as often as they are shown: one text may stand for many cells.
    errors : dict of str to str
        Spreadsheet errors, by address.
    padded : dict of str to str
        Numbers that are shown with leading zeros, as shown, by address.
    hidden : list of int
        Numbers of rows that a filter or a person hides.
    merged : list of Box
        First row, first column, last row, last column, zero-based; where the reader does not tell.
    """

    name: str = ""
    rows: int = 0
    columns: int = 0
    farthest: str = ""
    letters: int = 0
    uncached: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    padded: dict[str, str] = field(default_factory=dict)
    hidden: list[int] = field(default_factory=list)
    merged: list[Box] = field(default_factory=list)

    @property
    def too_large(self) -> bool:
        """True where reading would need memory for too many cells."""
        return self.rows * self.columns > MAX_CELLS

    def reach(self, row: int, column: int, address: str) -> None:
        """Let the box reach a filled cell; row and column are zero-based."""
        if row >= self.rows or column >= self.columns:
            self.rows = max(self.rows, row + 1)
            self.columns = max(self.columns, column + 1)
            self.farthest = address

    def check_count(self) -> None:
        """Raise where there is more than memory should be given to."""
        if self.letters > MAX_LETTERS:
            raise RefusedError(f"its cells show over {MAX_LETTERS:,} letters")
        remarkable = (self.uncached, self.errors, self.padded, self.hidden, self.merged)
        if sum(map(len, remarkable)) > MAX_REMARKABLE:
            raise RefusedError("it has too many formulas, errors, hidden rows or merged cells")
