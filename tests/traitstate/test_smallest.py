"""Equivalence and minimum-effect tests against their intervals."""

import math

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
    expected = "smaller" if inside else "larger" if beyond else "undecided"
    assert found.reading == expected
    one_sided = [
        stats.t.sf((estimate + smallest) / std_error, df),
        stats.t.cdf((estimate - smallest) / std_error, df),
    ]
    assert found.p_equivalence == pytest.approx(max(one_sided), rel=1e-9, abs=1e-300)


def test_too_few_studies_decide_nothing() -> None:
    found = smallest_effect(0.01, 0.001, 3.5, 0.03)
    assert found.reading == "imprecise"
    assert math.isnan(found.p_equivalence)


def test_no_smallest_effect_is_zero() -> None:
    with pytest.raises(ValueError, match="positive"):
        smallest_effect(0.1, 0.1, 10, 0)
