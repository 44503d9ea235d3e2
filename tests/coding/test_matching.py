"""Coders number rows as they like; what is one and the same thing is found by its content."""

from __future__ import annotations

import copy
import doctest
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metalliance.coding import matching
from metalliance.coding.matching import Group, Matching, match_reviews
from metalliance.coding.review import Review, read_review
from metalliance.coding.template import fill_workbook
from tests.coding import workbooks as wb
from tests.coding.simulated_coders import Coders, Sheets, simulated_coders


def matched(folder: Path, *sides: Sheets) -> tuple[Matching, tuple[Review, ...]]:
    reviews = []
    for number, sheets in enumerate(sides):
        path = folder / f"{number}.xlsx"
        fill_workbook(path, sheets)
        reviews.append(read_review(path, strict=False))
    return match_reviews(reviews), tuple(reviews)


def ids(group: Group) -> tuple[str, ...]:
    return tuple(row.id if row else "" for row in group.rows)


def pairs(found: Matching, sheet: str) -> set[tuple[str, ...]]:
    return {ids(group) for group in found.groups[sheet]}


def test_examples_run() -> None:
    assert doctest.testmod(matching) == (0, 1)


def test_a_file_matches_itself_by_ids(tmp_path: Path) -> None:
    coders = simulated_coders(5, renumber=False)
    found, _ = matched(tmp_path, coders.a, coders.b)
    for groups in found.groups.values():
        assert all(len(set(ids(group))) == 1 and group.differs == () for group in groups)
        assert {group.how for group in groups} <= {"id"}


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000))
def test_other_ids_in_another_order_are_seen_through(tmp_path: Path, seed: int) -> None:
    coders = simulated_coders(4, seed=seed)
    found, _ = matched(tmp_path, coders.a, coders.b)
    for sheet in ("MEASURES", "MODELS", "EFFECTS"):
        for group in found.groups[sheet]:
            first = group.rows[0]
            assert first is not None
            assert ids(group)[1] == coders.ids[sheet, group.study, first.id]


@pytest.mark.parametrize(
    ("sheet", "study", "own", "column", "value"),
    [
        ("EFFECTS", "S001", "E1", "value", 0.99),
        ("EFFECTS", "S001", "E2", "lag", 1),
        ("EFFECTS", "S002", "E3", "alliance_term", "mean of k"),
        ("EFFECTS", "S002", "E4", "model", "PRE"),
        ("EFFECTS", "S003", "E3", "path", "outcome→alliance"),
        ("EFFECTS", "S003", "E2", "outcome", "O2"),
        ("MEASURES", "S001", "A1", "rater", "therapist"),
        ("MEASURES", "S001", "O2", "first_session", "follow-up"),
        ("MEASURES", "S002", "A2", "instrument", "another one"),
        ("MODELS", "S002", "M1", "kind", "MLM"),
        ("MODELS", "S003", "M1", "covariates", "both"),
    ],
)
def test_one_difference_does_not_part_them(
    tmp_path: Path, sheet: str, study: str, own: str, column: str, value: object
) -> None:
    coders = simulated_coders(3)
    coders.plant(sheet, study, own, column, value)
    found, _ = matched(tmp_path, coders.a, coders.b)
    assert not [g for those in found.groups.values() for g in those if g.how == "alone"]
    group = next(g for g in found.groups[sheet] if g.study == study and ids(g)[0] == own)
    assert ids(group)[1] == coders.ids[sheet, study, own]
    assert group.differs


def two(**b_cells: object) -> tuple[Sheets, Sheets]:
    """One study; two effects of equal content, told apart by their values alone."""
    a: Sheets = {
        "STUDIES": [wb.study("S1")],
        "MEASURES": [wb.alliance("S1"), wb.outcome("S1")],
        "EFFECTS": [wb.effect("S1", "E1", value=0.3), wb.effect("S1", "E2", value=0.5)],
    }
    b = copy.deepcopy(a)
    for row, cells in zip(b["EFFECTS"], b_cells.values(), strict=False):
        row.update(cells)  # type: ignore[call-overload]
    return a, b


def test_equal_content_is_told_apart_by_value(tmp_path: Path) -> None:
    a, b = two(first={"effect": "E2", "value": 0.3}, second={"effect": "E1", "value": 0.5})
    found, _ = matched(tmp_path, a, b)
    assert pairs(found, "EFFECTS") == {("E1", "E2"), ("E2", "E1")}


def test_equal_content_and_other_values_are_told_apart_by_id(tmp_path: Path) -> None:
    a, b = two(first={"value": 0.31}, second={"value": 0.52})
    found, _ = matched(tmp_path, a, b)
    assert pairs(found, "EFFECTS") == {("E1", "E1"), ("E2", "E2")}
    assert {group.how for group in found.groups["EFFECTS"]} == {"id"}


def test_what_fits_several_rows_is_not_guessed(tmp_path: Path) -> None:
    a, b = two(first={"effect": "X1", "value": 0.31}, second={"effect": "X2", "value": 0.52})
    found, _ = matched(tmp_path, a, b)
    assert pairs(found, "EFFECTS") == {("E1", ""), ("E2", ""), ("", "X1"), ("", "X2")}
    for group in found.groups["EFFECTS"]:
        assert group.how == "alone"
        assert {row.id for row in group.candidates} in ({"X1", "X2"}, {"E1", "E2"})


def test_another_outcome_with_another_value_is_another_effect(tmp_path: Path) -> None:
    a, b = two()
    a["MEASURES"].append(wb.outcome("S1", "O2", instrument="HAM-D", rater="observer"))
    b["MEASURES"].append(wb.outcome("S1", "O2", instrument="HAM-D", rater="observer"))
    a["EFFECTS"] = [wb.effect("S1", "E1", value=0.3)]
    b["EFFECTS"] = [wb.effect("S1", "E1", value=0.1, outcome="O2")]
    found, _ = matched(tmp_path, a, b)
    assert pairs(found, "EFFECTS") == {("E1", ""), ("", "E1")}


def test_a_cell_of_grid_and_a_row_of_effects_are_one_effect(tmp_path: Path) -> None:
    a, b = two()
    a["EFFECTS"] = [wb.effect("S1", "E1", value=0.3)]
    del b["EFFECTS"]
    b["GRID"] = [
        {"study": "S1", "alliance": "A1", "lag": "post", "positive_means": "better", "n": 60}
        | {"O1": 0.3}
    ]
    found, _ = matched(tmp_path, a, b)
    (group,) = found.groups["EFFECTS"]
    assert ids(group) == ("E1", "A1-O1")
    assert group.rows[1] is not None and group.rows[1].record.sheet == "GRID"


def test_a_study_of_another_name_is_found_by_its_doi(tmp_path: Path) -> None:
    a, b = two()
    a["STUDIES"][0]["doi"] = b["STUDIES"][0]["doi"] = "10.1037/0033-3204"
    for rows in b.values():
        for row in rows:
            row["study"] = "S001"
    found, _ = matched(tmp_path, a, b)
    assert pairs(found, "STUDIES") == {("S1", "S001")}
    assert pairs(found, "EFFECTS") == {("E1", "E1"), ("E2", "E2")}
    assert {group.study for those in found.groups.values() for group in those} == {"S1"}


def test_correlations_of_measures_match_in_either_order(tmp_path: Path) -> None:
    a, b = two()
    for side in (a, b):
        side["MEASURES"].append(wb.alliance("S1", "A2", instrument="CALPAS"))
    a["INTERCORR"] = [{"study": "S1", "id1": "A1", "id2": "A2", "r": 0.7}]
    b["INTERCORR"] = [{"study": "S1", "id1": "A2", "id2": "A1", "r": 0.6}]
    found, _ = matched(tmp_path, a, b)
    assert pairs(found, "INTERCORR") == {("A1–A2", "A2–A1")}


def test_three_coders(tmp_path: Path) -> None:
    coders = simulated_coders(3)
    third: Coders = simulated_coders(3, renumber=False)
    third.a["EFFECTS"].pop()
    found, _ = matched(tmp_path, coders.a, coders.b, third.a)
    sizes = Counter(len(group.members) for group in found.groups["EFFECTS"])
    assert sizes == {3: 11, 2: 1}
    for group in found.groups["MEASURES"]:
        assert ids(group)[0] == ids(group)[2] != ids(group)[1]


def test_flat_tables_match_by_effect_id_else_by_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("study,effect,n,r\nS1,E1,40,.3\nS1,E2,40,.2\nS2,E1,60,.4\n")
    second.write_text("study,effect,n,r\nS2,E1,60,.4\nS1,E2,40,.1\nS1,E1,40,.3\n")
    reviews = [read_review(path) for path in (first, second)]
    found = match_reviews(reviews)
    assert all(ids(group)[0] == ids(group)[1] for group in found.groups["EFFECTS"])
    second.write_text("study,n,r\nS2,60,.4\nS1,40,.2\nS1,40,.3\n")
    found = match_reviews([reviews[0], read_review(second)])
    values = [[row.record.number("r") for row in g.members] for g in found.groups["EFFECTS"]]
    assert sorted(values) == [[0.2, 0.2], [0.3, 0.3], [0.4, 0.4]]
