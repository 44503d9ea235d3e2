"""Items, index, joint model, rivals and spline against metafor and clubSandwich."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.simulation.readings import quality_table
from tests.tolerances import COEFFICIENT, ITERATED, ROBUST_OWN

FOLDER = Path(__file__).parents[1] / "reference"
STORED = json.loads((FOLDER / "sophistication.json").read_text(encoding="utf-8"))
CASES = [(name, policy) for name in ("several", "one") for policy in ("zero", "missing")]
#: Independent effects are iterated to the end on both sides; rma.mv stops a little early.
SLOPE = {"one": ITERATED, "several": COEFFICIENT}
REST = {"one": ITERATED, "several": ROBUST_OWN}
pytestmark = pytest.mark.parametrize(("name", "policy"), CASES)


@cache
def found(name: str) -> ma.SophisticationAnalysis:
    frame = pd.read_csv(FOLDER / "datasets" / f"sophistication_{name}.csv")
    codes = [column for column in frame if column.endswith("_code")]
    frame[codes] = frame[codes].fillna("")
    return ma.sophistication(quality_table(frame))


def of(table: pd.DataFrame, policy: str, **chosen: str) -> pd.DataFrame:
    rows = table[table["not_reported"] == policy]
    for column, value in chosen.items():
        rows = rows[rows[column] == value]
    return rows.reset_index(drop=True)


def agrees(row: pd.Series, theirs: dict[str, Any], name: str, unit: float = 1.0) -> None:
    scale = abs(theirs["se"])
    assert row["estimate"] / unit == pytest.approx(theirs["b"], abs=SLOPE[name] * scale)
    assert row["std_error"] / unit == pytest.approx(theirs["se"], rel=REST[name])
    assert row["df"] == pytest.approx(theirs["df"], rel=REST[name])
    if not row["imprecise"]:
        assert row["p_value"] == pytest.approx(theirs["p"], rel=10 * REST[name])


def test_items_one_by_one(name: str, policy: str) -> None:
    stored = STORED[name][policy]["items"]
    items = of(found(name).items, policy)
    fitted = items[items["withheld"] == ""]
    assert set(fitted["item"]) == set(stored)
    for item, rows in stored.items():
        ours = fitted[fitted["item"] == item].set_index("part")
        assert list(ours.index) == [row["term"] for row in rows]
        for row in rows:
            agrees(ours.loc[row["term"]], row, name)


@pytest.mark.parametrize("part", ["between", "within"])
def test_adjusted_p_values(name: str, policy: str, part: str) -> None:
    none = {"holm": [], "fdr": []}
    stored = STORED[name][policy].get(f"adjusted_{part}", none)
    assert (stored is none) == ((name, part) == ("one", "within"))
    rows = of(found(name).items, policy, part=part).dropna(subset="p_value")
    np.testing.assert_allclose(rows["p_holm"], stored["holm"], rtol=10 * REST[name])
    np.testing.assert_allclose(rows["p_fdr"], stored["fdr"], rtol=10 * REST[name])


def test_index(name: str, policy: str) -> None:
    ours = of(found(name).index, policy).set_index("part")
    stored = STORED[name][policy]["index"]
    assert list(ours.index) == [row["term"] for row in stored]
    for row in stored:
        agrees(ours.loc[row["term"]], row, name, unit=0.1)


def test_leave_one_out(name: str, policy: str) -> None:
    table = of(found(name).leave_one_out, policy)
    for item, rows in STORED[name][policy]["leave_one_out"].items():
        ours = table[table["omitted"] == item].set_index("part")
        for row in rows:
            agrees(ours.loc[row["term"]], row, name, unit=0.1)


@pytest.mark.parametrize("rivals", ["year", "n", "year + n"])
def test_rivals(name: str, policy: str, rivals: str) -> None:
    units = {"between": 0.1, "within": 0.1, "year": 10.0, "n": 1.0}
    ours = of(found(name).rivals, policy, adjusted_for=rivals).set_index("term")
    stored = STORED[name][policy]["rivals"][rivals]
    assert list(ours.index) == [row["term"] for row in stored]
    for row in stored:
        agrees(ours.loc[row["term"]], row, name, unit=units[row["term"]])


def test_joint_model(name: str, policy: str) -> None:
    stored = STORED[name][policy]["joint"]
    ours = of(found(name).joint, policy).set_index("term")
    for row in stored["terms"]:
        agrees(ours.loc[f"sophistication_{row['term']}"], row, name, unit=0.1)
    test = ours.loc["all"]
    assert test["test"] == ("HTZ" if name == "several" else "F")
    for column, theirs in (("statistic", "statistic"), ("df", "df"), ("p_value", "p")):
        assert test[column] == pytest.approx(stored["all"][theirs], rel=10 * REST[name])


def test_spline(name: str, policy: str) -> None:
    stored = STORED[name][policy]["spline"]
    ours = of(found(name).spline, policy).iloc[0]
    assert ours["df_num"] == stored["df_num"] == len(stored["knots"]) - 2
    for column in ("statistic", "df"):
        assert ours[column] == pytest.approx(stored[column], rel=10 * REST[name])
    assert ours["p_value"] == pytest.approx(stored["p"], rel=100 * REST[name])
