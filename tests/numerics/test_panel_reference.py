"""Random intercepts, with and without autocorrelation, as lme4 and nlme fit them (ML)."""

import json
from pathlib import Path

import numpy as np
import pytest

from metalliance.numerics.panel import fit_panel
from metalliance.numerics.panel_quantities import panel_quantities
from tests.tolerances import COEFFICIENT, COMPONENT, LOG_LIKELIHOOD

STORED = json.loads(
    (Path(__file__).parents[1] / "reference" / "panel.json").read_text(encoding="utf-8")
)


def columns(case):
    data = STORED[case]["data"]
    return [np.array(data[name], dtype=float) for name in ("patient", "occasion", "x", "y")]


def test_margins_of_a_balanced_panel_are_lmers() -> None:
    fit = fit_panel(*columns("balanced"), dynamics="none")
    for j, name in enumerate("xy"):
        theirs = STORED["balanced"][name]
        mean = (fit.mean_x, fit.mean_y)[j]
        assert mean[0] == pytest.approx(theirs["mean"], rel=COEFFICIENT)
        assert fit.psi[j, j] == pytest.approx(theirs["between"], rel=COMPONENT)
        assert fit.sigma[j, j] == pytest.approx(theirs["within"], rel=COMPONENT)
    separately = sum(STORED["balanced"][name]["log_lik"] for name in "xy")
    assert fit.log_lik > separately


def test_ragged_panel_with_one_sided_gaps_is_lmes() -> None:
    theirs = STORED["ragged"]
    fit = fit_panel(*columns("ragged"), trend_y="linear", dynamics="none")
    assert fit.log_lik >= theirs["log_lik"] - LOG_LIKELIHOOD
    assert fit.log_lik == pytest.approx(theirs["log_lik"], abs=1e-6)
    assert np.r_[fit.mean_x, fit.mean_y] == pytest.approx(theirs["mean"], abs=COMPONENT)
    lower = np.tril_indices(2)
    assert fit.psi[lower] == pytest.approx(theirs["psi"], rel=COMPONENT)
    assert fit.sigma[lower] == pytest.approx(theirs["sigma"], rel=COMPONENT)


def test_autoregression_over_gaps_is_lmes() -> None:
    """No patient has both variables, so the likelihood is the product of two univariate ones."""
    fit = fit_panel(*columns("alone"), dynamics="diagonal")
    theirs = [STORED["alone"][name] for name in "xy"]
    assert fit.log_lik >= sum(margin["log_lik"] for margin in theirs) - LOG_LIKELIHOOD
    assert fit.log_lik == pytest.approx(sum(margin["log_lik"] for margin in theirs), abs=1e-6)
    for j, margin in enumerate(theirs):
        assert fit.psi[j, j] == pytest.approx(margin["between"], rel=COMPONENT)
        assert fit.first_state[j, j] == pytest.approx(margin["within"], rel=COMPONENT)
        assert fit.phi[j, j] == pytest.approx(margin["phi"], rel=COMPONENT)
    assert any("flat" in note for note in fit.notes)
    found = panel_quantities(fit)
    assert found.std_error[found.at("icc_x")] < 1
    assert found.std_error[found.at("within_r")] > 100
