"""Columns as numbers or factors: what each kind of column becomes."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from metalliance.errors import SpecificationError
from metalliance.models.design import build_design

Z = np.random.default_rng(2).normal(size=12)


def frame(column: Any) -> pd.DataFrame:
    return pd.DataFrame({"v": column, "z": Z, "study": [f"S{i // 2}" for i in range(12)]})


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pd.Series([1, 2.5, 3] * 4, dtype=object), [1, 2.5, 3]),
        ([decimal.Decimal("1.5"), decimal.Decimal(2), decimal.Decimal(3)] * 4, [1.5, 2, 3]),
        (pd.Series([True, False, False] * 4, dtype=object), [1, 0, 0]),
        (pd.array([True, False, False] * 4, dtype="boolean"), [1, 0, 0]),
        (pd.array([1, 2, 4] * 4, dtype="Int64"), [1, 2, 4]),
        (pd.array([1, 2, 4] * 4, dtype="UInt8"), [1, 2, 4]),
        (pd.array([0, 0, 4] * 4, dtype="Sparse[int]"), [0, 0, 4]),
    ],
)
def test_numbers_are_numbers_however_they_are_kept(column: Any, values: list[float]) -> None:
    design, X = build_design("~ v", frame(column))
    assert design.terms == ("Intercept", "v")
    assert X[:3, 1].tolist() == values
    assert design.matrix(pd.DataFrame({"v": [values[2]]}))[0, 1] == values[2]


@pytest.mark.parametrize(
    ("column", "terms"),
    [
        (["b", "c", "a"] * 4, ("v[T.b]", "v[T.c]")),
        (pd.array(["b", "c", "a"] * 4, dtype="string"), ("v[T.b]", "v[T.c]")),
        (["1", "2", "10"] * 4, ("v[T.10]", "v[T.2]")),  # text sorts as text
        (pd.Categorical([3, 1, 2] * 4), ("v[T.2]", "v[T.3]")),
        (pd.Categorical(["b", "c", "a"] * 4, categories=["c", "q", "b", "a"], ordered=True),
         ("v[T.b]", "v[T.a]")),
        (["NA", "NR", "a"] * 4, ("v[T.NR]", "v[T.a]")),  # codes that pandas was told to keep
    ],
)  # fmt: skip
def test_text_is_a_factor_whose_first_level_is_the_reference(
    column: Any, terms: tuple[str, ...]
) -> None:
    data = frame(column)
    design, X = build_design("~ v", data)
    assert design.terms == ("Intercept", *terms)
    for j, level in enumerate(design.levels["v"][1:], start=1):
        assert X[:, j].tolist() == [float(value == level) for value in data["v"]]
    assert np.array_equal(build_design("~ C(v)", data)[1], X)


def test_numbers_inside_c_are_levels_and_a_reference_may_be_written_either_way() -> None:
    for column in ([1, 2, 3] * 4, [1.0, 2.0, 3.0] * 4, pd.array([1, 2, 3] * 4, dtype="Int64")):
        for reference in ("2", "'2'", '"2.0"'):
            design, X = build_design(f"~ C(v, ref={reference})", frame(column))
            (levels,) = design.levels.values()
            assert levels == (2, 1, 3)
            assert X[:, 1].tolist() == [1, 0, 0] * 4
            assert design.matrix(pd.DataFrame({"v": [3.0]})).tolist() == [[1, 0, 1]]


def test_one_column_may_be_number_and_factor_in_one_formula() -> None:
    data = frame([1, 2, 4, 4, 1, 1, 2, 8, 8, 2, 1, 4])
    design, X = build_design("~ 0 + C(v) + v:z", data)
    assert design.terms == ("C(v)[1]", "C(v)[2]", "C(v)[4]", "C(v)[8]", "v:z")
    np.testing.assert_allclose(X[:, 4], data["v"] * data["z"])


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pd.Series([1, 2, "n.d."] * 4, dtype=object),
         r"both text and other values, with text in row 2 \(study 'S1'\)"),
        (pd.date_range("2020", periods=12), "datetime64 values such as Timestamp"),
        ([datetime.date(2020, 1, 1)] * 12, "date values"),
        (pd.to_timedelta(range(12), unit="D"), "timedelta64 values"),
        (Z + 1j, "complex values"),
        ([[1]] * 12, r"such as \[1\]"),
        ([b"a", b"b"] * 6, "bytes values"),
        ([np.inf, *range(11)], r"not a finite number in row 0 \(study 'S0'\)"),
        (["only"] * 12, "'v' has one level only, 'only'"),
        ([5] * 12, "'v' is 5 in every row, which 'Intercept' stands for"),
    ],
)  # fmt: skip
def test_what_a_column_cannot_be(column: Any, says: str) -> None:
    with pytest.raises(SpecificationError, match=says):
        build_design("~ v", frame(column))


def test_categories_of_numbers_are_not_numbers() -> None:
    with pytest.raises(SpecificationError, match="'v' holds categories such as 3, but a transform"):
        build_design("~ log(v)", frame(pd.Categorical([3, 1, 2] * 4)))


def test_what_a_factor_cannot_be() -> None:
    for column in ([[1]] * 12, pd.Series([1, "a", 2.5] * 4, dtype=object)):
        with pytest.raises(SpecificationError, match=r"cannot be levels of a factor"):
            build_design("~ C(v)", frame(column))
    with pytest.raises(SpecificationError, match="one level only"):
        build_design("~ z * v", frame(["only"] * 12))
    assert build_design("~ 0 + v", frame(["only"] * 12))[0].terms == ("v[only]",)
