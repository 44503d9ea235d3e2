"""What a case of the comparison is: a data set and a model, as plain JSON on both sides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["CR_TYPES", "Case", "columns", "labels"]

CR_TYPES = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One data set and one model of it.

    ``V`` is empty, ``{"rho": number}`` or ``{"rvars": columns}``, within studies. ``fixed`` holds
    tau2, sigma2 or rho, None where one component is free. ``cluster`` is the column of the robust
    covariances, empty where there are none; ``each`` asks for the tables by effect.
    """

    id: str
    kind: str
    data: dict[str, list[Any]]
    newdata: dict[str, list[Any]]
    mods: str
    method: str
    test: str
    weights: bool = False
    random: list[str] = field(default_factory=list)
    structure: list[str] = field(default_factory=list)
    V: dict[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    cluster: str = ""
    each: bool = False

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.data)

    @property
    def univariate(self) -> bool:
        return not self.random


def columns(**values: Iterable[Any]) -> dict[str, list[Any]]:
    """Arrays as lists, ready for JSON."""
    return {name: np.asarray(value).tolist() for name, value in values.items()}


def labels(rng: np.random.Generator, k: int, levels: Sequence[str]) -> list[str]:
    """(k,) labels in random order, every level at least twice where there is room."""
    spare = max(k - 2 * len(levels), 0)
    drawn = [*levels, *levels, *rng.choice(list(levels), spare)]
    return [str(label) for label in rng.permutation(drawn[:k])]
