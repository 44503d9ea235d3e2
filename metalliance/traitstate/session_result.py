"""Effects of session data as tables: estimates, limits, covariances, measures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from metalliance.effectsize.correlation import r_variance_from_z
from metalliance.effectsize.paths import REVERSE
from metalliance.effectsize.slopes import n_effective
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.panel import PanelFit
from metalliance.numerics.panel_quantities import panel_quantities
from metalliance.traitstate.centring import DETRENDED, Detrending, Series
from metalliance.traitstate.disaggregation import EFFECT_COLUMNS, MEASURE_COLUMNS
from metalliance.traitstate.panel_effects import FIRST_STATE, fit_session_panel
from metalliance.traitstate.session_effects import SessionEffect
from metalliance.traitstate.session_measures import measure_facts
from metalliance.traitstate.session_precision import covariance_of, limits

__all__ = ["effect_rows", "measure_rows"]

LOST_SHARE = 0.01
WORDS = {
    "total": "the total association",
    "between_observed": "the association of patients' means",
    "between_latent": "the association of stable levels",
    "between_change": "the association of changes",
    "contextual": "the contextual effect",
    "within.concurrent_r": "the within effect of the same session",
    "within.lagged_r": "the lagged within effect",
    "within.lagged_partial": "the lagged within effect net of the own past",
}


def effect_rows(
    effects: Sequence[SessionEffect], draws: FloatArray, notes: list[str], level: float = 0.95
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of effects and their covariance.

    An effect without a number is left out and named in ``notes``.

    Parameters
    ----------
    effects : sequence of SessionEffect
    draws : (R, N) float
        Resamples of patients.
    notes : list of str
        Grows.
    """
    n_patients = draws.shape[1]
    one = np.ones((1, n_patients))
    estimates = [float(effect.statistic(one)[0]) for effect in effects]
    kept = [i for i, value in enumerate(estimates) if math.isfinite(value)]
    notes += [
        f"No number for {_words(effects[i])}: nothing varies there, or too few patients inform it."
        for i in range(len(effects))
        if i not in kept
    ]
    replicates = np.column_stack(
        [np.zeros((len(draws), 0)), *(effects[i].statistic(draws) for i in kept)]
    )
    covariance = covariance_of(replicates, n_patients)
    lost = np.isnan(replicates).mean(axis=0)
    notes += [
        f"{share:.0%} of the resamples have no number for {_words(effects[i])}: its standard error "
        "is uncertain."
        for i, share in zip(kept, lost, strict=True)
        if share > LOST_SHARE
    ]
    rows = []
    for place, i in enumerate(kept):
        effect = effects[i]
        slopes = None if effect.slope is None else (effect.slope(one)[0], effect.slope(draws))
        se = math.sqrt(covariance[place, place])
        rows.append(_row(effect, estimates[i], se, slopes, n_patients, level))
    names = [effects[i].name for i in kept]
    return (
        pd.DataFrame(rows, columns=list(EFFECT_COLUMNS)),
        pd.DataFrame(covariance, index=names, columns=names),
    )


def _words(effect: SessionEffect) -> str:
    text = WORDS.get(effect.name, effect.name)
    return f"{text}, outcome first" if effect.path == REVERSE else text


def _row(
    effect: SessionEffect,
    estimate: float,
    se: float,
    slopes: tuple[float, FloatArray] | None,
    n_patients: int,
    level: float,
) -> dict[str, object]:
    as_z, raw = effect.metric == "z", effect.metric == "slope"
    low, high = limits(estimate, se, effect.n - 1, level)
    read = math.tanh if as_z else float
    r = math.tanh(estimate) if as_z else math.nan
    v = math.nan if raw else se * se
    gap = effect.gap[~np.isnan(effect.gap)] if effect.gap is not None else np.zeros(0)
    slope, spread = slopes if slopes is not None else (math.nan, np.zeros(0))
    slope_v = covariance_of(spread[:, None], n_patients)[0, 0] if len(spread) else math.nan
    return {
        "component": effect.component,
        "estimand": effect.estimand,
        "path": effect.path,
        "lag": effect.lag,
        "es_metric": effect.metric,
        "estimate": read(estimate),
        "conf_low": read(low),
        "conf_high": read(high),
        "yi": math.nan if raw else estimate,
        "vi": v,
        "r": r,
        "v_r": r_variance_from_z(r, v) if as_z else math.nan,
        "se_model": math.sqrt(effect.variance) if effect.variance >= 0 else math.nan,
        "se_bootstrap": se,
        "n_eff": n_effective(v) if as_z and v > 0 else math.nan,
        "ni": effect.n,
        "n_obs": effect.n_obs,
        "k_x": effect.k_x,
        "k_y": effect.k_y,
        "shared": effect.shared,
        "slope": float(slope),
        "slope_se": math.sqrt(slope_v) if slope_v >= 0 else math.nan,
        "slope_sd": effect.slope_sd,
        "slope_sd_low": effect.slope_sd_low,
        "slope_sd_high": effect.slope_sd_high,
        "sd_x": effect.sd_x,
        "sd_y": effect.sd_y,
        "lag_days": float(np.median(gap)) if len(gap) else math.nan,
        "lag_days_low": float(gap.min()) if len(gap) else math.nan,
        "lag_days_high": float(gap.max()) if len(gap) else math.nan,
        "route": effect.route,
    }


def measure_rows(
    series: Series, draws: FloatArray, notes: list[str], detrend: Detrending = "none"
) -> pd.DataFrame:
    """Alliance and outcome as they are analysed (outcome turned where high means worse).

    Autocorrelation and what rests on it are missing where the data cannot tell it from stable
    differences; ``notes`` says why. ``detrend`` takes a straight line common to all patients out
    of it.
    """
    of_x, of_y = DETRENDED[detrend]
    try:
        fit = fit_session_panel(
            (series.patient, series.session, series.x, series.y),
            series.clock if of_x else None,
            series.clock if of_y else None,
            "diagonal",
            FIRST_STATE,
        )
    except SpecificationError as error:
        notes.append(f"Autocorrelation was not estimated: {error}.")
        fit = None
    if fit is not None and not fit.converged:
        notes.append("Autocorrelation was not estimated: its likelihood has no maximum.")
        fit = None
    rows = []
    for variable, name, values in (("x", "alliance", series.x), ("y", "outcome", series.y)):
        facts = measure_facts(series, values, draws)
        row: dict[str, object] = {"measure": name}
        row |= {column: getattr(facts, column) for column in facts.__slots__}
        row |= _dynamics(fit, variable, facts.sessions)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(MEASURE_COLUMNS))


def _dynamics(fit: PanelFit | None, variable: str, sessions: float) -> dict[str, object]:
    """What the fitted autocorrelation says of one measure, with limits."""
    if fit is None:
        return {}
    found = panel_quantities(fit, covariance="robust", mean_of=max(round(sessions), 1))
    low, high = found.interval()
    row: dict[str, object] = {}
    for column, quantity in (
        ("icc_stable", "icc"),
        ("autocorrelation", "autocorrelation"),
        ("reliability", "reliability"),
    ):
        at = found.at(f"{quantity}_{variable}")
        row |= {column: float(found.estimate[at])}
        row |= {f"{column}_low": float(low[at]), f"{column}_high": float(high[at])}
    return row
