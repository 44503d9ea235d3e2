"""Slope SDs over studies."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from metalliance.effectsize.table import CORE_COLUMNS, EffectTable
from metalliance.traitstate.slope_spread import slope_spread


def effects(slopes: list[float | None], studies: list[str] | None = None) -> EffectTable:
    k = len(slopes)
    frame = pd.DataFrame({name: ["x"] * k for name in CORE_COLUMNS})
    frame["study"] = frame["sample"] = studies or [f"S{i}" for i in range(k)]
    return EffectTable.build(frame.assign(slope_sd_within=pd.Series(slopes, dtype=float)))


def test_a_geometric_mean_with_its_t_interval() -> None:
    slopes = [0.1, 0.2, 0.4, 0.15]
    found = slope_spread(effects([*slopes, None]), mean=0.1)
    assert found is not None
    assert found.estimate == pytest.approx(stats.gmean(slopes))
    low, high = stats.t.interval(
        0.95, 3, loc=np.mean(np.log(slopes)), scale=stats.sem(np.log(slopes))
    )
    assert (found.conf_low, found.conf_high) == pytest.approx((np.exp(low), np.exp(high)))
    assert found.positive == pytest.approx(stats.norm.cdf(0.1 / found.estimate))


def test_a_study_counts_once() -> None:
    found = slope_spread(effects([0.1, 0.1, 0.1, 0.4], ["a", "a", "a", "b"]), mean=0.1)
    assert found is not None
    assert found.studies == 2
    assert found.estimate == pytest.approx(0.2)


def test_nothing_reported_is_nothing() -> None:
    assert slope_spread(effects([None, None]), 0.1) is None
    one = slope_spread(effects([0.2, None]), 0.1)
    assert one is not None
    assert np.isnan(one.conf_low)
