"""Numbers as a journal prints them (APA, 7th edition)."""

from __future__ import annotations

import math

__all__ = [
    "ABSENT",
    "MINUS",
    "correlation",
    "count",
    "interval",
    "number",
    "p_value",
    "percent",
    "range_of",
]

MINUS = "−"
ABSENT = "–"


def number(value: float, digits: int = 2) -> str:
    """Fixed digits, a true minus sign, never minus zero; a dash where there is no number.

    Examples
    --------
    >>> number(-0.001), number(-1.236), number(float("nan"))
    ('0.00', '−1.24', '–')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{abs(value):.{digits}f}"
    negative = value < 0 and float(text) != 0.0
    return f"{MINUS}{text}" if negative else text


def correlation(value: float, digits: int = 2) -> str:
    """A number that cannot exceed 1 in magnitude has no leading zero.

    Examples
    --------
    >>> correlation(.278), correlation(-.05), correlation(1.0)
    ('.28', '−.05', '1.00')
    """
    text = number(value, digits)
    return text.replace("0.", ".", 1) if text.lstrip(MINUS).startswith("0.") else text


def interval(low: float, high: float, digits: int = 2) -> str:
    """Limits of a correlation in brackets.

    Examples
    --------
    >>> interval(.118, .373)
    '[.12, .37]'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return ABSENT
    return f"[{correlation(low, digits)}, {correlation(high, digits)}]"


def range_of(low: float, high: float, digits: int = 2) -> str:
    """Limits joined by "to".

    Examples
    --------
    >>> range_of(-.21, .62)
    '−.21 to .62'
    """
    return f"{correlation(low, digits)} to {correlation(high, digits)}"


def p_value(p: float) -> str:
    """Print p with its sign of comparison.

    Examples
    --------
    >>> p_value(.0304), p_value(.0000004), p_value(float("nan"))
    ('= .030', '< .001', '–')
    """
    if p is None or not math.isfinite(p):
        return ABSENT
    return "< .001" if p < 0.0005 else f"= {correlation(p, 3)}"


def percent(value: float, digits: int = 0) -> str:
    """Percent with its sign, or a dash.

    Examples
    --------
    >>> percent(61.73)
    '62%'
    """
    text = number(value, digits)
    return text if text == ABSENT else f"{text}%"


def count(value: float, noun: str, plural: str = "") -> str:
    """A count with its noun.

    Examples
    --------
    >>> count(1, "study", "studies"), count(1234, "effect")
    ('1 study', '1,234 effects')
    """
    word = noun if value == 1 else (plural or f"{noun}s")
    return f"{value:,.0f} {word}"
