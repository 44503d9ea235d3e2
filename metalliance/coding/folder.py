"""A folder of text tables, one file per sheet: EFFECTS.csv, STUDIES.csv and so on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from metalliance.coding.codebook import closest, load_codebook
from metalliance.coding.grids import note
from metalliance.coding.guard import MAX_TEXT, file_problem, sniff_kind
from metalliance.errors import CodingError, Problem

__all__ = ["read_folder"]

ENDINGS = (".csv", ".tsv", ".txt")
OUR_OWN = (".", "~$")
MOST_ENTRIES = 100_000
NEEDED = ("STUDIES", "EFFECTS")
ANSWERS, MADE = "PROBLEMS", ("CODES", "CHANGES")  # sheets of a workbook that hold no coding


def read_folder(path: Path) -> tuple[Mapping[str, tuple[Path, bytes]], str, tuple[Problem, ...]]:
    """The tables of a folder, by name of their sheet.

    A table belongs to the sheet of its name, whatever its capitals; every other file is named in
    a note and left alone.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tables : Mapping of str to (Path, bytes)
    sha256 : str
        Of all tables in the order of their names.
    said : tuple of Problem

    Raises
    ------
    CodingError
        With every problem: no table of STUDIES or EFFECTS, two tables of one sheet, a table that
        cannot be read.
    """
    names = sorted(_entries(path))
    sheets = {*(sheet.name for sheet in load_codebook().sheets), ANSWERS}
    tables = [name for name in names if _sheet(name) in sheets]
    others = [name for name in names if _sheet(name) not in {*sheets, *MADE}]
    problems = [*_twice(path, tables), *_missing(path, tables, others)]
    if problems:
        raise CodingError(problems)
    contents = _contents(path, tables)
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    found = {_sheet(name): (path / name, content) for name, content in contents.items()}
    return found, digest.hexdigest(), _ignored(path, others)


def _entries(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in islice(entries, MOST_ENTRIES)]
    except OSError as error:
        what = f"no access: {error.strerror}"
        raise file_problem(path, "missing", what, "check its permissions") from None
    return [name for name in names if not name.startswith(OUR_OWN)]


def _sheet(name: str) -> str:
    """The sheet that a file name means; empty where it is no text table."""
    path = Path(name)
    return path.stem.strip().upper() if path.suffix.lower() in ENDINGS else ""


def _twice(path: Path, tables: Sequence[str]) -> list[Problem]:
    found: list[Problem] = []
    first: dict[str, str] = {}
    for name in tables:
        before = first.setdefault(_sheet(name), name)
        if before != name:
            what = f"{before} and {name} are both tables of {_sheet(name)}"
            found += file_problem(path, "duplicate-sheet", what, "keep one of them").problems
    return found


def _missing(path: Path, tables: Sequence[str], others: Sequence[str]) -> list[Problem]:
    absent = [name for name in NEEDED if name not in map(_sheet, tables)]
    if not absent:
        return []
    here = ", ".join([*tables, *others][:8]) or "nothing"
    near = [closest(name, tuple(map(_sheet, others))) for name in absent]
    meant = f"did you mean {', '.join(n for n in near if n)}? " if any(near) else ""
    files = " and ".join(f"{name}.csv" for name in absent)
    what = f"is a folder without {files}; it holds {here}"
    mend = f"{meant}Name one table per sheet (STUDIES.csv, MEASURES.csv, EFFECTS.csv), "
    mend += "or give a single file"
    return list(file_problem(path, "directory", what, mend).problems)


def _contents(path: Path, tables: Sequence[str]) -> dict[str, bytes]:
    problems: list[Problem] = []
    found: dict[str, bytes] = {}
    total = 0
    for name in tables:
        file = path / name
        try:
            if sniff_kind(file) != "text":
                mend = "save it as CSV, or give the workbook itself"
                raise file_problem(file, "wrong-type", "is no text table", mend)
            total += file.stat().st_size
            if total > MAX_TEXT:
                what = f"the tables of {path.name} have over {MAX_TEXT:,} bytes"
                raise file_problem(file, "too-large", what, "reviews are far smaller")
            found[name] = file.read_bytes()
        except CodingError as error:
            problems += error.problems
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
            problems += file_problem(file, "missing", what, "check its permissions").problems
    if problems:
        raise CodingError(problems)
    return found


def _ignored(path: Path, others: Sequence[str]) -> tuple[Problem, ...]:
    if not others:
        return ()
    more = f" and {len(others) - 6:,} more" if others[6:] else ""
    what = f"not read, as no sheet is called so: {', '.join(others[:6])}{more}"
    return (note(path.name, "", what, "", "ignored-files"),)
