"""Settling disagreements: nothing decided by silence, nothing lost, every decision carried out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from metalliance.coding.adjudication import Adjudicated, adjudicate
from metalliance.coding.agreement import Agreement, agreement
from metalliance.coding.consensus import Consensus, columns_of, consensus, write_consensus
from metalliance.coding.history import read_history
from metalliance.coding.review import read_review
from metalliance.coding.template import fill_workbook
from metalliance.errors import CodingError, OutputError
from tests.coding import workbooks as wb
from tests.coding.simulated_coders import Coders, simulated_coders

COLUMNS = columns_of("AB")


def cell(column: str, row: int) -> str:
    from openpyxl.utils import get_column_letter

    return f"{get_column_letter(COLUMNS.index(column) + 1)}{row}"


def listed(found: Agreement, path: Path, previous: Path | None = None) -> Consensus:
    one = consensus(found, previous)
    write_consensus(one, path)
    return one


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows = list(load_workbook(path)["CONSENSUS"].iter_rows(values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def decide(path: Path, decisions: Mapping[tuple[str, str], Mapping[str, Any]]) -> Path:
    """Type decisions into the list, by study and field; everything else stays."""
    book = load_workbook(path)
    sheet = book["CONSENSUS"]
    left = dict(decisions)
    for row in range(2, sheet.max_row + 1):
        key = (sheet[cell("study", row)].value, sheet[cell("field", row)].value)
        for column, value in left.pop(key, {}).items():
            sheet[cell(column, row)] = value
    assert not left, left
    book.save(path)
    return path


def all_for(path: Path, choice: str) -> Path:
    book = load_workbook(path)
    sheet = book["CONSENSUS"]
    for row in range(2, sheet.max_row + 1):
        exists = sheet[cell("field", row)].value == "(effect)"
        sheet[cell("decision", row)] = "keep" if exists else choice
        sheet[cell("by", row)] = "MK"
    book.save(path)
    return path


@pytest.fixture
def coders() -> Coders:
    coders = simulated_coders(8)
    coders.plant("STUDIES", "S001", "S001", "design", "quasi-experimental")
    coders.plant("EFFECTS", "S002", "E1", "value", 0.91)
    coders.plant("EFFECTS", "S003", "E2", "outcome", "O2")
    coders.plant("MODELS", "S004", "M1", "D1", "NR")
    coders.plant("MEASURES", "S005", "A1", "rater", "therapist")
    return coders


# --- the list -----------------------------------------------------------------------------------


def test_the_list_is_complete_and_safe(coders: Coders, tmp_path: Path) -> None:
    at = coders.of_b("EFFECTS", "S002", "E1")
    at["quote"] = "=HYPERLINK(1)"
    paths = coders.write(tmp_path)
    path = tmp_path / "consensus.xlsx"
    listed(agreement(*paths), path)
    book = load_workbook(path)
    assert book.sheetnames == ["CONSENSUS", "HOW", "AGREEMENT", "MATCHING", "ONLY_IN"]
    sheet = book["CONSENSUS"]
    assert tuple(c.value for c in sheet[1]) == COLUMNS
    rows = rows_of(path)
    assert [(r["study"], r["id"], r["field"]) for r in rows] == [
        ("S001", "S001", "design"),
        ("S002", "E1", "value"),
        ("S003", "E2", "outcome"),
        ("S004", "M1", "D1"),
        ("S005", "A1", "rater"),
    ]
    assert all(r["decision"] is None and r["state"] == "new" for r in rows)
    assert rows[1]["B"] == "0.91" and "B: “=HYPERLINK(1)”" in rows[1]["quotes"]
    mine, theirs = rows[1]["cells"].split("\n")
    assert mine.startswith("A EFFECTS!") and theirs.startswith("B EFFECTS!")
    assert not any(c.data_type == "f" for s in book for row in s.iter_rows() for c in row)
    (rule,) = sheet.data_validations.dataValidation
    assert rule.formula1 == '"A,B,other"' and len(list(rule.sqref.ranges)) >= 1
    assert sheet.column_dimensions[cell("key", 1)[:-1]].hidden and sheet.freeze_panes == "D2"


def test_nothing_is_written_over(coders: Coders, tmp_path: Path) -> None:
    paths = coders.write(tmp_path)
    before = [path.read_bytes() for path in paths]
    path = tmp_path / "consensus.xlsx"
    found = listed(agreement(*paths), path)
    decided = path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write_consensus(found, path)
    with pytest.raises(OutputError, match="exists"):
        adjudicate(found.agreement, path, path)
    assert path.read_bytes() == decided
    assert [p.read_bytes() for p in paths] == before


def test_carry_over(coders: Coders, tmp_path: Path) -> None:
    first = tmp_path / "first.xlsx"
    listed(agreement(*coders.write(tmp_path)), first)
    decide(
        first,
        {
            ("S001", "design"): {
                "decision": "a",
                "reason": "p. 3",
                "by": "MK",
                "date": "2026-03-01",
            },
            ("S002", "value"): {"decision": "other", "value": 0.19, "reason": "Table 2"},
            ("S003", "outcome"): {"decision": "B"},
            ("S004", "D1"): {"reason": "ask the authors"},
        },
    )
    kept = first.read_bytes()
    coders.of_b("EFFECTS", "S002", "E1")["value"] = 0.92  # changed: reopened
    coders.of_b("EFFECTS", "S003", "E2")["outcome"] = "O1"  # agrees now: settled
    coders.plant("STUDIES", "S006", "S006", "year", 1999)  # new
    again = tmp_path / "again"
    again.mkdir()
    second = tmp_path / "second.xlsx"
    found = listed(agreement(*coders.write(again)), second, first)
    rows = {(r["study"], r["field"]): r for r in rows_of(second)}
    states = {key: row["state"] for key, row in rows.items()}
    assert states == {
        ("S001", "design"): "carried over",
        ("S002", "value"): "reopened",
        ("S004", "D1"): "new",
        ("S005", "rater"): "new",
        ("S006", "year"): "new",
    }
    carried = rows["S001", "design"]
    assert [carried[n] for n in ("decision", "reason", "by", "date")] == [
        *("A", "p. 3", "MK", "2026-03-01")
    ]
    reopened = rows["S002", "value"]
    assert reopened["decision"] is None and reopened["value"] is None
    assert reopened["earlier"].endswith("B 0.91 → other 0.19: Table 2")
    assert rows["S004", "D1"]["reason"] == "ask the authors"
    (settled,) = found.settled
    assert (settled.study, settled.field, settled.choice) == ("S003", "outcome", "B")
    assert load_workbook(second)["SETTLED"]["A2"].value == "S003"
    assert first.read_bytes() == kept
    third = tmp_path / "third.xlsx"
    listed(agreement(*(again / p.name for p in coders.write(again))), third, second)
    assert {(r["study"], r["field"]): r["state"] for r in rows_of(third)} == states
    assert {r["earlier"] for r in rows_of(third)} == {r["earlier"] for r in rows_of(second)}


@pytest.mark.parametrize(
    ("key", "typed", "column", "what"),
    [
        (("S001", "design"), {"decision": "C"}, "decision", "is no decision"),
        (("S001", "design"), {"decision": "othr"}, "decision", "did you mean other"),
        (("S001", "design"), {"decision": "other"}, "value", "other needs a value"),
        (("S001", "design"), {"decision": "A", "value": "RCT"}, "value", "a value stands beside"),
        (("S001", "design"), {"value": "RCT"}, "value", "without a decision"),
        (("S001", "design"), {"decision": "other", "value": "random"}, "value", "is no level"),
        (("S002", "value"), {"decision": "other", "value": "0,19"}, "value", "decimal comma"),
        (("S003", "outcome"), {"decision": "other", "value": "O9"}, "value", "no row O9"),
        (("S004", "D1"), {"decision": "other", "value": 3}, "value", "is no level of D1"),
    ],
)
def test_a_decision_that_cannot_be_carried_out(
    coders: Coders,
    tmp_path: Path,
    key: tuple[str, str],
    typed: dict[str, Any],
    column: str,
    what: str,
) -> None:
    path = tmp_path / "consensus.xlsx"
    found = agreement(*coders.write(tmp_path))
    listed(found, path)
    place = [(r["study"], r["field"]) for r in rows_of(path)].index(key) + 2
    decide(path, {key: typed})
    with pytest.raises(CodingError) as caught:
        consensus(found, path)
    (problem,) = caught.value.problems
    assert problem.address == f"consensus.xlsx!{cell(column, place)}"
    assert what in str(problem) and problem.mend


def test_all_faulty_decisions_at_once(coders: Coders, tmp_path: Path) -> None:
    path = tmp_path / "consensus.xlsx"
    found = agreement(*coders.write(tmp_path))
    listed(found, path)
    decide(path, {("S001", "design"): {"decision": "x"}, ("S004", "D1"): {"decision": "y"}})
    with pytest.raises(CodingError) as caught:
        consensus(found, path)
    assert len(caught.value.problems) == 2


def test_a_list_of_other_coders_or_no_list(coders: Coders, tmp_path: Path) -> None:
    paths = coders.write(tmp_path)
    path = tmp_path / "consensus.xlsx"
    listed(agreement(*paths), path)
    third = tmp_path / "third.xlsx"
    fill_workbook(third, coders.a)
    with pytest.raises(CodingError, match="written for the coders A, B"):
        consensus(agreement(*paths, third), path)
    with pytest.raises(CodingError, match="no sheet CONSENSUS"):
        consensus(agreement(*paths), paths[0])


# --- the consensus review -------------------------------------------------------------------------


def settle(coders: Coders, folder: Path, choice: str = "B") -> tuple[Adjudicated, Agreement]:
    found = agreement(*coders.write(folder))
    path = folder / "consensus.xlsx"
    listed(found, path)
    all_for(path, choice)
    return adjudicate(found, path, folder / "final.xlsx"), found


def value_of(path: Path, sheet: str, study: str, own: str, field: str) -> object:
    review = read_review(path, strict=False)
    records = review.effects_coded if sheet == "EFFECTS" else review.records[sheet]
    for record in records:
        name = record.text("effect") or record.text("id") or record.text("study")
        if record.text("study") == study and name == own:
            coded = record.coded(field)
            return coded.value if coded.code == "" else coded.code
    raise AssertionError(f"no {sheet} {study} {own}")


def test_decisions_for_b_stand_in_as_file(coders: Coders, tmp_path: Path) -> None:
    done, found = settle(coders, tmp_path)
    assert (done.decided, done.open, done.added) == (5, 0, ())
    expected = {
        ("STUDIES", "S001", "S001", "design"): "quasi-experimental",
        ("EFFECTS", "S002", "E1", "value"): 0.91,
        # B's O2 is what A calls O1
        ("EFFECTS", "S003", "E2", "outcome"): "O1",
        ("MODELS", "S004", "M1", "D1"): "NR",
        ("MEASURES", "S005", "A1", "rater"): "therapist",
    }
    for place, value in expected.items():
        assert value_of(done.path, *place) == value
    before = read_review(found.reviews[0].path, strict=False)
    after = read_review(done.path, strict=False)
    assert not [p for p in after.problems if p.severity == "error"]
    changed = {
        f"{sheet}!{coded.cell}"
        for sheet, records in before.records.items()
        for old, new in zip(records, after.records[sheet], strict=True)
        for name, coded in old.cells.items()
        if coded.value != new.coded(name).value
    }
    assert changed == {row.cell for row in read_history(done.path)}


def test_the_review_reads_back_with_its_history(coders: Coders, tmp_path: Path) -> None:
    done, _ = settle(coders, tmp_path)
    history = read_history(done.path)
    assert [(r.study, r.id, r.field, r.decision, r.by) for r in history[:2]] == [
        ("S001", "S001", "design", "B", "MK"),
        ("S002", "E1", "value", "B", "MK"),
    ]
    assert history[1].typed[1] == history[1].decided == "0.91"
    assert history[1].place == "HISTORY!A3"
    for row in history:
        sheet, _, place = row.cell.partition("!")
        shown = load_workbook(done.path)[sheet][place].value
        assert str(shown) == row.decided
    assert load_workbook(done.path)["HISTORY"].auto_filter.ref
    with pytest.raises(CodingError, match="no sheet HISTORY"):
        read_history(tmp_path / "review_AB.xlsx")
    with pytest.raises(CodingError, match="consensus review"):
        agreement(done.path, tmp_path / "review_CD.xlsx")


def test_a_itself_is_never_a_silent_default(coders: Coders, tmp_path: Path) -> None:
    found = agreement(*coders.write(tmp_path))
    path = tmp_path / "consensus.xlsx"
    listed(found, path)
    decide(path, {("S001", "design"): {"decision": "B"}})
    with pytest.raises(CodingError) as caught:
        adjudicate(found, path, tmp_path / "final.xlsx")
    assert [p.address for p in caught.value.problems] == [
        f"consensus.xlsx!{cell('decision', row)}" for row in (3, 4, 5, 6)
    ]
    assert not (tmp_path / "final.xlsx").exists()
    done = adjudicate(found, path, tmp_path / "final.xlsx", allow_open=True)
    assert (done.decided, done.open) == (1, 4)
    assert value_of(done.path, "EFFECTS", "S002", "E1", "value") == "blank"
    assert value_of(done.path, "MODELS", "S004", "M1", "D1") == "blank"
    assert [row.decision for row in read_history(done.path)] == ["B", "", "", "", ""]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_other_and_a(coders: Coders, tmp_path: Path) -> None:
    found = agreement(*coders.write(tmp_path))
    path = tmp_path / "consensus.xlsx"
    listed(found, path)
    all_for(path, "A")
    decide(
        path,
        {
            ("S001", "design"): {"decision": "OTHER", "value": "RCT"},
            ("S002", "value"): {"decision": "other", "value": ".25"},
            ("S003", "outcome"): {"decision": "other", "value": "o1"},
            ("S005", "rater"): {"decision": "other", "value": "nobody"},
        },
    )
    with pytest.raises(CodingError, match="is no level of rater"):
        adjudicate(found, path, tmp_path / "final.xlsx")
    decide(path, {("S005", "rater"): {"decision": "other", "value": "NA"}})
    done = adjudicate(found, path, tmp_path / "final.xlsx")
    assert value_of(done.path, "STUDIES", "S001", "S001", "design") == "RCT"
    assert value_of(done.path, "EFFECTS", "S002", "E1", "value") == 0.25
    assert value_of(done.path, "EFFECTS", "S003", "E2", "outcome") == "O1"
    assert value_of(done.path, "MEASURES", "S005", "A1", "rater") == "NA"
    a_says = coders.a["MODELS"][3]["D1"]
    assert value_of(done.path, "MODELS", "S004", "M1", "D1") == a_says


def test_effects_that_one_coder_found(tmp_path: Path) -> None:
    coders = simulated_coders(4)
    coders.b["EFFECTS"].remove(coders.of_b("EFFECTS", "S001", "E3"))
    coders.b["EFFECTS"].remove(coders.of_b("EFFECTS", "S002", "E3"))
    coders.b["MEASURES"].append(wb.outcome("S003", "O1b", instrument="PHQ-9"))
    extra = wb.effect("S003", "E1b", alliance="A1", outcome="O1b", value=0.77, note="@note")
    coders.b["EFFECTS"].append(extra)
    coders.b["EFFECTS"].append(
        {**coders.of_b("EFFECTS", "S004", "E1"), "effect": "E9", "value": 0.66, "lag": 3}
    )
    found = agreement(*coders.write(tmp_path))
    path = tmp_path / "consensus.xlsx"
    listed(found, path)
    rows = rows_of(path)
    assert [(r["study"], r["field"]) for r in rows] == [
        *(("S001", "(effect)"), ("S002", "(effect)"), ("S003", "(effect)"), ("S004", "(effect)"))
    ]
    assert (rows[0]["B"], rows[2]["A"]) == ("not found", "not found")
    (rule,) = load_workbook(path)["CONSENSUS"].data_validations.dataValidation
    assert rule.formula1 == '"keep,drop"'
    decide(
        path,
        {
            ("S001", "(effect)"): {"decision": "keep"},
            ("S002", "(effect)"): {"decision": "drop", "reason": "another sample"},
            ("S003", "(effect)"): {"decision": "keep"},
            ("S004", "(effect)"): {"decision": "drop"},
        },
    )
    done = adjudicate(found, path, tmp_path / "final.xlsx")
    assert done.added == ("MEASURES S003 O1b", "EFFECTS S003 E1b")
    review = read_review(done.path, strict=False)
    assert not [p for p in review.problems if p.severity == "error"]
    of = {(e.text("study"), e.text("effect")): e for e in review.effects_coded}
    assert len(of) == 17 and ("S004", "E9") not in of
    assert of["S001", "E3"].text("role") == ""
    assert of["S002", "E3"].text("role") == "not used"
    assert of["S002", "E3"].text("role_reason") == "consensus: another sample"
    added = of["S003", "E1b"]
    assert (added.number("value"), added.text("outcome"), added.text("note")) == (
        *(0.77, "O1b", "@note"),
    )
    # B's A1 is what A calls A2
    assert added.text("alliance") == "A2"
    cells = {row.study: row for row in read_history(done.path)}
    assert (cells["S003"].cell, cells["S003"].decided) == (added.address(), "kept")
    assert (cells["S004"].cell, cells["S004"].decided) == ("", "dropped")
    label = load_workbook(done.path)["EFFECTS"][wb.cell_of("EFFECTS", "label", added.row)].value
    assert label.startswith("=IF(")


def test_undecided_effects_are_kept_out(tmp_path: Path) -> None:
    coders = simulated_coders(3)
    coders.b["EFFECTS"].remove(coders.of_b("EFFECTS", "S001", "E3"))
    coders.a["EFFECTS"] = [
        e for e in coders.a["EFFECTS"] if (e["study"], e["effect"]) != ("S002", "E2")
    ]
    found = agreement(*coders.write(tmp_path))
    path = tmp_path / "consensus.xlsx"
    listed(found, path)
    done = adjudicate(found, path, tmp_path / "final.xlsx", allow_open=True)
    review = read_review(done.path, strict=False)
    unsure = [e for e in review.effects_coded if e.text("role") == "not used"]
    assert {e.text("study") for e in unsure} == {"S001", "S002"}
    assert {e.text("role_reason") for e in unsure} == {"undecided whether it exists"}


def test_ids_that_a_uses_otherwise_are_given_anew(tmp_path: Path) -> None:
    coders = simulated_coders(2)
    coders.b["MEASURES"].append(wb.outcome("S001", "O3", instrument="PHQ-9"))
    coders.a["MEASURES"].append(wb.outcome("S001", "O3", instrument="GAF", rater="observer"))
    coders.b["EFFECTS"].append(wb.effect("S001", "E5", outcome="O3", value=0.7, model="M7"))
    coders.a["EFFECTS"].append(wb.effect("S001", "E5", outcome="O3", value=0.2))
    done, _ = settle(coders, tmp_path)
    assert set(done.added) == {"MEASURES S001 O1", "EFFECTS S001 E6"} or set(done.added) == {
        "MEASURES S001 O4",
        "EFFECTS S001 E6",
    }
    review = read_review(done.path, strict=False)
    assert not [p for p in review.problems if p.severity == "error"]
    assert value_of(done.path, "EFFECTS", "S001", "E6", "model") == "M1"


def test_a_study_that_b_alone_has_coded_is_taken_over(tmp_path: Path) -> None:
    coders = simulated_coders(3)
    full = coders.a["STUDIES"][1]
    for sheet in ("MEASURES", "MODELS", "EFFECTS"):
        coders.a[sheet] = [r for r in coders.a[sheet] if r["study"] != "S002"]
    coders.a["STUDIES"][1] = {"study": "S002", "citation": full["citation"], "status": "to do"}
    done, _ = settle(coders, tmp_path)
    review = read_review(done.path, strict=False)
    assert not [p for p in review.problems if p.severity == "error"]
    assert len([e for e in review.effects_coded if e.text("study") == "S002"]) == 4
    assert value_of(done.path, "STUDIES", "S002", "S002", "design") == full["design"]
    (row,) = read_history(done.path)
    assert (row.study, row.field, row.decided) == ("S002", "(study)", "coded by B alone")


def test_a_study_that_b_alone_has_listed_is_taken_over(tmp_path: Path) -> None:
    coders = simulated_coders(3)
    for sheet in coders.a:
        coders.a[sheet] = [r for r in coders.a[sheet] if r["study"] != "S003"]
    coders.b["STUDIES"].append({"study": "S009", "citation": "Listed only"})
    done, _ = settle(coders, tmp_path)
    review = read_review(done.path, strict=False)
    assert not [p for p in review.problems if p.severity == "error"]
    assert [r.text("study") for r in review.studies] == ["S001", "S002", "S003", "S009"]
    assert len([e for e in review.effects_coded if e.text("study") == "S003"]) == 4


def test_evidence_of_others_is_taken_over_once(tmp_path: Path) -> None:
    coders = simulated_coders(2)
    shared = {"study": "S001", "field": "design", "quote": "were randomised", "page": "3"}
    coders.a["EVIDENCE"] = [shared]
    coders.b["EVIDENCE"] = [
        dict(shared),
        {"study": "S001", "id": "M7", "field": "D1", "quote": "+ multilevel", "page": "5"},
    ]
    done, _ = settle(coders, tmp_path)
    evidence = read_review(done.path, strict=False).records["EVIDENCE"]
    assert [(e.text("id"), e.text("quote")) for e in evidence] == [
        ("", "were randomised"),
        ("M1", "+ multilevel"),
    ]


def grid_review(path: Path, **cells: Any) -> Path:
    row = {"study": "S1", "alliance": "A1", "lag": "post", "positive_means": "better", "n": 60}
    sheets = {
        "STUDIES": [wb.study("S1")],
        "MEASURES": [wb.alliance("S1"), wb.outcome("S1"), wb.outcome("S1", "O2", instrument="OQ")],
        "GRID": [{**row, "O1": 0.3, "O2": 0.2, **cells}],
    }
    fill_workbook(path, sheets)
    return path


def test_a_cell_of_grid_is_decided_in_place(tmp_path: Path) -> None:
    found = agreement(grid_review(tmp_path / "a.xlsx"), grid_review(tmp_path / "b.xlsx", O2=0.25))
    path = tmp_path / "consensus.xlsx"
    listed(found, path)
    done = adjudicate(found, all_for(path, "B"), tmp_path / "final.xlsx")
    book = load_workbook(done.path)
    assert book["GRID"][wb.cell_of("GRID", "O2", 2)].value == 0.25
    assert read_review(done.path).records["EFFECTS"] == ()


def test_what_a_row_of_grid_shares_moves_its_effects_to_effects(tmp_path: Path) -> None:
    found = agreement(
        grid_review(tmp_path / "a.xlsx"), grid_review(tmp_path / "b.xlsx", n=50, O1="n.s.")
    )
    path = tmp_path / "consensus.xlsx"
    listed(found, path)
    book = load_workbook(path)
    for row in book["CONSENSUS"].iter_rows(min_row=2):
        row[COLUMNS.index("decision")].value = "B"
    book.save(path)
    done = adjudicate(found, path, tmp_path / "final.xlsx")
    review = read_review(done.path)
    assert review.records["GRID"] == ()
    effects = {e.text("effect"): e for e in review.records["EFFECTS"]}
    assert set(effects) == {"A1-O1", "A1-O2"}
    assert effects["A1-O1"].text("stat") == "n.s. only"
    assert effects["A1-O2"].number("value") == 0.2
    assert {e.number("n") for e in effects.values()} == {50.0}


def test_amendments_are_kept_and_carried_out(coders: Coders, tmp_path: Path) -> None:
    done, found = settle(coders, tmp_path)
    book = load_workbook(done.path)
    sheet = book["HISTORY"]
    titles = {c.value: c.column for c in sheet[1]}
    for name, text in (
        ("amended", "0.44"),
        ("amended_date", "2027-01-31"),
        ("amended_reason", "erratum"),
    ):
        sheet.cell(3, titles[name]).value = text
    book.save(done.path)
    again = adjudicate(
        found, tmp_path / "consensus.xlsx", tmp_path / "final2.xlsx", history=done.path
    )
    row = read_history(again.path)[1]
    assert (row.decided, row.amended, row.amended_date, row.amended_reason) == (
        *("0.91", "0.44", "2027-01-31", "erratum"),
    )
    assert value_of(again.path, "EFFECTS", "S002", "E1", "value") == 0.44
    sheet.cell(3, titles["amended"]).value = "about .4"
    book.save(done.path)
    with pytest.raises(CodingError) as caught:
        adjudicate(found, tmp_path / "consensus.xlsx", tmp_path / "f3.xlsx", history=done.path)
    assert caught.value.problems[0].address == "HISTORY!A3"


def test_a_column_that_a_lacks_is_named(coders: Coders, tmp_path: Path) -> None:
    paths = coders.write(tmp_path)
    book = load_workbook(paths[0])
    at = wb.cell_of("STUDIES", "design", 1)
    book["STUDIES"][at] = "something else"
    book.save(paths[0])
    found = agreement(*paths)
    path = tmp_path / "consensus.xlsx"
    listed(found, path)
    assert ("S001", "design") not in {(r["study"], r["field"]) for r in rows_of(path)}


def test_three_coders(tmp_path: Path) -> None:
    coders = simulated_coders(3)
    coders.plant("STUDIES", "S001", "S001", "design", "quasi-experimental")
    third = simulated_coders(3, renumber=False).a
    third["STUDIES"][0]["design"] = "uncontrolled trial"
    path = tmp_path / "third.xlsx"
    fill_workbook(path, third)
    found = agreement(*coders.write(tmp_path), path)
    listing = tmp_path / "consensus.xlsx"
    listed(found, listing)
    book = load_workbook(listing)
    sheet = book["CONSENSUS"]
    titles = {c.value: c.column for c in sheet[1]}
    assert [sheet.cell(2, titles[a]).value for a in "BC"] == [
        *("quasi-experimental", "uncontrolled trial")
    ]
    sheet.cell(2, titles["decision"]).value = "C"
    book.save(listing)
    done = adjudicate(found, listing, tmp_path / "final.xlsx")
    assert value_of(done.path, "STUDIES", "S001", "S001", "design") == "uncontrolled trial"


def test_single_tables_have_a_list_but_no_consensus_review(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("study,effect,n,r\nS1,E1,40,.3\n")
    second.write_text("study,effect,n,r\nS1,E1,40,.4\n")
    found = agreement(first, second)
    path = tmp_path / "consensus.xlsx"
    listed(found, path)
    assert [r["field"] for r in rows_of(path)] == ["r"]
    with pytest.raises(CodingError, match="single table"):
        adjudicate(found, all_for(path, "A"), tmp_path / "final.xlsx")
