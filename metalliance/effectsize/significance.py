"""Tests of an association: t, F, χ², R², an exact p, and results that are only bounds."""

from __future__ import annotations

import math
import re

from metalliance.effectsize.correlation import significant_r
from metalliance.effectsize.estimate import (
    Estimate,
    Given,
    bound,
    from_zero_order,
    partial_from_t,
    residual_df,
)
from metalliance.effectsize.groups import from_phi_cells
from metalliance.effectsize.within import refuse_unpooled, wald_within

__all__ = [
    "from_chi2",
    "from_f",
    "from_not_significant",
    "from_p",
    "from_r2",
    "from_t",
    "printed_p",
]

P_TEXT = re.compile(r"\s*p?\s*([<>=≤≥]?)\s*(\d*[.,]?\d+(?:e-?\d+)?)\s*", re.ASCII | re.IGNORECASE)
NOT_SIGNIFICANT = re.compile(r"\s*(n\.?\s*s\.?|not significant)\s*", re.IGNORECASE)
STARS = {"*": 0.05, "**": 0.01, "***": 0.001}


def from_t(given: Given) -> Estimate:
    """T of a correlation, of two groups or of a slope: r = t/√(t² + df), Var(z) = 1/(df − 1).

    df is n − 2 for a correlation or two groups (where m is not given), n − m − 1 for a slope
    among m predictors, which makes r a partial correlation. Within patients df counts occasions
    and |r| is a lower bound, see `wald_within`.

    References
    ----------
    Aloe, A. M. (2014). https://doi.org/10.1080/00221309.2013.853021

    Examples
    --------
    >>> estimate = from_t(Given(stat="t", value=-3, df=117))
    >>> round(estimate.r, 3), round(estimate.vi, 5), estimate.quality
    (-0.267, 0.00862, 'converted')
    """
    return _of_t(given.printed, given, "t", f"t = {given.printed:.6g}")


def from_f(given: Given) -> Estimate:
    """F with one numerator degree of freedom: t = √F, then as t; its sign has to be said.

    Examples
    --------
    >>> round(from_f(Given(stat="F", value=9, df=117, sign=1)).r, 3)
    0.267
    """
    f = given.printed
    if given.df1 != 1:
        raise ValueError(
            f"F with df1 = {given.df1:g} compares more than two groups and has no correlation; "
            "look for a contrast of two, or a correlation"
        )
    if f < 0:
        raise ValueError(f"F = {f:g} is below 0")
    given.need_sign()
    t = math.sqrt(f)
    return _of_t(t, given, "F", f"t = sqrt({f:.6g}) = {t:.6g}")


def from_chi2(given: Given) -> Estimate:
    """χ² with one degree of freedom: φ = √(χ²/n), Var(φ) ≈ (1 − φ²)²/(n − 1); say its sign.

    From the four cells φ has its own sign and variance. A χ² with Yates's correction gives too
    small a φ.

    Examples
    --------
    >>> estimate = from_chi2(Given(stat="chi2", value=5.4, n=80, sign=1))
    >>> round(estimate.r, 3), estimate.quality
    (0.26, 'approximated')
    """
    given.refuse_within("; give a correlation or slope of sessions")
    if given.df is not None and given.df != 1:
        raise ValueError(
            f"chi2 with df = {given.df:g} has no correlation; only df = 1 has one. Give the four "
            "cells of a contrast"
        )
    if given.value is None and given.cells is not None:
        return from_phi_cells(given)
    chi2, n = given.printed, given.patients
    if chi2 < 0:
        raise ValueError(f"chi2 = {chi2:g} is below 0")
    if chi2 >= n:
        raise ValueError(f"chi2 = {chi2:g} is not below n = {n:g}, as it is for two by two groups")
    given.need_sign()
    phi = math.sqrt(chi2 / n)
    how = f"phi = sqrt({chi2:.6g}/{n:g}) = {phi:.6g} (too small if Yates-corrected)"
    return from_zero_order(phi, n, route="chi2", quality="approximated", how=how)


def from_r2(given: Given) -> Estimate:
    """R² of a model with alliance alone: r = √R²; its sign has to be said.

    Examples
    --------
    >>> round(from_r2(Given(stat="R2", value=.0961, n=60, sign=1)).yi, 4)
    0.3205
    """
    given.refuse_within("; give the slope with its SE")
    r2 = given.printed
    if not 0 <= r2 < 1:
        raise ValueError(f"R2 = {r2:g} lies between 0 and 1")
    if (given.m or 1) != 1:
        raise ValueError(
            f"R2 of {given.m:g} predictors is not alliance's own; give its t, or its beta with SE"
        )
    given.need_sign()
    r = math.sqrt(r2)
    how = f"r = sqrt({r2:.6g}) = {r:.6g}"
    return from_zero_order(r, given.patients, route="R2", quality="converted", how=how)


def from_p(given: Given) -> Estimate:
    """An exact p: the t that has it, then r = t/√(t² + df); its sign has to be said.

    An inequality (p < .05, one to three stars) or n.s. is a bound on |r|: there is no yi.

    Examples
    --------
    >>> round(from_p(Given(stat="p", p=.07, n=30, m=5, sign=-1)).r, 4)
    0.361
    >>> from_p(Given(stat="p", p="<.05", n=44)).trace
    'p < 0.05, df = 44 - 2 = 42: |r| > 0.297'
    """
    given.refuse_within("; give the t or the slope")
    refuse_unpooled(given)
    if given.tail not in (1, 2):
        raise ValueError(f"tail = {given.tail:g} is 1 or 2")
    p, relation = _exact_or_bound(given)
    if not 0 < p <= 1:
        raise ValueError(
            f"p = {p:g} is no exact p: it lies between 0 and 1 (where .000 is printed, write <.001)"
        )
    if given.tail == 1 and p > 0.5:
        raise ValueError(
            f"a one-sided p of {p:g} says that the effect went against the prediction; give the "
            f"two-sided p, {2 * (1 - p):g}, with the sign of the effect"
        )
    df, counted = residual_df(given)
    t = _t_of(p / given.tail, df)
    if relation != "=":
        r = t / math.hypot(t, math.sqrt(df))
        side = ">" if relation == "<" else "<"
        return bound(given, f"p {relation} {p:g}, {counted}: |r| {side} {r:.3f}")
    given.need_sign()
    tails = "two" if given.tail == 2 else "one"
    how = f"p = {p:.6g} ({tails}-sided): t = {t:.6g}"
    return partial_from_t(t, given, route=_route("p", given), how=how)


def from_not_significant(given: Given) -> Estimate:
    """Reported as not significant and nothing else: no yi, but |r| lies below a bound.

    Examples
    --------
    >>> from_not_significant(Given(stat="n.s. only", n=44)).trace
    'not significant at n = 44: |r| < 0.297'
    """
    n = given.n
    if n is None or n < 3:
        return bound(given, "not significant; n is not known, so there is no bound")
    return bound(given, f"not significant at n = {n:g}: |r| < {significant_r(n):.3f}")


def _of_t(t: float, given: Given, name: str, how: str) -> Estimate:
    refuse_unpooled(given)
    if given.within:
        return wald_within(t, given, how)
    return partial_from_t(t, given, route=_route(name, given), how=how)


def _route(name: str, given: Given) -> str:
    return f"{name}, partial r" if (given.m or 1) > 1 else name


def _exact_or_bound(given: Given) -> tuple[float, str]:
    """P and how it is related to its number: =, < or >.

    A number beside an inequality is the exact p where it fits (.03 and <.05), and the bound
    itself where the two are the same (.05 and <.05).
    """
    exact = given.value if given.value is not None else None
    if isinstance(given.p, str):
        p, relation = printed_p(given.p)
    elif given.p is not None:
        p, relation = given.p, "="
    elif exact is not None:
        return exact, "="
    else:
        raise ValueError("p is missing")
    if exact is None or exact == p:
        return p, relation
    fits = {"<": exact < p, ">": exact > p, "=": False}[relation]
    if not fits:
        raise ValueError(f"value = {exact:g} and p = {given.p} contradict each other")
    return exact, "="


def printed_p(text: str) -> tuple[float, str]:
    """A printed p as its number and ``=``, ``<`` or ``>``; ValueError where it is unreadable."""
    stripped = text.strip()
    if stripped in STARS:
        return STARS[stripped], "<"
    if NOT_SIGNIFICANT.fullmatch(stripped):
        return 0.05, ">"
    found = P_TEXT.fullmatch(stripped)
    if found is None:
        raise ValueError(
            f"p is unreadable ({stripped!r}); write a number, <.05, n.s. or one to three stars"
            if stripped
            else "p is missing"
        )
    relation = {"": "=", "≤": "<", "≥": ">"}.get(found.group(1), found.group(1))
    return float(found.group(2).replace(",", ".")), relation


def _t_of(upper: float, df: float) -> float:
    """The t that is exceeded with probability ``upper``."""
    from scipy.special import stdtrit

    return -float(stdtrit(df, upper)) + 0.0
