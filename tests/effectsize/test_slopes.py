"""Slopes as numbers: identities on data, R, numerical derivatives, populations."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metalliance.effectsize import slopes
from tests.tolerances import CLOSED_FORM

STORED = json.loads(
    (Path(__file__).parents[1] / "reference" / "coefficients.json").read_text(encoding="utf-8")
)
Array = np.ndarray[Any, np.dtype[np.float64]]


def patients(seed: int, n: int, sessions: int, slope: float) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    between_x, between_y = rng.normal(size=(2, n, 1)) * 1.5
    within = rng.normal(size=(n, sessions))
    y = between_y + slope * within + rng.normal(size=(n, sessions))
    return between_x + within, y


def centred(scores: Array) -> Array:
    return scores - scores.mean(axis=1, keepdims=True)


def within_regression(x: Array, y: Array) -> tuple[float, float, float]:
    """b, SE and df of ordinary least squares on person-mean-centred scores."""
    x, y = centred(x), centred(y)
    b = (x * y).sum() / (x * x).sum()
    df = x.size - x.shape[0] - 1
    se = math.sqrt(((y - b * x) ** 2).sum() / df / (x * x).sum())
    return b, se, df


@pytest.mark.parametrize("seed", range(5))
def test_sd_ratio_and_t_are_one_correlation_for_a_common_slope(seed: int) -> None:
    x, y = patients(seed, 40, 7, -0.3)
    b, se, df = within_regression(x, y)
    by_sd = slopes.standardised_slope(b, centred(x).std(), centred(y).std())
    by_t = slopes.partial_r(b / se, df)
    assert by_sd == pytest.approx(by_t, rel=CLOSED_FORM)
    # rmcorr: sign x sqrt(SS_x/(SS_x + SS_residual))
    explained = b**2 * (centred(x) ** 2).sum()
    residual = ((centred(y) - b * centred(x)) ** 2).sum()
    rmcorr = math.copysign(math.sqrt(explained / (explained + residual)), b)
    assert by_t == pytest.approx(rmcorr, rel=CLOSED_FORM)
    # and the model's SE, with the SDs held fixed, is worth its df
    ratio = by_sd / b
    assert slopes.fixed_sd_z_variance(by_sd, se * ratio) == pytest.approx(1 / df, rel=CLOSED_FORM)


@pytest.mark.parametrize("case", STORED["within"], ids=lambda c: f"unequal={c['unequal']}")
def test_within_slopes_of_r(case: dict[str, Any]) -> None:
    df = slopes.occasion_df(case["n"], case["n_obs"])
    assert slopes.partial_r(case["t"], df) == pytest.approx(case["r_within"], rel=CLOSED_FORM)
    by_sd = slopes.standardised_slope(case["b_within"], case["ss_x"], case["ss_y"])
    assert by_sd == pytest.approx(case["r_within"], rel=CLOSED_FORM)


@pytest.mark.parametrize("case", STORED["within"], ids=lambda c: f"unequal={c['unequal']}")
def test_contextual_is_between_minus_within(case: dict[str, Any]) -> None:
    raw, between = case["contextual"], case["between"]
    exact = slopes.between_from_contextual(**{_name(k): v for k, v in raw.items()})
    assert exact.b == pytest.approx(between["b"], rel=1e-9)
    assert exact.se == pytest.approx(between["se"], rel=1e-9)
    assert not exact.approximated
    without = slopes.between_from_contextual(raw["b_w"], raw["b_c"], raw["se_w"], raw["se_c"])
    assert without.approximated
    # exact where sessions are equally many, near where not
    assert without.se == pytest.approx(between["se"], rel=0.05 if case["unequal"] else 1e-9)


def _name(key: str) -> str:
    return {"b_w": "b_within", "b_c": "b_contextual"}.get(key, key)


def test_contextual_without_a_positive_variance_is_refused() -> None:
    with pytest.raises(ValueError, match="se_c must exceed se_w"):
        slopes.between_from_contextual(0.1, 0.2, 0.2, 0.1)
    with pytest.raises(ValueError, match="too low"):
        slopes.between_from_contextual(0.1, 0.2, 0.2, 0.1, cov=-1)
    with pytest.raises(ValueError, match="se_w = 0"):
        slopes.between_from_contextual(0.1, 0.2, 0, 0.1)


@pytest.mark.parametrize(("icc_x", "icc_y"), [(0.7, 0.6), (0.3, 0.8), (0.5, 0.5)])
def test_total_sds_and_iccs_give_back_the_within_slope(icc_x: float, icc_y: float) -> None:
    truth, n, sessions = -0.2, 20_000, 6
    rng = np.random.default_rng(5)
    bx, by = rng.normal(size=(2, n, 1))
    wx = rng.normal(size=(n, sessions))
    wy = truth * wx + math.sqrt(1 - truth**2) * rng.normal(size=wx.shape)
    x = 4 * (math.sqrt(icc_x) * bx + math.sqrt(1 - icc_x) * wx)
    y = 7 * (math.sqrt(icc_y) * by + math.sqrt(1 - icc_y) * wy)
    b, _, _ = within_regression(x, y)
    by_total = slopes.standardised_slope(b, x.std(), y.std())
    assert slopes.within_metric(by_total, icc_x, icc_y) == pytest.approx(truth, abs=0.01)
    sds = slopes.within_sd(x.std(), icc_x), slopes.within_sd(y.std(), icc_y)
    assert slopes.standardised_slope(b, *sds) == pytest.approx(truth, abs=0.01)
    error = by_total / truth
    assert error == pytest.approx(math.sqrt((1 - icc_y) / (1 - icc_x)), abs=0.04)


def test_total_sds_are_15_percent_off_at_the_usual_iccs() -> None:
    assert 1 / slopes.within_metric(1, 0.7, 0.6) == pytest.approx(1.155, abs=5e-4)


@pytest.mark.parametrize("d", [-3.0, -0.4, 0.0, 0.18, 1.2])
def test_logistic_slope_variances_by_numerical_derivative(d: float) -> None:
    def r(d: float) -> float:
        return d / math.sqrt(1 + d * d)

    assert math.tanh(slopes.logistic_slope_z(d)) == pytest.approx(r(d), abs=CLOSED_FORM)
    h = 1e-5
    slope = (math.atanh(r(d + h)) - math.atanh(r(d - h))) / (2 * h)
    assert slopes.logistic_slope_z_variance(d, 0.1) == pytest.approx((slope * 0.1) ** 2, rel=1e-7)


def test_logistic_slope_is_the_correlation_with_the_latent_outcome() -> None:
    rng = np.random.default_rng(11)
    x = rng.normal(scale=2.5, size=400_000)
    latent = 0.3 * x + rng.logistic(size=x.size)
    d = slopes.logistic_slope_d(0.3, 2.5)
    assert math.tanh(slopes.logistic_slope_z(d)) == pytest.approx(
        np.corrcoef(x, latent)[0, 1], abs=0.005
    )


def test_effective_patients_of_the_nairobi_coefficient() -> None:
    # Falkenström et al. (2019): b = -1.27, SE .60; beta .16 to .21 by wave
    wald = -1.27 / 0.60
    assert wald == pytest.approx(-2.117, abs=5e-4)
    worth = []
    for beta in (-0.16, -0.21):
        se = abs(beta / wald)
        worth.append((se, slopes.n_effective(se**2 / (1 - beta**2) ** 2)))
    assert worth[0] == pytest.approx((0.0756, 169), abs=0.5)
    assert worth[1] == pytest.approx((0.0992, 96), abs=0.5)
    assert [round(se, 3) for se, _ in worth] == [0.076, 0.099]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: slopes.partial_r(2.0, 1), "too few"),
        (lambda: slopes.partial_r(2.0, math.nan), "too few"),
        (lambda: slopes.standardised_slope(0.1, 0, 1), "sd_x = 0"),
        (lambda: slopes.standardised_slope(0.1, 1, -2), "sd_y = -2"),
        (lambda: slopes.within_sd(1, 1), "share from 0 to below 1"),
        (lambda: slopes.within_metric(0.1, 0.5, 60), "icc_y = 60"),
        (lambda: slopes.fixed_sd_z_variance(1.0, 0.1), "between -1 and 1"),
        (lambda: slopes.logistic_slope_d(0.1, math.inf), "sd_x = inf"),
    ],
)
def test_impossible_numbers_are_refused(call: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()
