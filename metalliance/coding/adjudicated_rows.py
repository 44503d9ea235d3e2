"""The workbook of the consensus while it is written: A's rows changed, others' rows added."""

from __future__ import annotations

from collections.abc import Mapping

from metalliance.coding.agreement import Agreement
from metalliance.coding.cells import Coded, a1, column_letters
from metalliance.coding.codebook import Field
from metalliance.coding.comparison import REFERENCES
from metalliance.coding.identity import Row, own_id
from metalliance.coding.live_workbook import header_of, open_copy, restore_lists, sheet_called
from metalliance.coding.matching import Group
from metalliance.coding.records import Record
from metalliance.coding.sheets import fill_formulas, put
from metalliance.coding.spreadsheet import open_source
from metalliance.errors import Problem

__all__ = ["ConsensusBook", "Edits"]

Edits = Mapping[int, Mapping[str, Coded | Group]]
TAKEN_OVER: Mapping[str, tuple[str, ...]] = {
    "EVIDENCE": ("study", "id", "field", "quote"),
    "QUERIES": ("study", "id", "field", "question"),
    "EXCLUDED": ("citation",),
}


class ConsensusBook:
    """A copy of A's workbook, open for changing.

    Attributes
    ----------
    book : openpyxl workbook
    lacking : tuple of str
        What the copy lacks of A's file.
    added : list of str
        Rows that A did not have.
    typed : dict of str to Coded
        Every cell that was written, by ``sheet!cell``.
    """

    def __init__(self, agreement: Agreement, edits: Edits) -> None:
        self._agreement = agreement
        self._edits = edits
        self._review = agreement.reviews[0]
        self.book, self.lacking = open_copy(open_source(self._review.path))
        restore_lists(self.book, self._review.codebook)
        self.added: list[str] = []
        self.typed: dict[str, Coded] = {}
        self._columns: dict[str, Mapping[str, int]] = {}
        self._next: dict[str, int] = {}
        for definition in self._review.codebook.tables:
            sheet = sheet_called(self.book, definition.name)
            if sheet is not None:
                row, columns = header_of(sheet, definition)
                rows = [record.row for record in self._review.records.get(definition.name, ())]
                self._columns[definition.name] = columns
                self._next[definition.name] = max([row, *rows]) + 1
        self._places: dict[int, tuple[str, int, str]] = {}
        self._moved = self._to_be_moved()

    # --- what stands where ---------------------------------------------------------------------

    def _to_be_moved(self) -> frozenset[str]:
        """Studies of which a cell of GRID is decided otherwise than its row: they go to EFFECTS."""
        return frozenset(
            row.record.text("study")
            for group in self._agreement.groups.groups["EFFECTS"]
            if (row := group.rows[0]) is not None
            and row.record.sheet == "GRID"
            and set(self._edits.get(id(group), {})) - {"value"}
        )

    def problems(self) -> tuple[Problem, ...]:
        """Decisions that cannot be typed because A's sheet has no such column."""
        missing: dict[tuple[str, str], None] = {}
        for those in self._agreement.groups.groups.values():
            for group in those:
                if group.rows[0] is not None:
                    for name in self._edits.get(id(group), {}):
                        if name not in self._columns.get(group.sheet, {}):
                            missing[group.sheet, name] = None
        return tuple(
            Problem(
                sheet=f"{self._review.path.name}!{sheet}",
                cell="",
                value=name,
                what="A's file has no such column, and a decision belongs into it",
                mend="bring the file up to date: metalliance template --into FILE --out NEW",
                severity="error",
                code="missing-column",
            )
            for sheet, name in missing
        )

    def id_of(self, group: Group) -> str:
        """The id of a row in the consensus review; empty where it is not in it."""
        return self._places[id(group)][2] if id(group) in self._places else ""

    def address(self, group: Group, field: str) -> str:
        """Where a field of a row stands; empty where it is not in the consensus review."""
        if id(group) not in self._places:
            return ""
        sheet, row, _ = self._places[id(group)]
        own = group.rows[0]
        if sheet == "GRID" and own is not None:
            return own.record.address(field)
        column = self._columns[sheet].get(field)
        return f"{sheet}!{a1(row - 1, column - 1)}" if column else f"{sheet}!{row}"

    def shown(self, group: Group, field: str) -> str:
        """What a field of a row holds now."""
        coded = self.typed.get(self.address(group, field))
        if coded is None:
            coded = _cell(group.first.record, field)
        return coded.text if coded.text else (coded.code if coded.code != "blank" else "")

    def find(self, study: str, own: str, field: str) -> tuple[Field, str] | None:
        """Field and address of what HISTORY names."""
        for sheet, groups in self._agreement.groups.groups.items():
            definition = self._review.codebook[sheet]
            for group in groups:
                if group.study == study and self.id_of(group) == own:
                    known = field.startswith("mod:") or field in definition.names
                    if known and field in self._columns.get(sheet, {}):
                        name = field.removeprefix("mod:")
                        of = definition.own_field(name) if name != field else definition[field]
                        return of, self.address(group, field)
        return None

    # --- writing -------------------------------------------------------------------------------

    def type(self, address: str, coded: Coded) -> None:
        """Write one cell."""
        name, _, cell = address.partition("!")
        target = sheet_called(self.book, name)[cell]
        if isinstance(coded.value, str):
            target.number_format = "@"
        put(target, _raw(coded))
        self.typed[address] = coded

    def fill(self, group: Group, coder: int) -> None:
        """Give A's row of a study what the coder who coded it has."""
        own, other = group.rows[0], group.rows[coder]
        if own is None or other is None:
            return
        self.include(group)
        for name, column in self._columns[group.sheet].items():
            theirs = _cell(other.record, name)
            if _cell(own.record, name).code == "blank" and theirs.code in ("", "NR", "NA"):
                self.type(f"{group.sheet}!{a1(own.record.row - 1, column - 1)}", theirs)

    def include(self, group: Group) -> str:
        """Make sure that a row is in the consensus review as decided; its id there."""
        if id(group) in self._places:
            return self.id_of(group)
        own = group.rows[0]
        if own is None:
            return self._add(group, group.first, self._free_id(group))
        if own.record.sheet == "GRID" and own.record.text("study") in self._moved:
            named = self._add(group, own, own.id)
            self._clear(own.record)
            return named
        self._places[id(group)] = (own.record.sheet, own.record.row, own.id)
        for name, wanted in self._edits.get(id(group), {}).items():
            self.type(self.address(group, name), self._meant(wanted))
        return own.id

    def _meant(self, wanted: Coded | Group) -> Coded:
        if isinstance(wanted, Coded):
            return wanted
        named = self.include(wanted)
        return Coded(value=named, code="", text=named)

    def _add(self, group: Group, base: Row, named: str) -> str:
        """Add a row to the sheet of its group."""
        sheet = group.sheet
        row = self._next[sheet]
        self._next[sheet] = row + 1
        self._places[id(group)] = (sheet, row, named)
        own_name = {"EFFECTS": "effect", "MEASURES": "id", "MODELS": "id"}.get(sheet, "")
        values = {name: _cell(base.record, name) for name in self._columns[sheet]}
        values["study"] = _given(group.study)
        if own_name:
            values[own_name] = _given(named)
        for name, target in self._referred(base).items():
            values[name] = _given(self.include(target))
        for name, wanted in self._edits.get(id(group), {}).items():
            values[name] = self._meant(wanted)
        for name, column in self._columns[sheet].items():
            if values[name].code != "blank" and name not in ("label", "shared_occasions"):
                self.type(f"{sheet}!{a1(row - 1, column - 1)}", values[name])
        if group.rows[0] is None:
            self.added.append(f"{sheet} {group.study} {named}".strip())
        return named

    def _referred(self, base: Row) -> dict[str, Group]:
        """The groups that a row names by id."""
        groups, coder = self._agreement.groups, base.coder
        found: dict[str, Record | None] = {}
        if base.linked is not None:
            found = {name: getattr(base.linked, name) for name in REFERENCES}
            if base.record.text("sample"):
                found["sample"] = base.linked.study
        elif base.record.sheet == "INTERCORR":
            for name in ("id1", "id2"):
                found[name] = self._measure(coder, base.record, base.record.text(name))
        return {
            name: group
            for name, record in found.items()
            if record is not None and record.row and (group := groups.group(coder, record))
        }

    def _measure(self, coder: int, record: Record, own: str) -> Record | None:
        study = record.text("study")
        for measure in self._agreement.reviews[coder].measures:
            if (measure.text("study"), measure.text("id")) == (study, own):
                return measure
        return None

    def _free_id(self, group: Group) -> str:
        """The coder's own id, or where A has it for another row the next one that is free."""
        named = group.first.id
        if group.sheet not in ("MEASURES", "MODELS", "EFFECTS"):
            return named
        taken = {
            row.id.casefold()
            for other in self._agreement.groups.groups[group.sheet]
            if other.study == group.study and (row := other.rows[0]) is not None
        } | {
            self.id_of(other).casefold()
            for other in self._agreement.groups.groups[group.sheet]
            if other.study == group.study
        }
        letters = named.rstrip("0123456789") or group.sheet[0]
        number = 1
        while named.casefold() in taken:
            named, number = f"{letters}{number}", number + 1
        return named

    def _clear(self, record: Record) -> None:
        """Empty a row of GRID whose effects stand in EFFECTS now."""
        sheet = sheet_called(self.book, "GRID")
        for column in self._columns["GRID"].values():
            sheet.cell(record.row, column).value = None

    # --- the rest ------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Add evidence, queries and exclusions that only others noted, and close the sheets."""
        for sheet, names in TAKEN_OVER.items():
            if sheet not in self._columns:
                continue
            known = {_words(r, names) for r in self._review.records.get(sheet, ())}
            for coder, review in enumerate(self._agreement.reviews[1:], start=1):
                for record in review.records.get(sheet, ()):
                    self._take_over(sheet, names, coder, record, known)
        self._close()

    def _take_over(
        self,
        sheet: str,
        names: tuple[str, ...],
        coder: int,
        record: Record,
        known: set[tuple[str, ...]],
    ) -> None:
        cells = dict(record.cells)
        if "study" in names:
            study = self._agreement.groups.studies[coder].get(record.text("study"), "")
            cells["study"] = _given(study or record.text("study"))
            if record.text("id"):
                named = self._named(coder, record)
                if not named:
                    return
                cells["id"] = _given(named)
        moved = Record(sheet=sheet, row=record.row, cells=cells)
        if _words(moved, names) in known:
            return
        known.add(_words(moved, names))
        row = self._next[sheet]
        self._next[sheet] = row + 1
        for name, column in self._columns[sheet].items():
            if moved.coded(name).code != "blank":
                self.type(f"{sheet}!{a1(row - 1, column - 1)}", moved.coded(name))

    def _named(self, coder: int, record: Record) -> str:
        """What the row that a coder's note is about is called here; empty where it is not."""
        for groups in self._agreement.groups.groups.values():
            for group in groups:
                row = group.rows[coder]
                if row is None or row.record.sheet == "STUDIES":
                    continue
                same = row.record.text("study") == record.text("study")
                if same and own_id(row.record) == record.text("id"):
                    return self.id_of(group)
        return ""

    def _close(self) -> None:
        """Grey formulas and filters reach down to the last row."""
        effects, measures = self._columns["EFFECTS"], self._columns.get("MEASURES", {})
        if "label" in effects and measures:
            sheet = sheet_called(self.book, "EFFECTS")
            rows = self._next["EFFECTS"] - 2
            fill_formulas(sheet, _letters(effects), _letters(measures), rows)
        for name, row in self._next.items():
            sheet = sheet_called(self.book, name)
            if sheet.auto_filter.ref and row > 2:
                first, _, last = sheet.auto_filter.ref.partition(":")
                sheet.auto_filter.ref = f"{first}:{last.rstrip('0123456789')}{row - 1}"


def _letters(columns: Mapping[str, int]) -> dict[str, str]:
    return {name: column_letters(column - 1) for name, column in columns.items()}


def _cell(record: Record, name: str) -> Coded:
    if name.startswith("mod:"):
        return record.extra.get(name.removeprefix("mod:"), Coded())
    return record.coded(name)


def _given(text: str) -> Coded:
    return Coded(value=text, code="", text=text)


def _raw(coded: Coded) -> object:
    if coded.code in ("NR", "NA"):
        return coded.code
    if isinstance(coded.value, float):
        return int(coded.value) if coded.value.is_integer() else coded.value
    return coded.value


def _words(record: Record, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(record.coded(name).text.strip().casefold() for name in names)
