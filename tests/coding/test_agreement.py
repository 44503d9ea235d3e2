"""Agreement of simulated coders: every planted difference is found at its cell, none invented."""

from __future__ import annotations

import doctest
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.coding import agreement as module
from metalliance.coding.agreement import Agreement, agreement
from metalliance.coding.agreement_rows import Coding, field_row
from metalliance.coding.codebook import load_codebook
from metalliance.coding.comparison import Answer
from metalliance.coding.disagreements import disagreements
from metalliance.coding.template import fill_workbook
from metalliance.errors import CodingError
from metalliance.numerics.agreement import cohen_kappa
from metalliance.numerics.intraclass import intraclass_correlation
from tests.coding import workbooks as wb
from tests.coding.simulated_coders import Coders, simulated_coders

COLUMNS = [
    *("field", "type", "n", "agree_percent", "kappa", "kappa_weighted", "icc", "ac1", "alpha"),
    *("conf_low", "conf_high", "note"),
]
PLANTED: list[tuple[str, str, str, str, Any]] = [
    ("STUDIES", "S001", "S001", "design", "quasi-experimental"),
    ("STUDIES", "S002", "S002", "n_start", 999),
    ("STUDIES", "S003", "S003", "treatment", "NR"),
    ("MEASURES", "S004", "O1", "rater", "therapist"),
    ("MEASURES", "S005", "A1", "instrument", "WAI-S"),
    ("MEASURES", "S005", "A2", "alpha", "NR"),
    ("MODELS", "S006", "M1", "D1", "NA"),
    ("MODELS", "S007", "M1", "covariates", "both"),
    ("EFFECTS", "S008", "E1", "value", 0.91),
    ("EFFECTS", "S009", "E2", "positive_means", "unclear"),
    ("EFFECTS", "S010", "E3", "lag", 2),
    ("EFFECTS", "S011", "E4", "model", "PRE"),
    ("EFFECTS", "S012", "E2", "outcome", "O2"),
]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Coders, Agreement]:
    coders = simulated_coders(12)
    for plant in PLANTED:
        coders.plant(*plant)
    return coders, agreement(*coders.write(tmp_path_factory.mktemp("planted")))


def row(frame: pd.DataFrame, field: str, sheet: str) -> pd.Series:
    found = frame[(frame["field"] == field) & (frame["sheet"] == sheet)]
    assert len(found) == 1
    return found.iloc[0]


def test_examples_run() -> None:
    done = doctest.testmod(module)
    assert (done.failed, done.attempted > 0) == (0, True)


def test_every_planted_difference_is_found_and_none_invented(
    planted: tuple[Coders, Agreement],
) -> None:
    coders, found = planted
    got = {(d.group.sheet, d.study, d.id, d.field) for d in disagreements(found)}
    assert got == set(coders.planted)
    assert found.only_in.empty and found.not_shared == ()


def something_else(
    rng: np.random.Generator, coders: Coders, place: tuple[str, str, str, str]
) -> Any:
    """Another value that this field may hold; None where it is left alone."""
    sheet, study, own, column = place
    now = coders.of_b(sheet, study, own).get(column)
    field = load_codebook()[sheet][column]
    swap = {"A1": "A2", "A2": "A1", "O1": "O2", "O2": "O1"}
    if column in ("alliance", "outcome"):
        value: Any = swap[now]
    elif column in ("model", "instrument"):
        value = {"model": "PRE", "instrument": "another scale"}[column]
    elif field.levels:
        value = str(rng.choice([level for level in field.levels if level != now]))
    elif field.type == "number":
        value = round(float(rng.uniform(0.01, 0.99)), 2)
    elif field.type in ("lag", "session"):
        value = int(rng.integers(4, 9))
    else:
        value = int(rng.integers(1950, 2050)) if column == "year" else int(rng.integers(5, 300))
    return None if value == now else value


@pytest.mark.slow
def test_random_differences(tmp_path: Path) -> None:
    """2 % of all cells; figures in docs/validation.md."""
    planted = missed = invented = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        coders = simulated_coders(20, seed=seed)
        for sheet, rows in coders.a.items():
            for a in rows:
                own = str(a.get("effect") or a.get("id") or a["study"])
                for column in set(a) - {"study", "id", "effect", "citation", "status", "page"}:
                    place = (sheet, str(a["study"]), own, column)
                    value = something_else(rng, coders, place) if rng.random() < 0.02 else None
                    if value is not None:
                        coders.plant(*place, value)
        folder = tmp_path / str(seed)
        folder.mkdir()
        found = disagreements(agreement(*coders.write(folder)))
        got = {(one.group.sheet, one.study, one.id, one.field) for one in found}
        apart = {one.study for one in found if one.field == "(effect)"}
        left = set(coders.planted) - got
        extra = got - set(coders.planted)
        assert {study for _, study, _, _ in left | extra} <= apart | {
            study for _, study, _, column in extra if column in ("alliance", "outcome", "model")
        }
        planted, missed, invented = (
            planted + len(coders.planted),
            missed + len(left),
            invented + len(extra),
        )
    print(planted, missed, invented)
    assert missed < 0.06 * planted


def test_each_stands_at_the_cells_of_both(planted: tuple[Coders, Agreement]) -> None:
    coders, found = planted
    for one in disagreements(found):
        sheet = one.group.sheet
        mine = next(
            r
            for r in coders.a[sheet]
            if r["study"] == one.study and one.id in (r.get("id"), r.get("effect"), r.get("study"))
        )
        places = [
            (coders.a[sheet].index(mine), "A"),
            (coders.b[sheet].index(coders.of_b(sheet, one.study, one.id)), "B"),
        ]
        for (index, _), cell in zip(places, one.cells, strict=True):
            assert cell == f"{sheet}!{wb.cell_of(sheet, one.field, index + 2)}"


def test_the_table_has_the_columns_of_the_contract(planted: tuple[Coders, Agreement]) -> None:
    _, found = planted
    for frame in (found.table, found.training, found.pilot):
        assert list(frame.columns)[: len(COLUMNS)] == COLUMNS
    assert ma.agreement is agreement


def test_levels_where_things_are_coded(planted: tuple[Coders, Agreement]) -> None:
    """A fact of a study counts once per sample, one of a model once per model."""
    _, found = planted
    assert row(found.table, "design", "STUDIES")["n"] == 12
    assert row(found.table, "rater", "MEASURES")["n"] == 48
    assert row(found.table, "covariates", "MODELS")["n"] == 12
    assert row(found.table, "value", "EFFECTS")["n"] == 48
    assert row(found.table, "yi", "derived")["n"] == 47  # one sign is unclear


def test_coefficients_are_those_of_the_codes(planted: tuple[Coders, Agreement]) -> None:
    coders, found = planted
    names = [r["study"] for r in coders.a["STUDIES"]]
    designs = [[r["design"] for r in side["STUDIES"]] for side in (coders.a, coders.b)]
    levels = sorted({d for side in designs for d in side})
    codes = np.array([[levels.index(d) for d in side] for side in designs], float).T
    design = row(found.table, "design", "STUDIES")
    kappa = cohen_kappa(codes)
    assert (design["type"], design["kappa"]) == ("nominal", pytest.approx(kappa.estimate))
    assert design["conf_low"] == pytest.approx(kappa.conf_low)
    assert design["agree_percent"] == pytest.approx(100 * 11 / 12)
    numbers = [[r["n_start"] for r in side["STUDIES"]] for side in (coders.a, coders.b)]
    icc = intraclass_correlation(np.array(numbers, float).T)
    starts = row(found.table, "n_start", "STUDIES")
    assert (starts["type"], starts["icc"]) == ("number", pytest.approx(icc.estimate))
    assert math.isnan(starts["kappa"]) and len(names) == 12


def test_not_reported_is_a_category_and_no_number(planted: tuple[Coders, Agreement]) -> None:
    _, found = planted
    treatment = row(found.table, "treatment", "STUDIES")
    assert treatment["n"] == 12 and treatment["agree_percent"] == pytest.approx(100 * 11 / 12)
    alpha = row(found.table, "alpha", "MEASURES")
    assert alpha["agree_percent"] == pytest.approx(100 * 23 / 24)
    assert "1 with a number from one coder and NR or NA from another" in alpha["note"]
    d1 = row(found.table, "D1", "MODELS")
    assert d1["type"] == "ordinal" and d1["kappa"] < 1 and d1["kappa_weighted"] == 1
    assert "1 with NR or NA" in d1["note"]


def test_references_compare_rows_and_not_ids(planted: tuple[Coders, Agreement]) -> None:
    _, found = planted
    for field, percent in (("alliance", 100), ("outcome", 100 * 47 / 48), ("model", 100 * 47 / 48)):
        one = row(found.table, field, "EFFECTS")
        assert (one["type"], one["agree_percent"]) == ("reference", pytest.approx(percent))


def test_a_rare_category_is_said_and_ac1_stands_beside(planted: tuple[Coders, Agreement]) -> None:
    _, found = planted
    lag = row(found.table, "lag", "EFFECTS")
    assert "kappa is unstable, read AC1 beside it" in lag["note"]
    assert lag["kappa"] == 0 and lag["ac1"] > 0.9


def test_every_coefficient_has_its_interval_and_numbers_their_limits(
    planted: tuple[Coders, Agreement],
) -> None:
    _, found = planted
    of_design = found.coefficients[found.coefficients["field"] == "design"]
    assert list(of_design["coefficient"]) == ["kappa", "ac1", "alpha"]
    assert (of_design["conf_low"] < of_design["estimate"]).all()
    limits = found.limits[found.limits["field"] == "n_start"].iloc[0]
    assert limits["n"] == 12 and limits["low"] < limits["bias"] < limits["high"]


def test_existence(tmp_path: Path) -> None:
    coders = simulated_coders(6)
    coders.b["EFFECTS"].remove(coders.of_b("EFFECTS", "S001", "E3"))
    coders.a["EFFECTS"] = [
        r for r in coders.a["EFFECTS"] if (r["study"], r["effect"]) not in {("S002", "E1")}
    ]
    found = agreement(*coders.write(tmp_path))
    effects = found.existence[found.existence["sheet"] == "EFFECTS"].iloc[0]
    assert tuple(effects[["both", "only_first", "only_second"]]) == (22, 1, 1)
    assert effects["agree_percent"] == pytest.approx(100 * 22 / 24)
    assert effects["positive_agreement"] == pytest.approx(44 / 46)
    assert "not defined" in effects["note"]
    alone = found.only_in
    assert set(zip(alone["coder"], alone["study"], strict=True)) == {("A", "S001"), ("B", "S002")}


def test_training_and_pilot_are_apart(tmp_path: Path) -> None:
    coders = simulated_coders(6)
    for side in (coders.a, coders.b):
        side["STUDIES"][0]["phase"] = "training"
        side["STUDIES"][1]["phase"] = "pilot"
        side["STUDIES"][2]["phase"] = "main"
    coders.plant("EFFECTS", "S001", "E1", "value", 0.95)
    found = agreement(*coders.write(tmp_path))
    counts = [row(f, "value", "EFFECTS")["n"] for f in (found.training, found.pilot, found.table)]
    assert counts == [4, 4, 16]
    assert row(found.training, "value", "EFFECTS")["agree_percent"] == 75
    assert row(found.table, "value", "EFFECTS")["agree_percent"] == 100
    assert len(disagreements(found)) == 1


def test_an_empty_cell_is_left_out_counted_and_listed(tmp_path: Path) -> None:
    coders = simulated_coders(5)
    coders.of_b("STUDIES", "S002", "")["design"] = None
    found = agreement(*coders.write(tmp_path))
    design = row(found.table, "design", "STUDIES")
    assert (design["n"], design["left_out"], design["agree_percent"]) == (4, 1, 100)
    assert "1 left out" in design["note"]
    (one,) = disagreements(found)
    assert (one.field, one.typed[1]) == ("design", "(empty)")


def test_an_empty_path_means_what_the_workbook_says(tmp_path: Path) -> None:
    coders = simulated_coders(3)
    coders.of_b("EFFECTS", "S001", "E1")["path"] = None
    coders.of_b("EFFECTS", "S002", "E4")["n"] = None  # the model has it
    assert disagreements(agreement(*coders.write(tmp_path))) == ()


def test_a_study_that_one_coder_has_not_begun_is_not_compared(tmp_path: Path) -> None:
    coders = simulated_coders(4)
    for sheet in ("MEASURES", "MODELS", "EFFECTS"):
        coders.b[sheet] = [r for r in coders.b[sheet] if r["study"] != "S003"]
    coders.of_b("STUDIES", "S003", "")["status"] = "to do"
    found = agreement(*coders.write(tmp_path))
    assert found.not_shared == (("S003", ("A",)),)
    assert found.only_in.empty and disagreements(found) == ()
    assert row(found.table, "design", "STUDIES")["n"] == 3


def test_a_faulty_cell_is_left_out(tmp_path: Path) -> None:
    coders = simulated_coders(4)
    paths = coders.write(tmp_path)
    at = coders.b["EFFECTS"].index(coders.of_b("EFFECTS", "S001", "E1")) + 2
    wb.put(paths[1], {("EFFECTS", wb.cell_of("EFFECTS", "n", at)): "about 40"})
    found = agreement(*paths)
    one = row(found.table, "n", "EFFECTS")
    assert (one["n"], one["left_out"]) == (15, 1)
    (listed,) = disagreements(found)
    assert listed.typed[1] == "about 40 (cannot be read)" and listed.choices == ("A", "other")


def test_a_row_of_grid_is_compared_once(tmp_path: Path) -> None:
    grid = {"study": "S1", "alliance": "A1", "lag": "post", "positive_means": "better", "n": 60}
    sheets = {
        "STUDIES": [wb.study("S1")],
        "MEASURES": [wb.alliance("S1"), wb.outcome("S1"), wb.outcome("S1", "O2", instrument="OQ")],
        "GRID": [{**grid, "O1": 0.3, "O2": 0.2}],
    }
    first, second = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    fill_workbook(first, sheets)
    sheets["GRID"][0] |= {"n": 50, "O2": 0.25}
    fill_workbook(second, sheets)
    found = agreement(first, second)
    assert row(found.table, "n", "EFFECTS")["n"] == 1
    assert row(found.table, "value", "EFFECTS")["n"] == 2
    listed = {(one.field, one.cells) for one in disagreements(found)}
    cells = [wb.cell_of("GRID", name, 2) for name in ("n", "O2")]
    assert listed == {
        ("n", (f"GRID!{cells[0]}", f"GRID!{cells[0]}")),
        ("value", (f"GRID!{cells[1]}", f"GRID!{cells[1]}")),
    }


def test_the_teams_own_moderators_are_compared(tmp_path: Path) -> None:
    coders = simulated_coders(4)
    for side in (coders.a, coders.b):
        for number, study in enumerate(side["STUDIES"]):
            study["mod:dose"] = number
    coders.b["STUDIES"][1]["mod:dose"] = 7
    found = agreement(*coders.write(tmp_path))
    (one,) = disagreements(found)
    assert one.field == "mod:dose"
    assert row(found.table, "mod:dose", "STUDIES")["type"] == "number"


def test_three_coders_and_one_who_left_out_a_study(tmp_path: Path) -> None:
    coders = simulated_coders(5)
    coders.plant("STUDIES", "S001", "S001", "design", "uncontrolled trial")
    third = simulated_coders(5).a
    for sheet in ("MEASURES", "MODELS", "EFFECTS"):
        third[sheet] = [r for r in third[sheet] if r["study"] != "S002"]
    next(r for r in third["STUDIES"] if r["study"] == "S002")["status"] = "to do"
    path = tmp_path / "c.xlsx"
    fill_workbook(path, third)
    found = agreement(*coders.write(tmp_path), path)
    design = row(found.table, "design", "STUDIES")
    assert found.coders == ("A", "B", "C") and design["n"] == 5
    assert design["agree_percent"] == pytest.approx(100 * (4 + 1 / 3) / 5)
    assert "mean over pairs of coders" in design["note"]
    (one,) = disagreements(found)
    assert (one.field, len(one.typed)) == ("design", 3)
    assert len(found.existence) == 12


def test_flat_tables(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("study,effect,n,r,rater\nS1,E1,40,.3,patient\nS2,E1,60,.4,patient\n")
    second.write_text("study,effect,n,r,rater\nS1,E1,40,.3,observer\nS2,E1,60,.5,patient\n")
    found = agreement(first, second)
    assert {(one.study, one.field) for one in disagreements(found)} == {
        ("S1", "mod:rater"),
        ("S2", "r"),
    }


def coding(kind: Any, pairs: list[tuple[Any, ...]], levels: tuple[str, ...] = ()) -> Coding:
    answers = tuple(tuple(Answer(key=key, typed=True) for key in pair) for pair in pairs)
    return Coding(field="f", sheet="S", kind=kind, phase="main", levels=levels, answers=answers)


def test_the_gate_of_sixty() -> None:
    pairs = [("0", "2"), ("1", "1"), ("2", "0"), ("1", "2"), ("0", "0")]
    low = field_row(coding("ordinal", pairs, ("0", "1", "2")), ("A", "B")).cells
    assert low["kappa_weighted"] < 0.6 and low["note"].startswith("weighted kappa below .60")
    assert "linear" in low["note"]
    high = field_row(coding("ordinal", [*pairs[1:2] * 9, ("0", "0")], ("0", "1")), ("A", "B")).cells
    assert "below .60" not in high["note"]


def test_agreement_within_rounding() -> None:
    one = field_row(coding("number", [(0.314, 0.31), (0.2, 0.2), (0.5, 0.4)]), ("A", "B")).cells
    assert one["agree_percent"] == pytest.approx(100 / 3)
    assert "66.7 % agree within rounding" in one["note"]


@pytest.mark.parametrize("kind", ["nominal", "ordinal", "number", "text", "reference"])
@pytest.mark.parametrize(
    "pairs",
    [
        [(None, "1"), ("NR", None)],
        [("NR", "NR")] * 3,
        [("1", "1")],
        [(1.0, 1.0), (1.0, 1.0)],
        [(1.0, "NA"), (2.0, 3.0)],
    ],
)
def test_nothing_warns_or_crashes(kind: Any, pairs: list[tuple[Any, ...]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cells = field_row(coding(kind, pairs, ("0", "1", "2")), ("A", "B")).cells
    if not cells["n"]:
        assert math.isnan(cells["agree_percent"])


def test_files_that_cannot_serve_are_all_named(tmp_path: Path) -> None:
    flat = tmp_path / "a.csv"
    flat.write_text("study,n,r\nA,40,.3\n")
    (good, _) = simulated_coders(2).write(tmp_path)
    with pytest.raises(CodingError) as caught:
        agreement(tmp_path / "nowhere.xlsx", tmp_path / "nor.xlsx", good)
    assert [problem.sheet for problem in caught.value.problems] == ["nowhere.xlsx", "nor.xlsx"]
    with pytest.raises(CodingError, match="single table"):
        agreement(good, flat)
