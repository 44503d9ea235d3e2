"""What a reader of session effects should know about the sessions, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.traitstate.centring import DETRENDED, Detrending, Series, moments
from metalliance.traitstate.session_data import SessionData, counted
from metalliance.traitstate.session_measures import group_share

__all__ = ["ASSUMED", "BETTER", "one_score_per_patient", "session_notes"]

FEW_PATIENTS = 20
ASSUMED = "A high outcome score is taken to mean better; --outcome-positive worse turns it."
BETTER = "A high outcome score is taken to mean better."
CLEAR_DRIFT = 2.0  # standard errors


def one_score_per_patient(patient: np.ndarray, values: FloatArray, n_patients: int) -> bool:
    """Whether no patient has two different scores: then nothing varies within patients."""
    known = ~np.isnan(values)
    low, high = np.full(n_patients, np.inf), np.full(n_patients, -np.inf)
    np.minimum.at(low, patient[known], values[known])
    np.maximum.at(high, patient[known], values[known])
    return bool((high <= low).all())


def session_notes(
    data: SessionData, series: Series, detrend: Detrending, outcome_positive: str
) -> tuple[str, ...]:
    """Sentences about missing sessions, single sessions, constant raters, therapists, arms."""
    return (
        *data.notes,
        *_orientation(outcome_positive),
        *_missing(data),
        *_single(data, series),
        *_constant(data),
        *_lines(series, detrend),
        *_drift(series, detrend),
        *_clock(data, detrend),
        *_therapists(data, series),
        *_arms(data),
        *_few(data),
    )


def _orientation(outcome_positive: str) -> Iterator[str]:
    if outcome_positive == "worse":
        yield (
            "A high outcome score means worse: its sign was turned, so that positive effects mean "
            "that a better alliance goes with a better outcome."
        )
    else:
        yield BETTER


def _missing(data: SessionData) -> Iterator[str]:
    x, y = ~np.isnan(data.alliance), ~np.isnan(data.outcome)
    one, neither = int((x ^ y).sum()), int((~x & ~y).sum())
    if one:
        what = (
            "has one of the two scores only and forms"
            if one == 1
            else ("have one of the two scores only and form")
        )
        yield f"{one:,} of {len(x):,} sessions {what} no pair of the same session."
    if neither:
        yield f"{counted(neither, 'row has', 'rows have')} neither score; passed over."
    complete = x & y
    steps = np.diff(data.session[complete])[np.diff(data.patient[complete]) == 0]
    if len(steps):
        usual = float(np.median(steps))
        jumps = int((steps > usual).sum())
        if jumps:
            yield (
                f"{counted(jumps, 'time')} a patient's next complete session is more than "
                f"{usual:g} later by its number (missed sessions); no lagged pair spans such a "
                "gap."
            )
    counts = np.bincount(data.patient[complete], minlength=data.n_patients)
    without = int((counts == 0).sum())
    if without:
        who = counted(without, "patient has", "patients have")
        yield f"{who} no session with both scores."


def _single(data: SessionData, series: Series) -> Iterator[str]:
    complete = ~(np.isnan(series.x) | np.isnan(series.y))
    counts = np.bincount(series.patient[complete], minlength=series.n_patients)
    single = int((counts == 1).sum())
    if 0 < single < (counts > 0).sum():
        has, count, say = (
            ("has", "it counts", "says") if single == 1 else ("have", "they count", "say")
        )
        yield (
            f"{single} of {data.n_patients} patients {has} one complete session: {count} in the "
            f"total and between effects, and {say} nothing within patients."
        )


def _constant(data: SessionData) -> Iterator[str]:
    for name, values in (("alliance", data.alliance), ("outcome", data.outcome)):
        known = ~np.isnan(values)
        n = np.bincount(data.patient[known], minlength=data.n_patients)
        low, high = np.full(len(n), np.inf), np.full(len(n), -np.inf)
        np.minimum.at(low, data.patient[known], values[known])
        np.maximum.at(high, data.patient[known], values[known])
        constant = int(((n > 1) & (high == low)).sum())
        if constant:
            who = counted(constant, "patient has", "patients have")
            yield (
                f"{who} the same {name} score in all sessions: no information on it within "
                "patients; kept."
            )


def _lines(series: Series, detrend: Detrending) -> Iterator[str]:
    if detrend == "none":
        return
    of_x, of_y = DETRENDED[detrend]
    named = " and ".join(name for name, taken in (("alliance", of_x), ("outcome", of_y)) if taken)
    short = 0
    for values, taken in ((series.x, of_x), (series.y, of_y)):
        known = ~np.isnan(values)
        n = np.bincount(series.patient[known], minlength=series.n_patients)
        short = max(short, int(((n > 0) & (n < 3)).sum()) if taken else 0)
    yield (
        f"Within effects are of what is left of {named} after each patient's own straight line; "
        f"{counted(short, 'patient', 'patients')} with fewer than three sessions "
        f"{'has no line and drops' if short == 1 else 'have no line and drop'} out of them."
    )


def _drift(series: Series, detrend: Detrending) -> Iterator[str]:
    """Whether both scores move over treatment, which alone makes them go together."""
    if detrend != "none":
        return
    drifts = [_mean_drift(series, values) for values in (series.x, series.y)]
    if all(abs(mean) > CLEAR_DRIFT * se for mean, se in drifts):
        (x, _), (y, _) = drifts
        share = "the same way" if x * y > 0 else "opposite ways"
        yield (
            f"Alliance and outcome (oriented) both drift over treatment, {share}: part of the "
            "within effects is this common course. detrend takes it out."
        )


def _mean_drift(series: Series, values: FloatArray) -> tuple[float, float]:
    """Mean over patients of the slope over the clock, weighted by its spread; and its SE."""
    known = ~np.isnan(values)
    m = moments(
        series.patient[known],
        np.column_stack([series.clock[known], values[known]]),
        series.n_patients,
    )
    total = float(m.products[:, 0, 0].sum())
    if total <= 0:
        return 0.0, 1.0
    mean = float(m.products[:, 0, 1].sum()) / total
    rest = m.products[:, 0, 1] - mean * m.products[:, 0, 0]
    return mean, float(np.sqrt((rest**2).sum())) / total


def _clock(data: SessionData, detrend: Detrending) -> Iterator[str]:
    if data.time is None or not np.isnan(data.time).any():
        return
    unknown = int(np.isnan(data.time).sum())
    yield (
        f"The day is not known of {unknown:,} of {len(data.time):,} sessions"
        + ("; trends were drawn over session numbers." if detrend != "none" else ".")
    )


def _means(series: Series, values: FloatArray) -> FloatArray:
    known = ~np.isnan(values)
    n = np.bincount(series.patient[known], minlength=series.n_patients)
    sums = np.bincount(series.patient[known], weights=values[known], minlength=series.n_patients)
    return np.asarray(np.divide(sums, n, out=np.full(len(sums), np.nan), where=n > 0))


def _therapists(data: SessionData, series: Series) -> Iterator[str]:
    if data.therapist is None:
        yield (
            "No therapist was named: differences between therapists are part of those between "
            "patients."
        )
        return
    known = data.therapist >= 0
    number = len(np.unique(data.therapist[known]))
    if number < 2 or number == known.sum():
        how = "one therapist" if number < 2 else "a therapist of their own each"
        yield f"The patients have {how}: the share of therapists cannot be told."
        return
    share_x = group_share(_means(series, series.x), data.therapist)
    share_y = group_share(_means(series, series.y), data.therapist)
    ratio = known.sum() / number
    effect = 1.0 + (ratio - 1.0) * share_x * share_y
    yield (
        f"{number} therapists with {ratio:.1f} patients each hold {share_x:.0%} of the variance of "
        f"patients' mean alliance and {share_y:.0%} of that of mean outcome (analysis of "
        "variance); these differences are part of the between effects."
    )
    if f"{effect:.2f}" != "1.00":
        yield (
            "If alliance and outcome of therapists do not go together, the variance of a between "
            f"effect is {effect:.2f} times the one given (Moulton), which takes patients as "
            "independent."
        )


def _arms(data: SessionData) -> Iterator[str]:
    if data.arm is None:
        return
    number = len(np.unique(data.arm[data.arm >= 0]))
    unknown = int((data.arm < 0).sum())
    who, verb = counted(unknown, "patient"), "was" if unknown == 1 else "were"
    tail = f"; {who} of no arm {verb} treated as one more" if unknown else ""
    arms = counted(number, "arm")
    yield f"Mean differences between {arms} were taken out as fixed effects{tail}."


def _few(data: SessionData) -> Iterator[str]:
    if data.n_patients < FEW_PATIENTS:
        yield (
            f"{data.n_patients} patients are few: standard errors from resampling patients are "
            "themselves uncertain and tend to be too small."
        )
