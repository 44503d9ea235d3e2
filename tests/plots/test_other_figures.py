from __future__ import annotations

import math
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from metalliance.plots.bubble import bubble_data, bubble_plot
from metalliance.plots.caterpillar import caterpillar_data, caterpillar_plot
from metalliance.plots.scene import Circle, Line, Polygon, Rect, Text, text_width
from metalliance.plots.summary import summary_data, summary_plot

TITLES = [
    "Total",
    "Trait-like: between patients, observed means",
    "State-like: within a patient, same occasion",
    "State-like: within a patient, next occasion, net of earlier outcome",
]


def marks(scene, kind, role):
    return [item for item in scene.items if isinstance(item, kind) and item.role == role]


def texts_apart(scene):
    boxes = []
    for item in scene.items:
        if isinstance(item, Text) and item.text:
            width = text_width(item.text, item.size, item.bold)
            left = item.x - {"start": 0, "middle": width / 2, "end": width}[item.anchor]
            boxes.append((left, left + width, item.y - 0.7 * item.size, item.y, item.text))
    for a, b in combinations(boxes, 2):
        across = a[1] <= b[0] + 0.3 or b[1] <= a[0] + 0.3
        down = a[3] <= b[2] + 0.3 or b[3] <= a[2] + 0.3
        assert across or down, (a[4], b[4])
    assert min(box[0] for box in boxes) >= 0
    assert max(box[1] for box in boxes) <= scene.width


@pytest.fixture
def pools(make_pool):
    few = make_pool(4, mean=0.1, seed=5)
    few.imprecise = True
    coefficient = make_pool(9, 2, scale="beta", mean=0.06, tau=0.02)
    return [make_pool(80, 3), make_pool(14, 2, mean=0.38, seed=3), coefficient, few]


def test_summary_draws_one_diamond_per_pool_and_an_axis_per_metric(pools):
    titles = [TITLES[0], TITLES[1], TITLES[3], TITLES[2]]
    data = summary_data(pools, titles)
    assert list(data["scale"]) == ["z", "z", "z", "beta"]
    scene = summary_plot(data, benchmark=(0.278, "Flückiger et al. (2018)")).pages[0]
    texts_apart(scene)
    assert len(marks(scene, Polygon, "diamond")) == 4
    assert len(marks(scene, Rect, "pi")) == 3
    assert len(marks(scene, Line, "null")) == 2
    assert len(marks(scene, Line, "benchmark")) == 1
    labels = " ".join(text.text for text in marks(scene, Text, "label"))
    assert labels.count("imprecise") == 1


def test_summary_of_one_pool_and_of_none_fitted(make_pool):
    texts_apart(summary_plot(summary_data([make_pool(16)], ["Total"])).pages[0])
    data = summary_data([make_pool(1, fitted=False), make_pool(6, key="b")])
    assert list(data["label"]) == ["b"]


def test_caterpillar_ranks_every_study_and_every_effect(make_pool):
    pool = make_pool(80, 3)
    data = caterpillar_data(pool)
    for kind, count in (("study", 80), ("effect", pool.counts.effects)):
        rows = data[data["kind"].eq(kind)]
        assert list(rows["rank"]) == list(range(1, count + 1))
        assert rows["estimate"].is_monotonic_increasing
    figure = caterpillar_plot(data, axis_title="r", footer="SIMULATED DATA")
    texts_apart(figure.pages[0])
    assert len(marks(figure.pages[0], Rect, "square")) >= 78 + pool.counts.effects - 4
    assert len(marks(figure.pages[0], Rect, "prediction")) == 2
    assert len(marks(figure.pages[0], Text, "label")) <= 12
    assert len(figure.alt) <= 250 and "80 studies" in figure.alt
    assert figure.pages[0].height <= 8.2 * 72


def test_caterpillar_has_one_panel_where_every_study_has_one_effect(make_pool):
    data = caterpillar_data(make_pool(70))
    assert "effect" not in set(data["kind"])
    assert len(marks(caterpillar_plot(data, axis_title="r").pages[0], Line, "null")) == 1


def regression(pool, df=30.0):
    effects = pool.effects.usable
    deviation = effects["sophistication"] - effects["sophistication"].mean()
    effects = effects.assign(sophistication_within=0.2 * deviation)
    x = np.linspace(0.1, 0.8, 20)
    line = pd.DataFrame({"sophistication": x, "estimate": 0.3 - 0.1 * x})
    line = line.assign(conf_low=line["estimate"] - 0.05, conf_high=line["estimate"] + 0.05)
    slopes = pd.DataFrame(
        {
            "term": ["sophistication_between", "sophistication_within"],
            "estimate": [-0.01, 0.003],
            "conf_low": [-0.03, -0.04],
            "conf_high": [0.01, 0.05],
            "df": [df, 3.1],
        }
    )
    return SimpleNamespace(effects=effects, line=line, slopes=slopes, centre=0.4)


def test_bubble_area_is_proportional_to_weight_and_slopes_are_printed(make_pool):
    pool = make_pool(40, 3)
    data = bubble_data(regression(pool), pool)
    scene = bubble_plot(data, axis_title="Correlation r (Fisher-z spaced axis)").pages[0]
    texts_apart(scene)
    circles = marks(scene, Circle, "effect")
    weights = sorted(data.loc[data["kind"].eq("effect"), "weight"], reverse=True)
    assert len(circles) == pool.counts.effects
    for circle, weight in zip(circles[:10], weights[:10], strict=True):
        assert math.isclose((circle.radius / circles[0].radius) ** 2, weight / weights[0])
    notes = " ".join(text.text for text in marks(scene, Text, "note"))
    assert "Between studies: Fisher's z changes by −.010 [−.030, .010] per .1" in notes
    assert notes.count("imprecise") == 1


def test_bubble_draws_the_slope_within_studies_and_the_curve(make_pool):
    pool = make_pool(40, 3)
    result = regression(pool)
    curve = pd.DataFrame({"sophistication": [0.1, 0.4, 0.8], "estimate": [0.2, 0.3, 0.25]})
    data = bubble_data(result, pool, curve)
    within = data[data["kind"].eq("within")]
    rise = np.diff(within["estimate"]) / np.diff(within["x"])
    np.testing.assert_allclose(rise, 0.003 / 0.1, rtol=1e-9)
    assert within["estimate"].iloc[1] == pytest.approx(0.3 - 0.1 * 0.4)
    scene = bubble_plot(data, axis_title="r").pages[0]
    texts_apart(scene)
    assert len(marks(scene, Line, "within")) == 2
    assert len(marks(scene, Line, "curve")) == 2
    notes = " ".join(text.text for text in marks(scene, Text, "note"))
    assert "Dashed: the slope within studies" in notes and "Dotted" in notes
    alone = bubble_data(
        SimpleNamespace(
            effects=result.effects, line=result.line, slopes=result.slopes[:1], centre=0.4
        ),
        pool,
    )
    assert not set(alone["kind"]) & {"within", "curve"}


def test_bubble_of_coefficients_says_so(make_pool):
    pool = make_pool(10, 2, scale="beta", mean=0.05, tau=0.02)
    scene = bubble_plot(bubble_data(regression(pool), pool), axis_title="β").pages[0]
    notes = " ".join(text.text for text in marks(scene, Text, "note"))
    assert "β changes by" in notes and "Fisher" not in notes
