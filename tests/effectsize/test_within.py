"""Within-patient coefficients: standardised, or a bound from their test."""

import math
from typing import Any

import pytest

from metalliance.effectsize.coefficients import from_b, from_beta
from metalliance.effectsize.convert import effect_size
from metalliance.effectsize.estimate import Given
from metalliance.effectsize.slopes import n_effective
from metalliance.effectsize.within import from_beta_within, wald_within

ROW = {"stat": "b", "value": -0.21, "se": 0.08, "n": 120, "component": "within"}


@pytest.mark.parametrize(
    ("lag", "df", "r"), [(0, 839, -0.090), (1, 719, -0.097), (None, 839, -0.090)]
)
def test_the_within_row_of_the_workbook(lag: int | None, df: int, r: float) -> None:
    estimate = from_b(Given(**ROW, sessions=8, lag=lag))
    assert round(estimate.r, 3) == r
    assert f"df = {df}" in estimate.trace
    assert (estimate.quality, estimate.route) == ("bounded", "t within")
    assert "lower bound" in estimate.trace and "approximated" in estimate.trace
    assert from_b(Given(**ROW, n_obs=960, lag=lag)).r == estimate.r
    if lag != 1:
        assert estimate.vi == pytest.approx(0.0021, abs=5e-5)
        assert round(n_effective(estimate.vi)) == 473
    if lag is None:
        assert "r = -0.0974 at lag 1" in estimate.trace


def test_one_sd_alone_is_said_to_be_unused() -> None:
    estimate = from_b(Given(**ROW, sessions=8, lag=0, sd_x=0.5, sd_level="within"))
    assert estimate.quality == "bounded"
    assert estimate.trace.startswith("one SD without the other is not used")


def test_a_printed_t_goes_before_the_rounded_quotient() -> None:
    rounded = {"stat": "b", "value": -0.02, "se": 0.01, "n": 120, "component": "within"}
    estimate = from_b(Given(**rounded, sessions=8, lag=0, test_value=2.625))
    assert round(estimate.r, 3) == -0.090
    assert estimate.trace.startswith("t = -2.625, printed as 2.625")


def test_the_door_turns_the_finished_effect() -> None:
    printed = {**ROW, "sessions": 8, "lag": 0, "ci": (-0.37, -0.05), "test_value": -2.625}
    as_printed, turned = effect_size(**printed), effect_size(**printed, sign=-1)
    assert round(turned.r, 3) == 0.090
    assert (turned.yi, turned.vi) == (-as_printed.yi, as_printed.vi)
    odds = {"stat": "OR", "value": 1.5, "ci": (1.1, 2.045), "sd_x": 0.8, "n": 150}
    assert effect_size(**odds, sign=-1).yi == -effect_size(**odds).yi


def test_a_lagged_r_without_its_lag_is_at_least_lag_1() -> None:
    estimate = from_b(Given(**ROW, sessions=8, estimand="lagged_r"))
    assert estimate.r == from_b(Given(**ROW, sessions=8, lag=1)).r


def test_test_value_and_interval_are_the_same_wald() -> None:
    printed = {k: v for k, v in ROW.items() if k != "se"} | {"sessions": 8, "lag": 0}
    expected = from_b(Given(**ROW, sessions=8, lag=0)).yi
    for test in (-2.625, 2.625):
        assert from_b(Given(**printed, test_value=test)).yi == pytest.approx(expected)
    half = 1.959963984540054 * 0.08
    by_interval = from_b(Given(**printed, ci=(-0.21 - half, -0.21 + half)))
    assert by_interval.yi == pytest.approx(expected)


@pytest.mark.parametrize(("df", "r"), [(699, -0.150), (697, -0.150), (None, -0.150), (798, -0.150)])
def test_occasions_decide_and_not_the_printed_df(df: float | None, r: float) -> None:
    """t = -4, n = 100, 8 sessions; all observations (798) would give -.140."""
    given = Given(stat="t", value=-4, n=100, sessions=8, df=df, component="within")
    assert round(wald_within(-4, given, "t").r, 3) == r


@pytest.mark.parametrize("df", [98, 99, 117.4, 400])
def test_df_of_patients_are_refused_by_name(df: float) -> None:
    """98 would turn r = -.150 into -.375."""
    given = Given(stat="t", value=-4, n=100, sessions=8, df=df, component="within")
    with pytest.raises(ValueError, match=r"counts patients \(n = 100\).*Leave df blank"):
        wald_within(-4, given, "t")


def test_df_alone_counts_where_patients_cannot_explain_it() -> None:
    given = {"stat": "t", "value": -4, "n": 100, "component": "within", "lag": 0}
    alone = wald_within(-4, Given(**given, df=699), "t")
    known = wald_within(-4, Given(**given, sessions=8), "t")
    assert (alone.yi, alone.vi) == pytest.approx((known.yi, known.vi))
    with pytest.raises(ValueError, match="may count patients"):
        wald_within(-4, Given(**given, df=98), "t")


def test_the_variance_does_not_follow_the_standard_error() -> None:
    """SE taken as r/t would be circular: any SE gives about 1/df."""
    variances = [
        from_b(Given(**{**ROW, "se": se}, sessions=8, lag=0)).vi for se in (0.04, 0.08, 0.16)
    ]
    assert max(variances) / min(variances) < 1.02
    assert min(variances) > 1.5 * 0.00123


def test_latent_within_beta_of_the_workbook() -> None:
    printed = {"value": 0.12, "ci": (0.02, 0.22), "component": "within"}
    for stat, convert in (("beta", from_beta), ("beta_within", from_beta_within)):
        estimate = convert(Given(stat=stat, **printed, estimand="lagged_partial"))
        assert estimate.yi == 0.12
        assert round(math.sqrt(estimate.vi), 4) == 0.0510
        assert round(estimate.vi, 5) == 0.00260
        assert math.isnan(estimate.r) and math.isnan(estimate.ni)
        assert (estimate.route, estimate.quality) == ("beta", "direct")


def test_lagged_partial_of_nairobi() -> None:
    wald = -1.27 / 0.60
    printed = {"stat": "beta", "n": 345, "component": "within", "estimand": "lagged_partial"}
    for value, se in ((-0.16, 0.0756), (-0.21, 0.0992)):
        estimate = from_beta(Given(**printed, value=value, test_value=wald))
        assert estimate.yi == value
        assert math.sqrt(estimate.vi) == pytest.approx(se, abs=5e-5)


def test_lagged_partial_may_exceed_1_and_other_intervals_count() -> None:
    printed = {"stat": "beta_within", "value": 1.1, "estimand": "lagged_partial"}
    assert from_beta_within(Given(**printed, se=0.2)).yi == 1.1
    ninety = from_beta_within(Given(**printed, ci=(0.9, 1.3), ci_level=90))
    assert math.sqrt(ninety.vi) == pytest.approx(0.2 / 1.6448536269514722)


def test_zero_order_beta_within() -> None:
    estimate = from_beta_within(
        Given(stat="beta_within", value=-0.2, se=0.04, component="within", estimand="concurrent_r")
    )
    assert estimate.yi == pytest.approx(math.atanh(-0.2))
    assert estimate.vi == pytest.approx(0.04**2 / (1 - 0.2**2))
    assert estimate.v_r == pytest.approx(0.04**2 * (1 - 0.2**2))
    assert (estimate.quality, estimate.route) == ("converted", "beta within")


def test_zero_order_beta_within_without_se_is_approximated() -> None:
    printed = {"stat": "beta_within", "value": -0.2, "n": 100}
    assert from_beta_within(Given(**printed, sessions=8)).quality == "approximated"
    with pytest.raises(ValueError, match="sessions"):
        from_beta_within(Given(**printed))


@pytest.mark.parametrize("estimand", ["concurrent_r", "lagged_partial"])
def test_total_and_within_sds_are_the_same_coefficient(estimand: str) -> None:
    within = {"stat": "b", "value": 0.3, "se": 0.09, "component": "within", "estimand": estimand}
    sd_x, sd_y, icc_x, icc_y = 0.5, 0.8, 0.7, 0.6
    by_within = from_b(Given(**within, sd_x=sd_x, sd_y=sd_y, sd_level="within"))
    total_x, total_y = sd_x / math.sqrt(1 - icc_x), sd_y / math.sqrt(1 - icc_y)
    iccs = {"icc_x": icc_x, "icc_y": icc_y, "sd_level": "total"}
    by_total = from_b(Given(**within, sd_x=total_x, sd_y=total_y, **iccs))
    ratio = total_x / total_y
    beta = {**within, "stat": "beta", "value": 0.3 * ratio, "se": 0.09 * ratio}
    by_beta = from_beta(Given(**beta, **iccs))
    for other in (by_total, by_beta):
        assert (other.yi, other.vi) == pytest.approx((by_within.yi, by_within.vi))
        assert other.quality == "converted"
    expected = 0.3 * sd_x / sd_y
    yi = expected if estimand == "lagged_partial" else math.atanh(expected)
    assert by_within.yi == pytest.approx(yi)


@pytest.mark.parametrize(
    ("printed", "named"),
    [
        ({"sd_x": 1, "sd_y": 1}, "sd_level is missing"),
        ({"sd_x": 1, "sd_y": 1, "sd_level": "total"}, "commonest error.*leave sd_x and sd_y blank"),
        ({"sd_x": 1, "sd_y": 1, "sd_level": "total", "icc_x": 0.5}, "icc_x and icc_y"),
        ({"sd_x": 1, "sd_y": 1, "sd_level": "between"}, "does not standardise"),
        ({"sd_x": 9, "sd_y": 1, "sd_level": "within"}, "between -1 and 1"),
        ({"sd_x": 1, "sd_y": 0, "sd_level": "within"}, "sd_y = 0"),
        ({"estimand": "lagged_partial", "sessions": 8}, "add the beta, or b with sd_x"),
        ({"se": None, "sessions": 8}, "add se"),
        ({"n": None, "sessions": 8}, "n is missing"),
        ({}, "needs sessions"),
        ({"sessions": 8, "lag": 0.5}, "whole number of sessions"),
        ({"sessions": 8, "lag": -1}, "whole number of sessions"),
        ({"sessions": 8, "lag": 7}, "too few"),
        ({"stat": "beta"}, "sd_level is missing"),
        ({"stat": "beta", "sd_level": "total"}, "commonest error"),
        ({"stat": "beta", "estimand": "lagged_partial", "se": None}, "lagged coefficient needs"),
        ({"stat": "beta_within", "component": "total"}, "cannot be about component"),
        ({"stat": "beta_within", "value": 1.2}, "lagged outcome constant"),
    ],
)
def test_what_is_missing_or_impossible_is_named(printed: dict[str, Any], named: str) -> None:
    convert = {"b": from_b, "beta": from_beta, "beta_within": from_beta_within}
    given = Given(**{**ROW, **printed})
    with pytest.raises(ValueError, match=named):
        convert[given.stat](given)
