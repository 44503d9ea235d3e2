"""The parts of an .xlsx package: which part is which sheet, and what each sheet holds."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping

from metalliance.coding.safe_xml import Follower, RefusedError
from metalliance.coding.sheet_facts import MAX_CELLS, MAX_SHEETS, SheetFacts
from metalliance.coding.xlsx_scan import XlsxScan

__all__ = ["XlsxParts"]

SHEETS = "xl/worksheets/"
XML = (".xml", ".rels", ".vml")
ZEROS = re.compile(r"0{2,15}")


class XlsxParts:
    """Gives every part its follower, and joins sheet names to their facts."""

    def __init__(self) -> None:
        self.facts: dict[str, SheetFacts] = {}
        self.names = _Names()
        self.targets = _Targets()
        self.styles = _Styles()
        self.strings = _Strings()
        self.linked = False

    def in_order(self, parts: list[str]) -> list[str]:
        """Styles and shared texts before sheets, which refer to them."""
        return sorted(parts, key=lambda part: part.startswith(SHEETS))

    def follower(self, part: str) -> Follower | None:
        """What follows a part; None where it is no XML."""
        self.linked = self.linked or part.startswith("xl/externalLinks/")
        if part.startswith(SHEETS) and part.endswith(".xml"):
            facts = self.facts[part] = SheetFacts()
            return XlsxScan(facts, self.styles.padding, self.strings.lengths)
        known: dict[str, Follower] = {
            "xl/workbook.xml": self.names,
            "xl/_rels/workbook.xml.rels": self.targets,
            "xl/styles.xml": self.styles,
            "xl/sharedStrings.xml": self.strings,
        }
        return known.get(part) or (Follower() if part.lower().endswith(XML) else None)

    def sheets(self) -> dict[str, SheetFacts]:
        """Facts by name of the sheet."""
        found: dict[str, SheetFacts] = {}
        for name, identifier in self.names.ids.items():
            target = self.targets.by_id.get(identifier, "")
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            facts = self.facts.get(part.replace("xl/./", "xl/"))
            if facts is not None:
                facts.name = name
                found[name] = facts
        return found


class _Names(Follower):
    """Workbook: names of sheets and the ids that stand for their parts."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            if len(self.ids) >= MAX_SHEETS:
                raise RefusedError(f"it has over {MAX_SHEETS:,} sheets")
            for key, value in attributes.items():
                if key.endswith("relationships id"):
                    self.ids[attributes.get("name", "")] = value


class _Targets(Follower):
    """Relations: the part that an id stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.by_id: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship":
            self.by_id[attributes.get("Id", "")] = attributes.get("Target", "")


class _Strings(Follower):
    """Texts that cells share: how long each is."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths = array("L")
        self.length = 0

    def text(self, data: str) -> None:
        self.length += len(data)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "si":
            self.length = 0

    def end(self, name: str) -> None:
        if name == "si":
            self.lengths.append(self.length)
            if len(self.lengths) > MAX_CELLS:
                raise RefusedError(f"it has over {MAX_CELLS:,} different texts")


class _Styles(Follower):
    """Styles: which of them show numbers with leading zeros, such as 007."""

    def __init__(self) -> None:
        super().__init__()
        self.padding: dict[str, int] = {}
        self.zeros: dict[str, int] = {}
        self.number = -1

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt" and ZEROS.fullmatch(attributes.get("formatCode", "")):
            self.zeros[attributes.get("numFmtId", "")] = len(attributes["formatCode"])
        elif name == "cellXfs":
            self.number = 0
        elif name == "xf" and self.number >= 0:
            width = self.zeros.get(attributes.get("numFmtId", ""), 0)
            if width:
                self.padding[str(self.number)] = width
            self.number += 1

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self.number = -1
