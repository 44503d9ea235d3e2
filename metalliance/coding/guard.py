"""Look at a file before anything opens it: what it is, and whether it is safe to read.

A workbook is a zip of XML. It is streamed once, with every size counted as it is inflated, so
that a small file cannot become a large one, and each sheet's farthest filled cell is known before
a reader sets memory aside for it.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from metalliance.coding.cells import a1
from metalliance.errors import CodingError, Problem

__all__ = ["MAX_CELLS", "FileKind", "SheetFacts", "file_problem", "inspect_workbook", "sniff_kind"]

FileKind = Literal["workbook", "text"]
MAX_FILE = 200 * 2**20
MAX_MEMBER = 200 * 2**20
MAX_TOTAL = 400 * 2**20
MAX_MEMBERS = 5_000
MAX_RATIO = 400
RATIO_MATTERS_ABOVE = 8 * 2**20
MAX_CELLS = 5_000_000
MAX_DEPTH = 200
CHUNK = 2**16
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BINARY = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\x1f\x8b": "a compressed file",
    b"Rar!": "an archive",
    b"7z\xbc\xaf": "an archive",
}
ADDRESS = re.compile(r"([A-Z]{1,4})([1-9]\d{0,7})", re.ASCII)


@dataclass(slots=True)
class SheetFacts:
    """What one sheet of a workbook holds, before it is read.

    Attributes
    ----------
    rows, columns : int
        The box that reaches from A1 to the farthest filled row and column.
    farthest : str
        Address of the filled cell that is farthest out.
    uncached : set of str
        Cells with a formula and no saved result.
    errors : dict of str to str
        Cells with a spreadsheet error, by address.
    """

    name: str = ""
    rows: int = 0
    columns: int = 0
    farthest: str = ""
    uncached: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def too_large(self) -> bool:
        """True where reading would need memory for more than ``MAX_CELLS`` cells."""
        return self.rows * self.columns > MAX_CELLS


def file_problem(path: Path, code: str, what: str, mend: str, value: str = "") -> CodingError:
    """A whole file that cannot be read: one problem."""
    problem = Problem(
        sheet=path.name or str(path),
        cell="",
        value=value,
        what=what,
        mend=mend,
        severity="error",
        code=code,
    )
    return CodingError([problem])


def sniff_kind(path: Path) -> FileKind:
    """Tell a workbook from text by its first bytes, and refuse everything else."""
    try:
        if path.is_dir():
            raise file_problem(path, "directory", "is a folder", "give the file inside it")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = "does not exist" if isinstance(error, FileNotFoundError) else f"no access: {reason}"
        raise file_problem(path, "missing", what, "check the name and the folder") from None
    if size == 0:
        raise file_problem(path, "empty", "is empty", "give a file with one row per effect")
    if size > MAX_FILE:
        raise file_problem(path, "too-large", f"has {size:,} bytes", "reviews are far smaller")
    if head.startswith(OLE):
        raise file_problem(
            path,
            "locked",
            "is protected by a password, or an old .xls file",
            "open it in a spreadsheet program and save it as .xlsx without a password",
        )
    for magic, name in BINARY.items():
        if head.startswith(magic):
            raise file_problem(path, "wrong-type", f"is {name}", "give an .xlsx or .csv file")
    return "workbook" if head.startswith(b"PK") else "text"


def inspect_workbook(path: Path, content: bytes) -> tuple[dict[str, SheetFacts], bool]:
    """Stream every part of a workbook; the facts by sheet name, and if it links to other files.

    Raises
    ------
    CodingError
        With one problem where the file is corrupt, hostile, or no .xlsx.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _inspect(path, archive)
    except CodingError:
        raise
    except expat.ExpatError as error:
        raise _corrupt(path, f"its XML is broken ({expat.ErrorString(error.code)})") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        KeyError,
    ) as error:
        raise _corrupt(path, f"its parts cannot be unpacked ({str(error)[:100]})") from None


def _corrupt(path: Path, why: str) -> CodingError:
    return file_problem(
        path,
        "corrupt",
        f"is no readable .xlsx file: {why}",
        "open it in a spreadsheet program and save it again as .xlsx",
    )


def _hostile(path: Path, member: str, what: str) -> CodingError:
    mend = "open it in a spreadsheet program and save it again as .xlsx"
    return file_problem(path, "hostile", f"is refused: {what}", mend, value=member[:80])


def _inspect(path: Path, archive: zipfile.ZipFile) -> tuple[dict[str, SheetFacts], bool]:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > MAX_MEMBERS:
        raise _hostile(path, "", f"it has {len(members):,} parts")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _hostile(path, twice, "a part stands in it twice")
    if "xl/workbook.xml" not in names:
        raise file_problem(
            path,
            "wrong-type",
            "is a zip file but no .xlsx workbook",
            "save it as .xlsx (not .ods, .xlsb or .docx)",
        )
    sheets: dict[str, SheetFacts] = {}
    parsers = _Parts()
    total = 0
    for member in members:
        if member.flag_bits & 1:
            raise file_problem(path, "locked", "is encrypted", "save it without a password")
        facts = SheetFacts()
        parser = parsers.parser_for(member.filename, facts)
        for piece, size in _pieces(path, archive, member):
            if total + size > MAX_TOTAL:
                raise _hostile(path, member.filename, f"it unpacks to over {MAX_TOTAL:,} bytes")
            if parser is not None:
                _feed(path, member.filename, parser, piece)
        total += member.file_size
        if parser is not None:
            parser.Parse(b"", True)
        if member.filename.startswith("xl/worksheets/"):
            sheets[member.filename] = facts
    linked = any(name.startswith("xl/externalLinks/") for name in names)
    return parsers.by_name(sheets), linked


def _pieces(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> Iterator[tuple[bytes, int]]:
    size = 0
    packed = max(member.compress_size, 1)
    with archive.open(member) as stream:
        while piece := stream.read(CHUNK):
            size += len(piece)
            if size > MAX_MEMBER:
                raise _hostile(path, member.filename, f"a part is over {MAX_MEMBER:,} bytes")
            if size > RATIO_MATTERS_ABOVE and size / packed > MAX_RATIO:
                raise _hostile(
                    path, member.filename, "a part unpacks to hundreds of times its size"
                )
            yield piece, size


class _RefusedError(Exception):
    """A construct that no spreadsheet program writes."""


def _feed(path: Path, member: str, parser: expat.XMLParserType, piece: bytes) -> None:
    try:
        parser.Parse(piece, False)
    except _RefusedError as error:
        raise _hostile(path, member, str(error)) from None


def _refuse_doctype(*_: object) -> None:
    raise _RefusedError("its XML declares a document type or entities")


class _Parts:
    """Parsers for the parts of a package, and what joins sheet names to their parts."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.targets: dict[str, str] = {}

    def parser_for(self, name: str, facts: SheetFacts) -> expat.XMLParserType | None:
        if not name.lower().endswith((".xml", ".rels", ".vml")):
            return None
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.EntityDeclHandler = _refuse_doctype
        if name == "xl/workbook.xml":
            parser.StartElementHandler = self._workbook
        elif name == "xl/_rels/workbook.xml.rels":
            parser.StartElementHandler = self._relation
        elif name.startswith("xl/worksheets/"):
            scan = _SheetScan(facts)
            parser.StartElementHandler = scan.start
            parser.EndElementHandler = scan.end
            parser.CharacterDataHandler = scan.text
        return parser

    def _workbook(self, tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(" ")[2] == "sheet":
            for key, value in attributes.items():
                if key.endswith("relationships id"):
                    self.ids[attributes.get("name", "")] = value

    def _relation(self, tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(" ")[2] == "Relationship":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")

    def by_name(self, parts: dict[str, SheetFacts]) -> dict[str, SheetFacts]:
        found: dict[str, SheetFacts] = {}
        for name, identifier in self.ids.items():
            target = self.targets.get(identifier, "")
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            facts = parts.get(part.replace("xl/./", "xl/"))
            if facts is not None:
                facts.name = name
                found[name] = facts
        return found


class _SheetScan:
    """Follow a sheet's cells without keeping them."""

    def __init__(self, facts: SheetFacts) -> None:
        self.facts = facts
        self.depth = 0
        self.row = -1
        self.column = -1
        self.kind = ""
        self.formula = self.filled = self.in_value = False
        self.value: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _RefusedError("its XML is nested too deeply")
        name = tag.rpartition(" ")[2]
        if name == "c":
            self._place(attributes.get("r", ""))
            self.kind = attributes.get("t", "")
            self.formula = self.filled = False
            self.value = []
        elif name == "row":
            given = attributes.get("r", "")
            self.row = int(given) - 1 if given.isascii() and given.isdigit() else self.row + 1
            self.column = -1
        elif name == "f":
            self.formula = True
        elif name == "v":
            self.in_value = True
        elif name == "is":
            self.filled = True

    def text(self, data: str) -> None:
        if self.in_value and len(self.value) < 8:
            self.value.append(data)

    def end(self, tag: str) -> None:
        self.depth -= 1
        name = tag.rpartition(" ")[2]
        if name == "v":
            self.in_value = False
        elif name == "c":
            self._finish()

    def _place(self, reference: str) -> None:
        match = ADDRESS.fullmatch(reference)
        if match is None:
            self.row, self.column = max(self.row, 0), self.column + 1
            return
        column = 0
        for letter in match.group(1):
            column = column * 26 + ord(letter) - 64
        self.row, self.column = int(match.group(2)) - 1, column - 1

    def _finish(self) -> None:
        value = "".join(self.value)
        if not (self.formula or self.filled or value):
            return
        facts, address = self.facts, a1(self.row, self.column)
        if self.row >= facts.rows or self.column >= facts.columns:
            facts.rows = max(facts.rows, self.row + 1)
            facts.columns = max(facts.columns, self.column + 1)
            facts.farthest = address
        if self.kind == "e":
            facts.errors[address] = value[:20]
        elif self.formula and not value and self.kind != "str":
            facts.uncached.add(address)
        if len(facts.uncached) + len(facts.errors) > MAX_CELLS:
            raise _RefusedError("it has too many formulas")
