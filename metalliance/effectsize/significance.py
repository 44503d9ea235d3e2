"""Tests of an association: t, F, χ², R², an exact p, and results that are only bounds."""

from __future__ import annotations

import math
import re

from metalliance.effectsize.correlation import significant_r
from metalliance.effectsize.estimate import (
    Estimate,
    Given,
    from_zero_order,
    partial_from_t,
    residual_df,
)
from metalliance.effectsize.groups import from_phi_cells
from metalliance.effectsize.within import from_wald_within

__all__ = ["from_chi2", "from_f", "from_not_significant", "from_p", "from_r2", "from_t"]

P_TEXT = re.compile(r"\s*p?\s*([<>=≤≥]?)\s*(\d*\.?\d+(?:[eE]-?\d+)?)\s*", re.ASCII | re.IGNORECASE)
NOT_SIGNIFICANT = re.compile(r"\s*(n\.?\s*s\.?|not significant)\s*", re.IGNORECASE)
STARS = {"*": 0.05, "**": 0.01, "***": 0.001}


def from_t(given: Given) -> Estimate:
    """T of a correlation, of two groups or of a slope: r = t/√(t² + df), Var(z) = 1/(df − 1).

    df is n − 2 for a correlation or two groups (where m is not given), n − m − 1 for a slope
    among m predictors, which makes r a partial correlation. Within patients |r| is a lower bound.

    References
    ----------
    Aloe, A. M. (2014). https://doi.org/10.1080/00221309.2013.853021
    """
    t = given.oriented()
    if given.within:
        return from_wald_within(t, given, how=f"t = {t:.6g}", route="t within")
    df, counted = _df(given)
    route = "t partial" if (given.m or 1) > 1 else "t"
    how = f"t = {t:.6g}, {counted}"
    return partial_from_t(t, df, n=given.n, route=route, quality="converted", how=how)


def from_f(given: Given) -> Estimate:
    """F with one numerator degree of freedom: t = ±√F."""
    f = given.number()
    if given.df1 != 1:
        raise ValueError(
            f"F with df1 = {given.df1:g} compares more than two groups and has no correlation; "
            "look for a contrast of two, or a correlation"
        )
    if f < 0:
        raise ValueError(f"F = {f:g} is below 0")
    if given.within:
        raise ValueError("an F within patients is not converted; give the t or the slope")
    df, counted = _df(given)
    t = math.sqrt(f) * given.direction()
    how = f"t = sqrt({f:.6g}) = {t:.6g}, {counted}"
    return partial_from_t(t, df, n=given.n, route="F", quality="converted", how=how)


def from_chi2(given: Given) -> Estimate:
    """χ² with one degree of freedom: φ = ±√(χ²/n), Var(φ) = (1 − φ²)²/(n − 1).

    From the four cells φ has its own sign. A χ² with Yates's correction gives too small a φ.
    """
    if given.value is None and given.cells is not None:
        return from_phi_cells(given)
    chi2, n = given.number(), given.patients()
    if given.df is not None and given.df != 1:
        raise ValueError(f"chi2 with df = {given.df:g} has no correlation; only df = 1 has one")
    if chi2 < 0:
        raise ValueError(f"chi2 = {chi2:g} is below 0")
    if chi2 >= n:
        raise ValueError(f"chi2 = {chi2:g} is not below n = {n:g}")
    if given.within:
        raise ValueError("a chi2 within patients is not converted")
    phi = math.sqrt(chi2 / n) * given.direction()
    how = f"phi = sqrt({chi2:.6g}/{n:g}) = {phi:.6g}"
    return from_zero_order(phi, n, route="chi2", quality="approximated", how=how)


def from_r2(given: Given) -> Estimate:
    """R² of a model with alliance alone: r = ±√R²."""
    r2 = given.number()
    if not 0 <= r2 < 1:
        raise ValueError(f"R2 = {r2:g} lies between 0 and 1")
    if (given.m or 1) != 1:
        raise ValueError(
            f"R2 of {given.m:g} predictors is not alliance's own; give its t, or its beta with SE"
        )
    if given.within:
        raise ValueError("an R2 within patients is not converted; give the slope")
    r = math.sqrt(r2) * given.direction()
    how = f"r = sqrt({r2:.6g}) = {r:.6g}"
    return from_zero_order(r, given.patients(), route="R2", quality="converted", how=how)


def from_p(given: Given) -> Estimate:
    """An exact p: the t that has it, then r = t/√(t² + df).

    An inequality (p < .05, one to three stars) or n.s. is a bound: there is no yi.
    """
    if given.within:
        raise ValueError("a p within patients is not converted; give the t or the slope")
    p, relation = _p(given)
    df, counted = _df(given)
    if relation != "=":
        return _bound(p, relation, df, given)
    if not 0 < p < 1:
        raise ValueError(f"p = {p:g} is no exact p: it lies between 0 and 1")
    upper = p / 2 if given.tail == 2 else p
    if given.tail not in (1, 2):
        raise ValueError(f"tail = {given.tail!r} is 1 or 2")
    t = _t_of(upper, df) * given.direction()
    tails = "two" if given.tail == 2 else "one"
    how = f"p = {p:.6g} ({tails}-sided), {counted}, t = {t:.6g}"
    return partial_from_t(t, df, n=given.n, route="p", quality="converted", how=how)


def from_not_significant(given: Given) -> Estimate:
    """Reported as not significant and nothing else: no yi, but |r| lies below a bound."""
    n = given.n
    if n is None:
        return _without_yi(given, "not significant; n is not known, so there is no bound")
    bound = significant_r(n)
    return _without_yi(given, f"not significant at n = {n:g}: |r| < {bound:.3f}")


def _df(given: Given) -> tuple[float, str]:
    if given.df is None and given.m is None:
        n = given.n
        if n is None and given.n1 is not None and given.n2 is not None:
            n = given.n1 + given.n2
        if n is None:
            raise ValueError("df or n is missing")
        if n - 2 <= 1:
            raise ValueError(f"n = {n:g} leaves no sampling variance 1/(n - 3)")
        return n - 2, f"df = {n:g} - 2 = {n - 2:g}"
    return residual_df(given)


def _p(given: Given) -> tuple[float, str]:
    """P and how it is related to its number: =, < or >."""
    if given.value is not None:
        return given.value, "="
    text = (given.p or "").strip()
    if text in STARS:
        return STARS[text], "<"
    if NOT_SIGNIFICANT.fullmatch(text):
        return 0.05, ">"
    found = P_TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"p is missing or unreadable ({text!r})" if text else "p is missing")
    relation = {"": "=", "≤": "<", "≥": ">"}.get(found.group(1), found.group(1))
    return float(found.group(2)), relation


def _t_of(upper: float, df: float) -> float:
    from scipy.special import stdtrit

    return -float(stdtrit(df, upper))


def _bound(p: float, relation: str, df: float, given: Given) -> Estimate:
    if not 0 < p < 1:
        raise ValueError(f"p = {p:g} lies between 0 and 1")
    t = _t_of(p / 2 if given.tail == 2 else p, df)
    r = t / math.sqrt(t * t + df)
    side = ">" if relation == "<" else "<"
    return _without_yi(given, f"p {relation} {p:g}, df = {df:g}: |r| {side} {r:.3f}")


def _without_yi(given: Given, trace: str) -> Estimate:
    return Estimate(
        yi=math.nan,
        vi=math.nan,
        r=math.nan,
        v_r=math.nan,
        ni=math.nan if given.n is None else given.n,
        route="bound",
        quality="bounded",
        trace=trace,
    )
