"""The weights of trait and state, against simulated patients and published arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalliance.traitstate.implied import compatible_pairs, implied_total
from metalliance.traitstate.mixture import mixture_weights, share_between

SHARES = st.floats(0.05, 0.95)


def simulated_r(
    icc: tuple[float, float], rho: tuple[float, float], k: tuple[int, int], shared: int
) -> float:
    """Correlation of two averages over a million patients, session by session."""
    rng = np.random.default_rng(k[0] * 100 + k[1] * 10 + shared)
    n = 1_000_000
    latent = rng.multivariate_normal([0, 0], [[1, rho[0]], [rho[0], 1]], n) * np.sqrt(icc)
    sums = np.zeros((n, 2))
    for occasion in range(k[0] + k[1] - shared):
        state = rng.multivariate_normal([0, 0], [[1, rho[1]], [rho[1], 1]], n)
        state *= np.sqrt(1 - np.array(icc))
        if occasion < k[0]:
            sums[:, 0] += state[:, 0]
        if occasion >= k[0] - shared:
            sums[:, 1] += state[:, 1]
    scores = latent + sums / np.array(k)
    return float(np.corrcoef(scores.T)[0, 1])


@pytest.mark.parametrize(
    ("icc", "k", "shared"),
    [
        ((0.6, 0.5), (1, 1), 1),
        ((0.7, 0.6), (1, 1), 0),
        ((0.7, 0.6), (3, 1), 1),
        ((0.55, 0.75), (4, 4), 4),
        ((0.8, 0.45), (4, 2), 2),
        ((0.7, 0.6), (3, 2), 1),
    ],
)
def test_the_weights_are_those_of_simulated_patients(
    icc: tuple[float, float], k: tuple[int, int], shared: int
) -> None:
    rho = (0.40, 0.10)
    a, b = mixture_weights(*icc, *k, shared)
    assert float(a * rho[0] + b * rho[1]) == pytest.approx(
        simulated_r(icc, rho, k, shared), abs=0.004
    )


def test_averages_of_the_same_occasions_approach_the_latent_correlation() -> None:
    """r of the averages of k shared occasions, ICCs .6 and .5, rho_B -.40, rho_W -.10."""
    expected = {1: -0.264, 2: -0.312, 4: -0.348, 8: -0.372, 16: -0.385}
    for k, r in expected.items():
        a, b = mixture_weights(0.6, 0.5, k, k, k)
        assert float(a * -0.40 + b * -0.10) == pytest.approx(r, abs=0.0006)


def test_one_truth_has_three_between_patient_correlations() -> None:
    """Latent .40 at ICCs .70 and .60: session 1 with post .259, the mean of three .290."""
    one, three = (float(mixture_weights(0.7, 0.6, k, 1, 0)[0]) * 0.40 for k in (1, 3))
    assert (one, three) == (pytest.approx(0.259, abs=5e-4), pytest.approx(0.290, abs=1.5e-3))


@given(SHARES, SHARES, st.integers(1, 20), st.integers(1, 20))
def test_without_shared_occasions_only_the_trait_is_left(
    icc_x: float, icc_y: float, k_x: int, k_y: int
) -> None:
    a, b = mixture_weights(icc_x, icc_y, k_x, k_y, 0)
    assert b == 0
    assert 0 < a < 1
    assert a**2 == pytest.approx(
        icc_x * icc_y / float(share_between(icc_x, k_x) * share_between(icc_y, k_y))
    )


@given(SHARES, SHARES, st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
def test_the_line_holds_every_pair_that_implies_the_same(
    icc_x: float, icc_y: float, rho_b: float, rho_w: float
) -> None:
    a, b = (float(w) for w in mixture_weights(icc_x, icc_y, 1, 1, 1))
    line = compatible_pairs(a * rho_b + b * rho_w, icc_x=icc_x, icc_y=icc_y)
    again = a * line["rho_between"] + b * line["rho_within"]
    assert np.allclose(again, a * rho_b + b * rho_w, atol=1e-12)
    assert line.abs().le(1).all(axis=None)


def test_a_total_of_later_outcome_says_nothing_about_the_state() -> None:
    line = compatible_pairs(0.278, shared=0)
    assert line["rho_between"].nunique() == 1
    assert line["rho_within"].min() == -1


def test_what_a_latent_and_a_state_correlation_imply_together() -> None:
    same, later = (implied_total(0.38, 0.10, shared=s) for s in (1, 0))
    assert [round(x, 2) for x in (same.estimate, same.low, same.high)] == [0.28, 0.24, 0.32]
    assert round(later.estimate, 2) == 0.25
