"""Sessions of patients, checked and in standard units, ready for the likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import dependent_columns
from metalliance.numerics.panel_likelihood import Panel, panel_of
from metalliance.numerics.panel_process import Dynamics, Initial

__all__ = ["PanelRows", "Trend", "checked_rows", "laid_out", "refuse_unidentified"]

Trend = ArrayLike | Literal["linear"] | None

_FEWEST_PATIENTS = 5
_LONGEST = 1000
_MOST_TIMES = 150
_SPARE = {1: 10, 2: 20}
_CONSTANT = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class PanelRows:
    """Occasions with a value of x or y, sorted by patient and occasion.

    Attributes
    ----------
    patient, elapsed : (n,) int
        Elapsed since the patient's first of these occasions.
    values : (n, 2) float
        Standardised; NaN where missing.
    designs : pair of (n, 1 + q) float
        Intercept and standardised trend columns, of x and of y.
    centre, scale : (2,) float
        Of x and y.
    trend_centre, trend_scale : pair of (q,) float
    """

    patient: NDArray[np.int64]
    elapsed: NDArray[np.int64]
    values: FloatArray
    designs: tuple[FloatArray, FloatArray]
    centre: FloatArray
    scale: FloatArray
    trend_centre: tuple[FloatArray, FloatArray]
    trend_scale: tuple[FloatArray, FloatArray]

    def mean_map(self) -> tuple[FloatArray, FloatArray]:
        """Matrix and offset that take standardised coefficients of the mean to data units."""
        sizes = [design.shape[1] for design in self.designs]
        matrix, offset = np.zeros((sum(sizes), sum(sizes))), np.zeros(sum(sizes))
        for j, at in enumerate((0, sizes[0])):
            own = matrix[at : at + sizes[j], at : at + sizes[j]]
            own[0, 0] = self.scale[j]
            slope = self.scale[j] / self.trend_scale[j]
            own[0, 1:] = -slope * self.trend_centre[j]
            own[np.arange(1, sizes[j]), np.arange(1, sizes[j])] = slope
            offset[at] = self.centre[j]
        return matrix, offset


def checked_rows(
    patient: ArrayLike,
    occasion: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    trend_x: Trend = None,
    trend_y: Trend = None,
) -> PanelRows:
    """Read, check, sort and standardise; parameters as of ``fit_panel``.

    Raises
    ------
    SpecificationError
        If lengths differ, occasions are not whole numbers or come twice for a patient, a value is
        infinite, x or y is constant (within every patient), or trend columns are unusable.
    """
    labels = np.asarray(patient)
    when = _floats(occasion, "occasion")
    values = np.column_stack(_equally_long(labels, when, _floats(x, "x"), _floats(y, "y")))
    if np.isinf(values).any():
        raise SpecificationError("x or y has infinite values; code missing values as NaN")
    if not np.all(np.isfinite(when)) or np.any(when != np.round(when)):
        raise SpecificationError(
            "occasions must be whole numbers, none missing: the number of each session"
        )
    columns = [_trend(trend_x, when, "trend_x"), _trend(trend_y, when, "trend_y")]
    kept = np.flatnonzero(~np.isnan(values).all(axis=1))
    if not len(kept):
        raise SpecificationError("no row has a value of x or y")
    codes = _codes(labels[kept])
    order = np.lexsort((when[kept], codes))
    codes, kept = codes[order], kept[order]
    counts = when[kept].astype(np.int64)
    _refuse_repeats(labels[kept], codes, counts)
    first = np.r_[True, np.diff(codes) > 0]
    elapsed = counts - counts[first][codes]
    return _standardised(codes, elapsed, values[kept], [column[kept] for column in columns])


def _codes(labels: NDArray[Any]) -> NDArray[np.int64]:
    """0 to n - 1 for the patients in order of their labels."""
    unusable = "patient labels must all be numbers or all be text, none missing"
    if any(label is None or label != label for label in labels.tolist()):
        raise SpecificationError(unusable)
    try:
        return np.unique(labels, return_inverse=True)[1].reshape(-1).astype(np.int64)
    except TypeError:
        raise SpecificationError(unusable) from None


def _standardised(
    patient: NDArray[np.int64],
    elapsed: NDArray[np.int64],
    values: FloatArray,
    columns: list[FloatArray],
) -> PanelRows:
    centre, scale = np.zeros(2), np.ones(2)
    designs, centres, scales = [], [], []
    for j, name in enumerate("xy"):
        seen = ~np.isnan(values[:, j])
        _refuse_constant(name, patient[seen], values[seen, j])
        centre[j], scale[j] = values[seen, j].mean(), values[seen, j].std()
        used = columns[j][seen]
        if not np.isfinite(used).all():
            raise SpecificationError(
                f"trend_{name} has missing or infinite values where {name} has none"
            )
        middle, spread = used.mean(axis=0), used.std(axis=0)
        safe = np.where(spread > _CONSTANT * (np.abs(middle) + 1e-300), spread, 1.0)
        design = np.column_stack([np.ones(len(values)), (columns[j] - middle) / safe])
        if dependent_columns(np.where(np.abs(design[seen]) < _CONSTANT, 0, design[seen])):
            raise SpecificationError(
                f"the trend columns of {name} are constant or depend on one another; leave one out"
            )
        designs.append(design)
        centres.append(middle)
        scales.append(safe)
    return PanelRows(
        patient=patient,
        elapsed=elapsed,
        values=(values - centre) / scale,
        designs=(designs[0], designs[1]),
        centre=centre,
        scale=scale,
        trend_centre=(centres[0], centres[1]),
        trend_scale=(scales[0], scales[1]),
    )


def laid_out(rows: PanelRows, dynamics: Dynamics) -> Panel:
    """The panel of the likelihood: one row a value. Without dynamics only the order counts."""
    elapsed = rows.elapsed if dynamics != "none" else _order(rows.patient)
    p = rows.designs[0].shape[1]
    q = p + rows.designs[1].shape[1]
    blocks, patients, times, variables = [], [], [], []
    for j, at in enumerate((0, p)):
        seen = ~np.isnan(rows.values[:, j])
        block = np.zeros((int(seen.sum()), q + 1))
        block[:, at : at + rows.designs[j].shape[1]] = rows.designs[j][seen]
        block[:, q] = rows.values[seen, j]
        blocks.append(block)
        patients.append(rows.patient[seen])
        times.append(elapsed[seen])
        variables.append(np.full(len(block), j))
    return panel_of(
        np.concatenate(patients),
        np.concatenate(times),
        np.concatenate(variables),
        np.concatenate(blocks),
    )


def refuse_unidentified(rows: PanelRows, dynamics: Dynamics, initial: Initial) -> None:
    """SpecificationError where occasions or patients are too few, or too far apart."""
    n = int(rows.patient[-1]) + 1
    if n < _FEWEST_PATIENTS:
        raise SpecificationError(
            f"{n} patient(s): traits of patients have no estimable spread below "
            f"{_FEWEST_PATIENTS}; analyse a single patient as a time series"
        )
    needed = 1 if (dynamics, initial) == ("none", "stationary") else 2
    for j, name in enumerate("xy"):
        seen = ~np.isnan(rows.values[:, j])
        counts = np.bincount(rows.patient[seen], minlength=n)
        spare = int(np.maximum(counts - needed, 0).sum())
        if spare < _SPARE[needed]:
            raise SpecificationError(
                f"hardly any patient has more than {needed} value(s) of {name}: "
                "what is stable and what changes cannot be told apart"
                + ('; two values a patient allow dynamics="none"' if needed > 1 else "")
            )
    elapsed = rows.elapsed if dynamics != "none" else _order(rows.patient)
    last, times = int(elapsed.max()), len(np.unique(elapsed))
    if last > _LONGEST or times > _MOST_TIMES:
        raise SpecificationError(
            f"occasions run over {last + 1} numbers ({times} in use; at most {_LONGEST} and "
            f"{_MOST_TIMES}): number sessions or weeks rather than days"
        )
    step = int(np.gcd.reduce(elapsed))
    if step > 1:
        raise SpecificationError(
            f"all occasions are multiples of {step} apart, so dynamics over one step cannot be "
            f"seen; divide the occasion numbers by {step}"
        )


def _order(patient: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, ... within each patient."""
    first = np.flatnonzero(np.r_[True, np.diff(patient) > 0])
    return np.arange(len(patient)) - first[patient]


def _refuse_constant(name: str, patient: NDArray[np.int64], values: FloatArray) -> None:
    if not len(values):
        raise SpecificationError(f"no value of {name} is there")
    spread = float(values.std())
    if spread <= _CONSTANT * (abs(float(values.mean())) + 1e-300):
        raise SpecificationError(f"{name} is constant; there is nothing to relate it to")
    counts = np.bincount(patient)
    means = np.bincount(patient, values) / np.maximum(counts, 1)
    if counts.max() > 1 and np.abs(values - means[patient]).max() <= _CONSTANT * spread:
        raise SpecificationError(
            f"{name} never changes within a patient; only between-patient effects exist"
        )


def _refuse_repeats(
    labels: NDArray[Any], codes: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    again = np.flatnonzero((np.diff(codes) == 0) & (np.diff(counts) == 0))
    if len(again):
        raise SpecificationError(
            f"patient {labels[again[0]]} has occasion {counts[again[0]]} more than once "
            f"({len(again)} such row(s)); keep one row per session"
        )


def _trend(trend: Trend, when: FloatArray, name: str) -> FloatArray:
    if trend is None:
        return np.zeros((len(when), 0))
    if isinstance(trend, str):
        if trend != "linear":
            raise ValueError(f"{name} must be 'linear', columns or None, not {trend!r}")
        return when[:, None].copy()
    columns = _floats(trend, name)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or len(columns) != len(when):
        raise SpecificationError(f"{name} must have one row per session ({len(when)})")
    return columns


def _floats(values: ArrayLike, name: str) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecificationError(f"{name} must hold numbers, with NaN where missing") from None


def _equally_long(
    labels: NDArray[Any], when: FloatArray, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray]:
    shapes = {labels.shape, when.shape, x.shape, y.shape}
    if len(shapes) != 1 or labels.ndim != 1:
        raise SpecificationError("patient, occasion, x and y must be columns of one length")
    return x, y
