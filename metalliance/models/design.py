"""Formula and table to design matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.columns import Factor, read_variable
from metalliance.models.formula import ParsedFormula, parse_formula
from metalliance.models.materialise import materialise, rematerialise
from metalliance.models.missing import refuse_missing
from metalliance.models.rank import check_rank
from metalliance.models.rows import describe_rows, require_columns
from metalliance.numerics.blocks import FloatArray

__all__ = ["Design", "build_design", "check_rank"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """A formula remembered together with the levels and transforms it met.

    Attributes
    ----------
    parsed : ParsedFormula
    terms : tuple of str
        Names of the p columns, as formulaic gives them.
    slices : mapping of str to tuple of int
        Columns of each term of the formula; the intercept is ``Intercept``.
    levels : mapping of str to tuple
        Levels of every factor, under its name in the formula (``x``, ``C(x)``); the first is
        the reference.
    """

    parsed: ParsedFormula
    terms: tuple[str, ...]
    slices: Mapping[str, tuple[int, ...]]
    levels: Mapping[str, tuple[Any, ...]]
    _known: tuple[tuple[Any, ...] | None, ...] = field(default=(), repr=False)
    _spec: Any = field(default=None, repr=False)

    @property
    def formula(self) -> str:
        """The formula as given."""
        return self.parsed.text

    @property
    def intercept(self) -> int | None:
        """Position of the intercept column, or None."""
        return self.slices["Intercept"][0] if "Intercept" in self.slices else None

    @property
    def is_mean_only(self) -> bool:
        """Whether the model is ``~ 1``."""
        return self.terms == ("Intercept",)

    def matrix(self, frame: pd.DataFrame) -> FloatArray:
        """(m, p) design of new rows, with the levels and transforms of the fitted ones.

        Raises
        ------
        SpecificationError
            Missing columns or values, levels that the fitted rows do not have, text for a
            number, values outside the range of a ``bs()``.
        """
        require_columns(frame, self.parsed.columns, "newdata")
        if not len(frame):
            return np.empty((0, len(self.terms)))
        refuse_missing(frame, self.parsed.columns, "newdata", fitted=True)
        columns = [
            read_variable(frame, variable, known, fitted=True)
            for variable, known in zip(self.parsed.variables, self._known, strict=True)
        ]
        if self._spec is None:
            return _plain_matrix(self.parsed, columns, len(frame))
        X = rematerialise(self.parsed, columns, len(frame), self._spec)
        _check_finite(X, self.terms, frame)
        return X


def build_design(mods: str, frame: pd.DataFrame) -> tuple[Design, FloatArray]:
    """Read ``mods``, check it against the table, and lay out X (k, p).

    Parameters
    ----------
    mods : str
        Formula such as ``~ 1``, ``~ 0 + component`` or ``~ C(rater, ref="client") + year``.
    frame : DataFrame
        One row per effect. Missing moderators are refused, never dropped.

    Examples
    --------
    >>> design, X = build_design("~ x", pd.DataFrame({"x": [1.0, 2.0, 4.0]}))
    >>> design.terms, X.shape
    (('Intercept', 'x'), (3, 2))
    """
    parsed = parse_formula(mods)
    require_columns(frame, parsed.columns, f"mods={parsed.text!r}")
    if "Intercept" in parsed.columns:
        raise SpecificationError(
            "a column called 'Intercept' would be mistaken for the intercept; rename it"
        )
    X = _quick_matrix(parsed, frame)
    if X is not None:
        design = _plain_design(parsed)
    else:
        design, X = _general_design(parsed, frame)
    check_rank(X, design.terms)
    return design, X


def _quick_matrix(parsed: ParsedFormula, frame: pd.DataFrame) -> FloatArray | None:
    """X of a sum of complete numeric columns, or None: a mean alone takes microseconds."""
    if parsed.plain is None:
        return None
    offset = int(parsed.intercept)
    X = np.ones((len(frame), offset + len(parsed.plain)))
    for j, name in enumerate(parsed.plain, start=offset):
        column = frame[name]
        if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "biuf":
            return None
        X[:, j] = column.to_numpy()
    return X if np.isfinite(X).all() else None


def _plain_design(parsed: ParsedFormula) -> Design:
    names = parsed.plain or ()
    terms = ("Intercept", *names) if parsed.intercept else names
    return Design(
        parsed=parsed,
        terms=terms,
        slices={term: (j,) for j, term in enumerate(terms)},
        levels={},
        _known=(None,) * len(parsed.variables),
    )


def _general_design(parsed: ParsedFormula, frame: pd.DataFrame) -> tuple[Design, FloatArray]:
    refuse_missing(frame, parsed.columns, f"mods={parsed.text!r}", fitted=False)
    columns = [read_variable(frame, v, None, fitted=False) for v in parsed.variables]
    known = tuple(column.levels if isinstance(column, Factor) else None for column in columns)
    if parsed.plain is not None and known == (None,) * len(known):
        return _plain_design(parsed), _plain_matrix(parsed, columns, len(frame))
    built = materialise(parsed, columns, len(frame))
    _check_finite(built.X, built.terms, frame)
    design = Design(
        parsed=parsed,
        terms=built.terms,
        slices=built.slices,
        levels={
            variable.name: levels
            for variable, levels in zip(parsed.variables, known, strict=True)
            if levels is not None
        },
        _known=known,
        _spec=built.spec,
    )
    return design, built.X


def _plain_matrix(parsed: ParsedFormula, columns: list[FloatArray | Factor], m: int) -> FloatArray:
    intercept = [np.ones(m)] if parsed.intercept else []
    numbers = [column for column in columns if not isinstance(column, Factor)]
    return np.column_stack([*intercept, *numbers])


def _check_finite(X: FloatArray, terms: tuple[str, ...], frame: pd.DataFrame) -> None:
    faulty = ~np.isfinite(X)
    if faulty.any():
        j = int(np.flatnonzero(faulty.any(axis=0))[0])
        raise SpecificationError(
            f"{terms[j]!r} is not a finite number in {describe_rows(frame, faulty[:, j])}; "
            "a logarithm needs values above 0, a root values from 0, a ratio a divisor that is "
            "not 0"
        )
