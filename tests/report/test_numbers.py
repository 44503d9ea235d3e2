from __future__ import annotations

import math

import pytest

from metalliance.report.numbers import correlation, count, interval, number, p_value, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.278, ".28"), (-0.05, "−.05"), (-0.001, ".00"), (1.0, "1.00"), (math.nan, "–")],
)
def test_correlation(value, text):
    assert correlation(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0304, "= .030"), (0.0004, "< .001"), (1.0, "= 1.000"), (math.nan, "–")]
)
def test_p(value, text):
    assert p_value(value) == text


def test_the_others():
    assert number(-1234.567, 1) == "−1234.6"
    assert interval(-0.2, math.nan) == "–"
    assert percent(61.7) == "62%" and percent(math.nan) == "–"
    assert count(1, "study", "studies") == "1 study" and count(2000, "effect") == "2,000 effects"
