"""Robust covariances against k x k matrices written out from the papers."""

import numpy as np
import pytest
from numpy.linalg import cholesky, eigh, inv, solve

from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import BlockDiagonal
from metalliance.numerics.sandwich import (
    ADJUSTMENTS,
    CR_TYPES,
    Sandwich,
    cluster_robust,
    hotelling_test,
    satterthwaite_df,
)
from tests.numerics.examples import block_matrix
from tests.tolerances import CLOSED_FORM, ITERATED


def example(seed: int, columns: int = 2):
    """X, residuals of some y, M with unequal weights inside clusters, and cluster labels."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(8), rng.integers(1, 5, 8)))
    marginal = block_matrix(labels, seed)
    X = np.column_stack([np.ones(len(labels)), rng.normal(size=(len(labels), columns - 1))])
    W = inv(marginal.to_array())
    y = rng.normal(size=len(labels))
    beta = solve(X.T @ W @ X, X.T @ W @ y)
    return X, y - X @ beta, marginal, labels


def inverse_root(S: np.ndarray) -> np.ndarray:
    values, vectors = eigh(S)
    root = np.where(values > 1e-12, 1 / np.sqrt(np.abs(values) + (values <= 1e-12)), 0)
    return (vectors * root) @ vectors.T


def dense_adjustment(kind: str, X: np.ndarray, marginal: BlockDiagonal, labels: np.ndarray):
    """The k x k block-diagonal A of the definition, scale factors included."""
    M = marginal.to_array()
    W = inv(M)
    k, p = X.shape
    J = len(np.unique(labels))
    left = np.eye(k) - X @ inv(X.T @ W @ X) @ X.T @ W
    A = np.zeros((k, k))
    for j in range(J):
        rows = np.flatnonzero(labels == j)
        at = np.ix_(rows, rows)
        if kind == "CR2":
            D = cholesky(M[at]).T
            middle = D @ (left[rows] @ M @ left[rows].T) @ D.T
            A[at] = D.T @ inverse_root(middle) @ D
        elif kind == "CR3":
            A[at] = inv(left[at])
        else:
            factor = {
                "CR0": 1,
                "CR1": J / (J - 1),
                "CR1p": J / (J - p),
                "CR1S": J * (k - 1) / ((J - 1) * (k - p)),
            }[kind]
            A[at] = np.sqrt(factor) * np.eye(len(rows))
    return A, left


def dense_parts(kind: str, X: np.ndarray, marginal: BlockDiagonal, labels: np.ndarray):
    """Rows g_cj with z_cj = g_cj'y for contrast c and cluster j: (p, J, k)."""
    M = marginal.to_array()
    W = inv(M)
    A, left = dense_adjustment(kind, X, marginal, labels)
    B = inv(X.T @ W @ X)
    inside = labels[None, :] == np.arange(labels.max() + 1)[:, None]
    own = (B @ X.T @ W)[:, None, :] * inside[None]
    return own @ A @ left, M


def test_dict_and_literal_agree() -> None:
    assert tuple(ADJUSTMENTS) == CR_TYPES


@pytest.mark.parametrize("kind", CR_TYPES)
@pytest.mark.parametrize("columns", [1, 2])
def test_covariance_and_df_by_brute_force(kind: str, columns: int) -> None:
    X, e, marginal, labels = example(11, columns)
    found = cluster_robust(kind, X, e, marginal.regroup(labels))
    A, _ = dense_adjustment(kind, X, marginal, labels)
    M = marginal.to_array()
    W = inv(M)
    B = inv(X.T @ W @ X)
    same = labels[:, None] == labels
    meat = X.T @ W @ A @ (np.outer(e, e) * same) @ A.T @ W @ X
    np.testing.assert_allclose(found.vcov, B @ meat @ B, rtol=ITERATED, atol=1e-14)
    np.testing.assert_allclose(found.bread, B, rtol=CLOSED_FORM)
    G, M = dense_parts(kind, X, marginal, labels)
    for c in range(columns):
        P = G[c] @ M @ G[c].T
        expected = np.trace(P) ** 2 / np.sum(P**2)
        assert satterthwaite_df(found, np.eye(columns))[c] == pytest.approx(expected, rel=ITERATED)


@pytest.mark.parametrize("seed", range(5))
def test_cr2_is_exactly_unbiased_under_its_working_model(seed: int) -> None:
    X, _, marginal, labels = example(seed, 3)
    G, M = dense_parts("CR2", X, marginal, labels)
    expectation = np.einsum("ajk,kl,bjl->ab", G, M, G)
    np.testing.assert_allclose(expectation, inv(X.T @ inv(M) @ X), rtol=ITERATED, atol=1e-12)


def test_hotelling_test_by_brute_force() -> None:
    X, e, marginal, labels = example(21, 3)
    found = cluster_robust("CR2", X, e, marginal.regroup(labels))
    beta = np.array([0.2, -0.4, 0.3])
    C = np.eye(3)[1:]
    G, M = dense_parts("CR2", X, marginal, labels)
    target = C @ np.einsum("ajk,kl,bjl->ab", G, M, G) @ C.T
    H = np.einsum("ab,bc,cjk->ajk", inverse_root(target), C, G)
    cov = np.einsum("ajk,kl,bil->abji", H, M, H)
    total = sum(
        np.sum(cov[s, s] * cov[t, t]) + np.sum(cov[s, t] * cov[t, s])
        for s in range(2)
        for t in range(2)
    )
    eta = 2 * 3 / total
    wald = (C @ beta) @ solve(C @ found.vcov @ C.T, C @ beta)
    test = hotelling_test(found, beta, C)
    assert test.df_den == pytest.approx(eta - 1, rel=ITERATED)
    assert test.statistic == pytest.approx((eta - 1) / (2 * eta) * wald, rel=ITERATED)


def test_one_contrast_is_the_satterthwaite_test() -> None:
    X, e, marginal, labels = example(22)
    found = cluster_robust("CR2", X, e, marginal.regroup(labels))
    beta, c = np.array([0.3, 0.1]), np.array([[0.0, 1.0]])
    test = hotelling_test(found, beta, c)
    assert test.df_den == pytest.approx(satterthwaite_df(found, c)[0], rel=ITERATED)
    assert test.statistic == pytest.approx(0.01 / found.vcov[1, 1], rel=ITERATED)


def test_scale_of_the_effects_does_not_matter() -> None:
    X, e, marginal, labels = example(23)
    grouped = marginal.regroup(labels)
    small = BlockDiagonal(
        size=grouped.size,
        stacks=tuple(type(s)(rows=s.rows, values=s.values * 1e-14) for s in grouped.stacks),
    )
    one, other = (cluster_robust("CR2", X, s * e, m) for s, m in ((1, grouped), (1e-7, small)))
    np.testing.assert_allclose(other.vcov, one.vcov * 1e-14, rtol=ITERATED)
    both = [satterthwaite_df(sandwich, np.eye(2)) for sandwich in (one, other)]
    np.testing.assert_allclose(both[0], both[1], rtol=ITERATED)


def test_a_cluster_with_its_own_dummy_has_no_weight() -> None:
    X, _, marginal, labels = example(24)
    X = np.column_stack([X, labels == 0])
    e = np.random.default_rng(0).normal(size=len(X))
    W = inv(marginal.to_array())
    e = e - X @ solve(X.T @ W @ X, X.T @ W @ e)
    found: Sandwich = cluster_robust("CR2", X, e, marginal.regroup(labels))
    assert np.all(np.isfinite(found.vcov))
    with pytest.raises(SpecificationError, match="CR3"):
        cluster_robust("CR3", X, e, marginal.regroup(labels))


def test_cr3_refuses_a_coefficient_that_rests_on_a_cluster_of_one_effect() -> None:
    labels = np.array([0, 1, 1, 2, 2, 2, 3, 3], dtype=np.intp)
    marginal = block_matrix(labels, 27)
    X = np.column_stack([np.ones(8), labels == 0])
    with pytest.raises(SpecificationError, match="CR3"):
        cluster_robust("CR3", X, np.ones(8), marginal)


def test_too_few_clusters_for_a_joint_test_is_nan() -> None:
    X, e, marginal, labels = example(25, 3)
    found = cluster_robust("CR2", X, e, marginal.regroup((labels > 3).astype(np.intp)))
    test = hotelling_test(found, np.ones(3), np.eye(3))
    assert np.isnan(test.statistic)
