"""Random terms: ``~ 1 | study/effect``, ``~ component | study``, ``~ 1 + week | study``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.design import Design, build_design
from metalliance.models.rows import describe_rows, listed, require_columns
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.covariances import Structure
from metalliance.numerics.layout import Factor, relevant_entries
from metalliance.numerics.structures import (
    STRUCTURE_NAMES,
    STRUCTURES,
    correlation_names,
)

__all__ = ["RandomTerm", "parse_random", "select_rows"]

_NAME = r"(?:[^\W\d]\w*|`[^`]+`)"
_TERM = re.compile(rf"^\s*~\s*(?P<inner>[^|]+?)\s*\|\s*(?P<path>{_NAME}(?:\s*/\s*{_NAME})*)\s*$")
_DEFAULT = "CS"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomTerm:
    """Random effects of the groups of one factor.

    Attributes
    ----------
    name : str
        ``study``, ``study/effect`` (an inner id counts within its outer one) or
        ``component | study``.
    structure : str
        ``1`` for a random intercept, else how the inner levels (or slopes) of a group vary
        together.
    factor : Factor
        Groups, inner levels or slopes, and the covariance structure, as numbers.
    factors : tuple of str
        Columns of the grouping, outermost first.
    inner : str
        The inner column, or the formula of the slopes; empty for an intercept.
    levels_inner : tuple of str
        Names of the inner levels or slopes; empty for an intercept.
    outermost : bool
        First grouping of its formula.
    slopes : Design or None
        How the design of random slopes is made for new rows.
    """

    name: str
    structure: str
    factor: Factor
    factors: tuple[str, ...]
    inner: str
    levels_inner: tuple[str, ...]
    outermost: bool
    slopes: Design | None = None

    @property
    def codes(self) -> IntArray:
        """(k,) number of the group of each row."""
        return self.factor.outer

    @property
    def levels(self) -> int:
        """How many groups there are."""
        return int(self.codes.max()) + 1

    @property
    def outer(self) -> str:
        """The grouping alone."""
        return self.name.rsplit(" | ", 1)[-1]

    @property
    def free_structure(self) -> Structure:
        """The structure with nothing held."""
        return structure_of(self.structure, self.factor)

    def labels(self) -> tuple[tuple[str, str], ...]:
        """(term, name) of every variance and correlation, in order."""
        if self.structure == "1":
            return ((self.name, "sigma2"),)
        variances, correlations = self.factor.structure.size
        tau2 = self.levels_inner if variances > 1 else (self.name,)
        pairs = correlation_names(self.levels_inner) if correlations > 1 else (self.name,)
        if correlations == 1 and len(self.levels_inner) == 2:
            pairs = correlation_names(self.levels_inner)
        return (
            *((term, "tau2") for term in tau2),
            *((term, "rho") for term in pairs[:correlations]),
        )


def parse_random(
    random: str | Sequence[str], frame: pd.DataFrame, structure: str | Sequence[str] | None = None
) -> tuple[RandomTerm, ...]:
    """Random terms of one formula or of a list of them, outermost first.

    Parameters
    ----------
    random : str or sequence of str
    frame : DataFrame
    structure : str or sequence of str, optional
        Of the ``inner | outer`` terms, one for all or one for each; CS by default.

    Examples
    --------
    >>> frame = pd.DataFrame({"study": ["a", "a", "b"], "effect": [1, 2, 1]})
    >>> [(term.name, term.levels) for term in parse_random("~ 1 | study/effect", frame)]
    [('study', 2), ('study/effect', 3)]
    """
    if not isinstance(random, (str, list, tuple)):
        raise SpecificationError(
            f"random= must be a formula such as '~ 1 | study/effect' or a list, not {random!r}"
        )
    formulas = [random] if isinstance(random, str) else list(random)
    if not formulas:
        raise SpecificationError("random=[] names no term; leave random= out for a univariate fit")
    parts = [_parts(formula) for formula in formulas]
    names = _structures(structure, sum(inner != "1" for inner, _ in parts))
    terms: list[RandomTerm] = []
    for formula, (inner, path) in zip(formulas, parts, strict=True):
        if inner == "1":
            terms.extend(_nested_terms(formula, path, frame))
        else:
            terms.append(_inner_term(formula, inner, path, next(names), frame))
    named = [term.name for term in terms]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise SpecificationError(f"random= names {', '.join(twice)} more than once")
    _check_levels(terms, len(frame))
    return tuple(terms)


def select_rows(
    terms: Sequence[RandomTerm], keep: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[RandomTerm, ...]:
    """The same terms for the rows where ``keep`` holds; inner levels keep their numbers."""
    selected = []
    for term in terms:
        codes = pd.factorize(term.codes[keep])[0]
        inner, slopes = term.factor.inner, term.factor.slopes
        factor = replace(
            term.factor,
            outer=codes.astype(np.intp),
            inner=None if inner is None else inner[keep],
            slopes=None if slopes is None else slopes[keep],
        )
        selected.append(replace(term, factor=factor))
    _check_levels(selected, int(keep.sum()))
    for term in selected:
        lost = relevant_entries(term.factor) == 0
        if lost[: len(term.levels_inner)].any():
            raise SpecificationError(f"no row of some level of {term.name} is left")
    return tuple(selected)


def _parts(formula: Any) -> tuple[str, tuple[str, ...]]:
    """The inner side, and the outer factors from the outermost inwards."""
    match = _TERM.match(formula) if isinstance(formula, str) else None
    if match is None:
        raise SpecificationError(
            f"random={formula!r} cannot be read; write '~ 1 | study/effect', outermost first, "
            "or '~ component | study'"
        )
    path = tuple(name.strip().strip("`") for name in match["path"].split("/"))
    return match["inner"], path


def _structures(structure: str | Sequence[str] | None, needed: int) -> Any:
    """One structure for each inner | outer term."""
    given = [structure] if isinstance(structure, str) else list(structure or [])
    for name in given:
        if name not in STRUCTURE_NAMES:
            raise ValueError(
                f"unknown structure {name!r}; choose one of {', '.join(STRUCTURE_NAMES)}"
            )
    if given and not needed:
        raise SpecificationError(
            f"structure={structure!r} belongs to a term such as '~ component | study'; "
            "random= has none"
        )
    if len(given) > 1 and len(given) != needed:
        raise SpecificationError(
            f"structure= names {len(given)} structures for {needed} inner | outer terms"
        )
    return iter((given or [_DEFAULT]) * needed if len(given) <= 1 else given)


def _nested_terms(formula: str, factors: tuple[str, ...], frame: pd.DataFrame) -> list[RandomTerm]:
    require_columns(frame, factors, f"random={formula!r}")
    k = len(frame)
    terms = []
    codes = np.zeros(k, dtype=np.intp)
    for depth, name in enumerate(factors):
        inner, levels = _factorized(frame, name)
        codes = pd.factorize(codes * len(levels) + inner)[0].astype(np.intp)
        factor = Factor(
            outer=codes,
            inner=np.zeros(k, dtype=np.intp),
            slopes=None,
            structure=STRUCTURES["ID"](1, 1),
        )
        terms.append(
            RandomTerm(
                name="/".join(factors[: depth + 1]),
                structure="1",
                factor=factor,
                factors=factors[: depth + 1],
                inner="",
                levels_inner=(),
                outermost=depth == 0,
            )
        )
    return terms


def _inner_term(
    formula: str, inner: str, path: tuple[str, ...], structure: str, frame: pd.DataFrame
) -> RandomTerm:
    if len(path) > 1:
        raise SpecificationError(
            f"random={formula!r}: an inner | outer term has one outer factor; add the other level "
            "as a term of its own, e.g. '~ 1 | study/sample'"
        )
    require_columns(frame, path, f"random={formula!r}")
    codes = _factorized(frame, path[0])[0]
    column = inner.strip("`")
    bare = re.fullmatch(_NAME, inner) is not None
    if structure == "GEN" or not bare:
        if structure != "GEN":
            raise SpecificationError(
                f"random={formula!r}: random slopes take structure='GEN'; for a factor write its "
                "column alone, e.g. '~ component | study'"
            )
        design, slopes = build_design(f"~ {inner}", frame)
        levels, numbers, q = design.terms, None, slopes.shape[1]
    else:
        require_columns(frame, [column], f"random={formula!r}")
        numbers, levels = _levels(frame, column)
        design, slopes, q = None, None, len(levels)
        if q < 2:
            raise SpecificationError(
                f"random={formula!r}: {column!r} has one level; write '~ 1 | {path[0]}'"
            )
    factor = Factor(outer=codes, inner=numbers, slopes=slopes, structure=STRUCTURES["ID"](q, q))
    factor = replace(factor, structure=structure_of(structure, factor))
    return RandomTerm(
        name=f"{inner} | {path[0]}",
        structure=structure,
        factor=factor,
        factors=path,
        inner=inner if slopes is not None else column,
        levels_inner=tuple(levels),
        outermost=True,
        slopes=design,
    )


def _factorized(frame: pd.DataFrame, name: str) -> tuple[IntArray, Any]:
    column = frame[name]
    missing = column.isna().to_numpy()
    if missing.any():
        raise SpecificationError(
            f"{name!r} is missing in {describe_rows(frame, missing)}, but random= groups by it"
        )
    codes, levels = pd.factorize(column)
    return codes.astype(np.intp), levels


def _levels(frame: pd.DataFrame, name: str) -> tuple[IntArray, tuple[str, ...]]:
    """Inner levels in their declared order, else sorted."""
    codes, levels = _factorized(frame, name)
    column = frame[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        ordered = [level for level in column.cat.categories if level in set(levels)]
    else:
        try:
            ordered = sorted(levels.tolist())
        except TypeError:
            ordered = sorted(levels.tolist(), key=str)
    position = {level: i for i, level in enumerate(ordered)}
    place = np.array([position[level] for level in levels], dtype=np.intp)
    return place[codes], tuple(str(level) for level in ordered)


def _check_levels(terms: Sequence[RandomTerm], k: int) -> None:
    for term in terms:
        if term.levels == 1:
            raise SpecificationError(
                f"all {k} rows have the same {term.outer}, so its variance cannot be estimated; "
                "leave it out of random="
            )
    plain = [term for term in terms if term.structure == "1"]
    for i, first in enumerate(plain):
        for second in plain[i + 1 :]:
            if same_grouping(first.codes, second.codes):
                raise SpecificationError(
                    f"{first.name} and {second.name} group the {k} rows in the same way "
                    f"({first.levels} levels each), so their variances cannot be told apart; "
                    "leave one of them out of random="
                )


def structure_of(name: str, factor: Factor) -> Structure:
    """The named structure for the levels of a factor, with nothing held."""
    q = factor.q
    together = q
    if factor.inner is not None:
        pairs = np.unique(factor.outer * q + factor.inner)
        together = int(np.bincount(pairs // q).max())
    return STRUCTURES["ID" if name == "1" else name](q, together)


def same_grouping(first: IntArray, second: IntArray) -> bool:
    """Whether two codings put the same rows together."""
    n = int(max(first.max(), second.max())) + 1
    pairs = len(np.unique(first * n + second))
    return pairs == int(first.max()) + 1 == int(second.max()) + 1


def outermost_term(terms: Sequence[RandomTerm]) -> RandomTerm | None:
    """The term whose groups hold all groups of all others; None where factors are crossed."""
    for term in terms:
        if term.outermost and all(_within(other.codes, term.codes) for other in terms):
            return term
    return None


def _within(inner: IntArray, outer: IntArray) -> bool:
    """Whether every inner group lies in one outer group."""
    n = int(outer.max()) + 1
    return len(np.unique(inner * n + outer)) == int(inner.max()) + 1


def unseen_correlations(term: RandomTerm) -> tuple[str, ...]:
    """Pairs of levels that no group has together, so that their correlation is unknown.

    For a structure with one correlation: its name where no group has two levels.
    """
    variances, correlations = term.factor.structure.size
    if not correlations:
        return ()
    counts = relevant_entries(term.factor)
    if correlations == 1 and term.structure in ("CS", "HCS", "AR"):
        off = counts[1:] if term.structure != "HCS" else counts[variances:]
        return () if off.any() else (listed(term.levels_inner),)
    pairs = correlation_names(term.levels_inner)
    return tuple(pair for pair, n in zip(pairs, counts[variances:], strict=True) if n == 0)


def fewest_informing(term: RandomTerm) -> int:
    """In how many groups the rarest pair of levels occurs together."""
    variances, correlations = term.factor.structure.size
    counts = relevant_entries(term.factor)
    if not correlations:
        return term.levels
    if term.structure in ("CS", "AR"):
        return int(counts[1:].max(initial=0))
    off = counts[variances:]
    return int(off.max(initial=0) if term.structure == "HCS" else off.min(initial=term.levels))


def slopes_of(term: RandomTerm, frame: pd.DataFrame) -> FloatArray:
    """(m, q) which random effects of a group enter each of some new rows."""
    q = term.factor.q
    if term.structure == "1":
        return np.ones((len(frame), 1))
    if term.slopes is not None:
        return term.slopes.matrix(frame)
    require_columns(frame, [term.inner], "newdata")
    place = {level: i for i, level in enumerate(term.levels_inner)}
    rows = np.zeros((len(frame), q))
    for i, value in enumerate(frame[term.inner]):
        if str(value) not in place:
            raise SpecificationError(
                f"{term.inner!r} has the level {str(value)!r}, which the fitted rows do not have; "
                f"levels: {listed(term.levels_inner)}"
            )
        rows[i, place[str(value)]] = 1.0
    return rows
