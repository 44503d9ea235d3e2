"""Intervals for variance components against the functions they invert."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import metalliance as ma
from metalliance.models.confint import INTERVALS
from metalliance.numerics.linalg import orthonormal_basis
from metalliance.numerics.regressions import regressions
from tests.models.examples import independent, nested
from tests.tolerances import CLOSED_FORM, ITERATED

COLUMNS = ["term", "name", "estimate", "conf_low", "conf_high"]


def limits(fit: ma.Fit, type_: str, level: float = 0.95) -> np.ndarray:
    return ma.confint(fit, type_, level)[["conf_low", "conf_high"]].to_numpy()[0]


@pytest.mark.parametrize("method", ["REML", "PM", "HE", "EB"])
@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("mods", ["~ 1", "~ year + rater"])
def test_q_is_at_its_quantiles(method: str, level: float, mods: str) -> None:
    fit = ma.fit(independent(20, seed=3), mods, method=method)
    low, high = limits(fit, "qprofile", level)
    tail = (1 - level) / 2
    for limit, probability in ((low, 1 - tail), (high, tail)):
        root = 1 / np.sqrt(fit.vi + limit)
        q = float(np.linalg.lstsq(fit.X * root[:, None], fit.yi * root, rcond=None)[1][0])
        assert stats.chi2.cdf(q, fit.k - fit.p) == pytest.approx(probability, rel=1e-10)


def test_limits_at_zero_and_an_empty_interval() -> None:
    frame = independent(seed=2, tau=0.0)
    low, high = limits(ma.fit(frame), "qprofile")
    assert low == 0 < high
    calm = frame.assign(yi=0.3 + 0.01 * np.arange(12) / 12)
    with pytest.warns(ma.MetallianceWarning, match="interval of tau2 is empty"):
        table = ma.confint(ma.fit(calm))
    assert table[["conf_low", "conf_high"]].to_numpy().tolist() == [[0, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize("method", ["ML", "REML"])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mods", ["~ 1", "~ year"])
def test_profile_holds_every_value_a_ratio_test_keeps(method: str, seed: int, mods: str) -> None:
    fit = ma.fit(independent(9, seed=seed), mods, method=method)
    low, high = limits(fit, "profile", 0.9)
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 10, 20_000)])
    problem = regressions(fit.yi, fit.vi, orthonormal_basis(fit.X).Q)
    heights = problem.log_likelihood(np.append(grid, fit.tau2), method == "REML")
    kept = grid[2 * (heights[-1] - heights[:-1]) <= stats.chi2.ppf(0.9, 1)]
    assert low == pytest.approx(kept.min(), rel=1e-3)
    assert low <= kept.min()
    assert kept.max() <= high == pytest.approx(kept.max(), rel=1e-3)
    for limit in (low, high):
        other = ma.fit(independent(9, seed=seed), mods, method=method, tau2=limit)
        drop = 2 * (ma.glance(fit)["log_lik"][0] - ma.glance(other)["log_lik"][0])
        if limit > 0:
            assert drop == pytest.approx(stats.chi2.ppf(0.9, 1), rel=1e-9)


def test_a_second_peak_within_reach_belongs_to_the_interval() -> None:
    frame = pd.DataFrame(
        {"yi": [0.0, 0.02, 9.0, -9.0, 8.0, -8.0], "vi": [1e-4, 1e-4, 10, 10, 10, 10]}
    )
    fit = ma.fit(frame)
    low, high = limits(fit, "profile")
    problem = regressions(fit.yi, fit.vi, orthonormal_basis(fit.X).Q)
    grid = np.concatenate([[0.0], np.geomspace(1e-7, 1e4, 20_000)])
    peak = problem.log_likelihood(np.array([fit.tau2]), True)[0]
    kept = 2 * (peak - problem.log_likelihood(grid, True)) <= stats.chi2.ppf(0.95, 1)
    assert low == pytest.approx(grid[kept].min(), rel=2e-3)
    assert high == pytest.approx(grid[kept].max(), rel=2e-3)


def test_i2_and_h2_follow_tau2() -> None:
    fit = ma.fit(independent(seed=5))
    table = ma.confint(fit)
    assert list(table.columns) == COLUMNS
    assert table["name"].tolist() == ["tau2", "i2", "h2"]
    row = ma.glance(fit).iloc[0]
    np.testing.assert_allclose(table["estimate"], row[["tau2", "i2", "h2"]].astype(float))
    tau2 = table.iloc[0, 2:].to_numpy(float)
    np.testing.assert_allclose(table.iloc[2, 2:].to_numpy(float), 1 + tau2 / fit.typical_v)
    np.testing.assert_allclose(
        table.iloc[1, 2:].to_numpy(float), 100 * tau2 / (tau2 + fit.typical_v), rtol=CLOSED_FORM
    )


@pytest.mark.parametrize("kind", INTERVALS)
def test_components_give_the_same_limits(kind: str) -> None:
    fit = ma.fit(independent(seed=5))
    table = ma.components(fit, intervals=kind, level=0.9)
    assert list(table.columns) == COLUMNS
    assert table["name"].tolist() == ["tau2"]
    np.testing.assert_allclose(
        table[["conf_low", "conf_high"]].to_numpy()[0], limits(fit, kind, 0.9), rtol=ITERATED
    )
    assert ma.components(fit)[["conf_low", "conf_high"]].isna().all(axis=None)


def test_what_is_refused() -> None:
    frame = independent()
    with pytest.raises(ValueError, match="choose one of qprofile, profile"):
        ma.confint(ma.fit(frame), "wald")
    with pytest.raises(ValueError, match="level"):
        ma.confint(ma.fit(frame), level=95)
    for arguments, says in (
        ({"method": "EE"}, "EE sets tau2 to zero"),
        ({"tau2": 0.1}, "tau2= was fixed"),
    ):
        with pytest.raises(ma.SpecificationError, match=says):
            ma.confint(ma.fit(frame, **arguments))
    with pytest.raises(ma.SpecificationError, match="DL does not maximise"):
        ma.confint(ma.fit(frame, method="DL"), "profile")
    with pytest.raises(ma.SpecificationError, match="with random= choose type='profile'"):
        ma.confint(ma.fit(nested(), random="~ 1 | study/effect"), "qprofile")


def test_an_inference_will_do() -> None:
    fit = ma.fit(independent())
    pd.testing.assert_frame_equal(ma.confint(ma.infer(fit, "model")), ma.confint(fit))
