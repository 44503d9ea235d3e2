"""Missing moderators: counted, named, and left out only when asked."""

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.effectsize.table import CORE_COLUMNS
from metalliance.errors import SpecificationError
from metalliance.models.design import build_design

FRAME = pd.DataFrame(
    {
        "study": list("AABBCCDD"),
        "yi": np.linspace(0, 0.7, 8),
        "vi": 0.02,
        "x": [1.0, None, None, None, 5, 6, 7, 9],
        "rater": ["client", None, "client", "therapist", None, "client", "therapist", "client"],
        "n": range(8),
    },
    index=[10, 11, 12, 13, 14, 15, 16, 17],
)


def table() -> ma.EffectTable:
    blank = dict.fromkeys(CORE_COLUMNS, np.nan)
    usable = FRAME.assign(**{c: v for c, v in blank.items() if c not in FRAME})
    return ma.EffectTable.build(usable, moderators=("x", "rater", "n"))


def test_the_count_of_each_moderator() -> None:
    found = ma.missing_moderators(FRAME, "~ x*rater + log(n + 1)")
    assert found.to_dict("list") == {
        "moderator": ["x", "rater", "n"],
        "k_missing": [3, 2, 0],
        "percent": [37.5, 25.0, 0.0],
        "studies_missing": [2.0, 2.0, 0.0],
        "only_this": [2, 1, 0],
    }
    assert found["k_missing"].sum() - found["only_this"].sum() == 2  # row 11, counted twice
    assert ma.missing_moderators(table(), "~ x*rater + log(n + 1)").equals(found)
    without = ma.missing_moderators(FRAME.drop(columns="study"), "~ x")
    assert without["studies_missing"].isna().all()
    assert list(ma.missing_moderators(FRAME, "~ 1").columns) == list(found.columns)
    assert len(ma.missing_moderators(FRAME, "~ 1")) == 0
    assert ma.missing_moderators(FRAME.head(0), "~ x")["percent"].tolist() == [0.0]


def test_complete_rows_are_the_same_kind_of_table() -> None:
    rows = ma.complete_rows(FRAME, "~ x + rater")
    assert rows.index.tolist() == [10, 15, 16, 17]
    assert rows.equals(FRAME.loc[rows.index])
    assert ma.complete_rows(FRAME, "~ n") is not FRAME
    assert len(ma.complete_rows(FRAME, "~ n")) == len(ma.complete_rows(FRAME, "~ 1")) == 8
    effects = ma.complete_rows(table(), "~ x + rater")
    assert isinstance(effects, ma.EffectTable)
    assert effects.moderators == ("x", "rater", "n")
    assert effects.to_frame()["n"].tolist() == [0, 5, 6, 7]
    fit = ma.fit(ma.complete_rows(FRAME.drop(columns="study"), "~ rater"), "~ rater")
    assert fit.k == 6


def test_the_message_accounts_for_every_moderator_at_once() -> None:
    with pytest.raises(SpecificationError) as caught:
        ma.fit(FRAME, "~ x * rater + n")
    said = str(caught.value)
    assert said.startswith(
        "mods='~ x * rater + n': 'x' is missing in row 11 (study 'A'), row 12 (study 'B'), "
        "row 13 (study 'B') – 3 rows of 2 studies; 'rater' is missing in row 11 (study 'A'), "
        "row 14 (study 'C') – 2 rows of 2 studies. In all, 4 of 8 rows lack a moderator, and "
        "none is left out unasked"
    )
    assert "ma.complete_rows(effects, mods)" in said
    assert "'n'" not in said


def test_long_lists_of_rows_are_cut_short() -> None:
    frame = pd.DataFrame({"x": [np.nan] * 20 + [1.0] * 5})
    with pytest.raises(SpecificationError, match=r"row 7 and 12 more – 20 rows\. In all, 20 of 25"):
        build_design("~ x", frame)


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT])
def test_every_kind_of_nothing_is_missing(nothing: object) -> None:
    frame = pd.DataFrame({"x": pd.Series(["a", nothing, "b", "a"], dtype=object)})
    for formula in ("~ x", "~ C(x)", "~ C(x, ref='b')"):
        with pytest.raises(SpecificationError, match="'x' is missing in row 1 – 1 row"):
            build_design(formula, frame)


def test_what_is_refused() -> None:
    with pytest.raises(SpecificationError, match="no column 'xx'; did you mean 'x'"):
        ma.missing_moderators(FRAME, "~ xx")
    with pytest.raises(SpecificationError, match="must be an EffectTable or a DataFrame, not dict"):
        ma.complete_rows({}, "~ x")  # type: ignore[type-var]
    with pytest.raises(SpecificationError, match="must start with '~'"):
        ma.complete_rows(FRAME, "x")
