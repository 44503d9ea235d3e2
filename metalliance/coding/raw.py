"""What a cell of a file holds before it is read, and where it stands."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass

__all__ = [
    "BLANKS",
    "ErrorValue",
    "Fault",
    "Raw",
    "Uncached",
    "a1",
    "column_letters",
    "column_number",
    "is_blank",
    "is_error_text",
    "shown",
]

BLANKS = " \t\r\n\v\f\u00a0\u2007\u202f\u200b\ufeff"
ERROR_TEXT = re.compile(
    r"#(REF|N/A|DIV/0|VALUE|NAME\?|NUM|NULL|SPILL|CALC|ERROR)!?|Err:\d{3}|#{3,}", re.ASCII
)
WIDEST = 2**53


@dataclass(frozen=True, slots=True)
class Uncached:
    """A formula whose result the file does not hold."""

    formula: str = ""


@dataclass(frozen=True, slots=True)
class ErrorValue:
    """A spreadsheet's own error, such as #N/A."""

    text: str


Raw = (
    str
    | float
    | int
    | bool
    | datetime.date
    | datetime.datetime
    | datetime.time
    | datetime.timedelta
    | Uncached
    | ErrorValue
    | None
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a cell and how to mend it."""

    code: str
    what: str
    mend: str


def column_letters(column: int) -> str:
    """Letters of a zero-based column.

    >>> column_letters(0), column_letters(27)
    ('A', 'AB')
    """
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str) -> int:
    """Zero-based number of a column.

    >>> column_number("A"), column_number("AB")
    (0, 27)
    """
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def a1(row: int, column: int) -> str:
    """A1 address of a zero-based row and column.

    >>> a1(16, 2)
    'C17'
    """
    return f"{column_letters(column)}{row + 1}"


def is_blank(raw: Raw) -> bool:
    """Nothing, or nothing but blanks."""
    return raw is None or raw == "" or (isinstance(raw, str) and not raw.strip(BLANKS))


def shown(raw: Raw) -> str:
    """A cell as a person would read it, cut to 80 characters."""
    if raw is None:
        return ""
    if isinstance(raw, Uncached):
        return f"={raw.formula}"[:80] if raw.formula else ""
    if isinstance(raw, ErrorValue):
        return raw.text
    if isinstance(raw, bool):
        return str(raw).upper()
    if isinstance(raw, float | int):
        return _plain(float(raw))
    if isinstance(raw, datetime.datetime) and raw.time() == datetime.time():
        return raw.date().isoformat()
    text = raw if isinstance(raw, str) else str(raw)
    return text if len(text) <= 80 else text[:79] + "…"


def is_error_text(text: str) -> bool:
    """Whether a text is what a spreadsheet shows for an error, or for a column too narrow.

    >>> is_error_text("#REF!"), is_error_text("#1")
    (True, False)
    """
    return text[:1] in ("#", "E") and ERROR_TEXT.fullmatch(text) is not None


def _plain(number: float) -> str:
    if math.isfinite(number) and number == int(number) and abs(number) < WIDEST:
        return str(int(number))
    return f"{number:.15g}"
