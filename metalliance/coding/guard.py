"""Look at a file before anything opens it: what it is, and whether it is safe to read.

A workbook is a zip of XML. It is streamed once, with every size counted as it is inflated, so
that a small file cannot become a large one, and each sheet's farthest filled cell is known before
a reader sets memory aside for it.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from metalliance.coding.ods_scan import OdsParts
from metalliance.coding.safe_xml import RefusedError
from metalliance.coding.sheet_facts import SheetFacts
from metalliance.coding.xlsx_parts import XlsxParts
from metalliance.errors import CodingError, Problem

__all__ = ["MAX_TEXT", "FileKind", "Inspected", "file_problem", "inspect_workbook", "sniff_kind"]

FileKind = Literal["workbook", "text", "folder"]
MAX_FILE = 100 * 2**20
MAX_TEXT = 50 * 2**20
MAX_MEMBER = 200 * 2**20
MAX_TOTAL = 400 * 2**20
MAX_MEMBERS = 5_000
MAX_RATIO = 400
RATIO_MATTERS_ABOVE = 8 * 2**20
CHUNK = 2**16
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BINARY = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\x1f\x8b": "a compressed file",
    b"Rar!": "an archive",
    b"7z\xbc\xaf": "an archive",
    b"{\\rtf": "a text document",
}
MARKUP = (b"<?xml", b"<!doctype", b"<html", b"<table")
ZIPPED = {
    "xl/workbook.bin": ("an .xlsb workbook", "save it as .xlsx"),
    "word/document.xml": ("a Word document", "give the spreadsheet"),
    "Index/Document.iwa": ("an Apple Numbers file", "in Numbers: File, Export To, Excel"),
}
SAVE_AGAIN = "open it in a spreadsheet program and save it again as .xlsx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What the sheets of a workbook hold.

    Attributes
    ----------
    sheets : dict of str to SheetFacts
        By name.
    linked : bool
        Whether the workbook links to other files.
    at_once : bool
        Whether the reader opens all sheets as soon as it opens the file.
    """

    sheets: dict[str, SheetFacts]
    linked: bool
    at_once: bool


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
    """Tell a workbook from text and from a folder, and refuse everything else.

    Raises
    ------
    CodingError
        With one problem.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return "folder"
        if not stat.S_ISREG(status.st_mode):
            raise file_problem(path, "wrong-type", "is no ordinary file", "give a spreadsheet")
        with path.open("rb") as file:
            head = file.read(512)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = "does not exist" if isinstance(error, FileNotFoundError) else f"no access: {reason}"
        raise file_problem(path, "missing", what, "check the name and the folder") from None
    if status.st_size == 0:
        raise file_problem(path, "empty", "is empty", "give a file with one row per effect")
    kind: FileKind = "workbook" if head.startswith(b"PK") else "text"
    limit = MAX_FILE if kind == "workbook" or head.startswith(OLE) else MAX_TEXT
    if status.st_size > limit:
        what = f"has {status.st_size:,} bytes"
        raise file_problem(path, "too-large", what, "reviews are far smaller")
    _refuse_other(path, head)
    return kind


def _refuse_other(path: Path, head: bytes) -> None:
    if head.startswith(OLE):
        raise _ole_problem(path)
    for magic, name in BINARY.items():
        if head.startswith(magic):
            raise file_problem(path, "wrong-type", f"is {name}", "give an .xlsx or .csv file")
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(MARKUP):
        raise file_problem(path, "wrong-type", "is a web page or an XML file", SAVE_AGAIN)


def _ole_problem(path: Path) -> CodingError:
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    if "EncryptedPackage".encode("utf-16-le") in content:
        what, mend = "is protected by a password", "save it without one"
        return file_problem(path, "locked", what, mend)
    if any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        return file_problem(path, "old-format", "is an old .xls file", "save it as .xlsx")
    what = "is protected by a password, or an old .xls file"
    mend = "open it in a spreadsheet program and save it as .xlsx without a password"
    return file_problem(path, "locked", what, mend)


def inspect_workbook(path: Path, content: bytes) -> Inspected:
    """Stream every part of a workbook, and say what its sheets hold.

    Raises
    ------
    CodingError
        With one problem where the file is corrupt, hostile, or no spreadsheet.
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
    return file_problem(path, "corrupt", f"is no readable spreadsheet: {why}", SAVE_AGAIN)


def _hostile(path: Path, member: str, what: str) -> CodingError:
    return file_problem(path, "hostile", f"is refused: {what}", SAVE_AGAIN, value=member[:80])


def _inspect(path: Path, archive: zipfile.ZipFile) -> Inspected:
    _check_members(path, archive)
    parts = _parts(path, archive)
    total = 0
    for name in parts.in_order(archive.namelist()):
        follower = parts.follower(name)
        try:
            for piece in _pieces(path, archive, archive.getinfo(name)):
                total += len(piece)
                if total > MAX_TOTAL:
                    raise _hostile(path, name, f"it unpacks to over {MAX_TOTAL:,} bytes")
                if follower is not None:
                    follower.feed(piece)
            if follower is not None:
                follower.close()
        except RefusedError as error:
            raise _hostile(path, name, str(error)) from None
    at_once = isinstance(parts, OdsParts)
    return Inspected(sheets=parts.sheets(), linked=parts.linked, at_once=at_once)


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > MAX_MEMBERS:
        raise _hostile(path, "", f"it has {len(members):,} parts")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _hostile(path, twice, "a part stands in it twice")
    if any(member.flag_bits & 1 for member in members):
        raise file_problem(path, "locked", "is encrypted", "save it without a password")


def _parts(path: Path, archive: zipfile.ZipFile) -> XlsxParts | OdsParts:
    names = archive.namelist()
    if "xl/workbook.xml" in names:
        return XlsxParts()
    if _start(archive, "mimetype").startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        if b"encryption-data" in _start(archive, "META-INF/manifest.xml"):
            what, mend = "is protected by a password", "save it without one"
            raise file_problem(path, "locked", what, mend)
        return OdsParts()
    for name, (what, mend) in ZIPPED.items():
        if name in names:
            raise file_problem(path, "wrong-type", f"is {what}", mend)
    tables = any(name.lower().endswith((".csv", ".tsv")) for name in names)
    mend = "unpack it, and give the folder" if tables else "save it as .xlsx"
    raise file_problem(path, "wrong-type", "is a zip file but no workbook", mend)


def _start(archive: zipfile.ZipFile, name: str) -> bytes:
    if name not in archive.namelist():
        return b""
    with archive.open(name) as stream:
        return stream.read(2**20)


def _pieces(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
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
            yield piece
