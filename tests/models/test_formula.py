"""Formulas: what is refused, in which words, and that nothing is ever evaluated."""

import re
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalliance.errors import SpecificationError
from metalliance.models.design import build_design
from metalliance.models.formula import TRANSFORMS, parse_formula
from metalliance.models.materialise import _basis_width

K = 30
RANDOM = np.random.default_rng(11)
FRAME = pd.DataFrame(
    {
        "x": list("abc") * 10,
        "f": list("uuvvw") * 6,
        "z": RANDOM.normal(size=K),
        "n": np.arange(1, K + 1),
        "wave": [1, 1, 2, 2, 3, 3] * 5,
        "coded": [True, False, True] * 10,
        "my col": RANDOM.normal(size=K),
        "few": np.arange(K),
        "id": [f"s{i}" for i in range(K)],
        "typed": [f"{i}?" for i in range(K)],
    }
)

REFUSED = [
    ("~", "empty"),
    ("", "must start with '~'"),
    ("x", "no left side"),
    ("z ~ x", "no left side"),
    ("~ z ~ x", "one '~', at its start"),
    ("~ x.str", "contains '.'.*in backticks: `alliance.mean`"),
    ("~ .", "name every moderator"),
    ("~ z.__class__", "contains '.'"),
    ("~ `z`.__class__", "contains '.'"),
    ("~ `z).__class__`", "no column 'z\\).__class__'"),
    ("~ `z", "ends with a backtick"),
    ("~ ``", "not empty"),
    ("~ {z}", "contains '{'"),
    ("~ {__import__('os')}", "contains '{'"),
    ("~ __import__('os')", r"__import__\(\) is not available"),
    ("~ Q('z')", r"Q\(\) is not available"),
    ("~ hashed(z)", r"hashed\(\) is not available"),
    ("~ np(z)", r"np\(\) is not available"),
    ("~ I(exp(z))", r"exp\(\) is not available in formulas; available: C, I, center"),
    ("~ __class__", "no column '__class__'"),
    ("~ 'x'", "without quotes"),
    ("~ [x]", r"contains '\['"),
    ("~ x %in% f", "a / b for b within a"),
    ("~ x | z", "random effects go in random="),
    ("~ z; n", "contains ';'"),
    ("~ z > 1", "compute a comparison as a column"),
    ("~ x == 'a'", "stands only in options such as df=3; compute a comparison"),
    ("~ x − 1", "write a plain hyphen"),
    ("~ C(x, ref=“b”)", "straight quotes"),
    ("~ x × z", "write \\*"),
    ("~ x z", "cannot be read at 'z'; an operator"),
    ("~ x +", "ends too early; a term is missing"),
    ("~ (x", "ends too early; a closing parenthesis"),
    ("~ x)", r"cannot be read at '\)'"),
    ("~ z -- 1", "cannot be read at '-'"),
    ("~ True", "cannot be read at 'True'"),
    ("~ 2 + z", "the number 2 cannot be a term"),
    ("~ z - 0", "the number 0 cannot be a term"),
    ("~ 2:z", "number 2"),
    ("~ z:2", "the number 2 inside a product"),
    ("~ (1 + z):x", "write 0 or 1 as a term of its own"),
    ("~ I(2)", "reads no column"),
    ("~ poly(1, degree=2)", "reads no column"),
    ("~ I(scale(2) * z)", r"scale\(\) in .* reads no column"),
    ("~ z + zz", "no column 'zz'; did you mean 'z'"),
    ("~ z - n", "'n' stands in the formula .* but in no term"),
    ("~ -z", "'z' stands in the formula"),
    ("~ 0", "no coefficient"),
    ("~ z ** 2", r"power of a single term .* I\(x \*\* 2\)"),
    ("~ (x + z)**9", "single whole numbers up to 3; .* has '9'"),
    ("~ (x + z)**n", "has 'n'"),
    ("~ I(z**99)", "has '99'"),
    ("~ I(z**2**3)", "single whole numbers"),
    ("~ I(3**3**3**3*z)", "single whole numbers"),
    ("~ I(z ** -1)", "has '-'"),
    ("~ ((x + z)**3)**3", "too many terms"),
    ("~ a*b*c*d*e*f*g*h", "too many terms"),
    ("~ I(z:n)", "inside a transform write \\*"),
    ("~ I(" + "-" * 10 + "z)", "several signs in a row"),
    ("~ I(z + 1e9999999999999999)", "at most 15 characters"),
    ("~ I(007 * z)", "cannot be read at '0'|contains '0'"),
    ("~ I(x)", "'x' holds text such as 'a', but a transform takes numbers"),
    ("~ log(x)", "a transform takes numbers"),
    ("~ log(z, 2)", "no option '2' here; it takes one value"),
    ("~ log(z, __x=1)", "no option '__x'"),
    ("~ poly(z, 100)", "at most 20"),
    ("~ poly(z, 0)", "at least 1"),
    ("~ poly(z, 2, 3)", "raw= of poly"),
    ("~ poly(z, degree=2, degree=3)", "no option 'degree'"),
    ("~ poly(z, degree=2, True)", "no option 'True'"),
    ("~ I(poly(z, 2))", "stands alone as a term"),
    ("~ poly(wave, 3)", "at least 4 different values; here it has 3"),
    ("~ poly(coded, 2)", "at least 3 different values; here it has 2"),
    ("~ bs(z, df=4.5)", "whole numbers"),
    ("~ bs(z, df=2)", "at least 3 columns; write df=3"),
    ("~ bs(wave, df=4)", "at least 5 different values"),
    ("~ cr(z)", r"e.g. cr\(year, df=3\)"),
    ("~ cr(z, df=1)", "2 or more"),
    ("~ cr(wave, df=3)", "at least 4 different values"),
    ("~ C(1)", "takes the name of a column"),
    ("~ C('x')", "takes the name of a column"),
    ("~ C(C(x))", r"cannot be read at '\('"),
    ("~ I(C(x))", "stands alone"),
    ('~ C(x, ref="q")', "no such level; levels: 'a', 'b', 'c'"),
    ("~ C(x, ref=a)", "one quoted level"),
    ("~ C(x, contr.sum)", "contains '.'"),
    ("~ C(x, base='a')", "one option"),
    ("~ C(x, ref='a', ref='b')", "cannot be read at ','"),
    ("~ C(x, ref='a\\'')", "no backslash"),
    ("~ scale(I(z - z))", "takes a column that varies"),
    ("~ log(-n)", r"'log\(-n\)' is not a finite number in row 0, row 1"),
    ("~ scale(log(n - 3))", r"inside scale\(\) is not a finite number in 3 of 30 rows"),
    ("~ cr(log(n - 3), df=2)", r"inside cr\(\) with df=2 is not a finite number in 3 of"),
    ("~ bs(sqrt(n - 3), df=4)", r"inside bs\(\) with 4 columns is not a finite"),
    ("~ poly(I(1 / (n - 3)), 2)", "inside poly"),
    ("~ I(1 / (n - 3))", r"is not a finite number in row 2;"),
    ("~ x * wave * C(n)", r"cannot carry .* 'C\(n\)' alone has 30 levels"),
    ("~ id", "'id' alone has 30 levels; merge levels"),
    ("~ typed", "'typed' alone has 30 levels, which are text such as '0\\?'"),
]


@pytest.mark.parametrize(("formula", "says"), REFUSED, ids=[formula for formula, _ in REFUSED])
def test_what_is_refused(formula: str, says: str) -> None:
    with pytest.raises(SpecificationError, match=says):
        build_design(formula, FRAME)


@pytest.mark.parametrize("mods", [None, 1, ["~ x"], b"~ x"])
def test_a_formula_is_text(mods: object) -> None:
    with pytest.raises(SpecificationError, match="mods must be a formula such as '~ 1', not"):
        build_design(mods, FRAME)  # type: ignore[arg-type]


def test_length_depth_and_width_are_bounded() -> None:
    with pytest.raises(SpecificationError, match="601 characters; at most 500"):
        parse_formula("~ " + "+".join(["z"] * 300))
    for opening in ("(", "I(", "-(", "I((", "(x+"):
        with pytest.raises(SpecificationError, match=r"deeper than 20|several|cannot be read"):
            parse_formula("~" + opening * (499 // len(opening)))
    deep = "~ I(" + "(" * 19 + "z" + ")" * 20
    assert build_design(deep, FRAME)[0].terms == ("Intercept", "I(z)")
    wide = FRAME.loc[FRAME.index.repeat(60)].assign(a=range(1800), b=range(1800))
    started = time.perf_counter()
    for formula in ("~ C(a) * C(b)", "~ poly(z, 20)*bs(z, 19)*cr(z, df=18)*bs(n, df=17, degree=2)"):
        with pytest.raises(SpecificationError, match="at most 1000"):
            build_design(formula, wide)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("formula", "columns"),
    [
        *(("~ poly(n)", 1), ("~ poly(n, 4)", 4), ("~ poly(n, degree=3, raw=True)", 3)),
        *(("~ poly(n, raw=False, degree=2)", 2), ("~ cr(n, 4)", 4), ("~ cr(log(n), df=2)", 2)),
        *(("~ bs(n)", 3), ("~ bs(n, 5)", 5), ("~ bs(n, degree=2)", 2), ("~ bs(n, 4, 2)", 4)),
    ],
)
def test_the_width_of_a_basis_is_known_before_it_is_built(formula: str, columns: int) -> None:
    assert build_design(formula, FRAME)[1].shape[1] == 1 + columns
    assert _basis_width(formula.removeprefix("~ ")) == columns


def test_every_transform_of_the_list_works() -> None:
    for name in TRANSFORMS:
        option = ", 3" if name in ("poly", "cr", "bs") else ""
        column = "x" if name == "C" else "n"
        design, _ = build_design(f"~ {name}({column}{option})", FRAME)
        assert design.terms[1].startswith(f"{name}({column}{option})"), name


NAMES = "x f z n wave coded zz C I center scale poly cr bs log sqrt exp ref df degree raw"
RESERVED = "True False None lambda import __class__ __import__ Q np eval if data _0_ _c0_"
SIGNS = "0 1 2 3 9 1.5 1e9 007 ~ + - * / : ** ^ ( ) ( ) , = . | % { } [ ] ; @ < \\ \n"
QUOTED = """'a' "b" ' " ` `x).__class__` `{0}` ² ٣ é ﬁ \x00 \ud800"""
WORDS = st.sampled_from([w for text in (NAMES, RESERVED, SIGNS, QUOTED) for w in text.split(" ")])
SAFE = re.compile(
    r"~(?:_c?[0-9]+_|(?:I|center|scale|poly|cr|bs|log|sqrt)\(|(?:df|degree|raw)=|True|False"
    r"|[0-9]{1,2}|\*\*|[-+*/:(),])*"
)


def check(formula: str) -> None:
    started = time.perf_counter()
    try:
        parsed = parse_formula(formula)
        assert SAFE.fullmatch(parsed.rewritten), parsed.rewritten
        design, X = build_design(formula, FRAME)
        assert len(design.terms) == X.shape[1] == np.linalg.matrix_rank(X / np.abs(X).max(axis=0))
        assert np.isfinite(X).all()
        np.testing.assert_allclose(design.matrix(FRAME), X, rtol=1e-12, atol=1e-12)
    except SpecificationError as error:
        assert "cannot be used" not in str(error)  # the words for what nobody foresaw
        assert 10 < len(str(error)) < 2500
    assert time.perf_counter() - started < 1


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(WORDS, max_size=25), st.sampled_from(["", " "]))
def test_words_in_any_order_are_a_formula_or_a_sentence(words: list[str], gap: str) -> None:
    check("~" + gap.join(words))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=520))
def test_any_text_is_a_formula_or_a_sentence(text: str) -> None:
    check(text)
    check("~" + text)


def expressions() -> st.SearchStrategy[str]:
    """Formulas that are well formed, so that most of them are built."""
    numbers = st.sampled_from(["z", "n", "few", "`my col`", "2", "1.5", "coded", "wave"])
    arithmetic = st.recursive(
        numbers,
        lambda inner: st.one_of(
            st.builds("{} {} {}".format, inner, st.sampled_from("+-*/"), inner),
            st.builds("({})".format, inner),
            st.builds("-({})".format, inner),
            st.builds("({})**{}".format, inner, st.sampled_from("123")),
            st.builds("{}({})".format, st.sampled_from(["center", "scale", "log"]), inner),
        ),
        max_leaves=6,
    )
    terms = st.one_of(
        st.sampled_from(["x", "f", "z", "C(wave)", "C(x, ref='b')", "cr(n, df=3)", "poly(z, 2)"]),
        st.builds("I({})".format, arithmetic),
        st.builds("scale({})".format, arithmetic),
        st.builds("bs({}, df=4)".format, arithmetic),
    )
    return st.recursive(
        terms,
        lambda inner: st.one_of(
            st.builds("{} {} {}".format, inner, st.sampled_from(["+", "*", ":", "/", "-"]), inner),
            st.builds("({} + {})".format, inner, inner),
        ),
        max_leaves=4,
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(expressions(), st.sampled_from(["~ ", "~ 0 + ", "~ 1 + ", "~ -1 + "]))
def test_well_formed_formulas_are_built_or_refused_in_a_sentence(text: str, start: str) -> None:
    check(start + text)


HOSTILE_NAMES = [
    *('x"y', "x'y", "y[T.b]", "a=b", "a\nb", "{z}", "x).__class__", "C(x)", "_0_", "_c0_", "1"),
    *("if", "lambda", "ﬁ", "x²", "日本", "True", "df", "a:b", "a~b", "\\", "$", "%s", "{0}", "log"),
    *("I", "C", "np", "poly", "__builtins__", "__FORMULAIC_STATE__", "data", "context", " ", "."),
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_any_name_of_a_column_is_only_a_name(name: str) -> None:
    frame = FRAME.rename(columns={"z": name})
    for pattern in ("~ {}", "~ x*{}", "~ I({}**2) + x", "~ poly({}, 2):x", "~ log({}**2) + n"):
        design, X = build_design(pattern.format(f"`{name}`"), frame)
        plain, expected = build_design(pattern.format("z"), FRAME)
        assert np.array_equal(X, expected)
        assert np.array_equal(design.matrix(frame), expected)
        bare = name if re.fullmatch(r"[^\W\d]\w*", name) or "(" not in pattern else f"`{name}`"
        assert design.terms == tuple(
            re.sub(r"\bz\b", bare.replace("\\", r"\\"), term) for term in plain.terms
        )


@pytest.mark.parametrize(
    "levels", [["_0_", "_0_1_", "_c0_"], ["]:[T.", "", " "], ["'", '"', "`{}\n"], ["1", "10", "2"]]
)
def test_any_level_is_only_a_level(levels: list[str]) -> None:
    frame = FRAME.assign(x=levels * 10)
    first, second, third = sorted(levels)
    design, X = build_design("~ x + I(2 * z)", frame)
    assert design.terms == ("Intercept", f"x[T.{second}]", f"x[T.{third}]", "I(2 * z)")
    assert X[:, 2].tolist() == (frame["x"] == third).astype(float).tolist()
    quote = "'" if '"' in third else '"'
    other, _ = build_design(f"~ C(x, ref={quote}{third}{quote})", frame)
    assert other.levels[other.parsed.variables[0].name] == (third, first, second)


def test_names_that_would_be_mistaken_are_refused() -> None:
    for names, formula in (
        ({"z": "x[T.b]"}, "~ x + `x[T.b]`"),
        ({"z": "x:n"}, "~ x:n + `x:n`"),
        ({"z": "Intercept"}, "~ Intercept"),
        ({"z": "Intercept"}, "~ 0 + Intercept + x"),
    ):
        with pytest.raises(SpecificationError, match="rename"):
            build_design(formula, FRAME.rename(columns=names))
