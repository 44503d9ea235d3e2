"""``permutation_test``: p-values that hold whatever the distribution of the effects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import comb, prod

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.inference import Inference, as_inference
from metalliance.models.result import Fit
from metalliance.models.wald import moderator_contrasts
from metalliance.numerics.batch import Refits, refit_many
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.linalg import orthonormal_basis
from metalliance.numerics.regressions import Regressions
from metalliance.numerics.sandwich import CR_TYPES
from metalliance.numerics.tau2 import ESTIMATORS

__all__ = ["PermutationTest", "permutation_test"]

_TOLERANCE = 1.5e-8
_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PermutationTest:
    """Permutation p-values of the coefficients.

    Attributes
    ----------
    table : DataFrame
        term estimate statistic p_value permutations exact. ``permutations`` counts the refits,
        the observed data among them; ``exact`` says that there are no others.
    qm, qm_p : float
        Joint test of the coefficients that ``glance`` tests, and its permutation p-value.
    """

    table: pd.DataFrame
    qm: float
    qm_p: float


def permutation_test(
    fit: Fit | Inference, iterations: int = 1000, seed: int = 0, exact: bool | None = None
) -> PermutationTest:
    """Test coefficients by refitting the model to rearranged data.

    Parameters
    ----------
    fit : Fit or Inference
        A univariate one; every refit is read with the same covariance and test.
    iterations : int
        Random rearrangements, the observed data being the first.
    seed : int
        Of the random rearrangements.
    exact : bool, optional
        Take every rearrangement once. By default where there are at most ``iterations``.

    Returns
    -------
    PermutationTest

    Notes
    -----
    A mean alone is tested by changing signs of the effects, moderators by permuting the rows of
    the design; rows that are equal are not told apart. A p-value is the share of refits whose
    statistic is at least as far from zero as the observed one.

    References
    ----------
    Higgins & Thompson (2004), doi:10.1002/sim.1752; Follmann & Proschan (1999),
    doi:10.1111/j.0006-341x.1999.00732.x.
    """
    inference = as_inference(fit)
    model = inference.fit
    _check(inference, iterations)
    signs = model.design.is_mean_only
    possible = 2**model.k if signs else _arrangements(_kinds(model.X))
    complete = possible <= iterations if exact is None else exact
    if complete and possible > _MOST:
        raise SpecificationError(
            f"an exact test takes {possible:.3g} refits, and at most {_MOST} are made; "
            "leave exact= out"
        )
    rng = np.random.default_rng(seed)
    if signs:
        y, v = _signed(model, rng, None if complete else iterations)
    else:
        y, v = _permuted(model, rng, None if complete else iterations)
    observed = _refits(inference, model.yi[None], model.vi[None])
    others = _refits(inference, y, v)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = observed.beta / observed.std_error
        reached = np.abs(others.beta / others.std_error) >= np.abs(statistic) - _TOLERANCE
    table = pd.DataFrame(
        {
            "term": list(model.terms),
            "estimate": model.beta,
            "statistic": statistic[0],
            "p_value": reached.mean(axis=0),
            "permutations": len(y),
            "exact": complete,
        }
    )
    rows = len(moderator_contrasts(model)) if np.isfinite(inference.df[0]) else 1
    return PermutationTest(
        table=table,
        qm=float(observed.wald[0] / rows),
        qm_p=float(np.mean(others.wald >= observed.wald - _TOLERANCE)),
    )


def _check(inference: Inference, iterations: int) -> None:
    fit = inference.fit
    if not fit.univariate:
        raise SpecificationError(
            "permutation_test rearranges independent effects; for a fit with random= read "
            "tidy(infer(fit, 'CR2')), whose small-sample tests allow for dependence"
        )
    if inference.vcov_type in CR_TYPES:
        raise SpecificationError(
            f"permutation_test has no clusters to keep together for vcov={inference.vcov_type!r}; "
            "choose 'model', 'knha' or 'adhoc'"
        )
    if fit.weights is not None:
        raise SpecificationError("permutation_test takes no user weights; leave weights= out")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, not {iterations}")


def _refits(inference: Inference, y: FloatArray, v: FloatArray) -> Refits:
    fit = inference.fit
    fixed = fit.tau2 if fit.components[0].fixed else None
    return refit_many(
        y,
        v,
        orthonormal_basis(fit.X),
        partial(_tau2, fit.method, fixed),
        partial(_scale, inference.vcov_type),
        moderator_contrasts(fit),
    )


def _tau2(method: str, fixed: float | None, problems: Regressions) -> FloatArray:
    if fixed is not None:
        return np.full(len(problems), fixed)
    return ESTIMATORS[method].solve(problems).value


def _scale(kind: str, s2: FloatArray) -> FloatArray:
    if kind == "model":
        return np.ones_like(s2)
    return np.maximum(s2, 1.0) if kind == "adhoc" else s2


def _signed(
    fit: Fit, rng: np.random.Generator, iterations: int | None
) -> tuple[FloatArray, FloatArray]:
    """Effects with signs changed: all ways, or the observed and random ones."""
    if iterations is None:
        bits = np.arange(2**fit.k)[:, None] >> np.arange(fit.k) & 1
    else:
        bits = rng.integers(0, 2, (iterations, fit.k))
        bits[0] = 0
    y = np.where(bits, -fit.yi, fit.yi)
    return y, np.broadcast_to(fit.vi, y.shape)


def _permuted(
    fit: Fit, rng: np.random.Generator, iterations: int | None
) -> tuple[FloatArray, FloatArray]:
    """Effects, with their variances, dealt out anew to the rows of the design."""
    if iterations is None:
        order = np.array(list(_all_orders(_kinds(fit.X))))
    else:
        order = rng.permuted(np.tile(np.arange(fit.k), (iterations, 1)), axis=1)
        order[0] = np.arange(fit.k)
    return fit.yi[order], fit.vi[order]


def _kinds(X: FloatArray) -> IntArray:
    """(k,) which rows of the design are equal."""
    return np.unique(X, axis=0, return_inverse=True)[1].ravel().astype(np.intp)


def _arrangements(kinds: IntArray) -> int:
    """In how many ways the rows can be arranged that differ."""
    counts = np.bincount(kinds)
    left = np.cumsum(counts[::-1])[::-1]
    return prod(comb(int(n), int(m)) for n, m in zip(left, counts, strict=True))


def _all_orders(kinds: IntArray) -> Iterator[IntArray]:
    """Effect numbers for the rows of the design, every different arrangement once."""
    groups = [np.flatnonzero(kinds == kind) for kind in range(int(kinds.max()) + 1)]

    def deal(order: IntArray, left: list[int], rest: list[IntArray]) -> Iterator[IntArray]:
        if not rest:
            yield order.copy()
            return
        for chosen in combinations(left, len(rest[0])):
            order[rest[0]] = chosen
            yield from deal(order, [i for i in left if i not in chosen], rest[1:])

    yield from deal(np.empty(len(kinds), dtype=np.intp), list(range(len(kinds))), groups)
