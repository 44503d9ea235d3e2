"""What the measures of escalc share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from metalliance.errors import ConversionError
from metalliance.numerics.blocks import FloatArray

__all__ = ["Columns", "Pair", "mean_by_n", "on_z", "refuse"]

BoolArray = NDArray[np.bool_]
Columns = Mapping[str, FloatArray]
Pair = tuple[FloatArray, FloatArray]


def refuse(wrong: BoolArray, what: str) -> None:
    """Raise, naming the rows where something is wrong."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise ConversionError(f"{what} in row {', '.join(map(str, rows[:8]))}")


def on_z(r: FloatArray, v: FloatArray) -> Pair:
    """Atanh r with Var(r)/(1 − r²)²; NaN at and beyond ±1."""
    inside = np.abs(r) < 1
    z = np.where(inside, np.arctanh(np.where(inside, r, 0.0)), np.nan)
    return z, v / (1 - r**2) ** 2


def mean_by_n(values: FloatArray, n: FloatArray) -> FloatArray:
    """Mean weighted by n over the rows that have both, repeated for every row."""
    known = np.isfinite(values) & np.isfinite(n)
    mean = np.sum(n[known] * values[known]) / np.sum(n[known]) if known.any() else np.nan
    return np.full(len(values), mean)
