"""Fitting models with random terms."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalliance.errors import ConvergenceError, SmallSampleWarning, SpecificationError
from metalliance.models.design import Design
from metalliance.models.inputs import Inputs
from metalliance.models.random import (
    RandomTerm,
    fewest_informing,
    outermost_term,
    select_rows,
    unseen_correlations,
)
from metalliance.models.result import Component, Fit
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.covariances import Natural
from metalliance.numerics.layout import marginal, model_blocks
from metalliance.numerics.likelihood import Likelihood, likelihood_of, sampling_only
from metalliance.numerics.maximise import Maximum, maximise
from metalliance.numerics.parameters import Parameters, parameters_of
from metalliance.numerics.starts import inseparable

__all__ = [
    "FixedValues",
    "RandomPart",
    "fit_multilevel",
    "near_parameters",
    "random_part",
    "selected_part",
]

FixedValues = float | Sequence[float | None] | None
_LEAST_INFORMING = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomPart:
    """Random terms, and which of their components are held.

    Attributes
    ----------
    terms : tuple of RandomTerm
    parameters : Parameters
        Of their structures, after holding.
    pinned : (m,) float
        Values of parameters that are held; NaN where one is estimated.
    held : tuple of float
        By component (variances and correlations of the terms in order): the value it is held
        at, NaN where it is estimated.
    """

    terms: tuple[RandomTerm, ...]
    parameters: Parameters
    pinned: FloatArray
    held: tuple[float, ...]


def random_part(
    terms: tuple[RandomTerm, ...],
    sigma2: FixedValues = None,
    tau2: FixedValues = None,
    rho: FixedValues = None,
) -> RandomPart:
    """Hold components at given values, in the order of the components; None leaves one free."""
    labels = [label for term in terms for label in term.labels()]
    queues = {}
    for name, given in (("sigma2", sigma2), ("tau2", tau2), ("rho", rho)):
        queues[name] = iter(_checked(name, given, [t for t, kind in labels if kind == name]))
    kept, pieces, held = [], [], []
    for term in terms:
        values = np.array([next(queues[name]) for _, name in term.labels()], dtype=np.float64)
        structure = term.factor.structure
        variances = structure.size[0]
        try:
            structure, theta = structure.pin(values[:variances], values[variances:])
        except ValueError as error:
            raise SpecificationError(f"tau2= and rho= of {term.name}: {error}") from None
        kept.append(replace(term, factor=replace(term.factor, structure=structure)))
        pieces.append(theta)
        held += values.tolist()
    return RandomPart(
        terms=tuple(kept),
        parameters=parameters_of([term.factor.structure for term in kept]),
        pinned=np.concatenate(pieces),
        held=tuple(held),
    )


def selected_part(fitted: Fit, keep: NDArray[np.bool_]) -> RandomPart:
    """The random part of a fit for the rows where ``keep`` (k,) holds, the same things held."""
    terms = select_rows(fitted.random, keep)
    parameters = parameters_of([term.factor.structure for term in terms])
    held = tuple(part.estimate if part.fixed else np.nan for part in fitted.components)
    pinned = np.where(fitted.pinned, fitted.theta, np.nan)
    return RandomPart(terms=terms, parameters=parameters, pinned=pinned, held=held)


def fit_multilevel(
    inputs: Inputs,
    design: Design,
    X: FloatArray,
    method: str,
    part: RandomPart,
    call: dict[str, Any],
    starts: Sequence[FloatArray] | None = None,
) -> Fit:
    """Maximise the likelihood over all components that are not held, and collect the fit.

    Parameters
    ----------
    starts : sequence of (m,) float, optional
        Where to begin; a good guess saves time, and then nothing is checked or warned of.
    """
    inputs = _with_clusters(inputs, part.terms)
    factors = [term.factor for term in part.terms]
    V = inputs.sampling.regroup(model_blocks(inputs.sampling, factors))
    likelihood = likelihood_of(inputs.yi, X, V, factors, method == "REML")
    if starts is None:
        _check_shown(part)
        _check_separable(likelihood, part)
        _warn_of_few(part)
    best = _maximum(likelihood, part, starts)
    psi = part.parameters.psi(best.theta)
    alone = sampling_only(likelihood.layout)
    return Fit(
        call=call,
        design=design,
        random=part.terms,
        method=method,
        data=inputs.frame,
        yi=inputs.yi,
        vi=V.diagonal(),
        X=X,
        beta=best.at.beta,
        vcov=best.at.bread,
        tau2=float("nan"),
        se_tau2=float("nan"),
        components=_components(part, best.theta),
        theta=best.theta,
        pinned=~np.isnan(part.pinned),
        sampling=V,
        marginal=marginal(V, factors, psi),
        clusters=inputs.clusters,
        cluster_name=inputs.cluster_name,
        q=alone.q,
        typical_v=(len(X) - X.shape[1]) / alone.trace_p,
        log_lik_ml=best.at.ml,
        log_lik_reml=best.at.reml,
        convergence=best.convergence,
    )


def near_parameters(part: RandomPart, theta: FloatArray, least: float) -> FloatArray:
    """Return θ a little off all edges, so that a search from there can go anywhere."""
    naturals = [
        Natural(
            tau2=np.maximum(natural.tau2, least),
            rho=np.clip(np.nan_to_num(natural.rho), -0.9, 0.9),
        )
        for natural in part.parameters.natural(theta)
    ]
    inside = part.parameters.theta(naturals)
    return np.clip(inside, part.parameters.lower, part.parameters.upper)


def _components(part: RandomPart, theta: FloatArray) -> tuple[Component, ...]:
    naturals = part.parameters.natural(theta)
    values = np.concatenate([np.concatenate([n.tau2, n.rho]) for n in naturals])
    found = []
    for (label, name), value, given in zip(_labels(part), values, part.held, strict=True):
        fixed = not np.isnan(given)
        estimate = given if fixed else float(value)
        found.append(Component(term=label, name=name, estimate=estimate, fixed=fixed))
    return tuple(found)


def _labels(part: RandomPart) -> list[tuple[str, str]]:
    """(term, name) of every component; several inner | outer terms are told apart."""
    several = sum(term.structure != "1" for term in part.terms) > 1
    return [
        (f"{term.name}: {label}" if several and label != term.name else label, name)
        for term in part.terms
        for label, name in term.labels()
    ]


def _maximum(
    likelihood: Likelihood, part: RandomPart, starts: Sequence[FloatArray] | None
) -> Maximum:
    try:
        return maximise(likelihood, part.parameters, part.pinned, starts)
    except np.linalg.LinAlgError:
        raise ConvergenceError(
            "the covariance of some effects became singular on the way to the optimum; check V "
            "for effects that are almost copies of each other"
        ) from None


def _with_clusters(inputs: Inputs, terms: tuple[RandomTerm, ...]) -> Inputs:
    """Clusters of a DataFrame: the groups of its outermost factor, if there is one."""
    outer = outermost_term(terms)
    if inputs.clusters is not None or outer is None:
        return inputs
    return replace(inputs, clusters=outer.codes, cluster_name=outer.outer)


def _check_shown(part: RandomPart) -> None:
    for term, held in _by_term(part):
        variances = term.factor.structure.size[0]
        if not np.isnan(held[variances:]).any():
            continue
        unseen = unseen_correlations(term)
        if unseen:
            raise SpecificationError(
                f"random={term.name!r}: no {term.outer} has {' or '.join(unseen)} together, so "
                "their correlation cannot be estimated; use structure='DIAG', or fix it with rho="
            )


def _check_separable(likelihood: Likelihood, part: RandomPart) -> None:
    free = np.isnan(part.held)
    if not free.any():
        return
    named = inseparable(likelihood, part.parameters, free)
    if named:
        labels = _labels(part)
        shown = [
            f"{'correlation' if labels[i][1] == 'rho' else 'variance'} of {labels[i][0]}"
            for i in named
        ]
        raise SpecificationError(
            f"the {' and the '.join(shown)} cannot be told apart from the other random terms or "
            "from the moderators; leave a term out of random= or a moderator out of mods=, or fix "
            "a component"
        )


def _warn_of_few(part: RandomPart) -> None:
    for term, held in _by_term(part):
        variances = term.factor.structure.size[0]
        if not np.isnan(held[variances:]).any():
            continue
        n = fewest_informing(term)
        if n < _LEAST_INFORMING:
            warnings.warn(
                f"random={term.name!r}: a correlation rests on {n} levels of {term.outer} that "
                "have both sides of it; with fewer than 10 try structure='DIAG', and fixed "
                "correlations (rho= 0, .4 and .8) beside it",
                SmallSampleWarning,
                stacklevel=4,
            )


def _by_term(part: RandomPart) -> list[tuple[RandomTerm, tuple[float, ...]]]:
    """Each term with the values at which its components are held."""
    pairs, first = [], 0
    for term in part.terms:
        last = first + len(term.labels())
        pairs.append((term, part.held[first:last]))
        first = last
    return pairs


def _checked(name: str, given: Any, terms: Sequence[str]) -> Sequence[float]:
    """Fixed values of one kind, NaN where one is estimated."""
    if given is None:
        return [np.nan] * len(terms)
    values = [given] if np.ndim(given) == 0 else list(given)
    if not terms:
        raise SpecificationError(
            f"{name}= fixes nothing here; intercepts ('~ 1 | study') have sigma2=, inner | outer "
            "terms tau2= and rho="
        )
    if len(values) != len(terms):
        raise SpecificationError(
            f"{name}= has {len(values)} values for {len(terms)} components ({', '.join(terms)})"
        )
    try:
        numbers = [np.nan if value is None else float(value) for value in values]
    except (TypeError, ValueError):
        raise SpecificationError(f"{name}= must be numbers, not {given!r}") from None
    if name != "rho" and any(value < 0 or np.isinf(value) for value in numbers):
        raise SpecificationError(f"{name}= must be finite and at least zero, not {given!r}")
    return numbers
