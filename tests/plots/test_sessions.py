"""Figures of session data, by their data and their marks."""

from __future__ import annotations

import numpy as np
import pytest

from metalliance.plots.axis import plain_axis
from metalliance.plots.plane import Plane
from metalliance.plots.scene import Circle, Line, Text
from metalliance.plots.spaghetti import spaghetti_data, spaghetti_plot
from metalliance.plots.svg import to_svg
from metalliance.plots.within_between import within_between_data, within_between_plot
from metalliance.traitstate.disaggregate import disaggregate_data
from metalliance.traitstate.session_data import SessionColumns, SessionData, check_sessions
from metalliance.traitstate.session_methods import SessionOptions
from tests.traitstate.session_tables import session_table


@pytest.fixture(scope="module")
def data() -> SessionData:
    return check_sessions(session_table(patients=30), SessionColumns())


def marks(scene, kind, role):
    return [item for item in scene.items if isinstance(item, kind) and item.role == role]


def test_spaghetti_holds_every_score_and_mean(data: SessionData) -> None:
    table = spaghetti_data(data)
    assert len(table) == 2 * len(data.session)
    alliance = table[table["measure"] == "alliance"]
    first = alliance[alliance["patient"] == "P000"]
    assert first["mean"].iloc[0] == pytest.approx(first["score"].mean())
    shown = alliance[alliance["shown"] > 0].drop_duplicates("patient")
    assert sorted(shown["shown"]) == [1, 2, 3]
    assert shown.sort_values("shown")["mean"].is_monotonic_increasing


def test_spaghetti_draws_lines_means_and_words(data: SessionData) -> None:
    figure = spaghetti_plot(spaghetti_data(data), footer="SIMULATED DATA")
    scene = figure.pages[0]
    assert len(marks(scene, Circle, "patient mean")) == 60
    assert len(marks(scene, Line, "mean")) == 6
    assert "30 patients" in figure.alt
    assert "SIMULATED DATA" in to_svg(figure)
    for item in scene.items:
        if isinstance(item, Text):
            assert 0 <= item.y <= scene.height


def test_within_between_draws_both_slopes(data: SessionData) -> None:
    effects = disaggregate_data(data, SessionOptions()).table
    table = within_between_data(data, effects)
    assert (table["kind"] == "patient").sum() == 30
    scene = within_between_plot(table, worse=False).pages[0]
    (between,) = marks(scene, Line, "between")
    within = marks(scene, Line, "within")
    assert len(within) == 30
    slopes = {(line.y2 - line.y1) / (line.x2 - line.x1) for line in within if line.x2 > line.x1}
    assert np.ptp(list(slopes)) < 1e-6
    upward = between.y2 < between.y1
    assert upward == (effects["slope"].iloc[1] > 0)
    turned = within_between_plot(table, worse=True).pages[0]
    (line,) = marks(turned, Line, "between")
    assert (line.y2 < line.y1) != upward


def test_a_line_is_cut_at_the_frame() -> None:
    across, up = plain_axis(0, 10, 0, 100), plain_axis(0, 10, 100, 0)
    plane = Plane(across=across, up=up)
    (line,) = plane.line((-5, -5), (15, 15), width=1, color="#000", role="x")
    assert (line.x1, line.y1, line.x2, line.y2) == pytest.approx((0, 100, 100, 0))
    assert plane.line((-5, 5), (-1, 5), width=1, color="#000", role="x") == []
    assert plane.line((0, 11), (10, 11), width=1, color="#000", role="x") == []
