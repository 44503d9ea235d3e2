"""Go through the content of an .ods spreadsheet once: how far each table reaches, what is odd.

Rows and cells may be repeated by a number, so a few bytes can stand for billions of cells.
"""

from __future__ import annotations

from collections.abc import Mapping

from metalliance.coding.cells import a1
from metalliance.coding.safe_xml import Follower, RefusedError
from metalliance.coding.sheet_facts import MAX_SHEETS, SheetFacts

__all__ = ["OdsParts"]

CELLS = ("table-cell", "covered-table-cell")
LINKS = ("table-source", "cell-range-source")
HIDDEN = ("collapse", "filter")
LONGEST_KEPT = 80
MOST_NAMED = 10_000


class OdsParts:
    """Gives every part its follower; the tables all stand in one."""

    def __init__(self) -> None:
        self.content = _Content()

    def in_order(self, parts: list[str]) -> list[str]:
        """Any order is right."""
        return parts

    def follower(self, part: str) -> Follower | None:
        """What follows a part; None where it is no XML, or the manifest, which may name a DTD."""
        if part == "content.xml":
            return self.content
        return Follower() if part.endswith(".xml") and not part.startswith("META-INF/") else None

    def sheets(self) -> dict[str, SheetFacts]:
        """Facts by name of the sheet."""
        return self.content.sheets

    @property
    def linked(self) -> bool:
        """Whether tables are taken from other files."""
        return self.content.linked


class _Content(Follower):
    """The tables of ``content.xml``."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: dict[str, SheetFacts] = {}
        self.facts = SheetFacts()
        self.row = self.column = 0
        self.rows = self.columns = 1
        self.cell: dict[str, str] = {}
        self.shown: list[str] = []
        self.length = 0
        self.in_cell = self.in_note = self.hidden = self.linked = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        if name in CELLS:
            self.cell = _local(attributes)
            self.columns = _count(self.cell.get("number-columns-repeated"))
            self.in_cell, self.shown, self.length = True, [], 0
        elif name == "annotation":
            self.in_note = True
        elif name == "table-row":
            given = _local(attributes)
            self.rows, self.column = _count(given.get("number-rows-repeated")), 0
            self.hidden = given.get("visibility") in HIDDEN
        elif name in LINKS:
            self.linked = True
        elif name == "table" and not self.in_cell:
            if len(self.sheets) >= MAX_SHEETS:
                raise RefusedError(f"it has over {MAX_SHEETS:,} sheets")
            self.facts = SheetFacts(name=_local(attributes).get("name", ""))
            self.sheets[self.facts.name] = self.facts
            self.row = 0

    def text(self, data: str) -> None:
        """Text of a cell; no more of it than is looked at."""
        if self.in_cell and not self.in_note:
            self.length += len(data)
            if len(self.shown) < 8:
                self.shown.append(data)

    def end(self, name: str) -> None:
        """An element ends."""
        if name in CELLS:
            self._finish()
            self.column += self.columns
            self.in_cell = False
        elif name == "annotation":
            self.in_note = False
        elif name == "table-row":
            if self.hidden and self.facts.rows > self.row:
                first = self.row + 1
                self.facts.hidden += range(first, first + min(self.rows, MOST_NAMED))
            self.row += self.rows

    def _finish(self) -> None:
        cell, shown = self.cell, "".join(self.shown).strip()
        formula, kind = cell.get("formula"), cell.get("value-type")
        if kind is None and formula is None and not shown:
            return
        facts = self.facts
        last = a1(self.row + self.rows - 1, self.column + self.columns - 1)
        facts.reach(self.row + self.rows - 1, self.column + self.columns - 1, last)
        length = max(self.length, len(cell.get("string-value", "")))
        facts.letters += length * self.columns * self.rows
        address = a1(self.row, self.column)
        if kind == "error" or (formula is not None and shown.startswith(("#", "Err:"))):
            facts.errors[address] = shown[:LONGEST_KEPT]
        elif formula is not None and kind is None:
            facts.uncached[address] = formula.partition("=")[2][:LONGEST_KEPT]
        across = _count(cell.get("number-columns-spanned"))
        down = _count(cell.get("number-rows-spanned"))
        if across > 1 or down > 1:
            box = (self.row, self.column, self.row + down - 1, self.column + across - 1)
            facts.merged.append(box)
        if not facts.too_large:  # a table that reaches too far is refused by its cell
            facts.check_count()


def _local(attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes without their namespaces; of two value types, the one that says error."""
    found: dict[str, str] = {}
    for key, text in attributes.items():
        name = key.rpartition(" ")[2]
        if name not in found or text == "error":
            found[name] = text
    return found


def _count(text: str | None) -> int:
    digits = text is not None and text.isascii() and text.isdigit()
    return max(int(text[:12]), 1) if digits and text is not None else 1
