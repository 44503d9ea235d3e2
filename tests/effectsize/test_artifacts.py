"""Corrections and composites: identities, other routes to the same number, simulated patients."""

import math

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.effectsize.artifacts import correct_range, disattenuate, effective_n
from metalliance.effectsize.composites import composite_r, mean_r
from tests.tolerances import CLOSED_FORM


def measures(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Three alliance and two outcome scores that share a factor."""
    factor = rng.normal(size=(n, 1))
    return factor + rng.normal(size=(n, 3)), 0.5 * factor + rng.normal(size=(n, 2))


def among(scores: np.ndarray) -> float:
    k = scores.shape[1]
    return float(np.corrcoef(scores.T)[np.triu_indices(k, 1)].mean())


def test_a_composite_on_both_sides_is_the_correlation_of_the_sums() -> None:
    x, y = measures(np.random.default_rng(4), 300)
    x, y = (s / s.std(axis=0) for s in (x, y))
    r = np.corrcoef(x.T, y.T)[:3, 3:]
    found, v = composite_r(r, among(x), 300, inter_correlation_y=among(y))
    assert found == pytest.approx(np.corrcoef(x.sum(1), y.sum(1))[0, 1], rel=CLOSED_FORM)
    assert v == pytest.approx((1 - found**2) ** 2 / 299)
    turned, _ = composite_r(r.T, among(y), inter_correlation_y=among(x))
    assert turned == pytest.approx(found, rel=CLOSED_FORM)


def test_the_assumed_inter_correlation_is_a_half() -> None:
    assert composite_r([0.3, 0.4], n=60) == composite_r([0.3, 0.4], 0.5, 60)
    assert mean_r([0.3, 0.4], n=60) == mean_r([0.3, 0.4], 0.5, 60)
    assert math.isnan(composite_r([0.3, 0.4])[1])


def test_the_variance_of_a_mean_is_that_of_the_full_matrix() -> None:
    """Beside `correlation_covariance`, which is checked against metafor's rcalc."""
    r, rho, n = [0.3, 0.45, 0.2], 0.6, 80
    effects = [("x1", "y", r[0]), ("x2", "y", r[1]), ("x3", "y", r[2])]
    others = [("x1", "x2", rho), ("x1", "x3", rho), ("x2", "x3", rho)]
    names = ["var1", "var2", "r"]
    V = ma.correlation_covariance(
        pd.DataFrame(effects, columns=names).assign(study="a", n=n),
        metric="r",
        beside=pd.DataFrame(others, columns=names).assign(study="a"),
    ).to_array()
    assert mean_r(r, rho, n)[1] == pytest.approx(V.mean(), rel=CLOSED_FORM)
    both = [[0.3, 0.2], [0.25, 0.1]]
    pairs = [(f"x{i}", f"y{j}", both[i][j]) for i in (0, 1) for j in (0, 1)]
    V = ma.correlation_covariance(
        pd.DataFrame(pairs, columns=names).assign(study="a", n=n),
        metric="r",
        beside=pd.DataFrame([("x0", "x1", 0.6), ("y0", "y1", 0.4)], columns=names).assign(
            study="a"
        ),
    ).to_array()
    found = mean_r(both, 0.6, n, inter_correlation_y=0.4)
    assert found[0] == pytest.approx(0.2125)
    assert found[1] == pytest.approx(V.mean(), rel=CLOSED_FORM)


def test_mean_and_composite_in_simulated_samples() -> None:
    rng = np.random.default_rng(6)
    n, runs = 60, 4000
    found = np.empty((runs, 4))
    for run in range(runs):
        x, y = measures(rng, n)
        r = np.corrcoef(x.T, y.T)[:3, 3:]
        rho = {"inter_correlation": among(x), "inter_correlation_y": among(y)}
        found[run] = *composite_r(r, n=n, **rho), *mean_r(r, n=n, **rho)
    for value, variance in ((0, 1), (2, 3)):
        # the standard error of a variance over 4,000 runs is 2.2 %
        assert found[:, variance].mean() == pytest.approx(found[:, value].var(), rel=0.08)


def test_one_measure_is_its_own_composite_and_mean() -> None:
    for by in (composite_r, mean_r):
        r, v = by([0.3], 0.5, 60)
        assert (r, v) == (pytest.approx(0.3), pytest.approx((1 - 0.09) ** 2 / 59))
        same, w = by([0.3, 0.3], 1.0, 60)
        assert (same, w) == (pytest.approx(0.3), pytest.approx(v))


@pytest.mark.parametrize("by", [composite_r, mean_r])
@pytest.mark.parametrize(
    ("r", "rho", "n", "named"),
    [
        ([], 0.5, 60, "at least one"),
        ([1.0], 0.5, 60, "strictly between"),
        ([0.3, math.nan], 0.5, 60, "strictly between"),
        ([0.3, 0.4], 0.5, 3, "too small"),
        ([0.3, 0.4], 1.2, 60, "is impossible"),
        ([0.3, 0.4], math.nan, 60, "is impossible"),
        ([0.3, 0.4, 0.2], -0.6, 60, "is impossible"),
        ([0.9, 0.9], -0.5, 60, "cannot all hold"),
    ],
)
def test_what_cannot_be_combined(by, r: list[float], rho: float, n: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        by(r, rho, n)


def test_true_scores_and_unrestricted_patients_in_a_large_sample() -> None:
    rng = np.random.default_rng(9)
    n, rho = 400_000, 0.4
    x = rng.normal(size=n)
    y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=n)
    seen_x, seen_y = x + 0.5 * rng.normal(size=n), y + 0.7 * rng.normal(size=n)
    seen = np.corrcoef(seen_x, seen_y)[0, 1]
    corrected, v = disattenuate(seen, 0.001, 1 / 1.25, 1 / 1.49)
    assert corrected == pytest.approx(rho, abs=0.006)
    assert v == pytest.approx(0.001 * 1.25 * 1.49)
    kept = x > 0.5
    restricted = np.corrcoef(x[kept], y[kept])[0, 1]
    assert restricted < 0.25
    found, _ = correct_range(restricted, 0.001, 1 / x[kept].std())
    assert found == pytest.approx(rho, abs=0.015)


def test_the_variance_under_therapists_in_simulated_samples() -> None:
    """Patients of 20 therapists, whose effects on x and on y are uncorrelated."""
    rng = np.random.default_rng(10)
    therapists, patients, icc_x, icc_y = 20, 10, 0.3, 0.4
    shape = (3000, therapists, patients)

    def scores(icc: float) -> np.ndarray:
        shared = math.sqrt(icc) * rng.normal(size=(*shape[:2], 1))
        return (shared + math.sqrt(1 - icc) * rng.normal(size=shape)).reshape(shape[0], -1)

    x, y = scores(icc_x), scores(icc_y)
    x, y = (s - s.mean(axis=1, keepdims=True) for s in (x, y))
    r = (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))
    counted = effective_n(therapists * patients, patients, icc_x, icc_y)
    assert counted < 100
    assert np.arctanh(r).var() == pytest.approx(1 / (counted - 3), rel=0.1)


@pytest.mark.parametrize(
    ("by", "arguments", "named"),
    [
        (disattenuate, (0.6, 0.01, 0.5, 0.5), r"would be 1\.2"),
        (disattenuate, (0.6, 0.01, 1.1, 0.5), "reliability_x"),
        (correct_range, (0.3, 0.01, 0), "above 0"),
        (correct_range, (1.3, 0.01, 1.2), "strictly between"),
        (effective_n, (100, 0.5, 0.1, 0.1), "at least one patient"),
        (effective_n, (100, 5, 1.1, 0.1), "icc_x"),
        (effective_n, (math.nan, 5, 0.1, 0.1), "n is above 0"),
    ],
)
def test_impossible_artefacts(by, arguments: tuple[float, ...], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        by(*arguments)
