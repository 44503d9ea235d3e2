"""The probability of a positive effect in a new study."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import metalliance as ma
from metalliance.models.inference import Inference
from metalliance.traitstate.chance import chance_above

pytestmark = pytest.mark.filterwarnings("ignore::metalliance.MetallianceWarning")


def pool(k: int, mean: float, tau: float, seed: int, vi: float = 0.01) -> Inference:
    rng = np.random.default_rng(seed)
    yi = rng.normal(mean, np.sqrt(tau**2 + vi), k)
    return ma.infer(ma.fit(pd.DataFrame({"yi": yi, "vi": vi})))


def test_it_is_where_the_prediction_interval_would_end_at_zero() -> None:
    inference = pool(20, 0.1, 0.2, 1)
    found = chance_above(inference)
    mean, tau2 = ma.tidy(inference).iloc[0], inference.fit.tau2
    t = mean["estimate"] / math.sqrt(mean["std_error"] ** 2 + tau2)
    assert found.estimate == pytest.approx(stats.t.cdf(t, 19))
    level = 2 * found.estimate - 1
    limits = ma.predict(inference, level=level).iloc[0]
    assert limits["pi_low"] == pytest.approx(0, abs=1e-10)
    assert found.conf_low < found.estimate < found.conf_high


def test_it_is_withheld_where_it_would_mislead() -> None:
    assert "too few" in chance_above(pool(4, 0.1, 0.2, 1)).withheld
    none = ma.infer(ma.fit(pd.DataFrame({"yi": [0.1, 0.11, 0.12, 0.1, 0.11], "vi": 0.05})))
    found = chance_above(none)
    assert "no variation" in found.withheld
    assert math.isnan(found.estimate)
    with pytest.raises(ma.SpecificationError, match="~ 1"):
        frame = pd.DataFrame({"yi": [0.1, 0.3, 0.2, 0.5], "vi": 0.01, "x": [1, 2, 3, 4]})
        chance_above(ma.infer(ma.fit(frame, "~ x")))


def test_dependent_effects_join_their_components() -> None:
    rng = np.random.default_rng(5)
    study = np.repeat(np.arange(15), 2)
    frame = pd.DataFrame(
        {
            "study": study,
            "effect": np.arange(30),
            "vi": 0.01,
            "yi": 0.2 + rng.normal(0, 0.15, 15)[study] + rng.normal(0, 0.14, 30),
        }
    )
    inference = ma.infer(ma.fit(frame, random="~ 1 | study/effect"))
    found = chance_above(inference)
    assert 0 < found.conf_low < found.estimate < found.conf_high < 1


@pytest.mark.slow
@pytest.mark.parametrize(("k", "least"), [(8, 0.92), (14, 0.92), (30, 0.92)])
def test_its_interval_holds_the_true_share(k: int, least: float) -> None:
    runs, mean, tau = 1000, 0.1, 0.1
    truth, held, answered = stats.norm.cdf(mean / tau), 0, 0
    for seed in range(runs):
        found = chance_above(pool(k, mean, tau, seed))
        if not found.withheld:
            answered += 1
            held += found.conf_low <= truth <= found.conf_high
    assert answered > 0.7 * runs
    assert held / answered > least
