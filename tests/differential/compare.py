"""How far two tables of the same case are apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FLOOR", "Deviation", "deviations", "distance"]

FLOOR = 1e-2  # differences are relative to the value, and to this where it is smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One quantity of one case; ``size`` is NaN where it is absent on one side only."""

    case: str
    kind: str
    what: str
    size: float
    allowed: float

    @property
    def too_large(self) -> bool:
        return not self.size <= self.allowed

    def __str__(self) -> str:
        return f"{self.case}: {self.what} off by {self.size:.1e}, allowed {self.allowed:.0e}"


def distance(ours: Any, theirs: Any, floor: float = FLOOR) -> float:
    """Largest difference, relative to the value of R or to ``floor`` where that is smaller."""
    ours, theirs = numbers(ours), numbers(theirs)
    if ours.shape != theirs.shape or np.any(np.isnan(ours) != np.isnan(theirs)):
        return np.nan
    with np.errstate(invalid="ignore"):
        apart = np.where(ours == theirs, 0.0, np.abs(ours - theirs))
    return float(np.nanmax(apart / np.maximum(np.abs(theirs), floor), initial=0.0))


def deviations(ours: Any, theirs: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every quantity that R reports, with its distance, by path."""
    if not isinstance(theirs, Mapping):
        yield path, distance(ours, theirs)
        return
    for name, value in theirs.items():
        if path == "robust" and name not in ours:
            continue  # refused here: a coefficient rests on one cluster
        yield from deviations(ours[name], value, f"{path} {name}".strip())


def numbers(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    listed = value if np.ndim(value) else [value]
    return np.array([np.nan if v is None or v == "NA" else v for v in listed], dtype=np.float64)
