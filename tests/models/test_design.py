"""Formulas: what they mean, what they refuse."""

import formulaic
import numpy as np
import pandas as pd
import pytest

from metalliance.errors import SpecificationError
from metalliance.models.design import build_design

FRAME = pd.DataFrame(
    {
        "x": ["a", "b", "c", "a", "b", "c", "a"],
        "z": [1.0, 2, 3, 4, 2, 5, 7],
        "n": [1, 2, 3, 4, 5, 6, 9],
        "wave": [1, 1, 2, 2, 3, 3, 3],
        "coded": [True, False, True, True, False, False, True],
    }
)


@pytest.mark.parametrize(
    "formula",
    ["~ 1", "~ z", "~ 0 + z", "~ z + n", "~ 0 + n + z", "~ 1 + z", "~ coded", "~ z + 1", "~ n+0"],
)
def test_the_bypass_equals_formulaic(formula: str) -> None:
    design, X = build_design(formula, FRAME)
    expected = formulaic.model_matrix(formula, FRAME)
    assert design._spec is None
    assert list(design.terms) == list(expected.columns)
    assert np.array_equal(X, np.asarray(expected, dtype=float))
    assert design.slices == {term: (j,) for j, term in enumerate(design.terms)}


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("~ x", ("Intercept", "x[T.b]", "x[T.c]")),
        ("~ 0 + x", ("x[a]", "x[b]", "x[c]")),
        ("~ C(wave)", ("Intercept", "C(wave)[T.2]", "C(wave)[T.3]")),
        ("~ I(z - 1)", ("Intercept", "I(z - 1)")),
        ("~ center(z) + log(n)", ("Intercept", "center(z)", "log(n)")),
        ("~ poly(z, 2)", ("Intercept", "poly(z, 2)[1]", "poly(z, 2)[2]")),
        ("~ x:z", ("Intercept", "x[a]:z", "x[b]:z", "x[c]:z")),
    ],
)
def test_names_are_formulaics(formula: str, terms: tuple[str, ...]) -> None:
    design, X = build_design(formula, FRAME)
    assert design.terms == terms
    expected = np.asarray(formulaic.model_matrix(formula, FRAME), dtype=float)
    np.testing.assert_allclose(X, expected)
    np.testing.assert_allclose(design.matrix(FRAME.iloc[[4, 1]]), expected[[4, 1]])


def test_reference_level() -> None:
    design, X = build_design('~ C(x, ref="b")', FRAME)
    assert design.terms == ("Intercept", 'C(x, ref="b")[T.a]', 'C(x, ref="b")[T.c]')
    assert X[:, 1].tolist() == (FRAME["x"] == "a").astype(float).tolist()
    assert design.slices['C(x, ref="b")'] == (1, 2)
    assert build_design("~ C(wave, ref=3)", FRAME)[0].terms[1] == 'C(wave, ref="3")[T.1]'
    assert design.matrix(pd.DataFrame({"x": ["c"]})).tolist() == [[1, 0, 1]]


def test_levels_that_do_not_occur_are_dropped() -> None:
    column = pd.Categorical(FRAME["x"], categories=["z", "c", "b", "a"])
    design, _ = build_design("~ x", FRAME.assign(x=column))
    assert design.terms == ("Intercept", "x[T.b]", "x[T.a]")
    assert design.levels == {"x": ("c", "b", "a")}


def test_transforms_remember_the_fitted_rows() -> None:
    design, _ = build_design("~ scale(z)", FRAME)
    z = FRAME["z"]
    expected = (100 - z.mean()) / z.std()
    assert design.matrix(pd.DataFrame({"z": [100.0]}))[0, 1] == pytest.approx(expected)


def test_an_unseen_level_is_refused() -> None:
    for formula in ("~ x", 'C(x, ref="b")', "~ C(wave)"):
        design, _ = build_design(formula if formula[0] == "~" else f"~ {formula}", FRAME)
        with pytest.raises(SpecificationError, match="level"):
            design.matrix(pd.DataFrame({"x": ["q"], "wave": [9]}))
    with pytest.raises(SpecificationError, match="no column 'x'"):
        build_design("~ x", FRAME)[0].matrix(pd.DataFrame({"z": [1.0]}))


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("~", "empty"),
        ("x", "no left side"),
        ("z ~ x", "no left side"),
        ("~ x.str", "does not know|do not know"),
        ("~ __import__('os')", "not available"),
        ("~ exp(z)", "not available"),
        ("~ log(z, __x=1)", "no option"),
        ("~ (x + z)**9", "up to 3"),
        ("~ z**n", "up to 3"),
        ("~ I(z**99)", "up to 3"),
        ("~ ((x + z)**3)**3", "too many terms"),
        ("~ poly(z, 100)", "at most 20"),
        ("~ bs(z, df=4.5)", "whole numbers"),
        ("~ 2 + z", "number 2"),
        ("~ " + "+".join(["z"] * 300), "characters"),
        ("~ zz", "did you mean 'z'"),
        ('~ C(x, ref="q")', "no such level"),
        ("~ C(x, contr.sum)", "do not know"),
        ("~ C(x, base='a')", "one option"),
        ("~ [x]", "do not know"),
        ("~ x | z", "do not know"),
        ("~ x +", "ends too early"),
        ("~ 0", "no coefficient"),
        ("~ z + I(2 * z)", r"'I\(2 \* z\)' follows exactly"),
        ("~ log(-z)", "cannot be used"),
        ("~ x * C(wave) * z", "cannot carry"),
    ],
)
def test_what_is_refused(formula: str, says: str) -> None:
    with pytest.raises(SpecificationError, match=says):
        build_design(formula, FRAME)


def test_a_missing_moderator_names_column_and_rows() -> None:
    frame = FRAME.assign(z=[1.0, np.nan, 3, 4, np.nan, 5, 7], study=list("ABCDEFG"))
    with pytest.raises(SpecificationError, match=r"'z' is missing in row 1 \(study 'B'\), row 4"):
        build_design("~ x + z", frame)
    with pytest.raises(SpecificationError, match="'x' is missing"):
        build_design("~ x", FRAME.assign(x=[None, *"abcabc"]))
