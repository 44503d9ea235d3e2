"""Whatever is printed: identities between statistics, order, sign, and no other error."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalliance.effectsize.convert import CONVERSIONS, Stat, effect_size
from metalliance.effectsize.estimate import COMPONENTS, ESTIMANDS, Estimate
from metalliance.errors import ConversionError

T = st.floats(-8, 8).filter(lambda t: abs(t) > 1e-3)
N = st.integers(6, 400)


@settings(deadline=None)
@given(T, N)
def test_one_test_is_one_correlation(t: float, n: int) -> None:
    from scipy.special import stdtr

    sign, p = (1 if t > 0 else -1), float(2 * stdtr(n - 2, -abs(t)))
    by_t = effect_size(stat="t", value=t, n=n)
    others = [
        effect_size(stat="F", value=t * t, df=n - 2, sign=sign),
        effect_size(stat="r", value=by_t.r, n=n),
        effect_size(stat="R2", value=by_t.r**2, n=n, sign=sign),
        effect_size(stat="beta", value=by_t.r, n=n, m=1),
        effect_size(stat="p", value=p, n=n, sign=sign),
        effect_size(stat="p", value=p / 2, tail=1, df=n - 2, sign=sign),
    ]
    for other in others:
        assert other.yi == pytest.approx(by_t.yi, rel=1e-7)
        assert other.vi == pytest.approx(by_t.vi, rel=1e-12)


@settings(deadline=None)
@given(T, st.integers(3, 200))
def test_equal_groups_are_a_point_biserial_correlation(t: float, half: int) -> None:
    """With d = t·√(1/n1 + 1/n2) the d of equal groups is r = t/√(t² + n), whose t has n, not n − 2.

    The exact point-biserial correlation has (n − 2) in place of n.
    """
    n = 2 * half
    by_d = effect_size(stat="d", value=t * math.sqrt(2 / half), n1=half, n2=half)
    assert by_d.r == pytest.approx(t / math.sqrt(t * t + n), rel=1e-12)
    by_t = effect_size(stat="t", value=t, n=n)
    assert by_t.r == pytest.approx(t / math.sqrt(t * t + n - 2), rel=1e-12)
    assert abs(by_d.r) < abs(by_t.r)
    assert abs(by_t.r - by_d.r) < abs(by_t.r) / (n - 2)
    alike = effect_size(stat="d", value=t * math.sqrt(2 / half), n=n)
    assert (alike.yi, alike.quality) == (by_d.yi, "approximated")


RISING: dict[str, dict[str, Any]] = {
    "r": {"n": 50},
    "z": {"n": 50},
    "rho_spearman": {"n": 50},
    "r_partial": {"n": 50, "m": 3},
    "t": {"n": 50},
    "d": {"n1": 20, "n2": 30},
    "g": {"n1": 20, "n2": 30},
    "F": {"df": 48, "sign": 1},
    "chi2": {"n": 50, "sign": 1},
    "R2": {"n": 50, "sign": 1},
    "OR": {"se": 0.3, "n1": 20, "n2": 30},
    "b": {"se": 0.3, "n": 50, "m": 2},
}
UNSIGNED = ("F", "chi2", "R2", "OR")


@pytest.mark.parametrize("stat", RISING)
@given(one=st.floats(0.01, 0.9), more=st.floats(0.01, 0.09))
@settings(max_examples=30, deadline=None)
def test_a_larger_statistic_is_a_larger_effect(stat: str, one: float, more: float) -> None:
    low, high = (effect_size(stat=stat, value=x, **RISING[stat]) for x in (one, one + more))
    assert low.yi < high.yi
    if stat in UNSIGNED:
        turned = effect_size(stat=stat, value=one, **{**RISING[stat], "sign": -1})
    else:
        turned = effect_size(stat=stat, value=-one, **RISING[stat])
    assert turned.yi == -low.yi and turned.vi == low.vi


@settings(deadline=None)
@given(p=st.floats(0.001, 0.9), more=st.floats(0.01, 0.09))
def test_a_larger_p_is_a_smaller_effect(p: float, more: float) -> None:
    low, high = (effect_size(stat="p", value=x, n=40, sign=1) for x in (p, p + more))
    assert low.yi > high.yi >= 0


NUMBERS = st.one_of(
    st.none(),
    st.floats(-2, 3),
    st.integers(-3, 400).map(float),
    st.floats(),
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, 5e-324]),
)
TEXTS = st.sampled_from([None, "<.05", "n.s.", "x", ".03", "***", "> .5", "<0", "< 2", "", ",04"])
PRINTED = st.fixed_dictionaries(
    {
        "stat": st.sampled_from(get_args(Stat)),
        "sign": st.sampled_from([None, 1, -1]),
        "component": st.sampled_from([None, *COMPONENTS]),
        "estimand": st.sampled_from([None, *ESTIMANDS]),
        "sd_level": st.sampled_from([None, "within", "total", "between"]),
        "p": st.one_of(TEXTS, NUMBERS),
        "tail": st.sampled_from([2, 2, 1, 3]),
        "df1": st.sampled_from([1, 1, 2, 0]),
        "m": st.sampled_from([None, 1, 1, 2, 5, -1]),
        "lag": st.sampled_from([None, 0, 1, 2, 0.5, -1]),
        "ci_level": st.one_of(st.just(95), st.floats()),
        "ci": st.one_of(st.none(), st.tuples(st.floats(-3, 3), st.floats(-3, 3))),
        "cells": st.one_of(st.none(), st.tuples(*[st.floats(-1, 60)] * 4), st.tuples(NUMBERS)),
        **dict.fromkeys(
            [
                "value",
                "n",
                "se",
                "df",
                "R2",
                "n1",
                "n2",
                "mean1",
                "sd1",
                "mean2",
                "sd2",
                "sd_x",
                "sd_y",
                "icc_x",
                "icc_y",
            ],
            NUMBERS,
        ),
        **dict.fromkeys(["n_obs", "sessions", "test_value"], NUMBERS),
    }
)


def converted(printed: dict[str, Any]) -> Estimate | None:
    try:
        return effect_size(**printed)
    except ConversionError as error:
        assert len(str(error)) > 10
        assert "math domain" not in str(error)
        return None


@settings(max_examples=4000, deadline=None)
@given(PRINTED)
def test_any_numbers_make_a_finite_effect_or_a_sentence(printed: dict[str, Any]) -> None:
    found = converted(printed)
    if found is None:
        return
    assert found.trace.isascii()
    if math.isnan(found.yi):
        assert (found.quality, found.route) == ("bounded", "bound")
        assert math.isnan(found.vi) and math.isnan(found.r)
        return
    assert math.isfinite(found.yi) and 0 < found.vi < math.inf
    if found.es_metric == "z":
        # beyond |z| = 18 r rounds to 1
        assert found.r == pytest.approx(math.tanh(found.yi), abs=1e-12)
    else:
        assert printed["estimand"] == "lagged_partial"


@settings(max_examples=500, deadline=None)
@given(PRINTED)
def test_the_sign_turns_the_effect_and_nothing_else(printed: dict[str, Any]) -> None:
    plus, minus = (converted({**printed, "sign": sign}) for sign in (1, -1))
    assert (plus is None) == (minus is None)
    if plus is None or minus is None:
        return
    same = ("vi", "v_r", "ni", "route", "quality", "es_metric")
    assert all(
        getattr(minus, name) == pytest.approx(getattr(plus, name), nan_ok=True)
        if isinstance(getattr(plus, name), float)
        else getattr(minus, name) == getattr(plus, name)
        for name in same
    )
    if math.isfinite(plus.yi):
        assert minus.yi == -plus.yi
        assert minus.trace.startswith(plus.trace) and "reversed" in minus.trace


@pytest.mark.parametrize("stat", sorted(set(CONVERSIONS) - {"n.s. only", "p"}))
@pytest.mark.parametrize("wrong", [math.nan, math.inf, "0.3", True, [0.3], 1j])
def test_no_number_is_refused_by_name(stat: str, wrong: Any) -> None:
    with pytest.raises(ConversionError, match=r"value = .* is no (finite )?number"):
        effect_size(stat=stat, value=wrong, n=60, df=58, n1=30, n2=30, se=0.1, m=1, sign=1)


@pytest.mark.parametrize(
    ("printed", "named"),
    [
        ({"component": "state"}, "component 'state' is none of: total"),
        ({"component": "witin"}, "did you mean 'within'"),
        ({"estimand": "lagged"}, "did you mean 'lagged_"),
        ({"sd_level": "all"}, "sd_level 'all' is none of: total, within, between"),
        ({"ci": (0.1,)}, "ci = .* must be 2 numbers"),
        ({"ci": 0.1}, "ci = .* must be 2 numbers"),
        ({"ci": (0.1, None)}, "ci = .* must be 2 numbers"),
        ({"cells": (1, 2, 3)}, "cells = .* must be 4 numbers"),
        ({"cells": "1234"}, "cells = .* must be 4 numbers"),
        ({"n": "60"}, "n = '60' is no number"),
        ({"sign": 0}, "sign is 1 or -1"),
        ({"stat": "rr"}, "none of: r, z"),
        ({"stat": ""}, "none of: r, z"),
        ({"component": "contextual"}, "kept, not pooled"),
        ({"stat": "t", "component": "blended"}, "kept, not pooled"),
        ({"estimand": "lagged_partial"}, "pooled as standardised coefficients; stat 'r' is none"),
    ],
)
def test_words_that_are_not_known(printed: dict[str, Any], named: str) -> None:
    with pytest.raises(ConversionError, match=named):
        effect_size(**{"stat": "r", "value": 0.3, "n": 60, **printed})


@pytest.mark.parametrize(
    ("printed", "trace"),
    [
        ({"p": "p<.05"}, "p < 0.05, df = 44 - 2 = 42: |r| > 0.297"),
        ({"value": "<.05"}, "p < 0.05, df = 44 - 2 = 42: |r| > 0.297"),
        ({"value": 0.05, "p": "<.05"}, "p < 0.05, df = 44 - 2 = 42: |r| > 0.297"),
        ({"p": "≤ .05"}, "p < 0.05, df = 44 - 2 = 42: |r| > 0.297"),
        ({"p": "< 0,05"}, "p < 0.05, df = 44 - 2 = 42: |r| > 0.297"),
        ({"p": "*", "tail": 1}, "p < 0.05, df = 44 - 2 = 42: |r| > 0.251"),
        ({"p": "***"}, "p < 0.001, df = 44 - 2 = 42: |r| > 0.479"),
        ({"p": "ns"}, "p > 0.05, df = 44 - 2 = 42: |r| < 0.297"),
        ({"p": "p > .10"}, "p > 0.1, df = 44 - 2 = 42: |r| < 0.251"),
        ({"p": "n.s.", "m": 4}, "p > 0.05, df = 44 - 4 - 1 = 39: |r| < 0.308"),
    ],
)
def test_an_inequality_is_a_bound(printed: dict[str, Any], trace: str) -> None:
    found = effect_size(stat="p", n=44, **printed)
    assert found.trace == trace
    assert (found.quality, found.route, found.ni) == ("bounded", "bound", 44)


def test_an_exact_p_beside_its_inequality() -> None:
    exact = effect_size(stat="p", value=0.03, n=44, sign=1)
    assert effect_size(stat="p", value=0.03, p="< .05", n=44, sign=1).yi == exact.yi
    assert effect_size(stat="p", value=0.20, p="n.s.", n=44, sign=1).yi > 0
    assert effect_size(stat="p", value=".03", n=44, sign=1).yi == exact.yi
    assert effect_size(stat="p", value=1, n=44, sign=-1).yi == 0
    for text in ("= .04", "> .05"):
        with pytest.raises(ConversionError, match="contradict each other"):
            effect_size(stat="p", value=0.03, p=text, n=44, sign=1)
    with pytest.raises(ConversionError, match=r"two-sided p, 0\.4, with the sign"):
        effect_size(stat="p", value=0.8, tail=1, n=44, sign=1)
    with pytest.raises(ConversionError, match="tail = 3"):
        effect_size(stat="p", value=0.03, tail=3, n=44, sign=1)


def test_tables_that_say_nothing_are_refused() -> None:
    for cells in ((0, 20, 0, 25), (20, 0, 25, 0)):
        for stat in ("OR", "chi2"):
            with pytest.raises(ConversionError, match="all patients have the same outcome"):
                effect_size(stat=stat, cells=cells)
    separated = effect_size(stat="OR", cells=(20, 0, 0, 25))
    assert separated.quality == "approximated" and separated.r > 0.8
    with pytest.raises(ConversionError, match="strictly between"):
        effect_size(stat="chi2", cells=(20, 0, 0, 25))


def test_the_words_are_those_of_the_codebook() -> None:
    import tomllib
    from importlib.resources import files

    text = files("metalliance.coding").joinpath("codebook.toml").read_text(encoding="utf-8")
    levels = tomllib.loads(text)["levels"]
    assert tuple(levels["component"]) == COMPONENTS
    assert tuple(levels["stat"]) == get_args(Stat)
    assert set(levels["sd_level"]) == {"total", "within", "between"}
    assert set(levels["estimand"]) == set(ESTIMANDS)
