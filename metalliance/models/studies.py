"""What each study says, and how much it counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.result import Fit
from metalliance.numerics.blocks import BlockDiagonal, FloatArray
from metalliance.numerics.distributions import critical_value

__all__ = ["contribution_weights", "study_means"]


def study_means(x: Any, level: float = 0.95) -> pd.DataFrame:
    r"""Mean effect, interval and weight of every study.

    The mean is the generalised least squares mean of the study's effects under the fitted
    marginal covariance M_j; its standard error is the smallest that sampling allows,
    (1'V_j⁻¹1)^-½, so that for a study with one effect it is √v. The weight is the study's share
    in the pooled mean, 1'M⁻¹/(1'M⁻¹1) summed over its effects.

    Parameters
    ----------
    x : Fit or Inference
        Fitted to rows with a column ``study``.
    level : float
        Of the studies' intervals (normal quantile).

    Returns
    -------
    DataFrame
        study, k_effects, ni, estimate, std_error, conf_low, conf_high, weight (percent),
        effect_se (median standard error of a single effect); one row per study in order of
        first appearance.

    References
    ----------
    Fernández-Castilla, B., et al. (2020). Methodology, 16(4), 299–315.
    https://doi.org/10.5964/meth.4013
    """
    fit: Fit = x if isinstance(x, Fit) else x.fit
    if "study" not in fit.data.columns:
        raise SpecificationError("study means need a column 'study' in the fitted rows")
    numbers, studies = pd.factorize(fit.data["study"])
    weights = contribution_weights(fit)
    ni = fit.data["ni"].to_numpy(dtype=float) if "ni" in fit.data.columns else None
    crit = float(critical_value(level, np.inf))
    rows = []
    for number, study in enumerate(studies):
        members = np.flatnonzero(numbers == number)
        own = _mean_weights(fit.marginal, members)
        estimate = float(own @ fit.yi[members])
        std_error = float(1 / np.sqrt(np.sum(_solve_ones(fit.sampling, members))))
        rows.append(
            {
                "study": study,
                "k_effects": len(members),
                "ni": np.nan
                if ni is None or np.isnan(ni[members]).all()
                else np.nanmax(ni[members]),
                "estimate": estimate,
                "std_error": std_error,
                "conf_low": estimate - crit * std_error,
                "conf_high": estimate + crit * std_error,
                "weight": 100 * float(weights[members].sum()),
                "effect_se": float(np.median(np.sqrt(fit.vi[members]))),
            }
        )
    return pd.DataFrame(rows)


def contribution_weights(fit: Fit) -> FloatArray:
    """(k,) share of every effect in the mean, 1'M⁻¹/(1'M⁻¹1); sums to 1."""
    share = np.empty(fit.k)
    for stack in fit.marginal.stacks:
        ones = np.ones((*stack.rows.shape, 1))
        share[stack.rows] = np.linalg.solve(stack.values, ones)[..., 0]
    return np.asarray(share / share.sum())


def _mean_weights(matrix: BlockDiagonal, members: np.ndarray) -> FloatArray:
    solved = _solve_ones(matrix, members)
    return np.asarray(solved / solved.sum())


def _solve_ones(matrix: BlockDiagonal, members: np.ndarray) -> FloatArray:
    """Solve A a = 1 for the sub-matrix A of the given rows."""
    if len(members) == 1:
        return np.asarray(1 / matrix.diagonal()[members])
    return np.linalg.solve(matrix.take(members).to_array(), np.ones(len(members)))
