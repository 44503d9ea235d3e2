"""The tables of a fitted model: coefficients, one-row summary, variance components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metalliance.models.confint import confint
from metalliance.models.inference import Inference, as_inference, as_model
from metalliance.models.result import Fit
from metalliance.models.wald import joint_test, moderator_contrasts
from metalliance.numerics.distributions import chi2_sf, critical_value, two_sided_p
from metalliance.numerics.linalg import orthonormal_basis
from metalliance.numerics.regressions import regressions
from metalliance.numerics.tau2 import ESTIMATORS

__all__ = ["components", "glance", "tidy"]

_NUMBERS = pd.Index(
    ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
)


def tidy(x: Any, level: float = 0.95) -> pd.DataFrame:
    """Coefficients with their uncertainty.

    Parameters
    ----------
    x : Fit, Inference, or any result that has a ``table``
    level : float
        Of the confidence intervals.

    Returns
    -------
    DataFrame
        One row per coefficient: term estimate std_error statistic df p_value conf_low conf_high.
        ``df`` is NaN for a z test.
    """
    table = getattr(x, "table", None)
    if isinstance(table, pd.DataFrame):
        return table.copy()
    inference = as_inference(x)
    fit, se = inference.fit, inference.std_error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = fit.beta / se
    half = critical_value(level, inference.df) * se
    df = np.where(np.isinf(inference.df), np.nan, inference.df)
    p_value = two_sided_p(statistic, inference.df)
    columns = (fit.beta, se, statistic, df, p_value, fit.beta - half, fit.beta + half)
    table = pd.DataFrame(np.array(columns).T, columns=_NUMBERS)
    table.insert(0, "term", list(fit.terms))
    return table


def glance(fit: Fit | Inference) -> pd.DataFrame:
    """One row about the whole model.

    Parameters
    ----------
    fit : Fit or Inference
        Only ``qm`` and its relatives depend on the inference.

    Returns
    -------
    DataFrame
        k n_clusters p tau2 se_tau2 i2 h2 r2 q q_df q_p qm qm_df qm_df2 qm_test qm_p log_lik
        log_lik_ml aic bic aicc method converged.

    Notes
    -----
    I² = 100 τ²/(τ² + ṽ) and H² = τ²/ṽ + 1 with ṽ = (k-p)/tr P at W = V⁻¹; with random terms τ²
    is the sum of the components. For EE I² = 100 max(0, (Q-df)/Q), H² = Q/df. ``log_lik`` is
    the restricted one, with ½ln|X'X|, after REML; the information criteria follow it.
    """
    inference = as_inference(fit)
    model = inference.fit
    df = model.k - model.p
    test = joint_test(inference, moderator_contrasts(model))
    i2, h2 = _heterogeneity(model)
    restricted = model.method == "REML"
    log_lik = model.log_lik_reml if restricted else model.log_lik_ml
    aic, bic, aicc = _criteria(model, log_lik, df if restricted else model.k)
    row = {
        "k": model.k,
        "n_clusters": inference.n_clusters,
        "p": model.p,
        "tau2": model.tau2,
        "se_tau2": model.se_tau2,
        "i2": i2,
        "h2": h2,
        "r2": _r_squared(model),
        "q": model.q,
        "q_df": df,
        "q_p": float(chi2_sf(model.q, df)),
        "qm": test["statistic"],
        "qm_df": test["df_num"],
        "qm_df2": test["df_den"],
        "qm_test": test["test"],
        "qm_p": test["p_value"],
        "log_lik": log_lik,
        "log_lik_ml": model.log_lik_ml,
        "aic": aic,
        "bic": bic,
        "aicc": aicc,
        "method": model.method,
        "converged": model.convergence.converged,
    }
    return pd.DataFrame([row])


def components(
    fit: Fit | Inference, intervals: str | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Variance components.

    Parameters
    ----------
    fit : Fit or Inference
    intervals : {None, 'qprofile', 'profile'}
        Confidence limits as ``confint`` gives them; they take time with random terms.
    level : float

    Returns
    -------
    DataFrame
        term name estimate conf_low conf_high; ``name`` is tau2 or sigma2, ``term`` the random
        term (empty for tau2), the limits NaN unless asked for.
    """
    model = as_model(fit)
    names = [part.name for part in model.components]
    if intervals is not None:
        table = confint(model, intervals, level)
        return table[table["name"].isin(names)].reset_index(drop=True)
    return pd.DataFrame(
        {
            "term": [part.term for part in model.components],
            "name": names,
            "estimate": [part.estimate for part in model.components],
            "conf_low": np.nan,
            "conf_high": np.nan,
        }
    )


def _heterogeneity(model: Fit) -> tuple[float, float]:
    """I² in percent and H²."""
    if model.method == "EE":
        df = model.k - model.p
        i2 = 100 * max(0.0, (model.q - df) / model.q) if model.q > 0 else 0.0
        return i2, model.q / df
    total, typical = model.heterogeneity, model.typical_v
    h2 = total / typical + 1 if model.univariate else float("nan")
    return 100 * total / (total + typical), h2


def _r_squared(model: Fit) -> float:
    """Percent of tau² that the moderators explain, against the model without them.

    For EE, percent of the mean square Q/(k-p).
    """
    if not model.univariate or model.design.intercept is None or model.p == 1:
        return float("nan")
    alone = np.ones((model.k, 1))
    if model.method == "EE":
        problem = regressions(model.yi, model.vi, orthonormal_basis(alone).Q)
        before = float(problem.sums(np.zeros(1), cubes=False).q[0]) / (model.k - 1)
        return 100 * max(0.0, 1 - model.q / (model.k - model.p) / before) if before > 0 else 0.0
    if model.components[0].fixed:
        return float("nan")
    without = ESTIMATORS[model.method](model.yi, model.vi, alone, model.weights).value
    return 100 * max(0.0, (without - model.tau2) / without) if without > 0 else 0.0


def _criteria(model: Fit, log_lik: float, n: int) -> tuple[float, float, float]:
    """AIC, BIC and AICc; fixed components are not counted."""
    count = model.p + sum(not part.fixed for part in model.components)
    deviance = -2 * log_lik
    corrected = max(n, count + 2)
    aicc = deviance + 2 * count * corrected / (corrected - count - 1)
    return deviance + 2 * count, deviance + count * float(np.log(n)), aicc
