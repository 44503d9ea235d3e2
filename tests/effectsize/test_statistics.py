"""Every reported statistic as an effect: published numbers, identities, and what is refused."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalliance.effectsize.artifacts import correct_range, disattenuate, effective_n
from metalliance.effectsize.composites import composite_r
from metalliance.effectsize.convert import CONVERSIONS, Stat, effect_size
from metalliance.effectsize.correlation import semipartial_variance, spearman_variance
from metalliance.effectsize.estimate import Estimate
from metalliance.effectsize.groups import biserial_from_d, small_sample_factor
from metalliance.errors import ConversionError
from tests.tolerances import CLOSED_FORM


def test_every_statistic_has_a_conversion() -> None:
    assert tuple(CONVERSIONS) == get_args(Stat)


# Golden numbers: vcmeta's se.cor, se.semipart, se.spear and metafor's PCOR, by their formulas.
def test_published_standard_errors() -> None:
    partial = (1 - 0.283**2) / math.sqrt(80 - 3 - 4)  # vcmeta: n − 3 − s
    assert partial == pytest.approx(0.10767, abs=5e-6)
    assert math.sqrt(spearman_variance(0.427, 55)) == pytest.approx(0.11845, abs=5e-6)
    assert math.sqrt(semipartial_variance(0.40, 0.25, 60)) == pytest.approx(0.10363, abs=5e-6)
    for r, expected in ((0.40, 0.10633), (0.454, 0.10298)):  # vcmeta divides by n − 3
        v = semipartial_variance(r, 0.25, 60) * 60 / 57
        assert math.sqrt(v) == pytest.approx(expected, abs=5e-6)
    v = semipartial_variance(0.582, 0.699, 20) * 20 / 17
    assert math.sqrt(v) == pytest.approx(0.13743, abs=5e-6)


def test_a_partial_correlation_from_its_p() -> None:
    found = effect_size(stat="p", value=0.07, m=5, n=30, sign=-1)
    assert found.r == pytest.approx(-0.3610, abs=5e-5)
    assert "t = 1.896" in found.trace and "reversed (sign -1): r = -0.36" in found.trace


def test_one_association_however_it_is_printed() -> None:
    """r = .31 of 60 patients as r, z, t, F, R², p and as β of the only predictor."""
    r, n = 0.31, 60
    t = r * math.sqrt((n - 2) / (1 - r**2))
    same = [
        effect_size(stat="r", value=r, n=n),
        effect_size(stat="z", value=math.atanh(r), n=n),
        effect_size(stat="t", value=t, n=n),
        effect_size(stat="t", value=t, df=n - 2),
        effect_size(stat="F", value=t**2, df=n - 2, sign=1),
        effect_size(stat="R2", value=r**2, n=n, sign=1),
        effect_size(stat="p", value=two_sided(t, n - 2), n=n, sign=1),
        effect_size(stat="p", value=two_sided(t, n - 2) / 2, tail=1, n=n, sign=1),
        effect_size(stat="beta", value=r, m=1, n=n),
        effect_size(stat="b", value=r * 4, m=1, n=n, sd_x=0.5, sd_y=2),
        effect_size(stat="b", value=t * 0.2, se=0.2, m=1, n=n),
    ]
    for found in same:
        assert found.r == pytest.approx(r, abs=1e-10)
        assert found.yi == pytest.approx(math.atanh(r), abs=1e-10)
        assert found.vi == pytest.approx(1 / 57, abs=1e-12)
        assert found.v_r == pytest.approx((1 - r**2) ** 2 / 59, abs=1e-12)


def two_sided(t: float, df: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(t)))


def test_two_groups_however_they_are_printed() -> None:
    """Two groups give one d; r is the point-biserial correlation of the groups' own scores."""
    rng = np.random.default_rng(3)
    one, two = rng.normal(1, 2, 30), rng.normal(0, 2, 50)
    pooled = math.sqrt((29 * one.var(ddof=1) + 49 * two.var(ddof=1)) / 78)
    d = (one.mean() - two.mean()) / pooled
    given_ = {"n1": 30, "n2": 50}
    means = effect_size(
        stat="d",
        mean1=one.mean(),
        sd1=one.std(ddof=1),
        mean2=two.mean(),
        sd2=two.std(ddof=1),
        **given_,
    )
    plain = effect_size(stat="d", value=d, **given_)
    g = effect_size(stat="g", value=d * small_sample_factor(78), **given_)
    for found in (means, g):
        assert found.yi == pytest.approx(plain.yi, abs=1e-12)
        assert found.vi == pytest.approx(plain.vi, abs=1e-12)
    assert plain.r == pytest.approx(d / math.sqrt(d**2 + 80**2 / 1500), abs=1e-12)
    scores, groups = np.concatenate([one, two]), np.repeat([1.0, 0.0], [30, 50])
    exact = np.corrcoef(scores, groups)[0, 1]
    t = d / math.sqrt(1 / 30 + 1 / 50)
    assert effect_size(stat="t", value=t, n=80).r == pytest.approx(exact, abs=1e-10)
    assert plain.r == pytest.approx(exact, abs=0.005)  # a in place of (n - 2)(1/n1 + 1/n2)


def test_variances_of_d_by_the_delta_method() -> None:
    d, n1, n2 = 0.6, 40, 25
    found = effect_size(stat="d", value=d, n1=n1, n2=n2)
    v_d = 1 / n1 + 1 / n2 + d**2 / (2 * (n1 + n2))
    step = 1e-6
    slope = (
        effect_size(stat="d", value=d + step, n1=n1, n2=n2).yi
        - effect_size(stat="d", value=d - step, n1=n1, n2=n2).yi
    ) / (2 * step)
    assert found.vi == pytest.approx(slope**2 * v_d, rel=1e-7)


def test_a_table_its_odds_ratio_and_an_empty_cell() -> None:
    cells = (30.0, 10.0, 20.0, 20.0)
    table = effect_size(stat="OR", cells=cells)
    se = math.sqrt(sum(1 / x for x in cells))
    printed = effect_size(stat="OR", value=3.0, se=se, n1=40, n2=40)
    limits = (3 * math.exp(-1.6448536269514722 * se), 3 * math.exp(1.6448536269514722 * se))
    interval = effect_size(stat="OR", value=3.0, ci=limits, ci_level=90, n1=40, n2=40)
    for found in (printed, interval):
        assert found.yi == pytest.approx(table.yi, abs=1e-10)
        assert found.vi == pytest.approx(table.vi, abs=1e-10)
    d = math.log(3) * math.sqrt(3) / math.pi
    assert table.r == pytest.approx(d / math.sqrt(d**2 + 4), abs=CLOSED_FORM)
    turned = effect_size(stat="OR", cells=cells, sign=-1)
    assert turned.yi == -table.yi
    empty = effect_size(stat="OR", cells=(12, 0, 7, 9))
    assert empty.quality == "approximated" and "0.5 added" in empty.trace
    phi = effect_size(stat="chi2", cells=cells)
    x, y = np.repeat([1, 1, 0, 0], [30, 10, 20, 20]), np.repeat([1, 0, 1, 0], [30, 10, 20, 20])
    assert phi.r == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
    chi2 = 80 * phi.r**2
    assert effect_size(stat="chi2", value=chi2, n=80, sign=1).r == pytest.approx(phi.r)


def test_a_slope_per_unit_of_alliance() -> None:
    se = 0.02
    found = effect_size(stat="OR", value=1.05, se=se, sd_x=10, n=150)
    d = math.log(1.05) * 10 * math.sqrt(3) / math.pi
    assert found.r == pytest.approx(d / math.sqrt(1 + d**2))
    assert found.v_r == pytest.approx((se * 10 * math.sqrt(3) / math.pi) ** 2 / (1 + d**2) ** 3)
    assert found.quality == "approximated"
    hazard = effect_size(stat="HR", value=1.05, se=se, sd_x=10, n=150)
    assert hazard.yi == found.yi and hazard.quality == "bounded"


def test_bounds_have_no_value() -> None:
    for text, words in (
        ("<.05", "|r| > 0.297"),
        ("p < .05", "|r| > 0.297"),
        ("*", "|r| > 0.297"),
        ("n.s.", "|r| < 0.297"),
        ("> .05", "|r| < 0.297"),
    ):
        found = effect_size(stat="p", p=text, n=44, sign=1)
        assert math.isnan(found.yi) and math.isnan(found.vi)
        assert found.quality == "bounded" and words in found.trace
    none = effect_size(stat="n.s. only", n=44)
    assert math.isnan(none.yi) and "|r| < 0.297" in none.trace
    exact = effect_size(stat="p", p="= .03", n=60, sign=1)
    assert exact.yi == effect_size(stat="p", value=0.03, n=60, sign=1).yi
    assert effect_size(stat="p", p=0.03, n=60, sign=1).yi == exact.yi


def test_spearman_and_semipartial() -> None:
    found = effect_size(stat="rho_spearman", value=0.427, n=55)
    assert found.vi == pytest.approx((1 + 0.427**2 / 2) / 52)
    assert math.sqrt(found.v_r) == pytest.approx(0.11845, abs=5e-6)
    assert found.quality == "converted"
    semi = effect_size(stat="r_semipartial", value=0.4, R2=0.25, n=60)
    assert math.sqrt(semi.v_r) == pytest.approx(0.10363, abs=5e-6)
    assert semi.vi == pytest.approx(semi.v_r / (1 - 0.16) ** 2)


@pytest.mark.parametrize(
    ("reported", "named"),
    [
        ({"stat": "F", "value": 4, "df": 58}, "no sign of its own"),
        ({"stat": "F", "value": 4, "df1": 2, "df": 58, "sign": 1}, "more than two groups"),
        ({"stat": "F", "value": -4, "df": 58, "sign": 1}, "below 0"),
        ({"stat": "chi2", "value": 4, "n": 60}, "no sign of its own"),
        ({"stat": "chi2", "value": 4, "n": 60, "df": 2, "sign": 1}, "only df = 1"),
        ({"stat": "chi2", "value": 70, "n": 60, "sign": 1}, "not below n"),
        ({"stat": "R2", "value": 0.2, "n": 60, "m": 3, "sign": 1}, "3 predictors"),
        ({"stat": "R2", "value": 1.2, "n": 60, "sign": 1}, "between 0 and 1"),
        ({"stat": "p", "value": 0.0, "n": 60, "sign": 1}, "no exact p"),
        ({"stat": "p", "n": 60, "sign": 1}, "p is missing"),
        ({"stat": "p", "p": "about .05", "n": 60, "sign": 1}, "unreadable"),
        ({"stat": "t", "value": 2.5}, "df or n is missing"),
        ({"stat": "t", "value": 2.5, "n": 60, "df": 400}, "degrees of freedom of occasions"),
        ({"stat": "d", "value": 0.5}, "n1 and n2 are missing"),
        ({"stat": "d", "mean1": 3, "sd1": 1, "n1": 20, "n2": 20}, "mean2, sd2"),
        ({"stat": "OR", "value": -1, "se": 0.2, "n": 60}, "not above 0"),
        ({"stat": "OR", "value": 2, "n": 60}, "add se, the confidence interval"),
        ({"stat": "OR", "cells": (0, 0, 4, 5)}, "row of the 2x2 table is empty"),
        ({"stat": "HR", "value": 1.2, "se": 0.1}, "sd_x is missing"),
        ({"stat": "beta", "value": 0.2, "n": 80, "m": 3}, "add se, the confidence interval"),
        ({"stat": "beta", "value": 0.2, "n": 80}, "m is missing"),
        (
            {"stat": "b", "value": 2, "se": 1, "n": 80, "m": 2, "component": "contextual"},
            "kept, not",
        ),
        ({"stat": "r", "value": math.inf, "n": 80}, "no finite number"),
        ({"stat": "rho_spearman", "value": 0.2, "n": 80, "component": "within"}, "is not known"),
        ({"stat": "r_semipartial", "value": 0.6, "R2": 0.25, "n": 60}, "R2 = 0.25"),
    ],
)
def test_what_is_missing_or_impossible(reported: dict[str, Any], named: str) -> None:
    with pytest.raises(ConversionError, match=named):
        effect_size(**reported)


def test_corrections_and_composites() -> None:
    assert disattenuate(0.28, 0.0025, 0.8, 0.9)[0] == pytest.approx(0.28 / math.sqrt(0.72))
    with pytest.raises(ValueError, match=r"would be 1\.2"):
        disattenuate(0.6, 0.01, 0.5, 0.5)
    assert correct_range(0.3, 0.01, 1.0) == (pytest.approx(0.3), pytest.approx(0.01))
    step = 1e-6
    slope = (correct_range(0.3 + step, 1, 1.4)[0] - correct_range(0.3 - step, 1, 1.4)[0]) / (
        2 * step
    )
    assert correct_range(0.3, 0.01, 1.4)[1] == pytest.approx(0.01 * slope**2, rel=1e-8)
    assert effective_n(300, 1, 0.05, 0.05) == 300
    # the composite is the correlation with the sum of the standardised scores
    rng = np.random.default_rng(8)
    x = rng.normal(size=(400, 3)) + rng.normal(size=(400, 1))
    y = x.sum(axis=1) + rng.normal(size=400) * 3
    z = (x - x.mean(0)) / x.std(0)
    inter = np.corrcoef(z.T)
    mean = inter[np.triu_indices(3, 1)].mean()
    r = [np.corrcoef(z[:, j], y)[0, 1] for j in range(3)]
    assert composite_r(r, mean, 400)[0] == pytest.approx(
        np.corrcoef(z.sum(axis=1), y)[0, 1], abs=1e-12
    )
    assert composite_r([0.3], 0.5, 40)[0] == pytest.approx(0.3)
    with pytest.raises(ValueError, match="cannot all hold"):
        composite_r([0.9, 0.9], -0.5, 40)


def test_biserial_of_a_median_split() -> None:
    """A cut through a normal score: the biserial correlation finds the one behind the cut."""
    rng = np.random.default_rng(12)
    x = rng.normal(size=200_000)
    y = 0.4 * x + math.sqrt(1 - 0.16) * rng.normal(size=200_000)
    high = y[x > 0.3], y[x <= 0.3]
    pooled = math.sqrt(sum((len(g) - 1) * g.var(ddof=1) for g in high) / (len(x) - 2))
    d = (high[0].mean() - high[1].mean()) / pooled
    assert biserial_from_d(d, len(high[0]), len(high[1]))[0] == pytest.approx(0.4, abs=0.01)


REALS = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6),
    st.floats(-1.5, 1.5),
    st.integers(-3, 400).map(float),
    st.sampled_from([0.0, 1.0, -1.0, math.inf, math.nan, 1e-300, 1e300]),
)


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_any_numbers_give_an_effect_or_say_why_not(data: st.DataObject) -> None:
    names = ("value", "n", "se", "df", "R2", "n1", "n2", "mean1", "sd1", "mean2", "sd2")
    more = ("sd_x", "sd_y", "icc_x", "icc_y", "n_obs", "sessions", "test_value")
    reported: dict[str, Any] = {name: data.draw(REALS) for name in (*names, *more)}
    reported["stat"] = data.draw(st.sampled_from(get_args(Stat)))
    reported["df1"] = data.draw(st.sampled_from([1, 1, 2]))
    reported["m"] = data.draw(st.sampled_from([None, 1, 2, 5, -1]))
    reported["sign"] = data.draw(st.sampled_from([None, 1, -1]))
    reported["component"] = data.draw(st.sampled_from(["total", "within", "between_observed"]))
    reported["estimand"] = data.draw(st.sampled_from(["NA", "lagged_partial", "concurrent_r"]))
    reported["sd_level"] = data.draw(st.sampled_from([None, "within", "total", "between"]))
    reported["p"] = data.draw(st.sampled_from([None, "<.05", "n.s.", "x", ".03", "***"]))
    if data.draw(st.booleans()):
        reported["ci"] = (data.draw(st.floats(-3, 3)), data.draw(st.floats(-3, 3)))
    if data.draw(st.booleans()):
        reported["cells"] = tuple(data.draw(st.integers(-1, 50)) for _ in range(4))
    try:
        found = effect_size(**reported)
    except ConversionError as error:
        assert str(error)
        return
    assert isinstance(found, Estimate) and found.trace
    if found.route != "bound":
        assert math.isfinite(found.yi) and found.vi > 0
        assert found.es_metric == "beta" or -1 < found.r < 1


@settings(max_examples=100, deadline=None)
@given(
    stat=st.sampled_from(["r", "z", "t", "d", "g", "rho_spearman", "b", "beta"]),
    value=st.floats(-0.9, 0.9),
    n=st.integers(8, 500),
)
def test_the_sign_turns_the_effect_and_nothing_else(stat: str, value: float, n: int) -> None:
    extra = {"se": 0.2, "m": 2} if stat in ("b", "beta") else {}
    plus = effect_size(stat=stat, value=value, n=n, **extra)
    minus = effect_size(stat=stat, value=value, n=n, sign=-1, **extra)
    turned = effect_size(stat=stat, value=-value, n=n, **extra)
    assert minus.yi == turned.yi == pytest.approx(-plus.yi)
    assert minus.vi == pytest.approx(plus.vi)
