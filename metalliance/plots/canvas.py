"""A scene as PDF or PNG, drawn by matplotlib without any global state."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from metalliance.plots.scene import Circle, Figure, Item, Line, Polygon, Rect, Scene, Text

__all__ = ["to_pdf", "to_png"]

DPI = 300
ALIGN = {"start": "left", "middle": "center", "end": "right"}


def to_pdf(figure: Figure) -> bytes:
    """All pages as one PDF with embedded TrueType fonts; the same input gives the same bytes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import PdfPages

    buffer = io.BytesIO()
    metadata = {"CreationDate": None, "ModDate": None, "Title": figure.alt}
    with (
        _without_glyph_warnings(),
        rc_context({"pdf.fonttype": 42, "pdf.compression": 6}),
        PdfPages(buffer, metadata=metadata) as document,
    ):
        for scene in figure.pages:
            document.savefig(_draw(scene))
    return buffer.getvalue()


def to_png(figure: Figure, page: int = 0, dpi: int = DPI) -> bytes:
    """One page as PNG."""
    buffer = io.BytesIO()
    metadata = {"Software": None, "Description": figure.alt}
    with _without_glyph_warnings():
        _draw(figure.pages[page]).savefig(buffer, format="png", dpi=dpi, metadata=metadata)
    return buffer.getvalue()


@contextmanager
def _without_glyph_warnings() -> Iterator[None]:
    """A character that the bundled font lacks is drawn as a box, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _draw(scene: Scene) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(scene.width / 72, scene.height / 72))
    FigureCanvasAgg(canvas)
    axes = canvas.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.set_axis_off()
    for order, item in enumerate(scene.items):
        artist = _artist(item)
        artist.set_zorder(order)
        axes.add_artist(artist)
    return canvas


def _artist(item: Item) -> Any:
    from matplotlib import lines, patches, text

    match item:
        case Text():
            return text.Text(
                item.x,
                item.y,
                item.text,
                fontsize=item.size,
                fontfamily="DejaVu Sans",
                fontweight="bold" if item.bold else "normal",
                color=item.color,
                ha=ALIGN[item.anchor],
                va="baseline",
                parse_math=False,
            )
        case Line():
            drawn = lines.Line2D(
                [item.x1, item.x2],
                [item.y1, item.y2],
                linewidth=item.width,
                color=item.color,
                solid_capstyle="butt",
                dash_capstyle="butt",
            )
            if item.dash:
                drawn.set_linestyle((0, tuple(length / item.width for length in item.dash)))
            return drawn
        case Rect():
            return patches.Rectangle(
                (item.x, item.y), item.width, item.height, facecolor=item.fill, linewidth=0
            )
        case Polygon():
            return patches.Polygon(
                item.points,
                closed=True,
                facecolor=(item.fill, item.opacity),
                edgecolor=item.stroke or "none",
                linewidth=item.stroke_width if item.stroke else 0,
                joinstyle="miter",
            )
        case Circle():
            return patches.Circle(
                (item.x, item.y),
                item.radius,
                facecolor=(item.fill, item.opacity),
                edgecolor=item.stroke or "none",
                linewidth=0.6,
            )
