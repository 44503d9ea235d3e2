"""Designs: what formulas mean, for fitted rows and for new ones."""

import pickle

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
    [
        "~ 1",
        "~ z",
        "~ 0 + z",
        "~ z + n",
        "~ 0 + n + z",
        "~ 1 + z",
        "~ coded",
        "~ z + 1",
        "~ n+0",
        "~ z - 1",
    ],
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


def test_a_power_is_a_power_and_truth_is_a_number() -> None:
    n, coded = FRAME["n"].to_numpy(float), FRAME["coded"].to_numpy(float)
    for formula in ("~ I(n ** 2)", "~ I(n^2)"):
        design, X = build_design(formula, FRAME)
        assert design.terms[1] == "I(n ** 2)"
        assert X[:, 1].tolist() == (n**2).tolist()
    assert build_design("~ I(coded + coded - 1)", FRAME)[1][:, 1].tolist() == list(2 * coded - 1)
    small = FRAME.assign(n=FRAME["n"].astype(np.int8))
    assert build_design("~ I(n ** 3)", small)[1][-1, 1] == 729


def test_precedence_is_that_of_arithmetic() -> None:
    z, n = FRAME["z"].to_numpy(), FRAME["n"].to_numpy(float)
    expected = -((z - 1) ** 2) * 3 / -n + 1.5e-1
    design, X = build_design("~ I(-(z - 1)**2 * 3 / -n + 1.5e-1)", FRAME)
    np.testing.assert_allclose(X[:, 1], expected, rtol=1e-15)
    assert design.terms[1] == "I(-(z - 1) ** 2 * 3 / -n + 1.5e-1)"


@pytest.mark.parametrize(
    ("formula", "same"),
    [
        ("~ z + z", "~ z"),
        ("~ z - 1 + x", "~ 0 + z + x"),
        ("~ -1 + x", "~ 0 + x"),
        ("~ +z", "~ z"),
        ("~ z + 0 + 1", "~ z"),
        ("~ 0 + 1", "~ 1"),
        ("~ x*z - x:z", "~ x + z"),
        ("~ (x + z)^2", "~ x * z"),
        ("~ x * (z + n)", "~ x + z + n + x:z + x:n"),
        ("~ x/z", "~ x + x:z"),
        ("~ log(n) + log( n )", "~ log(n)"),
        ("~ `z`", "~ z"),
    ],
)
def test_two_ways_to_write_one_model(formula: str, same: str) -> None:
    frame = pd.concat([FRAME, FRAME.assign(z=[0.5, 1, 4, 2, 8, 1, 3], n=range(7, 14))])
    first, X = build_design(formula, frame)
    second, Y = build_design(same, frame)
    assert set(first.terms) == set(second.terms)
    assert np.array_equal(X, Y[:, [second.terms.index(term) for term in first.terms]])


def test_a_natural_spline_counts_its_columns_beside_the_intercept() -> None:
    x = np.sort(np.random.default_rng(3).uniform(0, 10, 40))
    design, X = build_design("~ cr(x, df=3)", pd.DataFrame({"x": x}))
    assert design.terms == ("Intercept", *(f"cr(x, df=3)[{i}]" for i in (1, 2, 3)))
    np.testing.assert_allclose(X[:, 1:].mean(axis=0), 0, atol=1e-12)
    step = 1e-3 * (x[-1] - x[0])
    for edge, outwards in ((x[0], -1), (x[-1], 1)):
        near = edge + step * np.array([-1.0, 0, 1])
        curvature = np.diff(design.matrix(pd.DataFrame({"x": near})), 2, axis=0)
        far = edge + outwards * np.array([1.0, 2, 3])
        beyond = np.diff(design.matrix(pd.DataFrame({"x": far})), 2, axis=0)
        assert np.abs(beyond).max() < 1e-10  # a straight line
        assert np.abs(curvature).max() < 1e-5
    inside = np.diff(design.matrix(pd.DataFrame({"x": [4.0, 5.0, 6.0]})), 2, axis=0)
    assert np.abs(inside).max() > 1e-2


def test_the_design_survives_a_trip_to_another_process() -> None:
    design, X = build_design("~ C(x, ref='b') + cr(z, df=2)", FRAME)
    assert np.array_equal(pickle.loads(pickle.dumps(design)).matrix(FRAME), X)


NEW = pd.DataFrame({"z": [1.0, 2.0], "x": ["b", "a"]})


def test_new_rows_may_be_few_reordered_and_have_more_columns() -> None:
    design, X = build_design("~ x + scale(z)", FRAME)
    everything = design.matrix(FRAME.assign(other="q"))
    assert np.array_equal(everything, X)
    assert np.array_equal(design.matrix(FRAME.iloc[[5]]), X[[5]])
    other = pd.Categorical(["c", "a"], categories=["c", "a"], ordered=True)
    rows = pd.DataFrame({"z": [5.0, 1.0], "x": other}, index=["u", "u"])
    assert np.array_equal(design.matrix(rows), X[[5, 0]])
    assert design.matrix(FRAME.iloc[:0]).shape == (0, 4)
    assert build_design("~ z", FRAME)[0].matrix(pd.DataFrame({"z": []})).shape == (0, 2)
    assert build_design("~ 1", FRAME)[0].matrix(NEW).tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("formula", "rows", "says"),
    [
        ("~ x", NEW.assign(x=["b", "q"]), r"'x' has the level 'q' in row 1, .* levels: 'a', 'b'"),
        ("~ x", NEW.assign(x=3), "'x' has the level 3 in row 0, row 1"),
        ("~ x + z", NEW[["z"]], "newdata: there is no column 'x'"),
        ("~ z", NEW.assign(z=["1", "2"]), "'z' holds text such as '1', but the fitted rows have"),
        ("~ z", NEW.assign(z=[1, np.inf]), "'z' is not a finite number in row 1"),
        (
            "~ x + z",
            NEW.assign(x=[None, "a"], z=[1.0, None]),
            "newdata: 'x' is missing in row 0 – 1 row; 'z' is missing in row 1 – 1 row. In all, 2",
        ),
        ("~ x + z", pd.concat([NEW, NEW], axis=1), "the column 'x' occurs twice"),
        ("~ bs(z, df=3)", NEW.assign(z=[2, 99.0]), "bs.. is defined between 1 and 7, .* has 99;"),
        ("~ log(z)", NEW.assign(z=[2, 0.0]), r"'log\(z\)' is not a finite number in row 1"),
    ],
)
def test_what_new_rows_must_have(formula: str, rows: pd.DataFrame, says: str) -> None:
    design, _ = build_design(formula, FRAME)
    with pytest.raises(SpecificationError, match=says):
        design.matrix(rows)
