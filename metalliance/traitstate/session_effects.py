"""The effects of one data set in closed form: what each is, and how to compute it anew."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from metalliance.effectsize.paths import FORWARD, REVERSE
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.traitstate.centring import Moments, Pairs, Series, moments
from metalliance.traitstate.random_slopes import random_slopes
from metalliance.traitstate.session_components import (
    Weighting,
    average_sessions,
    between_correlation,
    between_slope,
    partial_coefficient,
    patient_correlation,
    pooled_products,
    total_correlation,
    within_correlation,
    within_slope,
)
from metalliance.traitstate.session_precision import within_df, within_model_variance

__all__ = [
    "CHANGE",
    "PATHS",
    "SessionEffect",
    "Statistic",
    "change_effect",
    "contextual_effect",
    "lagged_effect",
    "partial_effect",
    "post_effects",
    "same_session_effects",
    "within_effect",
]

PATHS = {"forward": FORWARD, "reverse": REVERSE}
CHANGE = "fitted change over sessions"
LEAST_FOR_SLOPE = 3
NAN = math.nan
Statistic = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionEffect:
    """One effect of a data set, before its precision is known.

    Attributes
    ----------
    component, estimand, path, route : str
    lag : float
        Sessions; NaN where it has no meaning.
    metric : {'z', 'beta', 'slope'}
        What ``statistic`` gives: Fisher's z, a standardised coefficient, a raw slope.
    statistic, slope : callable
        Weights of patients (R, N) to (R,) numbers; ``slope`` in units of the measures.
    variance : float
        By the model, of the statistic; NaN where none is to be had.
    n, n_obs : float
        Patients and pairs that inform it.
    k_x, k_y, shared : float
        Sessions in the alliance score, in the outcome score, in both.
    slope_sd, slope_sd_low, slope_sd_high : float
        Standard deviation of the slope over patients, standardised, and its limits.
    sd_x, sd_y : float
        Standard deviations that the slope is standardised by.
    gap : (m,) float
        Days from the leading to the following score.
    """

    component: str
    estimand: str
    path: str
    route: str
    lag: float
    metric: str
    statistic: Statistic
    slope: Statistic | None
    variance: float
    n: float
    n_obs: float
    k_x: float = NAN
    k_y: float = NAN
    shared: float = NAN
    slope_sd: float = NAN
    slope_sd_low: float = NAN
    slope_sd_high: float = NAN
    sd_x: float = NAN
    sd_y: float = NAN
    gap: FloatArray | None = None

    @property
    def name(self) -> str:
        """Component, and the estimand of a within effect."""
        return self.component if self.estimand == "NA" else f"{self.component}.{self.estimand}"

    def swapped(self) -> SessionEffect:
        """The same effect with the facts of alliance and outcome exchanged."""
        return replace(self, k_x=self.k_y, k_y=self.k_x, sd_x=self.sd_y, sd_y=self.sd_x)


def same_session_effects(
    pairs: Pairs, by: Weighting, arms: int, route: str
) -> tuple[SessionEffect, ...]:
    """Total and between effects of pairs of one session.

    Parameters
    ----------
    pairs : Pairs
        Complete pairs at lag 0.
    by : {'patients', 'occasions'}
        How patient means are weighted.
    arms : int
        Means that were taken out, 1 for the grand mean.
    route : str
        How the between effect was separated.
    """
    m = _moments(pairs)
    n, n_obs = float((m.n > 0).sum()), float(m.n.sum())
    k = average_sessions(m.n, by)
    total = SessionEffect(
        component="total",
        estimand="NA",
        path=FORWARD,
        route="single scores",
        lag=0.0,
        metric="z",
        statistic=_z(lambda w: total_correlation(m, w)),
        slope=None,
        variance=NAN,
        n=n,
        n_obs=n_obs,
        k_x=1.0,
        k_y=1.0,
        shared=1.0,
    )
    between = SessionEffect(
        component="between_observed",
        estimand="NA",
        path=FORWARD,
        route=route,
        lag=0.0,
        metric="z",
        statistic=_z(lambda w: between_correlation(m, w, by)),
        slope=lambda w: between_slope(m, w, by),
        variance=1.0 / (n - 2 - arms) if n > 2 + arms else NAN,
        n=n,
        n_obs=n_obs,
        k_x=k,
        k_y=k,
        shared=k,
        sd_x=_sd_of_means(m, 0),
        sd_y=_sd_of_means(m, 1),
    )
    return total, between


def contextual_effect(pairs: Pairs, by: Weighting, route: str) -> SessionEffect:
    """Between slope less within slope, in units of the measures: never a correlation."""
    m = _moments(pairs)

    def difference(w: FloatArray) -> FloatArray:
        return np.asarray(between_slope(m, w, by) - within_slope(m, w))

    return SessionEffect(
        component="contextual",
        estimand="NA",
        path=FORWARD,
        route=route,
        lag=0.0,
        metric="slope",
        statistic=difference,
        slope=difference,
        variance=NAN,
        n=float((m.n > 0).sum()),
        n_obs=float(m.n.sum()),
    )


def within_effect(pairs: Pairs, *, lines: bool, route: str) -> SessionEffect:
    """Same-session association of deviations from the patient's own mean."""
    return _within(pairs, "concurrent_r", FORWARD, 0, lines, route)


def lagged_effect(pairs: Pairs, lag: int, path: str, *, lines: bool, route: str) -> SessionEffect:
    """Association of deviations with deviations ``lag`` sessions later, nothing held constant."""
    return _within(pairs, "lagged_r", PATHS[path], lag, lines, route)


def _within(
    pairs: Pairs, estimand: str, path: str, lag: int, lines: bool, route: str
) -> SessionEffect:
    m = _moments(pairs)
    df = within_df(m.n, lines)
    spread = random_slopes(m.n, *_by_patient(m))
    sd_x, sd_y = _sd_within(m, 0), _sd_within(m, 1)
    scale = sd_x / sd_y if sd_y > 0 else NAN
    several = m.n > 1
    return SessionEffect(
        component="within",
        estimand=estimand,
        path=path,
        route=route,
        lag=float(lag),
        metric="z",
        statistic=_z(lambda w: within_correlation(m, w)),
        slope=lambda w: within_slope(m, w),
        variance=within_model_variance(df),
        n=float(several.sum()),
        n_obs=float(m.n[several].sum()),
        slope_sd=spread.slope_sd * scale,
        slope_sd_low=spread.conf_low * scale,
        slope_sd_high=spread.conf_high * scale,
        sd_x=sd_x,
        sd_y=sd_y,
        gap=pairs.gap if lag else None,
    )


def partial_effect(pairs: Pairs, lag: int, path: str, *, route: str) -> SessionEffect:
    """Coefficient net of the following variable at the leading session, standardised within.

    All three scores are deviations from the patient's means over the pairs.
    """
    known = pairs.where(~np.isnan(pairs.prior))
    m = moments(known.patient, np.column_stack([known.x, known.y, known.prior]), known.n_patients)
    several = m.n > 1
    return SessionEffect(
        component="within",
        estimand="lagged_partial",
        path=PATHS[path],
        route=route,
        lag=float(lag),
        metric="beta",
        statistic=lambda w: partial_coefficient(m, w)[1],
        slope=lambda w: partial_coefficient(m, w)[0],
        variance=_partial_variance(m),
        n=float(several.sum()),
        n_obs=float(m.n[several].sum()),
        sd_x=_sd_within(m, 0),
        sd_y=_sd_within(m, 1),
        gap=known.gap,
    )


def change_effect(series: Series, pairs: Pairs, arms: int, route: str) -> SessionEffect | None:
    """Patients' change of alliance against their change of outcome, along straight lines.

    Each patient's change is the slope over sessions times the span of the sessions. None where
    fewer than five patients have three pairs.
    """
    clock = _clock_of(series, pairs)
    found = moments(pairs.patient, np.column_stack([clock, pairs.x, pairs.y]), pairs.n_patients)
    spread = found.products[:, 0, 0]
    usable = (found.n >= LEAST_FOR_SLOPE) & (spread > 0)
    if usable.sum() < 5:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = np.where(usable[:, None], found.products[:, 0, 1:] / spread[:, None], NAN)
    changes = slopes * _span(pairs.patient, clock, pairs.n_patients)[:, None]
    return _of_patients("between_change", changes[:, 0], changes[:, 1], arms, route)


def post_effects(series: Series, arms: int) -> tuple[SessionEffect, ...]:
    """Mean alliance, and change of alliance, against an outcome that each patient has once."""
    known_y = ~np.isnan(series.y)
    sums = np.bincount(
        series.patient[known_y], weights=series.y[known_y], minlength=series.n_patients
    )
    counts = np.bincount(series.patient[known_y], minlength=series.n_patients)
    score = np.divide(sums, counts, out=np.full(len(sums), NAN), where=counts > 0)
    known = ~np.isnan(series.x)
    found = moments(
        series.patient[known],
        np.column_stack([series.clock[known], series.x[known]]),
        series.n_patients,
    )
    has = found.n > 0
    mean = np.where(has, found.means[:, 1], NAN)
    once = (counts <= 1).all()
    shared = float(np.mean(known[known_y]) >= 0.5) if once else 0.0
    level = _of_patients("between_observed", mean, score, arms, "patient means")
    both = has & ~np.isnan(score)
    k = float(both.sum() / (1.0 / found.n[both]).sum()) if both.any() else NAN
    effects = [_with_sessions(level, k, 1.0, shared)]
    usable = (found.n >= LEAST_FOR_SLOPE) & (found.products[:, 0, 0] > 0)
    if (usable & ~np.isnan(score)).sum() >= 5:
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.where(usable, found.products[:, 0, 1] / found.products[:, 0, 0], NAN)
        change = slope * _span(series.patient[known], series.clock[known], series.n_patients)
        effects.append(_of_patients("between_change", change, score, arms, CHANGE))
    return tuple(effects)


def _span(patient: IntArray, clock: FloatArray, n_patients: int) -> FloatArray:
    """(N,) from each patient's first to the last value of the clock."""
    low, high = np.full(n_patients, np.inf), np.full(n_patients, -np.inf)
    np.minimum.at(low, patient, clock)
    np.maximum.at(high, patient, clock)
    return np.where(high >= low, high - low, NAN)


def _of_patients(
    component: str, x: FloatArray, y: FloatArray, arms: int, route: str
) -> SessionEffect:
    known = ~(np.isnan(x) | np.isnan(y))
    n = float(known.sum())
    sd_x, sd_y = (float(np.std(v[known], ddof=1)) if n > 1 else NAN for v in (x, y))
    return SessionEffect(
        component=component,
        estimand="NA",
        path=FORWARD,
        route=route,
        lag=NAN,
        metric="z",
        statistic=_z(lambda w: patient_correlation(x, y, w)),
        slope=None,
        variance=1.0 / (n - 2 - arms) if n > 2 + arms else NAN,
        n=n,
        n_obs=n,
        sd_x=sd_x,
        sd_y=sd_y,
    )


def _with_sessions(effect: SessionEffect, k_x: float, k_y: float, shared: float) -> SessionEffect:
    return replace(effect, k_x=k_x, k_y=k_y, shared=shared)


def _moments(pairs: Pairs) -> Moments:
    return moments(pairs.patient, np.column_stack([pairs.x, pairs.y]), pairs.n_patients)


def _by_patient(m: Moments) -> tuple[FloatArray, FloatArray, FloatArray]:
    return m.products[:, 0, 0], m.products[:, 0, 1], m.products[:, 1, 1]


def _sd_within(m: Moments, j: int) -> float:
    df = float((m.n[m.n > 0] - 1).sum())
    return math.sqrt(m.products[:, j, j].sum() / df) if df > 0 else NAN


def _sd_of_means(m: Moments, j: int) -> float:
    has = m.n > 0
    return float(np.std(m.means[has, j], ddof=1)) if has.sum() > 1 else NAN


def _partial_variance(m: Moments) -> float:
    """Of β, from residuals of the model with an intercept per patient."""
    s = pooled_products(m, np.ones((1, len(m.n))))[0]
    df = float((m.n[m.n > 0] - 1).sum()) - 2
    design = s[[0, 2]][:, [0, 2]]
    if df <= 0 or np.linalg.matrix_rank(design) < 2 or s[1, 1] <= 0:
        return NAN
    inverse = np.linalg.inv(design)
    target = s[[0, 2], 1]
    residual = float(s[1, 1] - target @ inverse @ target) / df
    return float(residual * inverse[0, 0] * s[0, 0] / s[1, 1])


def _clock_of(series: Series, pairs: Pairs) -> FloatArray:
    """The clock at each pair of lag 0."""
    complete = ~(np.isnan(series.x) | np.isnan(series.y))
    return series.clock[complete]


def _z(correlation: Statistic) -> Statistic:
    def transformed(weights: FloatArray) -> FloatArray:
        r = correlation(weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.arctanh(r)
        return np.asarray(np.where(np.isfinite(z), z, NAN))

    return transformed
