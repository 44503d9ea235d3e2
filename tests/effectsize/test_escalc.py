"""Measures of escalc against metafor, by its stored values of two versions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def since_3_8(case: str, expected: dict[str, Any]) -> dict[str, Any]:
    """What metafor 3.8 gave, with the residual degrees of freedom that 5.1 takes."""
    given = {name: np.array(values, float) for name, values in expected["given"].items()}
    if case.startswith("PCOR"):
        df = given["ni"] - given["mi"] - 1
        return {**expected, "vi": list(numbers(expected["vi"]) * df / (df + 1))}
    if case.startswith("RTET"):  # an empty cell: its search ends at +-1 with any variance
        empty = np.min([given[name] for name in ("ai", "bi", "ci", "di")], axis=0) == 0
        return {**expected, "vi": np.where(empty, np.nan, numbers(expected["vi"])).tolist()}
    if case.startswith("ZPCOR"):
        return {**expected, "vi": list(1 / (1 / numbers(expected["vi"]) - 1))}
    return expected


@pytest.mark.parametrize("case", sorted(DRAWN))
def test_drawn_inputs(case: str) -> None:
    expected = since_3_8(case, DRAWN[case])
    measure, vtype = case.split(".")
    found = escalc(measure, vtype=vtype, **expected["given"])
    assert len(found) == 40
    agrees(found, expected, SEARCHED.get(measure, CLOSED_FORM))


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


# The two groups of the script of the goldens: y cut at the median of x.
SPLIT = pd.DataFrame(
    {
        "x": [20, 31, 18, 22, 30, 16, 28, 24, 23, 27, 1, 4, 8, 15, 9, 11, 11, 6, 8, 4],
        "y": [3, 3, 4, 5, 6, 4, 7, 6, 5, 4, 3, 5, 1, 5, 2, 4, 6, 4, 2, 4],
    }
)
# metadat's dat.gibson2002, studies 1 to 4, and study 1 of dat.bonett2010.
GIBSON = {
    "m1i": [2.20, 17.60, 0.38, 2.09],
    "sd1i": [12.73, 24.20, 0.56, 5.93],
    "n1i": [50, 140, 23, 97],
    "m2i": [5.20, 34.10, 0.23, 2.66],
    "sd2i": [12.50, 38.80, 0.29, 4.95],
    "n2i": [54, 136, 19, 94],
}
BONETT = {"ai": 0.93, "mi": 20, "ni": 103}


@pytest.mark.parametrize("key", ["RPB", "ZPB", "RBIS", "ZBIS", "RPB.CS"])
def test_goldens_of_a_split(key: str) -> None:
    high = SPLIT["x"] > SPLIT["x"].median()
    one, two = SPLIT["y"][high], SPLIT["y"][~high]
    groups = {"m1i": one.mean(), "sd1i": one.std(), "n1i": 10}
    groups |= {"m2i": two.mean(), "sd2i": two.std(), "n2i": 10}
    measure, _, vtype = key.partition(".")
    agrees(escalc(measure, vtype=vtype or "LS", **groups), GOLDENS[f"escalc.{key}"])


def test_goldens_of_mean_differences_and_reliabilities() -> None:
    agrees(escalc("SMD", **GIBSON), GOLDENS["escalc.SMD.gibson"])
    for measure in ("ARAW", "AHW", "ABT"):
        agrees(escalc(measure, **BONETT), GOLDENS["escalc.alpha"][measure])


def test_every_golden_of_escalc_is_compared() -> None:
    table = {"PHI", "ZPHI", "YUQ", "YUY", "RTET", "ZTET", "PBIT", "OR2D", "OR2DN"}
    split = {"RPB", "ZPB", "RBIS", "ZBIS", "RPB.CS"}
    correlations = {f"mcdaniel.{key}" for key in ("COR", "ZCOR", "COR.AV", "COR.H0")}
    partial = {f"aloe.{key}" for key in ("PCOR", "ZPCOR", "SPCOR", "ZSPCOR")}
    compared = table | split | correlations | partial | {"SMD.gibson", "alpha"}
    stored = {key.removeprefix("escalc.") for key in GOLDENS if key.startswith("escalc.")}
    assert stored == compared


def test_phi_of_fixed_groups_by_the_delta_method() -> None:
    """The binomial covariance through numerical derivatives of φ."""
    a, b, c, d = 30.0, 10.0, 20.0, 25.0

    def phi_of(p1: float, p2: float) -> float:
        cells = {"ai": 40 * p1, "bi": 40 * (1 - p1), "ci": 45 * p2, "di": 45 * (1 - p2)}
        return float(escalc("PHI", **cells)["yi"][0])

    p1, p2, step = a / (a + b), c / (c + d), 1e-6
    by_p1 = (phi_of(p1 + step, p2) - phi_of(p1 - step, p2)) / (2 * step)
    by_p2 = (phi_of(p1, p2 + step) - phi_of(p1, p2 - step)) / (2 * step)
    expected = by_p1**2 * p1 * (1 - p1) / 40 + by_p2**2 * p2 * (1 - p2) / 45
    found = escalc("PHI", vtype="ST", ai=a, bi=b, ci=c, di=d)["vi"][0]
    assert found == pytest.approx(expected, rel=1e-8)


def test_the_unbiased_correlation_by_its_series() -> None:
    """2F1 term by term in exact fractions, beside scipy and the recursion for large n."""
    from fractions import Fraction

    def series(a: Fraction, c: Fraction, z: Fraction) -> float:
        term = total = Fraction(1)
        for k in range(200):
            term = term * (a + k) ** 2 / ((c + k) * (k + 1)) * z
            term = term.limit_denominator(10**40)
            total += term
        return float(total)

    for r, n in ((0.62, 14), (0.31, 60), (-0.13, 39), (0.9, 8), (0.75, 400)):
        exact = Fraction(str(r))
        y = r * series(Fraction(1, 2), Fraction(n - 2, 2), 1 - exact**2)
        found = escalc("UCOR", ri=r, ni=n)
        assert found["yi"][0] == pytest.approx(y, rel=1e-12)
        f = series(Fraction(1), Fraction(n, 2), 1 - exact**2)
        v = y**2 - 1 + (n - 3) / (n - 2) * (1 - r**2) * f
        assert escalc("UCOR", ri=r, ni=n, vtype="UB")["vi"][0] == pytest.approx(v, abs=1e-13)


def test_the_unbiased_correlation_is_unbiased() -> None:
    rng = np.random.default_rng(31)
    n, rho = 12, 0.5
    x = rng.normal(size=(60_000, n))
    y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=x.shape)
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    r = (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))
    u = escalc("UCOR", ri=r, ni=np.full(len(r), n), vtype="UB")
    error = u["yi"].std() / math.sqrt(len(r))
    assert u["yi"].mean() == pytest.approx(rho, abs=4 * error)
    assert r.mean() < rho - 8 * error
    assert u["vi"].mean() == pytest.approx(u["yi"].var(), rel=0.03)


def test_rows_without_numbers_stay_and_do_not_spoil_the_mean() -> None:
    found = escalc("COR", ri=[0.2, np.nan, 0.4], ni=[30, 40, 50], vtype="AV")
    alone = escalc("COR", ri=[0.2, 0.4], ni=[30, 50], vtype="AV")
    assert found["vi"].tolist()[::2] == alone["vi"].tolist()
    assert found.iloc[1].isna().all()
    few = escalc("ZPCOR", ti=[2.0, 2.0], ni=[6, 5], mi=[4, 4])
    assert few.isna().to_numpy().tolist() == [[False, True], [True, True]]
    assert escalc("ZCOR", ri=1.0, ni=20).isna().all(axis=None)
    tables = escalc("RTET", ai=[0, 4, 0], bi=[5, 0, 0], ci=[6, 6, 6], di=[7, 7, 7])
    assert tables["yi"].tolist()[:2] == [-1, 1] and math.isnan(tables["yi"][2])


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


ANY = st.one_of(
    st.floats(),
    st.floats(-1, 1),
    st.integers(-3, 200).map(float),
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300]),
)


@settings(max_examples=1000, deadline=None)
@given(measure=st.sampled_from(sorted(MEASURES)), data=st.data())
def test_any_numbers_give_finite_rows_or_nan(measure: str, data: st.DataObject) -> None:
    rule = MEASURES[measure]
    columns = {name: data.draw(st.lists(ANY, min_size=3, max_size=3)) for name in rule.needs}
    vtype = data.draw(st.sampled_from(rule.vtypes))
    try:
        found = escalc(measure, vtype=vtype, **columns)
    except ConversionError as error:
        assert "row" in str(error)
        return
    assert found.shape == (3, 2)
    assert not np.isinf(found.to_numpy()).any()
    assert found["vi"][found["yi"].isna()].isna().all()
    if vtype not in ("UB",):
        assert not (found["vi"] < 0).any()
