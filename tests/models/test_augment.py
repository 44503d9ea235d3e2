"""``augment`` and ``study_means`` against R and against their definitions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.linalg import inv, solve

import metalliance as ma
from tests.models.examples import independent, nested
from tests.tolerances import CLOSED_FORM, ITERATED

FOLDER = Path(__file__).parents[1] / "reference"
CASES = {
    case["id"]: case["expected"]
    for case in json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["cases"]
}
RANDOM = "~ 1 | study/effect"
COLUMNS = [
    "yi",
    "vi",
    "fitted",
    "residual",
    "std_residual",
    "rstudent",
    "hat",
    "weight",
    "blup",
    "blup_se",
    "blup_low",
    "blup_high",
]


@pytest.mark.parametrize("name", ["molloy2014", "mcdaniel1994", "konstantopoulos2011"])
def test_univariate_against_r(name: str) -> None:
    data = pd.read_csv(FOLDER / "datasets" / f"{name}.csv")
    table = ma.augment(ma.infer(ma.fit(data), "model"))
    blup, influence = CASES[f"{name}/blup"], CASES[f"{name}/influence"]
    for ours, theirs in (
        ("blup", blup["pred"]),
        ("blup_se", blup["se"]),
        ("blup_low", blup["pi_lb"]),
        ("blup_high", blup["pi_ub"]),
        ("rstudent", influence["rstudent"]),
        ("hat", influence["hat"]),
        ("weight", influence["weight"]),
    ):
        np.testing.assert_allclose(table[ours], theirs, rtol=ITERATED, atol=1e-9)


def test_columns_and_ids() -> None:
    assert list(ma.augment(ma.fit(independent())).columns) == ["study", *COLUMNS]
    table = ma.augment(ma.fit(nested(), random=RANDOM))
    assert list(table.columns) == ["study", "effect", *COLUMNS]
    anonymous = independent().drop(columns="study")
    assert list(ma.augment(ma.fit(anonymous)).columns) == ["row", *COLUMNS]


def test_multilevel_by_dense_matrices() -> None:
    frame = nested(seed=2)
    fit = ma.fit(frame, "~ component", random=RANDOM)
    table = ma.augment(ma.infer(fit, "model"))
    V, M, X = fit.sampling.to_array(), fit.marginal.to_array(), fit.X
    W, G, e = inv(M), M - V, fit.residuals
    H = X @ fit.vcov @ X.T @ W
    np.testing.assert_allclose(table["hat"], np.diag(H), rtol=CLOSED_FORM)
    np.testing.assert_allclose(table["blup"], X @ fit.beta + G @ W @ e, rtol=CLOSED_FORM)
    left = X - G @ W @ X
    variance = np.diag(G - G @ W @ G + left @ fit.vcov @ left.T)
    np.testing.assert_allclose(table["blup_se"], np.sqrt(variance), rtol=ITERATED)
    scale = np.sqrt(np.diag(M - X @ fit.vcov @ X.T))
    np.testing.assert_allclose(table["std_residual"], e / scale, rtol=CLOSED_FORM)
    assert table["weight"].sum() == pytest.approx(100)
    assert table["hat"].sum() == pytest.approx(2)


@pytest.mark.parametrize("random", [None, RANDOM])
def test_rstudent_is_a_prediction_without_the_row(random: str | None) -> None:
    frame = nested(seed=4) if random else independent(seed=4)
    table = ma.augment(ma.fit(frame, "~ year", random=random))
    for i in (0, 3):
        fit = ma.fit(frame.drop(index=i), "~ year", random=random)
        x = np.array([1.0, frame["year"][i]])
        total = frame["vi"][i] + fit.heterogeneity + x @ fit.vcov @ x
        expected = (frame["yi"][i] - x @ fit.beta) / np.sqrt(total)
        assert table["rstudent"][i] == pytest.approx(expected, rel=1e-6)


def test_a_row_that_alone_carries_a_coefficient_has_no_rstudent() -> None:
    frame = independent().assign(only=[1, *[0] * 11])
    table = ma.augment(ma.fit(frame, "~ only"))
    assert table["rstudent"].isna().tolist() == [True, *[False] * 11]
    assert np.isnan(table["std_residual"][0])


def test_study_means_by_dense_matrices() -> None:
    frame = nested(seed=5).assign(ni=lambda f: 20 + 10 * f["effect"]).sample(frac=1, random_state=1)
    V = ma.sampling_covariance(frame, cluster="study")
    fit = ma.fit(frame, random=RANDOM, V=V)
    table = ma.study_means(fit, level=0.9)
    assert list(table.columns) == [
        *["study", "k_effects", "ni", "estimate", "std_error", "conf_low", "conf_high"],
        *["weight", "effect_se"],
    ]
    assert table["study"].tolist() == frame["study"].drop_duplicates().tolist()
    assert table["weight"].sum() == pytest.approx(100)
    W = inv(fit.marginal.to_array())
    for _, row in table.iterrows():
        inside = (frame["study"] == row["study"]).to_numpy()
        ones = np.ones(inside.sum())
        at = np.ix_(inside, inside)
        weights = solve(fit.marginal.to_array()[at], ones)
        assert row["estimate"] == pytest.approx(weights @ fit.yi[inside] / weights.sum())
        se = solve(V.to_array()[at], ones).sum() ** -0.5
        assert row["std_error"] == pytest.approx(se)
        assert row["conf_high"] - row["conf_low"] == pytest.approx(2 * 1.6448536 * se)
        assert row["weight"] == pytest.approx(100 * W.sum(axis=0)[inside].sum() / W.sum())
        assert row["ni"] == frame["ni"][inside].max()
        assert row["effect_se"] == pytest.approx(np.median(np.sqrt(fit.vi[inside])))


def test_a_study_of_one_effect_is_that_effect() -> None:
    frame = independent()
    table = ma.study_means(ma.fit(frame))
    np.testing.assert_allclose(table["estimate"], frame["yi"], rtol=CLOSED_FORM)
    np.testing.assert_allclose(table["std_error"], np.sqrt(frame["vi"]), rtol=CLOSED_FORM)
    assert table["ni"].isna().all()
