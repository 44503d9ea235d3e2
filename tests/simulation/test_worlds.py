"""The worlds draw what they say they draw."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.simulation.worlds import (
    AVERAGED,
    ICC,
    POST,
    RESULTS,
    SEEN,
    WORLDS,
    page,
    process,
    rates,
    review_rows,
    sessions,
    true_values,
)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_statistics_of_many_patients_are_the_true_values(name: str) -> None:
    world = WORLDS[name]
    study = process(0.4, world.forward, world.reverse, world)
    seen = sessions(study, 200_000, POST, np.random.default_rng(5))
    true = true_values(study)
    assert np.var(seen, axis=(0, 1)) == pytest.approx([1, 1], abs=0.01)
    average = np.corrcoef(seen[:, :AVERAGED, 0].mean(axis=1), seen[:, -1, 1])[0, 1]
    assert average == pytest.approx(true["between"], abs=0.006)
    first = seen[:, :SEEN]
    x, y = np.moveaxis(first - first.mean(axis=1, keepdims=True), 2, 0).reshape(2, -1)
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(true["within"], abs=0.006)
    traits = np.cov(seen[:, 0].T) - study.state
    assert np.diag(traits) == pytest.approx(ICC, abs=0.015)
    assert true["forward"] == pytest.approx(world.forward, abs=1e-9)
    assert true["reverse"] == pytest.approx(world.reverse, abs=1e-9)


def test_averages_of_few_sessions_hide_part_of_the_state() -> None:
    """With autocorrelation, deviations from an average of eight are not deviations from a trait."""
    world = WORLDS["B"]
    true = true_values(process(0.4, world.forward, world.reverse, world))
    assert true["within"] < 0.85 * true["rho_within"]


def test_selective_reporting_leaves_out_what_is_not_significant() -> None:
    rows = review_rows(WORLDS["D"], np.random.default_rng(1))
    totals = rows[rows["component"] == "total"]
    assert len(totals) == WORLDS["D"].totals
    assert rows["component"].eq("between_change").sum() == WORLDS["D"].changes


def test_the_page_shows_what_is_stored() -> None:
    stored = json.loads(RESULTS.read_text(encoding="utf-8"))
    shown = Path(__file__).parents[2] / "docs" / "validation.md"
    assert page(stored) in shown.read_text(encoding="utf-8")


def test_rates_count_what_they_say() -> None:
    def run(estimate: float, low: float, high: float) -> list[dict[str, object]]:
        return [
            {
                "term": "within",
                "estimate": estimate,
                "std_error": 0.1,
                "df": 9.0,
                "conf_low": low,
                "conf_high": high,
            }
        ]

    found = rates([run(0.1, -0.1, 0.3), run(0.3, 0.2, 0.4)], {"within": 0.1})[0]
    assert found["coverage"] == 0.5
    assert found["above_zero"] == 0.5
    assert found["mean"] == pytest.approx(0.2)
