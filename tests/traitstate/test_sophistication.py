"""The index is split between and within studies, inside one pool."""

import numpy as np
import pandas as pd
import pytest

from metalliance.effectsize.table import CORE_COLUMNS, EffectTable
from metalliance.traitstate.sophistication import (
    BETWEEN,
    WITHIN,
    sophistication_regression,
    split_index,
)


def table(slope_between: float, slope_within: float, noise: float = 0.0) -> EffectTable:
    rng = np.random.default_rng(8)
    study = np.repeat(np.arange(24), 3)
    k = len(study)
    index = np.clip(rng.uniform(0.1, 0.6, 24)[study] + rng.uniform(-0.1, 0.1, k), 0, 1)
    mean = pd.Series(index).groupby(study).transform("mean").to_numpy()
    frame = pd.DataFrame({name: ["x"] * k for name in CORE_COLUMNS})
    frame["study"] = frame["sample"] = [f"S{i}" for i in study]
    frame["effect"] = [f"E{i}" for i in range(k)]
    frame["vi"], frame["ni"], frame["r"], frame["es_metric"] = 0.01, 103.0, 0.2, "z"
    frame["yi"] = 0.2 + slope_between * mean + slope_within * (index - mean)
    frame["yi"] += noise * rng.normal(size=k)
    frame["sophistication"] = index
    frame["sophistication_nr_missing"] = np.where(study == 0, np.nan, index)
    moderators = ["sophistication", "sophistication_nr_missing"]
    return EffectTable.build(frame, moderators=moderators)


def test_the_split_adds_up_and_is_centred_over_studies() -> None:
    rows = split_index(table(0, 0), "sophistication").usable
    per_study = rows.groupby("study")[[BETWEEN, WITHIN]].mean()
    assert per_study[BETWEEN].mean() == pytest.approx(0, abs=1e-12)
    assert per_study[WITHIN].abs().max() < 1e-12
    total = rows[BETWEEN] + rows[WITHIN]
    assert (rows["sophistication"] - total).std() < 1e-12


def test_the_two_slopes_are_told_apart() -> None:
    result = sophistication_regression(table(-0.5, 0.8, noise=0.01), pool="total")
    slopes = result.slopes.set_index("term")["estimate"]
    assert slopes[BETWEEN] == pytest.approx(-0.05, abs=0.01)
    assert slopes[WITHIN] == pytest.approx(0.08, abs=0.01)


def test_the_line_passes_the_intercept_at_the_centre() -> None:
    result = sophistication_regression(table(-0.5, 0.0, noise=0.05))
    assert result.inference is not None
    at_centre = np.interp(result.centre, result.line["sophistication"], result.line["estimate"])
    assert at_centre == pytest.approx(float(result.inference.fit.beta[0]), abs=1e-9)
    np.testing.assert_allclose(result.line["estimate_r"], np.tanh(result.line["estimate"]))


def test_not_reported_as_missing_drops_those_rows_only() -> None:
    effects = table(0.2, 0.0, noise=0.05)
    zero = sophistication_regression(effects, not_reported="zero")
    missing = sophistication_regression(effects, not_reported="missing")
    assert (len(zero.effects), len(missing.effects)) == (72, 69)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame.assign(sophistication=np.nan), "coded sophistication index"),
        (lambda frame: frame.assign(sophistication=0.3), "differs by less than 0.1"),
        (lambda frame: frame[frame["study"].isin(["S1", "S2"])], "too few"),
    ],
)
def test_what_cannot_be_fitted_says_why(change, reason: str) -> None:
    effects = table(0.2, 0.1, noise=0.05)
    changed = EffectTable.build(change(effects.usable), moderators=effects.moderators)
    result = sophistication_regression(changed)
    assert result.inference is None
    assert reason in result.withheld
