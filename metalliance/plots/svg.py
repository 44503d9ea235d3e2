"""A scene as SVG text: small, stable, readable by machines and screen readers."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

from metalliance.plots.scene import FONTS, Circle, Figure, Item, Line, Polygon, Rect, Text

__all__ = ["to_svg"]

ON_SCREEN = 1.55  # CSS pixels to a point: text of 8 points reads as 12 pixels
NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_svg(figure: Figure, page: int = 0, *, name: str = "figure", inline: bool = False) -> str:
    """Write one page.

    Parameters
    ----------
    figure : Figure
    page : int
        From 0.
    name : str
        Prefix of the ids of title and description; unique within a document.
    inline : bool
        Without the XML declaration and a little larger, for use inside HTML.

    Returns
    -------
    str
    """
    scene = figure.pages[page]
    ident = "".join(c if c.isascii() and c.isalnum() else "-" for c in name)
    pages = len(figure.pages)
    alt = f"{figure.alt} Page {page + 1} of {pages}." if pages > 1 else figure.alt
    fonts = ", ".join(f"'{font}'" if " " in font else font for font in FONTS)
    head = "" if inline else '<?xml version="1.0" encoding="UTF-8"?>\n'
    width, height = _n(scene.width), _n(scene.height)
    size = f'width="{width}pt" height="{height}pt"'
    if inline:
        size = f'width="{_n(scene.width * ON_SCREEN)}" height="{_n(scene.height * ON_SCREEN)}"'
    lines = [
        f'{head}<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{ident}-title {ident}-desc" font-family="{fonts}, sans-serif">',
        f'<title id="{ident}-title">{escape(alt)}</title>',
        f'<desc id="{ident}-desc">{escape(figure.description or figure.alt)}</desc>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    lines += [_item(item) for item in scene.items]
    lines.append("</svg>\n")
    return "\n".join(lines)


def escape(text: str) -> str:
    """Text for XML: markup escaped, characters that XML forbids replaced."""
    return xml_escape(NOT_XML.sub("\ufffd", text))


def _item(item: Item) -> str:
    match item:
        case Text():
            return _text(item)
        case Line():
            dash = f' stroke-dasharray="{" ".join(map(_n, item.dash))}"' if item.dash else ""
            return (
                f'<line x1="{_n(item.x1)}" y1="{_n(item.y1)}" x2="{_n(item.x2)}" '
                f'y2="{_n(item.y2)}" stroke="{item.color}" stroke-width="{_n(item.width)}"{dash}'
                f"{_role(item.role)}/>"
            )
        case Rect():
            return (
                f'<rect x="{_n(item.x)}" y="{_n(item.y)}" width="{_n(item.width)}" '
                f'height="{_n(item.height)}" fill="{item.fill}"{_role(item.role)}/>'
            )
        case Polygon():
            points = " ".join(f"{_n(x)},{_n(y)}" for x, y in item.points)
            return (
                f'<polygon points="{points}" fill="{item.fill}"{_stroke(item.stroke)}'
                f' stroke-width="{_n(item.stroke_width)}"{_opacity(item.opacity)}'
                f"{_role(item.role)}/>"
            )
        case Circle():
            circle = (
                f'<circle cx="{_n(item.x)}" cy="{_n(item.y)}" r="{_n(item.radius)}" '
                f'fill="{item.fill}"{_stroke(item.stroke)} stroke-width="0.6"'
                f"{_opacity(item.opacity)}{_role(item.role)}"
            )
            if not item.tooltip:
                return f"{circle}/>"
            return f"{circle}><title>{escape(item.tooltip)}</title></circle>"


def _text(item: Text) -> str:
    anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    weight = ' font-weight="700"' if item.bold else ""
    color = "" if item.color == "#000000" else f' fill="{item.color}"'
    tooltip = f"<title>{escape(item.tooltip)}</title>" if item.tooltip else ""
    return (
        f'<text x="{_n(item.x)}" y="{_n(item.y)}" font-size="{_n(item.size)}"{anchor}{weight}'
        f"{color}{_role(item.role)}>{tooltip}{escape(item.text)}</text>"
    )


def _stroke(color: str) -> str:
    return f' stroke="{color}"' if color else ""


def _opacity(value: float) -> str:
    return "" if value == 1 else f' fill-opacity="{_n(value)}"'


def _role(role: str) -> str:
    return f" class={quoteattr(role)}" if role else ""


def _n(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
