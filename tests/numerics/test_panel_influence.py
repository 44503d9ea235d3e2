"""Each patient's part in a fitted panel."""

import numpy as np
import pytest

from metalliance.numerics.panel import fit_panel
from metalliance.numerics.panel_influence import patient_influence
from metalliance.numerics.panel_rows import checked_rows


def columns(patients: int = 80) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(5)
    patient = np.repeat(np.arange(patients), 6)
    session = np.tile(np.arange(6), patients)
    trait = np.repeat(rng.normal(size=(patients, 2)), 6, axis=0)
    noise = np.zeros((6 * patients, 2))
    for row in range(len(noise)):
        before = noise[row - 1] if session[row] else np.zeros(2)
        noise[row] = 0.4 * before + rng.normal(size=2)
    x, y = (trait + noise).T
    y[rng.random(len(y)) < 0.1] = np.nan
    return patient, session, x, y


@pytest.mark.parametrize("initial", ["stationary", "free"])
@pytest.mark.parametrize("trend", [None, "linear"])
def test_influences_add_up_to_the_robust_covariance(initial: str, trend: str | None) -> None:
    data = columns()
    fit = fit_panel(*data, initial=initial, trend_y=trend)
    moved = patient_influence(fit, checked_rows(*data, None, trend))
    n, m = moved.shape
    assert np.abs(moved.sum(axis=0)).max() < 1e-8
    robust = fit.covariance_robust[-m:, -m:]
    assert moved.T @ moved * n / (n - 1) == pytest.approx(robust, rel=1e-6, abs=1e-12)


def test_leaving_a_patient_out_moves_the_estimates_so() -> None:
    data = columns()
    fit = fit_panel(*data)
    moved = patient_influence(fit, checked_rows(*data))
    worst = int(np.argmax(np.abs(moved[:, -1])))
    kept = data[0] != worst
    without = fit_panel(*(column[kept] for column in data))
    change = (without.theta - fit.theta)[3:]
    # working parameters are of standardised variables, which hardly move
    assert change == pytest.approx(-moved[worst, 3:], abs=0.3 * np.abs(moved[worst, 3:]).max())
