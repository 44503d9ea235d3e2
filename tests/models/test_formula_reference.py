"""Formulas against R: model.matrix, rma and predict, for the same model written in R."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.tolerances import CLOSED_FORM

REFERENCE = Path(__file__).parents[1] / "reference"
STORED = json.loads((REFERENCE / "formulas.json").read_text(encoding="utf-8"))
FRAME = pd.read_csv(REFERENCE / "datasets" / "formulas.csv")
NEW = pd.DataFrame(STORED["new"])


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda case: case["ours"])
def test_a_formula_is_the_model_that_r_makes_of_it(case: dict[str, Any]) -> None:
    fit = ma.fit(FRAME, case["ours"], tau2=0.02)
    assert fit.p == case["p"]
    np.testing.assert_allclose(fit.X @ fit.beta, case["fitted"], rtol=CLOSED_FORM, atol=CLOSED_FORM)
    if "X" in case:
        np.testing.assert_allclose(fit.X, case["X"], rtol=CLOSED_FORM, atol=CLOSED_FORM)


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda case: case["ours"])
def test_new_rows_meet_the_knots_means_and_levels_of_the_fitted_ones(case: dict[str, Any]) -> None:
    fit = ma.fit(FRAME, case["ours"], tau2=0.02)
    beta = np.linalg.lstsq(fit.X, FRAME["yi"].to_numpy(), rcond=None)[0]
    for rows in (NEW, NEW.iloc[[2, 0, 1]], NEW.iloc[[1]]):
        expected = np.array(case["least_squares_new"])[rows.index]
        predicted = fit.design.matrix(rows) @ beta
        np.testing.assert_allclose(predicted, expected, rtol=CLOSED_FORM, atol=CLOSED_FORM)
