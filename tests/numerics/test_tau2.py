"""Estimators of tau² against dense matrices, definitions and each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.linalg import inv, slogdet
from scipy import stats

from metalliance.numerics.linalg import orthonormal_basis
from metalliance.numerics.regressions import condensed, regressions
from metalliance.numerics.tau2 import ESTIMATORS, TAU2_METHODS
from metalliance.numerics.univariate import generalised_least_squares
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


def solved(y: np.ndarray, v: np.ndarray, X: np.ndarray, t: float):
    basis = orthonormal_basis(X)
    problem = regressions(y, v, basis.Q)
    at = problem.sums(np.array([t]))
    return generalised_least_squares(problem, basis, t, at), at


def test_generalised_least_squares_is_the_dense_projection() -> None:
    y, v, X = example(3)
    w = 1 / v
    P, (solution, at) = dense_p(w, X), solved(y, v, X, 0.0)
    B = inv(X.T @ np.diag(w) @ X)
    np.testing.assert_allclose(solution.beta, B @ X.T @ (w * y), rtol=CLOSED_FORM)
    np.testing.assert_allclose(solution.vcov, B, rtol=CLOSED_FORM)
    np.testing.assert_allclose(solution.rss, y @ P @ y, rtol=CLOSED_FORM)
    np.testing.assert_allclose(at.squared, y @ P @ P @ y, rtol=CLOSED_FORM)
    np.testing.assert_allclose(at.cubed, y @ P @ P @ P @ y, rtol=CLOSED_FORM)
    np.testing.assert_allclose(at.trace, np.trace(P), rtol=CLOSED_FORM)
    np.testing.assert_allclose(at.trace2, np.trace(P @ P), rtol=CLOSED_FORM)


def test_likelihoods_are_the_densities() -> None:
    y, v, X = example(4)
    solution, _ = solved(y, v, X, 0.0)
    e = y - X @ solution.beta
    density = np.sum(-0.5 * np.log(2 * np.pi * v) - e**2 / (2 * v))
    assert solution.log_lik_ml == pytest.approx(density, rel=CLOSED_FORM)
    K = np.linalg.svd(X.T)[2][2:]  # orthonormal error contrasts
    S = K @ np.diag(v) @ K.T
    contrasts = -0.5 * (10 * np.log(2 * np.pi) + slogdet(S)[1] + (K @ y) @ inv(S) @ (K @ y))
    assert solution.log_lik_reml == pytest.approx(contrasts, rel=CLOSED_FORM)


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


@pytest.mark.parametrize("seed", range(6))
def test_paule_mandel_solves_its_equation(seed: int) -> None:
    y, v, X = example(seed)
    t = ESTIMATORS["PM"](y, v, X).value
    q = y @ dense_p(1 / (v + t), X) @ y
    assert q == pytest.approx(10, rel=1e-13) if t > 0 else q <= 10


def moments(y: np.ndarray, a: np.ndarray, X: np.ndarray) -> tuple[float, np.ndarray]:
    P = dense_p(a, X)
    return float(y @ P @ y), P


def test_moment_estimators_and_their_standard_errors_by_dense_matrices() -> None:
    y, v, X = example(5)
    k, p = X.shape
    user = np.random.default_rng(6).uniform(0.5, 2, k)
    first = y.var()
    q, P = moments(y, 1 / v, X)
    expected = {"HS": (q - k) / np.sum(1 / v), "HSk": (q * k / (k - p) - k) / np.sum(1 / v)}
    scale = {"HS": np.sum(1 / v), "HSk": np.sum(1 / v) * (k - p) / k, "SJ": (k - p) / first}
    matrix = {"HS": P, "HSk": P}
    for method, a in (("DL", 1 / v), ("HE", np.ones(k)), ("GENQ", user)):
        q, P = moments(y, a, X)
        expected[method] = (q - np.trace(P @ np.diag(v))) / np.trace(P)
        scale[method], matrix[method] = np.trace(P), P
    q, matrix["SJ"] = moments(y, 1 / (v + first), X)
    expected["SJ"] = first * q / (k - p)
    for method, value in expected.items():
        found = ESTIMATORS[method](y, v, X, user)
        assert found.value == pytest.approx(max(0, value), rel=CLOSED_FORM)
        assert found.convergence.boundary == (value <= 0)
        PM = matrix[method] @ np.diag(v + found.value)
        sd = np.sqrt(2 * np.trace(PM @ PM))
        assert found.se == pytest.approx(sd / scale[method], rel=CLOSED_FORM)


def test_standard_errors_of_iterated_estimators() -> None:
    y, v, X = example(5)
    k, p = X.shape
    for method in ("ML", "REML", "EB", "PM", "PMM"):
        found = ESTIMATORS[method](y, v, X)
        w = 1 / (v + found.value)
        P = dense_p(w, X)
        quantile = np.sqrt(2 * k**2 / (k - p)) / np.sum(w)
        known = {"ML": np.sqrt(2 / np.sum(w**2)), "REML": np.sqrt(2 / np.trace(P @ P))}
        assert found.se == pytest.approx(known.get(method, quantile), rel=CLOSED_FORM)
    assert np.isnan(ESTIMATORS["EE"](y, v, X).se)


def test_median_unbiased_solves_its_equation() -> None:
    y, v, X = example(3, tau=1.0)
    t = ESTIMATORS["PMM"](y, v, X).value
    q = y @ dense_p(1 / (v + t), X) @ y
    assert stats.chi2.cdf(q, 10) == pytest.approx(0.5, rel=1e-12)
    assert ESTIMATORS["EB"](y, v, X) == ESTIMATORS["PM"](y, v, X)


def test_generalised_q_needs_weights() -> None:
    y, v, X = example(0)
    with pytest.raises(ValueError, match="needs weights"):
        ESTIMATORS["GENQ"](y, v, X)
    same = ESTIMATORS["GENQ"](y, v, X, 1 / v)
    assert same.value == pytest.approx(ESTIMATORS["DL"](y, v, X).value, rel=CLOSED_FORM)


def test_sums_by_dense_matrices() -> None:
    y, v, X = example(7, k=9, p=3)
    basis = orthonormal_basis(X)
    P = dense_p(1 / (v + 0.2), X)
    at = regressions(y, v, basis.Q).sums(np.array([0.2]))
    for found, expected in (
        (at.q, y @ P @ y),
        (at.squared, y @ P @ P @ y),
        (at.cubed, y @ P @ P @ P @ y),
        (at.trace, np.trace(P)),
        (at.trace2, np.trace(P @ P)),
    ):
        assert found[0] == pytest.approx(expected, rel=CLOSED_FORM)


@pytest.mark.parametrize("method", ["ML", "REML"])
@pytest.mark.parametrize("p", [1, 3])
def test_large_problems_find_the_maximum_of_the_whole_grid(method: str, p: int) -> None:
    """Above 1000 effects the search starts from bins; it must end where the data peak."""
    y, v, X = example(11, k=3000, p=p)
    found = ESTIMATORS[method](y, v, X)
    problem = regressions(y, v, orthonormal_basis(X).Q)
    first, second = problem.score(np.array([found.value]), method == "REML")
    assert abs(first[0] / second[0]) <= 1e-13 * found.value
    near = found.value * np.array([0.9, 1.1])
    assert np.all(np.diff(np.sign(problem.slopes(near[None], method == "REML"))) == -2)


def test_bins_keep_the_sums_of_squares() -> None:
    y, v, X = example(12, k=2000)
    problem = regressions(y, np.full_like(v, 0.3), orthonormal_basis(X).Q)
    t = np.array([0.1])
    one, other = problem.sums(t), condensed(problem, 16).sums(t)
    for name in ("q", "squared", "cubed", "w", "w2", "trace", "trace2"):
        assert getattr(other, name)[0] == pytest.approx(getattr(one, name)[0], rel=1e-9)


def hostile(seed: int, copies: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Few effects, or noisy copies of them, with variances many orders of magnitude apart."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(4, 12))
    v = np.exp(rng.choice([0.5, 2, 4]) * rng.normal(size=k))
    y = rng.normal(size=k) * np.sqrt(v * rng.choice([0.1, 1, 5]) + rng.choice([0, 0.1, 10]))
    exact = int(rng.integers(0, k))
    v[:exact] *= 1e-4
    y[:exact] *= 0.01
    X = np.column_stack([np.ones(k), rng.normal(size=(k, rng.integers(0, 2)))])
    v = np.tile(v, copies) * np.exp(0.05 * rng.normal(size=k * copies))
    y = np.tile(y, copies)
    return y, v, np.tile(X, (copies, 1))


@pytest.mark.parametrize("method", ["ML", "REML"])
@pytest.mark.parametrize(("sets", "copies", "points"), [(150, 1, 3000), (10, 300, 300)])
def test_no_grid_finds_a_higher_likelihood(
    method: str, sets: int, copies: int, points: int
) -> None:
    several = 0
    for seed in range(sets):
        y, v, X = hostile(seed, copies)
        found = ESTIMATORS[method](y, v, X)
        problem = regressions(y, v, orthonormal_basis(X).Q)
        height = problem.log_likelihood(np.array([found.value]), method == "REML")[0]
        grid = np.concatenate([[0.0], np.geomspace(1e-9, 1e6, points)])
        for part in np.array_split(grid, 30):
            assert problem.log_likelihood(part, method == "REML").max() <= height + 1e-9
        several += found.convergence.starts > 1
    assert several >= sets / 20


@pytest.mark.parametrize("copies", [1, 400])
@pytest.mark.parametrize("far", [2.0, 9.0, 30.0])
def test_two_maxima_are_told_apart(copies: int, far: float) -> None:
    """A restricted likelihood with a peak near zero and another far off, in few and in many."""
    v = np.tile([1e-4, 1e-4, 10.0, 10.0, 10.0, 10.0], copies)
    y = np.tile([0.0, 0.02, far, -far, far - 1, 1 - far], copies)
    X = np.ones((len(y), 1))
    found = ESTIMATORS["REML"](y, v, X)
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 1e4, 5000)])
    heights = np.concatenate(
        [
            regressions(y, v, orthonormal_basis(X).Q).log_likelihood(part, True)
            for part in np.array_split(grid, 100)
        ]
    )
    peaks = np.sum((np.diff(heights)[:-1] > 0) & (np.diff(heights)[1:] <= 0))
    assert peaks == found.convergence.starts
    assert found.value == pytest.approx(grid[int(np.argmax(heights))], rel=6e-3)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-5, 5),
    scale=st.floats(0.01, 50),
    method=st.sampled_from([m for m in TAU2_METHODS if m not in ("EE", "GENQ")]),
)
def test_location_and_scale(seed: int, shift: float, scale: float, method: str) -> None:
    y, v, X = example(seed)
    before = ESTIMATORS[method](y, v, X).value
    after = ESTIMATORS[method](scale * (y + shift), scale**2 * v, X).value
    assert after == pytest.approx(scale**2 * before, rel=ITERATED, abs=1e-12 * scale**2)
