"""``augment``: what the model says about every single effect."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.fit import refit
from metalliance.models.inference import Inference, as_inference
from metalliance.models.result import Fit
from metalliance.models.spread import spread_at
from metalliance.models.studies import contribution_weights
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import critical_value
from metalliance.numerics.linalg import transpose
from metalliance.numerics.sandwich import CR_TYPES

__all__ = ["augment"]

_IDS = ("study", "sample", "effect")


def augment(fit: Fit | Inference, level: float = 0.95) -> pd.DataFrame:
    """Fitted values, residuals, weights and shrunken effects, one row per effect.

    Parameters
    ----------
    fit : Fit or Inference
        The inference enters the standard errors and intervals of the shrunken effects.
    level : float
        Of those intervals.

    Returns
    -------
    DataFrame
        The ids (study, sample, effect and the random factors, as far as there are any), then
        yi vi fitted residual std_residual rstudent hat weight blup blup_se blup_low blup_high.

    Notes
    -----
    ``std_residual`` = e/√diag(M - XBX'). ``rstudent`` predicts an effect from a model that was
    fitted without it, variance components included; NaN where that model cannot be fitted.
    ``weight`` is the contribution 1'M⁻¹/(1'M⁻¹1) in percent. With G = M - V, the shrunken
    effect is Xβ + GM⁻¹e with variance G - GM⁻¹G + (X - GM⁻¹X) Var(β) (X - GM⁻¹X)'. Its interval
    uses the reference distribution of the inference, after a CR covariance t on J-1 df.

    References
    ----------
    Raudenbush & Bryk (1985), doi:10.3102/10769986010002075; Viechtbauer & Cheung (2010),
    doi:10.1002/jrsm.11.
    """
    inference = as_inference(fit)
    model = inference.fit
    if model.weights is not None:
        raise SpecificationError(
            "augment shrinks effects towards a mean weighted by 1/(vi + tau2); leave weights= out"
        )
    fitted = model.X @ model.beta
    explained = np.einsum("ij,jl,il->i", model.X, model.vcov, model.X)
    blup, variance, hat = _shrunken(inference)
    se = np.sqrt(np.maximum(variance, 0.0))
    half = critical_value(level, _df(inference)) * se
    table = _identifiers(model)
    values = {
        "yi": model.yi,
        "vi": model.vi,
        "fitted": fitted,
        "residual": model.residuals,
        "std_residual": _ratio(model.residuals, model.marginal.diagonal() - explained),
        "rstudent": _deleted_residuals(model),
        "hat": hat,
        "weight": contribution_weights(model),
        "blup": blup,
        "blup_se": se,
        "blup_low": blup - half,
        "blup_high": blup + half,
    }
    return table.assign(**values)


def _identifiers(model: Fit) -> pd.DataFrame:
    factors = [re.sub(r".*/", "", term.name) for term in model.random]
    names = [name for name in dict.fromkeys([*_IDS, *factors]) if name in model.data.columns]
    names = [name for name in names if name not in ("yi", "vi")]
    if not names:
        return pd.DataFrame({"row": model.data.index.astype(str)}, index=model.data.index)
    return model.data[names].copy()


def _shrunken(inference: Inference) -> tuple[FloatArray, FloatArray, FloatArray]:
    """BLUPs, their variances, and the leverages, by blocks."""
    model = inference.fit
    blup, variance, hat = np.empty(model.k), np.empty(model.k), np.empty(model.k)
    e = model.residuals
    for V, M in zip(model.sampling.stacks, model.marginal.stacks, strict=True):
        X = model.X[M.rows]
        inverse = np.linalg.inv(M.values)
        G = M.values - V.values
        shrink = G @ inverse
        left = X - shrink @ X
        blup[M.rows] = X @ model.beta + (shrink @ e[M.rows][:, :, None])[:, :, 0]
        own = np.diagonal(G - shrink @ G, axis1=1, axis2=2)
        variance[M.rows] = own + np.einsum("bni,ij,bnj->bn", left, inference.vcov, left)
        hat[M.rows] = np.diagonal(X @ model.vcov @ transpose(X) @ inverse, axis1=1, axis2=2)
    return blup, variance, hat


def _df(inference: Inference) -> float:
    if inference.vcov_type in CR_TYPES:
        return inference.n_clusters - 1.0
    return float(inference.df[0])


def _deleted_residuals(model: Fit) -> FloatArray:
    deleted = np.full(model.k, np.nan)
    for i in range(model.k):
        keep = np.arange(model.k) != i
        try:
            without = refit(model, keep)
        except SpecificationError:
            continue
        x = model.X[i]
        total = model.vi[i] + spread_at(model, without, i) + x @ without.vcov @ x
        deleted[i] = (model.yi[i] - x @ without.beta) / np.sqrt(total)
    return deleted


def _ratio(residuals: FloatArray, variance: FloatArray) -> FloatArray:
    """Residuals over their standard errors; NaN where the design leaves no residual."""
    scale = np.abs(variance) > 1e-12 * np.max(np.abs(variance))
    safe = np.where(scale & (variance > 0), variance, np.nan)
    return np.asarray(residuals / np.sqrt(safe))
