"""``random_effects``: what the model says about every study, sample or component of a study."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.inference import Inference, as_inference
from metalliance.models.random import RandomTerm
from metalliance.models.result import Fit
from metalliance.models.spread import covariances, inner_rows
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import critical_value
from metalliance.numerics.linalg import inverse
from metalliance.numerics.sandwich import CR_TYPES

__all__ = ["random_effects"]


def random_effects(x: Fit | Inference, level: float = 0.95) -> pd.DataFrame:
    """Best linear unbiased predictions of the random effects, level by level.

    Parameters
    ----------
    x : Fit or Inference
        The inference enters the standard errors and intervals.
    level : float
        Of the prediction intervals.

    Returns
    -------
    DataFrame
        term group inner estimate std_error conf_low conf_high: one row for every group of every
        term, and for every inner level (or slope) of it. Estimates are deviations from what the
        moderators say.

    Notes
    -----
    û = GZ'M⁻¹e with Var(û - u) = G - GZ'M⁻¹ZG + GZ'M⁻¹X Var(β) X'M⁻¹ZG.

    References
    ----------
    Henderson (1975), doi:10.2307/2529430; Robinson (1991), doi:10.1214/ss/1177011926.
    """
    inference = as_inference(x)
    fit = inference.fit
    if fit.univariate:
        raise SpecificationError(
            "random_effects speaks of random terms; for independent effects use augment, whose "
            "blup column has the shrunken effect of each study"
        )
    solved = _solved(fit)
    df = inference.n_clusters - 1.0 if inference.vcov_type in CR_TYPES else float(inference.df[0])
    reach = float(critical_value(level, df))
    tables = [
        _term_table(inference, term, G, solved)
        for term, G in zip(fit.random, covariances(fit), strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    half = reach * table["std_error"]
    return table.assign(conf_low=table["estimate"] - half, conf_high=table["estimate"] + half)


def _solved(fit: Fit) -> tuple[FloatArray, list[FloatArray]]:
    """M⁻¹[X, e] (k, p+1), and M⁻¹ by stack."""
    table = np.column_stack([fit.X, fit.residuals])
    solved, inverses = np.empty_like(table), []
    for stack in fit.marginal.stacks:
        W = inverse(stack.values)
        inverses.append(W)
        solved[stack.rows] = W @ table[stack.rows]
    return solved, inverses


def _term_table(
    inference: Inference,
    term: RandomTerm,
    G: FloatArray,
    solved: tuple[FloatArray, list[FloatArray]],
) -> pd.DataFrame:
    fit = inference.fit
    rows = inner_rows(term)
    weighted, inverses = solved
    sums = np.zeros((term.levels, term.factor.q, fit.p + 1))
    np.add.at(sums, term.codes, rows[:, :, None] * weighted[:, None, :])
    inner = np.zeros((term.levels, term.factor.q, term.factor.q))
    for stack, W in zip(fit.marginal.stacks, inverses, strict=True):
        codes, Z = term.codes[stack.rows], rows[stack.rows]
        b, i, j = np.nonzero(codes[:, :, None] == codes[:, None, :])
        products = W[b, i, j, None, None] * Z[b, i, :, None] * Z[b, j, None, :]
        np.add.at(inner, codes[b, i], products)
    shrunk = G @ sums
    left = shrunk[:, :, :-1]
    variance = G - G @ inner @ G + left @ inference.vcov @ np.swapaxes(left, 1, 2)
    spread = np.maximum(np.diagonal(variance, axis1=1, axis2=2), 0.0)
    names = term.levels_inner or ("",)
    table: dict[str, Any] = {
        "term": term.name,
        "group": np.repeat(_group_labels(fit, term), len(names)),
        "inner": np.tile(np.array(names, dtype=object), term.levels),
        "estimate": shrunk[:, :, -1].ravel(),
        "std_error": np.sqrt(spread).ravel(),
    }
    return pd.DataFrame(table)


def _group_labels(fit: Fit, term: RandomTerm) -> np.ndarray[Any, Any]:
    """Ids of the groups, from the outermost inwards, in the order of their codes."""
    first = np.unique(term.codes, return_index=True)[1]
    parts = [fit.data[name].iloc[first].astype(str).to_numpy() for name in term.factors]
    labels = ["/".join(ids) for ids in zip(*parts, strict=True)]
    return np.array(labels, dtype=object)
