"""A reported statistic becomes an effect: one function per statistic, one dict of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from numbers import Real
from typing import Any, Literal

from metalliance.effectsize.coefficients import (
    from_b,
    from_beta,
    from_hazard_ratio,
    from_odds_ratio_slope,
)
from metalliance.effectsize.correlations import (
    from_partial,
    from_r,
    from_semipartial,
    from_spearman,
    from_z,
)
from metalliance.effectsize.estimate import (
    COMPONENTS,
    ESTIMANDS,
    QUALITIES,
    Estimate,
    Given,
    Quality,
    reversed_estimate,
)
from metalliance.effectsize.groups import from_d, from_g, from_group_odds_ratio
from metalliance.effectsize.significance import (
    from_chi2,
    from_f,
    from_not_significant,
    from_p,
    from_r2,
    from_t,
)
from metalliance.effectsize.within import from_beta_within, refuse_unpooled
from metalliance.errors import ConversionError

__all__ = ["CONVERSIONS", "QUALITIES", "Estimate", "Quality", "Stat", "effect_size"]

Stat = Literal[
    "r",
    "z",
    "rho_spearman",
    "r_partial",
    "r_semipartial",
    "beta",
    "beta_within",
    "b",
    "t",
    "F",
    "chi2",
    "OR",
    "d",
    "g",
    "R2",
    "HR",
    "p",
    "n.s. only",
]


def from_odds_ratio(given: Given) -> Estimate:
    """An odds ratio per unit of alliance where its standard deviation is given, else of groups."""
    return from_group_odds_ratio(given) if given.sd_x is None else from_odds_ratio_slope(given)


CONVERSIONS: dict[str, Callable[[Given], Estimate]] = {
    "r": from_r,
    "z": from_z,
    "rho_spearman": from_spearman,
    "r_partial": from_partial,
    "r_semipartial": from_semipartial,
    "beta": from_beta,
    "beta_within": from_beta_within,
    "b": from_b,
    "t": from_t,
    "F": from_f,
    "chi2": from_chi2,
    "OR": from_odds_ratio,
    "d": from_d,
    "g": from_g,
    "R2": from_r2,
    "HR": from_hazard_ratio,
    "p": from_p,
    "n.s. only": from_not_significant,
}


WORDS: dict[str, tuple[str, ...]] = {
    "sd_level": ("total", "within", "between"),
    "component": COMPONENTS,
    "estimand": ESTIMANDS,
}


def effect_size(
    *,
    stat: str,
    value: float | str | None = None,
    n: float | None = None,
    se: float | None = None,
    ci: tuple[float, float] | None = None,
    df: float | None = None,
    df1: float = 1,
    p: float | str | None = None,
    tail: int = 2,
    m: float | None = None,
    R2: float | None = None,
    n1: float | None = None,
    n2: float | None = None,
    mean1: float | None = None,
    sd1: float | None = None,
    mean2: float | None = None,
    sd2: float | None = None,
    cells: tuple[float, float, float, float] | None = None,
    sd_x: float | None = None,
    sd_y: float | None = None,
    sd_level: str | None = None,
    icc_x: float | None = None,
    icc_y: float | None = None,
    n_obs: float | None = None,
    sessions: float | None = None,
    sign: int | None = None,
    component: str | None = None,
    estimand: str | None = None,
    lag: float | None = None,
    test_value: float | None = None,
    ci_level: float = 95,
) -> Estimate:
    """Turn one reported statistic into an effect.

    Parameters
    ----------
    stat : str
        What was reported; one of ``Stat``.
    value : float, optional
        The printed number. Not needed where group means, cells or ``p`` stand in for it; of a
        ``p`` also text, see there.
    n : float, optional
        Patients in that analysis.
    se : float, optional
        Printed standard error of ``value``; of its logarithm for OR and HR.
    ci : (float, float), optional
        Printed interval of ``value`` at ``ci_level`` percent; stands in for ``se``.
    df, df1 : float, optional
        Degrees of freedom of a test: residual ones, and the numerator's of F.
    p : float or str, optional
        For ``stat='p'``: an exact p, or text such as ``= .03``, ``<.05``, ``**``, ``n.s.``. An
        inequality is a bound: yi is NaN and the trace says what it means for r.
    tail : {2, 1}
        Sides of that p.
    m : float, optional
        Predictors of the regression, the focal one included.
    R2 : float, optional
        Of the full model (semi-partial correlation).
    n1, n2, mean1, sd1, mean2, sd2 : float, optional
        Two groups; the effect is positive where the first is higher.
    cells : (a, b, c, d), optional
        A 2×2 table by rows: two groups, with and without the outcome.
    sd_x, sd_y : float, optional
        Standard deviations of alliance and outcome.
    sd_level : {'total', 'within', 'between'}, optional
        Their level, or what a within coefficient is standardised by.
    icc_x, icc_y : float, optional
        Intraclass correlations, to turn total into within standard deviations.
    n_obs, sessions : float, optional
        Occasions in total, or on average per patient.
    sign : {1, -1}, optional
        −1 reverses the printed sign. R², F, χ² and p have none and need it.
    component : str, optional
        One of ``Component``; ``within`` marks an association of occasions within patients.
    estimand : str, optional
        One of ``Estimand``; ``lagged_partial`` marks a coefficient net of the lagged outcome, which
        is kept as it is (``es_metric`` beta).
    lag : float, optional
        Sessions from alliance to outcome; each costs every patient an occasion. Not reported, it
        is taken as 0, and the trace says so.
    test_value : float, optional
        Printed t or z of a coefficient (of a Wald χ² its root). Where r comes from the test it goes
        before value/``se``; elsewhere it stands in for ``se``.
    ci_level : float
        Percent.

    Returns
    -------
    Estimate

    Raises
    ------
    ConversionError
        Names what is missing or impossible.

    Examples
    --------
    >>> estimate = effect_size(stat="r", value=.31, n=60)
    >>> round(estimate.yi, 4), round(estimate.vi, 5), estimate.quality
    (0.3205, 0.01754, 'direct')
    >>> effect_size(stat="t", value=2.5, n=60).trace.split("; ")[1]
    'df = 60 - 2 = 58'
    """
    _refuse_unknown("stat", stat, CONVERSIONS)
    if stat == "p" and isinstance(value, str):
        value, p = None, value
    given = Given(
        stat=stat,
        value=_number("value", value),
        p=p if isinstance(p, str) else _number("p", p),
        n=n,
        se=se,
        ci=ci,
        ci_level=ci_level,
        test_value=test_value,
        df=df,
        df1=df1,
        tail=tail,
        m=m,
        R2=R2,
        n1=n1,
        n2=n2,
        mean1=mean1,
        sd1=sd1,
        mean2=mean2,
        sd2=sd2,
        cells=cells,
        sd_x=sd_x,
        sd_y=sd_y,
        sd_level=sd_level,
        icc_x=icc_x,
        icc_y=icc_y,
        n_obs=n_obs,
        sessions=sessions,
        lag=lag,
        sign=sign,
        component=component or None,
        estimand=estimand or None,
    )
    return _converted(_checked(given))


def _checked(given: Given) -> Given:
    """What is given, its numbers as finite floats and its words among those that are known.

    Raises
    ------
    ConversionError
        Names the first that is neither.
    """
    if given.sign not in (None, 1, -1):
        raise ConversionError(f"sign is 1 or -1, not {given.sign!r}")
    for name, choices in WORDS.items():
        _refuse_unknown(name, getattr(given, name), choices)
    others = {"stat", "value", "p", "sign", "ci", "cells", *WORDS}
    numbers = {
        name: _number(name, getattr(given, name)) for name in Given.__slots__ if name not in others
    }
    ci, cells = _numbers("ci", given.ci, 2), _numbers("cells", given.cells, 4)
    return replace(given, ci=ci, cells=cells, **numbers)


def _converted(given: Given) -> Estimate:
    try:
        if given.component == "contextual":
            refuse_unpooled(given)
        estimate = CONVERSIONS[given.stat](given)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        told = str(error) if type(error) is ValueError and "math domain" not in str(error) else ""
        told = told or "these numbers are out of range; check them against the report"
        raise ConversionError(f"stat {given.stat!r}: {told}") from None
    pooled = math.isfinite(estimate.yi)
    if pooled and given.estimand == "lagged_partial" and estimate.es_metric != "beta":
        raise ConversionError(
            f"lagged partial effects are pooled as standardised coefficients; stat {given.stat!r} "
            "is none: add the beta with its SE"
        )
    return reversed_estimate(estimate) if given.sign == -1 else estimate


def _number(name: str, found: Any) -> Any:
    """``found`` as a finite float, None where it is absent."""
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, Real):
        raise ConversionError(f"{name} = {found!r} is no number")
    if not math.isfinite(found):
        raise ConversionError(f"{name} = {found!r} is no finite number")
    return float(found)


def _numbers(name: str, found: Any, length: int) -> Any:
    """``found`` as ``length`` finite floats, None where it is absent."""
    if found is None:
        return None
    listed = list(found) if isinstance(found, Iterable) and not isinstance(found, str) else []
    if len(listed) != length or any(x is None for x in listed):
        raise ConversionError(f"{name} = {found!r} must be {length} numbers")
    return tuple(_number(name, number) for number in listed)


def _refuse_unknown(name: str, found: str | None, choices: Collection[str]) -> None:
    if found is not None and found not in choices:
        near = difflib.get_close_matches(str(found), choices, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConversionError(f"{name} {found!r} is none of: {', '.join(choices)}{hint}")
