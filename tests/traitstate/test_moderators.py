"""One regression for each moderator of a plan."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.effectsize.table import EffectTable
from metalliance.models.wald import wald_test
from metalliance.numerics.multiplicity import benjamini_hochberg, holm
from metalliance.traitstate.pooling import pool_effects
from tests.traitstate.test_sophistication_items import table


@pytest.fixture
def effects() -> EffectTable:
    rng = np.random.default_rng(4)
    base = table(40, 2)
    group = rng.choice(["a", "b", "c"], 40, p=[0.5, 0.3, 0.2])
    rows = base.usable.assign(
        year=np.repeat(1990.0 + rng.integers(0, 30, 40), 2),
        group=np.repeat(group, 2),
        rare=np.repeat(np.r_[np.full(38, "usual"), ["odd", "odd"]], 2),
        sparse=np.r_[np.full(20, "x"), np.full(20, "y"), np.full(40, None)],
        few=np.r_[np.arange(12.0), np.full(68, np.nan)],
    )
    names = ["year", "group", "rare", "sparse", "few"]
    return EffectTable.build(rows, moderators=names)


def test_a_number_has_a_slope(effects: EffectTable) -> None:
    found = ma.moderators(effects, {"year": "planned"})
    assert list(found["kind"]) == ["test", "slope"]
    plain = ma.tidy(pool_effects(effects, "~ year")).iloc[1]
    for name in ("estimate", "std_error", "df", "p_value"):
        assert found.iloc[1][name] == pytest.approx(plain[name], rel=1e-9)
    assert found.iloc[0]["p_value"] == found.iloc[1]["p_value"]


def test_words_have_means_and_one_test(effects: EffectTable) -> None:
    found = ma.moderators(effects, {"group": "planned"})
    assert list(found["level"]) == ["", "a", "b", "c"]
    by_level = ma.tidy(pool_effects(effects, "~ 0 + group"))
    for name in ("estimate", "std_error", "df", "conf_low"):
        np.testing.assert_allclose(found[name].iloc[1:], by_level[name], rtol=1e-6)
    np.testing.assert_allclose(found["estimate_r"], np.tanh(found["estimate"]))
    test = wald_test(pool_effects(effects, "~ group")).iloc[0]
    for ours, theirs in (("statistic", "statistic"), ("df", "df_den"), ("p_value", "p_value")):
        assert found.iloc[0][ours] == pytest.approx(test[theirs], rel=1e-6)
    assert found.iloc[0]["test"] == "HTZ" and found["k_effects"].iloc[1:].sum() == 80


@pytest.mark.parametrize(
    ("name", "missing", "reason"),
    [
        ("rare", 4, "no two levels have 4 independent studies"),
        ("few", 68, "coded in 6 studies"),
        ("nowhere", 0, "no such column"),
    ],
)
def test_what_cannot_be_fitted_says_why(
    effects: EffectTable, name: str, missing: int, reason: str
) -> None:
    row = ma.moderators(effects, {name: "exploratory"}).iloc[0]
    assert reason in row["withheld"] and row["k_missing"] == missing
    assert np.isnan(row["p_value"])


def test_rows_without_it_are_left_out_and_counted(effects: EffectTable) -> None:
    row = ma.moderators(effects, {"sparse": "planned"}).iloc[0]
    assert (row["k_effects"], row["k_missing"], row["withheld"]) == (40, 40, "")


def test_planned_and_explored_are_families_of_their_own(effects: EffectTable) -> None:
    names = {"year": "planned", "group": "exploratory", "sparse": "exploratory"}
    found = ma.moderators(effects, names)
    tests = found[found["kind"] == "test"].set_index("moderator")
    assert tests.loc["year", "p_holm"] == tests.loc["year", "p_value"]
    explored = tests.loc[["group", "sparse"]]
    np.testing.assert_allclose(explored["p_holm"], holm(explored["p_value"].to_numpy()))
    np.testing.assert_allclose(
        explored["p_fdr"], benjamini_hochberg(explored["p_value"].to_numpy())
    )
    assert found.loc[found["kind"] != "test", "p_holm"].isna().all()


def test_any_name_and_any_words_will_do(effects: EffectTable) -> None:
    rows = effects.usable.assign(**{"my moderator (a+b)": effects.usable["group"]})
    rows["mixed"] = np.where(rows["group"] == "a", 1, rows["group"])
    rows["years since"] = rows["year"]
    names = ["my moderator (a+b)", "mixed", "years since"]
    found = ma.moderators(
        EffectTable.build(rows, moderators=names), dict.fromkeys(names, "planned")
    )
    plain = ma.moderators(effects, {"group": "planned", "year": "planned"})
    p_values = found.loc[found["kind"] == "test"].set_index("moderator")["p_value"]
    expected = plain.loc[plain["kind"] == "test"].set_index("moderator")["p_value"]
    np.testing.assert_allclose(p_values.to_numpy(), expected[["group", "group", "year"]], rtol=1e-6)
    assert list(found.loc[found["moderator"] == "mixed", "level"]) == ["", "1", "b", "c"]


def test_an_empty_plan_has_an_empty_table(effects: EffectTable) -> None:
    found = ma.moderators(effects, {})
    assert isinstance(found, pd.DataFrame) and found.empty and "p_holm" in found
