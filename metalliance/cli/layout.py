"""Tables of plain text, 80 columns wide, and numbers with as many digits as they deserve."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from metalliance.cli.say import visible
from metalliance.report.numbers import ABSENT, number

__all__ = ["WIDTH", "digits_for", "labelled", "limits", "table", "wrapped"]

WIDTH = 80
GAP = "  "
MOST_DIGITS, VANISHING = 9, 1e-8


def digits_for(spread: float, least: int = 3) -> int:
    """Decimals that show two significant digits of ``spread``, and at least ``least``.

    Examples
    --------
    >>> digits_for(.0416), digits_for(.00021), digits_for(float("nan"))
    (3, 5, 3)
    """
    if not (math.isfinite(spread) and spread > VANISHING):
        return least
    return min(max(least, 1 - math.floor(math.log10(spread))), MOST_DIGITS)


def limits(low: float, high: float, digits: int = 3) -> str:
    """Both limits in brackets, or a dash.

    Examples
    --------
    >>> limits(-.1, .25, 2)
    '[−0.10, 0.25]'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return ABSENT
    return f"[{number(low, digits)}, {number(high, digits)}]"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: labels at the left, the rest flush right, columns that are empty left out.

    A label that is too long for its column has a line of its own above its numbers.

    Examples
    --------
    >>> for line in table(["term", "estimate"], [["Intercept", "0.25"]]):
    ...     print(line)
    term       estimate
    Intercept      0.25
    """
    kept = [
        0,
        *(j for j in range(1, len(titles)) if any(row[j] not in ("", ABSENT) for row in rows)),
    ]
    cells = [[visible(row[j]) for j in kept] for row in (titles, *rows)]
    widths = [max(_width(row[j]) for row in cells) for j in range(len(kept))]
    room = WIDTH - sum(width + len(GAP) for width in widths[1:])
    label = min(widths[0], max(room, 8))
    lines = []
    for row in cells:
        first = row[0]
        if _width(first) > label:
            lines += textwrap.wrap(first, WIDTH, break_on_hyphens=False)
            first = ""
        numbers = [_padded(text, width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(GAP.join([first + " " * (label - _width(first)), *numbers]).rstrip())
    return lines


def labelled(label: str, text: str) -> list[str]:
    """A label and its text, wrapped beside it."""
    return textwrap.wrap(
        visible(text),
        WIDTH,
        initial_indent=f"{label:<13}",
        subsequent_indent=" " * 13,
        break_on_hyphens=False,
    )


def wrapped(text: str) -> list[str]:
    """A sentence in lines; the later ones set in."""
    return textwrap.wrap(visible(text), WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int) -> str:
    return " " * (width - _width(text)) + text
