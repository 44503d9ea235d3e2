import numpy as np
import pytest

from metalliance.errors import ConvergenceError
from metalliance.numerics.optimize import bracketed_newton


def test_root_at_the_resolution_of_float64() -> None:
    root, value, _ = bracketed_newton(lambda x: (2 - x * x, -2 * x), 0.0, 3.0, scale=0.0)
    assert abs(root - np.sqrt(2)) <= 4e-16
    assert abs(value) <= 1e-15


def test_a_slope_of_the_wrong_sign_falls_back_to_bisection() -> None:
    root, _, _ = bracketed_newton(lambda x: (np.cos(x), 1.0), 0.0, 3.0, scale=1.0)
    assert root == pytest.approx(np.pi / 2, abs=1e-14)


def test_no_root_is_an_error() -> None:
    with pytest.raises(ConvergenceError):
        bracketed_newton(lambda x: (1 - x, 0.0), 0.0, 1e300, scale=0.0, max_iterations=20)
