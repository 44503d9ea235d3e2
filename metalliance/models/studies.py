"""One row per study: its own mean, and how much it contributes to the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metalliance.models.inference import Inference, as_model
from metalliance.models.result import Fit
from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray, connected_components
from metalliance.numerics.distributions import critical_value

__all__ = ["contribution_weights", "study_means"]


def study_means(x: Fit | Inference, level: float = 0.95) -> pd.DataFrame:
    """Rows for a forest plot.

    Parameters
    ----------
    x : Fit or Inference
    level : float
        Of the confidence intervals.

    Returns
    -------
    DataFrame
        In order of first appearance: study k_effects ni estimate std_error conf_low conf_high
        weight effect_se. Without a column ``study`` every effect is a study of its own.

    Notes
    -----
    ``estimate`` is the generalised least squares mean of the study's effects under the fitted
    model; ``std_error`` = (1'V_j⁻¹1)^(-1/2) speaks of sampling error alone, so that for one
    effect it is √v. ``weight`` is the contribution 1'M⁻¹/(1'M⁻¹1), in percent, summed over the
    study; ``ni`` the largest and ``effect_se`` the median standard error of its effects.
    """
    fit = as_model(x)
    if "study" in fit.data.columns:
        codes, labels = pd.factorize(fit.data["study"], use_na_sentinel=False)
    else:
        codes, labels = np.arange(fit.k), fit.data.index.astype(str)
    codes = codes.astype(np.intp)
    weights = contribution_weights(fit)
    marginal, sampling = _by_study(fit.marginal, codes), _by_study(fit.sampling, codes)
    critical = float(critical_value(level, np.inf))
    has_n = "ni" in fit.data.columns
    n = pd.to_numeric(fit.data["ni"], errors="coerce").to_numpy(float) if has_n else None
    rows: list[dict[str, Any]] = []
    for j, label in enumerate(labels):
        members = np.flatnonzero(codes == j)
        estimate = _weighted_mean(marginal[j], fit.yi[members])
        se = float(1 / np.sqrt(np.linalg.solve(sampling[j], np.ones(len(members))).sum()))
        known = np.array([]) if n is None else n[members][np.isfinite(n[members])]
        rows.append(
            {
                "study": label,
                "k_effects": len(members),
                "ni": float(known.max()) if len(known) else float("nan"),
                "estimate": estimate,
                "std_error": se,
                "conf_low": estimate - critical * se,
                "conf_high": estimate + critical * se,
                "weight": float(weights[members].sum()),
                "effect_se": float(np.median(np.sqrt(fit.vi[members]))),
            }
        )
    return pd.DataFrame(rows)


def contribution_weights(fit: Fit) -> FloatArray:
    """(k,) what each effect adds to an overall mean, in percent.

    1'M⁻¹/(1'M⁻¹1), or the user's weights where there are any.
    """
    given = fit.weights
    if given is not None:
        return np.asarray(100 * given / given.sum())
    sums = np.empty(fit.k)
    for stack in fit.marginal.stacks:
        ones = np.ones((*stack.rows.shape, 1))
        sums[stack.rows] = np.linalg.solve(stack.values, ones)[:, :, 0]
    return np.asarray(100 * sums / sums.sum())


def _by_study(matrix: BlockDiagonal, codes: IntArray) -> list[FloatArray]:
    """The sub-matrix of each study, rows in their order."""
    joint = matrix.regroup(connected_components([matrix.labels(), codes]))
    parts: list[FloatArray] = [np.empty((0, 0))] * (int(codes.max()) + 1)
    for stack in joint.stacks:
        for rows, values in zip(stack.rows, stack.values, strict=True):
            for study in np.unique(codes[rows]):
                inside = np.flatnonzero(codes[rows] == study)
                parts[int(study)] = values[np.ix_(inside, inside)]
    return parts


def _weighted_mean(covariance: FloatArray, y: FloatArray) -> float:
    weights = np.linalg.solve(covariance, np.ones(len(y)))
    return float(weights @ y / weights.sum())
