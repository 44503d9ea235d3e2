"""Recovery and coverage of the dynamic panel; the study itself is panel_study.py."""

import numpy as np
import pytest

from tests.numerics.panel_study import (
    MISTAKES,
    PATIENTS,
    SHOWN,
    WORLDS,
    coverage,
    fixed_effects_limit,
    long,
    once,
    repeated,
    run,
    truth,
)
from tests.numerics.panels import TRUTH, fixed_effects

RUNS = 500
DYNAMIC = [name for name in SHOWN if name.startswith(("auto", "lagged"))]
NICKELL = {4: (-0.10, -0.060), 6: (0.10, -0.066), 10: (0.23, -0.086), 20: (0.32, -0.092)}


@pytest.mark.parametrize("sessions", sorted(NICKELL))
def test_bias_of_fixed_effects_is_where_it_was_simulated(sessions) -> None:
    """φ = .4 for both, β = −.10 both ways; simulated values, here from exact moments."""
    phi, beta = fixed_effects_limit(sessions)
    assert phi == pytest.approx(NICKELL[sessions][0], abs=0.01)
    assert beta == pytest.approx(NICKELL[sessions][1], abs=0.01)


def test_the_limit_is_what_many_patients_give() -> None:
    found = fixed_effects(*long(run(np.random.default_rng(1), 40_000, 5)))
    assert found == pytest.approx(fixed_effects_limit(5), abs=0.01)


def test_without_a_path_back_fixed_effects_shrink_the_forward_path_less() -> None:
    """The loss of β depends on the reverse path; that of φ hardly does."""
    one_way = TRUTH["phi"] * [[1, 0], [1, 1]]
    assert fixed_effects_limit(4, phi=one_way) == pytest.approx([-0.096, -0.090], abs=0.001)
    assert fixed_effects_limit(4) == pytest.approx([-0.094, -0.059], abs=0.001)


@pytest.mark.parametrize(
    "name",
    ["4 to 20 sessions, gaps, missing values", "leaves when better, T ≤ 8", "t with 4 df"]
    + [name for name in MISTAKES if name.startswith("same, trend")],
)
def test_a_world_of_each_kind_can_be_fitted(name) -> None:
    assert once(name, 0)[0]


@pytest.mark.slow
def test_every_world_can_be_fitted() -> None:
    assert [name for name in {**WORLDS, **MISTAKES} if not once(name, 0)[0]] == []


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [4, 6, 10, 20])
def test_intervals_hold_the_truth_as_often_as_they_say(sessions) -> None:
    converged, estimates, model, robust, ordinary = repeated(
        f"as assumed, T = {sessions}", RUNS, n_jobs=2
    )
    assert converged.all()
    wanted = truth()
    margin = 3 * np.sqrt(0.95 * 0.05 / RUNS)
    for name in DYNAMIC:
        j = SHOWN.index(name)
        spread = estimates[:, j].std()
        assert estimates[:, j].mean() == pytest.approx(wanted[name], abs=4 * spread / np.sqrt(RUNS))
        assert model[:, 0, j].mean() / spread == pytest.approx(1, abs=0.1)
        for part in (model, robust):
            # the sandwich rests on 120 patients: at 4 sessions it is a little short
            short = 0.015 if sessions == 4 and part is robust else 0
            assert coverage(part[:, :, j].T, wanted[name]) >= 0.95 - margin - short
    assert ordinary.mean(axis=0) == pytest.approx(fixed_effects_limit(sessions), abs=0.02)
    assert len(ordinary) == RUNS and PATIENTS == 120
