"""What each patient contributes to the estimates of a dynamic panel."""

from __future__ import annotations

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.panel import PanelFit
from metalliance.numerics.panel_likelihood import evaluate, patient_scores
from metalliance.numerics.panel_process import Numbers, grid_covariance, jacobian, process
from metalliance.numerics.panel_rows import PanelRows, laid_out

__all__ = ["patient_influence"]


def patient_influence(fit: PanelFit, rows: PanelRows) -> FloatArray:
    r"""First-order change of the working parameters for one more copy of each patient.

    Parameters
    ----------
    fit : PanelFit
    rows : PanelRows
        The very rows it was fitted to.

    Returns
    -------
    (n, m) array
        Rows in the order of ``rows.patient``; they sum to 0. Σ_i IF_i IF_i'·n/(n − 1) is the
        block of ``fit.covariance_robust`` for θ.

    Notes
    -----
    IF_i = I⁻¹ s_i, with s_i the score of patient i and I the observed information. Weights w_i in
    place of 1 move the estimate by Σ (w_i − 1) IF_i: a resample of patients to first order.

    References
    ----------
    White (1982), https://doi.org/10.2307/1912526.

    Examples
    --------
    >>> from metalliance.numerics.panel import fit_panel
    >>> from metalliance.numerics.panel_rows import checked_rows
    >>> rng = np.random.default_rng(1)
    >>> patient, session = np.repeat(np.arange(60), 6), np.tile(np.arange(6), 60)
    >>> x, y = np.repeat(rng.normal(size=60), 6) + rng.normal(size=(2, 360))
    >>> fit = fit_panel(patient, session, x, y, dynamics="none")
    >>> moved = patient_influence(fit, checked_rows(patient, session, x, y))
    >>> moved.shape, bool(np.abs(moved.sum(axis=0)).max() < 1e-6)
    ((60, 6), True)
    """
    panel = laid_out(rows, fit.dynamics)

    def grid(theta: Numbers) -> Numbers:
        return grid_covariance(process(theta, fit.dynamics, fit.initial), panel.elapsed)

    covariance, slopes = jacobian(grid, fit.theta)
    scores = patient_scores(panel, evaluate(panel, covariance), slopes)
    m = len(fit.theta)
    # fit.covariance has the mean in data units; scores have it in standard units.
    to_data, _ = rows.mean_map()
    with_mean = np.linalg.solve(to_data, fit.covariance[:-m, -m:])
    bread = np.concatenate([with_mean, fit.covariance[-m:, -m:]])
    return np.asarray(scores @ bread)
