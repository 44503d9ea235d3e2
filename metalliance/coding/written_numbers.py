"""Numbers as people and spreadsheets write them, and what is wrong with text that should be one."""

from __future__ import annotations

import datetime
import math
import re

from metalliance.coding.raw import BLANKS, Fault, Raw

__all__ = ["date_fault", "no_number", "parse_number"]

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+", re.ASCII)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", re.ASCII)
OTHER_THOUSANDS = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:([ \u00a0\u2009\u202f'’])\d{3}(?:\1\d{3})*(?:[.,]\d+)?|(?:\.\d{3})+,\d+"
    r"|(?:\.\d{3}){2,})"
)
LEADING = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
MINUS_SIGNS = "\u2212\u2013\u2014\u2010\u2011\u2012\ufe63\uff0d"
LOOK_ALIKES = str.maketrans("OoIl", "0011")


def parse_number(raw: Raw) -> float | Fault:
    """A number, or what is wrong with the text that should be one.

    >>> parse_number(".31")
    0.31
    >>> parse_number("0,35").mend
    'type 0.35'
    """
    if isinstance(raw, bool) or raw is None:
        return no_number(raw)
    if isinstance(raw, float | int):
        number = float(raw) if abs(raw) < 1e308 else math.inf
        return number if math.isfinite(number) else no_number(raw)
    if isinstance(raw, datetime.date | datetime.time | datetime.timedelta):
        return date_fault(raw, "a number")
    if not isinstance(raw, str):
        return no_number(raw)
    text = raw.strip(BLANKS)
    if NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) and abs(number) < 1e300 else no_number(raw)
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
    if OTHER_THOUSANDS.fullmatch(plain):
        return Fault("thousands", "is text with signs between thousands", "type the digits alone")
    if text[:1] in "'’" and NUMBER.fullmatch(text[1:].strip(BLANKS)):
        number = _clean(text[1:].strip(BLANKS))
        return Fault("apostrophe", "begins with an apostrophe and is text", f"type {number}")
    alike = plain.translate(LOOK_ALIKES)
    if alike != plain and NUMBER.fullmatch(alike):
        what = "has a letter (O, I or l) in the place of a digit (0 or 1)"
        return Fault("look-alike", what, f"type {_clean(alike)}")
    if text[:1] in "<>≤≥=~≈":
        return Fault(
            "inequality",
            "is an inequality, not a number",
            "move it to p_printed and type the number, or NR where it is all that is printed",
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


def date_fault(raw: datetime.date | datetime.time | datetime.timedelta, wanted: str) -> Fault:
    """A date in the place of something else, and what may have been typed.

    >>> date_fault(datetime.date(2026, 9, 3), "a number").what
    'is a date where a number is expected: spreadsheets turn an entry like 9-3 or 3/9 into one'
    """
    typed = "3-9"
    if isinstance(raw, datetime.date):
        typed = f"{raw.month}-{raw.day} or {raw.day}/{raw.month}"
    what = f"is a date where {wanted} is expected: spreadsheets turn an entry like {typed} into one"
    return Fault("date", what, "format the cell as text and type it again")


def no_number(raw: Raw) -> Fault:
    """What can never be a number."""
    what = "is yes or no, not a number" if isinstance(raw, bool) else "is no usable number"
    return Fault("not-a-number", what, "type the number, or NR, or leave blank")
