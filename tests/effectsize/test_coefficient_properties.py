"""Whatever is printed: a finite effect or a sentence, and no other error; mirrored by the sign."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalliance.effectsize.coefficients import (
    from_b,
    from_beta,
    from_hazard_ratio,
    from_odds_ratio_slope,
)
from metalliance.effectsize.estimate import Estimate, Given
from metalliance.effectsize.within import from_beta_within

CONVERT = {
    "beta": from_beta,
    "beta_within": from_beta_within,
    "b": from_b,
    "OR": from_odds_ratio_slope,
    "HR": from_hazard_ratio,
}
NUMBERS = st.one_of(st.none(), st.floats(-2, 2), st.integers(0, 300).map(float), st.floats())
PRINTED = st.fixed_dictionaries(
    {
        "stat": st.sampled_from(sorted(CONVERT)),
        "value": st.one_of(st.floats(-1.5, 3), st.floats(allow_nan=False, allow_infinity=False)),
        "m": st.one_of(st.none(), st.integers(-1, 6)),
        "ci": st.one_of(st.none(), st.tuples(st.floats(), st.floats())),
        "ci_level": st.one_of(st.just(95.0), st.floats()),
        "sd_level": st.sampled_from([None, "within", "total", "between"]),
        "component": st.sampled_from(
            [None, "total", "within", "between_observed", "between_latent", "contextual", "blended"]
        ),
        "estimand": st.sampled_from([None, "concurrent_r", "lagged_r", "lagged_partial", "NA"]),
        **dict.fromkeys(
            ("n", "se", "test_value", "df", "n1", "n2", "sd_x", "sd_y", "icc_x", "icc_y"), NUMBERS
        ),
        **dict.fromkeys(("n_obs", "sessions", "lag"), NUMBERS),
    }
)


def converted(printed: Given) -> Estimate | None:
    try:
        return CONVERT[printed.stat](printed)
    except ValueError as error:
        assert len(str(error)) > 10
        assert "math domain" not in str(error)
        return None


@given(PRINTED)
@settings(max_examples=2000, deadline=None)
def test_any_numbers_make_a_finite_effect_or_a_sentence(printed: dict[str, Any]) -> None:
    estimate = converted(Given(**printed))
    if estimate is None:
        return
    assert math.isfinite(estimate.yi)
    assert 0 < estimate.vi < math.inf
    if estimate.es_metric == "z":
        assert -1 <= estimate.r <= 1
        assert estimate.r == pytest.approx(math.tanh(estimate.yi), abs=1e-12)
    assert estimate.trace.isascii()


@given(PRINTED)
@settings(max_examples=500, deadline=None)
def test_the_mirrored_coefficient_is_the_mirrored_effect(printed: dict[str, Any]) -> None:
    one = Given(**{**printed, "ci": None})
    if one.stat in ("OR", "HR"):
        if not 1e-100 < one.value < 1e100:
            return
        other = replace(one, value=1 / one.value)
    else:
        other = replace(one, value=-one.value)
    plus, minus = converted(one), converted(other)
    assert (plus is None) == (minus is None)
    if plus is not None and minus is not None and one.value != 0:
        assert minus.yi == pytest.approx(-plus.yi, rel=1e-9)
        assert minus.vi == pytest.approx(plus.vi, rel=1e-9)
