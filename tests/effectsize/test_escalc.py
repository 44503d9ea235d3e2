"""Measures of escalc against metafor, by its stored values of two versions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from metalliance.effectsize.escalc import MEASURES, Measure, escalc
from metalliance.effectsize.tetrachoric import bivariate_normal_cdf, tetrachoric
from metalliance.errors import ConversionError
from tests.tolerances import CLOSED_FORM

FOLDER = Path(__file__).parents[1] / "reference"
DRAWN = json.loads((FOLDER / "escalc.json").read_text(encoding="utf-8"))["cases"]
GOLDENS = json.loads((FOLDER / "metafor_goldens_5.1-12.json").read_text(encoding="utf-8"))
# metafor's search for RTET stops early; ours solves the equation (see the test of the table).
SEARCHED = {"RTET": 2e-5, "ZTET": 2e-5}
TABLE = {"ai": 135, "bi": 15, "ci": 40, "di": 10}
MCDANIEL = pd.read_csv(FOLDER / "datasets" / "mcdaniel1994.csv")


def numbers(values: object) -> np.ndarray:
    listed = values if isinstance(values, list) else [values]
    return np.array([np.nan if value is None else value for value in listed], dtype=float)


def agrees(found: pd.DataFrame, expected: dict[str, object], within: float = CLOSED_FORM) -> None:
    for name in ("yi", "vi"):
        assert found[name].to_numpy() == pytest.approx(
            numbers(expected[name]), rel=within, abs=within, nan_ok=True
        )


def test_every_measure_has_its_name() -> None:
    assert tuple(MEASURES) == get_args(Measure)


@pytest.mark.parametrize("case", sorted(DRAWN))
def test_drawn_inputs(case: str) -> None:
    expected = DRAWN[case]
    found = escalc(expected["measure"], vtype=case.split(".")[1], **expected["given"])
    assert len(found) == 40
    agrees(found, expected)


@pytest.mark.parametrize(
    "measure", ["PHI", "ZPHI", "YUQ", "YUY", "RTET", "ZTET", "PBIT", "OR2DL", "OR2DN"]
)
def test_goldens_of_a_table(measure: str) -> None:
    key = {"OR2DL": "OR2D"}.get(measure, measure)
    agrees(escalc(measure, **TABLE), GOLDENS[f"escalc.{key}"], SEARCHED.get(measure, CLOSED_FORM))


@pytest.mark.parametrize("key", ["COR", "ZCOR", "COR.AV", "COR.H0"])
def test_goldens_of_correlations(key: str) -> None:
    measure, _, vtype = key.partition(".")
    rows = MCDANIEL.iloc[[0, 12, 32, 101]]
    found = escalc(measure, rows, ri="ri", ni="ni", vtype=vtype or "LS")
    if vtype == "AV":  # the mean of all 160, as the golden has it
        found = escalc(measure, MCDANIEL, ri="ri", ni="ni", vtype="AV").iloc[[0, 12, 32, 101]]
    agrees(found, GOLDENS[f"escalc.mcdaniel.{key}"])


# metadat's dat.aloe2013: n, t, predictors, R² (numbers of the paper).
ALOE = pd.DataFrame(
    {
        "ni": [218, 232, 156, 382, 259],
        "ti": [4.61, 6.19, 4.07, -0.77, 1.16],
        "mi": [4, 7, 6, 19, 15],
        "r2i": [0.24, 0.455, 0.5, 0.327, 0.117],
    }
)


@pytest.mark.parametrize("measure", ["PCOR", "ZPCOR", "SPCOR", "ZSPCOR"])
def test_goldens_of_partial_correlations(measure: str) -> None:
    columns = {name: name for name in MEASURES[measure].needs}
    agrees(escalc(measure, ALOE, **columns), GOLDENS[f"escalc.aloe.{measure}"])


def test_published_values_of_the_unbiased_correlation() -> None:
    rows = MCDANIEL.iloc[[12, 101]]
    found = escalc("UCOR", rows, ri="ri", ni="ni")
    assert found["yi"].round(4).tolist() == [0.6363, -0.1317]
    assert found["vi"].round(4).tolist() == [0.0253, 0.0241]
    other = escalc("UCOR", rows, ri="ri", ni="ni", vtype="UB")
    assert other["vi"].round(4).tolist() == [0.0283, 0.0261]


def test_the_tetrachoric_correlation_solves_its_equation() -> None:
    from scipy.special import ndtri
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(5)
    for cells in rng.integers(1, 60, (40, 4)):
        a, b, c, d = (float(x) for x in cells)
        n = a + b + c + d
        r, v = tetrachoric(a, b, c, d)
        h, k = ndtri((a + b) / n), ndtri((a + c) / n)
        direct = multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([h, k])
        assert direct == pytest.approx(a / n, abs=1e-9)
        # delta method by brute force: the multinomial covariance through numerical derivatives
        p = np.array([a, b, c, d]) / n
        step = 1e-5
        gradient = np.array(
            [
                (tetrachoric(*(n * (p + step * e)))[0] - tetrachoric(*(n * (p - step * e)))[0])
                / (2 * step)
                for e in np.eye(4)
            ]
        )
        covariance = (np.diag(p) - np.outer(p, p)) / n
        assert v == pytest.approx(gradient @ covariance @ gradient, rel=1e-4)


def test_the_bivariate_normal_at_its_edges() -> None:
    from scipy.special import ndtr

    assert bivariate_normal_cdf(0, 0, -0.4) == pytest.approx(0.25 + math.asin(-0.4) / math.tau)
    assert bivariate_normal_cdf(0.3, -1.1, 0.0) == pytest.approx(ndtr(0.3) * ndtr(-1.1))
    assert bivariate_normal_cdf(0.0, 0.7, 0.0) == pytest.approx(0.5 * ndtr(0.7))
    assert bivariate_normal_cdf(-0.7, 0.0, 0.0) == pytest.approx(0.5 * ndtr(-0.7))
    assert bivariate_normal_cdf(0.3, -1.1, 1.0) == pytest.approx(ndtr(-1.1))
    assert bivariate_normal_cdf(0.3, -1.1, -1.0) == pytest.approx(
        max(ndtr(0.3) + ndtr(-1.1) - 1, 0)
    )


@pytest.mark.parametrize(
    ("measure", "columns", "named"),
    [
        ("CORR", {}, "is none of: COR, UCOR"),
        ("COR", {"ri": [0.2]}, "ni is missing"),
        ("COR", {"ri": [0.2], "ni": [30], "n": 3}, "not n"),
        ("COR", {"ri": [0.2, 0.3], "ni": [30, 40, 50]}, "different lengths"),
        ("COR", {"ri": [1.2], "ni": [30]}, "outside -1 to 1 in row 0"),
        ("COR", {"ri": "r", "ni": [30]}, "no column 'r'"),
        ("COR", {"ri": ["a"], "ni": [30]}, "no column of numbers"),
        ("OR", {**TABLE, "ai": -1}, "below 0"),
    ],
)
def test_what_is_wrong_is_named(measure: str, columns: dict[str, object], named: str) -> None:
    with pytest.raises(ConversionError, match=named):
        escalc(measure, **columns)
    with pytest.raises(ConversionError, match="vtype"):
        escalc("ZCOR", ri=[0.2], ni=[30], vtype="UB")
