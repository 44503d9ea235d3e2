"""One cell: what stands in it becomes a value, a code, or a fault that says what to type."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from metalliance.coding.codebook import Field, closest

__all__ = [
    "BLANK",
    "Code",
    "Coded",
    "ErrorValue",
    "Fault",
    "Raw",
    "Uncached",
    "a1",
    "column_letters",
    "column_number",
    "is_blank",
    "parse_cell",
    "parse_number",
    "shown",
]


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
Code = Literal["", "NR", "NA", "blank", "faulty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A coded cell.

    Attributes
    ----------
    value : float, str or None
        The value; None where ``code`` is set.
    code : {'', 'NR', 'NA', 'blank', 'faulty'}
        Why there is no value.
    text : str
        The cell as it stands.
    cell : str
        A1 address; empty where the sheet has no such column.
    """

    value: float | str | None = None
    code: Code = "blank"
    text: str = ""
    cell: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a cell and how to mend it."""

    code: str
    what: str
    mend: str


BLANK = Coded()
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+", re.ASCII)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", re.ASCII)
NOT_SIGNIFICANT = re.compile(r"\s*(n\.?\s*s\.?|not\s+significant)\s*", re.IGNORECASE)
LEADING = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
MINUS_SIGNS = "\u2212\u2013\u2014\u2010\u2011\u2012\ufe63\uff0d"
BLANKS = " \t\r\n\v\f\u00a0\u2007\u202f\u200b\ufeff"
WIDEST = 2**53


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


def parse_cell(raw: Raw, field: Field, cell: str) -> tuple[Coded, Fault | None]:
    """Read one cell by its field.

    Never raises: whatever stands there becomes a value, a code or a fault.
    """
    text = shown(raw)
    if is_blank(raw):
        return Coded(text=text, cell=cell), None
    found: float | str | Fault
    if isinstance(raw, Uncached):
        found = Fault(
            "uncached-formula",
            "holds a formula whose result was never saved",
            "open the file in a spreadsheet program and save it, or type the value",
        )
    elif isinstance(raw, ErrorValue):
        found = Fault("error-value", "is an error of the spreadsheet", "correct the formula")
    else:
        code = _code(raw, field)
        if code:
            return Coded(code=code, text=text, cell=cell), None
        found = _parse(raw, field)
    if isinstance(found, Fault):
        return Coded(code="faulty", text=text, cell=cell), found
    return Coded(value=found, code="", text=text, cell=cell), None


def _code(raw: Raw, field: Field) -> Code:
    if not isinstance(raw, str) or field.type in ("id", "formula"):
        return ""
    stripped = raw.strip(BLANKS)
    if field.type == "text" and stripped not in ("NR", "NA"):
        return ""
    if field.level(stripped) is not None:
        return ""
    folded = stripped.casefold()
    if folded in ("nr", "not reported"):
        return "NR"
    return "NA" if folded in ("na", "n/a", "not applicable") else ""


def _parse(raw: Raw, field: Field) -> float | str | Fault:
    if field.type in ("id", "text", "formula", "date"):
        return _text(raw, field)
    if field.type == "choice":
        return _choice(raw, field)
    if field.type in ("session", "lag"):
        return _occasion(raw, field)
    if field.type == "statistic" and isinstance(raw, str) and NOT_SIGNIFICANT.fullmatch(raw):
        return "n.s."
    number = parse_number(raw)
    if not isinstance(number, Fault):
        return _in_range(number, field)
    if field.type != "statistic":
        return number
    return replace(number, mend=re.sub(r"move (\S+) to p_\w+", r"keep \1 in note", number.mend))


def _text(raw: Raw, field: Field) -> str | Fault:
    if isinstance(raw, str):
        text = raw.strip(BLANKS)
        if field.longest is not None and len(text) > field.longest:
            what = f"has {len(text)} characters, {field.name} at most {field.longest}"
            return Fault("too-long", what, "shorten it to what the judgement stands on")
        if field.type != "id":
            return text
        if any(ord(char) < 32 for char in text) or len(text) > 200:
            return Fault("id", "is no identifier", "use a short id of letters and digits")
        return text
    if field.type == "id" and not isinstance(raw, float | int):
        return _date_fault("an id") if isinstance(raw, datetime.date) else _no_number(raw)
    return shown(raw)


def _choice(raw: Raw, field: Field) -> str | Fault:
    if isinstance(raw, bool):
        text = "yes" if raw else "no"
    elif isinstance(raw, str):
        text = raw.strip(BLANKS)
    else:
        text = shown(raw)
    level = field.level(text)
    if level is not None:
        return level
    if isinstance(raw, datetime.date):
        return _date_fault("a level")
    near = field.level(closest(text, (*field.levels, *(alias for alias, _ in field.aliases))))
    known = ", ".join(field.levels)
    mend = f"did you mean {near!r}? Levels: {known}" if near else f"use one of: {known}"
    return Fault("unknown-level", f"is no level of {field.name}", mend)


def _occasion(raw: Raw, field: Field) -> float | str | Fault:
    words = ("post",) if field.type == "lag" else ("pre", "post", "follow-up")
    if isinstance(raw, str):
        folded = raw.strip(BLANKS).casefold().replace("followup", "follow-up")
        if folded in words:
            return folded
    number = parse_number(raw)
    if isinstance(number, Fault):
        if number.code != "not-a-number":
            return number
        return Fault(
            "not-a-number",
            f"is no {field.name.replace('_', ' ')}",
            f"type a whole number of sessions, or {', '.join(words)}",
        )
    if number < 0 or number != int(number):
        return Fault("range", "is no number of sessions", "type a whole number from 0")
    return number


def _in_range(number: float, field: Field) -> float | Fault:
    name = field.name
    if field.type == "correlation" and not -1 < number < 1:
        return _no_correlation(number)
    if field.type == "integer" and number != int(number):
        return Fault("not-whole", f"{name} is a whole number", "type it without decimals")
    low, high = field.minimum, field.maximum
    if low is not None and (number <= low if field.exclusive else number < low):
        if low == 4:
            what = f"is too small: with {name} = {number:g} there is no sampling variance 1/(n − 3)"
            return Fault("too-small", what, "at least 4; check the number, or set role to not used")
        bound = f"above {low:g}" if field.exclusive else f"at least {low:g}"
        return Fault("range", f"{name} is {bound}", "check the number")
    if high is not None and number > high:
        return Fault("range", f"{name} is at most {high:g}", "check the number")
    return number


def _no_correlation(number: float) -> Fault:
    if abs(number) == 1:
        what = "a correlation of exactly 1 has no Fisher z"
        return Fault("correlation-range", what, "check the printed value")
    mend = "check the printed value, or choose another stat"
    if 1 < abs(number) < 100 and number == int(number):
        mend = f"did you mean {number / 100:.2f}? Otherwise check the printed value"
    return Fault("correlation-range", "a correlation lies between −1 and 1", mend)


def parse_number(raw: Raw) -> float | Fault:
    """A number, or what is wrong with the text that should be one.

    >>> parse_number(".31")
    0.31
    >>> parse_number("0,35").mend
    'type 0.35'
    """
    if isinstance(raw, bool) or raw is None:
        return _no_number(raw)
    if isinstance(raw, float | int):
        number = float(raw) if abs(raw) < 1e308 else math.inf
        return number if math.isfinite(number) else _no_number(raw)
    if isinstance(raw, datetime.date | datetime.time | datetime.timedelta):
        return _date_fault("a number")
    if not isinstance(raw, str):
        return _no_number(raw)
    text = raw.strip(BLANKS)
    if NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) and abs(number) < 1e300 else _no_number(raw)
    return _text_fault(text)


def _text_fault(text: str) -> Fault:
    plain = text
    for sign in MINUS_SIGNS:
        plain = plain.replace(sign, "-")
    if plain != text and NUMBER.fullmatch(plain):
        return Fault(
            "typographic-minus", "has a typographic minus, which is text", f"type {_clean(plain)}"
        )
    if THOUSANDS.fullmatch(text) and not text.lstrip("+-").startswith("0"):
        whole = text.replace(",", "")
        return Fault(
            "thousands",
            "is text: the comma may separate thousands or decimals",
            f"type {_clean(whole)} or {_clean(text.replace(',', '.', 1))}"
            if text.count(",") == 1 and "." not in text
            else f"type {_clean(whole)}",
        )
    if DECIMAL_COMMA.fullmatch(plain):
        number = _clean(plain.replace(",", "."))
        return Fault("decimal-comma", "is text with a decimal comma", f"type {number}")
    if text[:1] in "<>≤≥=~≈":
        return Fault(
            "inequality",
            "is an inequality, not a number",
            "move it to p_printed and type the number, or NR",
        )
    if text.endswith("%") and NUMBER.fullmatch(text[:-1].strip(BLANKS)):
        number = _clean(repr(float(text[:-1].strip(BLANKS)) / 100))
        return Fault("percent", "is text with a percent sign", f"type {number}")
    return _trailing_fault(text)


def _trailing_fault(text: str) -> Fault:
    leading = LEADING.match(text)
    rest = text[leading.end() :].strip(BLANKS) if leading else ""
    if leading and rest and set(rest) <= set("*†‡+"):
        number = leading.group().lstrip("+")
        return Fault(
            "stars",
            "is text: a number with a mark of significance",
            f"type {number} and move {rest} to p_printed",
        )
    if leading and re.fullmatch(r"[-–/]\s*\d+", rest):
        return Fault("not-a-number", "is a range, not a number", "type one number, or NR")
    if leading and rest and len(rest) < 30:
        return Fault(
            "not-a-number",
            "is text, not a number",
            f"type {leading.group()} and keep {rest!r} in note",
        )
    return Fault("not-a-number", "is text, not a number", "type the number, or NR, or leave blank")


def _clean(text: str) -> str:
    number = text.lstrip("+")
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    return f"{sign}0{digits}" if digits.startswith(".") else f"{sign}{digits}"


def _plain(number: float) -> str:
    if math.isfinite(number) and number == int(number) and abs(number) < WIDEST:
        return str(int(number))
    return f"{number:.15g}"


def _date_fault(wanted: str) -> Fault:
    return Fault(
        "date",
        f"is a date where {wanted} is expected: spreadsheets turn an entry like 3-9 into one",
        "format the cell as text and type it again",
    )


def _no_number(raw: Raw) -> Fault:
    what = "is yes or no, not a number" if isinstance(raw, bool) else "is no usable number"
    return Fault("not-a-number", what, "type the number, or NR, or leave blank")
