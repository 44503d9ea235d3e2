"""From sessions to rows of a review that gives the same numbers back."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.coding.append_rows import append_rows
from metalliance.coding.template import fill_workbook
from metalliance.errors import CodingError, OutputError
from metalliance.report.session_words import session_sentences
from metalliance.traitstate.session_data import SessionColumns, check_sessions
from metalliance.traitstate.session_methods import SessionOptions
from metalliance.traitstate.session_rows import workbook_rows
from metalliance.traitstate.session_study import SessionStudy, study_of_sessions
from tests.traitstate.session_tables import session_table

REVIEW = Path(__file__).parents[2] / "data" / "simulated_alliance_295.xlsx"


def study(table: pd.DataFrame | None = None, **options: object) -> SessionStudy:
    frame = session_table(patients=50, sessions=10) if table is None else table
    data = check_sessions(frame, SessionColumns())
    return study_of_sessions(data, SessionOptions(**{"lag": 1, **options}), every=True)


@pytest.fixture(scope="module")
def whole() -> SessionStudy:
    return study()


def test_every_pool_has_one_main_row(whole: SessionStudy) -> None:
    main = whole.table[whole.table["role"] == "main"]
    keys = main[["component", "estimand", "path"]].agg(" ".join, axis=1).tolist()
    assert keys == [
        "between_observed NA alliance→outcome",
        "contextual NA alliance→outcome",
        "between_change NA alliance→outcome",
        "between_latent NA alliance→outcome",
        "within concurrent_r alliance→outcome",
        "within lagged_r alliance→outcome",
        "within lagged_partial alliance→outcome",
        "within lagged_r outcome→alliance",
        "within lagged_partial outcome→alliance",
    ]
    within = main[main["component"] == "within"]
    assert within["part"].str.startswith(("latent", "dynamic-panel")).all()
    total = whole.table[whole.table["component"] == "total"].iloc[0]
    assert total["role"] == "sensitivity"
    assert "consistency check" in total["role_reason"]


@pytest.mark.parametrize("worse", [False, True])
def test_the_review_gives_the_same_numbers(tmp_path: Path, worse: bool) -> None:
    table = session_table(patients=50, sessions=10)
    if worse:
        table["outcome"] *= -1
    found = study(table, outcome_positive="worse" if worse else "better")
    path = tmp_path / "review.xlsx"
    rows = workbook_rows(found, "S1", "here")
    fill_workbook(path, rows)
    review = ma.read_review(path)
    assert [p for p in review.problems if p.severity in ("error", "question", "todo")] == []
    effects = review.effects().to_frame().merge(found.table, on="effect", suffixes=("", "_s"))
    assert len(effects) == 8
    assert effects["yi"].tolist() == pytest.approx(effects["yi_s"].tolist(), abs=1e-5)
    # of a correlation of patients the workbook takes the precision from n
    within = effects["component"] == "within"
    ratio = effects["vi"] / effects["vi_s"]
    assert ratio[within].tolist() == pytest.approx([1.0] * within.sum(), abs=1e-3)
    latent = effects["component"] == "between_latent"
    assert ratio[latent].iloc[0] == pytest.approx(1.0, abs=0.05)
    for column in ("component", "estimand", "path"):
        assert effects[column].tolist() == effects[f"{column}_s"].tolist()
    scored = rows["EFFECTS"][1]
    assert scored["positive_means"] == ("worse" if worse else "better")
    assert (scored["value"] < 0) == (worse and effects["yi"].iloc[0] > 0)
    assert rows["MEASURES"][1]["high_score_means"] == ("worse" if worse else "better")


def test_what_the_models_say_of_themselves(whole: SessionStudy) -> None:
    rows = workbook_rows(whole, "S1", "here")
    models = {row["id"]: row for row in rows["MODELS"]}
    assert set(models) == {"MDP", "MDPL", "MLI", "MPM", "MPML"}
    assert models["MPM"]["disaggregation"] == "person-mean centring"
    assert models["MDPL"]["C3"] == "2"
    assert models["MPML"]["C3"] == "0"
    assert models["MPM"]["C3"] == "NA"
    spread = whole.table["slope_sd"].iloc[2]
    assert models["MPM"]["slope_sd"] == models["MLI"]["slope_sd"] == pytest.approx(spread, abs=1e-6)
    assert (models["MPM"]["D4"], models["MLI"]["D4"]) == ("1", "0")
    assert [row["id"] for row in rows["EVIDENCE"]] == ["MDPL"]
    within = next(row for row in rows["EFFECTS"] if row["estimand"] == "lagged_partial")
    assert (within["k_x"], within["k_y"], within["shared"], within["lag"]) == (1, 1, 0, 1)


def test_likelihood_that_cannot_be_had_is_a_note() -> None:
    table = session_table(patients=60, sessions=4, unequal=False)
    found = study(table[table["session"] <= 2])
    assert any(note.startswith("No rows by dynamic-panel forward") for note in found.notes)
    main = found.table[found.table["role"] == "main"]
    assert main["component"].tolist() == [
        "between_observed",
        "contextual",
        "between_latent",
        "within",
    ]
    assert any(note.startswith("No number for the lagged within effect") for note in found.notes)
    assert workbook_rows(found, "S1", "here")["EVIDENCE"] == []


def test_an_outcome_at_the_end_makes_rows(tmp_path: Path) -> None:
    table = session_table(patients=40)
    last = table.groupby("patient")["session"].transform("max")
    table.loc[table["session"] != last, "outcome"] = np.nan
    path = tmp_path / "review.xlsx"
    fill_workbook(path, workbook_rows(study(table), "S1", "here"))
    effects = ma.read_review(path).effects().to_frame()
    assert effects["component"].tolist() == ["between_observed", "between_change"]


def test_rows_into_a_copy_of_a_review(tmp_path: Path, whole: SessionStudy) -> None:
    rows = workbook_rows(whole, "NEW", "here")
    out = tmp_path / "with.xlsx"
    assert append_rows(REVIEW, out, rows, today=datetime.date(2026, 3, 5)) == ()
    before = ma.read_review(REVIEW).effects().to_frame()
    after = ma.read_review(out).effects().to_frame()
    assert len(after) == len(before) + 8
    new = after[after["study"] == "NEW"]
    assert new["vi"].notna().all()
    old = after[after["study"] != "NEW"].reset_index(drop=True)
    pd.testing.assert_series_equal(old["yi"], before["yi"])
    with pytest.raises(OutputError, match="exists"):
        append_rows(REVIEW, out, rows)
    with pytest.raises(CodingError, match="has the study NEW already"):
        append_rows(out, tmp_path / "again.xlsx", rows)
    flat = tmp_path / "flat.csv"
    flat.write_text("study,n,r\nA,40,.3\n")
    with pytest.raises(CodingError, match="no sheets STUDIES and EFFECTS"):
        append_rows(flat, tmp_path / "x.xlsx", rows)


@pytest.mark.parametrize("longer", [0, 3])
def test_one_session_a_patient_is_a_total(tmp_path: Path, longer: int) -> None:
    table = session_table(patients=60)
    stay = (table["session"] == 1) | (table["patient"] < f"P{longer:03d}")
    found = study(table[stay])
    main = found.table[found.table["role"] == "main"]
    assert found.table["component"].tolist() == ["total"]
    total = main[main["component"] == "total"].iloc[0]
    assert (total["k_x"], total["k_y"], total["shared"], total["lag"]) == (1, 1, 1, 0)
    assert any("this is a total association, not a trait-like one" in n for n in found.notes)
    heading, sentence = session_sentences(found)[0]
    assert heading == "One session (total)."
    assert "alliance in that session" in sentence
    path = tmp_path / "review.xlsx"
    fill_workbook(path, workbook_rows(found, "S1", "here"))
    effects = ma.read_review(path).effects().to_frame()
    assert effects["component"].tolist()[0] == "total"
    assert effects["role"].tolist()[0] == "main"


def test_one_session_of_alliance_and_a_later_outcome_is_a_total() -> None:
    table = session_table(patients=60)
    last = table.groupby("patient")["session"].transform("max")
    table.loc[table["session"] != last, "outcome"] = np.nan
    table.loc[table["session"] != 2, "alliance"] = np.nan
    found = study(table)
    assert found.table["component"].tolist() == ["total"]
    assert found.table["shared"].tolist() == [0.0]


def test_no_row_has_more_patients_than_there_are(tmp_path: Path) -> None:
    table = session_table(patients=30, sessions=20, unequal=False)
    found = study(table)
    total = found.table[found.table["component"] == "total"].iloc[0]
    assert total["n_eff"] > 30
    rows = workbook_rows(found, "S1", "here")
    assert max(row["n"] for row in rows["EFFECTS"]) == 30
    assert f"its SE is worth {total['n_eff']:.0f}" in rows["EFFECTS"][0]["note"]
    path = tmp_path / "review.xlsx"
    fill_workbook(path, rows)
    severe = [p for p in ma.read_review(path).problems if p.severity in ("error", "question")]
    assert severe == []
