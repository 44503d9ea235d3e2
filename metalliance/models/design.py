"""Formula and table to design matrix; the only place where formulaic is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from metalliance.errors import SpecificationError
from metalliance.models.formula import ParsedFormula, parse_formula
from metalliance.models.rows import describe_rows, require_columns
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import dependent_columns

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
        Levels of every categorical column, in order; the first is the reference.
    """

    parsed: ParsedFormula
    terms: tuple[str, ...]
    slices: Mapping[str, tuple[int, ...]]
    levels: Mapping[str, tuple[Any, ...]]
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
        """(m, p) design of new rows, with the levels and transforms of the fitted ones."""
        if not self.parsed.columns:
            return np.ones((len(frame), 1))
        prepared = _prepare(frame, self.parsed, self.levels, "newdata")
        if self._spec is None:
            return _plain_matrix(prepared, self.parsed)
        with np.errstate(all="ignore"):
            built = self._spec.get_model_matrix(prepared, context=_CONTEXT)
        X = np.asarray(built, dtype=np.float64)
        _check_finite(X, self.terms, frame)
        return X


_CONTEXT: dict[str, Any] = {"log": np.log, "sqrt": np.sqrt}


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
    prepared = _prepare(frame, parsed, None, "the moderators")
    levels = {
        name: tuple(prepared[name].cat.categories)
        for name in prepared.columns
        if isinstance(prepared[name].dtype, pd.CategoricalDtype)
    }
    for name in parsed.factors:
        levels.setdefault(name, tuple(np.unique(prepared[name])))
    if _is_plain(parsed, prepared):
        X = _plain_matrix(prepared, parsed)
        terms, spec = _plain_terms(parsed), None
        slices: dict[str, tuple[int, ...]] = {term: (j,) for j, term in enumerate(terms)}
    else:
        X, terms, slices, spec = _formulaic_matrix(parsed, prepared)
    _check_finite(X, terms, frame)
    check_rank(X, terms)
    return Design(parsed=parsed, terms=terms, slices=slices, levels=levels, _spec=spec), X


def _prepare(
    frame: pd.DataFrame,
    parsed: ParsedFormula,
    levels: Mapping[str, tuple[Any, ...]] | None,
    what: str,
) -> pd.DataFrame:
    """The columns a formula reads, complete, text as categories, references in front."""
    require_columns(frame, parsed.columns, what)
    prepared: dict[str, Any] = {}
    for name in parsed.columns:
        column = frame[name]
        missing = column.isna().to_numpy()
        if missing.any():
            raise SpecificationError(
                f"moderator {name!r} is missing in {describe_rows(frame, missing)}; "
                "supply it, leave these rows out, or leave the moderator out"
            )
        known = None if levels is None else levels.get(name)
        if known is not None:
            _check_levels(frame, name, known)
        if types.is_numeric_dtype(column):
            prepared[name] = _numbers(column)
        else:
            prepared[name] = _categorical(column, known)
    for reference in parsed.references:
        known = None if levels is None else levels.get(reference.name)
        prepared[reference.name] = _categorical(frame[reference.column], known, reference.level)
    return pd.DataFrame(prepared, index=range(len(frame)))


def _numbers(column: pd.Series) -> FloatArray:
    """Values as NumPy knows them; whole numbers stay whole, so that C(year) names its levels."""
    if not types.is_extension_array_dtype(column):
        return np.asarray(column)
    whole = types.is_integer_dtype(column)
    return np.asarray(column.to_numpy(dtype=np.int64 if whole else np.float64))


def _categorical(column: pd.Series, known: Any, reference: str | None = None) -> pd.Categorical:
    """Categories that occur: in their declared order, else sorted; the reference first."""
    if known is not None:
        return pd.Categorical(column, categories=list(known))
    if isinstance(column.dtype, pd.CategoricalDtype):
        occurring = set(column.unique())
        categories = [level for level in column.cat.categories if level in occurring]
    else:
        try:
            categories = sorted(column.unique().tolist())
        except TypeError:
            column = column.astype(str)
            categories = sorted(column.unique().tolist())
    if reference is not None:
        first = [level for level in categories if str(level) == reference]
        if not first:
            shown = ", ".join(repr(level) for level in categories)
            raise SpecificationError(
                f"C({column.name}, ref={reference!r}): there is no such level; levels: {shown}"
            )
        categories = first + [level for level in categories if level != first[0]]
    return pd.Categorical(column.tolist(), categories=categories)


def _check_levels(frame: pd.DataFrame, name: str, known: tuple[Any, ...]) -> None:
    unseen = ~frame[name].isin(list(known)).to_numpy()
    if unseen.any():
        value = frame[name].iloc[int(np.flatnonzero(unseen)[0])]
        shown = ", ".join(repr(level) for level in known)
        raise SpecificationError(
            f"{name!r} has the level {value!r} in {describe_rows(frame, unseen)}, "
            f"which the fitted rows do not have; levels: {shown}"
        )


def _is_plain(parsed: ParsedFormula, prepared: pd.DataFrame) -> bool:
    return parsed.plain is not None and all(
        types.is_numeric_dtype(prepared[name]) for name in parsed.plain
    )


def _plain_terms(parsed: ParsedFormula) -> tuple[str, ...]:
    names = parsed.plain or ()
    return ("Intercept", *names) if parsed.intercept else names


def _plain_matrix(prepared: pd.DataFrame, parsed: ParsedFormula) -> FloatArray:
    columns = [prepared[name].to_numpy(dtype=np.float64) for name in parsed.plain or ()]
    if parsed.intercept:
        columns.insert(0, np.ones(len(prepared)))
    return np.column_stack(columns) if columns else np.empty((len(prepared), 0))


def _formulaic_matrix(
    parsed: ParsedFormula, prepared: pd.DataFrame
) -> tuple[FloatArray, tuple[str, ...], dict[str, tuple[int, ...]], Any]:
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):
            built = Formula(parsed.rewritten).get_model_matrix(
                prepared, na_action="raise", context=_CONTEXT
            )
    except (FormulaicError, ValueError, TypeError, KeyError, NameError) as error:
        raise SpecificationError(f"the formula {parsed.text!r} cannot be used: {error}") from error
    spec = built.model_spec
    terms = tuple(str(name) for name in built.columns)
    slices = {
        "Intercept" if str(term) == "1" else str(term): tuple(range(part.start, part.stop))
        for term, part in spec.term_slices.items()
    }
    return np.asarray(built, dtype=np.float64), terms, slices, spec


def _check_finite(X: FloatArray, terms: tuple[str, ...], frame: pd.DataFrame) -> None:
    faulty = ~np.isfinite(X)
    if faulty.any():
        j = int(np.flatnonzero(faulty.any(axis=0))[0])
        raise SpecificationError(
            f"{terms[j]!r} is not a finite number in {describe_rows(frame, faulty[:, j])}"
        )


def check_rank(X: FloatArray, terms: tuple[str, ...]) -> None:
    """Refuse a design that cannot be estimated, naming the columns to blame."""
    if not terms:
        raise SpecificationError("the formula leaves no coefficient; write '~ 1' for a mean alone")
    if len(X) <= len(terms):
        raise SpecificationError(
            f"{len(X)} effects cannot carry {len(terms)} coefficients ({', '.join(terms)}); "
            "there must be more effects than coefficients"
        )
    dependent = dependent_columns(X)
    if dependent:
        named = ", ".join(repr(terms[j]) for j in dependent)
        raise SpecificationError(
            f"{named} follows exactly from the columns before it, so its coefficient cannot be "
            "estimated; leave it out of the formula"
        )
