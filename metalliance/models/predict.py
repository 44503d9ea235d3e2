"""``predict``: means with confidence and prediction intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.inference import Inference, as_inference
from metalliance.models.result import Fit
from metalliance.models.spread import spread_of_rows
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import critical_value

__all__ = ["back_transform", "informing_clusters", "predict"]

TRANSFORMS = (None, "r", "r_int")
TARGETS = ("effect", "study")
PI_DF = ("default", "inf", "inference")
_NODES = 400
_REACH = 10.0


def predict(
    x: Fit | Inference,
    newdata: pd.DataFrame | None = None,
    transform: str | None = None,
    target: str = "effect",
    pi_df: str = "default",
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean effects, how sure they are, and where a new effect would lie.

    Parameters
    ----------
    x : Fit or Inference
    newdata : DataFrame, optional
        Moderator values; by default the fitted rows, or one row for ``~ 1``.
    transform : {None, 'r', 'r_int'}
        ``r``: tanh of every limit; the standard error becomes NaN. ``r_int``: the mean
        correlation E tanh(N(μ, τ²)) with its interval; no prediction interval.
    target : {'effect', 'study'}
        Whether the prediction interval is for one new effect (all random terms) or for the true
        mean of a new outermost group (its terms alone; at its own inner level where a term has
        inner levels). Terms with a variance for each inner level, and random slopes, take it
        from the columns of ``newdata``; without them, and with a mean alone, such a model has
        no prediction interval (NaN).
    pi_df : {'default', 'inf', 'inference'}
        Reference of the prediction interval. By default that of the confidence interval for
        independent effects, and t on c-1 df with random terms, c the clusters that inform the
        mean; ``inf`` the normal; ``inference`` that of the confidence interval.
    level : float

    Returns
    -------
    DataFrame
        estimate std_error conf_low conf_high pi_low pi_high. No prediction interval for EE.

    Notes
    -----
    Prediction interval μ̂ ± crit √(SE² + Σ components in the target), and never narrower than the
    confidence interval, which can have fewer degrees of freedom.

    References
    ----------
    IntHout et al. (2016), doi:10.1136/bmjopen-2015-010247; for ``r_int`` Hafdahl & Williams
    (2009), doi:10.1037/a0014697.
    """
    for name, value, known in (
        ("transform", transform, TRANSFORMS),
        ("target", target, TARGETS),
        ("pi_df", pi_df, PI_DF),
    ):
        if value not in known:
            raise ValueError(f"unknown {name} {value!r}; choose one of {known}")
    inference = as_inference(x)
    fit = inference.fit
    rows = _design_rows(fit, newdata)
    estimate = rows @ fit.beta
    variance = np.einsum("ij,jl,il->i", rows, inference.vcov, rows)
    se = np.sqrt(variance)
    df = inference.df_of(rows)
    half = critical_value(level, df) * se
    spread = spread_of_rows(fit, newdata, target)
    reach = critical_value(level, _pi_df(inference, rows, df, pi_df)) * np.sqrt(variance + spread)
    table = {
        "estimate": estimate,
        "std_error": se,
        "conf_low": estimate - half,
        "conf_high": estimate + half,
        "pi_low": estimate - np.maximum(reach, half),
        "pi_high": estimate + np.maximum(reach, half),
    }
    index = fit.data.index if newdata is None and not fit.design.is_mean_only else None
    if newdata is not None:
        index = newdata.index
    return pd.DataFrame(
        _transformed(table, transform, spread_of_rows(fit, newdata, "effect")), index=index
    )


def informing_clusters(inference: Inference, rows: FloatArray) -> FloatArray:
    """How many clusters inform each mean x'β (m, p).

    For a mean at given factor levels: the fewest clusters that hold a row with the levels of
    one factor; clusters that only help to estimate other coefficients do not count.
    """
    fit = inference.fit
    codes = inference.clusters if inference.clusters is not None else fit.clusters
    codes = np.arange(fit.k) if codes is None else codes
    counts = np.full(len(rows), float(codes.max() + 1))
    for columns in fit.design.slices.values():
        part = fit.X[:, list(columns)]
        if not np.all((part == 0) | (part == 1)) or np.all(part == 1):
            continue
        for i, wanted in enumerate(rows[:, list(columns)]):
            if np.all((wanted == 0) | (wanted == 1)):
                alike = np.all(part == wanted, axis=1)
                counts[i] = min(counts[i], len(np.unique(codes[alike])))
    return counts


def back_transform(mean: FloatArray, variance: FloatArray | float) -> FloatArray:
    """E tanh(N(mean, variance)) by Gauss-Legendre quadrature over ten standard deviations."""
    if np.all(variance == 0):
        return np.tanh(mean)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    z = nodes * _REACH
    density = weights * _REACH * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.tanh(mean[:, None] + np.sqrt(np.reshape(variance, (-1, 1))) * z) @ density)


def _design_rows(fit: Fit, newdata: pd.DataFrame | None) -> FloatArray:
    if newdata is None:
        return fit.X[:1] if fit.design.is_mean_only else fit.X
    if not isinstance(newdata, pd.DataFrame):
        raise SpecificationError(
            f"newdata must be a DataFrame of moderators, not {type(newdata).__name__}"
        )
    return fit.design.matrix(newdata)


def _pi_df(inference: Inference, rows: FloatArray, df: FloatArray, pi_df: str) -> FloatArray:
    if pi_df == "inf":
        return np.full(len(rows), np.inf)
    if pi_df == "inference" or inference.fit.univariate:
        return df
    return informing_clusters(inference, rows) - 1


def _transformed(
    table: dict[str, FloatArray], transform: str | None, variance: FloatArray
) -> dict[str, Any]:
    if transform is None:
        return table
    nothing = np.full(len(table["estimate"]), np.nan)
    if transform == "r":
        return {
            name: nothing if name == "std_error" else np.tanh(values)
            for name, values in table.items()
        }
    averaged = ("estimate", "conf_low", "conf_high")
    return {
        name: back_transform(values, variance) if name in averaged else nothing
        for name, values in table.items()
    }
