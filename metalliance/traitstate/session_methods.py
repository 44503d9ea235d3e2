"""The ways to separate what is stable between patients from what varies within them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal, cast

import numpy as np

from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray
from metalliance.traitstate.centring import (
    DETRENDINGS,
    Detrending,
    Series,
    detrended,
    pairs_at_lag,
)
from metalliance.traitstate.panel_effects import PanelReading, read_panel
from metalliance.traitstate.session_components import (
    WEIGHTINGS,
    Weighting,
    average_sessions,
    several_sessions,
)
from metalliance.traitstate.session_effects import (
    CHANGE,
    SessionEffect,
    change_effect,
    contextual_effect,
    lagged_effect,
    partial_effect,
    post_effects,
    same_session_effects,
    within_effect,
)
from metalliance.traitstate.session_notes import one_score_per_patient

__all__ = ["METHODS", "Method", "Prepared", "SessionOptions", "measured_once", "without_within"]

Method = Literal["person-mean", "latent", "fixed-effects", "dynamic-panel"]
MOST_LAG = 50
BIASED = (
    "Deviations from the mean of few sessions are not deviations from a patient's own level: where "
    "sessions depend on those before, the within effects of centring come out too small and the "
    "autoregression most (Nickell). Methods latent and dynamic-panel are free of that."
)
ONE_SESSION = (
    "{} one session: the mean of one session is that session's score, with the noise of the "
    "day in it, so that this is a total association, not a trait-like one; nothing is said "
    "within patients."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """What is asked of session data; see `disaggregate`.

    ``outcome_assumed``: nobody said what a high outcome score means.
    """

    lag: int = 0
    path: str = "forward"
    method: str = "person-mean"
    detrend: str = "none"
    outcome_positive: str = "better"
    weights: str = "patients"
    seed: int = 0
    outcome_assumed: bool = False

    def checked(self) -> SessionOptions:
        """Itself, or an error that lists the choices."""
        for name, choices in (
            ("path", ("forward", "reverse")),
            ("method", tuple(METHODS)),
            ("detrend", DETRENDINGS),
            ("weights", WEIGHTINGS),
            ("outcome_positive", ("better", "worse")),
        ):
            if getattr(self, name) not in choices:
                known = ", ".join(choices)
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown; choose from {known}")
        whole = hasattr(self.lag, "__index__") and not isinstance(self.lag, bool)
        if not whole or not 0 <= self.lag <= MOST_LAG:
            raise ValueError(f"lag = {self.lag!r} must be a whole number of sessions, 0 to 50")
        return self

    def described(self) -> dict[str, object]:
        """Names to values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """The series as analysed, and what is said on the way.

    ``arms`` counts means that were taken out (1: the grand mean). ``notes`` grows. ``reading`` is
    the panel with full dynamics where it is fitted already.
    """

    options: SessionOptions
    series: Series
    arms: int
    notes: list[str]
    reading: PanelReading | None = None

    @property
    def weighting(self) -> Weighting:
        """How patient means count."""
        return cast(Weighting, self.options.weights)

    @property
    def lines(self) -> bool:
        """Whether straight lines are taken out."""
        return self.options.detrend != "none"

    def trendless(self) -> Series:
        """The series for within effects."""
        return detrended(self.series, cast(Detrending, self.options.detrend))


def person_mean(prepared: Prepared) -> tuple[SessionEffect, ...]:
    """Patient means and deviations from them, least squares."""
    route = "person-mean centring"
    pairs = pairs_at_lag(prepared.series)
    trendless = prepared.trendless()
    prepared.notes.append(BIASED)
    total, between = same_session_effects(pairs, prepared.weighting, prepared.arms, route)
    if not several_sessions(between.k_x):
        prepared.notes.remove(BIASED)
        prepared.notes.append(ONE_SESSION.format("Nearly all patients have"))
        return (total,)
    effects = [
        total,
        between,
        within_effect(pairs_at_lag(trendless), lines=prepared.lines, route=route),
        *_lagged(prepared, trendless, route=route),
        contextual_effect(pairs, prepared.weighting, route),
    ]
    change = change_effect(prepared.series, pairs, prepared.arms, CHANGE)
    if change is None:
        prepared.notes.append(
            "Fewer than five patients have three complete sessions: no effect of changes."
        )
    else:
        effects.append(change)
    return tuple(effects)


def fixed_effects(prepared: Prepared) -> tuple[SessionEffect, ...]:
    """An intercept per patient: within effects alone."""
    route = "fixed effects"
    trendless = prepared.trendless()
    prepared.notes.append(
        "Fixed effects take out everything stable about a patient: they say nothing on "
        "differences between patients."
    )
    prepared.notes.append(BIASED)
    return (
        within_effect(pairs_at_lag(trendless), lines=prepared.lines, route=route),
        *_lagged(prepared, trendless, route=route),
    )


def _lagged(prepared: Prepared, trendless: Series, route: str) -> tuple[SessionEffect, ...]:
    options = prepared.options
    if not options.lag:
        return ()
    pairs = pairs_at_lag(trendless, options.lag, options.path)
    return (
        lagged_effect(pairs, options.lag, options.path, lines=prepared.lines, route=route),
        partial_effect(pairs, options.lag, options.path, route=route),
    )


def latent(prepared: Prepared) -> tuple[SessionEffect, ...]:
    """Correlation of stable levels, and of deviations from them, by maximum likelihood."""
    reading, route = _reading(prepared, "latent means (ML)")
    effects = [
        reading.effect("between_latent", "NA", "between_r", "between_slope", route),
        reading.effect("within", "concurrent_r", "within_r", "within_slope", route),
        reading.contextual(route),
    ]
    if prepared.options.lag:
        effects += reading.lagged(prepared.options.path, route)
    return tuple(effects)


def dynamic_panel(prepared: Prepared) -> tuple[SessionEffect, ...]:
    """Within effects of a first-order process about stable levels, by maximum likelihood."""
    reading, route = _reading(prepared, "dynamic panel (ML)")
    effects = [reading.effect("within", "concurrent_r", "within_r", "within_slope", route)]
    if prepared.options.lag:
        effects += reading.lagged(prepared.options.path, route)
    return tuple(effects)


def _reading(prepared: Prepared, route: str) -> tuple[PanelReading, str]:
    """The fitted panel; without dynamics only where no lag is asked for, and then that is said."""
    options, notes = prepared.options, prepared.notes
    if options.lag > 1:
        raise SpecificationError(
            f"method {options.method} is a process from each session to the next: lag is 0 or 1, "
            f"not {options.lag}; person-mean and fixed-effects take longer lags"
        )
    detrend = cast(Detrending, options.detrend)
    try:
        reading = prepared.reading or read_panel(prepared.series, detrend, "full")
    except SpecificationError as error:
        if options.lag or options.method == "dynamic-panel":
            raise
        notes.append(f"Deviations of a patient were taken as independent: {error}.")
        reading = read_panel(prepared.series, detrend, "none")
        route = f"{route}, independent deviations"
    if prepared.lines:
        notes[:] = [text for text in notes if not text.startswith("Within effects are of what is")]
        notes.append("One straight line common to all patients was part of the model's mean.")
    notes += [f"{text[:1].upper()}{text[1:]}." for text in reading.fit.notes]
    return reading, route


METHODS: dict[str, Callable[[Prepared], tuple[SessionEffect, ...]]] = {
    "person-mean": person_mean,
    "latent": latent,
    "fixed-effects": fixed_effects,
    "dynamic-panel": dynamic_panel,
}


def measured_once(series: Series) -> list[str]:
    """Measures that no patient has two different scores of."""
    return [
        name
        for name, values in (("alliance", series.x), ("outcome", series.y))
        if one_score_per_patient(series.patient, values, series.n_patients)
    ]


def without_within(prepared: Prepared) -> tuple[SessionEffect, ...] | None:
    """Between effects of a measure that each patient has once; None where both vary within.

    Raises
    ------
    SpecificationError
        For a method that needs variation within patients.
    """
    series, options = prepared.series, prepared.options
    once, several = measured_once(series), _several(series, series.x)
    if not once and not several and options.method != "person-mean":
        raise SpecificationError(
            f"nearly all patients have one session of alliance: method {options.method} needs more"
        )
    if not once:
        return None
    what = (
        f"{once[0].capitalize()} has one value per patient: it does not vary within patients, so "
        "that no within effect exists."
    )
    if len(once) > 1:
        what = "Alliance and outcome have one value per patient: no within effect exists."
    if options.method != "person-mean":
        raise SpecificationError(f"{what} Method {options.method} needs both over sessions")
    prepared.notes.append(what if several else ONE_SESSION.format("Patients' alliance is of"))
    if options.lag:
        prepared.notes.append("For the same reason there are no lagged effects.")
    if once == ["alliance"]:
        turned = replace(series, x=series.y, y=series.x)
        level = post_effects(turned, prepared.arms)[0].swapped()
        effects: tuple[SessionEffect, ...] = (level,)
    else:
        effects = post_effects(series, prepared.arms)
    return effects if several else (_as_total(effects[0]),)


def _several(series: Series, values: FloatArray) -> bool:
    """Whether a patient has more than one score of a measure on average."""
    n = np.bincount(series.patient[~np.isnan(values)], minlength=series.n_patients)
    return several_sessions(average_sessions(n.astype(np.float64), "patients"))


def _as_total(effect: SessionEffect) -> SessionEffect:
    """An association of patients whose alliance is of one session: a total one."""
    lag = 0.0 if effect.shared else math.nan
    return replace(effect, component="total", route="one session", lag=lag)
