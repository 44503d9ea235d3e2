"""Covariances of correlations of one sample: against rcalc, identities and simulation."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.effectsize.correlated import METRICS, Metric
from tests.tolerances import CLOSED_FORM

REFERENCE = Path(__file__).parents[1] / "reference"
METRIC_NAMES: tuple[Metric, ...] = get_args(Metric)


def whole(R: np.ndarray, n: float = 100) -> pd.DataFrame:
    """All correlations of one study, in the order of the lower triangle."""
    i, j = np.tril_indices(len(R), -1)
    names = np.array([f"v{v}" for v in range(len(R))])
    return pd.DataFrame({"study": "a", "var1": names[i], "var2": names[j], "r": R[i, j], "n": n})


def drawn(rng: np.random.Generator, p: int) -> np.ndarray:
    return np.asarray(np.corrcoef(rng.standard_normal((p + 3, p)), rowvar=False))


def test_metrics_are_the_literal() -> None:
    assert set(METRICS) == set(METRIC_NAMES)
    with pytest.raises(ValueError, match="metric 'd' is not one of: z, r"):
        ma.correlation_covariance(whole(np.eye(3)), metric="d")  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_agrees_with_rcalc(metric: Metric) -> None:
    reference = json.loads((REFERENCE / "rcalc.json").read_text(encoding="utf-8"))
    craft = pd.read_csv(REFERENCE / "datasets" / "craft2003.csv").dropna()
    for frame, stored in (
        (craft[craft["study"] != 17], reference["craft"]),
        (pd.DataFrame(reference["random"]["data"]), reference["random"]),
    ):
        found = ma.correlation_covariance(frame, r="ri", n="ni", metric=metric)
        np.testing.assert_allclose(
            found.to_array(), np.array(stored[metric]), rtol=CLOSED_FORM, atol=1e-16
        )
        ri = frame["ri"].to_numpy()
        np.testing.assert_array_equal(found.yi, np.arctanh(ri) if metric == "z" else ri)


def test_metrics_belong_together() -> None:
    """V_r (n − 1) = D V_z D (n − 3) with D = diag(1 − r²)."""
    frame = whole(drawn(np.random.default_rng(3), 5), n=40)
    r, z = (ma.correlation_covariance(frame, metric=m).to_array() for m in ("r", "z"))
    slope = 1 - frame["r"].to_numpy() ** 2
    np.testing.assert_allclose(39 * r, 37 * slope[:, None] * z * slope, rtol=CLOSED_FORM)
    np.testing.assert_allclose(np.diag(z), 1 / 37, rtol=CLOSED_FORM)


def test_is_the_delta_method_on_the_covariance_matrix() -> None:
    """Cov(S_ab, S_cd) = σ_ac σ_bd + σ_ad σ_bc for normal data, through d corr/d S."""
    R = drawn(np.random.default_rng(4), 4)
    frame = whole(R, n=101)
    i, j = np.tril_indices(4, -1)
    a, b = np.indices((4, 4)).reshape(2, -1)
    omega = R[np.ix_(a, a)] * R[np.ix_(b, b)] + R[np.ix_(a, b)] * R[np.ix_(b, a)]
    jacobian = np.zeros((6, 16))
    for row in range(6):
        u, v = i[row], j[row]
        jacobian[row, u * 4 + v] = 1.0
        jacobian[row, u * 5] = jacobian[row, v * 5] = -0.5 * R[u, v]
    expected = jacobian @ omega @ jacobian.T / 100
    found = ma.correlation_covariance(frame, metric="r").to_array()
    np.testing.assert_allclose(found, expected, rtol=CLOSED_FORM, atol=1e-16)


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_simulated_correlations_vary_as_said(metric: Metric) -> None:
    """200,000 samples of 200 patients: every covariance within .03 of √(V_ii V_jj).

    The formulas are of order 1/n, so that about 1/n of it is their own error.
    """
    rng = np.random.default_rng(5)
    R = np.array([[1, 0.5, 0.3, -0.2], [0.5, 1, 0.6, 0], [0.3, 0.6, 1, 0.1], [-0.2, 0, 0.1, 1]])
    n, replicates = 200, 200_000
    i, j = np.tril_indices(4, -1)
    root = np.linalg.cholesky(R)
    samples = []
    for _ in range(replicates // 1000):
        x = rng.standard_normal((1000, n, 4)) @ root.T
        x -= x.mean(axis=1, keepdims=True)
        S = np.swapaxes(x, 1, 2) @ x
        sd = np.sqrt(np.diagonal(S, axis1=1, axis2=2))
        samples.append(S[:, i, j] / (sd[:, i] * sd[:, j]))
    r = np.concatenate(samples)
    empirical = np.cov(np.arctanh(r) if metric == "z" else r, rowvar=False)
    V = ma.correlation_covariance(whole(R, n), metric=metric).to_array()
    scale = np.sqrt(np.diag(V))
    assert np.abs((empirical - V) / np.outer(scale, scale)).max() < 0.03


def test_correlations_beside_the_effects() -> None:
    """Two raters by two outcomes: V of the four is a part of V of all six."""
    R = drawn(np.random.default_rng(8), 4)
    frame = pd.concat([whole(R), THREE.assign(study="b")], ignore_index=True)
    effects = frame["var1"].isin(["v2", "v3"]) & frame["var2"].isin(["v0", "v1"])
    V = ma.correlation_covariance(frame).to_array()
    found = ma.correlation_covariance(
        frame[effects], beside=frame[~effects].drop(columns="n")
    ).to_array()
    np.testing.assert_allclose(found, V[np.ix_(effects, effects)], rtol=1e-13)
    np.testing.assert_array_equal(
        ma.correlation_covariance(frame[effects], beside=frame).to_array(), found
    )
    with pytest.raises(
        ma.SpecificationError, match=r"study b reports no correlation v0–v1.*beside="
    ):
        ma.correlation_covariance(frame[effects])
    with pytest.raises(ma.SpecificationError, match="study b has two values for one pair: v0–v1"):
        ma.correlation_covariance(frame, beside=THREE.assign(study="b", r=0.1))


def test_rows_may_come_in_any_order_and_studies_with_their_own_variables() -> None:
    rng = np.random.default_rng(6)
    frame = pd.concat(
        [whole(drawn(rng, p), n).assign(study=s) for s, p, n in (("a", 3, 50), ("b", 4, 80))]
    )
    order = rng.permutation(len(frame))
    V = ma.correlation_covariance(frame).to_array()
    np.testing.assert_array_equal(V, V.T)
    shuffled = ma.correlation_covariance(frame.iloc[order])
    np.testing.assert_allclose(shuffled.to_array(), V[np.ix_(order, order)], rtol=1e-13)
    turned = frame.rename(columns={"var1": "var2", "var2": "var1"})
    np.testing.assert_allclose(ma.correlation_covariance(turned).to_array(), V, rtol=1e-13)


def test_serves_a_fit() -> None:
    craft = pd.read_csv(REFERENCE / "datasets" / "craft2003.csv").dropna()
    craft = craft[craft["study"] != 17]
    V = ma.correlation_covariance(craft, r="ri", n="ni")
    frame = craft.assign(yi=V.yi, pair=craft["var1"] + craft["var2"])
    fit = ma.fit(frame, mods="~ 0 + pair", random="~ 1 | study", V=V)
    assert len(ma.tidy(fit)) == 6
    assert V.description == "covariances of correlations (Steiger) within study"


THREE = whole(np.array([[1, 0.3, 0.2], [0.3, 1, 0.5], [0.2, 0.5, 1]]))


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (THREE.iloc[:2], r"study a reports no correlation v1–v2, which the covariances"),
        (
            pd.concat([whole(np.eye(4) * 0.5 + 0.5).iloc[[0, 5]], THREE.assign(study="b")]),
            "study a reports no correlation v0–v2, v0–v3, v1–v2, v1–v3",
        ),
        (pd.concat([THREE, THREE.iloc[:1]]), "study a has one pair twice: v0–v1; keep one"),
        (THREE.assign(var2=THREE["var1"]), "study a has a variable with itself: v1–v1"),
        (THREE.assign(n=[50, 3, 50]), r"'n' is 3 or less in row\(s\) 1"),
        (THREE.assign(r=[0.1, 1.0, 0.2]), r"'r' is not between -1 and 1 in row\(s\) 1"),
        (THREE.assign(r=[0.1, np.nan, 0.2]), r"'r' is missing in row\(s\) 1"),
        (THREE.assign(r=[0.9, -0.9, 0.9]), "study a is not positive definite; its correlations"),
        (THREE.drop(columns="n"), "n column 'n' is not in the data"),
    ],
)
def test_refusals_name_the_place(frame: pd.DataFrame, named: str) -> None:
    with pytest.raises(ma.SpecificationError, match=named):
        ma.correlation_covariance(frame)


def test_the_smallest_sample_counts_for_the_whole_study() -> None:
    arguments: dict[str, Any] = {"metric": "z"}
    V = ma.correlation_covariance(THREE.assign(n=[60, 53, 70]), **arguments).to_array()
    np.testing.assert_allclose(np.diag(V), 0.02, rtol=CLOSED_FORM)
