"""Anchors of the derived items, overrides, and the index."""

import pytest

from metalliance.coding.sophistication import DERIVED, HAND_SCORED, ITEMS, derive_items, index

EARLY = {"rater": "patient", "first_session": 3, "last_session": 3, "n_assessments": 1}
POST = {"rater": "patient", "outcome_window_starts": "pre", "n_assessments": 1}
RAW = {
    "disaggregation": "none",
    "detrending": "none",
    "prior_outcome_control": "none",
    "reverse_path": "none",
    "missing_method": "listwise",
    "A4": 0,
    "C3": "NA",
    "D1": 0,
    "D2": 0,
    "D3": 0,
    "D4": 0,
}
PANEL = {
    "disaggregation": "latent intercept",
    "detrending": "both",
    "prior_outcome_control": "autoregressive",
    "reverse_path": "same model",
    "sessions": 8,
    "y_occasions": 8,
    "missing_method": "FIML/ML",
    "C3": 2,
}


def scored(component="total", study=None, alliance=None, outcome=None, model=None, effect=None):
    return derive_items(
        study=study or {},
        alliance=EARLY if alliance is None else alliance,
        outcome=POST if outcome is None else outcome,
        model=RAW if model is None else model,
        effect={"alliance_term": "single score", "lag": "post"} if effect is None else effect,
        component=component,
    )


def test_items_are_sixteen_ten_derived_six_by_hand() -> None:
    assert (len(ITEMS), len(DERIVED), len(HAND_SCORED)) == (16, 10, 6)


def test_an_early_session_against_the_outcome_at_the_end() -> None:
    scores = scored()
    assert scores["A1"] == 1
    assert scores["E1"] == 0
    assert scores["B1"] == scores["C1"] == scores["A2"] == 0
    assert scores["E3"] == "NR"
    assert scores["C3"] == "NA"


def test_a_panel_model_with_random_intercepts() -> None:
    effect = {"alliance_term": "latent within", "lag": 1}
    outcome = {"rater": "observer", "blind": "yes", "outcome_window_starts": "next session"}
    scores = scored("within", model=PANEL, effect=effect, outcome=outcome)
    expected = {"A1": 2, "A2": 2, "A3": 2, "B2": 2, "C1": 2, "C2": 2, "C3": 2, "E1": 2, "E2": 1}
    assert {item: scores[item] for item in expected} == expected


def test_one_model_gives_each_of_its_effects_its_own_precedence() -> None:
    lagged = scored("within", model=PANEL, effect={"alliance_term": "own deviation", "lag": 1})
    same = scored("within", model=PANEL, effect={"alliance_term": "own deviation", "lag": 0})
    mean = scored("between_observed", model=PANEL, effect={"alliance_term": "person mean"})
    assert (lagged["A1"], same["A1"], mean["A1"]) == (2, 0, 0)


@pytest.mark.parametrize(
    ("window", "last", "score"),
    [
        ("pre", 3, 1),
        ("alliance session", 3, 2),
        ("next session", 3, 2),
        ("pre", "post", 0),
        (None, 3, "NR"),
        ("NA", 3, "NA"),
    ],
)
def test_precedence(window: object, last: object, score: object) -> None:
    alliance, outcome = {**EARLY, "last_session": last}, {**POST, "outcome_window_starts": window}
    assert scored(alliance=alliance, outcome=outcome)["A1"] == score


@pytest.mark.parametrize(("k", "score"), [(1, 0), (2, 1), (3, 1), (4, 2), (8, 2), (None, "NR")])
def test_repeated_alliance(k: object, score: object) -> None:
    effect = {"alliance_term": "mean of k", "lag": "post"}
    alliance = {**EARLY, "n_assessments": k}
    assert scored("between_observed", alliance=alliance, effect=effect)["B1"] == score


@pytest.mark.parametrize(("k", "score"), [(1, 0), (2, 0), (3, 1), (4, 2), (None, "NR")])
def test_repeated_outcome(k: object, score: object) -> None:
    assert scored(outcome={**POST, "n_assessments": k})["B2"] == score


@pytest.mark.parametrize(("k", "score"), [(3, 0), (4, 1), (None, "NR")])
def test_a_mean_separates_from_four_sessions_on(k: object, score: object) -> None:
    alliance = {**EARLY, "n_assessments": k}
    assert scored("between_observed", alliance=alliance)["C1"] == score


@pytest.mark.parametrize(
    ("first", "second", "blind", "score"),
    [
        ("patient", "patient", "NA", 0),
        ("patient", "therapist", "NA", 1),
        ("patient", "observer", "no", 1),
        ("patient", "observer", "yes", 2),
        ("observer", "observer", "no", 0),
        ("observer", "observer", "yes", 2),
        ("NR", "patient", "no", "NR"),
    ],
)
def test_independent_rater(first: str, second: str, blind: str, score: object) -> None:
    outcome = {**POST, "rater": second, "blind": blind}
    assert scored(alliance={**EARLY, "rater": first}, outcome=outcome)["E1"] == score


def test_an_override_wins() -> None:
    effect = {"alliance_term": "single score", "lag": "post", "A1": 2}
    assert scored(effect=effect)["A1"] == 2


def test_the_index_leaves_out_what_defines_component_and_estimand() -> None:
    scores = dict.fromkeys(ITEMS, 1)
    assert index(scores) == pytest.approx(15 / 29)
    assert index(scores, estimand="lagged_partial") == pytest.approx(14 / 27)
    assert index({**scores, "C1": 2}) == index(scores)
    assert index({**scores, "C3": 2}, estimand="lagged_partial") == pytest.approx(14 / 27)


def test_not_reported_counts_zero_or_leaves_the_sum() -> None:
    scores = {"A1": 2, "A2": "NR", "B1": "NA"}
    assert index(scores) == 0.5
    assert index(scores, not_reported_is_zero=False) == 1.0
    assert index({"A1": "NR"}, not_reported_is_zero=False) is None
