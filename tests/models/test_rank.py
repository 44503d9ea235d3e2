"""Designs that cannot be estimated: which columns, and why."""

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.errors import SpecificationError
from metalliance.models.design import build_design, check_rank

A, B = np.random.default_rng(5).normal(size=(2, 12))
FRAME = pd.DataFrame({"a": A, "b": B, "x": list("aabbaabbcccc"), "g": list("uvuuvuuuvvuv")})


@pytest.mark.parametrize(
    ("formula", "columns", "says"),
    [
        ("~ a + b + c", {"c": A + B}, "'c' equals 'a' \\+ 'b'"),
        ("~ a + b + c", {"c": B}, "'c' equals 'b'"),
        ("~ a + b + c", {"c": 1 - 2.5 * A}, "'c' equals 'Intercept' - 2.5 × 'a'"),
        ("~ a + c", {"c": 0.01 * A - 300}, "'c' equals 0.01 × 'a' - 300 × 'Intercept'"),
        ("~ a + I(-a)", {}, r"'I\(-a\)' equals -'a'"),
        ("~ c + b", {"c": 3}, "'c' is 3 in every row, which 'Intercept' stands for"),
        ("~ 0 + a + c", {"c": 0}, "'c' is 0 in every row"),
        ("~ c + d + e", {"c": [1, 0, 0] * 4, "d": [0, 1, 0] * 4, "e": [0, 0, 1] * 4},
         "'e' equals 'Intercept' - 'c' - 'd'"),
        ("~ x * g", {}, r"'x\[T.b\]:g\[T.v\]' is 0 in every row, for no effect falls into this"),
        ("~ x + C(x)", {}, r"'C\(x\)\[T.b\]' equals 'x\[T.b\]'; 'C\(x\)\[T.c\]' equals 'x\[T.c\]'"),
        ("~ w + s", {"w": list("ppqqrrsspqrs"), "s": list("yyyyzzzzyyzz")},
         r"'s\[T.z\]' equals 'w\[T.r\]' \+ 'w\[T.s\]'"),
        ("~ a + b + c + d + e + h + i", dict(zip("cdeh", np.eye(12), strict=False))
         | {"i": A + B + np.eye(12)[:4].sum(axis=0)}, "'i' follows from 'a', .* and 2 more"),
    ],
)  # fmt: skip
def test_the_message_is_the_equation(formula: str, columns: dict[str, object], says: str) -> None:
    with pytest.raises(SpecificationError, match=says):
        build_design(formula, FRAME.assign(**columns))


def test_equations_hold_whatever_the_units() -> None:
    for unit in (1e-9, 1.0, 1e9):
        with pytest.raises(SpecificationError, match="'c' equals 'a' \\+ 'b'"):
            build_design("~ a + b + c", FRAME.assign(a=A * unit, b=B * unit, c=(A + B) * unit))
    build_design("~ y + I(y**2)", pd.DataFrame({"y": np.arange(1985, 2020)}))


def test_many_dependent_columns_are_cut_short() -> None:
    X = np.column_stack([A, *(A * i for i in range(1, 9))])
    with pytest.raises(SpecificationError, match="and 4 more columns likewise"):
        check_rank(X, tuple("abcdefghi"))


def test_more_coefficients_than_effects() -> None:
    with pytest.raises(SpecificationError, match="3 effects cannot carry 3 coefficients"):
        build_design("~ a + b", FRAME.head(3))
    with pytest.raises(SpecificationError, match=r"12 effects cannot carry the .* 'x' alone has 3"):
        build_design("~ x * g * poly(a, 3) * poly(b, 2)", FRAME)


def test_fit_passes_the_message_on() -> None:
    data = FRAME.assign(yi=A, vi=0.1, c=A + B)
    with pytest.raises(SpecificationError, match="'c' equals 'a' \\+ 'b'"):
        ma.fit(data, "~ a + b + c")


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6, 1e-8, 1e-9])
def test_columns_that_are_nearly_dependent_are_kept(distance: float) -> None:
    check_rank(np.column_stack([np.ones(12), B, 3 * B + distance * A]), ("Intercept", "b", "c"))
    with pytest.raises(SpecificationError, match="'c' equals 3 × 'b'"):
        check_rank(np.column_stack([np.ones(12), B, 3 * B + 1e-13 * A]), ("Intercept", "b", "c"))
