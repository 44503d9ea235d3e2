"""Sampling correlations that are assumed where none is reported."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np

from metalliance.effectsize.paths import FORWARD, REVERSE
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray

__all__ = ["RHO_BY_COMPONENT", "autocorrelation", "correlation_table", "is_correlation"]

#: Sampling correlation of two effects of one sample, by their components or, where they differ,
#: by the directions of their paths. ``docs/sampling_covariance.md`` says where each comes from.
#: Left out on purpose, so that they are refused: a total beside the between-patient effect it
#: mostly consists of, the two readings of one between-patient effect, and ``blended`` and
#: ``contextual`` beside anything else; no constant describes these.
RHO_BY_COMPONENT: dict[tuple[str, str], float] = {
    ("total", "total"): 0.6,
    ("between_observed", "between_observed"): 0.6,
    ("between_latent", "between_latent"): 0.6,
    ("within", "within"): 0.6,
    ("between_change", "between_change"): 0.6,
    ("blended", "blended"): 0.6,
    ("contextual", "contextual"): 0.6,
    ("between_therapist", "between_therapist"): 0.6,
    ("within_therapist", "within_therapist"): 0.6,
    ("within", "total"): 0.3,
    ("within", "between_observed"): 0.0,
    ("within", "between_latent"): 0.0,
    ("within", "between_change"): 0.7,
    ("within", "between_therapist"): 0.0,
    ("within", "within_therapist"): 0.0,
    ("between_change", "total"): 0.0,
    ("between_change", "between_observed"): 0.0,
    ("between_change", "between_latent"): 0.0,
    ("between_change", "between_therapist"): 0.0,
    ("between_change", "within_therapist"): 0.0,
    ("between_therapist", "total"): 0.4,
    ("between_therapist", "between_observed"): 0.5,
    ("between_therapist", "between_latent"): 0.5,
    ("between_therapist", "within_therapist"): 0.0,
    ("within_therapist", "total"): 0.6,
    ("within_therapist", "between_observed"): 0.8,
    ("within_therapist", "between_latent"): 0.8,
    (FORWARD, REVERSE): 0.0,
    ("forward", "reverse"): 0.0,
}


def is_correlation(value: object, name: str) -> float:
    """``value`` as a float, refused unless it is a number from −1 to 1."""
    if not isinstance(value, Real) or not -1.0 <= float(value) <= 1.0:
        raise SpecificationError(f"{name} = {value} is no correlation; give a value from -1 to 1")
    return float(value)


def correlation_table(levels: list[str], rho: Mapping[tuple[str, str], float]) -> FloatArray:
    """(c, c) correlations of ``levels`` by pair, NaN where ``rho`` has none.

    A pair may be given in either order, or in both if they agree.
    """
    both_ways: dict[tuple[str, str], float] = {}
    for pair, value in rho.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise SpecificationError(f"rho has the key {pair!r}; give pairs, such as ('a', 'b')")
        a, b = pair
        checked = is_correlation(value, f"rho of {a!r} and {b!r}")
        if both_ways.setdefault((a, b), checked) != checked:
            raise SpecificationError(
                f"rho gives {a!r} and {b!r} two values, {both_ways[a, b]:g} and {checked:g}; "
                "one pair has one correlation"
            )
        both_ways[b, a] = checked
    return np.array([[both_ways.get((a, b), np.nan) for b in levels] for a in levels])


def autocorrelation(time: FloatArray, phi: float) -> FloatArray:
    """(B, n, n) φ^|t_i − t_j| of B clusters with times (B, n).

    A negative φ alternates in sign from one unit of time to the next and means nothing between.
    """
    gaps = np.abs(time[:, :, None] - time[:, None, :])
    if phi < 0 and np.any(gaps != np.round(gaps)):
        raise SpecificationError(
            f"phi = {phi:g} is negative, which needs times a whole number of units apart"
        )
    return np.asarray(phi**gaps)
