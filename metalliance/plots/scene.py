"""A figure before it is drawn: shapes and text in points from the top left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

__all__ = [
    "Circle",
    "Figure",
    "Item",
    "Line",
    "Polygon",
    "Rect",
    "Scene",
    "Text",
    "shortened",
    "text_width",
    "widest",
    "wrapped",
]

Anchor = Literal["start", "middle", "end"]

# Okabe–Ito hues and greys, with their contrast on white.
INK = "#000000"  # 21
QUIET = "#404040"  # 10.4
GREY = "#595959"  # 7.0
PALE = "#9A9A9A"  # behind other marks only
BLUE = "#004B75"  # 9.3
VERMILLION = "#D55E00"  # 3.9
ZEBRA = "#F4F4F4"
HEAD = "#E8EEF4"
FONTS = ("Source Sans 3", "Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A line of text whose baseline is at y."""

    x: float
    y: float
    text: str
    size: float = 7.5
    anchor: Anchor = "start"
    bold: bool = False
    color: str = INK
    tooltip: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight line with butt caps."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float = 0.8
    color: str = INK
    dash: tuple[float, ...] = ()
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rect:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """A filled polygon, with an edge where ``stroke`` is given."""

    points: tuple[tuple[float, float], ...]
    fill: str
    stroke: str = ""
    stroke_width: float = 0.8
    opacity: float = 1.0
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """A circle, filled and edged."""

    x: float
    y: float
    radius: float
    fill: str
    stroke: str = ""
    opacity: float = 1.0
    tooltip: str = ""
    role: str = ""


Item = Text | Line | Rect | Polygon | Circle


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One page, ``width`` x ``height`` points."""

    width: float
    height: float
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Pages, with a short alternative text and a long description."""

    pages: tuple[Scene, ...]
    alt: str
    description: str = ""


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width in points when set in DejaVu Sans, the widest font of the stack.

    Examples
    --------
    >>> round(text_width("0", 100), 1)
    63.6
    """
    return size * sum(_advance(character, bold) for character in text)


def widest(texts: Sequence[str], size: float, bold: bool = False) -> float:
    """Width in points of the widest of several texts."""
    return max((text_width(text, size, bold) for text in texts), default=0.0)


def shortened(text: str, size: float, width: float, bold: bool = False) -> str:
    """The text, or as much of it as fits into the width with an ellipsis."""
    if text_width(text, size, bold) <= width:
        return text
    kept = text
    while kept and text_width(f"{kept.rstrip()}…", size, bold) > width:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def wrapped(text: str, size: float, width: float) -> tuple[str, ...]:
    """Lines of at most that width, broken at blanks but not at no-break spaces."""
    lines: list[str] = []
    for word in filter(None, text.split(" ")):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


@cache
def _advance(character: str, bold: bool) -> float:
    face = _face(bold)
    if not face.get_char_index(ord(character)):
        return 1.0
    return float(face.load_char(ord(character)).linearHoriAdvance) / 65536 / 100


@cache
def _face(bold: bool) -> Any:
    from pathlib import Path

    import matplotlib
    from matplotlib.ft2font import FT2Font

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    face = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name))
    face.set_size(100.0, 72)
    return face
