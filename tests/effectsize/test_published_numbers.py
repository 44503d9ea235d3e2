"""Numbers printed by other programs and papers, and the rows that the workbook explains."""

from __future__ import annotations

import math
from typing import Any

import pytest

import metalliance as ma
from metalliance.effectsize.convert import CONVERSIONS
from metalliance.effectsize.correlation import (
    r_variance_from_z,
    semipartial_variance,
    spearman_variance,
    z_variance,
)
from metalliance.effectsize.slopes import beta_to_r_peterson_brown, n_effective


@pytest.mark.parametrize(
    ("r", "controls", "n", "se"), [(0.427, 0, 55, 0.11339), (0.283, 4, 80, 0.10767)]
)
def test_se_cor_of_vcmeta(r: float, controls: int, n: int, se: float) -> None:
    assert math.sqrt(r_variance_from_z(r, z_variance(n, controls))) == pytest.approx(se, abs=5e-6)
    effect = ma.effect_size(stat="r_partial", value=r, n=n, m=controls + 1)
    assert (1 - r**2) * math.sqrt(effect.vi) == pytest.approx(se, abs=5e-6)


@pytest.mark.parametrize(
    ("r", "R2", "n", "se"),
    [(0.40, 0.25, 60, 0.10633), (0.454, 0.25, 60, 0.10298), (0.582, 0.699, 20, 0.13743)],
)
def test_semipartial_of_vcmeta_and_statpsych(r: float, R2: float, n: int, se: float) -> None:
    """They divide by n − 3 where Aloe and Becker, and this package, divide by n."""
    v = semipartial_variance(r, R2, n) * n / (n - 3)
    assert math.sqrt(v) == pytest.approx(se, abs=5e-6)


def test_the_published_variance_over_n() -> None:
    assert math.sqrt(semipartial_variance(0.40, 0.25, 60)) == pytest.approx(0.10363, abs=5e-6)


def test_the_interval_of_statpsych() -> None:
    effect = ma.effect_size(stat="r_semipartial", value=0.582, R2=0.699, n=20)
    half = 1.959963984540054 * math.sqrt(effect.vi * 20 / 17)
    assert math.tanh(effect.yi - half) == pytest.approx(0.25257, abs=5e-6)
    assert math.tanh(effect.yi + half) == pytest.approx(0.79052, abs=5e-6)


def test_se_spear_of_vcmeta() -> None:
    assert math.sqrt(spearman_variance(0.427, 55)) == pytest.approx(0.11845, abs=5e-6)
    effect = ma.effect_size(stat="rho_spearman", value=0.427, n=55)
    assert math.sqrt(effect.v_r) == pytest.approx(0.11845, abs=5e-6)
    assert effect.vi == pytest.approx((1 + 0.427**2 / 2) / 52)


def test_pcor_of_metafor_from_a_p() -> None:
    effect = ma.effect_size(stat="p", value=0.07, m=5, n=30, sign=-1)
    assert round(effect.r, 4) == -0.3610
    assert "t = 1.89646" in ma.effect_size(stat="p", value=0.07, df=24, sign=1).trace


def test_the_d_of_a_meta_analysis() -> None:
    """Flückiger et al. (2018) print r = .278 also as d = .579."""
    assert round(ma.effect_size(stat="d", value=0.579, n1=40, n2=40).r, 3) == 0.278


def test_peterson_and_brown_depend_on_how_the_scale_is_turned() -> None:
    assert round(beta_to_r_peterson_brown(0.20), 3) == 0.246
    assert round(beta_to_r_peterson_brown(-0.20), 3) == -0.196
    assert beta_to_r_peterson_brown not in CONVERSIONS.values()
    with pytest.raises(ma.ConversionError, match="add se"):
        ma.effect_size(stat="beta", value=0.2, n=80, m=3)


WITHIN: dict[str, Any] = {"stat": "b", "value": -0.21, "se": 0.08, "component": "within"}


@pytest.mark.parametrize(("lag", "df", "r"), [(0, 839, 0.090), (1, 719, 0.097)])
def test_the_multilevel_row_within(lag: int, df: int, r: float) -> None:
    effect = ma.effect_size(**WITHIN, n=120, sessions=8, lag=lag, sign=-1)
    assert round(effect.r, 3) == r
    assert f"df = {df}" in effect.trace
    assert effect.quality == "bounded"
    if lag == 0:
        assert round(effect.vi, 4) == 0.0021
        assert round(n_effective(effect.vi)) == 473
    wald = ma.effect_size(
        stat="t", value=-2.625, n=120, sessions=8, lag=lag, component="within", sign=-1
    )
    assert (wald.yi, wald.vi) == pytest.approx((effect.yi, effect.vi))


def test_the_multilevel_row_between() -> None:
    for printed in (
        {"stat": "b", "value": -0.45, "se": 0.15, "n": 120, "m": 2},
        {"stat": "t", "value": -3, "df": 117},
        {"stat": "F", "value": 9, "df": 117},
    ):
        sign = 1 if printed["stat"] == "F" else -1
        effect = ma.effect_size(**printed, component="between_observed", sign=sign)
        assert round(effect.r, 3) == 0.267
        assert effect.quality == "converted"


def test_the_trap_of_patient_df() -> None:
    """t = −4 of 100 patients in 8 sessions is −.150; 98 df would make it −.375."""
    printed = {"stat": "t", "value": -4, "n": 100, "component": "within"}
    assert round(ma.effect_size(**printed, sessions=8).r, 3) == -0.150
    assert round(ma.effect_size(**{**printed, "component": "total"}, df=98).r, 3) == -0.375
    for sessions in ({"sessions": 8}, {}):
        with pytest.raises(ma.ConversionError, match=r"count(s)? patients"):
            ma.effect_size(**printed, df=98, **sessions)


def test_a_printed_correlation_and_its_direction() -> None:
    effect = ma.effect_size(stat="r", value=0.31, n=60)
    half = 1.959963984540054 * math.sqrt(effect.vi)
    limits = [round(math.tanh(effect.yi + s * half), 2) for s in (-1, 1)]
    assert ([round(effect.yi, 4), round(effect.vi, 5)], limits) == ([0.3205, 0.01754], [0.06, 0.52])
    turned = ma.effect_size(stat="r", value=0.31, n=60, sign=-1)
    assert turned.r == -0.31
    assert turned.trace.endswith("reversed (sign -1): r = -0.31, z = -0.320545")


def test_the_latent_row() -> None:
    effect = ma.effect_size(
        stat="beta",
        value=0.12,
        ci=(0.02, 0.22),
        component="within",
        estimand="lagged_partial",
        lag=1,
        sd_level="within",
    )
    assert effect.es_metric == "beta"
    assert (effect.yi, round(math.sqrt(effect.vi), 4)) == (0.12, 0.0510)
    assert round(effect.vi, 5) == 0.00260


def test_reported_as_not_significant() -> None:
    effect = ma.effect_size(stat="n.s. only", n=44)
    assert math.isnan(effect.yi) and math.isnan(effect.vi)
    assert (effect.quality, effect.ni) == ("bounded", 44)
    assert effect.trace == "not significant at n = 44: |r| < 0.297"
