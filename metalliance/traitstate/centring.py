"""Pairs of alliance and outcome, of one session or a later one, and their sums by patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.traitstate.session_data import SessionData

__all__ = [
    "DETRENDED",
    "DETRENDINGS",
    "Detrending",
    "Moments",
    "Pairs",
    "Series",
    "detrended",
    "moments",
    "oriented",
    "pairs_at_lag",
]

Detrending = Literal["none", "x", "y", "both"]
DETRENDINGS: tuple[str, ...] = get_args(Detrending)
DETRENDED: Mapping[str, tuple[bool, bool]] = {
    "none": (False, False),
    "x": (True, False),
    "y": (False, True),
    "both": (True, True),
}
LEAST_FOR_LINE = 3
ROUNDING = 1e-20  # of a sum of squares, relative to all scores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Alliance x and outcome y of N patients as they are analysed, n rows.

    Attributes
    ----------
    patient : (n,) int
    session, clock : (n,) float
        Session numbers, and what trends are drawn over: days where all are known, else sessions.
    x, y : (n,) float
        NaN where not measured. A higher y is a better outcome.
    n_patients : int
    days : (n,) float or None
    """

    patient: IntArray
    session: FloatArray
    clock: FloatArray
    x: FloatArray
    y: FloatArray
    n_patients: int
    days: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """m pairs of a leading and a following score of one patient.

    ``prior`` is the following variable at the leading session, NaN where not measured; ``gap``
    the days between, NaN where not known.
    """

    patient: IntArray
    x: FloatArray
    y: FloatArray
    prior: FloatArray
    gap: FloatArray
    n_patients: int

    def __len__(self) -> int:
        return len(self.x)

    def where(self, keep: np.ndarray) -> Pairs:
        """The pairs for which ``keep`` holds."""
        return Pairs(
            patient=self.patient[keep],
            x=self.x[keep],
            y=self.y[keep],
            prior=self.prior[keep],
            gap=self.gap[keep],
            n_patients=self.n_patients,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """What p variables of m pairs sum to within each of N patients.

    Attributes
    ----------
    n : (N,) float
        Pairs.
    means : (N, p)
        Means, less the mean over all pairs; 0 where a patient has no pair.
    products : (N, p, p)
        Sums of squares and products about the patient's own means.
    """

    n: FloatArray
    means: FloatArray
    products: FloatArray


def oriented(data: SessionData, outcome_positive: str) -> Series:
    """The two series, the outcome turned so that more is better, differences of arms taken out.

    Arms are taken out as fixed effects: the mean of the patient means of each arm is subtracted,
    from alliance and from outcome.
    """
    sign = {"better": 1.0, "worse": -1.0}.get(outcome_positive)
    if sign is None:
        raise ValueError(
            f"outcome_positive {outcome_positive!r} is unknown; choose better or worse"
        )
    x, y = data.alliance, sign * data.outcome
    if data.arm is not None:
        x, y = (values - _arm_means(values, data)[data.patient] for values in (x, y))
    return Series(
        patient=data.patient,
        session=data.session,
        clock=data.session if data.time is None or np.isnan(data.time).any() else data.time,
        x=x,
        y=y,
        n_patients=data.n_patients,
        days=data.time,
    )


def _arm_means(values: FloatArray, data: SessionData) -> FloatArray:
    """(N,) mean of each patient's arm; patients of an unknown arm form one of their own."""
    assert data.arm is not None
    known = ~np.isnan(values)
    n = np.bincount(data.patient[known], minlength=data.n_patients)
    sums = np.bincount(data.patient[known], weights=values[known], minlength=data.n_patients)
    arm = data.arm - data.arm.min()
    has = n > 0
    of_arm = np.bincount(arm[has], weights=sums[has] / n[has], minlength=arm.max() + 1)
    with np.errstate(invalid="ignore"):
        means = of_arm / np.bincount(arm[has], minlength=arm.max() + 1)
    return np.asarray(means[arm])


def detrended(series: Series, how: Detrending) -> Series:
    """The series without each patient's own straight line over the clock.

    Parameters
    ----------
    series : Series
    how : {'none', 'x', 'y', 'both'}
        Of alliance, of outcome, of both. A patient with fewer than three scores of a detrended
        variable has no line, and none of these scores remain.

    Notes
    -----
    Without its line alliance answers another question: whether outcome goes with alliance above
    what the patient's own course would let expect (Wang & Maxwell, 2015).

    References
    ----------
    Wang, L., & Maxwell, S. E. (2015). Psychological Methods, 20, 63–83.
    https://doi.org/10.1037/met0000030
    """
    of_x, of_y = DETRENDED[how]
    return replace(
        series,
        x=_without_line(series.x, series) if of_x else series.x,
        y=_without_line(series.y, series) if of_y else series.y,
    )


def _without_line(values: FloatArray, series: Series) -> FloatArray:
    known = ~np.isnan(values) & ~np.isnan(series.clock)
    who = series.patient[known]
    found = moments(who, np.column_stack([series.clock[known], values[known]]), series.n_patients)
    spread = found.products[:, 0, 0]
    usable = (found.n >= LEAST_FOR_LINE) & (spread > 0)
    slope = np.divide(found.products[:, 0, 1], spread, out=np.zeros_like(spread), where=usable)
    centred_clock, centred = _centred(series.clock[known], who), _centred(values[known], who)
    left = np.full(len(values), np.nan)
    left[known] = np.where(usable[who], centred - slope[who] * centred_clock, np.nan)
    return left


def _centred(values: FloatArray, patient: IntArray) -> FloatArray:
    n = np.bincount(patient)
    sums = np.bincount(patient, weights=values)
    with np.errstate(invalid="ignore"):
        means = sums / n
    return np.asarray(values - means[patient])


def pairs_at_lag(series: Series, lag: int = 0, path: str = "forward") -> Pairs:
    """Pairs whose two scores lie ``lag`` sessions apart.

    Parameters
    ----------
    series : Series
    lag : int
        Session t and session t + lag, by their numbers: a missed session ends no pair across it.
    path : {'forward', 'reverse'}
        Alliance leads, or outcome does.

    Raises
    ------
    SpecificationError
        Where no two sessions of a patient lie that far apart.
    """
    lead, follow = (series.x, series.y) if path == "forward" else (series.y, series.x)
    span = float(series.session.max() - series.session.min()) + lag + 1.0
    key = series.patient * span + (series.session - series.session.min())
    at = np.minimum(np.searchsorted(key, key + lag), len(key) - 1)
    there = (np.abs(key[at] - key - lag) < 1e-9) & (series.patient[at] == series.patient)
    if not there.any():
        steps = np.diff(series.session)[np.diff(series.patient) == 0]
        common = f"{np.median(steps):g}" if len(steps) else "none"
        raise SpecificationError(
            f"no patient has two sessions {lag} apart by their numbers (the usual step is "
            f"{common}); choose lag accordingly, or number the sessions 1, 2, 3"
        )
    first, later = np.flatnonzero(there), at[there]
    x, y = lead[first], follow[later]
    gap = (
        np.full(len(x), np.nan) if series.days is None else series.days[later] - series.days[first]
    )
    complete = ~(np.isnan(x) | np.isnan(y))
    every = Pairs(
        patient=series.patient[first],
        x=x,
        y=y,
        prior=follow[first],
        gap=gap,
        n_patients=series.n_patients,
    )
    return every.where(complete)


def moments(patient: IntArray, variables: FloatArray, n_patients: int) -> Moments:
    """Sums of each patient, computed about means so that nothing cancels.

    Parameters
    ----------
    patient : (m,) int
    variables : (m, p)
    n_patients : int

    Examples
    --------
    >>> found = moments(np.array([0, 0, 1]), np.array([[1.0], [3.0], [5.0]]), 2)
    >>> found.means.ravel().tolist(), found.products.ravel().tolist()
    ([-1.0, 2.0], [2.0, 0.0])
    """
    p = variables.shape[1]
    n = np.bincount(patient, minlength=n_patients).astype(np.float64)
    shifted = variables - variables.mean(axis=0) if len(variables) else variables
    sums = np.column_stack(
        [np.bincount(patient, weights=shifted[:, j], minlength=n_patients) for j in range(p)]
    ).astype(np.float64)
    means = np.divide(sums, n[:, None], out=np.zeros_like(sums), where=n[:, None] > 0)
    centred = shifted - means[patient]
    products = np.empty((n_patients, p, p))
    for i in range(p):
        for j in range(i, p):
            column = np.bincount(
                patient, weights=centred[:, i] * centred[:, j], minlength=n_patients
            )
            products[:, i, j] = products[:, j, i] = column
    _round_to_zero(products, n, shifted)
    return Moments(n=n, means=means, products=products)


def _round_to_zero(products: FloatArray, n: FloatArray, shifted: FloatArray) -> None:
    """Sums of squares that are rounding alone become 0, and their products with them."""
    scale = (shifted**2).mean(axis=0) if len(shifted) else np.zeros(shifted.shape[1])
    for j, square in enumerate(scale):
        still = products[:, j, j] <= ROUNDING * n * square
        products[still, j, :] = 0.0
        products[still, :, j] = 0.0
