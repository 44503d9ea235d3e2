"""One cell: what stands in it becomes a value, a code, or a fault that says what to type."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, replace
from typing import Literal

from metalliance.coding.codebook import Field, closest
from metalliance.coding.raw import (
    BLANKS,
    ErrorValue,
    Fault,
    Raw,
    Uncached,
    a1,
    column_letters,
    column_number,
    is_blank,
    is_error_text,
    shown,
)
from metalliance.coding.written_numbers import date_fault, no_number, parse_number

__all__ = [
    "BLANK",
    "BLANKS",
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

Code = Literal["", "NR", "NA", "blank", "faulty"]
NOT_SIGNIFICANT = re.compile(r"\s*(n\.?\s*s\.?|not\s+significant)\s*", re.IGNORECASE)
DAY_ZERO = datetime.date(1899, 12, 30)  # from which spreadsheets count days
DAYS = range(36_526, 73_051)  # the years 2000 to 2099


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


BLANK = Coded()


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
    elif isinstance(raw, ErrorValue) or (isinstance(raw, str) and is_error_text(raw.strip())):
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
        return date_fault(raw, "an id") if isinstance(raw, datetime.date) else no_number(raw)
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
        return date_fault(raw, "a level")
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
    if number in DAYS:
        return date_fault(DAY_ZERO + datetime.timedelta(days=int(number)), "a session")
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
