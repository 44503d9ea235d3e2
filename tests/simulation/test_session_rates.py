"""What the docs say of session data is what was simulated, and what is simulated now."""

from dataclasses import replace

import numpy as np
import pytest

from metalliance.traitstate.session_methods import SessionOptions
from tests.simulation.session_page import PAGE, stored, with_tables
from tests.simulation.session_rates import (
    NICKELL,
    PROCESS,
    SEED,
    VARIANCE_COLUMNS,
    limits_of,
    process_truth,
    simulate,
    summary,
)
from tests.simulation.sessions import World

#: METHODS of the design: variance of z by 1/(df - 1), N = 100, r within −.20.
EXPECTED = {
    4: (1.01, 1.14, 1.66, 1.16, 1.34),
    8: (1.02, 1.40, 2.34, 1.40, 1.81),
    16: (1.06, 1.69, 3.57, 1.55, 2.26),
}


def test_one_process_has_three_within_patient_values() -> None:
    """Same session, next session, next session net of the own past: never one pool."""
    world = World(
        patients=1, sessions=1, ar_x=0.5, ar_y=0.5, forward=0.07, reverse=0.07, innovation_r=0.15
    )
    truth = process_truth(world)
    names = ("within.concurrent_r", "within.lagged_r", "within.lagged_partial")
    assert [round(truth[name], 2) for name in names] == [0.24, 0.19, 0.07]
    backwards = replace(world, forward=0.0, reverse=0.12)
    truth = process_truth(backwards)
    assert truth["within.lagged_partial"] == 0
    assert round(truth["within.lagged_r"], 2) == 0.11


def test_the_page_shows_the_stored_results() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- sessions: ") == 3
    assert with_tables(page) == page


def test_the_variance_of_a_within_correlation_is_as_derived() -> None:
    """Against an independent simulation of the same worlds (its error .05 to .1 of a ratio)."""
    table = stored("variance")
    for sessions, group in table.groupby("sessions"):
        ratios = group.set_index("world")["ratio"].loc[list(VARIANCE_COLUMNS)]
        assert ratios.tolist() == pytest.approx(list(EXPECTED[int(sessions)]), rel=0.16)
    assert table["coverage"].between(0.935, 0.965).all()
    assert (table["se_bootstrap"] / table["sd"]).between(0.93, 1.07).all()


def test_centred_lags_are_biased_and_the_likelihood_is_not() -> None:
    table = stored("nickell")
    few = table[table["sessions"] == 4].set_index("method")
    many = table[table["sessions"] == 20].set_index("method")
    true_own = NICKELL["ar_y"]
    for group in (few, many):
        error = group["sd"] / np.sqrt(group["runs"])
        bias = (group["mean"] - group["truth"]).abs()
        assert bias["likelihood"] < 3.5 * error["likelihood"]
        assert abs(group.loc["likelihood", "autoregression"] - true_own) < 0.05
    assert few.loc["centred", "autoregression"] < 0.1
    assert few.loc["own past as measured", "mean"] < 0


def test_shares_of_runs_that_intervals_cover() -> None:
    table = stored("coverage")
    enough = table[table["patients"] >= 60]
    error = np.sqrt(0.95 * 0.05 / enough["runs"])
    assert ((enough["coverage"] - 0.95).abs() < 0.015 + 3 * error).all()
    assert (table["failed"] <= 0.05 * (table["runs"] + table["failed"])).all()


@pytest.mark.slow
def test_the_stored_results_are_made_again() -> None:
    """A few runs of the first cells, against the stored ones by their Monte-Carlo error."""
    stored_variance = stored("variance").set_index(["sessions", "world"])
    for name, (ar, slope_sd) in list(VARIANCE_COLUMNS.items())[:3]:
        world = World(
            patients=100, sessions=8, ar_x=ar, ar_y=ar, slope=-0.2, slope_sd=slope_sd, trait_r=-0.4
        )
        rows = simulate(world, SessionOptions(method="fixed-effects"), 400, SEED + 1)
        again = summary(rows, {"within.concurrent_r": -0.2}, 400).iloc[0]
        before = stored_variance.loc[(8, name)]
        assert again["sd"] == pytest.approx(before["sd"], rel=4 / np.sqrt(800))
        assert again["coverage"] == pytest.approx(before["coverage"], abs=0.045)


@pytest.mark.slow
def test_limits_of_the_likelihood_are_its_parameters() -> None:
    """Many patients: the estimates are the truth of the world, which no estimator drew."""
    world = World(patients=4000, sessions=8, fewest=4, **PROCESS)
    found = limits_of(world, SessionOptions(method="latent", lag=1), patients=4000)
    for name, value in process_truth(world).items():
        assert found[name] == pytest.approx(value, abs=0.06), name
