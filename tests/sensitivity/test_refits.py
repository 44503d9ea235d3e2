import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.models.examples import effect_table, independent, nested
from tests.tolerances import ITERATED

FOLDER = Path(__file__).parents[1] / "reference"
CASES = {
    case["id"]: case["expected"]
    for case in json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["cases"]
}
RANDOM = "~ 1 | study/effect"


@pytest.mark.parametrize("name", ["molloy2014", "mcdaniel1994", "konstantopoulos2011"])
def test_against_r(name: str) -> None:
    data = pd.read_csv(FOLDER / "datasets" / f"{name}.csv")
    table = ma.leave_one_out(ma.infer(ma.fit(data), "model")).table
    expected = CASES[f"{name}/leave1out"]
    for ours, theirs in (
        ("estimate", "estimate"),
        ("std_error", "se"),
        ("tau2", "tau2"),
        ("i2", "I2"),
    ):
        np.testing.assert_allclose(table[ours], expected[theirs], rtol=ITERATED, atol=1e-9)


def test_columns_and_labels() -> None:
    frame = independent()
    result = ma.leave_one_out(ma.fit(frame))
    columns = ["omitted", "estimate", "std_error", "tau2", "i2", "q", "conf_low", "conf_high"]
    assert list(result.table.columns) == columns
    assert result.table["omitted"].tolist() == frame["study"].tolist()
    assert result.by == "effect"
    pd.testing.assert_frame_equal(ma.tidy(result), result.table)


def test_clusters_are_left_out_of_a_multilevel_fit() -> None:
    frame = nested(seed=1)
    V = ma.sampling_covariance(frame, cluster="study")
    result = ma.leave_one_out(ma.fit(frame, random=RANDOM, V=V))
    assert result.by == "study"
    assert result.table["omitted"].tolist() == frame["study"].unique().tolist()
    rest = frame[frame["study"] != "S02"]
    again = ma.fit(rest, random=RANDOM, V=ma.sampling_covariance(rest, cluster="study"))
    row, expected = result.table.iloc[2], ma.tidy(again).iloc[0]
    assert row["tau2"] == pytest.approx(sum(again.sigma2), rel=1e-6)
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        assert row[name] == pytest.approx(expected[name], rel=1e-6)


def test_linked_studies_of_an_effect_table_go_together() -> None:
    frame = nested(seed=2).assign(sample=lambda f: f["study"].replace({"S01": "S00"}))
    table = ma.leave_one_out(ma.fit(effect_table(frame), random=RANDOM)).table
    assert table["omitted"][0] == "S00 + S01"
    assert len(table) == 9


def test_groups_of_a_column() -> None:
    frame = independent()
    result = ma.leave_one_out(ma.fit(frame), by="rater")
    assert sorted(result.table["omitted"]) == ["client", "observer", "therapist"]
    with pytest.raises(ma.SpecificationError, match="no column 'rator'"):
        ma.leave_one_out(ma.fit(frame), by="rator")
    with pytest.raises(ma.SpecificationError, match="one group"):
        ma.leave_one_out(ma.fit(frame.assign(all="same")), by="all")


def test_with_moderators_every_coefficient_has_a_row() -> None:
    frame = independent().assign(only=[1, *[0] * 11])
    table = ma.leave_one_out(ma.fit(frame, "~ only")).table
    assert table["term"].tolist() == ["Intercept", "only"] * 12
    lost = table["estimate"].isna()
    assert table["omitted"][lost].tolist() == ["S00", "S00"]


def test_processes_do_not_change_the_result() -> None:
    fit = ma.fit(independent())
    one, two = (ma.leave_one_out(fit, n_jobs=n).table for n in (1, 2))
    pd.testing.assert_frame_equal(one, two)
