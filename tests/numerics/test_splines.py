"""The natural cubic spline is one: cubic between knots, smooth at them, straight outside."""

import numpy as np
import pytest

from metalliance.numerics.splines import KNOT_QUANTILES, natural_spline

KNOTS = np.array([0.1, 0.25, 0.5, 0.9])


def test_it_is_straight_outside_and_smooth_at_the_knots() -> None:
    left, right = natural_spline(np.linspace(-1, 0.1, 9), KNOTS), np.linspace(0.9, 3, 9)
    assert np.abs(left).max() == 0
    np.testing.assert_allclose(np.diff(natural_spline(right, KNOTS), 2, axis=0), 0, atol=1e-10)
    step = 1e-4
    for knot in KNOTS:
        x = knot + step * np.arange(-2, 3)
        curvature = np.diff(natural_spline(x, KNOTS), 2, axis=0) / step**2
        assert np.abs(np.diff(curvature, axis=0)).max() < 0.1


def test_it_interpolates_like_scipy_natural_cubic_spline() -> None:
    from scipy.interpolate import CubicSpline

    heights = np.array([0.3, -0.2, 0.5, 0.1])
    curve = CubicSpline(KNOTS, heights, bc_type="natural")
    x = np.linspace(KNOTS[0], KNOTS[-1], 60)
    at_knots = np.column_stack([np.ones(4), KNOTS, natural_spline(KNOTS, KNOTS)])
    beta = np.linalg.solve(at_knots, heights)
    ours = np.column_stack([np.ones(60), x, natural_spline(x, KNOTS)]) @ beta
    np.testing.assert_allclose(ours, curve(x), atol=1e-12)


def test_knots_are_ascending() -> None:
    for knots in ([0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.5, 0.0]):
        with pytest.raises(ValueError, match="three or more ascending knots"):
            natural_spline(np.zeros(3), np.array(knots))
    assert all(len(places) == m for m, places in KNOT_QUANTILES.items())
