"""What the slope on the index rests on: items left out, a straight line, year and size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.coding.sophistication import items_of_index
from metalliance.effectsize.table import CORE_COLUMNS, EffectTable
from metalliance.traitstate.pooling import pool_effects
from metalliance.traitstate.scores import index_of
from metalliance.traitstate.sophistication import split_index
from metalliance.traitstate.sophistication_checks import (
    leave_item_out,
    rival_slopes,
    spline_test,
)
from tests.traitstate.test_sophistication_items import table

VARIED = dict.fromkeys(("A1", "A2", "B1", "B2", "C2", "D1", "E1"), 0.4)


def scored(effects: EffectTable, **columns: object) -> EffectTable:
    """The effects with their index and more columns."""
    rows = effects.usable.assign(**columns)
    items = items_of_index("NA")
    rows["sophistication"] = index_of(rows, items, "zero")
    rows["sophistication_nr_missing"] = index_of(rows, items, "missing")
    own = [name for name in columns if name not in CORE_COLUMNS]
    names = [*effects.moderators, *own, "sophistication", "sophistication_nr_missing"]
    return EffectTable.build(rows, moderators=names)


def test_without_an_item_that_never_varies_only_the_unit_would_change() -> None:
    effects = scored(table(40, 2, **VARIED, D3=np.zeros(80)))
    found = leave_item_out(effects).set_index("omitted")
    assert "only the unit changes" in found.loc["D3", "withheld"]
    whole = ma.sophistication(effects).index.iloc[0]
    rest = index_of(effects.usable, [i for i in items_of_index("NA") if i != "D3"], "zero")
    without = effects.usable.assign(sophistication=rest)
    again = ma.sophistication(EffectTable.build(without, moderators=effects.moderators)).index
    assert again.iloc[0]["statistic"] == pytest.approx(whole["statistic"], rel=1e-6)


@pytest.mark.parametrize("each", [1, 2])
def test_a_refit_without_an_item_is_the_fit_of_that_index(each: int) -> None:
    effects = scored(table(40, each, **VARIED))
    found = leave_item_out(effects).set_index("omitted")
    rest = index_of(effects.usable, [i for i in items_of_index("NA") if i != "B1"], "zero")
    fresh = EffectTable.build(
        effects.usable.assign(sophistication=rest), moderators=effects.moderators
    )
    whole = split_index(fresh, "sophistication")
    table_ = ma.tidy(pool_effects(whole, "~ sophistication_between")).iloc[1]
    for name, unit in (("estimate", 0.1), ("std_error", 0.1), ("df", 1.0), ("p_value", 1.0)):
        assert found.loc["B1", name] == pytest.approx(table_[name] * unit, rel=1e-5)


def test_nothing_is_left_out_of_an_index_without_slope() -> None:
    found = leave_item_out(scored(table(8, **VARIED)))
    assert list(found["omitted"]) == ["every"]
    assert "8 studies are too few" in found["withheld"].iloc[0]


def test_a_bend_is_found_where_there_is_one_and_drawn() -> None:
    rng = np.random.default_rng(5)
    effects = table(80, **{f"{d}{i}": rng.integers(0, 3, 80) for d in "ABDE" for i in (1, 2)})
    effects = scored(effects)
    index = effects.usable["sophistication"]
    bent = effects.usable.assign(yi=0.2 + 6 * (index - index.mean()) ** 2, vi=0.002)
    straight = effects.usable.assign(yi=0.2 + 0.5 * index + 0.03 * rng.normal(size=80), vi=0.002)
    for rows, found in ((bent, True), (straight, False)):
        test, line = spline_test(EffectTable.build(rows, moderators=effects.moderators))
        assert len(test["knots"].iloc[0].split(",")) == 4
        assert (test["p_value"].iloc[0] < 0.001) == found
        middle = np.interp(index.mean(), line["sophistication"], line["estimate"])
        lowest = line["estimate"].min()
        assert (lowest == pytest.approx(middle, abs=0.03)) == found
        np.testing.assert_allclose(line["estimate_r"], np.tanh(line["estimate"]))


@pytest.mark.parametrize(
    ("studies", "reason"), [(29, "29 independent studies; 30 are needed"), (30, "")]
)
def test_a_spline_needs_thirty_studies(studies: int, reason: str) -> None:
    rng = np.random.default_rng(6)
    items = {f"{d}{i}": rng.integers(0, 3, studies) for d in "ABDE" for i in (1, 2)}
    test, line = spline_test(scored(table(studies, **items)))
    assert test["withheld"].iloc[0] == reason
    assert bool(len(line)) == (not reason)
    assert test["df_num"].iloc[0] == 1 or reason


def test_a_spline_needs_knots_apart() -> None:
    two = np.r_[np.zeros(36), np.full(4, 2.0)]
    test, _ = spline_test(scored(table(40, A1=two, A2=two, B1=two)))
    assert "share one value" in test["withheld"].iloc[0]


def test_rivals_take_their_share() -> None:
    """Effects that follow year alone, where quality follows year too."""
    rng = np.random.default_rng(8)
    quality = rng.normal(size=60)
    items = {f"{d}{i}": np.clip(np.round(1 + quality), 0, 2) for d in "ABDE" for i in (1, 2)}
    year = np.round(2000 + 8 * quality + 4 * rng.normal(size=60))
    effects = scored(table(60, **items), year=year)
    rows = effects.usable.assign(
        yi=0.3 + 0.01 * (year - 2000) + 0.02 * rng.normal(size=60),
        ni=np.round(np.exp(rng.normal(4, 0.5, 60))),
    )
    found = rival_slopes(EffectTable.build(rows, moderators=effects.moderators))
    slope = found.set_index(["adjusted_for", "term"])["estimate"]
    assert slope["nothing", "between"] > 0.01
    assert abs(slope["year", "between"]) < 0.004
    assert slope["year", "year"] == pytest.approx(0.1, abs=0.02)
    assert slope["n", "between"] == pytest.approx(slope["nothing", "between"], rel=0.1)
    assert set(found["k_effects"]) == {60}


def test_all_models_with_rivals_have_the_same_rows() -> None:
    year = np.r_[np.full(5, np.nan), 1990 + np.arange(45.0)]
    found = rival_slopes(scored(table(50, **VARIED), year=year, ni=40 + np.arange(50.0)))
    assert set(found["k_effects"]) == {45}
    assert (found["withheld"] == "").all()


@pytest.mark.parametrize(
    ("columns", "rivals", "reason"),
    [
        ({}, "year", "year is not known of 100%"),
        ({"year": np.r_[np.full(15, np.nan), np.arange(25.0)]}, "year", "year is not known of 38%"),
        ({"year": np.full(40, 2000.0)}, "year", "year differs between fewer than 4"),
    ],
)
def test_a_rival_that_cannot_be_told_says_why(columns, rivals: str, reason: str) -> None:
    found = rival_slopes(scored(table(40, **VARIED), **columns, ni=40 + np.arange(40.0)))
    row = found[found["adjusted_for"] == rivals].iloc[0]
    assert reason in row["withheld"]
    assert found[found["adjusted_for"] == "n"]["withheld"].eq("").all()
    assert set(found["k_effects"]) == {40}


def test_ten_studies_for_each_rival() -> None:
    effects = scored(table(25, **VARIED), year=1990 + np.arange(25.0), ni=40 + np.arange(25.0))
    withheld = rival_slopes(effects).groupby("adjusted_for")["withheld"].first()
    assert withheld["year"] == "" and "30 are needed" in withheld["year + n"]


def test_a_mixed_pool_is_refused() -> None:
    rows = scored(table(40, **VARIED)).usable
    rows.loc[::2, "component"] = "within"
    with pytest.raises(ma.SpecificationError, match="belong to 2 pools"):
        ma.sophistication(EffectTable.build(rows, moderators=["sophistication"]))
    with pytest.raises(ma.SpecificationError, match="EffectTable is needed"):
        ma.sophistication(rows)  # type: ignore[arg-type]


def test_status_follows_what_was_planned() -> None:
    effects = scored(table(40, **VARIED))
    found = ma.sophistication(effects, planned=["sophistication", "A1"])
    assert set(found.index["status"]) == {"planned"}
    assert found.items.groupby("item")["status"].first().to_dict() == {
        item: "planned" if item == "A1" else "exploratory" for item in items_of_index("NA")
    }
    assert set(ma.sophistication(effects).index["status"]) == {"exploratory"}
    assert ma.tidy(found).equals(found.index)


def test_an_index_without_items_has_slopes_but_no_items() -> None:
    effects = scored(table(30, **VARIED))
    bare = EffectTable.build(
        effects.usable.drop(columns=list(VARIED)), moderators=["sophistication"]
    )
    found = ma.sophistication(bare)
    assert found.index["withheld"].iloc[0] == ""
    assert set(found.items["withheld"]) == {"not coded in this pool"}
    assert set(found.leave_one_out["withheld"]) >= {"not coded in this pool"}


def test_correlations_of_a_report_reach_the_regression() -> None:
    effects = scored(table(30, 2, **VARIED))
    first = effects.usable.iloc[:2]
    printed = pd.DataFrame(
        {"study": [first["study"].iloc[0]], "id1": ["E0"], "id2": ["E1"], "r": [0.95]}
    )
    with_pair = EffectTable.build(
        effects.usable, moderators=effects.moderators, correlations=printed
    )
    plain, given = (ma.sophistication(t).regressions[0] for t in (effects, with_pair))
    assert plain.inference is not None and given.inference is not None
    assert (
        given.inference.fit.sampling.to_array()[0, 1]
        > plain.inference.fit.sampling.to_array()[0, 1]
    )
