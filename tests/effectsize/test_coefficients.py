"""Regression coefficients, odds and hazard ratios of single-level models."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from metalliance.effectsize.coefficients import (
    from_b,
    from_beta,
    from_hazard_ratio,
    from_odds_ratio_slope,
)
from metalliance.effectsize.estimate import Given
from tests.tolerances import CLOSED_FORM

STORED = json.loads(
    (Path(__file__).parents[1] / "reference" / "coefficients.json").read_text(encoding="utf-8")
)
CONVERT = {
    "beta": from_beta,
    "b": from_b,
    "OR": from_odds_ratio_slope,
    "HR": from_hazard_ratio,
}


def test_beta_of_one_predictor_is_r() -> None:
    estimate = from_beta(Given(stat="beta", value=0.3, n=80, m=1))
    assert (estimate.r, estimate.quality, estimate.route) == (0.3, "direct", "beta")
    assert estimate.yi == pytest.approx(math.atanh(0.3))
    assert estimate.vi == pytest.approx(1 / 77)
    # m = 1 may be said by df
    assert from_beta(Given(stat="beta", value=0.3, n=80, df=78)).vi == estimate.vi


@pytest.mark.parametrize("case", STORED["across"])
def test_single_level_coefficients_of_r(case: dict[str, Any]) -> None:
    partial = {"n": case["n"], "m": 3}
    z = case["z_metafor"]
    routes = [
        from_beta(Given(stat="beta", value=case["beta"], se=case["se_beta"], **partial)),
        from_b(Given(stat="b", value=case["b"], se=case["se"], **partial)),
        from_b(Given(stat="b", value=case["b"], ci=tuple(case["ci"]), **partial)),
        from_b(Given(stat="b", value=case["b"], ci=tuple(case["ci80"]), ci_level=80, **partial)),
        from_b(Given(stat="b", value=case["b"], test_value=case["t"], **partial)),
        from_b(Given(stat="b", value=case["b"], test_value=abs(case["t"]), df=case["n"] - 4, m=3)),
    ]
    for estimate in routes:
        assert estimate.yi == pytest.approx(z, rel=CLOSED_FORM)
        assert estimate.r == pytest.approx(case["r_partial"], rel=CLOSED_FORM)
        assert estimate.vi == pytest.approx(1 / (case["n"] - 3 - 2))
        assert estimate.quality == "converted"
        assert "partial r" in estimate.route
    one = from_b(
        Given(stat="b", value=case["b_one"], sd_x=case["sd_x"], sd_y=case["sd_y"], n=case["n"], m=1)
    )
    assert one.r == pytest.approx(case["r"], rel=CLOSED_FORM)


def test_the_between_row_of_the_workbook() -> None:
    printed = {"stat": "b", "value": -0.45, "se": 0.15, "n": 120, "component": "between_observed"}
    estimate = from_b(Given(**printed, m=2))
    assert round(estimate.r, 3) == -0.267
    assert estimate.vi == pytest.approx(1 / 116)
    assert estimate.quality == "converted"
    assert "df = 120 - 2 - 1 = 117" in estimate.trace
    assert from_b(Given(**printed, df=117)).r == estimate.r
    with pytest.raises(ValueError, match="m is missing"):
        from_b(Given(**printed))
    with pytest.raises(ValueError, match="more than n = 120 patients allow"):
        from_b(Given(**printed, df=839))


def test_sds_of_another_level_do_not_standardise() -> None:
    printed = {"stat": "b", "value": 0.4, "n": 50, "m": 1, "sd_x": 1.0, "sd_y": 2.0}
    assert from_b(Given(**printed)).r == pytest.approx(0.2)
    between = {**printed, "component": "between_observed"}
    assert from_b(Given(**between, sd_level="between")).r == pytest.approx(0.2)
    for wrong in ({**printed, "sd_level": "within"}, between, {**between, "sd_level": "total"}):
        with pytest.raises(ValueError, match="does not standardise"):
            from_b(Given(**wrong))


def test_latent_intercepts_need_their_own_precision() -> None:
    printed = {"stat": "beta", "value": 0.4, "n": 200, "component": "between_latent", "m": 1}
    estimate = from_beta(Given(**printed, se=0.1))
    h = 1e-6
    slope = (math.atanh(0.4 + h) - math.atanh(0.4 - h)) / (2 * h)
    assert estimate.vi == pytest.approx((0.1 * slope) ** 2, rel=1e-7)
    assert estimate.v_r == pytest.approx(0.01)
    with pytest.raises(ValueError, match="less precise than n patients"):
        from_beta(Given(**printed))
    several = from_beta(Given(**{**printed, "m": 3}, se=0.1))
    assert several.quality == "bounded"


@pytest.mark.parametrize("stat", ["beta", "b", "OR", "HR"])
@pytest.mark.parametrize("component", ["contextual", "blended"])
def test_contextual_and_blended_are_kept_and_not_pooled(stat: str, component: str) -> None:
    printed = Given(stat=stat, value=0.4, se=0.1, n=90, m=2, sd_x=1, sd_y=1, component=component)
    with pytest.raises(ValueError, match="kept, not pooled"):
        CONVERT[stat](printed)


@pytest.mark.parametrize("case", STORED["logistic"])
def test_logistic_slopes_of_r(case: dict[str, Any]) -> None:
    printed = {"stat": "OR", "value": case["or"], "sd_x": case["sd_x"]}
    z = math.asinh(math.log(case["or"]) * case["sd_x"] * math.sqrt(3) / math.pi)
    by_se = from_odds_ratio_slope(Given(**printed, se=case["se"]))
    by_ci = from_odds_ratio_slope(Given(**printed, ci=tuple(case["ci"])))
    by_z = from_odds_ratio_slope(Given(**printed, test_value=case["z"]))
    for estimate in (by_se, by_ci, by_z):
        assert estimate.yi == pytest.approx(z, rel=CLOSED_FORM)
        assert estimate.vi == pytest.approx(by_se.vi, rel=CLOSED_FORM)
        assert (estimate.quality, estimate.route) == ("approximated", "OR slope")
    # the variance is that of ln OR carried through, by numerical derivative
    h, log_or = 1e-5, math.log(case["or"])
    up, down = (
        from_odds_ratio_slope(Given(**{**printed, "value": math.exp(log_or + s)}, se=case["se"])).yi
        for s in (h, -h)
    )
    assert by_se.vi == pytest.approx(((up - down) / (2 * h) * case["se"]) ** 2, rel=1e-7)


def test_a_within_patient_odds_ratio_takes_the_within_sd() -> None:
    printed = {"stat": "OR", "value": 1.5, "se": 0.1, "component": "within"}
    by_within = from_odds_ratio_slope(Given(**printed, sd_x=0.5, sd_level="within"))
    total = 0.5 / math.sqrt(1 - 0.7)
    by_total = from_odds_ratio_slope(Given(**printed, sd_x=total, sd_level="total", icc_x=0.7))
    assert by_total.yi == pytest.approx(by_within.yi)
    with pytest.raises(ValueError, match="sd_x within patients"):
        from_odds_ratio_slope(Given(**printed, sd_x=0.5))


def test_hazard_ratios_are_bounded_and_about_dropout() -> None:
    estimate = from_hazard_ratio(Given(stat="HR", value=0.7, se=0.17, sd_x=0.8, n=150))
    same = from_odds_ratio_slope(Given(stat="OR", value=0.7, se=0.17, sd_x=0.8, n=150))
    assert (estimate.yi, estimate.vi) == (same.yi, same.vi)
    assert estimate.quality == "bounded"
    assert "dropout only" in estimate.trace
    groups = from_hazard_ratio(Given(stat="HR", value=0.7, se=0.17, n1=60, n2=90))
    d, a = math.log(0.7) * math.sqrt(3) / math.pi, 150**2 / (60 * 90)
    assert groups.r == pytest.approx(d / math.sqrt(d * d + a))


@given_by(st.floats(0.01, 0.9), st.floats(0.2, 5))
def test_the_hazard_ratio_lies_nearer_to_1_than_the_odds_ratio(risk: float, ratio: float) -> None:
    """Why |r| from a hazard ratio is a lower bound, and why it holds where dropout is rare."""
    other = -math.expm1(ratio * math.log1p(-risk))
    log_or = math.log(other / (1 - other)) - math.log(risk / (1 - risk))
    assert abs(log_or) >= abs(math.log(ratio)) - 1e-9
    if risk == 0.01:
        assert log_or == pytest.approx(math.log(ratio), abs=0.05)


@pytest.mark.parametrize(
    ("printed", "named"),
    [
        ({"stat": "beta", "value": 0.3, "n": 80}, "m is missing"),
        ({"stat": "beta", "value": 0.3, "m": 2}, "n is missing"),
        ({"stat": "beta", "value": 0.3, "n": 80, "m": 0}, "m is at least 1"),
        ({"stat": "beta", "value": 0.3, "n": 80, "m": 3}, "add se, the confidence interval"),
        ({"stat": "beta", "value": 1.2, "n": 80, "m": 1}, "strictly between"),
        ({"stat": "beta", "value": 0.3, "n": 80, "m": 3, "se": 0}, "se = 0 must be above 0"),
        ({"stat": "beta", "value": 0.3, "n": 5, "m": 3, "se": 0.1}, "too few"),
        ({"stat": "beta", "value": 0.3, "n": 80, "m": 3, "ci": (0.2, 0.2)}, "no width"),
        ({"stat": "beta", "value": 0.3, "n": 80, "m": 3, "ci": (-0.5, -0.1)}, "outside"),
        ({"stat": "b", "value": 3.0, "n": 80, "m": 1}, "add se"),
        ({"stat": "b", "value": 3.0, "n": 80, "m": 2, "se": 1, "df": 79}, "patients allow"),
        ({"stat": "OR", "value": 1.4, "se": 0.2}, "sd_x is missing"),
        ({"stat": "OR", "value": -0.4, "se": 0.2, "sd_x": 1}, "must be above 0"),
        ({"stat": "OR", "value": 1.4, "sd_x": 1}, "add se"),
        ({"stat": "OR", "value": 1.4, "sd_x": 1, "ci": (0, 3)}, "lies above 0"),
        (
            {"stat": "OR", "value": 1.4, "sd_x": 1, "ci": (1, 2), "ci_level": 0.95},
            "percentage such as",
        ),
        ({"stat": "OR", "value": 1.4, "sd_x": 1, "se": 1, "estimand": "lagged_partial"}, "is none"),
        ({"stat": "HR", "value": 1.4, "se": 0.2}, "sd_x is missing"),
        ({"stat": "HR", "value": 1.4, "se": 0.2, "n1": 0, "n2": 4}, "above 0"),
        ({"stat": "HR", "value": 1.0, "test_value": 0.0, "sd_x": 1}, "cannot be had"),
    ],
)
def test_what_is_missing_or_impossible_is_named(printed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        CONVERT[printed["stat"]](Given(**printed))
