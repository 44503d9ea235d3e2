"""Estimators of tau² against dense matrices, definitions and each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.linalg import inv, slogdet

from metalliance.numerics.tau2 import ESTIMATORS, TAU2_METHODS, standard_error
from metalliance.numerics.univariate import (
    log_likelihoods,
    typical_variance,
    weighted_least_squares,
)
from tests.tolerances import CLOSED_FORM, ITERATED


def example(seed: int, k: int = 12, p: int = 2, tau: float = 0.5):
    rng = np.random.default_rng(seed)
    v = np.exp(rng.normal(size=k)) * 0.2
    X = np.column_stack([np.ones(k), rng.normal(size=(k, p - 1))])
    return rng.normal(size=k) * np.sqrt(v + tau**2), v, X


def dense_p(w: np.ndarray, X: np.ndarray) -> np.ndarray:
    W = np.diag(w)
    return W - W @ X @ inv(X.T @ W @ X) @ X.T @ W


def restricted(t: float, y: np.ndarray, v: np.ndarray, X: np.ndarray, reml: bool) -> float:
    w = 1 / (v + t)
    P = dense_p(w, X)
    penalty = slogdet(X.T @ np.diag(w) @ X)[1] if reml else 0.0
    return -0.5 * (-np.log(w).sum() + penalty + y @ P @ y)


def test_dict_and_literal_agree() -> None:
    assert tuple(ESTIMATORS) == TAU2_METHODS


def test_weighted_least_squares_is_the_dense_projection() -> None:
    y, v, X = example(3)
    w = 1 / v
    P, solution = dense_p(w, X), weighted_least_squares(y, w, X)
    B = inv(X.T @ np.diag(w) @ X)
    np.testing.assert_allclose(solution.beta, B @ X.T @ (w * y), rtol=CLOSED_FORM)
    np.testing.assert_allclose(solution.bread, B, rtol=CLOSED_FORM)
    np.testing.assert_allclose(solution.leverage, np.diag(X @ B @ X.T) * w, rtol=CLOSED_FORM)
    np.testing.assert_allclose(solution.rss, y @ P @ y, rtol=CLOSED_FORM)
    np.testing.assert_allclose(solution.trace_p, np.trace(P), rtol=CLOSED_FORM)
    np.testing.assert_allclose(solution.trace_pp, np.trace(P @ P), rtol=CLOSED_FORM)
    np.testing.assert_allclose(typical_variance(solution), 10 / np.trace(P), rtol=CLOSED_FORM)


def test_likelihoods_are_the_densities() -> None:
    y, v, X = example(4)
    solution = weighted_least_squares(y, 1 / v, X)
    ml, reml = log_likelihoods(solution, 1 / v)
    e = y - X @ solution.beta
    assert ml == pytest.approx(np.sum(-0.5 * np.log(2 * np.pi * v) - e**2 / (2 * v)))
    K = np.linalg.svd(X.T)[2][2:]  # orthonormal error contrasts
    S = K @ np.diag(v) @ K.T
    contrasts = -0.5 * (10 * np.log(2 * np.pi) + slogdet(S)[1] + (K @ y) @ inv(S) @ (K @ y))
    assert reml == pytest.approx(contrasts, rel=CLOSED_FORM)


@pytest.mark.parametrize("method", ["ML", "REML"])
@pytest.mark.parametrize("seed", range(12))
def test_maximum_is_global(method: str, seed: int) -> None:
    y, v, X = example(seed, k=8, tau=[0.0, 0.3, 3.0][seed % 3])
    found = ESTIMATORS[method](y, v, X)
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 1e3, 4000)])
    best = max(restricted(t, y, v, X, method == "REML") for t in grid)
    assert restricted(found.value, y, v, X, method == "REML") >= best - 1e-9
    assert found.convergence.boundary == (found.value == 0)
    assert found.convergence.score < 1e-10


def test_two_maxima_are_told_apart() -> None:
    """A restricted likelihood with a peak near zero and a higher one far off."""
    v = np.array([1e-4, 1e-4, 10.0, 10.0, 10.0, 10.0])
    y = np.array([0.0, 0.02, 9.0, -9.0, 8.0, -8.0])
    X = np.ones((6, 1))
    found = ESTIMATORS["REML"](y, v, X).value
    grid = np.geomspace(1e-8, 1e3, 20000)
    heights = [restricted(t, y, v, X, True) for t in grid]
    peaks = np.sum((np.diff(heights)[:-1] > 0) & (np.diff(heights)[1:] <= 0))
    assert peaks == 2
    assert found == pytest.approx(grid[int(np.argmax(heights))], rel=2e-3)


@pytest.mark.parametrize("seed", range(6))
def test_paule_mandel_solves_its_equation(seed: int) -> None:
    y, v, X = example(seed)
    t = ESTIMATORS["PM"](y, v, X).value
    q = weighted_least_squares(y, 1 / (v + t), X).rss
    assert q == pytest.approx(10, rel=1e-13) if t > 0 else q <= 10


def test_standard_errors_are_the_published_formulas() -> None:
    y, v, X = example(5)
    k, p = X.shape
    for method in ("ML", "REML", "PM"):
        found = ESTIMATORS[method](y, v, X)
        w = 1 / (v + found.value)
        P = dense_p(w, X)
        expected = {
            "ML": np.sqrt(2 / np.sum(w**2)),
            "REML": np.sqrt(2 / np.trace(P @ P)),
            "PM": np.sqrt(2 * k**2 / (k - p)) / np.sum(w),
        }[method]
        assert found.se == pytest.approx(expected, rel=CLOSED_FORM)
    P, t = dense_p(1 / v, X), 0.3
    variance = 2 * np.trace(P @ (np.diag(v) + t * np.eye(k)) @ P @ (np.diag(v) + t * np.eye(k)))
    expected = np.sqrt(variance) / np.trace(P)
    assert standard_error("DL", t, v, X) == pytest.approx(expected, rel=CLOSED_FORM)
    assert np.isnan(ESTIMATORS["EE"](y, v, X).se)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-5, 5),
    scale=st.floats(0.01, 50),
    method=st.sampled_from(["DL", "ML", "REML", "PM"]),
)
def test_location_and_scale(seed: int, shift: float, scale: float, method: str) -> None:
    y, v, X = example(seed)
    before = ESTIMATORS[method](y, v, X).value
    after = ESTIMATORS[method](scale * (y + shift), scale**2 * v, X).value
    assert after == pytest.approx(scale**2 * before, rel=ITERATED, abs=1e-12 * scale**2)
