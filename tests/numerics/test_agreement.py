"""Coefficients of agreement: published examples, other software, brute force, simulation."""

from __future__ import annotations

import doctest
import importlib
import json
import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metalliance.numerics.agreement import (
    KAPPA_WEIGHTS,
    KappaWeights,
    cohen_kappa,
    gwet_ac1,
    light_kappa,
    percent_agreement,
)
from metalliance.numerics.intraclass import intraclass_correlation, limits_of_agreement
from metalliance.numerics.krippendorff import ALPHA_METRICS, AlphaMetric, krippendorff_alpha
from tests.tolerances import CLOSED_FORM, ITERATED

REFERENCE = Path(__file__).parents[1] / "reference"
BY_R = json.loads((REFERENCE / "agreement.json").read_text(encoding="utf-8"))
BY_OTHERS = json.loads((REFERENCE / "agreement_coefficients.json").read_text(encoding="utf-8"))
NA = math.nan
# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), examples B and C
B = [
    (0, 1), (0, 0), (1, 1), (1, 1), (3, 1), (2, 2), (2, 2), (2, 2), (4, 4), (3, 3), (3, 3), (0, 3)
]  # fmt: skip
C = np.array(
    [
        [1, 1, NA, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
        [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [NA, 5, 5, 5], [NA, NA, 1, 1], [NA, NA, 3, NA],
    ]
)  # fmt: skip


def pairs(table: Any) -> np.ndarray:
    """Codes that have this cross table."""
    counts = np.asarray(table)
    rows = [(i, j) for i in range(len(counts)) for j in range(len(counts))]
    return np.repeat(np.array(rows, float), counts.ravel(), axis=0)


def close(value: float) -> Any:
    return pytest.approx(value, rel=CLOSED_FORM, abs=CLOSED_FORM)


@pytest.mark.parametrize("name", ["agreement", "intraclass", "krippendorff"])
def test_examples_run(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"metalliance.numerics.{name}"))
    assert (done.failed, done.attempted > 0) == (0, True)


def test_options_are_their_literals() -> None:
    assert set(KAPPA_WEIGHTS) == set(get_args(KappaWeights))
    assert set(ALPHA_METRICS) == set(get_args(AlphaMetric))
    with pytest.raises(ValueError, match="none, linear, quadratic"):
        cohen_kappa(pairs([[1, 0], [0, 1]]), weights="cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nominal, ordinal, interval"):
        krippendorff_alpha(C, "ratio")  # type: ignore[arg-type]


def test_kappa_of_cohen_1960_and_of_fleiss() -> None:
    cohen = pairs([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    assert cohen_kappa(cohen).estimate == pytest.approx(0.492, abs=5e-4)
    fleiss = pairs([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
    assert cohen_kappa(fleiss).estimate == pytest.approx(0.676, abs=5e-4)


def test_the_paradox_of_gwet_2008() -> None:
    codes = pairs([[118, 5], [2, 0]])
    assert cohen_kappa(codes).estimate == pytest.approx(-0.0234, abs=5e-5)
    assert gwet_ac1(codes).estimate == pytest.approx(0.9408, abs=5e-5)


def test_alpha_of_krippendorffs_examples() -> None:
    assert krippendorff_alpha(np.array(B, float)).estimate == pytest.approx(0.692, abs=5e-4)
    published = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849}
    for metric in get_args(AlphaMetric):
        found = krippendorff_alpha(C, metric)
        assert found.estimate == pytest.approx(published[metric], abs=5e-4)
        assert (found.n, found.conf_low < found.estimate <= found.conf_high) == (11, True)


def test_icc_of_shrout_and_fleiss_1979() -> None:
    table = np.array(BY_R["iccs"][0]["x"])
    assert intraclass_correlation(table).estimate == pytest.approx(0.29, abs=5e-3)


@pytest.mark.parametrize("case", BY_R["kappas"])
def test_kappas_are_those_of_psych(case: dict[str, Any]) -> None:
    codes = np.column_stack([case["a"], case["b"]]).astype(float)
    plain = cohen_kappa(codes)
    assert plain.estimate == close(case["kappa"])
    assert plain.std_error**2 == close(case["var_kappa"])
    assert cohen_kappa(codes, weights="linear").estimate == close(case["linear"])
    assert cohen_kappa(codes, weights="quadratic").estimate == close(case["quadratic"])


@pytest.mark.parametrize("case", BY_R["iccs"])
def test_iccs_are_those_of_psych(case: dict[str, Any]) -> None:
    found = intraclass_correlation(np.array(case["x"], float))
    got = (found.estimate, found.conf_low, found.conf_high)
    assert got == close((case["icc"], case["low"], case["high"]))


@pytest.mark.parametrize("case", BY_OTHERS["cases"])
def test_ac1_and_alpha_are_those_of_other_software(case: dict[str, Any]) -> None:
    codes = np.array(case["codes"], float)
    ac1 = gwet_ac1(codes)
    printed = 2e-12  # printed with 14 decimals, rounded on the way
    assert ac1.estimate == pytest.approx(case["ac1"]["estimate"], abs=printed)
    assert ac1.std_error == pytest.approx(case["ac1"]["std_error"], abs=printed)
    # the t quantile of the SciPy that irrCAC needs is right to 1e-8; R's is ours
    assert [ac1.conf_low, ac1.conf_high] == pytest.approx(case["limits"], abs=ITERATED)
    for metric in get_args(AlphaMetric):
        found = krippendorff_alpha(codes, metric, resamples=0)
        assert found.estimate == close(case["alpha"][metric])


@pytest.mark.parametrize("weights", get_args(KappaWeights))
def test_the_variance_of_kappa_is_that_of_the_delta_method(weights: KappaWeights) -> None:
    """By numerical derivatives over the cells; psych's var.weighted is another formula."""
    table = np.array([[20.0, 5, 2], [6, 15, 4], [1, 7, 30]])
    n, p = table.sum(), table / table.sum()
    far = np.abs(np.subtract.outer(np.arange(3), np.arange(3))).astype(float)
    v = {"none": (far > 0).astype(float), "linear": far, "quadratic": far**2}[weights]

    def kappa(p: np.ndarray) -> float:
        return float(1 - (v * p).sum() / (v * np.outer(p.sum(1), p.sum(0))).sum())

    step, gradient = 1e-6, np.zeros(9)
    for cell in range(9):
        up, down = p.copy().ravel(), p.copy().ravel()
        up[cell] += step
        down[cell] -= step
        gradient[cell] = (kappa(up.reshape(3, 3)) - kappa(down.reshape(3, 3))) / (2 * step)
    flat = p.ravel()
    variance = ((gradient**2 * flat).sum() - (gradient * flat).sum() ** 2) / n
    found = cohen_kappa(pairs(table.astype(int)), weights=weights)
    assert found.std_error**2 == pytest.approx(variance, rel=1e-7)


@given(arrays(float, st.tuples(st.integers(2, 12), st.just(2)), elements=st.integers(0, 3)))
def test_two_coders_by_counting(codes: np.ndarray) -> None:
    n, values = len(codes), np.unique(codes)
    observed = sum(a == b for a, b in codes) / n
    assert percent_agreement(codes).estimate == close(100 * observed)
    chance = sum((codes[:, 0] == v).mean() * (codes[:, 1] == v).mean() for v in values)
    kappa = cohen_kappa(codes)
    if chance == 1:
        assert math.isnan(kappa.estimate) and "one category" in kappa.note
    else:
        assert kappa.estimate == close((observed - chance) / (1 - chance))
    pooled = [codes.ravel()[codes.ravel() != v].size for v in values]
    among = sum(m * (2 * n - m) for m in pooled) / (2 * n * (2 * n - 1))
    alpha = krippendorff_alpha(codes, resamples=0)
    if len(values) == 1:
        assert math.isnan(alpha.estimate)
    else:
        assert alpha.estimate == close(1 - (1 - observed) / among)
        mean = percent_agreement(codes[:, ::-1])
        assert mean.estimate == close(100 * observed)


@given(
    arrays(float, st.tuples(st.integers(3, 10), st.just(3)), elements=st.integers(0, 4)),
    st.sampled_from(["ordinal", "interval"]),
)
def test_alpha_by_the_definition(codes: np.ndarray, metric: AlphaMetric) -> None:
    """Every pair of codes, one by one."""
    values, counts = np.unique(codes, return_counts=True)
    if len(values) == 1:
        return
    between = dict(zip(values, counts, strict=True))

    def difference(c: float, k: float) -> float:
        if metric == "interval":
            return (c - k) ** 2
        low, high = sorted((c, k))
        inside = sum(m for v, m in between.items() if low <= v <= high)
        return (inside - (between[c] + between[k]) / 2) ** 2 if c != k else 0.0

    within = np.mean([difference(a, b) for row in codes for a, b in combinations(row, 2)])
    among = np.mean([difference(a, b) for a, b in combinations(codes.ravel(), 2)])
    assert krippendorff_alpha(codes, metric, resamples=0).estimate == close(1 - within / among)


def test_binary_ordinal_alpha_is_nominal_alpha() -> None:
    codes = pairs([[10, 3], [2, 7]])
    nominal = krippendorff_alpha(codes, "nominal")
    for metric in ("ordinal", "interval"):
        found = krippendorff_alpha(codes, metric)
        assert found.estimate == close(nominal.estimate)
        assert found.conf_low == close(nominal.conf_low)


def test_lights_kappa_is_the_mean_over_pairs() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(3, size=(30, 3)).astype(float)
    codes[:, 1] = codes[:, 0]
    codes[4, 2] = np.nan
    each = [cohen_kappa(codes[:, [i, j]]).estimate for i, j in ((0, 1), (0, 2), (1, 2))]
    assert light_kappa(codes).estimate == close(float(np.mean(each)))
    assert light_kappa(codes[:, :2]) == cohen_kappa(codes[:, :2])
    constant = np.column_stack([np.zeros(30), np.zeros(30), codes[:, 0]])
    assert light_kappa(constant).note == "mean of 2 of 3 pairs of coders"


@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(2, 3)), elements=st.integers(0, 3)))
def test_an_icc_is_a_number_with_limits_around_it_or_says_why_not(numbers: np.ndarray) -> None:
    found = intraclass_correlation(numbers)
    if math.isnan(found.estimate) or math.isnan(found.conf_low):
        assert found.note
    else:
        assert found.conf_low - 1e-9 <= found.estimate <= found.conf_high + 1e-9


def test_limits_of_agreement_by_hand() -> None:
    found = limits_of_agreement(np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 5.0], [np.nan, 1.0]]))
    assert (found.n, found.bias, found.sd) == (3, 1.0, 1.0)
    assert (found.low, found.high) == (close(1 - 1.959963984540054), close(1 + 1.959963984540054))


@pytest.mark.parametrize(
    "coefficient",
    [percent_agreement, cohen_kappa, light_kappa, gwet_ac1, krippendorff_alpha],
)
def test_nothing_to_compare_is_nan_with_a_reason(coefficient: Callable[..., Any]) -> None:
    for codes in (np.empty((0, 2)), np.array([[1.0, NA], [NA, 0.0]])):
        found = coefficient(codes)
        assert math.isnan(found.estimate) and found.n == 0
        assert found.note == "no unit was coded by two coders"


def test_one_category_only() -> None:
    codes = np.zeros((12, 2))
    assert percent_agreement(codes).estimate == 100
    for coefficient in (cohen_kappa, light_kappa, krippendorff_alpha):
        found = coefficient(codes)
        assert math.isnan(found.estimate) and found.note.startswith("all codes are one category")
    ac1 = gwet_ac1(codes)
    assert ac1.estimate == 1 and math.isnan(ac1.conf_low) and "perfect agreement" in ac1.note
    assert math.isnan(intraclass_correlation(codes).estimate)


def test_perfect_agreement_has_no_interval() -> None:
    codes = pairs([[5, 0], [0, 7]])
    for coefficient in (cohen_kappa, gwet_ac1, krippendorff_alpha, intraclass_correlation):
        found = coefficient(codes)
        assert found.estimate == 1 and math.isnan(found.conf_low)
        assert found.note == "no interval at perfect agreement"


def test_a_single_unit_or_a_constant_coder_gives_no_nonsense() -> None:
    one = np.array([[0.0, 1.0]])
    assert cohen_kappa(one).estimate == 0
    assert gwet_ac1(one).note == "no interval from one unit"
    assert krippendorff_alpha(one).note == "no interval from fewer than 3 units"
    assert intraclass_correlation(one).note.startswith("fewer than 2 units")
    constant = np.column_stack([np.zeros(8), [0, 0, 0, 1, 0, 0, 1, 0.0]])
    assert cohen_kappa(constant).estimate == close(0.0)


def test_what_is_no_category_is_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers from 0"):
        cohen_kappa(np.array([[0.5, 1.0]]))
    with pytest.raises(ValueError, match="from 0 to 1"):
        cohen_kappa(np.array([[0.0, 2.0]]), categories=2)
    with pytest.raises(ValueError, match="see light_kappa"):
        cohen_kappa(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="3 categories occur, not 2"):
        gwet_ac1(np.array([[0.0, 1.0], [2.0, 2.0]]), categories=2)


# --- coverage of the 95 % intervals -----------------------------------------------------------


def codes_of(rng: np.random.Generator, n: int, base: tuple[float, ...], right: float) -> np.ndarray:
    """Two coders see the truth with probability ``right`` and guess by the base rates else."""
    truth = rng.choice(len(base), size=n, p=base)
    guesses = rng.choice(len(base), size=(n, 2), p=base)
    return np.where(rng.random((n, 2)) < right, truth[:, None], guesses).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 60, 150])
@pytest.mark.parametrize("base", [(0.5, 0.3, 0.2), (0.9, 0.05, 0.05)])
def test_coverage_of_category_intervals(n: int, base: tuple[float, ...]) -> None:
    rng = np.random.default_rng(11)
    large = codes_of(rng, 400_000, base, 0.9)
    verbs: dict[str, Callable[[np.ndarray], Any]] = {
        "kappa": cohen_kappa,
        "quadratic": lambda codes: cohen_kappa(codes, weights="quadratic"),
        "ac1": gwet_ac1,
        "alpha": lambda codes: krippendorff_alpha(codes, "ordinal", resamples=500),
    }
    truth = {name: verb(large).estimate for name, verb in verbs.items() if name != "alpha"}
    truth["alpha"] = krippendorff_alpha(large, "ordinal", resamples=0).estimate
    inside = {name: [0, 0] for name in verbs}
    for _ in range(600):
        codes = codes_of(rng, n, base, 0.9)
        for name, verb in verbs.items():
            found = verb(codes)
            if not math.isnan(found.conf_low):
                inside[name][0] += found.conf_low <= truth[name] <= found.conf_high
                inside[name][1] += 1
    rates = {name: hit / of for name, (hit, of) in inside.items()}
    print(n, base, {name: round(rate, 3) for name, rate in rates.items()})
    assert min(rates.values()) > 0.6  # the figures stand in docs/validation.md


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 30, 100])
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_coverage_of_the_icc(n: int, bias: float) -> None:
    """Coders are a sample: their biases are drawn anew each time."""
    rng = np.random.default_rng(12)
    hits, runs = 0, 2000
    truth = 1 / (1 + bias**2 + 0.25)
    for _ in range(runs):
        table = rng.normal(size=(n, 1)) + rng.normal(0, bias, 2) + rng.normal(0, 0.5, (n, 2))
        found = intraclass_correlation(table)
        hits += found.conf_low <= truth <= found.conf_high
    print(n, bias, round(hits / runs, 3))
    assert hits / runs > 0.90
