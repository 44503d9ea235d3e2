"""Many roots at once are the roots one by one."""

import numpy as np
import pytest

from metalliance.errors import ConvergenceError
from metalliance.numerics.optimize import bracketed_newton
from metalliance.numerics.roots import bracketed_roots

SQUARES = np.array([2.0, 1e-12, 1e6, 0.25, 3.0])


def below(x: np.ndarray, some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positive below the square root, with a useless derivative for the last one."""
    slope = np.where(some == 4, 1.0, -2 * x)
    return SQUARES[some] - x**2, slope


def test_roots_at_the_resolution_of_float64() -> None:
    low, high, scale = np.zeros(5), np.full(5, 1e4), np.array([0, 0, 0, 1.0, 0])
    found = bracketed_roots(below, low, high, np.full(5, 7.0), scale)
    np.testing.assert_allclose(found.x, np.sqrt(SQUARES), rtol=4e-15)
    for i in range(4):
        one = bracketed_newton(
            lambda t, c=SQUARES[i]: (c - t * t, -2 * t), 0.0, 1e4, scale[i], start=7.0
        )
        assert found.x[i] == pytest.approx(one[0], rel=1e-15)


def test_no_root_is_an_error() -> None:
    with pytest.raises(ConvergenceError, match="extreme values"):
        bracketed_roots(
            lambda x, some: (np.full_like(x, np.nan), x),
            np.zeros(1),
            np.ones(1),
            np.ones(1),
            np.ones(1),
        )
