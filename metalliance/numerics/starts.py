"""Where the search for the maximum begins, and what it could never find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.covariances import Natural
from metalliance.numerics.likelihood import Likelihood, evaluate, sampling_only
from metalliance.numerics.parameters import Parameters

__all__ = ["ESSENTIAL", "inseparable", "starting_values", "total_variance"]

ESSENTIAL = 3


def starting_values(likelihood: Likelihood, parameters: Parameters) -> tuple[FloatArray, ...]:
    """A moment estimate of the total, shared out evenly; nearly none, and far too much of it.

    These three come first (`ESSENTIAL`); then mostly to each term, and correlations on each side
    of zero.
    """
    total = total_variance(likelihood)
    T = len(parameters.structures)
    even = np.full(T, total / T)
    begins = [(even, 0.0), (1e-3 * even, 0.0), (10 * even, 0.0), (0.03 * even, 0.0)]
    for t in range(T if T > 1 else 0):
        share = np.full(T, 0.05 * total / (T - 1))
        share[t] = 0.95 * total
        begins.append((share, 0.0))
    if any(structure.size[1] for structure in parameters.structures):
        begins += [(even, 0.7), (even, 0.95), (10 * even, 0.95), (even, -0.4)]
    starts = [parameters.theta(_naturals(parameters, shares, rho)) for shares, rho in begins]
    return (*starts, *_one_level_low(parameters, even))


def total_variance(likelihood: Likelihood) -> float:
    """A moment estimate of all true variance, at least a tenth of the sampling variance."""
    alone = sampling_only(likelihood.layout)
    k, columns = likelihood.layout.R.shape
    df = k - (columns - 1)
    return float(max((alone.q - df) / alone.trace_p, 0.1 * df / alone.trace_p))


def inseparable(
    likelihood: Likelihood, parameters: Parameters, free: NDArray[np.bool_]
) -> tuple[int, ...]:
    """Variances and correlations that the data cannot tell apart, by their number.

    They are those of the ``free`` ones that take part in a null direction of the expected
    information at a point off all edges, each scaled by the information about it that there
    would be without moderators.
    """
    naturals = _naturals(parameters, np.full(len(parameters.structures), 1.0), 0.25)
    start = np.concatenate([np.concatenate([n.tau2, n.rho]) for n in naturals])
    start[start == 1.0] = total_variance(likelihood) / len(parameters.structures)
    jacobian = _natural_slope(parameters, start)[:, free]
    psi = parameters.psi(_theta_of(parameters, start))
    alone = replace(likelihood, restricted=False)
    unhindered = jacobian.T @ evaluate(alone, psi).expected @ jacobian
    scale = np.sqrt(np.maximum(np.diagonal(unhindered), 1e-300))
    information = jacobian.T @ evaluate(likelihood, psi).expected @ jacobian
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    null = vectors[:, values < 1e-8]
    named = np.flatnonzero(np.any(np.abs(null) > 1e-3, axis=1))
    return tuple(int(i) for i in np.flatnonzero(free)[named])


def _natural_slope(parameters: Parameters, start: FloatArray) -> FloatArray:
    """∂ψ/∂(τ², ρ) by central differences: it only has to show a rank."""
    columns = []
    for i in range(len(start)):
        step = np.zeros_like(start)
        step[i] = 1e-5 * abs(start[i])
        ahead = parameters.psi(_theta_of(parameters, start + step))
        behind = parameters.psi(_theta_of(parameters, start - step))
        columns.append((ahead - behind) / (2 * step[i]))
    return np.column_stack(columns)


def _theta_of(parameters: Parameters, values: FloatArray) -> FloatArray:
    naturals, first = [], 0
    for structure in parameters.structures:
        variances, correlations = structure.size
        middle, last = first + variances, first + variances + correlations
        naturals.append(Natural(tau2=values[first:middle], rho=values[middle:last]))
        first = last
    return parameters.theta(naturals)


def _naturals(parameters: Parameters, shares: FloatArray, rho: float) -> list[Natural]:
    """One share of variance for each structure, and correlations as near ρ as it allows."""
    naturals = []
    for structure, share in zip(parameters.structures, shares, strict=True):
        variances, correlations = structure.size
        value = rho
        if rho < 0 and correlations:
            low = structure.bounds[0][-1]
            value = max(rho, 0.5 * low) if np.isfinite(low) else rho / correlations
        naturals.append(Natural(tau2=np.full(variances, share), rho=np.full(correlations, value)))
    return naturals


def _one_level_low(parameters: Parameters, shares: FloatArray) -> list[FloatArray]:
    """Where levels have variances of their own and a correlation: nearly none for each in turn."""
    starts = []
    even = _naturals(parameters, shares, 0.0)
    for t, structure in enumerate(parameters.structures):
        variances, correlations = structure.size
        for level in range(variances if variances > 1 and correlations else 0):
            tau2 = even[t].tau2.copy()
            tau2[level] *= 0.01
            changed = [*even[:t], replace(even[t], tau2=tau2), *even[t + 1 :]]
            starts.append(parameters.theta(changed))
    return starts
