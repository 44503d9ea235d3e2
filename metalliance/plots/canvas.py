"""Scenes as PDF and PNG through matplotlib, which is imported only when a file is asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from metalliance.plots.scene import Circle, Figure, Line, Mark, Polygon, Rect, Scene, Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

__all__ = ["to_pdf", "to_png"]

DPI = 300
POINTS_PER_INCH = 72
RC = {
    "pdf.fonttype": 42,
    "font.family": ["DejaVu Sans"],
    "font.size": 7.5,
    "text.parse_math": False,
    "text.usetex": False,
    "axes.unicode_minus": True,
    "path.simplify": False,
}
NO_DATES = {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": "metalliance"}


def to_pdf(figure: Figure) -> bytes:
    """All pages of a figure as one PDF with embedded fonts and no dates."""
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    target = io.BytesIO()
    with matplotlib.rc_context(RC):
        metadata = NO_DATES | {"Title": figure.title, "Subject": figure.alt}
        with PdfPages(target, metadata=metadata) as file:
            for scene in figure.pages:
                file.savefig(_drawn(scene), facecolor="white")
    return target.getvalue()


def to_png(figure: Figure, page: int = 0, *, dpi: int = DPI) -> bytes:
    """One page of a figure as PNG, 300 dots per inch where nothing else is asked for."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    target = io.BytesIO()
    with matplotlib.rc_context(RC):
        drawn = _drawn(figure.pages[page])
        FigureCanvasAgg(drawn)
        metadata = {"Software": "metalliance", "Title": figure.title, "Description": figure.alt}
        drawn.savefig(target, format="png", dpi=dpi, facecolor="white", metadata=metadata)
    return target.getvalue()


def _drawn(scene: Scene) -> Canvas:
    from matplotlib.figure import Figure as Canvas
    from matplotlib.transforms import Affine2D

    canvas = Canvas(figsize=(scene.width / POINTS_PER_INCH, scene.height / POINTS_PER_INCH))
    top_left = Affine2D().scale(1, -1).translate(0, scene.height).scale(1 / POINTS_PER_INCH)
    transform = top_left + canvas.dpi_scale_trans
    for order, mark in enumerate(scene.marks):
        artist = _artist(mark, transform)
        artist.set_zorder(order)
        canvas.add_artist(artist)
    return canvas


def _artist(mark: Mark, transform: Any) -> Any:
    from matplotlib import patches
    from matplotlib.lines import Line2D
    from matplotlib.text import Text as TextArtist

    match mark:
        case Text():
            return TextArtist(
                mark.x,
                mark.y,
                mark.text,
                fontsize=mark.size,
                color=mark.colour,
                ha={"start": "left", "middle": "center", "end": "right"}[mark.anchor],
                va="baseline",
                weight="bold" if mark.bold else "normal",
                style="italic" if mark.italic else "normal",
                transform=transform,
            )
        case Line():
            return Line2D(
                (mark.x1, mark.x2),
                (mark.y1, mark.y2),
                color=mark.colour,
                linewidth=mark.width,
                linestyle=(0, tuple(d / mark.width for d in mark.dash)) if mark.dash else "-",
                solid_capstyle="butt",
                dash_capstyle="butt",
                transform=transform,
            )
        case Rect():
            return patches.Rectangle(
                (mark.x, mark.y),
                mark.width,
                mark.height,
                facecolor=mark.fill,
                linewidth=0,
                transform=transform,
            )
        case Polygon():
            return patches.Polygon(
                mark.points,
                closed=True,
                facecolor=mark.fill,
                edgecolor=mark.edge or "none",
                linewidth=mark.edge_width if mark.edge else 0,
                joinstyle="miter",
                transform=transform,
            )
        case Circle():
            return _circle(mark, transform)


def _circle(mark: Circle, transform: Any) -> Any:
    from matplotlib import colors, patches

    return patches.Circle(
        (mark.cx, mark.cy),
        mark.radius,
        facecolor=colors.to_rgba(mark.fill, mark.opacity),
        edgecolor=mark.edge or "none",
        linewidth=mark.edge_width if mark.edge else 0,
        transform=transform,
    )
