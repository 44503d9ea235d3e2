"""Scenes as SVG: text stays text, bytes are the same at every run."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from metalliance.plots.scene import (
    FONT_STACK,
    Circle,
    Figure,
    Line,
    Mark,
    Polygon,
    Rect,
    Text,
)

__all__ = ["to_svg"]

FAMILY = ", ".join(f"'{name}'" if " " in name else name for name in FONT_STACK)
FORBIDDEN = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_svg(figure: Figure, page: int = 0, *, name: str = "figure", inline: bool = False) -> str:
    """One page of a figure as SVG text.

    Parameters
    ----------
    figure : Figure
    page : int
        From 0.
    name : str
        Prefix of the ids of title and description: unique where several stand in one document.
    inline : bool
        For use inside HTML: no XML declaration, sized by the page around it.
    """
    scene = figure.pages[page]
    ident = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    of = f" (page {page + 1} of {len(figure.pages)})" if len(figure.pages) > 1 else ""
    width, height = _n(scene.width), _n(scene.height)
    size = "" if inline else f' width="{width}pt" height="{height}pt"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg"{size} viewBox="0 0 {width} {height}" '
        f'role="img" aria-labelledby="{ident}-title {ident}-desc" font-family="{FAMILY}">'
    )
    if inline:
        head = head.replace("<svg ", f'<svg width="{_n(scene.width * 4 / 3)}" ', 1)
    lines = [] if inline else ['<?xml version="1.0" encoding="UTF-8"?>']
    lines += [
        head,
        f'<title id="{ident}-title">{_text(figure.alt + of)}</title>',
        f'<desc id="{ident}-desc">{_text(figure.description)}</desc>',
    ]
    if not inline:
        lines.append(f'<rect width="{width}" height="{height}" fill="#ffffff"/>')
    lines += [_mark(mark) for mark in scene.marks]
    return "\n".join([*lines, "</svg>", ""])


def _mark(mark: Mark) -> str:
    match mark:
        case Text():
            return _text_mark(mark)
        case Line():
            dash = f' stroke-dasharray="{" ".join(map(_n, mark.dash))}"' if mark.dash else ""
            return (
                f'<line class="{mark.role}" x1="{_n(mark.x1)}" y1="{_n(mark.y1)}" '
                f'x2="{_n(mark.x2)}" y2="{_n(mark.y2)}" stroke="{mark.colour}" '
                f'stroke-width="{_n(mark.width)}"{dash}/>'
            )
        case Rect():
            return (
                f'<rect class="{mark.role}" x="{_n(mark.x)}" y="{_n(mark.y)}" '
                f'width="{_n(mark.width)}" height="{_n(mark.height)}" fill="{mark.fill}"/>'
            )
        case Polygon():
            points = " ".join(f"{_n(x)},{_n(y)}" for x, y in mark.points)
            edge = _edge(mark.edge, mark.edge_width)
            return f'<polygon class="{mark.role}" points="{points}" fill="{mark.fill}"{edge}/>'
        case Circle():
            opacity = f' fill-opacity="{_n(mark.opacity)}"' if mark.opacity < 1 else ""
            return (
                f'<circle class="{mark.role}" cx="{_n(mark.cx)}" cy="{_n(mark.cy)}" '
                f'r="{_n(mark.radius)}" fill="{mark.fill}"{opacity}'
                f"{_edge(mark.edge, mark.edge_width)}/>"
            )


def _text_mark(mark: Text) -> str:
    anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
    weight = ' font-weight="bold"' if mark.bold else ""
    style = ' font-style="italic"' if mark.italic else ""
    hover = f"<title>{_text(mark.full)}</title>" if mark.full and mark.full != mark.text else ""
    return (
        f'<text class="{mark.role}" x="{_n(mark.x)}" y="{_n(mark.y)}" '
        f'font-size="{_n(mark.size)}"{anchor}{weight}{style} fill="{mark.colour}">'
        f"{hover}{_text(mark.text)}</text>"
    )


def _edge(colour: str, width: float) -> str:
    return f' stroke="{colour}" stroke-width="{_n(width)}"' if colour else ""


def _text(text: str) -> str:
    return escape(FORBIDDEN.sub("�", text))


def _n(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
