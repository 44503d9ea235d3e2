"""Reported statistics become effects; what cannot is named."""

import math

import pytest

from metalliance.effectsize.convert import QUALITIES, effect_size
from metalliance.errors import ConversionError


def test_a_correlation() -> None:
    estimate = effect_size(stat="r", value=0.31, n=60)
    assert estimate.yi == pytest.approx(0.3205454, abs=1e-7)
    assert estimate.vi == pytest.approx(1 / 57)
    assert estimate.v_r == pytest.approx((1 - 0.31**2) ** 2 / 59)
    assert estimate.quality == "direct"
    assert "atanh(0.31)" in estimate.trace


def test_the_sign_turns_the_effect_and_nothing_else() -> None:
    plus = effect_size(stat="r", value=0.31, n=60)
    minus = effect_size(stat="r", value=0.31, n=60, sign=-1)
    assert minus.yi == -plus.yi
    assert minus.vi == plus.vi


def test_z_is_the_same_effect_as_its_r() -> None:
    from_z = effect_size(stat="z", value=math.atanh(0.31), n=60)
    from_r = effect_size(stat="r", value=0.31, n=60)
    assert from_z.yi == pytest.approx(from_r.yi)
    assert from_z.r == pytest.approx(0.31)


def test_partial_r_counts_all_predictors() -> None:
    estimate = effect_size(stat="r_partial", value=0.2, n=50, m=3)
    assert estimate.vi == pytest.approx(1 / (50 - 3 - 2))
    one = effect_size(stat="r_partial", value=0.2, n=50, m=1)
    assert one.vi == effect_size(stat="r", value=0.2, n=50).vi


def test_within_correlation_uses_occasions() -> None:
    estimate = effect_size(stat="r", value=0.1, n=100, n_obs=800, component="within")
    assert estimate.vi == pytest.approx(1 / 698)
    rough = effect_size(stat="r", value=0.1, n=100, sessions=8, component="within")
    assert rough.quality == "approximated"
    assert rough.vi > estimate.vi


def test_lagged_beta_stays_a_beta() -> None:
    estimate = effect_size(
        stat="beta", value=0.12, ci=(0.02, 0.22), estimand="lagged_partial", component="within"
    )
    assert estimate.yi == 0.12
    assert math.sqrt(estimate.vi) == pytest.approx(0.0510, abs=5e-5)
    assert round(estimate.vi, 5) == 0.0026
    assert math.isnan(estimate.r)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"stat": "r", "value": 0.3}, "n is missing"),
        ({"stat": "r", "n": 40}, "value is missing"),
        ({"stat": "r", "value": 1.2, "n": 40}, "strictly between"),
        ({"stat": "r", "value": 0.3, "n": 3}, "n - s > 3"),
        ({"stat": "r_partial", "value": 0.3, "n": 40}, "number of predictors"),
        ({"stat": "r", "value": 0.1, "n": 40, "component": "within"}, "n_obs"),
        ({"stat": "beta", "value": 0.1, "se": 0.05, "n": 60}, "m is missing"),
        (
            {"stat": "beta", "value": 0.1, "estimand": "lagged_partial"},
            "add se, the confidence interval",
        ),
        ({"stat": "beta", "value": 0.1, "se": 0, "estimand": "lagged_partial"}, "above 0"),
        ({"stat": "eta", "value": 0.1}, "did you mean 'beta'"),
        ({"stat": "r", "value": 0.3, "n": 40, "sign": 2}, "sign is 1 or -1"),
    ],
)
def test_what_is_missing_or_impossible_is_named(given: dict[str, object], named: str) -> None:
    with pytest.raises(ConversionError, match=named):
        effect_size(**given)


def test_qualities_are_ordered_from_best_to_worst() -> None:
    assert QUALITIES == ("direct", "converted", "approximated", "bounded")
