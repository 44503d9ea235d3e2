"""What a formula uses, and the aliases under which it is evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["ParsedFormula", "Role", "Variable"]

Role = Literal["term", "number", "factor"]
_ALIAS = re.compile(r"_(?:c(?P<constant>\d+)|(?P<variable>\d+)(?:_(?P<level>\d+))?)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One way in which a formula uses a column.

    Attributes
    ----------
    name : str
        How names of terms call it: ``year``, ``C(wave)``, ``C(rater, ref="client")``.
    column : str
    role : {'term', 'number', 'factor'}
        A term of its own is a factor where the column holds text; inside a transform a column
        is a number; inside ``C()`` it is a factor.
    reference : str or None
        Level given as ``ref=``.
    """

    name: str
    column: str
    role: Role
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFormula:
    """What a formula uses.

    Attributes
    ----------
    text : str
        As given, stripped.
    rewritten : str
        The same with an alias for every variable and for every number that is computed with.
    variables : tuple of Variable
        The one at position i has the alias ``_i_``, its level l the alias ``_i_l_``.
    constants : tuple of str
        The one at position i has the alias ``_ci_``.
    plain : tuple of str or None
        For an intercept and a sum of bare names: the names; otherwise None.
    intercept : bool
        Meaningful where ``plain`` is not None.
    """

    text: str
    rewritten: str
    variables: tuple[Variable, ...]
    constants: tuple[str, ...]
    plain: tuple[str, ...] | None
    intercept: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, in order of appearance."""
        return tuple(dict.fromkeys(variable.column for variable in self.variables))

    def restored(self, name: str, level: Callable[[int, int], str]) -> str:
        """A name of a term with what the user wrote in place of the aliases."""

        def words(match: re.Match[str]) -> str:
            if match["constant"]:
                return self.constants[int(match["constant"])]
            if match["level"]:
                return level(int(match["variable"]), int(match["level"]))
            return self.variables[int(match["variable"])].name

        return _ALIAS.sub(words, name)
