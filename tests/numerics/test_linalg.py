import numpy as np

from metalliance.numerics.linalg import dependent_columns, is_definite, orthonormal_basis
from tests.tolerances import CLOSED_FORM


def test_basis_maps_back() -> None:
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(9), 1976 + rng.integers(0, 30, 9), rng.normal(size=9) * 1e-6])
    basis = orthonormal_basis(X)
    np.testing.assert_allclose(basis.Q @ basis.R, X, rtol=CLOSED_FORM)
    np.testing.assert_allclose(basis.Q.T @ basis.Q, np.eye(3), atol=1e-14)
    scaled = X / np.linalg.norm(X, axis=0)
    expected = np.linalg.slogdet(scaled.T @ scaled)[1] + 2 * np.log(np.linalg.norm(X, axis=0)).sum()
    np.testing.assert_allclose(basis.log_det_xx, expected, rtol=1e-8)


def test_dependent_columns_names_the_later_one() -> None:
    x = np.arange(5.0)
    assert dependent_columns(np.column_stack([np.ones(5), x, 3 - 2 * x, np.zeros(5)])) == (2, 3)


def test_definite_on_its_own_scale() -> None:
    assert is_definite(np.diag([1e-12, 1e6]))
    assert not is_definite(np.ones((2, 2)))
    assert not is_definite(np.zeros((1, 1)))
