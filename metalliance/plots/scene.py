"""A picture as a list of marks, in points from the top-left corner; no backend knows more.

One point is 1/72 inch. Text is placed by its baseline and never scales with the data, so what
fits in one writer fits in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "FONT_STACK",
    "Anchor",
    "Circle",
    "Figure",
    "Line",
    "Mark",
    "Polygon",
    "Rect",
    "Scene",
    "Text",
]

FONT_STACK = (
    "Source Sans 3",
    "Arial",
    "Helvetica",
    "Liberation Sans",
    "DejaVu Sans",
    "sans-serif",
)
Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A line of text; ``full`` is shown on hovering where ``text`` is shortened."""

    x: float
    y: float
    text: str
    size: float = 7.5
    anchor: Anchor = "start"
    bold: bool = False
    italic: bool = False
    colour: str = "#1b1b1b"
    role: str = "text"
    row_id: str = ""
    full: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight line with butt caps; ``dash`` alternates lengths on and off."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str = "#1b1b1b"
    width: float = 0.8
    dash: tuple[float, ...] = ()
    role: str = "line"
    row_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rect:
    """A filled rectangle without an edge."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    role: str = "rect"
    row_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """A filled polygon; an empty ``edge`` draws none."""

    points: tuple[Point, ...]
    fill: str
    edge: str = ""
    edge_width: float = 0.8
    role: str = "polygon"
    row_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """A circle; ``opacity`` concerns its fill only."""

    cx: float
    cy: float
    radius: float
    fill: str
    edge: str = ""
    edge_width: float = 0.6
    opacity: float = 1.0
    role: str = "circle"
    row_id: str = ""


Mark = Text | Line | Rect | Polygon | Circle


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One page: its size in points, its marks from back to front."""

    width: float
    height: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Pages of one figure with what a reader who cannot see it is told.

    Attributes
    ----------
    pages : tuple of Scene
    title : str
        One line.
    alt : str
        At most 250 characters: what is drawn and what it shows, in numbers.
    description : str
        As long as needed.
    """

    pages: tuple[Scene, ...]
    title: str
    alt: str
    description: str
