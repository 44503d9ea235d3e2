"""A parsed formula and its columns to a matrix; the only place where formulaic is imported.

formulaic evaluates formulas as Python. It is given aliases for columns, levels and numbers, so
nothing that a user wrote reaches it, and the names of terms are put back afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.columns import Factor
from metalliance.models.formula import BASES, ParsedFormula
from metalliance.models.rows import listed
from metalliance.numerics.blocks import FloatArray

__all__ = ["Materialised", "materialise", "rematerialise"]

_MAX_COLUMNS = 1000
Columns = Sequence["FloatArray | Factor"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Materialised:
    """What formulaic makes of a formula.

    Attributes
    ----------
    X : (k, p) float
    terms : tuple of str
        Names of the columns.
    slices : mapping of str to tuple of int
        Columns of each term.
    spec : ModelSpec
        Rebuilds the columns for other rows.
    """

    X: FloatArray
    terms: tuple[str, ...]
    slices: Mapping[str, tuple[int, ...]]
    spec: Any


def materialise(parsed: ParsedFormula, columns: Columns, k: int) -> Materialised:
    """Lay out the terms of a formula for the rows it is fitted to."""
    from formulaic import Formula

    with _sentences(parsed):
        formula = Formula(parsed.rewritten)
        _check_terms(parsed, formula, columns, k)
        built = formula.get_model_matrix(
            _frame(columns, k), na_action="ignore", context=_context(parsed)
        )
    spec = built.model_spec

    def level(variable: int, position: int) -> str:
        factor = columns[variable]
        assert isinstance(factor, Factor)
        return str(factor.levels[position])

    terms = tuple(parsed.restored(str(name), level) for name in built.columns)
    names = [
        "Intercept" if str(t) == "1" else parsed.restored(str(t), level) for t in spec.term_slices
    ]
    parts = [tuple(range(part.start, part.stop)) for part in spec.term_slices.values()]
    _check_empty(parsed, columns, names, parts)
    _check_names(terms, "coefficients")
    _check_names(names, "terms")
    return Materialised(
        X=np.asarray(built, dtype=np.float64).reshape(k, len(terms)),
        terms=terms,
        slices=dict(zip(names, parts, strict=True)),
        spec=spec,
    )


def rematerialise(parsed: ParsedFormula, columns: Columns, m: int, spec: Any) -> FloatArray:
    """The same columns (m, p) for other rows, with the transforms of the fitted ones."""
    with _sentences(parsed):
        built = spec.get_model_matrix(_frame(columns, m), context=_context(parsed))
    return np.asarray(built, dtype=np.float64)


@contextmanager
def _sentences(parsed: ParsedFormula) -> Iterator[None]:
    """Turn what formulaic raises into a SpecificationError, and keep NumPy quiet."""
    try:
        with np.errstate(all="ignore"):
            yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, SpecificationError):
            cause = cause.__cause__
        if cause is not None:
            raise cause from None
        said = parsed.restored(str(error), lambda variable, level: f"level {level + 1}")
        raise SpecificationError(f"the formula {parsed.text!r} cannot be used: {said}") from error


def _frame(columns: Columns, m: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            f"_{i}_": pd.Categorical.from_codes(
                column.codes, categories=[f"_{i}_{level}_" for level in range(len(column.levels))]
            )
            if isinstance(column, Factor)
            else column
            for i, column in enumerate(columns)
        },
        index=range(m),
    )


def _check_terms(parsed: ParsedFormula, formula: Any, columns: Columns, k: int) -> None:
    """Refuse terms that were taken away again, and designs that could only be too wide."""
    used: set[int] = set()
    narrowest = 0
    for term in formula:
        width = 1
        for factor in term.factors:
            width *= _basis_width(factor.expr)
            for position in {int(found) for found in re.findall(r"_(\d+)_", factor.expr)}:
                used.add(position)
                column = columns[position]
                width *= len(column.levels) - 1 if isinstance(column, Factor) else 1
        narrowest += width
    unused = [v.name for i, v in enumerate(parsed.variables) if i not in used]
    if unused:
        raise SpecificationError(
            f"{listed(unused)} stands in the formula {parsed.text!r} but in no term of the model: "
            "'-' takes a term away; for a difference of columns write I(a - b)"
        )
    if narrowest >= min(k, _MAX_COLUMNS):
        raise SpecificationError(
            f"{k} effects cannot carry the {narrowest} or more coefficients of {parsed.text!r} "
            f"(at most {_MAX_COLUMNS} are fitted){_most_levels(parsed, columns)}; merge levels, or "
            "leave out a term or an interaction"
        )


def _basis_width(expression: str) -> int:
    """Columns of ``poly(_0_, 2)``, ``cr(_0_, df=3)``, ``bs(_0_, df=4, degree=2)``; 1 for others."""
    name, _, rest = expression.partition("(")
    if name not in BASES:
        return 1
    options = {"degree": "3" if name == "bs" else "1"}
    for option, given in zip(BASES[name], rest.rstrip(")").split(",")[1:], strict=False):
        key, equals, value = given.strip().rpartition("=")
        options[key if equals else option] = value
    return int(options.get("df", options["degree"]))


def _most_levels(parsed: ParsedFormula, columns: Columns) -> str:
    """The factor with most levels, and whether it looks like numbers read as text."""
    name: str = ""
    levels: tuple[Any, ...] = ()
    for variable, column in zip(parsed.variables, columns, strict=True):
        if isinstance(column, Factor) and len(column.levels) > len(levels):
            name, levels = variable.name, column.levels
    if not levels:
        return ""
    digits = [level for level in levels if isinstance(level, str) and level[:1].isdigit()]
    text = f", which are text such as {digits[0]!r}" if 2 * len(digits) > len(levels) else ""
    return f"; {name!r} alone has {len(levels)} levels{text}"


def _check_empty(
    parsed: ParsedFormula,
    columns: Columns,
    names: Sequence[str],
    parts: Sequence[tuple[int, ...]],
) -> None:
    """Refuse a term without columns, which would vanish from the model."""
    for name, part in zip(names, parts, strict=True):
        if part:
            continue
        for variable, column in zip(parsed.variables, columns, strict=True):
            if isinstance(column, Factor) and len(column.levels) == 1:
                raise SpecificationError(
                    f"{variable.name!r} has one level only, {column.levels[0]!r}, so there is "
                    "nothing to compare it with; leave it out of the formula"
                )
        raise SpecificationError(f"the term {name!r} of {parsed.text!r} has no column")


def _check_names(names: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SpecificationError(
                f"two {what} would both be called {name!r}; rename a column or a level"
            )
        seen.add(name)


def _context(parsed: ParsedFormula) -> dict[str, Any]:
    numbers = {f"_c{i}_": np.float64(text) for i, text in enumerate(parsed.constants)}
    return {**_transforms(), **numbers}


@cache
def _transforms() -> dict[str, Any]:
    """The transforms, each refusing what it cannot do; the state is formulaic's."""
    from formulaic.transforms import basis_spline, center, poly, scale
    from formulaic.transforms.cubic_spline import cubic_spline
    from formulaic.utils.stateful_transforms import stateful_transform

    centred_spline = stateful_transform(partial(cubic_spline, constraints="center"))

    def centred(data: Any, _state: Any = None) -> Any:
        _check_varies("center()", data, _state)
        return center(data, _state=_state)

    def scaled(data: Any, _state: Any = None) -> Any:
        _check_varies("scale()", data, _state)
        return scale(data, _state=_state)

    def polynomial(data: Any, degree: int = 1, raw: bool = False, _state: Any = None) -> Any:
        if "degree" not in _state:
            _check_distinct(f"poly() of degree {degree}", data, degree + 1)
            _state["degree"] = degree
        return poly(data, degree, raw, _state=_state)

    def natural_spline(data: Any, df: int | None = None, _state: Any = None) -> Any:
        if df is None or df < 2:
            raise SpecificationError(
                "cr() needs the number of its columns, 2 or more, e.g. cr(year, df=3); a straight "
                "line is the moderator itself"
            )
        if not _state:
            _check_distinct(f"cr() with df={df}", data, df + 1)
        return centred_spline(data, df=df, _state=_state)

    def b_spline(data: Any, df: int | None = None, degree: int = 3, _state: Any = None) -> Any:
        if df is not None and df < degree:
            raise SpecificationError(
                f"bs() of degree {degree} has at least {degree} columns; write df={degree} or "
                "more, or a lower degree="
            )
        if not _state:
            _check_distinct(f"bs() with {df or degree} columns", data, (df or degree) + 1)
        else:
            _check_inside(data, _state["lower_bound"], _state["upper_bound"])
        return basis_spline(data, df=df, degree=degree, _state=_state)

    return {
        "log": np.log,
        "sqrt": np.sqrt,
        "center": stateful_transform(centred),
        "scale": stateful_transform(scaled),
        "poly": stateful_transform(polynomial),
        "cr": stateful_transform(natural_spline),
        "bs": stateful_transform(b_spline),
    }


def _check_varies(what: str, values: Any, state: Any) -> None:
    if state:
        return
    _check_defined(what, values)
    if np.ptp(values) == 0:
        raise SpecificationError(
            f"{what} takes a column that varies; here every row has {np.asarray(values)[0]:g}"
        )


def _check_distinct(what: str, values: Any, needed: int) -> None:
    _check_defined(what, values)
    distinct = len(np.unique(values))
    if distinct < needed:
        raise SpecificationError(
            f"{what} needs a moderator with at least {needed} different values; here it has "
            f"{distinct}; lower the number, or write the moderator as it is"
        )


def _check_defined(what: str, values: Any) -> None:
    undefined = int(np.sum(~np.isfinite(values)))
    if undefined:
        raise SpecificationError(
            f"what stands inside {what} is not a finite number in {undefined} of {len(values)} "
            "rows; a logarithm needs values above 0, a root values from 0"
        )


def _check_inside(values: Any, low: float, high: float) -> None:
    outside = np.asarray((values < low) | (values > high))
    if outside.any():
        raise SpecificationError(
            f"bs() is defined between {low:g} and {high:g}, the range of the fitted rows; newdata "
            f"has {np.asarray(values)[outside][0]:g}; predict inside the range, or fit cr(), "
            "which continues as a straight line"
        )
