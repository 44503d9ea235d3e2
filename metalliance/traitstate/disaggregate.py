"""From a long table of sessions to the effects of one study."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.traitstate.centring import Detrending, oriented
from metalliance.traitstate.disaggregation import Disaggregation
from metalliance.traitstate.panel_effects import PanelReading
from metalliance.traitstate.session_data import SessionColumns, SessionData, check_sessions
from metalliance.traitstate.session_methods import (
    METHODS,
    Prepared,
    SessionOptions,
    without_within,
)
from metalliance.traitstate.session_notes import session_notes
from metalliance.traitstate.session_precision import REPLICATES, resampled
from metalliance.traitstate.session_result import effect_rows, measure_rows

__all__ = ["disaggregate", "disaggregate_data"]


def disaggregate(
    sessions: pd.DataFrame,
    patient: str = "patient",
    session: str = "session",
    alliance: str = "alliance",
    outcome: str = "outcome",
    therapist: str | None = None,
    time: str | None = None,
    arm: str | None = None,
    lag: int = 0,
    path: str = "forward",
    method: str = "person-mean",
    detrend: str = "none",
    outcome_positive: str = "better",
    weights: str = "patients",
    seed: int = 0,
) -> Disaggregation:
    r"""Effects of one study by component, from alliance and outcome session by session.

    Parameters
    ----------
    sessions : DataFrame
        One row per patient and session.
    patient, session, alliance, outcome : str
        Columns. Sessions are numbered; a missing score is an empty cell.
    therapist, time, arm : str, optional
        Columns. Time in days (numbers or dates). Mean differences between arms are taken out;
        the share of therapists is said in ``notes``.
    lag : int
        0: effects of the same session. 1 or more: also those on the score that many sessions
        later, by session number (``lagged_r``; ``lagged_partial``, net of the following variable
        at the leading session).
    path : {'forward', 'reverse'}
        Of lagged effects: alliance to later outcome, or outcome to later alliance.
    method : {'person-mean', 'latent', 'fixed-effects', 'dynamic-panel'}
        See Notes.
    detrend : {'none', 'x', 'y', 'both'}
        Whose straight line over sessions (or days) is taken out, patient by patient, before
        within effects are computed: alliance, outcome, both.
    outcome_positive : {'better', 'worse'}
        What a high outcome score means; ``worse`` turns its sign.
    weights : {'patients', 'occasions'}
        Whether a patient's means count once or once per session in between effects.
    seed : int
        Of the resamples of patients.

    Returns
    -------
    Disaggregation
        ``table``, ``covariance``, ``measures``, ``notes``.

    Raises
    ------
    CodingError
        With everything that is wrong with the table.
    SpecificationError
        Where the data cannot say what was asked for.

    Notes
    -----
    ``person-mean``: total correlation over all pairs; ``between_observed``, of patient means;
    ``within``, of deviations from them (the repeated-measures correlation); ``between_change``,
    of patients' changes along their straight lines; ``contextual``, the between slope less the
    within slope.
    ``fixed-effects``: the within effects alone; an intercept for each patient gives the numbers of
    centring. With few sessions that depend on those before, both come out too small, as a
    patient's mean carries the errors of the other sessions (Nickell, 1981). ``dynamic-panel`` is
    free of that: maximum likelihood of a first-order process about patients' stable levels.
    ``latent``: the same likelihood, read for the correlation of stable levels
    (``between_latent``) and of the deviations from them.

    With pairs in common and weights="occasions",
    r_total = η_x η_y r_B + √(1 − η_x²) √(1 − η_y²) r_W holds exactly.

    ``vi`` is the variance over resamples of patients, which carries autocorrelation, slopes that
    differ and unequal numbers of sessions; ``se_model`` is what independent residuals and one
    slope would give. Limits take t with N − 1 degrees of freedom, on the scale of ``yi``.

    References
    ----------
    Curran & Bauer (2011), https://doi.org/10.1146/annurev.psych.093008.100356; Bakdash &
    Marusich (2017), https://doi.org/10.3389/fpsyg.2017.00456; Robinson (1950),
    https://doi.org/10.2307/2087176; Wang & Maxwell (2015), https://doi.org/10.1037/met0000030;
    Nickell (1981), https://doi.org/10.2307/1911408.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> who, when = np.repeat(range(30), 6), np.tile(range(6), 30)
    >>> table = pd.DataFrame({"patient": who, "session": when})
    >>> table["alliance"] = np.repeat(rng.normal(size=30), 6) + rng.normal(size=180)
    >>> table["outcome"] = .3 * table["alliance"] + rng.normal(size=180)
    >>> found = disaggregate(table)
    >>> found.table[["component", "estimand", "ni"]].values.tolist()[:3]
    [['total', 'NA', 30.0], ['between_observed', 'NA', 30.0], ['within', 'concurrent_r', 30.0]]
    """
    columns = SessionColumns(
        patient=patient,
        session=session,
        alliance=alliance,
        outcome=outcome,
        therapist=therapist,
        time=time,
        arm=arm,
    )
    options = SessionOptions(
        lag=lag,
        path=path,
        method=method,
        detrend=detrend,
        outcome_positive=outcome_positive,
        weights=weights,
        seed=seed,
    ).checked()
    if not isinstance(sessions, pd.DataFrame):
        raise SpecificationError(f"sessions must be a DataFrame, not {type(sessions).__name__}")
    return disaggregate_data(check_sessions(sessions, columns), options)


def disaggregate_data(
    data: SessionData,
    options: SessionOptions,
    *,
    reading: PanelReading | None = None,
    measures: pd.DataFrame | None = None,
) -> Disaggregation:
    """`disaggregate` for sessions that have been read.

    Parameters
    ----------
    data : SessionData
    options : SessionOptions
    reading : PanelReading, optional
        The panel of these data with full dynamics, where it has been fitted.
    measures : DataFrame, optional
        What was found of the measures, where it has been.
    """
    series = oriented(data, options.outcome_positive)
    arms = 1 if data.arm is None else len(np.unique(data.arm))
    detrend = cast(Detrending, options.detrend)
    _refuse_constant(data)
    notes = list(session_notes(data, series, detrend, options.outcome_positive))
    before = len(notes)
    prepared = Prepared(options=options, series=series, arms=arms, notes=notes, reading=reading)
    effects = without_within(prepared)
    if effects is None:
        effects = METHODS[options.method](prepared)
    draws = resampled(data.n_patients, options.seed)
    table, covariance = effect_rows(effects, draws, notes)
    if not len(table):
        raise SpecificationError(
            "these sessions give no effect at all: " + " ".join(notes[before:])
        )
    if measures is None:
        measures = measure_rows(series, draws, notes, detrend)
    call: dict[str, object] = {**options.described(), "replicates": REPLICATES}
    return Disaggregation(
        table=table,
        covariance=covariance,
        measures=measures,
        notes=tuple(dict.fromkeys(notes)),
        call=call,
    )


def _refuse_constant(data: SessionData) -> None:
    for name, values in (("alliance", data.alliance), ("outcome", data.outcome)):
        known = values[~np.isnan(values)]
        if not len(known):
            raise SpecificationError(f"these sessions give no effect at all: {name} has no score")
        if (known == known[0]).all():
            raise SpecificationError(
                f"these sessions give no effect at all: {name} is {known[0]:g} in every session of "
                "every patient"
            )
