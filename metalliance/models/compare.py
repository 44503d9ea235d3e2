"""``likelihood_ratio_test``: two fits of the same effects, one a special case of the other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.inference import Inference, as_model
from metalliance.models.random import same_grouping
from metalliance.models.result import Fit
from metalliance.numerics.blocks import FloatArray, connected_components
from metalliance.numerics.distributions import chi2_sf

__all__ = ["likelihood_ratio_test"]

_LOWER = 1e-6


def likelihood_ratio_test(reduced: Fit | Inference, full: Fit | Inference) -> pd.DataFrame:
    """Test a model against one that contains it.

    Parameters
    ----------
    reduced, full : Fit or Inference
        Both by ML or both by REML, of the same effects and sampling covariance. By REML they
        must have the same moderators: restricted likelihoods of different ones have nothing in
        common.

    Returns
    -------
    DataFrame
        One row: statistic df p_value log_lik_reduced log_lik_full boundary. ``boundary`` is true
        where the reduced model lacks a random term, that is, sets a variance to zero: the p-value
        is then too large (for one variance, twice too large).

    Raises
    ------
    SpecificationError
        If the two cannot be compared; the message says why.

    Notes
    -----
    χ² = 2(l_full - l_reduced). For variances at zero Self & Liang (1987),
    doi:10.1080/01621459.1987.10478472.
    """
    small, large = as_model(reduced), as_model(full)
    _check_comparable(small, large)
    restricted = small.method == "REML"
    heights = [fit.log_lik_reml if restricted else fit.log_lik_ml for fit in (small, large)]
    df = _parameters(large) - _parameters(small)
    if df <= 0:
        raise SpecificationError(
            f"the full model has {_parameters(large)} parameters and the reduced one "
            f"{_parameters(small)}; give the smaller model first"
        )
    gain = heights[1] - heights[0]
    if gain < -_LOWER:
        raise SpecificationError(
            "the likelihood of the larger model is lower than that of the smaller one, so the "
            "smaller is no special case of the larger"
        )
    statistic = 2 * max(gain, 0.0)
    return pd.DataFrame(
        [
            {
                "statistic": statistic,
                "df": df,
                "p_value": float(chi2_sf(statistic, df)),
                "log_lik_reduced": heights[0],
                "log_lik_full": heights[1],
                "boundary": _terms(small) < _terms(large),
            }
        ]
    )


def _check_comparable(small: Fit, large: Fit) -> None:
    if small.method != large.method or small.method not in ("ML", "REML"):
        raise SpecificationError(
            f"a likelihood ratio needs two fits by ML, or two by REML, not {small.method} and "
            f"{large.method}"
        )
    same_rows = small.k == large.k and np.array_equal(small.yi, large.yi)
    if not same_rows or not np.allclose(small.vi, large.vi, rtol=1e-10, atol=0):
        raise SpecificationError("the two fits have different effects; fit both to the same rows")
    if not _same_covariance(small, large):
        raise SpecificationError("the two fits have different sampling covariances V")
    missing = [
        term.outer
        for term in small.random
        if not any(same_grouping(term.codes, other.codes) for other in large.random)
        and not (large.univariate and term.levels == small.k)
    ]
    if missing:
        raise SpecificationError(
            f"the larger model has no random effects by {missing[0]}, so the smaller one is no "
            "special case of it"
        )
    if small.method == "REML" and not _same_span(small.X, large.X):
        raise SpecificationError(
            "by REML only models with the same moderators can be compared; fit both with "
            "method='ML'"
        )
    if not _contains(large.X, small.X):
        raise SpecificationError(
            "the moderators of the smaller model are not among those of the larger one"
        )


def _same_covariance(small: Fit, large: Fit) -> bool:
    """Whether V is the same, however it is laid out in blocks."""
    together = connected_components([small.sampling.labels(), large.sampling.labels()])
    pairs = zip(
        small.sampling.regroup(together).stacks,
        large.sampling.regroup(together).stacks,
        strict=True,
    )
    return all(np.allclose(one.values, other.values, rtol=1e-10, atol=0) for one, other in pairs)


def _same_span(first: FloatArray, second: FloatArray) -> bool:
    return first.shape == second.shape and _contains(first, second)


def _contains(wide: FloatArray, narrow: FloatArray) -> bool:
    """Whether the columns of ``narrow`` are combinations of those of ``wide``."""
    left = narrow - wide @ np.linalg.lstsq(wide, narrow, rcond=None)[0]
    return bool(np.all(np.abs(left) <= 1e-8 * np.abs(narrow).max(axis=0)))


def _parameters(fit: Fit) -> int:
    return fit.p + sum(not part.fixed for part in fit.components)


def _terms(fit: Fit) -> int:
    """How many random terms have a variance that is not set to zero."""
    if fit.univariate:
        return int(not (fit.components[0].fixed and fit.tau2 == 0))
    zero = [part.term for part in fit.components if part.fixed and part.estimate == 0]
    return len(fit.random) - len([name for name in zero if "," not in name])
