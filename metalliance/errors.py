"""Everything that can go wrong, as one tree.

::

    MetallianceError                 base of all; ``str()`` is a sentence for a reader
    ├── CodingError                  a file a person filled in; ``.problems`` lists every one
    ├── PlanError                    the analysis plan; ``.problems`` likewise
    ├── ConversionError              a reported statistic that cannot become an effect
    ├── SpecificationError           a model that was asked for and cannot be meant
    │   └── UnidentifiedError        trait and state cannot be told apart; ``.line`` has the pairs
    ├── ConvergenceError             a model that could not be brought to an optimum
    └── OutputError                  a file that may not be written over
    MetallianceWarning               base of all warnings
    ├── DependenceWarning            several effects of a study treated as independent
    └── SmallSampleWarning           too few clusters for the stated inference
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "CodingError",
    "ConvergenceError",
    "ConversionError",
    "DependenceWarning",
    "MetallianceError",
    "MetallianceWarning",
    "OutputError",
    "PlanError",
    "Problem",
    "Severity",
    "SmallSampleWarning",
    "SpecificationError",
    "UnidentifiedError",
]

Severity = Literal["error", "question", "todo", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing a person should know about one place in a file.

    Attributes
    ----------
    sheet, cell : str
        Where: sheet name (or file name) and A1 address; ``cell`` is empty for a whole file.
    value : str
        What stands there, as text.
    what, mend : str
        Why it matters, and what to do about it.
    severity : {'error', 'question', 'todo', 'note'}
        Only errors stop the reading.
    code : str
        Stable kebab-case name of the rule.
    """

    sheet: str
    cell: str
    value: str
    what: str
    mend: str
    severity: Severity
    code: str

    @property
    def address(self) -> str:
        """``sheet!cell``, or the sheet alone."""
        return f"{self.sheet}!{self.cell}" if self.cell else self.sheet

    def __str__(self) -> str:
        shown = f" {self.value!r}" if self.value else ""
        mend = f" — {self.mend}" if self.mend else ""
        return f"{self.address}{shown}: {self.what}{mend}"


class MetallianceError(Exception):
    """Base of every error this package raises on purpose."""


class _ProblemsError(MetallianceError):
    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CodingError(_ProblemsError):
    """The review cannot be read as it stands; ``problems`` holds all of them."""


class PlanError(_ProblemsError):
    """The analysis plan cannot be carried out as it stands."""


class ConversionError(MetallianceError):
    """A reported statistic cannot become an effect; the message names what is missing."""


class SpecificationError(MetallianceError):
    """The model asked for cannot be fitted to these data; the message says what to change."""


class UnidentifiedError(SpecificationError):
    """The effects cannot tell a trait-like from a state-like association.

    Attributes
    ----------
    line : DataFrame
        ``rho_between, rho_within``: pairs that are compatible with what was reported.
    """

    def __init__(self, message: str, line: Any) -> None:
        super().__init__(message)
        self.line = line


class ConvergenceError(MetallianceError):
    """No optimum was reached; the message says what to try."""


class OutputError(MetallianceError):
    """A file stands where one would be written, and it is not ours; the message names it."""


class MetallianceWarning(UserWarning):
    """Base of every warning this package issues."""


class DependenceWarning(MetallianceWarning):
    """Several effects share a study and are treated as independent."""


class SmallSampleWarning(MetallianceWarning):
    """Too few clusters for the stated inference (Satterthwaite df below 4)."""
