from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import pytest
from matplotlib.image import imread

from metalliance.plots.canvas import to_pdf, to_png
from metalliance.plots.forest import forest_data, forest_plot
from metalliance.plots.scene import Circle, Figure, Line, Polygon, Rect, Scene, Text
from metalliance.plots.svg import to_svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert(1)</script> & "quoted" \x00 =cmd()'


@pytest.fixture
def figure():
    items = (
        Rect(x=5, y=5, width=50, height=20, fill="#F4F4F4"),
        Line(x1=0, y1=50, x2=100, y2=50, dash=(4, 3)),
        Polygon(points=((10, 60), (20, 55), (30, 60)), fill="#FFFFFF", stroke="#000000"),
        Circle(x=60, y=60, radius=5, fill="#004B75", opacity=0.3, tooltip=HOSTILE),
        Text(x=50, y=90, text=HOSTILE, anchor="middle", tooltip=HOSTILE),
        Text(x=50, y=98, text="Čermák, 日本", anchor="end", bold=True),
    )
    pages = (Scene(width=100, height=100, items=items), Scene(width=100, height=50, items=()))
    return Figure(pages=pages, alt=f"Alt {HOSTILE}", description="Long")


@pytest.mark.parametrize("inline", [True, False])
def test_svg_is_well_formed_named_and_escaped(figure, inline):
    text = to_svg(figure, name="forest-total.1", inline=inline)
    root = ElementTree.fromstring(text)
    assert text.startswith("<svg") == inline
    assert root.get("role") == "img"
    ids = root.get("aria-labelledby").split()
    assert [root.find(f"{SVG}title").get("id"), root.find(f"{SVG}desc").get("id")] == ids
    assert root.find(f"{SVG}title").text.startswith("Alt ")
    assert not list(root.iter(f"{SVG}script")) and "<script" not in text
    assert any("<script>" in (node.text or "") for node in root.iter(f"{SVG}text")) is False
    joined = "".join("".join(node.itertext()) for node in root.iter(f"{SVG}text"))
    assert "<script>alert(1)</script>" in joined
    assert "DejaVu Sans" in root.get("font-family")


def test_ids_differ_between_figures_and_pages(figure):
    def ids(text):
        return set(re.findall(r' id="([^"]+)"', text))

    assert not ids(to_svg(figure, 0, name="a-1")) & ids(to_svg(figure, 1, name="a-2"))


def test_the_same_figure_gives_the_same_bytes(make_pool):
    def made():
        data = forest_data(make_pool(12, 2))
        return forest_plot(data, axis_title="r")

    assert to_svg(made()) == to_svg(made())
    assert to_pdf(made()) == to_pdf(made())
    assert to_png(made()) == to_png(made())


def test_pdf_has_all_pages_embedded_fonts_and_no_date(figure):
    pdf = to_pdf(figure)
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 2
    assert b"/FontFile2" in pdf
    assert b"CreationDate" not in pdf and b"ModDate" not in pdf


def test_png_has_300_dots_per_inch(figure):
    picture = imread(io.BytesIO(to_png(figure)), format="png")
    assert abs(picture.shape[1] - 100 / 72 * 300) <= 1
    assert picture[..., :3].min() < 0.2
