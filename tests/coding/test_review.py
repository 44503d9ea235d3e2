"""A workbook becomes effects: the worked rows, one message per fault, every row accounted for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from metalliance.coding.echo import echo
from metalliance.coding.review import read_review
from metalliance.effectsize.table import CORE_COLUMNS
from metalliance.errors import CodingError, Problem
from tests.coding import workbooks as wb

MLM = {
    "study": "S1",
    "id": "M1",
    "kind": "MLM",
    "disaggregation": "person-mean centring",
    "prior_outcome_control": "none",
    "lagged_outcome": "no",
    "reverse_path": "none",
    "C3": "NA",
}


def problems_of(path: Path) -> tuple[Problem, ...]:
    return read_review(path, strict=False).problems


def test_row_one_as_printed(tmp_path: Path) -> None:
    review = read_review(wb.one_effect(tmp_path / "a.xlsx"))
    assert review.kind == "workbook" and review.problems == ()
    (line,) = echo(review)
    for words in (
        "S014 E1  WAI patient s3 → BDI patient post  total  r .31 [.06, .52]  z .3205  v .01754",
        "n 60",
        "A1 = 1",
        "E1 = 0",
        "better alliance goes with LOWER BDI",
        "p. 7",
    ):
        assert words in line
    row = review.effects().to_frame().iloc[0]
    assert (row["component"], row["estimand"], row["es_metric"]) == ("total", "NA", "z")
    assert row["yi"] == pytest.approx(math.atanh(0.31), abs=1e-12)
    assert row["vi"] == pytest.approx(1 / 57, abs=1e-12)
    assert (row["k_x"], row["k_y"], row["shared"]) == (1, 1, 0)
    assert (row["A1"], row["E1"], row["lag_code"]) == (1, 0, "post")
    assert row["address"] == f"EFFECTS!{wb.cell_of('EFFECTS', 'value', 2)}"


def test_row_one_as_scored_is_reversed(tmp_path: Path) -> None:
    review = read_review(wb.one_effect(tmp_path / "a.xlsx", positive_means="as scored"))
    assert review.effects().to_frame()["r"].tolist() == [-0.31]
    (line,) = echo(review)
    assert "r −.31 [−.52, −.06]  z −.3205" in line
    assert "HIGHER BDI (reversed, as scored" in line


def test_row_one_unclear_is_kept_not_pooled_and_listed(tmp_path: Path) -> None:
    review = read_review(wb.one_effect(tmp_path / "a.xlsx", positive_means="unclear"))
    table = review.effects()
    assert len(table) == 0
    left = table.excluded().iloc[0]
    assert left["status"] == "sign unclear"
    assert left["address"] == f"EFFECTS!{wb.cell_of('EFFECTS', 'positive_means', 2)}"
    (line,) = echo(review)
    assert "kept, not pooled" in line and "r .31 as printed" in line


def test_worse_reverses_the_printed_sign(tmp_path: Path) -> None:
    review = read_review(wb.one_effect(tmp_path / "a.xlsx", positive_means="worse", value=-0.31))
    assert review.effects().to_frame()["r"].tolist() == [0.31]


def worked_rows() -> dict[str, list[wb.Row]]:
    """Rows two to four: a multilevel paper, a panel model, a result that was not significant."""
    within = {"alliance": "A1", "outcome": "O1", "lag": None, "n": None, "se": 0.08}
    return {
        "STUDIES": [wb.study("S1"), wb.study("S2"), wb.study("S3")],
        "MEASURES": [
            wb.alliance("S1", first_session=1, last_session=8, n_assessments=8),
            wb.outcome("S1", first_session=1, last_session=8, n_assessments=8),
            wb.alliance("S2", first_session=1, last_session=6, n_assessments=6),
            wb.outcome("S2", first_session=1, last_session=6, n_assessments=6),
            wb.alliance("S3"),
            wb.outcome("S3"),
        ],
        "MODELS": [
            {**MLM, "n": 120, "sessions": 8},
            {
                "study": "S2",
                "id": "M1",
                "kind": "RI-CLPM",
                "disaggregation": "latent intercept",
                "prior_outcome_control": "autoregressive",
                "lagged_outcome": "yes",
                "reverse_path": "same model",
                "C3": 2,
                "D4": "NR",
                "note": "checked reverse-path: not printed",
            },
        ],
        "EVIDENCE": [{"study": "S2", "id": "M1", "field": "C3", "quote": "latent, p. 4"}],
        "EFFECTS": [
            wb.effect("S1", **{
                **within, "model": "M1", "alliance_term": "own deviation", "lag": "NR",
                "other_alliance_term": "person mean", "stat": "b", "value": -0.21,
                "positive_means": "worse",
            }),
            wb.effect("S1", "E2", **{
                **within, "model": "M1", "alliance_term": "person mean", "se": 0.15,
                "other_alliance_term": "own deviation", "stat": "b", "value": -0.45,
                "positive_means": "worse",
            }),
            wb.effect(
                "S2", model="M1", alliance_term="latent within", lag=1, n="NR",
                other_alliance_term="latent intercept", stat="beta", value=0.12,
                metric="SD within", ci_low=0.02, ci_high=0.22,
            ),
            wb.effect("S3", stat="n.s. only", value="NR", positive_means=None, n=44),
        ],
    }  # fmt: skip


def test_rows_two_to_four(tmp_path: Path) -> None:
    review = read_review(wb.write(tmp_path / "w.xlsx", worked_rows()))
    assert [problem.code for problem in review.problems] == ["bounded-within"]
    table = review.effects()
    usable = table.to_frame()
    assert usable["study"].tolist() == ["S1", "S2"]
    between, beta = usable.iloc[0], usable.iloc[1]
    assert round(between["r"], 3) == 0.267 and between["quality"] == "converted"
    assert "df = 120 - 2 - 1 = 117" in between["trace"]
    assert (beta["component"], beta["estimand"], beta["es_metric"]) == (
        "within",
        "lagged_partial",
        "beta",
    )
    assert beta["yi"] == 0.12
    assert math.sqrt(beta["vi"]) == pytest.approx(0.0510, abs=5e-5)
    assert beta["vi"] == pytest.approx(0.00260, abs=5e-6)
    assert [beta[item] for item in ("A1", "A2", "A3", "C1", "C3")] == [2, 2, 2, 2, 2]
    assert math.isnan(beta["ni"]) and math.isnan(beta["r"])
    left = table.excluded()
    assert left["status"].tolist() == ["held out", "no value"]
    assert "lag NR" in left["reason"][0]
    within, *_, not_significant = echo(review)
    assert "at n = 44 it means |r| < .297" in not_significant
    assert "if lag 0: r .090, v .0021, bounded" in within
    assert "if lag 1: r .097" in within
    components = [row.facts.component for row in review.judged()]
    assert components == ["within", "between_observed", "within", "total"]


def test_every_row_read_is_usable_or_excluded(tmp_path: Path) -> None:
    sheets = wb.good(4)
    sheets["EFFECTS"][1].update(role="sensitivity", role_reason="subgroup")
    sheets["EFFECTS"][2].update(role="not used", role_reason="same patients", value=None)
    review = read_review(wb.write(tmp_path / "roles.xlsx", sheets))
    assert review.problems == ()
    main, second = review.effects(), review.effects(role="sensitivity")
    assert main.to_frame()["study"].tolist() == ["G01", "G04"]
    assert second.to_frame()["study"].tolist() == ["G02"]
    assert main.excluded()["status"].tolist() == ["role", "not used"]
    assert "subgroup" in main.excluded()["reason"][0]
    assert "same patients" in main.excluded()["reason"][1]
    assert len(second) + len(second.excluded()) == 4
    with pytest.raises(ValueError, match="role is"):
        review.effects(role="other")


def changed(sheet: str, row: int, **cells: Any) -> dict[str, list[wb.Row]]:
    sheets = wb.good(3)
    sheets.setdefault("MODELS", [])
    sheets[sheet][row].update(cells)
    return sheets


@pytest.mark.parametrize(
    ("sheet", "row", "cells", "column", "code", "severity", "lost"),
    [
        ("EFFECTS", 1, {"alliance": "A9"}, "alliance", "unknown-id", "error", 1),
        ("EFFECTS", 1, {"alliance": "O1"}, "alliance", "wrong-kind", "error", 1),
        ("EFFECTS", 1, {"model": "M7"}, "model", "unknown-id", "error", 1),
        ("EFFECTS", 1, {"sample": "other"}, "sample", "unknown-sample", "error", 1),
        ("EFFECTS", 1, {"value": 1}, "value", "correlation-range", "error", 1),
        ("EFFECTS", 1, {"value": 31}, "value", "correlation-range", "error", 1),
        ("EFFECTS", 1, {"ci_low": 0.2, "ci_high": 0.5}, "ci_low", "interval", "error", 1),
        ("EFFECTS", 1, {"ci_low": 0.2, "ci_high": 0.1}, "ci_low", "interval", "error", 1),
        ("EFFECTS", 1, {"n": 60.5}, "n", "not-whole", "error", 1),
        ("EFFECTS", 1, {"component": "within"}, "component", "component", "question", 1),
        ("EFFECTS", 1, {"stat": "z", "value": 3.4}, "value", "large-z", "question", 0),
        ("EFFECTS", 1, {"se": 0.0169}, "se", "se-and-n", "question", 0),
        ("EFFECTS", 1, {"A1": 2}, "A1", "override", "question", 0),
        ("EFFECTS", 1, {"n": None}, "n", "blank", "todo", 1),
        ("EFFECTS", 1, {"value": None, "n": None}, "value", "blank", "todo", 1),
        ("MEASURES", 2, {"rater": "patiennt"}, "rater", "unknown-level", "error", 1),
        ("MEASURES", 2, {"first_session": 5}, "last_session", "session-order", "error", 1),
        ("MEASURES", 2, {"kind": None}, "kind", "blank", "todo", 1),
        ("MEASURES", 2, {"id": "=A"}, "id", "uncached-formula", "error", 1),
        ("STUDIES", 1, {"year": 19999}, "year", "range", "error", 1),
    ],
)  # fmt: skip
def test_one_fault_gives_one_message(
    tmp_path: Path,
    sheet: str,
    row: int,
    cells: dict[str, Any],
    column: str,
    code: str,
    severity: str,
    lost: int,
) -> None:
    path = wb.write(tmp_path / "one.xlsx", changed(sheet, row, **cells))
    if cells.get("id") == "=A":
        wb.put(path, {("MEASURES", wb.cell_of("MEASURES", "id", row + 2)): "=CHAR(65)"})
    review = read_review(path, strict=False)
    found = [(p.code, p.severity, p.sheet, p.cell) for p in review.problems]
    assert found == [(code, severity, sheet, wb.cell_of(sheet, column, row + 2))]
    table = review.effects()
    assert len(table) + len(table.excluded()) == 3
    assert len(table) == 3 - lost
    if severity == "error":
        with pytest.raises(CodingError):
            read_review(path)
        assert review.problems[0].address in " ".join(table.excluded()["address"])


@pytest.mark.parametrize(
    ("sheet", "row", "column"),
    [("STUDIES", 0, "study"), ("MEASURES", 1, "id"), ("EFFECTS", 0, "effect")],
)
def test_the_later_of_two_equal_ids_is_the_error(
    tmp_path: Path, sheet: str, row: int, column: str
) -> None:
    sheets = wb.good(2)
    sheets[sheet].append(dict(sheets[sheet][row]))
    review = read_review(wb.write(tmp_path / "twice.xlsx", sheets), strict=False)
    (problem,) = review.problems
    assert (problem.code, problem.sheet) == ("duplicate-id", sheet)
    assert problem.cell == wb.cell_of(sheet, column, len(sheets[sheet]) + 1)
    assert f"{sheet}!{wb.cell_of(sheet, column, row + 2)}" in problem.what
    assert review.effects().to_frame()["study"].tolist() == ["G01", "G02"]


def test_an_orphan_study_is_told_once_wherever_it_stands(tmp_path: Path) -> None:
    sheets = wb.good(2)
    sheets["MEASURES"] += [wb.alliance("G9"), wb.outcome("G9")]
    sheets["EFFECTS"] += [wb.effect("G9"), wb.effect("G9", "E2", value=None)]
    path = wb.write(tmp_path / "orphan.xlsx", sheets)
    errors = [p for p in problems_of(path) if p.severity == "error"]
    assert [(p.address, p.code) for p in errors] == [("EFFECTS!A4", "orphan-study")]
    assert "EFFECTS!A5" in errors[0].what and "MEASURES!A6" in errors[0].what


def test_a_lost_leading_zero_is_named(tmp_path: Path) -> None:
    sheets = wb.good(1)
    sheets["STUDIES"].append(wb.study("007"))
    sheets["EFFECTS"].append({**wb.effect("007"), "study": 7})
    (problem,) = problems_of(wb.write(tmp_path / "zero.xlsx", sheets))
    assert "leading zeros" in problem.mend


def test_blanks_of_a_study_make_one_message(tmp_path: Path) -> None:
    sheets = wb.good(2)
    for row in ("E2", "E3"):
        sheets["EFFECTS"].append(wb.effect("G01", row, value=None, n=None))
    (todo,) = problems_of(wb.write(tmp_path / "todo.xlsx", sheets))
    assert todo.severity == "todo"
    assert todo.address == f"EFFECTS!{wb.cell_of('EFFECTS', 'value', 4)}"
    assert "4 cells" in todo.what and f"{wb.cell_of('EFFECTS', 'n', 5)} (n)" in todo.what


def test_as_scored_needs_both_directions(tmp_path: Path) -> None:
    sheets = wb.good(1)
    sheets["EFFECTS"][0]["positive_means"] = "as scored"
    sheets["MEASURES"][1]["high_score_means"] = None
    path = wb.write(tmp_path / "direction.xlsx", sheets)
    (todo,) = problems_of(path)
    assert todo.address == f"MEASURES!{wb.cell_of('MEASURES', 'high_score_means', 3)}"
    sheets["MEASURES"][1]["high_score_means"] = "NR"
    review = read_review(wb.write(path, sheets))
    assert review.problems == ()
    assert review.effects().excluded()["status"].tolist() == ["sign unclear"]


def test_a_within_effect_needs_an_outcome_measured_more_than_once(tmp_path: Path) -> None:
    sheets = worked_rows()
    sheets["MEASURES"][3]["n_assessments"] = 1
    found = problems_of(wb.write(tmp_path / "once.xlsx", sheets))
    (problem,) = [p for p in found if p.severity == "error"]
    assert (problem.code, problem.cell) == ("within-once", wb.cell_of("EFFECTS", "outcome", 4))


def test_headers_by_synonym_and_unknown_columns(tmp_path: Path) -> None:
    path = wb.one_effect(tmp_path / "headers.xlsx")
    wb.put(
        path,
        {
            ("EFFECTS", wb.cell_of("EFFECTS", "n", 1)): " Sample-Size ",
            ("EFFECTS", wb.cell_of("EFFECTS", "stat", 1)): "Statistic",
            ("EFFECTS", wb.cell_of("EFFECTS", "quote", 1)): "Quotes",
            ("STUDIES", wb.cell_of("STUDIES", "doi", 1)): "mod:Mean Age",
            ("STUDIES", wb.cell_of("STUDIES", "doi", 2)): 34.5,
        },
    )
    review = read_review(path)
    assert [(p.code, p.severity, p.value) for p in review.problems] == [
        ("unknown-column", "note", "Quotes")
    ]
    assert "quote" in review.problems[0].mend
    table = review.effects()
    assert "mean_age" in table.moderators
    assert table.to_frame()["mean_age"].tolist() == [34.5]


def test_the_same_field_twice_names_both_columns(tmp_path: Path) -> None:
    path = wb.one_effect(tmp_path / "twice.xlsx")
    wb.put(path, {("EFFECTS", wb.cell_of("EFFECTS", "quote", 1)): "N Patients"})
    (problem,) = problems_of(path)
    assert problem.code == "duplicate-column"
    assert wb.cell_of("EFFECTS", "n", 1) in problem.what and problem.cell in problem.what


def test_a_missing_column_is_told_once(tmp_path: Path) -> None:
    path = wb.one_effect(tmp_path / "missing.xlsx")
    wb.put(path, {("EFFECTS", wb.cell_of("EFFECTS", "effect", 1)): "unrelated"})
    errors = [p for p in problems_of(path) if p.severity == "error"]
    assert [p.code for p in errors] == ["missing-column"]
    assert "effect" in errors[0].what


def test_moderators_keep_codes_apart_from_values(tmp_path: Path) -> None:
    sheets = wb.good(3)
    sheets["STUDIES"][0].update(year=2001, treatment="CBT", **{"mod:dose": 1.5})
    sheets["STUDIES"][1].update(year="NR", treatment="NA")
    table = read_review(wb.write(tmp_path / "mods.xlsx", sheets)).effects()
    frame = table.to_frame()
    assert frame.columns[: len(CORE_COLUMNS)].tolist() == list(CORE_COLUMNS)
    assert frame["year"].dtype == float and frame["year"].isna().tolist() == [False, True, True]
    assert frame["year_code"].tolist() == ["", "NR", ""]
    assert frame["treatment_code"].tolist() == ["", "NA", ""]
    assert {"year", "treatment", "dose", "alliance_rater", "sophistication", "A1"} <= set(
        table.moderators
    )
    assert not {"year_code", "label", "country", "trace"} & set(table.moderators)
    assert "country" not in frame


def test_reading_names_what_it_filled_in(tmp_path: Path) -> None:
    sheets = wb.good(1)
    sheets["EFFECTS"][0]["path"] = None
    review = read_review(wb.write(tmp_path / "path.xlsx", sheets))
    assert [(name, value) for name, value, _ in review.assumed] == [("path", "alliance→outcome")]
    assert review.effects().to_frame()["path"].tolist() == ["alliance→outcome"]


def test_echo_by_study_and_coder(tmp_path: Path) -> None:
    sheets = wb.good(3)
    sheets["EFFECTS"][1]["coder"] = "AB"
    review = read_review(wb.write(tmp_path / "coders.xlsx", sheets))
    assert len(echo(review)) == 3
    assert [line[:6] for line in echo(review, study="G03")] == ["G03 E1"]
    assert [line[:6] for line in echo(review, coder="AB")] == ["G02 E1"]


def test_a_workbook_without_measures_is_told_once(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    path = wb.write(tmp_path / "no.xlsx", wb.good(2))
    book = load_workbook(path)
    del book["MEASURES"]
    book.save(path)
    review = read_review(path, strict=False)
    assert [(p.sheet, p.code) for p in review.problems] == [("MEASURES", "missing-sheet")]
    assert review.effects().excluded()["status"].tolist() == ["faulty", "faulty"]


def test_what_contradicts_the_measures_is_asked_about(tmp_path: Path) -> None:
    path = wb.one_effect(tmp_path / "review.xlsx", value=-0.31)
    assert codes(path) == ["sign-against-scales"]
    path = wb.one_effect(tmp_path / "as_scored.xlsx", value=-0.31, positive_means="as scored")
    assert codes(path) == []
    path = wb.one_effect(tmp_path / "worse.xlsx", value=-0.31, positive_means="worse")
    assert codes(path) == []


def codes(path: Path) -> list[str]:
    return [problem.code for problem in read_review(path).problems]


def test_row_two_at_both_lags_and_with_raw_alliance(tmp_path: Path) -> None:
    sheets = worked_rows()
    within = sheets["EFFECTS"][0]
    within["lag"] = 0
    sheets["EFFECTS"] = [within, {**within, "effect": "E2", "lag": 1}]
    frame = read_review(wb.write(tmp_path / "lags.xlsx", sheets)).effects().to_frame()
    assert frame["r"].round(3).tolist() == [0.090, 0.097]
    assert frame["estimand"].tolist() == ["concurrent_r", "lagged_r"]
    assert frame["quality"].tolist() == ["bounded", "bounded"]
    assert ["df = 839" in t or "= 839" in t for t in frame["trace"]] == [True, False]
    assert round(frame["vi"][0], 4) == 0.0021
    sheets = worked_rows()
    sheets["EFFECTS"][0].update(alliance_term="raw in multilevel", lag=0)
    sheets["EFFECTS"][1].update(other_alliance_term="raw in multilevel")
    review = read_review(wb.write(tmp_path / "raw.xlsx", sheets))
    contextual = echo(review)[1]
    assert "contextual" in contextual and "not pooled" in contextual
    assert "between = within (E1) + contextual = −.66; SE needs their covariance" in contextual
