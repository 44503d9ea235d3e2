"""Effects of session data from the likelihood of stable levels and a process about them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metalliance.effectsize.paths import FORWARD
from metalliance.errors import ConvergenceError, SpecificationError
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.panel import PanelFit, fit_panel
from metalliance.numerics.panel_influence import patient_influence
from metalliance.numerics.panel_process import Dynamics, Initial
from metalliance.numerics.panel_quantities import PanelQuantities, panel_quantities
from metalliance.numerics.panel_rows import checked_rows
from metalliance.traitstate.centring import DETRENDED, Detrending, Series, pairs_at_lag
from metalliance.traitstate.session_effects import PATHS, SessionEffect, Statistic

__all__ = ["FIRST_STATE", "PanelReading", "fit_session_panel", "read_panel"]

FIRST_STATE: Initial = "free"
WORDS = (
    (" of x:", " of alliance:"),
    (" of y:", " of outcome:"),
    ('; two values a patient allow dynamics="none"', ""),
    ("x never changes", "alliance never changes"),
    ("y never changes", "outcome never changes"),
    ("x is constant", "alliance is constant"),
    ("y is constant", "outcome is constant"),
    ("1 value(s)", "1 score"),
    ("value(s)", "scores"),
    ("patient(s)", "patients"),
    ("occasion numbers", "session numbers"),
    ("occasions", "sessions"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelReading:
    """A fitted panel, its quantities, and each patient's part in them.

    Attributes
    ----------
    fit : PanelFit
    model, robust : PanelQuantities
        With standard errors by the model, and robust ones.
    influence : (N, q) float
        First-order change of each quantity for one more copy of a patient.
    """

    fit: PanelFit
    model: PanelQuantities
    robust: PanelQuantities
    influence: FloatArray
    gap: FloatArray
    n_pairs: float

    def effect(
        self, component: str, estimand: str, quantity: str, slope: str | None, route: str
    ) -> SessionEffect:
        """A correlation among the quantities as an effect on Fisher's z."""
        return self._effect(component, estimand, quantity, slope, route, "z", FORWARD, 0)

    def lagged(self, path: str, route: str) -> tuple[SessionEffect, SessionEffect]:
        """The correlation with the next session, and the coefficient net of the own past."""
        way, r, partial = PATHS[path], f"lagged_r_{path}", f"lagged_partial_{path}"
        slope = f"lagged_slope_{path}"
        return (
            self._effect("within", "lagged_r", r, None, route, "z", way, 1),
            self._effect("within", "lagged_partial", partial, slope, route, "beta", way, 1),
        )

    def contextual(self, route: str) -> SessionEffect:
        """Slope of stable levels less slope of deviations, in units of the measures."""
        name = "contextual"
        return self._effect(name, "NA", name, name, route, "slope", FORWARD, 0)

    def _effect(
        self,
        component: str,
        estimand: str,
        quantity: str,
        slope: str | None,
        route: str,
        metric: str,
        path: str,
        lag: int,
    ) -> SessionEffect:
        at = self.robust.at(quantity)
        value = float(self.robust.estimate[at])
        if metric == "z":
            inside = abs(value) < 1
            start, factor = (math.atanh(value), 1 / (1 - value**2)) if inside else (math.nan, 1.0)
        else:
            start, factor = value, 1.0
        level = "between" if component == "between_latent" else "within"
        lead, follow = ("x", "y") if path == FORWARD else ("y", "x")
        return SessionEffect(
            component=component,
            estimand=estimand,
            path=path,
            route=route,
            lag=float(lag),
            metric=metric,
            statistic=self._moved(at, start, factor),
            slope=None if slope is None else self._moved(self.robust.at(slope)),
            variance=float((self.model.std_error[at] * factor) ** 2),
            n=float(self.fit.n_patients),
            n_obs=self.n_pairs,
            sd_x=self._sd(level, lead) if metric != "slope" else math.nan,
            sd_y=self._sd(level, follow) if metric != "slope" else math.nan,
            gap=self.gap if lag else None,
        )

    def _sd(self, level: str, variable: str) -> float:
        variance = float(self.robust.estimate[self.robust.at(f"{level}_var_{variable}")])
        return math.sqrt(max(variance, 0.0))

    def _moved(self, at: int, start: float | None = None, factor: float = 1.0) -> Statistic:
        """The quantity, or a function of it with that derivative, for weights of patients."""
        value = float(self.robust.estimate[at]) if start is None else start
        known = math.isfinite(self.robust.std_error[at])
        part = self.influence[:, at] * factor if known else np.full(len(self.influence), math.nan)

        def statistic(weights: FloatArray) -> FloatArray:
            return np.asarray(value + (weights - 1.0) @ part)

        return statistic


def read_panel(
    series: Series, detrend: Detrending, dynamics: Dynamics, *, mean_of: int | None = None
) -> PanelReading:
    """Fit the panel and keep what every patient contributes.

    Raises
    ------
    SpecificationError
        Where the data cannot identify it.
    ConvergenceError
        Where no maximum was reached.
    """
    of_x, of_y = DETRENDED[detrend]
    columns = (series.patient, series.session, series.x, series.y)
    trend_x = series.clock if of_x else None
    trend_y = series.clock if of_y else None
    initial = "stationary" if dynamics == "none" else FIRST_STATE
    fit = fit_session_panel(columns, trend_x, trend_y, dynamics, initial)
    if not fit.converged:
        raise ConvergenceError("the panel model found no maximum: " + "; ".join(fit.notes))
    robust = panel_quantities(fit, covariance="robust", mean_of=mean_of)
    rows = checked_rows(*columns, trend_x, trend_y)
    influence = np.zeros((series.n_patients, len(robust.names)))
    # rows.patient numbers the patients that have a value, in their order
    there = np.unique(series.patient[~(np.isnan(series.x) & np.isnan(series.y))])
    influence[there] = patient_influence(fit, rows) @ robust.slopes
    complete = ~(np.isnan(series.x) | np.isnan(series.y))
    return PanelReading(
        fit=fit,
        model=panel_quantities(fit, mean_of=mean_of),
        robust=robust,
        influence=influence,
        gap=_gaps(series),
        n_pairs=float(complete.sum()),
    )


def fit_session_panel(
    columns: tuple[IntArray, FloatArray, FloatArray, FloatArray],
    trend_x: FloatArray | None,
    trend_y: FloatArray | None,
    dynamics: Dynamics,
    initial: Initial,
) -> PanelFit:
    """`fit_panel`, whose refusals speak of alliance and outcome."""
    try:
        return fit_panel(
            *columns, trend_x=trend_x, trend_y=trend_y, dynamics=dynamics, initial=initial
        )
    except SpecificationError as error:
        text = str(error)
        for theirs, ours in WORDS:
            text = text.replace(theirs, ours)
        raise SpecificationError(text) from None


def _gaps(series: Series) -> FloatArray:
    try:
        return pairs_at_lag(series, 1).gap
    except SpecificationError:
        return np.zeros(0)
