"""What R's own tests print of data, converted back: the correlation of those data."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from metalliance.effectsize.convert import Estimate, effect_size
from metalliance.effectsize.groups import biserial_from_d
from tests.tolerances import CLOSED_FORM, ITERATED

STORED = json.loads(
    (Path(__file__).parents[1] / "reference" / "conversions.json").read_text(encoding="utf-8")
)


def is_r(found: Estimate, r: float, v: float | None = None) -> None:
    assert found.r == pytest.approx(r, rel=CLOSED_FORM)
    assert found.yi == pytest.approx(math.atanh(r), rel=CLOSED_FORM)
    if v is not None:
        assert found.vi == pytest.approx(v, rel=CLOSED_FORM)


@pytest.mark.parametrize("case", STORED["across"])
def test_a_correlation_however_r_prints_it(case: dict[str, Any]) -> None:
    n, df, r = case["n"], case["df"], case["r"]
    sign = 1 if r > 0 else -1
    # cor.test builds its interval on z
    v = ((case["z_high"] - case["z_low"]) / (2 * 1.959963984540054)) ** 2
    for found in (
        effect_size(stat="r", value=r, n=n),
        effect_size(stat="t", value=case["t"], n=n),
        effect_size(stat="t", value=case["t"], df=df),
        effect_size(stat="F", value=case["F"], df=df, sign=sign),
        effect_size(stat="R2", value=case["R2"], n=n, sign=sign),
    ):
        is_r(found, r, v)
        assert found.ni == n
    one_sided = case["p_greater"] if r > 0 else 1 - case["p_greater"]
    for found in (
        effect_size(stat="p", value=case["p"], n=n, sign=sign),
        effect_size(stat="p", p=f"p = {case['p']:.17g}", df=df, sign=sign),
        effect_size(stat="p", value=one_sided, tail=1, n=n, sign=sign),
    ):
        assert found.r == pytest.approx(r, rel=1e-9)  # p = 1 - p costs digits
        assert found.vi == pytest.approx(v, rel=CLOSED_FORM)


@pytest.mark.parametrize("case", STORED["across"])
def test_partial_and_semipartial_correlations(case: dict[str, Any]) -> None:
    n, m, r = case["n"], case["m"], case["r_partial"]
    sign = 1 if r > 0 else -1
    for found in (
        effect_size(stat="r_partial", value=r, n=n, m=m),
        effect_size(stat="t", value=case["t_many"], n=n, m=m),
        effect_size(stat="F", value=case["t_many"] ** 2, n=n, m=m, sign=sign),
        effect_size(stat="p", value=case["p_many"], n=n, m=m, sign=sign),
    ):
        assert found.r == pytest.approx(r, rel=1e-9)
        assert found.yi == pytest.approx(case["zpcor"], rel=1e-9)
        assert found.vi == pytest.approx(1 / (n - m - 2), rel=CLOSED_FORM)
        assert found.v_r == pytest.approx((1 - r**2) ** 2 / (n - m), rel=1e-9)
    semi = effect_size(stat="r_semipartial", value=case["r_semipartial"], R2=case["R2_many"], n=n)
    assert semi.v_r == pytest.approx(case["spcor"], rel=CLOSED_FORM)


@pytest.mark.parametrize("case", STORED["across"])
def test_what_not_significant_means(case: dict[str, Any]) -> None:
    bound = f"|r| < {case['r_critical']:.3f}"
    assert bound in effect_size(stat="n.s. only", n=case["n"]).trace
    assert bound in effect_size(stat="p", p="n.s.", n=case["n"]).trace
    above = effect_size(stat="p", p="< .05", n=case["n"]).trace
    assert f"|r| > {case['r_critical']:.3f}" in above


@pytest.mark.parametrize("case", STORED["groups"])
def test_two_groups(case: dict[str, Any]) -> None:
    sizes = {"n1": case["n1"], "n2": case["n2"]}
    sign = 1 if case["t"] > 0 else -1
    # t and F of two groups are those of the point-biserial correlation
    is_r(effect_size(stat="t", value=case["t"], **sizes), case["r_pb"])
    is_r(effect_size(stat="F", value=case["F"], df=case["df"], sign=sign), case["r_pb"])
    names = ("mean1", "sd1", "mean2", "sd2")
    printed = [
        effect_size(stat="d", value=case["d"], **sizes),
        effect_size(stat="g", value=case["g"], **sizes),
        effect_size(stat="d", **sizes, **{name: case[name] for name in names}),
        effect_size(stat="d", value=case["d"], se=math.sqrt(case["v_d"]), **sizes),
        effect_size(stat="d", value=case["d"], n=sum(sizes.values()), n1=case["n1"]),
    ]
    a = (case["n1"] + case["n2"]) ** 2 / (case["n1"] * case["n2"])
    r = case["d"] / math.sqrt(case["d"] ** 2 + a)
    v_r = a**2 * case["v_d"] / (case["d"] ** 2 + a) ** 3
    for found in printed:
        is_r(found, r, v_r / (1 - r**2) ** 2)
        assert found.v_r == pytest.approx(v_r, rel=CLOSED_FORM)
        assert found.quality == "converted"
    biserial = biserial_from_d(case["d"], case["n1"], case["n2"])
    assert biserial == pytest.approx((case["r_bis"], case["v_bis"]), rel=CLOSED_FORM)


@pytest.mark.parametrize("case", STORED["tables"])
def test_two_by_two_tables(case: dict[str, Any]) -> None:
    cells = case["cells"]
    sizes = {"n1": cells[0] + cells[1], "n2": cells[2] + cells[3]}
    ratio = {"stat": "OR", "value": case["or"]}
    a = sum(cells) ** 2 / (sizes["n1"] * sizes["n2"])
    r = case["d"] / math.sqrt(case["d"] ** 2 + a)
    v = a**2 * case["v_d"] / (case["d"] ** 2 + a) ** 3 / (1 - r**2) ** 2
    is_r(effect_size(stat="OR", cells=cells), r, v)
    is_r(effect_size(**ratio, se=case["se"], **sizes), r, v)
    for found in (  # glm iterates
        effect_size(stat="OR", value=case["glm_or"], se=case["glm_se"], **sizes),
        effect_size(**ratio, ci=case["ci"], **sizes),
        effect_size(**ratio, ci=case["ci90"], ci_level=90, **sizes),
        effect_size(**ratio, test_value=case["glm_z"], **sizes),
    ):
        assert found.r == pytest.approx(r, rel=ITERATED)
        assert found.vi == pytest.approx(v, rel=ITERATED)
    phi = effect_size(stat="chi2", cells=cells)
    is_r(phi, case["phi"])
    assert phi.v_r == pytest.approx(case["v_phi"], rel=CLOSED_FORM)
    sign = 1 if case["phi"] > 0 else -1
    is_r(effect_size(stat="chi2", value=case["chi2"], n=sum(cells), sign=sign), case["phi"])


@pytest.mark.parametrize("case", STORED["within"])
def test_a_slope_common_to_all_patients(case: dict[str, Any]) -> None:
    """The t of a fixed-slope model is that of the repeated-measures correlation."""
    n, sessions, df = case["n"], case["sessions"], case["df"]
    within = {"component": "within", "n": n}
    sign = 1 if case["t"] > 0 else -1
    for found in (
        effect_size(stat="t", value=case["t"], sessions=sessions, **within),
        effect_size(stat="t", value=case["t"], n_obs=case["n_obs"], **within),
        effect_size(stat="t", value=case["t"], sessions=sessions, df=df, **within),
        effect_size(stat="F", value=case["F"], sessions=sessions, sign=sign, **within),
    ):
        assert found.r == pytest.approx(case["r"], rel=1e-9)
        assert found.quality == "bounded"
    printed = effect_size(stat="r", value=case["r"], n_obs=case["n_obs"], **within)
    assert printed.vi == pytest.approx(1 / (df - 1))
    later = effect_size(stat="r", value=case["r"], n_obs=case["n_obs"], lag=1, **within)
    assert later.vi == pytest.approx(1 / (df - n - 1))
    partial = effect_size(stat="r_partial", value=case["r"], m=3, n_obs=case["n_obs"], **within)
    assert partial.vi == pytest.approx(1 / (df - 3))
