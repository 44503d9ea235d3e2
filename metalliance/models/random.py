"""Random terms: ``~ 1 | study/effect`` and the grouping of rows it means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.rows import describe_rows, require_columns
from metalliance.numerics.blocks import IntArray

__all__ = ["RandomTerm", "parse_random", "select_rows"]

_NAME = r"(?:[^\W\d]\w*|`[^`]+`)"
_TERM = re.compile(rf"^\s*~\s*(?P<inner>[^|]+?)\s*\|\s*(?P<path>{_NAME}(?:\s*/\s*{_NAME})*)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomTerm:
    """A random intercept for every level of a (nested) grouping.

    Attributes
    ----------
    name : str
        ``study`` or ``study/effect``: an inner id counts within its outer one.
    codes : (k,) int
        Level of each row, numbered by first appearance.
    levels : int
    outermost : bool
        First grouping of its formula.
    """

    name: str
    codes: IntArray
    levels: int
    outermost: bool


def parse_random(random: str | Sequence[str], frame: pd.DataFrame) -> tuple[RandomTerm, ...]:
    """Random terms of one formula or of a list of them, outermost first.

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
    terms: list[RandomTerm] = []
    for formula in formulas:
        terms.extend(_nested_terms(formula, frame))
    names = [term.name for term in terms]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecificationError(f"random= names {', '.join(twice)} more than once")
    _check_levels(terms, len(frame))
    return tuple(terms)


def select_rows(
    terms: Sequence[RandomTerm], keep: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[RandomTerm, ...]:
    """The same terms for the rows where ``keep`` holds."""
    selected = []
    for term in terms:
        codes = pd.factorize(term.codes[keep])[0].astype(np.intp)
        selected.append(replace(term, codes=codes, levels=int(codes.max()) + 1))
    _check_levels(selected, int(keep.sum()))
    return tuple(selected)


def _nested_terms(formula: str, frame: pd.DataFrame) -> list[RandomTerm]:
    match = _TERM.match(formula) if isinstance(formula, str) else None
    if match is None:
        raise SpecificationError(
            f"random={formula!r} cannot be read; write '~ 1 | study/effect', outermost first"
        )
    if match["inner"] != "1":
        raise SpecificationError(
            f"random={formula!r}: this version fits random intercepts ('~ 1 | study/effect'), "
            "not inner | outer terms or random slopes"
        )
    factors = [name.strip().strip("`") for name in match["path"].split("/")]
    require_columns(frame, factors, f"random={formula!r}")
    terms = []
    codes = np.zeros(len(frame), dtype=np.intp)
    for depth, factor in enumerate(factors):
        column = frame[factor]
        missing = column.isna().to_numpy()
        if missing.any():
            raise SpecificationError(
                f"{factor!r} is missing in {describe_rows(frame, missing)}, "
                "but random= groups by it"
            )
        inner = pd.factorize(column)[0].astype(np.intp)
        codes = pd.factorize(codes * (inner.max() + 1) + inner)[0].astype(np.intp)
        terms.append(
            RandomTerm(
                name="/".join(factors[: depth + 1]),
                codes=codes,
                levels=int(codes.max()) + 1,
                outermost=depth == 0,
            )
        )
    return terms


def _check_levels(terms: Sequence[RandomTerm], k: int) -> None:
    for term in terms:
        if term.levels == 1:
            raise SpecificationError(
                f"all {k} rows have the same {term.name}, so its variance cannot be estimated; "
                "leave it out of random="
            )
    for i, first in enumerate(terms):
        for second in terms[i + 1 :]:
            if np.array_equal(first.codes, second.codes):
                raise SpecificationError(
                    f"{first.name} and {second.name} group the {k} rows in the same way "
                    f"({first.levels} levels each), so their variances cannot be told apart; "
                    "leave one of them out of random="
                )
