"""Workbooks whose XML was changed at random: read or refused, never a crash.

    python -m tests.coding.test_broken_parts 2000

does the same with as many files of each kind.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from metalliance.coding.review import read_review
from metalliance.errors import CodingError
from tests.coding import documents as doc
from tests.coding import workbooks as wb

TOKEN = re.compile(rb'"[^"<>]*"|>[^<>]+<|<[^<>]+>')
IN_QUOTES = (
    *(b'""', b'"-1"', b'"99999999999999999999"', b'"A"', b'"1A"', b'"XFD1048577"', b'"A0"', b'"s"'),
    *(b'"d"', b'"b"', b'"e"', b'"n"', b'"str"', b'"inlineStr"', b'"1e400"', b'"NaN"', b'"0"'),
    *(b'"2026-99-99"', b'"PT99999999999999H"', b'"percentage"', b'"float"', b'"date"', b'"time"'),
)
IN_TEXT = (
    *(b"><", b">abc<", b">-1<", b">99999999999<", b">1e999<", b">NaN<", b">2026-13-45<"),
    *(b">\xe2\x88\x92.3<", b">-693594<", b">2958466.5<", b">TRUE<", b">#REF!<"),
)


def break_part(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """A part with one change; sometimes cut off, emptied, or another part in its place."""
    kind = rng.random()
    if kind < 0.03:
        return data[: rng.randrange(len(data) + 1)]
    if kind < 0.06:
        return rng.choice([b"", *others])
    tokens = list(TOKEN.finditer(data[:200_000]))
    if not tokens:
        return data
    token = rng.choice(tokens)
    old = token.group()
    if old.startswith(b'"'):
        new = rng.choice(IN_QUOTES)
    elif old.startswith(b">"):
        new = rng.choice(IN_TEXT)
    else:
        new = rng.choice([old, old, b"", old + old, old[:-1] + b"/>"])
    return data[: token.start()] + new + data[token.end() :]


def break_file(parts: dict[str, bytes], rng: random.Random) -> dict[str, bytes]:
    """A package in which one to four parts are broken, or one is gone."""
    changed = dict(parts)
    names = [name for name in parts if name.endswith((".xml", ".rels"))]
    for _ in range(rng.choice([1, 1, 2, 4])):
        name = rng.choice(names)
        changed[name] = break_part(changed[name], list(parts.values()), rng)
    if rng.random() < 0.05:
        del changed[rng.choice(names)]
    return changed


def sources(folder: Path) -> dict[str, dict[str, bytes]]:
    """Parts of a workbook and of an OpenDocument spreadsheet, by ending."""
    book = wb.write(folder / "book.xlsx", wb.good(3))
    table = [["study", "n", "r", "year"], ["A", 60, 0.31, 2001], ["B", 50, 0.2, "NR"]]
    (folder / "table.ods").write_bytes(doc.ods(doc.ods_table("T", table)))
    found = {}
    for path in (book, folder / "table.ods"):
        with zipfile.ZipFile(path) as archive:
            found[path.suffix] = {name: archive.read(name) for name in archive.namelist()}
    return found


def outcomes(folder: Path, ending: str, count: int, seed: int) -> Counter[str]:
    """What became of ``count`` broken files; anything but CodingError is left to rise."""
    rng = random.Random(seed)
    parts = sources(folder)[ending]
    tally: Counter[str] = Counter()
    path = folder / f"broken{ending}"
    for _ in range(count):
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in break_file(parts, rng).items():
                archive.writestr(name, data)
        try:
            review = read_review(path, strict=False)
            review.effects()
            tally["read"] += 1
        except CodingError as error:
            assert all(problem.what and problem.mend for problem in error.problems)
            tally[error.problems[0].code] += 1
    return tally


@pytest.mark.parametrize("ending", [".xlsx", ".ods"])
def test_broken_files_are_read_or_refused(tmp_path: Path, ending: str) -> None:
    tally = outcomes(tmp_path, ending, 150, seed=1)
    assert tally.total() == 150 and tally["read"] > 20 and tally["corrupt"] > 5


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for kind in (".xlsx", ".ods"):
            print(kind, dict(outcomes(Path(place), kind, int(sys.argv[1]), seed=2026)))
