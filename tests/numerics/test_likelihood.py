"""The block likelihood against dense matrices and finite differences."""

import numpy as np
import pytest
from numpy.linalg import inv, slogdet

from metalliance.errors import ConvergenceError
from metalliance.numerics.blocks import BlockDiagonal, Stack, stack_rows
from metalliance.numerics.likelihood import (
    BlockProblem,
    block_problem,
    evaluate,
    grouping_kernel,
    inseparable,
    marginal,
    model_blocks,
)
from metalliance.numerics.maximise import maximise, starting_values
from metalliance.numerics.tau2 import ESTIMATORS
from tests.tolerances import CLOSED_FORM, ITERATED

FREE = np.full(2, np.nan)


def example(seed: int = 0, clusters: int = 7, correlation: float = 0.5, spread: float = 1.0):
    """y, X, V and the groupings by cluster and by row, rows in random order."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, clusters)
    study = rng.permutation(np.repeat(np.arange(clusters), sizes))
    k = len(study)
    v = np.exp(rng.normal(size=k) * 0.5) * 0.1
    X = np.column_stack([np.ones(k), rng.normal(size=k)])
    y = spread * (rng.normal(size=clusters)[study] + 0.5 * rng.normal(size=k))
    y = y + rng.normal(size=k) * np.sqrt(v)
    stacks = []
    for rows in stack_rows(study):
        root = np.sqrt(v[rows])
        same = np.eye(rows.shape[1]) + correlation * (1 - np.eye(rows.shape[1]))
        stacks.append(Stack(rows=rows, values=root[:, :, None] * same * root[:, None, :]))
    return y, X, BlockDiagonal(size=k, stacks=tuple(stacks)), [study, np.arange(k)]


def problem_of(y, X, V, groupings) -> BlockProblem:
    V = V.regroup(model_blocks(V, groupings))
    return block_problem(y, X, V, [grouping_kernel(V, codes) for codes in groupings])


def dense(theta, y, X, V, groupings) -> tuple[float, float, np.ndarray]:
    """Log-likelihoods and P from the textbook, with k x k matrices."""
    k, p = X.shape
    M = V.to_array() + sum(
        t * (codes[:, None] == codes) for t, codes in zip(theta, groupings, strict=True)
    )
    W = inv(M)
    A = X.T @ W @ X
    P = W - W @ X @ inv(A) @ X.T @ W
    shared = slogdet(M)[1] + y @ P @ y
    ml = -0.5 * (k * np.log(2 * np.pi) + shared)
    penalty = slogdet(A)[1] - slogdet(X.T @ X)[1]
    return ml, -0.5 * ((k - p) * np.log(2 * np.pi) + shared + penalty), P


@pytest.mark.parametrize("seed", range(4))
def test_dense_likelihood(seed: int) -> None:
    data = example(seed)
    theta = np.array([0.3, 0.07])
    at = evaluate(problem_of(*data), theta, restricted=True)
    ml, reml, P = dense(theta, *data)
    assert at.ml == pytest.approx(ml, rel=CLOSED_FORM)
    assert at.reml == pytest.approx(reml, rel=CLOSED_FORM)
    assert at.rss == pytest.approx(data[0] @ P @ data[0], rel=CLOSED_FORM)
    assert at.trace_p == pytest.approx(np.trace(P), rel=CLOSED_FORM)


@pytest.mark.parametrize("restricted", [True, False])
def test_derivatives_are_finite_differences(restricted: bool) -> None:
    problem = problem_of(*example(1))
    theta = np.array([0.4, 0.2])
    at = evaluate(problem, theta, restricted)
    h = 1e-5
    for t in range(2):
        step = h * np.eye(2)[t]
        up, down = (evaluate(problem, theta + sign * step, restricted) for sign in (1, -1))
        rise = (up.reml - down.reml) if restricted else (up.ml - down.ml)
        assert at.gradient[t] == pytest.approx(rise / (2 * h), rel=1e-6)
        bend = (up.gradient - down.gradient) / (2 * h)
        np.testing.assert_allclose(at.observed[t], -bend, rtol=1e-6)


def test_expected_information_is_half_the_trace() -> None:
    data = example(2)
    theta = np.array([0.4, 0.2])
    P = dense(theta, *data)[2]
    kernels = [(codes[:, None] == codes).astype(float) for codes in data[3]]
    expected = [[0.5 * np.trace(P @ a @ P @ b) for b in kernels] for a in kernels]
    at = evaluate(problem_of(*data), theta, restricted=True)
    np.testing.assert_allclose(at.expected, expected, rtol=CLOSED_FORM)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_maximum_beats_a_grid(seed: int, restricted: bool) -> None:
    data = example(seed, clusters=6, spread=[1.0, 0.2, 0.0][seed % 3])
    problem = problem_of(*data)
    best = maximise(problem, restricted, FREE)
    height = best.at.reml if restricted else best.at.ml
    grid = np.concatenate([[0.0], np.geomspace(1e-4, 20, 30)])
    others = [dense((a, b), *data)[int(restricted)] for a in grid for b in grid]
    assert height >= max(others) - 1e-9
    assert best.convergence.score < 1e-10
    assert best.convergence.boundary == bool(np.any(best.theta == 0))
    falls = best.at.gradient[best.theta == 0]
    assert np.all(falls <= 0)


def test_every_start_leads_to_the_same_optimum() -> None:
    problem = problem_of(*example(5))
    optima = [maximise(problem, True, FREE, [s]).theta for s in starting_values(problem)]
    for theta in optima[1:]:
        np.testing.assert_allclose(theta, optima[0], rtol=ITERATED, atol=1e-10)


def test_one_effect_per_cluster_is_the_univariate_model() -> None:
    y, X, V, _ = example(3, correlation=0.0)
    rows = np.arange(len(y))
    V = BlockDiagonal.from_diagonal(V.diagonal(), rows)
    found = maximise(problem_of(y, X, V, [rows]), True, np.array([np.nan]))
    expected = ESTIMATORS["REML"](y, V.diagonal(), X)
    assert found.theta[0] == pytest.approx(expected.value, rel=ITERATED)


def test_a_component_fixed_at_zero_drops_out() -> None:
    y, X, V, groupings = example(4, correlation=0.0)
    both = maximise(problem_of(y, X, V, groupings), True, np.array([0.0, np.nan]))
    alone = maximise(problem_of(y, X, V, groupings[1:]), True, np.array([np.nan]))
    assert both.theta[1] == pytest.approx(alone.theta[0], rel=ITERATED)
    assert both.at.reml == pytest.approx(alone.at.reml, rel=CLOSED_FORM)


def test_all_components_fixed() -> None:
    fixed = np.array([0.2, 0.1])
    found = maximise(problem_of(*example(4)), True, fixed)
    assert found.theta.tolist() == [0.2, 0.1]
    assert found.convergence.method == "fixed"


def test_marginal_is_the_sum() -> None:
    y, X, V, groupings = example(6)
    theta = (0.3, 0.1)
    kernels = [(codes[:, None] == codes) for codes in groupings]
    expected = V.to_array() + theta[0] * kernels[0] + theta[1] * kernels[1]
    found = marginal(problem_of(y, X, V, groupings), np.array(theta)).to_array()
    np.testing.assert_allclose(found, expected, rtol=CLOSED_FORM)


def test_terms_that_cannot_be_told_apart() -> None:
    y, X, V, groupings = example(7)
    problem = problem_of(y, X, V, [groupings[0], groupings[0]])
    assert inseparable(problem, np.array([0.1, 0.1]), True) == (0, 1)
    assert inseparable(problem_of(y, X, V, groupings), np.array([0.1, 0.1]), True) == ()
    with pytest.raises(ConvergenceError, match="told apart"):
        maximise(problem, True, FREE)
