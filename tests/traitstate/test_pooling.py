"""One rule decides the model of a pool."""

import numpy as np
import pandas as pd
import pytest

from metalliance.effectsize.table import CORE_COLUMNS, EffectTable
from metalliance.traitstate.pooling import is_dependent, pool_effects

pytestmark = pytest.mark.filterwarnings("ignore::metalliance.SmallSampleWarning")


def table(studies: list[str], samples: list[str]) -> EffectTable:
    rng = np.random.default_rng(4)
    k = len(studies)
    frame = pd.DataFrame({name: ["x"] * k for name in CORE_COLUMNS})
    frame["study"], frame["sample"] = studies, samples
    frame["effect"] = [f"E{i}" for i in range(k)]
    frame["vi"] = rng.uniform(0.01, 0.05, k)
    frame["yi"] = 0.3 + 0.2 * rng.normal(size=k)
    return EffectTable.build(frame)


def test_one_effect_a_cluster_takes_knapp_hartung() -> None:
    effects = table(list("abcdef"), list("abcdef"))
    assert not is_dependent(effects)
    inference = pool_effects(effects)
    assert inference.fit.univariate
    assert inference.vcov_type == "knha"


def test_several_effects_take_the_three_level_model() -> None:
    effects = table(list("aabbcdef"), list("aabbcdef"))
    inference = pool_effects(effects, rho=0.5)
    assert [term.name for term in inference.fit.random] == ["study", "study/effect"]
    assert inference.vcov_type == "CR2"
    assert inference.fit.call["V"] == "rho = 0.5 within sample"


def test_studies_that_share_a_sample_are_one_cluster() -> None:
    effects = table(list("abcdef"), ["s1", "s1", "c", "d", "e", "f"])
    assert is_dependent(effects)
    inference = pool_effects(effects)
    assert [term.name for term in inference.fit.random] == ["study"]
    assert inference.n_clusters == 5
    assert inference.fit.sampling.to_array()[0, 1] > 0


def test_rho_reaches_the_sampling_covariance() -> None:
    effects = table(list("aabbccdd"), list("aabbccdd"))
    low, high = (pool_effects(effects, rho=rho).fit.sampling.to_array() for rho in (0.2, 0.8))
    assert high[0, 1] == pytest.approx(4 * low[0, 1])
