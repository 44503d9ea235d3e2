"""Where the likelihood of a dynamic panel is first looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.panel_process import (
    Dynamics,
    Initial,
    Process,
    process,
    stationary_covariance,
    working,
)
from metalliance.numerics.panel_rows import PanelRows

__all__ = ["moment_starts", "restart"]

_AUTOREGRESSIONS = ((0.2, 0.2), (0.75, 0.75), (0.75, 0.1), (0.1, 0.75))
_LARGEST_R = 0.8
_LEAST_SHARE = 0.05


def moment_starts(rows: PanelRows, dynamics: Dynamics, initial: Initial) -> list[FloatArray]:
    """Working parameters from the variances between and within patients.

    One start for each of four guesses of the autoregressions: what is within at one is between
    at another, and the likelihood may have a maximum at both.
    """
    residuals = _residuals(rows)
    between, within, r_between, r_within, sessions = _moments(rows.patient, residuals)
    guesses = _AUTOREGRESSIONS if dynamics != "none" else ((0.0, 0.0),)
    starts = []
    for guess in guesses:
        own = np.array(guess)
        # the mean of k sessions keeps this share of an autoregressive variance
        kept = np.minimum((1 + own) / (1 - own) / sessions, 0.8)
        total = between + within
        inside = np.minimum(within * (1 - 1 / sessions) / (1 - kept), (1 - _LEAST_SHARE) * total)
        omega = np.zeros((4, 4))
        omega[:2, :2] = _covariance(total - inside, r_between)
        omega[2:, 2:] = _covariance(inside, r_within)
        sigma = _covariance(inside * (1 - own**2), r_within)
        model = Process(omega, np.diag(own), sigma)
        starts.append(working(model, dynamics, initial))
    return starts


def restart(theta: FloatArray, dynamics: Dynamics, given: Initial, wanted: Initial) -> FloatArray:
    """Working parameters of a stationary or narrower model in those of a wider one."""
    model = process(theta, dynamics, given)
    omega = model.omega.copy()
    if given == "stationary":
        omega[2:, 2:] = stationary_covariance(model.phi, model.sigma)
    return working(Process(omega, model.phi, model.sigma), dynamics, wanted)


def _residuals(rows: PanelRows) -> FloatArray:
    """Values without their mean structure by least squares."""
    residuals = rows.values.copy()
    for j, design in enumerate(rows.designs):
        seen = ~np.isnan(residuals[:, j])
        fitted = np.linalg.lstsq(design[seen], residuals[seen, j], rcond=None)[0]
        residuals[seen, j] -= design[seen] @ fitted
    return residuals


def _moments(
    patient: NDArray[np.int64], residuals: FloatArray
) -> tuple[FloatArray, FloatArray, float, float, FloatArray]:
    """Between and within variances, their correlations, values per patient."""
    seen = ~np.isnan(residuals)
    filled = np.where(seen, residuals, 0.0)
    counts = np.column_stack([np.bincount(patient, column) for column in seen.T])
    sums = np.column_stack([np.bincount(patient, column) for column in filled.T])
    with np.errstate(invalid="ignore"):
        means = sums / counts
    deviations = np.where(seen, residuals - means[patient], np.nan)
    present = counts > 0
    freedom = counts.sum(axis=0) - present.sum(axis=0)
    within = np.nansum(deviations**2, axis=0) / np.maximum(freedom, 1)
    sessions = np.maximum(counts.sum(axis=0) / present.sum(axis=0), 1.5)
    spread = np.nanvar(means, axis=0)
    between = np.maximum(spread - within / sessions, _LEAST_SHARE * (spread + within))
    return (
        between,
        np.maximum(within, 1e-6),
        _correlation(means[present.all(axis=1)]),
        _correlation(deviations[seen.all(axis=1)]),
        sessions,
    )


def _correlation(pairs: FloatArray) -> float:
    if len(pairs) < 3 or not np.all(pairs.std(axis=0) > 0):
        return 0.0
    r = float(np.asarray(np.corrcoef(pairs.T))[0, 1])
    return float(np.clip(r, -_LARGEST_R, _LARGEST_R))


def _covariance(variances: FloatArray, r: float) -> FloatArray:
    root = np.sqrt(variances)
    return np.asarray(np.outer(root, root) * np.array([[1.0, r], [r, 1.0]]))
