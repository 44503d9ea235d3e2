"""Rules that only this field knows, each with its own message at its own cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metalliance.coding.review import read_review
from metalliance.errors import Problem
from tests.coding import workbooks as wb
from tests.coding.test_derivation import MODEL, SESSIONS, WITHIN

Cells = dict[str, Any]
OCCASIONS = {"first_session": 1, "last_session": 8, "n_assessments": 8}


def told(tmp_path: Path, sheets: dict[str, list[wb.Row]]) -> list[Problem]:
    found = read_review(wb.write(tmp_path / "rules.xlsx", sheets), strict=False).problems
    return [problem for problem in found if problem.severity != "todo"]


def one(tmp_path: Path, effect: Cells, outcome: Cells | None = None, **model: Any) -> list[Problem]:
    """One effect of a multilevel paper with eight sessions."""
    return told(
        tmp_path,
        {
            "STUDIES": [wb.study("S1")],
            "MEASURES": [
                wb.alliance("S1", **SESSIONS),
                wb.outcome("S1", **{**OCCASIONS, "outcome_form": "session-level score"})
                if outcome is None
                else wb.outcome("S1", **outcome),
            ],
            "MODELS": [{**MODEL, "n": 120, "sessions": 8, **model}],
            "EFFECTS": [{**wb.effect("S1", lag=0, stat="r"), **WITHIN, **effect}],
        },
    )


def codes(problems: list[Problem]) -> list[tuple[str, str, str]]:
    return [(p.severity, p.code, p.cell) for p in problems]


def cell(name: str, row: int = 2) -> str:
    return wb.cell_of("EFFECTS", name, row)


def test_a_sound_within_effect_has_no_message(tmp_path: Path) -> None:
    assert one(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("effect", "outcome", "code", "column"),
    [
        ({"lag": "post"}, None, "within-once", "lag"),
        ({}, {"first_session": "post"}, "within-once", "outcome"),
        ({}, {"first_session": None, "outcome_form": "raw change"}, "within-once", "outcome"),
        ({"alliance_term": "person mean", "other_alliance_term": "raw in multilevel",
          "component": "between_observed"}, None, "contextual", "component"),
        ({"alliance_term": "change or slope", "other_alliance_term": None,
          "component": "within"}, {}, "between-change", "component"),
        ({"alliance_term": "raw in multilevel", "other_alliance_term": None,
          "component": "within"}, None, "blended", "component"),
        ({"estimand": "lagged_r"}, None, "estimand", "estimand"),
        ({"stat": "t", "value": 2.6, "df": 118, "n": None}, None, "patient-df", "df"),
    ],
)  # fmt: skip
def test_errors(
    tmp_path: Path, effect: Cells, outcome: Cells | None, code: str, column: str
) -> None:
    problems = [p for p in one(tmp_path, effect, outcome) if p.severity == "error"]
    assert codes(problems) == [("error", code, cell(column))]
    assert problems[0].mend


def test_the_df_of_occasions_is_named(tmp_path: Path) -> None:
    problems = one(tmp_path, {"stat": "t", "value": 2.6, "df": 118, "n": None})
    assert "839" in next(p for p in problems if p.code == "patient-df").what


def test_a_change_that_its_authors_call_state_like(tmp_path: Path) -> None:
    effect = {"alliance_term": "change or slope", "other_alliance_term": None, "lag": "post"}
    found = one(tmp_path, {**effect, "component_claimed": "state-like"}, {})
    assert ("note", "change-claimed", cell("component_claimed")) in codes(found)


def test_a_slope_without_standard_deviations_is_asked_about(tmp_path: Path) -> None:
    effect = {"stat": "b", "value": -0.21, "se": 0.08, "positive_means": "worse", "n": None}
    found = one(tmp_path, effect)
    assert codes(found) == [("question", "bounded-within", cell("value"))]
    answered = one(tmp_path, {**effect, "note": "checked bounded-within: asked the author"})
    assert answered == []
    other = one(tmp_path, {**effect, "note": "checked se-and-n: right"})
    assert codes(other) == codes(found)
    everything = one(tmp_path, {**effect, "note": "checked: none printed"})
    assert everything == []
    without_reason = one(tmp_path, {**effect, "note": "checked:"})
    assert codes(without_reason) == codes(found)


def test_a_reverse_path_has_a_row_of_its_own(tmp_path: Path) -> None:
    model = {"lagged_outcome": "yes", "reverse_path": "same model", "C3": 0}
    forward = {"stat": "beta", "metric": "SD within", "value": 0.12, "se": 0.05, "lag": 1}
    found = one(tmp_path, forward, **model)
    assert codes(found) == [("question", "reverse-path", wb.cell_of("MODELS", "reverse_path", 2))]


def test_an_outcome_before_the_alliance(tmp_path: Path) -> None:
    sheets = wb.good(1)
    sheets["MEASURES"][1].update(first_session="pre")
    sheets["EFFECTS"][0]["lag"] = None
    assert codes(told(tmp_path, sheets)) == [("question", "outcome-first", cell("outcome"))]


def test_a_part_with_the_n_of_the_whole(tmp_path: Path) -> None:
    sheets = {
        "STUDIES": [
            wb.study("S1", sample="arm1", n_start=40),
            wb.study("S1", sample="arm2", n_start=44),
        ],
        "MEASURES": [wb.alliance("S1"), wb.outcome("S1")],
        "EFFECTS": [
            wb.effect("S1", "E1", sample="arm1", n=84),
            wb.effect("S1", "E2", sample="arm2", n=44, value=0.2),
        ],
    }
    found = codes(told(tmp_path, sheets))
    assert ("question", "part-n", cell("n")) in found
    assert all(place != cell("n", 3) for _, _, place in found)


def test_reports_on_the_same_patients(tmp_path: Path) -> None:
    sheets = wb.good(3)
    sheets["STUDIES"][0].update(sample="X", doi="10.1/a", authors="Marx, K.", n_start=80)
    sheets["STUDIES"][1].update(sample="X", doi="10.1/b", authors="Marx, K.", n_start=80)
    sheets["STUDIES"][2].update(doi="https://doi.org/10.1/A", authors="Marx, J.", n_start=81)
    found = told(tmp_path, sheets)
    assert ("note", "shared-sample") in [(p.severity, p.code) for p in found]
    (question,) = [p for p in found if p.code == "same-sample"]
    assert question.cell == wb.cell_of("STUDIES", "doi", 4) and "G01" in question.what


def test_an_effect_coded_twice(tmp_path: Path) -> None:
    sheets = wb.good(1)
    sheets["EFFECTS"].append({**sheets["EFFECTS"][0], "effect": "E2"})
    assert codes(told(tmp_path, sheets)) == [("question", "same-effect", cell("effect", 3))]


def test_a_published_summary_against_its_parts(tmp_path: Path) -> None:
    sheets = wb.good(1)
    first = sheets["EFFECTS"][0]
    first.update(value=0.69, role="sensitivity", role_reason="published")
    sheets["EFFECTS"] += [{**first, "effect": f"P{i}", "value": v, "role": "main"}
                          for i, v in enumerate((0.01, 0.88))]  # fmt: skip
    (question,) = told(tmp_path, sheets)
    assert question.code == "published-r" and question.cell == cell("value")
    assert "mean of 0.45" in question.what and "at most 0.63" in question.what
    first["value"] = 0.5
    assert told(tmp_path, sheets) == []


def test_evidence_is_demanded_and_given(tmp_path: Path) -> None:
    sheets = {
        "STUDIES": [wb.study("S1")],
        "MEASURES": [
            wb.alliance("S1", **SESSIONS),
            wb.outcome("S1", **OCCASIONS, outcome_form=None),
        ],
        "MODELS": [{**MODEL, "D1": 2}],
        "EFFECTS": [
            {**wb.effect("S1", lag=0, component_claimed="trait-like", A1=2,
                         override_reason="see p. 4"), **WITHIN}
        ],
    }  # fmt: skip
    path = tmp_path / "evidence.xlsx"
    (todo,) = read_review(wb.write(path, sheets)).problems
    for place in (
        f"MODELS!{wb.cell_of('MODELS', 'D1', 2)} (D1: quote it in EVIDENCE)",
        f"EFFECTS!{cell('A1')} (A1: quote it in EVIDENCE)",
        f"EFFECTS!{cell('component')} (component: quote it in EVIDENCE)",
    ):
        assert place in todo.what
    quote = {"study": "S1", "quote": "as the paper says", "page": "4"}
    sheets["EVIDENCE"] = [
        {**quote, "id": "M1", "field": "D1"},
        {**quote, "id": "E1", "field": "a1"},
        {**quote, "id": "E1", "field": "component"},
    ]
    assert read_review(wb.write(path, sheets)).problems == ()
    sheets["EVIDENCE"][0]["id"] = "M7"
    sheets["EVIDENCE"][1]["quote"] = "x" * 301
    found = read_review(wb.write(path, sheets), strict=False).problems
    errors = [(p.code, p.cell) for p in found if p.severity == "error"]
    assert errors == [
        ("unknown-id", wb.cell_of("EVIDENCE", "id", 2)),
        ("too-long", wb.cell_of("EVIDENCE", "quote", 3)),
    ]


def test_the_flow_adds_up_or_is_asked_about(tmp_path: Path) -> None:
    sheets: dict[str, list[wb.Row]] = {
        **wb.good(2),
        "FLOW": [
            {"databases": 900, "registers": 20, "other_sources": 5, "removed_before_screening": 125,
             "screened": 800, "excluded_screening": 700, "sought": 100, "not_retrieved": 4,
             "assessed": 96, "excluded_full_text": 94, "reports_included": 3,
             "studies_included": 2},
        ],
        "EXCLUDED": [{"citation": "A", "reason": "no outcome"}],
        "QUERIES": [{"study": "G01", "question": "n?", "to": "author"}],
    }  # fmt: skip
    found = told(tmp_path, sheets)
    assert [(p.code, p.value) for p in found if p.severity == "question"] == [
        ("flow-rows", "94"),
        ("flow-sum", "3"),
    ]
    assert [p.what for p in found if p.severity == "note"] == ["1 query is open: G01"]


def test_what_cannot_be_converted_is_asked_about(tmp_path: Path) -> None:
    sheets = wb.good(3)
    sheets["EFFECTS"][0].update(stat="F", value=5.2, df=58, df1=3)
    sheets["EFFECTS"][1].update(stat="p", value=30)
    sheets["EFFECTS"][2].update(stat="t", value=2.4)
    found = told(tmp_path, sheets)
    assert codes(found) == [
        ("question", "not-converted", cell("value", 2)),
        ("error", "range", cell("value", 3)),
    ]
    assert "more than two groups" in found[0].what


def test_the_metric_of_a_standardised_slope_is_asked_for(tmp_path: Path) -> None:
    slope = {"stat": "beta", "value": 0.15, "se": 0.05, "lag": 0}
    assert codes(one(tmp_path, slope)) == [("question", "slope-metric", cell("metric"))]
    assert one(tmp_path, {**slope, "metric": "SD within"}) == []
