"""The likelihood in cells against dense matrices, finite differences and exact fractions."""

from fractions import Fraction
from math import log, pi

import numpy as np
import pytest
from numpy.linalg import inv, slogdet

from metalliance.numerics.blocks import BlockDiagonal
from metalliance.numerics.layout import Factor, marginal, model_blocks, relevant_entries
from metalliance.numerics.likelihood import Evaluation, evaluate, likelihood_of, sampling_only
from metalliance.numerics.structures import STRUCTURES
from tests.numerics.multilevel import MODELS, Example, example
from tests.tolerances import CLOSED_FORM

EVERY_WAY = [(model, covarying) for model in MODELS for covarying in (False, True)]


def kernels(data: Example) -> list[np.ndarray]:
    """∂M/∂ψ_c for every entry, row by row from the codes."""
    found = []
    for factor in data.factors:
        pattern, k = factor.structure.pattern(), len(data.y)
        Z = np.eye(len(pattern))[factor.inner] if factor.slopes is None else factor.slopes
        together = factor.outer[:, None] == factor.outer
        for c in range(pattern.max() + 1):
            K = np.zeros((k, k))
            for i in range(k):
                for j in range(k):
                    if together[i, j]:
                        K[i, j] = Z[i] @ (pattern == c) @ Z[j]
            found.append(K)
    return found


def dense(data: Example, psi: np.ndarray, restricted: bool) -> Evaluation:
    """Likelihoods and derivatives from the textbook, with k x k matrices."""
    (k, p), K, X, y = data.X.shape, kernels(data), data.X, data.y
    M = data.V.to_array() + sum(value * kernel for value, kernel in zip(psi, K, strict=True))
    W = inv(M)
    bread = inv(X.T @ W @ X)
    P = W - W @ X @ bread @ X.T @ W
    u = P @ y
    shared = slogdet(M)[1] + y @ u
    penalty = slogdet(X.T @ W @ X)[1] - slogdet(X.T @ X)[1]
    T = P if restricted else W
    expected = np.array([[0.5 * np.sum((T @ a) * (T @ b).T) for b in K] for a in K])
    average = np.array([[0.5 * u @ a @ P @ b @ u for b in K] for a in K])
    return Evaluation(
        ml=-0.5 * (k * np.log(2 * np.pi) + shared),
        reml=-0.5 * ((k - p) * np.log(2 * np.pi) + shared + penalty),
        gradient=np.array([0.5 * (u @ a @ u - np.trace(T @ a)) for a in K]),
        observed=2 * average - expected,
        expected=expected,
        beta=bread @ X.T @ W @ y,
        bread=bread,
    )


def assert_same(found: Evaluation, expected: Evaluation, tolerance: float = CLOSED_FORM) -> None:
    for name in ("ml", "reml", "gradient", "observed", "expected", "beta", "bread"):
        wanted = getattr(expected, name)
        size = np.max(np.abs(wanted))
        np.testing.assert_allclose(
            getattr(found, name), wanted, rtol=tolerance, atol=tolerance * size, err_msg=name
        )


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize(("model", "covarying"), EVERY_WAY)
def test_dense_likelihood(model: str, covarying: bool, restricted: bool) -> None:
    data = example(model, covarying=covarying)
    psi = data.psi()
    assert_same(evaluate(data.likelihood(restricted), psi), dense(data, psi, restricted))


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_derivatives_are_finite_differences(model: str, restricted: bool) -> None:
    data = example(model, seed=1)
    likelihood, psi, h = data.likelihood(restricted), data.psi(1), 1e-6
    at = evaluate(likelihood, psi)
    for c in range(len(psi)):
        step = h * np.eye(len(psi))[c]
        up, down = evaluate(likelihood, psi + step), evaluate(likelihood, psi - step)
        rise = up.reml - down.reml if restricted else up.ml - down.ml
        scale = np.max(np.abs(at.gradient)) + 1
        assert at.gradient[c] == pytest.approx(rise / (2 * h), rel=1e-6, abs=1e-7 * scale)
        bend = -(up.gradient - down.gradient) / (2 * h)
        size = np.max(np.abs(at.observed))
        np.testing.assert_allclose(at.observed[c], bend, rtol=1e-6, atol=1e-7 * size)


@pytest.mark.parametrize("model", MODELS)
def test_marginal_is_the_sum(model: str) -> None:
    data = example(model, seed=2)
    psi = data.psi(2)
    expected = data.V.to_array() + np.einsum("c,cij->ij", psi, np.array(kernels(data)))
    found = marginal(data.V, data.factors, psi)
    np.testing.assert_allclose(found.to_array(), expected, rtol=CLOSED_FORM, atol=1e-15)
    assert len(found.stacks) == len({len(stack.rows[0]) for stack in found.stacks})


@pytest.mark.parametrize("model", ["nested", "crossed", "UN and row"])
def test_coarser_blocks_and_another_order_change_nothing(model: str) -> None:
    data = example(model, seed=3)
    psi = data.psi(3)
    at = evaluate(data.likelihood(), psi)
    wide = data.V.regroup(model_blocks(data.V, data.factors))
    assert_same(evaluate(likelihood_of(data.y, data.X, wide, data.factors, True), psi), at)
    order = np.random.default_rng(3).permutation(len(data.y))
    shuffled = [
        Factor(
            outer=factor.outer[order],
            inner=factor.inner[order],
            slopes=None,
            structure=factor.structure,
        )
        for factor in data.factors
    ]
    V = data.V.take(order)
    assert np.array_equal(V.to_array(), data.V.to_array()[np.ix_(order, order)])
    again = likelihood_of(data.y[order], data.X[order], V, shuffled, True)
    assert_same(evaluate(again, psi), at)


def test_sampling_error_alone() -> None:
    data = example("UN and row", seed=4)
    nothing = np.zeros(data.likelihood().layout.entries)
    at = dense(data, nothing, restricted=True)
    assert_same(evaluate(data.likelihood(), nothing), at)
    alone = sampling_only(data.likelihood().layout)
    W = inv(data.V.to_array())
    P = W - W @ data.X @ at.bread @ data.X.T @ W
    assert alone.q == pytest.approx(data.y @ P @ data.y, rel=CLOSED_FORM)
    assert alone.trace_p == pytest.approx(np.trace(P), rel=CLOSED_FORM)


def test_a_singular_covariance_of_the_effects() -> None:
    """Some variances of zero and a correlation of one: Γ has no inverse, M has."""
    data = example("UN and row", seed=5)
    structure = data.factors[0].structure
    theta = structure.theta(np.array([0.2, 0.1, 0.0]), np.array([1.0, 0.0, 0.0]))
    psi = np.append(structure.entries(theta).psi, 0.0)
    assert_same(evaluate(data.likelihood(), psi), dense(data, psi, restricted=True))


@pytest.mark.parametrize("restricted", [True, False])
def test_two_terms_of_single_rows(restricted: bool) -> None:
    """They cannot both be estimated, but one can be held."""
    data = example("nested", seed=8)
    study, row = data.factors
    pairs = Factor(
        outer=row.outer // 2,
        inner=row.outer % 2,
        slopes=None,
        structure=STRUCTURES["ID"](2, 2),
    )
    twice = Example(y=data.y, X=data.X, V=data.V, factors=(row, study, pairs))
    psi = np.array([0.1, 0.3, 0.05])
    assert_same(evaluate(twice.likelihood(restricted), psi), dense(twice, psi, restricted))


def exact(data: Example, psi: list[float]) -> tuple[float, float, list[float]]:
    """Both log-likelihoods and the REML gradient in fractions, rounded at the very end."""
    k, p = data.X.shape
    fraction = np.vectorize(Fraction)
    K = [fraction(kernel) for kernel in kernels(data)]
    M = fraction(data.V.to_array()) + sum(Fraction(a) * b for a, b in zip(psi, K, strict=True))
    X, y = fraction(data.X), fraction(data.y)
    W, det_m = solved(M)
    bread, det_a = solved(X.T @ W @ X)
    P = W - W @ X @ bread @ X.T @ W
    u = P @ y
    shared = log(det_m) + float(y @ u)
    penalty = log(det_a) - log(solved(X.T @ X)[1])
    gradient = [float((u @ a @ u - np.trace(P @ a)) / 2) for a in K]
    ml = -0.5 * (k * log(2 * pi) + shared)
    return ml, -0.5 * ((k - p) * log(2 * pi) + shared + penalty), gradient


def solved(A: np.ndarray) -> tuple[np.ndarray, Fraction]:
    """Inverse and determinant of a positive definite matrix of fractions."""
    n = len(A)
    wide = np.hstack([A, np.vectorize(Fraction)(np.eye(n, dtype=int))])
    determinant = Fraction(1)
    for i in range(n):
        pivot = wide[i, i]
        determinant *= pivot
        wide[i] = wide[i] / pivot
        for j in range(n):
            if j != i:
                wide[j] = wide[j] - wide[j, i] * wide[i]
    return wide[:, n:], determinant


@pytest.mark.parametrize(
    ("model", "psi"),
    [
        ("nested", [1e5, 1e-1]),
        ("nested", [1e-7, 1e-1]),
        ("nested", [1e-1, 1e5]),
        ("study", [1e5]),
        ("row", [1e5]),
        ("UN of two", [1e5, 1e-1, 50.0]),
        # without a term of single rows X'M⁻¹X is a difference, and loses digits beyond 1e4
        ("CS", [1e3, 0.999e3]),
        ("GEN", [1e3, 1e3, 5e2]),
    ],
)
@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_variances_that_differ_a_million_times(model: str, psi: list[float], shift: float) -> None:
    data = example(model, seed=6, sizes=(3, 2, 4, 1))
    data = Example(y=data.y + shift, X=data.X, V=data.V, factors=data.factors)
    ml, reml, gradient = exact(data, psi)
    at = evaluate(data.likelihood(), np.array(psi))
    assert at.ml == pytest.approx(ml, rel=1e-9)
    assert at.reml == pytest.approx(reml, rel=1e-9)
    np.testing.assert_allclose(at.gradient, gradient, rtol=1e-6)


def test_a_likelihood_in_fractions_is_the_dense_one() -> None:
    data = example("nested", seed=7, sizes=(2, 3, 1))
    at = dense(data, np.array([0.3, 0.1]), restricted=True)
    ml, reml, gradient = exact(data, [0.3, 0.1])
    np.testing.assert_allclose([ml, reml, *gradient], [at.ml, at.reml, *at.gradient])


def test_in_how_many_groups_an_entry_occurs() -> None:
    factor = Factor(
        outer=np.array([0, 0, 0, 1, 1, 2, 3]),
        inner=np.array([0, 1, 0, 1, 2, 0, 2]),
        slopes=None,
        structure=STRUCTURES["UN"](3, 2),
    )
    assert relevant_entries(factor).tolist() == [2, 2, 2, 1, 0, 1]


def test_rows_of_their_own_are_recognised() -> None:
    rows = np.arange(4)
    single = STRUCTURES["ID"](1, 1)
    zeros = np.zeros(4, dtype=np.intp)
    pairs = Factor(outer=rows // 2, inner=rows % 2, slopes=None, structure=STRUCTURES["ID"](2, 2))
    own = Factor(outer=rows, inner=zeros, slopes=None, structure=single)
    shared = Factor(outer=rows // 2, inner=zeros, slopes=None, structure=single)
    assert (own.is_identity(), pairs.is_identity(), shared.is_identity()) == (True, True, False)
    V = BlockDiagonal.of_singles(np.full(4, 0.1))
    assert len(np.unique(model_blocks(V, [own]))) == 4
    assert len(np.unique(model_blocks(V, [own, shared]))) == 2
