from __future__ import annotations

import itertools
import math

import pandas as pd
import pytest

from metalliance.plots.axis import effect_axis, label_of, printed
from metalliance.plots.paging import paged


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.278, ".28"),
        (-0.278, "−.28"),
        (-0.001, ".00"),
        (0.999, "1.00"),
        (-1.2, "−1.20"),
        (math.nan, "–"),
    ],
)
def test_printed_as_in_a_journal(value, text):
    assert printed(value) == text


def test_tick_labels():
    assert [label_of(v) for v in (0, -0.2, 0.95, 1.0, 1e-12)] == ["0", "−.2", ".95", "1", "0"]


@pytest.mark.parametrize("values", [[0.1, 0.3], [-2.5, 2.9], [-0.02, 0.01], [0.0], [math.nan]])
@pytest.mark.parametrize("z_scale", [True, False])
def test_the_axis_holds_zero_and_its_labels_stand_apart(values, z_scale):
    axis = effect_axis(values, 100, 287, z_scale=z_scale)
    at = [axis.at(value) for value, _ in axis.ticks]
    assert axis.holds(0) and "0" in [label for _, label in axis.ticks]
    assert len(axis.ticks) >= 2
    assert min(b - a for a, b in itertools.pairwise(at)) > 4
    assert math.isclose(axis.at(axis.low), 100) and math.isclose(axis.at(axis.high), 287)


def test_the_r_axis_is_spaced_by_z():
    axis = effect_axis([-0.9, 0.9], 0, 100, z_scale=True)
    ticks = {label: value for value, label in axis.ticks}
    assert math.isclose(ticks[".6"], math.atanh(0.6))


def rows(*groups):
    found = []
    for name, studies in groups:
        found.append({"kind": "head", "group": name, "label": name})
        found += [{"kind": "study", "group": name, "label": f"{name}{i}"} for i in range(studies)]
        found += [{"kind": k, "group": name, "label": k} for k in ("mean", "prediction", "note")]
    return pd.DataFrame(found)


@pytest.mark.parametrize("sizes", [(60, 4), (44, 30), (45, 45, 45), (46, 3, 60), (95, 2, 2, 2)])
def test_breaks_keep_heads_and_means_with_their_studies(sizes):
    data = rows(*[(chr(65 + i), size) for i, size in enumerate(sizes)])
    pages = paged(data, 50)
    kept = [label for page in pages for label in page["label"] if "(continued)" not in label]
    assert kept == data["label"].tolist()
    for number, page in enumerate(pages):
        kinds = page["kind"].tolist()
        assert len(page) <= 50
        assert page["kind"].iloc[0] == "head"
        if number < len(pages) - 1:
            assert "head" not in kinds[-4:]
        for place, kind in enumerate(kinds):
            if kind == "mean":
                assert kinds[max(place - 2, 0) : place] == ["study", "study"]


def test_a_short_figure_is_one_page():
    data = rows(("A", 10))
    assert [len(page) for page in paged(data, len(data))] == [14]
