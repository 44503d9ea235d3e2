"""How wide text is, by the metrics of DejaVu Sans: the widest face of the stack."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["shorten", "text_width", "widest", "wrap"]

UNITS = 1000
ELLIPSIS = "…"


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line of text in points.

    Examples
    --------
    >>> round(text_width("0", 100), 1)
    63.6
    """
    return sum(_advance(character, bold) for character in text) * size


def widest(texts: Iterable[str], size: float, *, bold: bool = False) -> float:
    """Width of the widest of several texts, 0 where there is none."""
    return max((text_width(text, size, bold=bold) for text in texts), default=0.0)


def shorten(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """The text, or as much of it as fits into the width with an ellipsis."""
    if text_width(text, size, bold=bold) <= width:
        return text
    kept = text
    while kept and text_width(kept.rstrip() + ELLIPSIS, size, bold=bold) > width:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS


def wrap(text: str, size: float, width: float) -> tuple[str, ...]:
    """Lines of at most that width, broken at blanks."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


@cache
def _advance(character: str, bold: bool) -> float:
    glyph = _font(bold).load_char(ord(character))
    return float(glyph.linearHoriAdvance) / 65536 / UNITS


@cache
def _font(bold: bool) -> Any:
    import matplotlib
    from matplotlib.ft2font import FT2Font

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    font = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name))
    font.set_size(UNITS, 72)
    return font
