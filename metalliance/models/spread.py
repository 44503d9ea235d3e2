"""How far true effects lie from what the moderators say: variances for new rows, I² by level."""

from __future__ import annotations

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.inference import Inference, as_model
from metalliance.models.random import RandomTerm, outermost_term, same_grouping, slopes_of
from metalliance.models.result import Fit
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.parameters import parameters_of

__all__ = ["covariances", "heterogeneity", "inner_rows", "spread_at", "spread_of_rows"]

_COMMON = ("1", "ID", "CS", "AR")


def covariances(fit: Fit) -> tuple[FloatArray, ...]:
    """G (q, q) of every random term."""
    structures = [term.factor.structure for term in fit.random]
    parameters = parameters_of(structures)
    found = []
    for structure, place in zip(structures, parameters.places, strict=True):
        entries = structure.entries(fit.theta[place]).psi
        found.append(np.append(entries, 0.0)[structure.pattern()])
    return tuple(found)


def spread_of_rows(fit: Fit, newdata: pd.DataFrame | None, target: str) -> FloatArray:
    """Variance of the true value that a prediction interval is for, one per row (or one for all).

    Parameters
    ----------
    newdata : DataFrame or None
        None for the fitted rows; for a mean alone one value, NaN where it differs by row.
    target : {'effect', 'study'}
        All random terms, or those of the outermost grouping alone.
    """
    if fit.method == "EE":
        return np.array([np.nan])
    if fit.univariate:
        return np.array([fit.tau2])
    terms = list(zip(fit.random, covariances(fit), strict=True))
    if target == "study":
        outer = outermost_term(fit.random)
        if outer is None:
            raise SpecificationError(
                "target='study' needs one outermost random factor; here the factors are crossed"
            )
        terms = [(term, G) for term, G in terms if same_grouping(term.codes, outer.codes)]
    total = np.zeros(fit.k if newdata is None else len(newdata))
    for term, G in terms:
        total = total + _of_term(term, G, newdata)
    if newdata is None and fit.design.is_mean_only:
        same = np.ptp(total) <= 1e-12 * np.max(total, initial=0.0)
        return total[:1] if same else np.array([np.nan])
    return total


def spread_at(fit: Fit, refitted: Fit, i: int) -> float:
    """Variance of the true effect of row i of a fit, by the components of a refit."""
    if refitted.univariate:
        return refitted.tau2
    total = 0.0
    for term, G in zip(fit.random, covariances(refitted), strict=True):
        row = inner_rows(term)[i]
        total += float(row @ G @ row)
    return total


def heterogeneity(fit: Fit | Inference) -> pd.DataFrame:
    """How much of the variance of effects is between studies, within studies, and so on.

    Parameters
    ----------
    fit : Fit or Inference

    Returns
    -------
    DataFrame
        term name variance i2_matrix i2_ratio, in percent: one row for each variance and, last, one
        for their total (``term`` empty, ``name`` total). NaN for random slopes.

    Notes
    -----
    I² = 100 σ²/(Σσ² + ṽ) with a typical sampling variance ṽ: (k-p)/tr P, P = V⁻¹ - V⁻¹X(X'V⁻¹X)⁻¹
    X'V⁻¹, for ``i2_matrix``, and (k-1)Σw/((Σw)² - Σw²), w = 1/vi, for ``i2_ratio``. They agree
    for independent sampling errors without moderators. Where the levels of an inner factor have
    variances of their own, each is set against its own level: the other terms and ṽ from the
    effects at that level ((k_a - 1)/Σ P_ii over its rows).

    References
    ----------
    Higgins & Thompson (2002), doi:10.1002/sim.1186; Nakagawa & Santos (2012),
    doi:10.1007/s10682-012-9555-5; Jackson, White & Riley (2012), doi:10.1002/sim.5453.
    """
    model = as_model(fit)
    w = 1 / model.vi
    ratio = (model.k - 1) * w.sum() / (w.sum() ** 2 - np.sum(w**2))
    typical = np.array([model.typical_v, ratio])
    total = model.heterogeneity
    rows = []
    if model.univariate:
        rows.append(("", "tau2", model.tau2, *_percent(model.tau2, total + typical)))
    components = iter(model.components)
    for term in model.random:
        variances, correlations = term.factor.structure.size
        for level in range(variances):
            part = next(components)
            share = _percent(part.estimate, total + typical)
            if term.structure not in _COMMON:
                share = _at_level(model, term, level, part.estimate)
            rows.append((part.term, part.name, part.estimate, *share))
        for _ in range(correlations):
            next(components)
    rows.append(("", "total", total, *_percent(total, total + typical)))
    return pd.DataFrame(rows, columns=["term", "name", "variance", "i2_matrix", "i2_ratio"])


def _of_term(term: RandomTerm, G: FloatArray, newdata: pd.DataFrame | None) -> FloatArray:
    if term.structure in _COMMON:
        return np.full(1, G[0, 0])
    rows = inner_rows(term) if newdata is None else slopes_of(term, newdata)
    return np.asarray(np.einsum("ij,jl,il->i", rows, G, rows))


def inner_rows(term: RandomTerm) -> FloatArray:
    """(k, q) which random effects of its group each fitted row takes part in."""
    if term.factor.slopes is not None:
        return term.factor.slopes
    return np.asarray(np.eye(term.factor.q)[term.factor.inner])


def _at_level(model: Fit, term: RandomTerm, level: int, variance: float) -> tuple[float, float]:
    """I² among the effects at one level of an inner factor, by both formulas."""
    if term.factor.inner is None:
        return np.nan, np.nan
    rows = term.factor.inner == level
    k = int(rows.sum())
    w = 1 / model.vi[rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (k - 1) * w.sum() / (w.sum() ** 2 - np.sum(w**2))
    typical = np.array([(k - 1) / _diagonal_of_p(model)[rows].sum(), ratio])
    return _percent(variance, float(np.mean(model.spread[rows])) + typical)


def _diagonal_of_p(model: Fit) -> FloatArray:
    """(k,) diagonal of P at M = V."""
    diagonal = np.empty(model.k)
    A = np.zeros((model.p, model.p))
    weighted = np.empty_like(model.X)
    for stack in model.sampling.stacks:
        W = np.linalg.inv(stack.values)
        WX = W @ model.X[stack.rows]
        A += np.einsum("bni,bnj->ij", model.X[stack.rows], WX)
        weighted[stack.rows] = WX
        diagonal[stack.rows] = np.diagonal(W, axis1=1, axis2=2)
    return np.asarray(diagonal - np.einsum("ij,jl,il->i", weighted, np.linalg.inv(A), weighted))


def _percent(part: float, whole: FloatArray) -> tuple[float, float]:
    shares = 100 * part / whole
    return float(shares[0]), float(shares[1])
