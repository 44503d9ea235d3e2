"""Fisher's z and sampling variances: identities, published numbers, simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalliance.effectsize import correlation


@given(st.floats(-0.999, 0.999))
def test_z_and_back(r: float) -> None:
    assert correlation.fisher_z_inverse(correlation.fisher_z(r)) == pytest.approx(r, abs=1e-12)


@pytest.mark.parametrize("r", [1.0, -1.0, 1.2, math.nan])
def test_impossible_correlations_are_refused(r: float) -> None:
    with pytest.raises(ValueError, match="strictly between"):
        correlation.fisher_z(r)


def test_variances_of_a_partial_correlation_agree_with_metafor() -> None:
    # escalc(measure="ZPCOR" / "PCOR", ti, ni, mi) of dat.aloe2013, study 1, metafor 5.1-12:
    # n = 218, m = 4
    r = 0.3012029208
    assert correlation.z_variance(218, 3) == pytest.approx(0.00471698113, rel=1e-8)
    assert correlation.r_variance(r, 218, 3) == pytest.approx(0.00386347804, rel=1e-8)


def test_no_variance_where_n_is_too_small() -> None:
    with pytest.raises(ValueError, match="n - s > 3"):
        correlation.z_variance(3)
    with pytest.raises(ValueError, match="too few"):
        correlation.within_z_variance(30, 28)


def simulated_within_z(
    rng: np.random.Generator, runs: int, n: int, sessions: int, slope: float, slope_sd: float
) -> np.ndarray:
    x = rng.normal(size=(runs, n, sessions))
    slopes = slope + slope_sd * rng.normal(size=(runs, n, 1))
    y = slopes * x + math.sqrt(1 - slope**2) * rng.normal(size=x.shape)
    x, y = x - x.mean(axis=2, keepdims=True), y - y.mean(axis=2, keepdims=True)
    cross, sx, sy = ((a * b).sum(axis=(1, 2)) for a, b in ((x, y), (x, x), (y, y)))
    return np.arctanh(cross / np.sqrt(sx * sy))


def test_within_variance_is_that_of_simulated_patients() -> None:
    z = simulated_within_z(np.random.default_rng(1), 4000, 30, 5, -0.2, 0.0)
    expected = correlation.within_z_variance(150, 30)
    # the standard error of a variance over 4,000 runs is 2.2 %
    assert np.var(z) == pytest.approx(expected, rel=0.09)


def test_approximate_within_variance_covers_slopes_that_differ() -> None:
    z = simulated_within_z(np.random.default_rng(2), 4000, 60, 8, -0.2, 0.2)
    approximate = correlation.within_z_variance_approximate(-0.2, 60, 8, deff=1.0)
    assert np.var(z) == pytest.approx(approximate, rel=0.12)
