"""Ids that look the same and are not: Cyrillic letters, capitals, blanks, apostrophes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from metalliance.coding.codebook import BUILT_IN_MODELS, Codebook
from metalliance.coding.records import Findings, Record

__all__ = ["check_look_alikes", "skeleton"]

SHEETS = ("STUDIES", "MEASURES", "MODELS", "EFFECTS", "GRID", "INTERCORR")

# Cyrillic and Greek letters that look like Latin ones, and the quotation marks of spreadsheets.
ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеіјорсухѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "ABESIJKMHOPCTYXaeijopcyxsABEZHIKMNOPTYXo",
    "'’‘`\u200b\u200c\u200d\u2060\ufeff\u00ad",
)


# Signs between words, not the point in an id such as 1.2.
PUNCTUATION = re.compile(r"[,;:]|(?<!\d)\.|\.(?!\d)")


@lru_cache(maxsize=2**16)
def skeleton(text: str) -> str:
    r"""What an id looks like: Latin letters without capitals and accents, no blanks, no commas.

    >>> skeleton("S014") == skeleton("\u0405014") == skeleton("s 014")
    True
    >>> skeleton("Müller et al., 2001") == skeleton("Muller et al 2001")
    True
    """
    plain = _without_accents(text.translate(ALIKE))
    return "".join(PUNCTUATION.sub("", plain).split()).casefold()


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def check_look_alikes(
    records: Mapping[str, Sequence[Record]], codebook: Codebook, findings: Findings
) -> None:
    """Ask about ids that look like others of the file and differ from them.

    Ids of studies are compared over the whole file, ids of measures, models, samples and effects
    within their study.

    Parameters
    ----------
    records : Mapping of str to sequence of Record
        By sheet; the rows of a single table under the name that the codebook gives it.
    codebook : Codebook
    findings : Findings
    """
    seen: dict[tuple[str, str, str], dict[str, list[tuple[Record, str]]]] = {}
    for record, name, scope, kind in _ids(records, codebook):
        text = record.text(name)
        spelt = seen.setdefault((scope, kind, skeleton(text)), {})
        spelt.setdefault(text, []).append((record, name))
    for spellings in seen.values():
        if len(spellings) > 1:
            _ask(spellings, findings)


def _ids(
    records: Mapping[str, Sequence[Record]], codebook: Codebook
) -> Iterable[tuple[Record, str, str, str]]:
    """Record, field, the study within which the id holds, and what it is the id of."""
    for sheet in (*SHEETS, codebook.flat.name):
        names = [f.name for f in codebook[sheet].fields if f.type == "id" and f.name != "report"]
        for record in records.get(sheet, ()):
            for name in names:
                if record.text(name) and record.text(name).upper() not in BUILT_IN_MODELS:
                    within = "" if name == "study" else skeleton(record.text("study"))
                    yield record, name, within, _kind(sheet, name)


def _kind(sheet: str, name: str) -> str:
    if name in ("study", "sample", "effect"):
        return name
    return "model" if name == "model" or sheet == "MODELS" else "measure"


def _ask(spellings: Mapping[str, Sequence[tuple[Record, str]]], findings: Findings) -> None:
    by_use = sorted(spellings, key=lambda text: len(spellings[text]), reverse=True)
    usual, rarest = by_use[0], by_use[-1]
    record, name = spellings[rarest][0]
    other, column = spellings[usual][0]
    what = f"looks like {usual!r} ({other.address(column)}) and differs: {_why(rarest, usual)}"
    findings.ask(record, name, what, "type both alike, if they are one", "look-alike")


def _why(text: str, other: str) -> str:
    """The first thing in which two ids of the same look differ."""
    for letter in (*text, *other):
        if letter.translate(ALIKE) != letter and letter.isalpha():
            return f"it has the letter {unicodedata.name(letter, '?').title()}"
    for what, same in (
        ("blanks", lambda one: "".join(one.split())),
        ("capitals", str.casefold),
        ("accents", _without_accents),
        ("punctuation", lambda one: PUNCTUATION.sub("", one)),
        ("capitals and blanks", lambda one: "".join(one.split()).casefold()),
    ):
        if same(text) == same(other):
            return what
    return "signs that can hardly be seen"
