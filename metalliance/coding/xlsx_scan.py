"""Go through the XML of an .xlsx sheet once, without keeping it: how far it reaches, what is odd.

Whole rows, written as spreadsheet programs write them, are taken in blocks by one pattern.
Whatever else stands there is followed element by element, which is slower. Both find the same,
and every byte goes through the XML parser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape

from metalliance.coding.cells import a1, column_number
from metalliance.coding.safe_xml import Follower, RefusedError
from metalliance.coding.sheet_facts import SheetFacts

__all__ = ["XlsxScan"]

ADDRESS = re.compile(r"([A-Z]{1,4})([1-9]\d{0,7})", re.ASCII)
WHOLE = re.compile(r"\d+", re.ASCII)
AROUND_A_ROW = 2  # elements: worksheet and sheetData
MOST_MERGED = 100_000
BLOCK = 2**17
LONGEST_ROW = 2**22
LONGEST_KEPT = 80
LONGEST_READ = 400
BEGIN, END = b"<sheetData>", b"</row>"

_REST = rb"[^<>&']*"
_FORMULA = rb"<f(?: " + _REST + rb")?(?:/>|>([^<]*)</f>)"
_VALUE = rb"<v ?/>|<v>([^<]*)</v>|<is><t(?: " + _REST + rb")?>[^<]*</t></is>"
_PLACE = rb'<c (?:[a-z]+="[^"<>&]*" )*?r="([A-Z]{1,4})([1-9][0-9]{0,7})"' + _REST
_CONTENT = rb">(?:" + _FORMULA + rb")?+(?:" + _VALUE + rb")?+</c>"
_CELL = rb"(?:<c " + _REST + rb"/>|" + _PLACE + _CONTENT + rb")"
_ROW = rb'<row r="[1-9][0-9]{0,7}"' + _REST + rb"(?:/>|(?<!/)>" + _CELL + rb"*+</row>)"
ROWS = re.compile(rb"(?:" + _ROW + rb"|[ \r\n\t]+)*+")
FILLED = re.compile(_PLACE + rb">(?=<f|<v>[^<]|<is)")
WITH_FORMULA = re.compile(rb"<c (" + _REST + rb")>" + _FORMULA + rb"(?:<v>([^<]*)</v>)?")
WITH_VALUE = re.compile(rb"<c (" + _REST + rb")>(?:" + _FORMULA + rb")?+<v>([^<]*)</v>")
SHARED = re.compile(rb' t="s"' + _REST + rb"><v>([0-9]{1,9})</v>")
HIDDEN = re.compile(rb'<row r="([0-9]+)"' + _REST + rb' hidden="(?:1|true)"')
ATTRIBUTE = re.compile(rb'([a-z]+)="([^"]*)"')


class XlsxScan(Follower):
    """Feed it the pieces of one sheet; ``facts`` then says what the sheet holds.

    Parameters
    ----------
    facts : SheetFacts
        Filled in.
    padding : Mapping of str to int
        By number of a cell style: how many digits it shows at least.
    lengths : Sequence of int
        Of the texts that cells share, by their number.
    """

    def __init__(
        self, facts: SheetFacts, padding: Mapping[str, int], lengths: Sequence[int]
    ) -> None:
        super().__init__()
        self.facts = facts
        self.padding = padding
        self.lengths = lengths
        self.merged = 0
        self.pending = b""
        self.in_rows = False
        self.row = self.column = -1
        self.given: Mapping[str, str] = {}
        self.value: list[str] = []
        self.formula: list[str] | None = None
        self.filled = False
        self.inside = ""

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        self.pending += piece
        if len(self.pending) >= BLOCK:
            self._take()

    def close(self) -> None:
        """Take the end."""
        self._take()
        self._one_by_one(self.pending)
        super().close()

    def _take(self) -> None:
        if not self.in_rows:
            head, begin, self.pending = self.pending.partition(BEGIN)
            self.in_rows = bool(begin)
            self._one_by_one(head + begin)
        rows, end, rest = self.pending.rpartition(END)
        if end:
            self._rows(rows + end)
            self.pending = rest
        elif len(self.pending) > LONGEST_ROW:
            self._one_by_one(self.pending)
            self.pending = b""
        self.facts.check_count()

    def _one_by_one(self, piece: bytes) -> None:
        self.follow(True)
        self.parser.Parse(piece, False)

    def _rows(self, block: bytes) -> None:
        if self.depth != AROUND_A_ROW or not ROWS.fullmatch(block):
            self._one_by_one(block)
            return
        self.follow(False)
        self.parser.Parse(block, False)
        self._reach(FILLED.findall(block))
        if b"<f" in block:
            for given, formula, value in WITH_FORMULA.findall(block):
                self._matched(given, _text(formula), _text(value))
        if b't="e"' in block or self.padding:
            for given, _, value in WITH_VALUE.findall(block):
                self._matched(given, None, _text(value))
        if self.lengths:
            self.facts.letters += sum(map(self._length, SHARED.findall(block)))
        if b' hidden="' in block:
            self.facts.hidden += [int(row) for row in HIDDEN.findall(block)]
        self.row = int(block.rpartition(b"<row ")[2].split(b'"', 2)[1]) - 1

    def _reach(self, places: list[tuple[bytes, bytes]]) -> None:
        if not places:
            return
        columns = {name: column_number(name.decode()) for name in {name for name, _ in places}}
        rows = [int(row) for _, row in places]
        widest = max(columns, key=columns.__getitem__)
        last = rows.index(max(rows))
        for name, row in (next(p for p in places if p[0] == widest), places[last]):
            self.facts.reach(int(row) - 1, columns[name], (name + row).decode())

    def _matched(self, given: bytes, formula: str | None, value: str) -> None:
        attributes = {name.decode(): _text(text) for name, text in ATTRIBUTE.findall(given)}
        self._note(attributes["r"], attributes, formula, value)

    def _note(
        self, address: str, attributes: Mapping[str, str], formula: str | None, value: str
    ) -> None:
        """Remember what the reader would not show."""
        kind, width = attributes.get("t"), self.padding.get(attributes.get("s", ""), 0)
        if kind == "e" and value:
            self.facts.errors[address] = value[:LONGEST_KEPT]
        elif formula is not None and not value and kind != "str":
            self.facts.uncached[address] = formula[:LONGEST_KEPT]
        elif width > len(value) and WHOLE.fullmatch(value):
            self.facts.padded[address] = value.zfill(width)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self.inside = name
        if name == "c":
            self._place(attributes.get("r", ""))
            self.given, self.filled, self.value, self.formula = attributes, False, [], None
        elif name == "row":
            self._row(attributes)
        elif name == "f":
            self.formula = []
        elif name == "is":
            self.filled = True
        elif name == "mergeCell":
            self.merged += 1
            if self.merged > MOST_MERGED:
                raise RefusedError(f"it has over {MOST_MERGED:,} merged cells")

    def text(self, data: str) -> None:
        """Text of a value or a formula; no more of it than is looked at."""
        if self.inside == "v" and len(self.value) < 8:
            self.value.append(data)
        elif self.inside == "f" and self.formula is not None and len(self.formula) < 8:
            self.formula.append(data)

    def end(self, name: str) -> None:
        """An element ends."""
        self.inside = ""
        if name != "c":
            return
        formula = None if self.formula is None else "".join(self.formula)
        value = "".join(self.value)
        if self.filled or formula is not None or value:
            address = a1(self.row, self.column)
            self.facts.reach(self.row, self.column, address)
            self._note(address, self.given, formula, value)
            if self.given.get("t") == "s":
                self.facts.letters += self._length(value)

    def _length(self, number: str | bytes) -> int:
        at = int(number) if number.isdigit() else len(self.lengths)
        return self.lengths[at] if at < len(self.lengths) else 0

    def _row(self, attributes: Mapping[str, str]) -> None:
        given = attributes.get("r", "")
        self.row = int(given) - 1 if ADDRESS.fullmatch(f"A{given}") else self.row + 1
        self.column = -1
        if attributes.get("hidden") in ("1", "true"):
            self.facts.hidden.append(self.row + 1)

    def _place(self, reference: str) -> None:
        match = ADDRESS.fullmatch(reference)
        if match is None:
            self.row, self.column = max(self.row, 0), self.column + 1
        else:
            self.row, self.column = int(match.group(2)) - 1, column_number(match.group(1))


def _text(found: bytes) -> str:
    return unescape(found[:LONGEST_READ].decode("utf-8", "replace")) if found else ""
