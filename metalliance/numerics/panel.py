"""Trait and process of two variables, from patients seen on occasions of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.panel_likelihood import Panel
from metalliance.numerics.panel_maximum import PanelMaximum, maximise_panel, rough_maximum
from metalliance.numerics.panel_process import (
    Dynamics,
    Initial,
    Numbers,
    Process,
    process,
)
from metalliance.numerics.panel_rows import (
    PanelRows,
    Trend,
    checked_rows,
    laid_out,
    refuse_unidentified,
)
from metalliance.numerics.panel_starts import moment_starts, restart

__all__ = ["PanelFit", "fit_panel"]

_SINGULAR = 1e-7
_UNIT_ROOT = 0.98


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelFit:
    """A fitted dynamic panel, in the units of the data.

    Attributes
    ----------
    dynamics, initial : str
        As asked for.
    mean_x, mean_y : (1 + q,) float
        Intercept, then the coefficients of the trend columns.
    psi : (2, 2) float
        Covariance of the traits (patients' own levels) of x and y.
    phi : (2, 2) float
        Dynamics: row the later variable, column the one an occasion before.
    sigma : (2, 2) float
        Covariance of the innovations.
    first_state : (2, 2) float
        Covariance of w at a patient's first occasion.
    trait_state : (2, 2) float
        Covariance of the traits (rows) with that first w (columns); 0 unless
        ``free-correlated``.
    log_lik : float
    n_parameters, n_patients, n_occasions, n_values : int
        ``n_occasions`` counts rows with x or y, ``n_values`` the values in them.
    converged : bool
        Whether a maximum was reached to 1e-10 in the Newton decrement.
    boundary : bool
        The traits' covariance is singular: a variance of zero, or a correlation of ±1. Standard
        errors are then conditional on that.
    notes : tuple of str
        What a reader has to know about this fit.
    decrement : float
    evaluations, starts : int
        How it was reached.
    theta : (m,) float
        Working parameters, of the variables divided by ``scale``.
    scale : (2,) float
    covariance, covariance_robust : (q + m, q + m) float
        Of ``mean_x``, ``mean_y`` and ``theta``: from the observed information, and robust to any
        misspecification of the distribution within patients (sandwich by patient).
    """

    dynamics: Dynamics
    initial: Initial
    mean_x: FloatArray
    mean_y: FloatArray
    psi: FloatArray
    phi: FloatArray
    sigma: FloatArray
    first_state: FloatArray
    trait_state: FloatArray
    log_lik: float
    n_parameters: int
    n_patients: int
    n_occasions: int
    n_values: int
    converged: bool
    boundary: bool
    notes: tuple[str, ...]
    decrement: float
    evaluations: int
    starts: int
    theta: FloatArray
    scale: FloatArray
    covariance: FloatArray
    covariance_robust: FloatArray


def fit_panel(
    patient: ArrayLike,
    occasion: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    trend_x: Trend = None,
    trend_y: Trend = None,
    dynamics: Dynamics = "full",
    initial: Initial = "stationary",
    start: PanelFit | None = None,
) -> PanelFit:
    r"""Time-invariant dynamic panel of two variables by maximum likelihood.

    Parameters
    ----------
    patient : (n,) array
        Labels, integers or text.
    occasion : (n,) array of whole numbers
        Number of the session. Numbers may be skipped; one step is one lag of the dynamics. Every
        patient may have occasions of their own, and any number of them.
    x, y : (n,) float
        NaN where missing; either may be missing alone. Rows without both are left out.
    trend_x, trend_y : 'linear' or (n,) or (n, q) float, optional
        Columns of the mean of x and of y beside the intercept: the number of the occasion, or
        any given ones.
    dynamics : {'full', 'diagonal', 'none'}
        Φ: all four coefficients; autoregressions only; 0, the bivariate random-intercept model.
    initial : {'stationary', 'free', 'free-correlated'}
        State at the first occasion with a value of each patient. ``stationary``: as at any
        other, and Φ is kept stationary. ``free``: a covariance of its own, uncorrelated with the
        traits, as in a random-intercept cross-lagged panel model. ``free-correlated``:
        correlated with the traits as well, which makes no assumption on where the process
        began, as in the cross-lagged panel model with fixed effects. A start that does not hold
        biases Φ and everything within patients; see ``compare_panels``. The mean of the state is
        0 in all three: a course that settles down belongs into the trend columns.
    start : PanelFit, optional
        Begin at the estimates of a fit of the same model only (for resamples).

    Returns
    -------
    PanelFit

    Raises
    ------
    SpecificationError
        If the data cannot identify the model, or are not what the parameters say.

    Notes
    -----
    .. math::

        z_{it} = μ_{it} + a_i + w_{it}, \quad w_{it} = Φ w_{i,t-1} + e_{it}, \quad
        a_i ∼ N(0, Ψ), \; e_{it} ∼ N(0, Σ)

    with z = (x, y)'. Values that were not observed are integrated out, so skipped sessions and
    dropout that depends on observed values leave the estimates consistent. Traits are part of
    the likelihood rather than estimated one by one, so Φ has no bias of order 1/T (Nickell).

    References
    ----------
    Hamaker, Kuiper & Grasman (2015), doi:10.1037/a0038889; Allison, Williams & Moral-Benito
    (2017), doi:10.1177/2378023117710578; Nickell (1981), doi:10.2307/1911408.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> trait = np.repeat(rng.normal(size=60), 6)
    >>> x, y = trait + rng.normal(size=(2, 360))
    >>> fit = fit_panel(np.repeat(np.arange(60), 6), np.tile(np.arange(6), 60), x, y,
    ...                 dynamics="none")
    >>> fit.converged, fit.n_parameters
    (True, 8)
    """
    _known("dynamics", dynamics, Dynamics)
    _known("initial", initial, Initial)
    rows = checked_rows(patient, occasion, x, y, trend_x, trend_y)
    refuse_unidentified(rows, dynamics, initial)
    panel = laid_out(rows, dynamics)
    starts = _starts(rows, panel, dynamics, initial, start)
    return _in_data_units(maximise_panel(panel, dynamics, initial, starts), rows, dynamics, initial)


def _known(name: str, value: str, choices: Any) -> None:
    if value not in get_args(choices):
        raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, not {value!r}")


def _starts(
    rows: PanelRows, panel: Panel, dynamics: Dynamics, initial: Initial, start: PanelFit | None
) -> list[FloatArray]:
    """Moments; for a free first state also the best stationary model, which it contains."""
    if start is not None:
        if (start.dynamics, start.initial) != (dynamics, initial):
            raise SpecificationError("start must be a fit with the same dynamics and first state")
        return [start.theta]
    if initial == "stationary":
        return moment_starts(rows, dynamics, initial)
    narrower = rough_maximum(
        panel, dynamics, "stationary", moment_starts(rows, dynamics, "stationary")
    )
    inside = restart(narrower, dynamics, "stationary", initial)
    return [inside, *moment_starts(rows, dynamics, initial)]


def _in_data_units(
    found: PanelMaximum, rows: PanelRows, dynamics: Dynamics, initial: Initial
) -> PanelFit:
    model = process(found.theta, dynamics, initial)
    scale = rows.scale
    product = np.outer(scale, scale)
    matrix, offset = rows.mean_map()
    mean = matrix @ found.at.coefficients + offset
    p = rows.designs[0].shape[1]
    m = len(found.theta)
    widened = np.block([[matrix, np.zeros((len(mean), m))], [np.zeros((m, len(mean))), np.eye(m)]])
    seen = ~np.isnan(rows.values)
    first = model.omega[2:, 2:]
    boundary = _singular(model.psi)
    return PanelFit(
        dynamics=dynamics,
        initial=initial,
        mean_x=mean[:p],
        mean_y=mean[p:],
        psi=model.psi * product,
        phi=model.phi * np.outer(scale, 1 / scale),
        sigma=model.sigma * product,
        first_state=first * product,
        trait_state=model.omega[:2, 2:] * product,
        log_lik=found.at.log_lik - float(seen.sum(axis=0) @ np.log(scale)),
        n_parameters=len(mean) + m,
        n_patients=int(rows.patient[-1]) + 1,
        n_occasions=len(rows.patient),
        n_values=int(seen.sum()),
        converged=found.converged,
        boundary=boundary,
        notes=_notes(found, model, boundary),
        decrement=found.decrement,
        evaluations=found.evaluations,
        starts=found.starts,
        theta=found.theta,
        scale=scale,
        covariance=widened @ found.covariance @ widened.T,
        covariance_robust=widened @ found.covariance_robust @ widened.T,
    )


def _singular(covariance: Numbers) -> bool:
    """Of variables in units of their standard deviation."""
    return bool(np.linalg.eigvalsh(covariance)[0] < _SINGULAR)


def _notes(found: PanelMaximum, model: Process, boundary: bool) -> tuple[str, ...]:
    notes = []
    if not found.converged:
        notes.append(
            "no maximum of the likelihood was reached (it may rise without end towards a singular "
            "covariance): do not use these estimates"
        )
    if boundary:
        notes.append(
            "the traits' covariance is singular (a variance of zero or a correlation of 1 or -1): "
            "standard errors are conditional on it"
        )
    if not boundary and _singular(model.omega):
        notes.append("the covariance of the first state is singular; errors are conditional on it")
    if found.flat:
        notes.append(
            "the likelihood is flat in some direction: what depends on it has an enormous standard "
            "error"
        )
    size = float(np.abs(np.linalg.eigvals(model.phi)).max())
    if size >= 1:
        notes.append("the process is not stationary: within-patient correlations do not exist")
    elif size > _UNIT_ROOT:
        notes.append(
            "the process is close to a random walk: trait and process can hardly be told apart"
        )
    return tuple(notes)
