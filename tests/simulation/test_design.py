"""The simulated data are what the designs say, and the quick fits are the engine's."""

import numpy as np
import pytest

import metalliance as ma
from tests.simulation.designs import (
    FOUR_GROUPS,
    Bivariate,
    Dependent,
    Independent,
    groups,
    sample_z,
    sampling_errors,
    shared_samples,
)
from tests.simulation.readings import (
    RHO_BY_PAIR,
    WORKING,
    fit_bivariate,
    fit_dependent,
)
from tests.simulation.runner import CHUNK, Cell, rates
from tests.tolerances import COMPONENT, LOG_LIKELIHOOD


def test_sample_z_has_the_moments_of_fishers_z() -> None:
    rng = np.random.default_rng(1)
    zeta, n, draws = 0.4, 30.0, 200_000
    z = sample_z(rng, np.full(draws, zeta), np.full(draws, n))
    mean = zeta + np.tanh(zeta) / (2 * (n - 1))
    assert abs(z.mean() - mean) < 4 * np.sqrt(1 / (n - 3) / draws)
    assert z.var() == pytest.approx(1 / (n - 3), rel=0.015)


def test_sampling_errors_correlate_within_samples_only() -> None:
    rng = np.random.default_rng(2)
    vi, sample = np.array([0.01, 0.04, 0.02]), np.array([0, 0, 1])
    drawn = np.array([sampling_errors(rng, vi, sample, 0.8) for _ in range(40_000)])
    covariance = np.cov(drawn.T)
    correlation = np.array([[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]])
    assert np.abs(covariance / np.sqrt(np.outer(vi, vi)) - correlation).max() < 0.03


def test_one_study_in_ten_reports_on_the_sample_of_another() -> None:
    assert [len(np.unique(shared_samples(k))) for k in (5, 10, 20, 40)] == [5, 9, 18, 36]


def test_groups_have_the_stated_shares() -> None:
    counts = np.bincount(groups(np.random.default_rng(3), 20, FOUR_GROUPS))
    assert counts.tolist() == [8, 5, 4, 3]


def test_a_quarter_of_the_studies_has_both_components() -> None:
    frame = Bivariate(studies=20).draw(np.random.default_rng(4))
    components = frame.groupby("study")["component"].agg(set)
    both = {"between", "within"}
    assert sum(found == both for found in components) == 5
    assert sum(found == {"within"} for found in components) == 5


def agree(quick: ma.Fit, full: ma.Fit) -> bool:
    """The same maximum: a search from several places found no higher one."""
    if abs(quick.log_lik_reml - full.log_lik_reml) > LOG_LIKELIHOOD:
        return False
    assert quick.beta == pytest.approx(full.beta, rel=COMPONENT, abs=COMPONENT)
    return True


def compared(runs: int) -> list[bool]:
    found = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        design = Dependent(studies=20, true_rho=0.8)
        frame = design.draw(rng)
        V = ma.sampling_covariance(frame, cluster="sample", rho=0.6)
        full = ma.fit(frame, "~ balanced + within", random=WORKING["CHE"][0], V=V)
        found.append(agree(fit_dependent(design, frame, "~ balanced + within"), full))
        two = Bivariate(studies=20)
        frame = two.draw(rng)
        V = ma.sampling_covariance(frame, cluster="study", rho=RHO_BY_PAIR)
        full = ma.fit(
            frame,
            "~ 0 + is_between + is_within",
            random=["~ component | study", "~ 1 | effect"],
            structure="UN",
            V=V,
        )
        found.append(agree(fit_bivariate(two, frame, V, None), full))
    return found


@pytest.mark.filterwarnings("ignore::metalliance.SmallSampleWarning")
def test_one_start_finds_what_several_find() -> None:
    assert all(compared(5))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::metalliance.SmallSampleWarning")
def test_one_start_hardly_ever_misses_the_maximum() -> None:
    found = compared(500)
    print(f"{len(found) - sum(found)} of {len(found)} missed")
    assert np.mean(found) > 0.99


def test_rates_do_not_depend_on_the_number_of_processes() -> None:
    cell = Cell(design=Independent(studies=5, tau2=0.02), runs=CHUNK + 10)
    assert rates(cell, n_jobs=1).equals(rates(cell, n_jobs=2))
