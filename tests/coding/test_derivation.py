"""What follows from the coded facts: component, estimand, sign, occasions, label, scores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from metalliance.coding.assemble import Row
from metalliance.coding.codebook import load_codebook
from metalliance.coding.derivation import COMPONENTS, derived_component
from metalliance.coding.review import read_review
from metalliance.coding.sophistication import DERIVED_ITEMS, HAND_SCORED, ITEMS
from tests.coding import workbooks as wb

Cells = dict[str, Any]
SESSIONS = {"first_session": 1, "last_session": 8, "n_assessments": 8}
WITHIN = {"alliance_term": "own deviation", "other_alliance_term": "person mean", "model": "M1"}
MODEL = {
    "study": "S1",
    "id": "M1",
    "kind": "MLM",
    "disaggregation": "person-mean centring",
    "detrending": "none",
    "prior_outcome_control": "none",
    "lagged_outcome": "no",
    "reverse_path": "none",
    "missing_method": "FIML/ML",
    **dict.fromkeys(HAND_SCORED, 0),
    "C3": "NA",
}


def judged(
    tmp_path: Path,
    effect: Cells | None = None,
    alliance: Cells | None = None,
    outcome: Cells | None = None,
    model: Cells | None = None,
    study: Cells | None = None,
) -> Row:
    sheets = {
        "STUDIES": [wb.study("S1", **(study or {}))],
        "MEASURES": [wb.alliance("S1", **(alliance or {})), wb.outcome("S1", **(outcome or {}))],
        "MODELS": [{**MODEL, **(model or {})}],
        "EFFECTS": [{**wb.effect("S1"), **(effect or {})}],
    }
    review = read_review(wb.write(tmp_path / "row.xlsx", sheets), strict=False)
    assert not [p for p in review.problems if p.severity == "error"]
    return review.judged()[0]


def test_every_alliance_term_has_a_component() -> None:
    assert set(COMPONENTS) == set(load_codebook().levels["alliance_term"])


@pytest.mark.parametrize(
    ("term", "other", "component"),
    [
        ("single score", "", "total"),
        ("mean of k", "", "between_observed"),
        ("own deviation", "person mean", "within"),
        ("own deviation", "", "within"),
        ("person mean", "own deviation", "between_observed"),
        ("person mean", "", "between_observed"),
        ("person mean", "raw in multilevel", "contextual"),
        ("raw in multilevel", "person mean", "within"),
        ("raw in multilevel", "", "blended"),
        ("change or slope", "", "between_change"),
        ("latent within", "latent intercept", "within"),
        ("latent intercept", "latent within", "between_latent"),
        ("therapist mean", "", "between_therapist"),
        ("", "", ""),
    ],
)
def test_component(term: str, other: str, component: str) -> None:
    assert derived_component(term, other) == component


@pytest.mark.parametrize(
    ("effect", "model", "estimand", "metric"),
    [
        ({"lag": 0}, {}, "concurrent_r", "z"),
        ({"lag": 1}, {}, "lagged_r", "z"),
        ({"lag": 3}, {}, "lagged_r", "z"),
        ({"lag": 1}, {"lagged_outcome": "yes"}, "lagged_partial", "beta"),
        ({"lag": 1}, {"prior_outcome_control": "autoregressive"}, "lagged_partial", "beta"),
        ({"lag": "NR"}, {"lagged_outcome": "yes"}, "lagged_partial", "beta"),
        ({"lag": "NR"}, {}, "", "z"),
        ({"alliance_term": "person mean", "lag": "NR"}, {}, "NA", "z"),
    ],
)
def test_estimand(tmp_path: Path, effect: Cells, model: Cells, estimand: str, metric: str) -> None:
    row = judged(tmp_path, {**WITHIN, **effect}, SESSIONS, SESSIONS, model)
    assert (row.facts.estimand, row.facts.es_metric) == (estimand, metric)


@pytest.mark.parametrize(
    ("positive", "alliance", "outcome", "sign"),
    [
        ("better", "better", "worse", 1),
        ("worse", "better", "worse", -1),
        ("as scored", "better", "worse", -1),
        ("as scored", "better", "better", 1),
        ("as scored", "worse", "worse", 1),
        ("as scored", "worse", "better", -1),
        ("as scored", "NR", "better", 0),
        ("unclear", "better", "better", 0),
        ("NR", "better", "better", 0),
    ],
)
def test_sign(tmp_path: Path, positive: str, alliance: str, outcome: str, sign: int) -> None:
    row = judged(
        tmp_path,
        {"positive_means": positive},
        {"high_score_means": alliance},
        {"high_score_means": outcome},
    )
    assert row.facts.sign == sign


@pytest.mark.parametrize(
    ("effect", "alliance", "outcome", "expected"),
    [
        ({}, {}, {}, (1, 1, 0)),
        ({"alliance_term": "mean of k"}, {"last_session": 6}, {}, (4, 1, 0)),
        ({"alliance_term": "mean of k"}, {"last_session": 6, "n_assessments": 2}, {}, (2, 1, 0)),
        ({**WITHIN, "lag": 0}, SESSIONS, SESSIONS, (8, 8, 8)),
        ({**WITHIN, "lag": 0}, SESSIONS, {**SESSIONS, "first_session": 5}, (8, 8, 4)),
        ({"lag": 0}, {"first_session": "post", "last_session": "post"}, {}, (1, 1, 1)),
        ({"lag": "NR"}, {}, {"first_session": None, "outcome_form": None}, (1, None, None)),
    ],
)
def test_occasions(
    tmp_path: Path, effect: Cells, alliance: Cells, outcome: Cells, expected: tuple[Any, ...]
) -> None:
    facts = judged(tmp_path, effect, alliance, outcome).facts
    found = (facts.k_x, facts.k_y, facts.shared)
    assert tuple(None if math.isnan(k) else k for k in found) == expected


def test_single_score_follows_from_a_simple_model_of_one_session(tmp_path: Path) -> None:
    for model, component in (("RAW", "total"), ("PRE", "total"), ("M1", "")):
        row = judged(tmp_path, {"alliance_term": None, "model": model})
        assert row.facts.component == component
    several = judged(tmp_path, {"alliance_term": None}, {"last_session": 9})
    assert several.facts.component == ""


@pytest.mark.parametrize(
    ("effect", "alliance", "outcome", "label"),
    [
        ({}, {}, {}, "WAI patient s3 → BDI patient post"),
        ({"path": "outcome -> alliance"}, {}, {}, "BDI patient post → WAI patient s3"),
        (
            {},
            {"last_session": 6, "subscale": "bond"},
            {},
            "WAI bond patient s3–6 → BDI patient post",
        ),
        (
            {},
            {},
            {"first_session": "follow-up", "follow_up_months": 6},
            "WAI patient s3 → BDI patient follow-up 6 m",
        ),
    ],
)  # fmt: skip
def test_label(tmp_path: Path, effect: Cells, alliance: Cells, outcome: Cells, label: str) -> None:
    assert judged(tmp_path, effect, alliance, outcome).facts.label == label


MEAN = {"alliance_term": "mean of k"}
PERSON = {**WITHIN, "alliance_term": "person mean", "other_alliance_term": "own deviation"}
ANCHORS: list[tuple[str, str, dict[str, Cells]]] = [
    ("A1", "1", {}),
    ("A1", "2", {"outcome": {"outcome_window_starts": "alliance session"}}),
    ("A1", "2", {"outcome": {"outcome_window_starts": "next session"}}),
    ("A1", "NR", {"outcome": {"outcome_window_starts": "NR"}}),
    ("A1", "", {"outcome": {"outcome_window_starts": None}}),
    ("A1", "0", {"alliance": {"first_session": "post", "last_session": "post"}}),
    ("A1", "0", {"effect": {**WITHIN, "lag": 0}, "alliance": SESSIONS, "outcome": SESSIONS}),
    ("A1", "2", {"effect": {**WITHIN, "lag": 1}, "alliance": SESSIONS, "outcome": SESSIONS}),
    ("A1", "NR", {"effect": {**WITHIN, "lag": "NR"}, "alliance": SESSIONS, "outcome": SESSIONS}),
    ("A1", "0", {"effect": PERSON, "alliance": SESSIONS, "outcome": SESSIONS}),
    ("A1", "1", {"effect": MEAN, "alliance": {"last_session": 6}}),
    ("A1", "0", {"effect": {**MEAN, "sessions_mean": 6}, "alliance": {"last_session": 6}}),
    ("A2", "0", {}),
    ("A2", "1", {"effect": {"model": "PRE"}}),
    ("A2", "1", {"outcome": {"outcome_form": "residual change"}}),
    ("A2", "0", {"outcome": {"outcome_form": "raw change"}}),
    ("A2", "2", {"effect": {"model": "M1"},
                 "model": {"prior_outcome_control": "up to the alliance session"}}),
    ("A2", "2", {"effect": {"model": "M1"}, "model": {"prior_outcome_control": "autoregressive"}}),
    ("A2", "NR", {"effect": {"model": "M1"}, "model": {"prior_outcome_control": "NR"}}),
    ("A3", "0", {}),
    ("A3", "1", {"effect": {"model": "M1"}, "model": {"reverse_path": "own model"}}),
    ("A3", "2", {"effect": {"model": "M1"}, "model": {"reverse_path": "same model"}}),
    ("B1", "0", {}),
    ("B1", "1", {"effect": MEAN, "alliance": {"last_session": 5}}),
    ("B1", "2", {"effect": MEAN, "alliance": {"last_session": 6}}),
    ("B1", "NR", {"effect": MEAN, "alliance": {"first_session": "NR", "last_session": "NR",
                                               "n_assessments": "NR"}}),
    ("B2", "0", {}),
    ("B2", "0", {"effect": {"model": "M1"}, "model": {"y_occasions": 2}}),
    ("B2", "1", {"effect": {"model": "M1"}, "model": {"y_occasions": 3}}),
    ("B2", "2", {"effect": {"model": "M1"}, "model": {"y_occasions": 4}}),
    ("C1", "0", {}),
    ("C1", "0", {"effect": MEAN, "alliance": {"last_session": 5}}),
    ("C1", "1", {"effect": MEAN, "alliance": {"last_session": 6}}),
    ("C1", "0", {"effect": {"alliance_term": "change or slope", "model": "M1"}}),
    ("C1", "1", {"effect": {**WITHIN, "lag": 0}, "alliance": SESSIONS, "outcome": SESSIONS}),
    ("C1", "1", {"effect": PERSON, "alliance": SESSIONS, "outcome": SESSIONS}),
    ("C1", "2", {"effect": {**WITHIN, "lag": 1, "alliance_term": "latent within"},
                 "alliance": SESSIONS, "outcome": SESSIONS}),
    ("C1", "2", {"effect": {"alliance_term": "latent intercept", "model": "M1"}}),
    ("C1", "2", {"effect": {**WITHIN, "lag": 1}, "alliance": SESSIONS, "outcome": SESSIONS,
                 "model": {"disaggregation": "dynamic-panel ML-SEM/GMM"}}),
    ("C2", "0", {}),
    ("C2", "1", {"effect": {"model": "M1"}, "model": {"detrending": "time in Y model"}}),
    ("C2", "2", {"effect": {"model": "M1"}, "model": {"detrending": "both"}}),
    ("C3", "NA", {}),
    ("C3", "2", {"effect": {"model": "M1"}, "model": {"C3": 2}}),
    ("D4", "1", {"effect": {"model": "M1"}, "model": {"D4": 1}}),
    ("D1", "NR", {"effect": {"model": "M1"}, "model": {"D1": "NR"}}),
    ("E1", "0", {}),
    ("E1", "1", {"outcome": {"rater": "therapist"}}),
    ("E1", "1", {"outcome": {"rater": "observer", "blind": "no"}}),
    ("E1", "2", {"outcome": {"rater": "observer", "blind": "yes"}}),
    ("E1", "0", {"alliance": {"rater": "observer"}, "outcome": {"rater": "observer"}}),
    ("E1", "NR", {"outcome": {"rater": "NR"}}),
    ("E2", "0", {}),
    ("E2", "1", {"effect": {"model": "M1"}}),
    ("E2", "2", {"effect": {"model": "M1"}, "model": {"missing_method": "with MNAR sensitivity"}}),
    ("E3", "0", {}),
    ("E3", "1", {"study": {"preregistered": "registered"}}),
    ("E3", "2", {"study": {"preregistered": "alliance hypothesis preregistered"}}),
    ("E3", "NR", {"study": {"preregistered": "NR"}}),
]  # fmt: skip


@pytest.mark.parametrize(("item", "score", "cells"), ANCHORS)
def test_anchor(tmp_path: Path, item: str, score: str, cells: dict[str, Cells]) -> None:
    found = judged(tmp_path, **cells).score.scores[item]
    assert str(found) == score
    assert math.isnan(found.points) == (score in ("NR", "NA", ""))


def test_every_derived_item_has_each_of_its_scores_tested() -> None:
    tested = {(item, score) for item, score, _ in ANCHORS}
    assert {(item, score) for item in DERIVED_ITEMS for score in "012"} <= tested
    assert (len(ITEMS), len(DERIVED_ITEMS), len(HAND_SCORED)) == (16, 10, 6)


def test_an_override_wins(tmp_path: Path) -> None:
    row = judged(tmp_path, {"A1": 2, "override_reason": "window starts later, p. 4"})
    assert row.score.scores["A1"].points == 2


def test_the_index_by_hand(tmp_path: Path) -> None:
    # Applicable: sixteen items without C1 and the not applicable C3; D4 counts to 1.
    row = judged(tmp_path, outcome={"rater": "therapist"})
    assert row.score.index == pytest.approx((1 + 1) / 27)
    assert row.score.index_nr_missing == row.score.index
    unreported = judged(tmp_path, outcome={"rater": "NR"})
    assert unreported.score.index == pytest.approx(1 / 27)
    assert unreported.score.index_nr_missing == pytest.approx(1 / 25)
    assert row.score.short_form == pytest.approx(1 / 6)


def test_c3_leaves_the_index_where_it_defines_the_estimand(tmp_path: Path) -> None:
    panel = {"lagged_outcome": "yes", "C3": 2}
    cells = {"alliance": SESSIONS, "outcome": SESSIONS, "effect": {**WITHIN, "lag": 1}}
    with_two = judged(tmp_path, **cells, model=panel).score
    with_none = judged(tmp_path, **cells, model={**panel, "C3": 0}).score
    assert with_two.index == with_none.index
    assert with_two.scores["C3"].points == 2


def test_no_index_from_few_facts(tmp_path: Path) -> None:
    blank = dict.fromkeys(("disaggregation", "detrending", "prior_outcome_control"))
    blank |= dict.fromkeys(("reverse_path", "missing_method", "lagged_outcome", *HAND_SCORED))
    row = judged(tmp_path, {"model": "M1"}, model=blank)
    assert math.isnan(row.score.index) and math.isnan(row.score.index_nr_missing)
