"""Maximum of the likelihood of a dynamic panel, and the curvature there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metalliance.errors import ConvergenceError
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import symmetrised
from metalliance.numerics.panel_likelihood import (
    Evaluation,
    Panel,
    evaluate,
    expected_information,
    patient_scores,
)
from metalliance.numerics.panel_process import (
    Dynamics,
    Initial,
    Numbers,
    grid_covariance,
    jacobian,
    process,
)

__all__ = ["PanelMaximum", "maximise_panel", "rough_maximum"]

_DIFFERENCE = 1e-5
_ROUGH = 0.05  # gradient at the end of a climb, in standard errors
_FINE = 1e-5
_NEAR = 1e-2
_CONVERGED = 1e-10
_SETTLED = 1e-9
_RESOLVED = 1e-18
_FLAT = 1e-7
_POLISHES = 20
_CURVATURES = 25
_UNREACHABLE = 1e12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelMaximum:
    """The best optimum of all starts.

    Attributes
    ----------
    theta : (m,) float
        Working parameters.
    at : Evaluation
    covariance, covariance_robust : (q + m, q + m) float
        Of the coefficients of the mean and θ: inverse observed information, and the sandwich of
        it around the products of patients' scores, times n/(n − 1).
    decrement : float
        g'H⁻¹g: twice the gain that a Newton step still promises.
    converged : bool
        The decrement is below 1e-10 and the curvature is that of a maximum.
    flat : int
        Directions of θ in which the likelihood has no curvature.
    evaluations, starts : int
    """

    theta: FloatArray
    at: Evaluation
    covariance: FloatArray
    covariance_robust: FloatArray
    decrement: float
    converged: bool
    flat: int
    evaluations: int
    starts: int


@dataclass(slots=True)
class _Surface:
    """The log-likelihood as a function of θ; counts its evaluations."""

    panel: Panel
    dynamics: Dynamics
    initial: Initial
    evaluations: int = 0

    def grid(self, theta: Numbers) -> Numbers:
        return grid_covariance(process(theta, self.dynamics, self.initial), self.panel.elapsed)

    def look(
        self, theta: FloatArray, coefficients: FloatArray | None = None
    ) -> tuple[Evaluation, FloatArray, FloatArray]:
        """Evaluation, derivatives of the covariance (m, 2g, 2g), derivatives in θ (m,)."""
        self.evaluations += 1
        with np.errstate(all="ignore"):
            grid, slopes = jacobian(self.grid, theta)
            at = evaluate(self.panel, grid, coefficients)
            return at, slopes, np.einsum("jab,ab->j", slopes, at.slope)

    def information(self, theta: FloatArray, coefficients: FloatArray) -> FloatArray:
        """Observed information (q + m, q + m): central differences of the exact gradient."""
        q, m = len(coefficients), len(theta)
        information = np.zeros((q + m, q + m))
        for j in range(m):
            step = np.zeros(m)
            step[j] = _DIFFERENCE
            above, _, up = self.look(theta + step, coefficients)
            below, _, down = self.look(theta - step, coefficients)
            change = np.r_[below.score - above.score, down - up] / (2 * _DIFFERENCE)
            information[q + j] = change
            information[:q, q + j] = change[:q]
        information[:q, :q] = self.look(theta, coefficients)[0].information
        information[q:, q:] = symmetrised(information[q:, q:])
        return information


@dataclass(frozen=True, slots=True, eq=False)
class _Curvature:
    """Information on θ with the mean profiled out, by its scaled eigenvectors."""

    values: FloatArray
    directions: FloatArray

    def solve(self, gradient: FloatArray) -> FloatArray:
        """Newton step uphill; directions without curvature are left alone."""
        along = gradient @ self.directions
        usable = self.values > _FLAT
        return np.asarray(self.directions[:, usable] @ (along[usable] / self.values[usable]))

    def uphill(self, gradient: FloatArray) -> FloatArray:
        """The step with every curvature taken as that of a maximum."""
        along = gradient @ self.directions
        return np.asarray(self.directions @ (along / np.maximum(np.abs(self.values), 1e-3)))


def maximise_panel(
    panel: Panel, dynamics: Dynamics, initial: Initial, starts: Sequence[FloatArray]
) -> PanelMaximum:
    """Climb from every start by BFGS, then finish the best by Newton's method."""
    surface = _Surface(panel, dynamics, initial)
    theta, decrement, information, curvature = _finish(surface, _highest(surface, starts))
    at, slopes, _ = surface.look(theta)
    covariance = _inverse(information, curvature, panel.n_columns)
    scores = patient_scores(panel, at, slopes)
    spread = covariance @ scores.T
    n = panel.n_patients
    return PanelMaximum(
        theta=theta,
        at=at,
        covariance=covariance,
        covariance_robust=spread @ spread.T * (n / (n - 1)),
        decrement=decrement,
        converged=bool(decrement < _CONVERGED and curvature.values.min() > -_FLAT),
        flat=int((np.abs(curvature.values) <= _FLAT).sum()),
        evaluations=surface.evaluations,
        starts=len(starts),
    )


def _finish(
    surface: _Surface, theta: FloatArray
) -> tuple[FloatArray, float, FloatArray, _Curvature]:
    """Newton's method from the end of a climb, until the curvature is that of the optimum."""
    decrement = np.inf
    for _ in range(_CURVATURES):
        at, _, gradient = surface.look(theta)
        information = surface.information(theta, at.coefficients)
        if not np.isfinite(information).all():
            unknown = np.full_like(information, np.nan)
            nowhere = _Curvature(np.full(len(theta), np.nan), np.full((len(theta),) * 2, np.nan))
            return theta, np.inf, unknown, nowhere
        curvature = _curvature(information, len(at.coefficients))
        theta, decrement, settled = _polish(surface, theta, at, gradient, curvature)
        if settled:
            break
    return theta, decrement, information, curvature


def rough_maximum(
    panel: Panel, dynamics: Dynamics, initial: Initial, starts: Sequence[FloatArray]
) -> FloatArray:
    """θ near the best optimum: a start for a wider model."""
    return _highest(_Surface(panel, dynamics, initial), starts)


def _highest(surface: _Surface, starts: Sequence[FloatArray]) -> FloatArray:
    """Where the highest of all climbs ends."""
    climbs = [_climb(surface, start, _ROUGH) for start in starts]
    height, top = max(climbs, key=lambda climb: climb[0])
    if not np.isfinite(height):
        raise ConvergenceError(
            "the likelihood of the panel cannot be computed; check the values for extreme ones"
        )
    return _climb(surface, top, _FINE)[1]


def _climb(surface: _Surface, start: FloatArray, tolerance: float) -> tuple[float, FloatArray]:
    """Likelihood and place at the end of an ascent by BFGS.

    It is scaled by the expected information at its start, so that steps are in standard errors.
    """
    from scipy import optimize

    at, slopes, _ = surface.look(start)
    if not np.isfinite(at.log_lik):
        return -np.inf, start
    information = expected_information(surface.panel, at, slopes)
    values, vectors = np.linalg.eigh(information)
    unit = vectors / np.sqrt(np.maximum(values, 1e-6 * values[-1]))

    def height(steps: FloatArray) -> tuple[float, FloatArray]:
        here, _, gradient = surface.look(start + unit @ steps)
        if not np.isfinite(here.log_lik):
            return _UNREACHABLE, np.zeros(len(steps))
        return -here.log_lik, -(gradient @ unit)

    options = {"gtol": tolerance, "maxiter": 200}
    found = optimize.minimize(
        height, np.zeros(len(start)), jac=True, method="BFGS", options=options
    )
    return -float(found.fun), start + unit @ found.x


def _curvature(information: FloatArray, q: int) -> _Curvature:
    """Eigenvectors in units in which the information has diagonal 1."""
    mean, cross = information[:q, :q], information[:q, q:]
    profile = symmetrised(information[q:, q:] - cross.T @ np.linalg.solve(mean, cross))
    unit = 1 / np.sqrt(np.maximum(np.abs(np.diagonal(profile)), 1e-12))
    values, vectors = np.linalg.eigh(profile * unit[:, None] * unit)
    return _Curvature(values, vectors * unit[:, None])


def _inverse(information: FloatArray, curvature: _Curvature, q: int) -> FloatArray:
    """Covariance of coefficients and θ; enormous along directions without curvature."""
    if np.isnan(information).any():
        return information
    half = curvature.directions / np.sqrt(np.maximum(curvature.values, _FLAT))
    theta = half @ half.T
    gain = np.linalg.solve(information[:q, :q], information[:q, q:])
    mean = np.linalg.inv(information[:q, :q]) + gain @ theta @ gain.T
    return symmetrised(np.block([[mean, -gain @ theta], [-theta @ gain.T, theta]]))


def _polish(
    surface: _Surface,
    theta: FloatArray,
    at: Evaluation,
    gradient: FloatArray,
    curvature: _Curvature,
) -> tuple[FloatArray, float, bool]:
    """Newton steps with one curvature; whether that curvature still holds where they end."""
    step = curvature.solve(gradient)
    decrement = float(gradient @ step)
    if decrement > _NEAR or curvature.values.min() < -_FLAT:
        return _search(surface, theta, at, curvature.uphill(gradient)), decrement, False
    moved = decrement
    for _ in range(_POLISHES):
        if decrement <= _RESOLVED:
            break
        _, _, ahead = surface.look(theta + step)
        following = curvature.solve(ahead)
        promised = float(ahead @ following)
        if not promised < decrement:
            break
        theta, step, decrement = theta + step, following, promised
    return theta, decrement, moved < _SETTLED


def _search(surface: _Surface, theta: FloatArray, at: Evaluation, step: FloatArray) -> FloatArray:
    for _ in range(30):
        if surface.look(theta + step)[0].log_lik > at.log_lik:
            return theta + step
        step = step / 2
    return theta
