"""What one correlation alone implies about trait and state, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.traitstate.mixture import ICC_X, ICC_Y, Band, mixture_weights

__all__ = ["ImpliedTotal", "compatible_pairs", "implied_total"]

STEPS = 41


def compatible_pairs(
    r: float,
    a: float | None = None,
    b: float | None = None,
    *,
    icc_x: float = ICC_X[0],
    icc_y: float = ICC_Y[0],
    k_x: float = 1,
    k_y: float = 1,
    shared: float = 1,
) -> pd.DataFrame:
    """Pairs (ρ_B, ρ_W) that all give the same undisaggregated correlation.

    Parameters
    ----------
    r : float
        The correlation over patients.
    a, b : float, optional
        Its weights; by default those of `mixture_weights` at the ICCs and occasions given.
    icc_x, icc_y, k_x, k_y, shared : float
        As there; by default one shared occasion of either score.

    Returns
    -------
    DataFrame
        rho_between rho_within, the points of the line r = a ρ_B + b ρ_W inside −1 to 1.

    Examples
    --------
    >>> line = compatible_pairs(.278)
    >>> line.loc[line["rho_within"].abs().idxmin()].round(2).tolist()
    [0.45, -0.04]
    """
    if a is None and b is None:
        weights = mixture_weights(icc_x, icc_y, k_x, k_y, shared)
        a, b = float(weights[0]), float(weights[1])
    if a is None or b is None or (a == 0 and b == 0):
        raise SpecificationError("give both weights a and b, not both of them zero, or neither")
    steps = np.linspace(-1, 1, STEPS)
    if abs(b) < 1e-12:
        points = pd.DataFrame({"rho_between": r / a, "rho_within": steps})
    elif abs(a) < 1e-12:
        points = pd.DataFrame({"rho_between": steps, "rho_within": r / b})
    else:
        points = pd.DataFrame({"rho_between": steps, "rho_within": (r - a * steps) / b})
    return points[points.abs().le(1).all(axis=1)].reset_index(drop=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedTotal:
    """A correlation over patients that a trait-like and a state-like correlation imply.

    Attributes
    ----------
    estimate : float
        At the mean ICCs.
    low, high : float
        The smallest and largest at the corners of their bands.
    """

    estimate: float
    low: float
    high: float


def implied_total(
    rho_between: float,
    rho_within: float,
    icc_x: Band = ICC_X,
    icc_y: Band = ICC_Y,
    *,
    shared: float = 1,
) -> ImpliedTotal:
    """The correlation of one occasion's alliance with one occasion's outcome.

    Parameters
    ----------
    rho_between, rho_within : float
        Of latent means, and of deviations at the same occasion.
    icc_x, icc_y : (mean, low, high)
    shared : float
        1 for the same occasion; 0 for occasions far apart, whose deviations are unrelated.

    Returns
    -------
    ImpliedTotal

    Examples
    --------
    >>> implied = implied_total(.38, .10)
    >>> [round(value, 2) for value in (implied.estimate, implied.low, implied.high)]
    [0.28, 0.24, 0.32]
    """

    def at(x: float, y: float) -> float:
        a, b = mixture_weights(x, y, 1, 1, shared)
        return float(a * rho_between + b * rho_within)

    corners = [at(x, y) for x in icc_x[1:] for y in icc_y[1:]]
    return ImpliedTotal(estimate=at(icc_x[0], icc_y[0]), low=min(corners), high=max(corners))
