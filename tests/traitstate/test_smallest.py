"""Equivalence and minimum-effect tests against their intervals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from metalliance.traitstate.smallest import smallest_effect


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.3), st.floats(4, 200), st.floats(0.005, 0.3))
def test_the_tests_and_the_interval_say_the_same(
    estimate: float, std_error: float, df: float, smallest: float
) -> None:
    found = smallest_effect(estimate, std_error, df, smallest)
    inside = -smallest < found.conf_low and found.conf_high < smallest
    beyond = found.conf_low > smallest or found.conf_high < -smallest
    assert (found.reading == "smaller") == inside
    assert found.reading != "larger" or beyond
    size = abs(estimate)
    tails = stats.t.sf((size - smallest) / std_error, df) + stats.t.sf(
        (size + smallest) / std_error, df
    )
    assert (found.reading == "larger") == (not inside and tails < 0.05)
    one_sided = [
        stats.t.sf((estimate + smallest) / std_error, df),
        stats.t.cdf((estimate - smallest) / std_error, df),
    ]
    assert found.p_equivalence == pytest.approx(max(one_sided), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("smallest", [0.001, 0.01, 0.05, 0.2])
def test_at_its_own_border_larger_is_said_in_five_percent(smallest: float) -> None:
    rng = np.random.default_rng(1)
    se = 0.05
    estimates = smallest + se * rng.standard_t(20, 4000)
    said = np.mean([smallest_effect(e, se, 20, smallest).reading == "larger" for e in estimates])
    assert said == pytest.approx(0.05, abs=0.012)


def test_too_few_studies_decide_nothing() -> None:
    found = smallest_effect(0.01, 0.001, 3.5, 0.03)
    assert found.reading == "imprecise"
    assert math.isnan(found.p_equivalence)


def test_no_smallest_effect_is_zero() -> None:
    with pytest.raises(ValueError, match="positive"):
        smallest_effect(0.1, 0.1, 10, 0)
