from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from metalliance.plots.forest import forest_data, forest_plot
from metalliance.plots.scene import Line, Polygon, Rect, Text, text_width

AXIS = "Correlation r (Fisher-z spaced axis)"
LONG = "A study with a very long name by Müller, Küchenhoff, Ørsted & Šimšon (1998)"


def plot(data, **options):
    return forest_plot(data, axis_title=AXIS, **options)


def marks(scene, kind, role):
    return [item for item in scene.items if isinstance(item, kind) and item.role == role]


def box(text):
    width = text_width(text.text, text.size, text.bold)
    left = text.x - {"start": 0, "middle": width / 2, "end": width}[text.anchor]
    return left, left + width, text.y - 0.75 * text.size, text.y + 0.1 * text.size


@pytest.fixture
def cases(make_pool):
    extreme = make_pool(8)
    frame = extreme.effects.usable
    frame["citation"] = [LONG, *frame["citation"][1:]]
    extreme.studies.loc[0, ["estimate", "conf_low", "conf_high"]] = [3.0, 2.8, 3.2]
    extreme.studies.loc[1, "ni"] = 21626.0
    return {
        "sixteen": forest_data(make_pool(16)),
        "many": forest_data(make_pool(295, 3)),
        "beta": forest_data(make_pool(6, 2, scale="beta", mean=0.06, tau=0.02)),
        "one": forest_data(make_pool(1, fitted=False)),
        "extreme": forest_data(extreme),
        "groups": forest_data(
            [make_pool(7, 3), make_pool(3, key="b", seed=2), make_pool(1, key="c", fitted=False)],
            ["Total", "Trait-like: between patients, observed means", "Between therapists"],
        ),
        "groups over pages": forest_data(
            [make_pool(70, 3), make_pool(30, key="b", seed=2)], ["Total", "Trait-like"]
        ),
    }


def test_no_two_texts_overlap_and_none_leaves_the_page(cases):
    for name, data in cases.items():
        figure = plot(
            data, model_line="Random effects REML; " * 8, benchmark=(0.278, "Benchmark (2018)")
        )
        for scene in figure.pages:
            boxes = [(box(t), t.text) for t in scene.items if isinstance(t, Text) and t.text]
            for (a, text_a), (b, text_b) in combinations(boxes, 2):
                apart = a[1] <= b[0] + 0.3 or b[1] <= a[0] + 0.3
                apart = apart or a[3] <= b[2] + 0.3 or b[3] <= a[2] + 0.3
                assert apart, (name, text_a, text_b)
            for (left, right, top, bottom), text in boxes:
                inside = left >= 0 and right <= scene.width and top >= 0 and bottom <= scene.height
                assert inside, (name, text)


def test_page_is_as_high_as_its_rows_and_never_higher_than_a_sheet(cases):
    heights = {name: [page.height for page in plot(data).pages] for name, data in cases.items()}
    assert heights["one"][0] < heights["sixteen"][0] < heights["many"][0]
    assert max(max(pages) for pages in heights.values()) <= 9.4 * 72
    assert len({page.width for page in plot(cases["many"]).pages}) == 1


def test_area_is_proportional_to_weight(make_pool):
    data = forest_data(make_pool(16))
    scene = plot(data).pages[0]
    squares = marks(scene, Rect, "square")
    weights = data.loc[data["kind"].eq("study"), "weight"].to_numpy(dtype=float)
    areas = np.array([square.width * square.height for square in squares])
    assert np.allclose(areas / areas.max(), weights / weights.max(), rtol=1e-12)


def test_every_pool_has_its_diamond_and_no_diamond_stands_over_all(cases):
    scene = plot(cases["groups"]).pages[0]
    assert len(marks(scene, Polygon, "diamond")) == 2
    assert len(marks(scene, Line, "pooled")) == 2
    assert sum(text.text == "Pooled mean" for text in marks(scene, Text, "label")) == 2


def test_fewer_than_five_clusters_draw_no_prediction_interval(make_pool):
    assert "prediction" not in set(forest_data(make_pool(4))["kind"])
    drawn = plot(forest_data(make_pool(5))).pages[0]
    assert len(marks(drawn, Rect, "pi")) == 1
    assert not marks(plot(forest_data(make_pool(4))).pages[0], Rect, "pi")


def test_prediction_interval_names_its_target(cases):
    texts = [text.text for text in marks(plot(cases["sixteen"]).pages[-1], Text, "label")]
    assert any("new study's effect" in text for text in texts)


def test_a_clipped_interval_ends_in_an_arrow_and_prints_all_its_digits(cases):
    scene = plot(cases["extreme"]).pages[0]
    axis_end = max(line.x2 for line in scene.items if isinstance(line, Line) and line.y1 == line.y2)
    arrows = marks(scene, Polygon, "arrow")
    assert arrows and all(x <= axis_end for arrow in arrows for x, _ in arrow.points)
    assert "1.00" in [text.text for text in marks(scene, Text, "ci")]
    assert "arrow" in " ".join(text.text for text in marks(scene, Text, "note"))


def test_several_effects_get_a_lighter_interval_behind(make_pool):
    pool = make_pool(5, 3)
    data = forest_data(pool)
    several = data["k_effects"].gt(1) & data["kind"].eq("study")
    assert several.any()
    for row in data[several].to_dict(orient="records"):
        half = 1.959963984540054 * float(
            pool.studies.set_index("estimate")["effect_se"][row["estimate"]]
        )
        assert math.isclose(row["effect_high"] - row["estimate"], half, rel_tol=1e-12)
    assert data.loc[data["kind"].eq("study") & ~several, "effect_low"].isna().all()


def test_large_pools_are_paged_with_one_axis(cases):
    figure = plot(cases["many"], benchmark=(0.278, "2018"))
    assert len(figure.pages) >= 6
    ticks = [
        [(t.x, t.text) for t in page.items if isinstance(t, Text) and t.role == "tick"]
        for page in figure.pages
    ]
    lines = [[line.x1 for line in marks(page, Line, "tick")] for page in figure.pages]
    assert ticks[0] and lines[0]
    assert all(page == lines[0] for page in lines) and all(page == ticks[0] for page in ticks)
    for number, page in enumerate(figure.pages, start=1):
        notes = " ".join(text.text for text in marks(page, Text, "note"))
        assert f"page {number} of {len(figure.pages)}" in notes
        assert marks(page, Line, "pooled") and marks(page, Line, "benchmark")
        assert len(marks(page, Rect, "square")) <= 50
    assert [len(marks(page, Polygon, "diamond")) for page in figure.pages][:-1] == [0] * (
        len(figure.pages) - 1
    )


def test_continued_groups_repeat_their_head(cases):
    figure = plot(cases["groups over pages"])
    heads = [[t.text for t in marks(page, Text, "head")] for page in figure.pages]
    assert heads[0][0].startswith("Total (70 studies")
    assert "Total (continued)" in heads[1]


def test_beta_is_read_as_it_is(cases):
    scene = plot(cases["beta"]).pages[0]
    data = cases["beta"]
    mean = float(data.loc[data["kind"].eq("mean"), "estimate"].iloc[0])
    shown = [text.text for text in marks(scene, Text, "estimate")]
    assert f"{mean:.2f}".replace("0.", ".").replace("-", "−") in shown
    assert not marks(plot(data, benchmark=(0.278, "x")).pages[0], Line, "benchmark")


def test_metrics_do_not_share_an_axis(make_pool):
    with pytest.raises(ValueError, match="one axis"):
        forest_data([make_pool(3), make_pool(3, scale="beta")])


def test_equal_citations_are_told_apart(make_pool):
    pool = make_pool(3)
    pool.effects.usable["citation"] = ["Truax (1971)", "Truax (1971)", "Rothman (2007)"]
    labels = set(forest_data(pool)["label"])
    assert {"Truax (1971a)", "Truax (1971b)", "Rothman (2007)"} <= labels


def test_a_pool_without_a_fit_shows_its_effects_and_the_reason(cases):
    data = cases["one"]
    assert list(data["kind"]) == ["study", "note"]
    assert "not pooled" in data["label"].iloc[-1]
    assert data["weight"].isna().all()


def test_alternative_text_gives_the_numbers(cases):
    for data in cases.values():
        assert len(plot(data).alt) <= 250
    figure = plot(cases["sixteen"], footer="SIMULATED DATA")
    assert figure.alt.startswith("SIMULATED DATA. Forest plot of 16 studies. Pooled r = .")
    assert "95% prediction interval" in figure.alt
    assert figure.description.count(" to ") == 18


def test_the_footer_says_simulated_on_every_page(cases):
    for page in plot(cases["many"], footer="SIMULATED DATA").pages:
        assert [text.text for text in marks(page, Text, "simulated")] == ["SIMULATED DATA"]
