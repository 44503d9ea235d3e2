"""What a fitted model holds. Data only; every later verb is a function of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metalliance.models.design import Design
from metalliance.models.random import RandomTerm
from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray
from metalliance.numerics.optimize import Convergence

__all__ = ["Component", "Fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One variance component.

    Attributes
    ----------
    term, name : str
        ``study`` and ``sigma2``; a level of an inner | outer term and ``tau2``, two levels and
        ``rho``; an empty term and ``tau2`` for a univariate fit.
    estimate : float
    fixed : bool
        Given by the user rather than estimated.
    """

    term: str
    name: str
    estimate: float
    fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A fitted model: y ~ N(Xβ, M).

    Attributes
    ----------
    call : mapping
        The specification in words and numbers, ready for JSON.
    design : Design
    random : tuple of RandomTerm
        Empty for a univariate fit.
    method : str
    data : DataFrame
        The fitted rows, with their ids and moderators.
    yi, vi : (k,) float
        Effects and sampling variances (the diagonal of V).
    X : (k, p) float
    beta : (p,) float
    vcov : (p, p) float
        (X'M⁻¹X)⁻¹, the bread of every sandwich.
    tau2, se_tau2 : float
        NaN where there are random terms.
    components : tuple of Component
    theta : (m,) float
        Parameters of the covariance structures of the random terms.
    pinned : (m,) bool
        Which of them were held.
    sampling, marginal : BlockDiagonal
        V and M, in the same blocks.
    clusters : (k,) int or None
        Default clusters of robust standard errors.
    cluster_name : str
        How those clusters are called.
    q : float
        Weighted sum of squared residuals under V alone.
    typical_v : float
        (k-p)/tr P at V⁻¹.
    log_lik_ml, log_lik_reml : float
    convergence : Convergence
    weights : (k,) float or None
        The user's weights of a univariate fit: then ``beta`` is least squares with them, ``vcov``
        (X'AX)⁻¹X'AMAX(X'AX)⁻¹, and the likelihoods are those at these coefficients.
    rss : float
        y'Py at M⁻¹ of a univariate fit, the sum of squares of Knapp and Hartung.
    """

    call: Mapping[str, Any]
    design: Design
    random: tuple[RandomTerm, ...]
    method: str
    data: pd.DataFrame = field(repr=False)
    yi: FloatArray = field(repr=False)
    vi: FloatArray = field(repr=False)
    X: FloatArray = field(repr=False)
    beta: FloatArray
    vcov: FloatArray
    tau2: float
    se_tau2: float
    components: tuple[Component, ...]
    theta: FloatArray = field(repr=False)
    pinned: NDArray[np.bool_] = field(repr=False)
    sampling: BlockDiagonal = field(repr=False)
    marginal: BlockDiagonal = field(repr=False)
    clusters: IntArray | None = field(repr=False)
    cluster_name: str
    q: float
    typical_v: float
    log_lik_ml: float
    log_lik_reml: float
    convergence: Convergence
    weights: FloatArray | None = field(default=None, repr=False)
    rss: float = float("nan")

    @property
    def k(self) -> int:
        """Number of effects."""
        return len(self.yi)

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return len(self.beta)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.design.terms

    @property
    def formula(self) -> str:
        """The moderator formula."""
        return self.design.formula

    @property
    def univariate(self) -> bool:
        """Whether the effects are treated as independent."""
        return not self.random

    @property
    def sigma2(self) -> tuple[float, ...]:
        """Variances of the random intercepts, in their order."""
        return tuple(part.estimate for part in self.components if part.name == "sigma2")

    @property
    def spread(self) -> FloatArray:
        """(k,) variance of the true effect of each row, around what the moderators say."""
        if self.univariate:
            return np.full(self.k, self.tau2)
        return np.asarray(self.marginal.diagonal() - self.vi)

    @property
    def heterogeneity(self) -> float:
        """Total variance of true effects: the mean of ``spread``.

        For a univariate model tau², for random intercepts the sum of their variances.
        """
        if any(term.structure != "1" for term in self.random):
            return float(np.mean(self.spread))
        return float(sum(part.estimate for part in self.components))

    @property
    def residuals(self) -> FloatArray:
        """(k,) y - Xβ."""
        return np.asarray(self.yi - self.X @ self.beta)

    @property
    def n_clusters(self) -> int:
        """Number of default clusters; k where effects are independent."""
        return self.k if self.clusters is None else int(self.clusters.max()) + 1
