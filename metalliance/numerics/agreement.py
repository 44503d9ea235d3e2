"""How far coders agree on categories: percent agreement, Cohen's kappa, Gwet's AC1.

Codes come as an array with one row per unit and one column per coder: categories as whole
numbers from 0, NaN where a coder gave none. What is undefined is NaN, with the reason in words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import critical_value

__all__ = [
    "KAPPA_WEIGHTS",
    "Coefficient",
    "KappaWeights",
    "category_counts",
    "cohen_kappa",
    "gwet_ac1",
    "light_kappa",
    "percent_agreement",
]

KappaWeights = Literal["none", "linear", "quadratic"]
KAPPA_WEIGHTS: dict[KappaWeights, str | None] = {
    "none": None,
    "linear": "linear",
    "quadratic": "quadratic",
}
NO_UNITS = "no unit was coded by two coders"
ONE_CATEGORY = "all codes are one category: agreement cannot be told from chance"
ONE_USED = "one coder used a single category: kappa is 0 whatever the other did"
NO_INTERVAL = "no interval at perfect agreement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A coefficient of agreement.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high : float
        NaN where undefined.
    n : int
        Units that entered.
    note : str
        Why something is NaN; empty otherwise.
    """

    estimate: float = math.nan
    std_error: float = math.nan
    conf_low: float = math.nan
    conf_high: float = math.nan
    n: int = 0
    note: str = ""


def percent_agreement(codes: FloatArray) -> Coefficient:
    """Share of agreeing pairs of coders, in percent: the mean over units with two codes or more.

    Parameters
    ----------
    codes : (n, coders) array
        Any numbers; NaN where a coder gave none.

    Returns
    -------
    Coefficient
        Without an interval.

    Examples
    --------
    >>> percent_agreement(np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [2.0, 2.0]])).estimate
    75.0
    """
    counts = category_counts(codes)
    per_unit = counts.sum(axis=1)
    several = per_unit >= 2
    if not several.any():
        return Coefficient(note=NO_UNITS)
    agreeing = _agreeing(counts[several], per_unit[several])
    return Coefficient(estimate=100 * float(agreeing.mean()), n=int(several.sum()))


def category_counts(codes: FloatArray) -> FloatArray:
    """How many coders chose each category that occurs: (n, categories), categories ascending."""
    codes = _table(codes)
    values = np.unique(codes[~np.isnan(codes)])
    return np.asarray((codes[:, :, None] == values).sum(axis=1), dtype=float)


def _table(codes: FloatArray) -> FloatArray:
    table = np.asarray(codes, dtype=float)
    if table.ndim != 2:
        raise ValueError("codes have one row per unit and one column per coder")
    return table


def _agreeing(counts: FloatArray, per_unit: FloatArray) -> FloatArray:
    return np.asarray((counts * (counts - 1)).sum(axis=1) / (per_unit * (per_unit - 1)))


def cohen_kappa(
    codes: FloatArray,
    *,
    weights: KappaWeights = "none",
    categories: int | None = None,
    level: float = 0.95,
) -> Coefficient:
    r"""Cohen's kappa of two coders, unweighted or weighted.

    Parameters
    ----------
    codes : (n, 2) array
        Categories 0, 1, 2 …, for a weighted kappa in their order; units with a NaN are left out.
    weights : {'none', 'linear', 'quadratic'}
        What a disagreement of categories i and j counts: 1, \|i − j\|, (i − j)².
    categories : int, optional
        Size of the scale. It does not change kappa, only codes beyond it are refused.
    level : float
        Of the interval.

    Returns
    -------
    Coefficient
        NaN where both coders used one and the same category only; 0 without an interval where
        one of them did; no interval where they agree on every unit.

    Raises
    ------
    ValueError
        Unknown ``weights``, more than two coders, or a code that is no category.

    Notes
    -----
    κ_w = 1 − Σ v_ij p_ij / Σ v_ij p_i. p_.j with disagreement weights v. Standard error of Fleiss,
    Cohen & Everitt (1969); limits κ ± z·SE, cut at −1 and 1.

    References
    ----------
    Cohen (1960), doi:10.1177/001316446002000104; Cohen (1968), doi:10.1037/h0026256; Fleiss,
    Cohen & Everitt (1969), doi:10.1037/h0028106. Computed by statsmodels.

    Examples
    --------
    >>> pairs = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [20, 5, 10, 15], axis=0)
    >>> round(cohen_kappa(pairs.astype(float)).estimate, 3)
    0.4
    """
    if weights not in KAPPA_WEIGHTS:
        raise ValueError(f"weights is one of {', '.join(KAPPA_WEIGHTS)}, not {weights!r}")
    table = _cross_table(_table(codes), categories)
    n = int(table.sum())
    if n == 0:
        return Coefficient(note=NO_UNITS)
    if np.count_nonzero(table.sum(axis=0) + table.sum(axis=1)) == 1:
        return Coefficient(n=n, note=ONE_CATEGORY)
    if np.trace(table) == n:
        return Coefficient(estimate=1.0, n=n, note=NO_INTERVAL)
    if min(np.count_nonzero(table.sum(axis=0)), np.count_nonzero(table.sum(axis=1))) == 1:
        return Coefficient(estimate=0.0, n=n, note=ONE_USED)
    estimate, variance = _kappa(table, weights)
    std_error = math.sqrt(max(variance, 0.0))
    half = float(critical_value(level, math.inf)) * std_error
    return Coefficient(
        estimate=estimate,
        std_error=std_error,
        conf_low=max(estimate - half, -1.0),
        conf_high=min(estimate + half, 1.0),
        n=n,
    )


def _kappa(table: FloatArray, weights: KappaWeights) -> tuple[float, float]:
    from statsmodels.stats.inter_rater import cohens_kappa

    with np.errstate(all="ignore"):  # its test of kappa = 0, which is not used here
        found = cohens_kappa(table, wt=KAPPA_WEIGHTS[weights])
    return float(found.kappa), float(found.var_kappa)


def _cross_table(codes: FloatArray, categories: int | None) -> FloatArray:
    if codes.shape[1] != 2:
        raise ValueError(f"kappa is of two coders, not of {codes.shape[1]}; see light_kappa")
    pairs = codes[~np.isnan(codes).any(axis=1)]
    if not len(pairs):
        return np.zeros((2, 2))
    size = max(int(pairs.max()) + 1, 2) if categories is None else categories
    if (pairs != np.floor(pairs)).any() or pairs.min() < 0 or pairs.max() >= size:
        raise ValueError(f"categories are whole numbers from 0 to {size - 1}")
    flat = pairs[:, 0].astype(int) * size + pairs[:, 1].astype(int)
    return np.bincount(flat, minlength=size * size).reshape(size, size).astype(float)


def light_kappa(
    codes: FloatArray, *, weights: KappaWeights = "none", level: float = 0.95
) -> Coefficient:
    """Kappa of any number of coders: the mean over all pairs of coders (Light).

    Parameters
    ----------
    codes : (n, coders) array
    weights, level
        As `cohen_kappa`.

    Returns
    -------
    Coefficient
        Of two coders, as `cohen_kappa`; of more, without an interval. Pairs of coders whose
        kappa is undefined are left out of the mean, and the note says how many.

    References
    ----------
    Light (1971), doi:10.1037/h0031643; Conger (1980), doi:10.1037/0033-2909.88.2.322.

    Examples
    --------
    >>> three = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, 1.0]])
    >>> round(light_kappa(three).estimate, 4)
    0.6667
    """
    codes = _table(codes)
    if codes.shape[1] == 2:
        return cohen_kappa(codes, weights=weights, level=level)
    pairs = [
        cohen_kappa(codes[:, pair], weights=weights, level=level)
        for pair in map(list, combinations(range(codes.shape[1]), 2))
    ]
    defined = [pair.estimate for pair in pairs if not math.isnan(pair.estimate)]
    n = int(((~np.isnan(codes)).sum(axis=1) >= 2).sum())
    if not defined:
        return Coefficient(n=n, note=pairs[0].note if n else NO_UNITS)
    left_out = len(pairs) - len(defined)
    note = f"mean of {len(defined)} of {len(pairs)} pairs of coders" if left_out else ""
    return Coefficient(estimate=float(np.mean(defined)), n=n, note=note)


def gwet_ac1(
    codes: FloatArray, *, categories: int | None = None, level: float = 0.95
) -> Coefficient:
    r"""Gwet's AC1, which stays put where one category is very frequent.

    Parameters
    ----------
    codes : (n, coders) array
        NaN where a coder gave none.
    categories : int, optional
        Size q of the scale; by default the categories that occur, and 2 at least.
    level : float
        Of the interval.

    Returns
    -------
    Coefficient

    Notes
    -----
    (p_a − p_e)/(1 − p_e) with p_a the mean share of agreeing pairs and
    p_e = Σ π_k (1 − π_k)/(q − 1), π_k the mean share of category k. The variance is that of Gwet
    (2008), linearised over units, for a sample from a large population of units; limits by
    t(n − 1), cut at −1 and 1.

    References
    ----------
    Gwet (2008), doi:10.1348/000711006X126600.

    Examples
    --------
    >>> rare = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [118, 5, 2, 0], axis=0)
    >>> round(gwet_ac1(rare.astype(float)).estimate, 4)
    0.9408
    """
    counts = category_counts(codes)
    per_unit = counts.sum(axis=1)
    counts, per_unit = counts[per_unit > 0], per_unit[per_unit > 0]
    several = per_unit >= 2
    n, enough = len(counts), int(several.sum())
    if not enough:
        return Coefficient(note=NO_UNITS)
    q = max(counts.shape[1], 2) if categories is None else categories
    if q < max(counts.shape[1], 2):
        raise ValueError(f"{counts.shape[1]} categories occur, not {q}")
    share = counts / per_unit[:, None]
    pi = share.mean(axis=0)
    by_chance = float((pi * (1 - pi)).sum()) / (q - 1)
    observed = np.zeros(n)
    observed[several] = _agreeing(counts[several], per_unit[several])
    estimate = (float(observed[several].mean()) - by_chance) / (1 - by_chance)
    if n < 2:
        return Coefficient(estimate=estimate, n=enough, note="no interval from one unit")
    of_unit = np.where(several, n / enough * (observed - by_chance) / (1 - by_chance), 0.0)
    chance_of_unit = (share * (1 - pi)).sum(axis=1) / (q - 1)
    linear = of_unit - 2 * (1 - estimate) * (chance_of_unit - by_chance) / (1 - by_chance)
    std_error = math.sqrt(float(((linear - estimate) ** 2).sum()) / (n - 1) / n)
    if np.all(observed[several] == 1):
        return Coefficient(estimate=1.0, n=enough, note=NO_INTERVAL)
    half = float(critical_value(level, n - 1)) * std_error
    return Coefficient(
        estimate=estimate,
        std_error=std_error,
        conf_low=max(estimate - half, -1.0),
        conf_high=min(estimate + half, 1.0),
        n=enough,
    )
