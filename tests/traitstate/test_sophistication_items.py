"""Items one by one and together: what enters, what is withheld, what the families are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.coding.sophistication import DOMAINS, ITEMS, items_of_index
from metalliance.effectsize.table import CORE_COLUMNS, EffectTable
from metalliance.numerics.multiplicity import holm
from metalliance.traitstate.pooling import pool_effects
from metalliance.traitstate.scores import domain_items, index_of, item_points
from metalliance.traitstate.sophistication_items import item_slopes, joint_slopes
from metalliance.workflow.shipped import shipped_data


def table(
    studies: int = 40, each: int = 1, *, seed: int = 3, estimand: str = "NA", **items: object
) -> EffectTable:
    """Effects with the given items; a value is (k,) points or a probability of one point."""
    rng = np.random.default_rng(seed)
    study = np.repeat(np.arange(studies), each)
    k = len(study)
    frame = pd.DataFrame({name: ["x"] * k for name in CORE_COLUMNS})
    frame["study"] = frame["sample"] = [f"S{i:02d}" for i in study]
    frame["effect"], frame["estimand"] = [f"E{i}" for i in range(k)], estimand
    frame = frame.assign(vi=rng.uniform(0.005, 0.03, k), ni=80.0, es_metric="z")
    error = np.sqrt(frame["vi"]) * rng.normal(size=k)
    frame["yi"] = 0.3 + 0.1 * rng.normal(size=studies)[study] + error
    for name, value in items.items():
        drawn = (rng.random(studies) < value)[study] if np.isscalar(value) else value
        frame[name] = np.asarray(drawn, dtype=float)
    return EffectTable.build(frame, moderators=list(items))


def row_of(frame: pd.DataFrame, **chosen: str) -> pd.Series:
    for column, value in {"not_reported": "zero", "part": "between", **chosen}.items():
        if column in frame:
            frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


@pytest.mark.parametrize("policy", ["zero", "missing"])
def test_the_index_over_all_items_is_the_one_of_the_workbook(policy: str) -> None:
    review = ma.read_review(shipped_data("simulated_alliance_295.xlsx"))
    rows = review.effects().to_frame()
    column = {"zero": "sophistication", "missing": "sophistication_nr_missing"}[policy]
    for estimand, here in rows.groupby("estimand"):
        ours = index_of(here, items_of_index(str(estimand)), policy)
        coded = here[column].notna()
        assert coded.sum() > 5
        np.testing.assert_allclose(ours[coded], here.loc[coded, column], rtol=1e-12)
        for domain, letter in DOMAINS.items():
            if policy == "zero":
                members = [i for i in items_of_index(str(estimand)) if i.startswith(letter)]
                mine = index_of(here, members, policy)
                np.testing.assert_allclose(mine, here[f"sophistication_{domain}"], rtol=1e-12)


def test_what_defines_component_or_estimand_is_no_item_of_the_index() -> None:
    assert set(ITEMS) - set(items_of_index("concurrent_r")) == {"C1"}
    assert set(ITEMS) - set(items_of_index("lagged_partial")) == {"C1", "C3"}
    found = item_slopes(table(C1=0.5, C3=0.5, estimand="lagged_partial"))
    assert not {"C1", "C3"} & set(found["item"])
    assert domain_items(items_of_index("lagged_partial"))["disaggregation"] == ("C2",)


def test_an_item_of_one_effect_per_study_is_a_plain_regression() -> None:
    effects = table(E2=0.4)
    ours = row_of(item_slopes(effects), item="E2")
    inference = pool_effects(effects, "~ E2")
    plain = ma.tidy(inference).iloc[1]
    for name in ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high"):
        assert ours[name] == pytest.approx(plain[name], rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_p_values_are_those_of_shuffled_scores(seed: int) -> None:
    effects = table(40, seed=seed, E2=0.4, D1=0.3)
    found = item_slopes(effects)
    for item in ("E2", "D1"):
        shuffled = ma.permutation_test(pool_effects(effects, f"~ {item}"), iterations=4000)
        p = float(shuffled.table["p_value"].iloc[1])
        assert row_of(found, item=item)["p_value"] == pytest.approx(p, abs=0.04)


def test_the_two_parts_answer_two_questions() -> None:
    within = np.tile([0.0, 1.0], 40)
    effects = table(40, 2, E1=within)
    changed = effects.usable.assign(yi=effects.usable["yi"] + 0.3 * within)
    found = item_slopes(EffectTable.build(changed, moderators=["E1"]))
    assert row_of(found, item="E1")["withheld"] == "the same in every study"
    inside = row_of(found, item="E1", part="within")
    shift = row_of(item_slopes(effects), item="E1", part="within")
    assert inside["estimate"] - shift["estimate"] == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (np.zeros(40), "the same in every study"),
        (np.r_[np.ones(3), np.zeros(37)], "off its most common score in 3 independent studies"),
        (np.r_[1.0, np.zeros(39)], "off its most common score in 1 independent study;"),
        (np.r_[np.arange(9) % 2, np.full(31, np.nan)], "coded in 9 studies"),
        (np.full(40, np.nan), "not coded in this pool"),
    ],
)
def test_what_has_no_slope_says_why(points: np.ndarray, reason: str) -> None:
    row = row_of(item_slopes(table(D1=points)), item="D1")
    assert reason in row["withheld"]
    assert np.isnan(row["estimate"]) and np.isnan(row["p_holm"])


def test_four_studies_that_differ_are_enough() -> None:
    row = row_of(item_slopes(table(D1=np.r_[np.ones(4), np.zeros(36)])), item="D1")
    assert row["withheld"] == "" and np.isfinite(row["p_value"])


def test_few_degrees_of_freedom_have_no_p_value() -> None:
    points = np.r_[np.ones(8), np.zeros(72)]
    row = row_of(item_slopes(table(40, 2, D1=points)), item="D1")
    assert row["withheld"] == "" and row["df"] < 4
    assert row["imprecise"] and np.isnan(row["p_value"]) and np.isnan(row["p_holm"])
    assert np.isfinite(row["conf_low"])


def test_not_reported_is_zero_or_missing() -> None:
    reported = np.r_[np.tile([0.0, 1.0], 15), np.full(10, np.nan)]
    effects = table(E3=reported)
    coded = effects.usable.assign(E3_code=np.where(np.isnan(reported), "NR", ""))
    assert item_points(coded, "E3", "zero").isna().sum() == 0
    assert item_points(coded, "E3", "missing").isna().sum() == 10
    found = item_slopes(EffectTable.build(coded, moderators=["E3"]))
    sizes = [row_of(found, item="E3", not_reported=p)["k_effects"] for p in ("zero", "missing")]
    assert sizes == [40, 30]


def test_families_are_kept_apart() -> None:
    found = item_slopes(table(A1=0.5, A2=0.5, B1=0.5, D1=0.5, E2=0.5), planned=["A1", "D1"])
    here = found[(found["not_reported"] == "zero") & found["p_value"].notna()]
    for status, items in (("planned", ["A1", "D1"]), ("exploratory", ["A2", "B1", "E2"])):
        family = here[here["status"] == status]
        assert list(family["item"]) == items
        np.testing.assert_allclose(family["p_holm"], holm(family["p_value"].to_numpy()))


def test_all_items_enter_together_where_there_is_room() -> None:
    found = joint_slopes(table(A1=0.5, B1=0.4, D1=0.3, E2=0.5), planned=["A1", "B1", "D1", "E2"])
    assert list(found["term"]) == ["A1", "B1", "D1", "E2", "all"]
    assert set(found["status"]) == {"planned"} and set(found["unit"]) == {"point", ""}
    assert found["df_num"].iloc[-1] == 4 and found["test"].iloc[-1] == "F"


def test_domains_enter_in_order_where_items_are_too_many() -> None:
    items = dict.fromkeys(("A1", "A2", "B1", "B2", "D1", "D2", "E1", "E2"), 0.5)
    for studies, names in ((50, 4), (30, 3), (20, 2)):
        found = joint_slopes(table(studies, **items))
        expected = ["temporal", "repeated", "modelling", "bias"][:names]
        assert list(found["term"]) == [*(f"sophistication_{n}" for n in expected), "all"]
        assert set(found["unit"][:-1]) == {".1"}


def test_which_terms_enter_does_not_depend_on_the_outcome() -> None:
    items = dict.fromkeys(("A1", "A2", "B1", "B2", "D1", "D2", "E1", "E2"), 0.5)
    effects = table(50, **items)
    other = effects.usable.assign(yi=np.random.default_rng(9).normal(size=50))
    for function in (joint_slopes, item_slopes):
        first = function(effects)
        second = function(EffectTable.build(other, moderators=list(items)))
        for name in ("term", "item", "withheld", "k_effects"):
            if name in first:
                assert list(first[name]) == list(second[name])


def test_a_term_that_others_determine_does_not_enter() -> None:
    points = np.tile([0.0, 1.0], 20)
    found = joint_slopes(table(A1=points, A2=points, B1=0.5))
    assert list(found["term"]) == ["A1", "B1", "all"]


def test_too_few_studies_for_two_terms() -> None:
    found = joint_slopes(table(19, A1=0.5, B1=0.5))
    assert list(found["term"]) == ["all"]
    assert "19 independent studies" in found["withheld"].iloc[0]


def test_an_item_that_is_often_missing_does_not_enter() -> None:
    sparse = np.r_[np.full(10, np.nan), np.tile([0.0, 1.0], 15)]
    found = joint_slopes(table(A1=0.5, B1=0.5, D1=sparse))
    assert list(found["term"]) == ["A1", "B1", "all"]
    assert set(found["k_effects"]) == {40}
