"""Adjusted p-values against R's p.adjust, statsmodels, and what they mean."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalliance.numerics.multiplicity import benjamini_hochberg, holm
from tests.tolerances import CLOSED_FORM

STORED = json.loads(
    (Path(__file__).parents[1] / "reference" / "sophistication.json").read_text(encoding="utf-8")
)["adjust"]
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=6).map(np.array)


@pytest.mark.parametrize(("rule", "name"), [(holm, "holm"), (benjamini_hochberg, "fdr")])
def test_against_r(rule, name: str) -> None:
    np.testing.assert_allclose(rule(np.array(STORED["p"])), STORED[name], rtol=CLOSED_FORM)


def test_against_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(2).random(40) ** 3
    for rule, name in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        np.testing.assert_allclose(rule(p), multipletests(p, method=name)[1], rtol=CLOSED_FORM)


@given(P_VALUES)
def test_holm_is_the_closed_bonferroni_test(p) -> None:
    """p̃_i is the largest Bonferroni p-value of all intersections that hold hypothesis i."""
    m = len(p)
    closed = [
        max(
            min(1.0, size * p[list(subset)].min())
            for size in range(1, m + 1)
            for subset in combinations(range(m), size)
            if i in subset
        )
        for i in range(m)
    ]
    np.testing.assert_allclose(holm(p), closed, rtol=1e-12)


@given(P_VALUES)
def test_benjamini_hochberg_is_the_least_level_at_which_a_test_is_rejected(p) -> None:
    """At level q all tests up to the largest p with p ≤ q #{p_j ≤ p}/m are rejected."""
    levels = [len(p) * x / np.sum(p <= x) for x in p]
    least = [min(1.0, *(q for q, x in zip(levels, p, strict=True) if x >= one)) for one in p]
    np.testing.assert_allclose(benjamini_hochberg(p), least, rtol=1e-12)


def test_missing_tests_do_not_count() -> None:
    p = np.array([0.01, np.nan, 0.04])
    np.testing.assert_allclose(holm(p), [0.02, np.nan, 0.04])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.02, np.nan, 0.04])
    assert np.isnan(holm(np.array([np.nan]))).all()
    assert holm(np.array([])).shape == (0,)
