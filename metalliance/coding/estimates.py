"""From a coded effect to the one call of the conversions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from metalliance.coding.derivation import Facts
from metalliance.coding.records import Linked, Record
from metalliance.effectsize.convert import Estimate, effect_size
from metalliance.effectsize.correlation import fisher_z_inverse
from metalliance.errors import ConversionError

__all__ = ["estimate_effect", "value_elsewhere"]

COUNTED_TERMS = "m = 2: the two alliance terms, no covariates coded"
STANDARDISED = {"SD within": "within", "SD total": "total"}
SD_COLUMNS = {"within": "sd_within", "total": "sd_total", "between": "sd_between"}
MEANS = ("n1", "n2", "m1", "sd1", "m2", "sd2")
CELLS = ("cell_a", "cell_b", "cell_c", "cell_d")


def estimate_effect(linked: Linked, facts: Facts) -> Estimate:
    """Convert the reported statistic of one effect: the only call into the conversions.

    Raises
    ------
    ConversionError
        Names what is missing or impossible.
    """
    effect, model = linked.effect, linked.model
    given_variance = effect.number("vi")
    if linked.flat and given_variance is not None and effect.coded("value") == effect.coded("yi"):
        return _as_given(effect, given_variance, facts.sign)
    stat = _statistic(effect, facts)
    m, counted = _predictors(linked)
    tail = effect.text("tail")
    estimate = effect_size(
        stat=stat,
        value=effect.number("value"),
        n=_either(effect, "n", model, "n"),
        se=effect.number("se"),
        ci=_interval(effect),
        ci_level=effect.number("ci_level") or 95.0,
        test_value=effect.number("test_value"),
        df=effect.number("df"),
        df1=effect.number("df1") or 1.0,
        p=effect.text("p_printed") or None,
        tail=int(tail) if tail else 2,
        m=None if m is None else int(m),
        R2=effect.number("R2"),
        n1=effect.number("n1"),
        n2=effect.number("n2"),
        mean1=effect.number("m1"),
        sd1=effect.number("sd1"),
        mean2=effect.number("m2"),
        sd2=effect.number("sd2"),
        cells=_cells(effect),
        n_obs=effect.number("n_obs"),
        sessions=_either(effect, "sessions_mean", model, "sessions"),
        lag=None if math.isnan(facts.lag) else facts.lag,
        sign=facts.sign,
        component=facts.component,
        estimand=facts.estimand,
        **_spread(linked, facts, stat),
    )
    if facts.es_metric == "beta" and estimate.es_metric != "beta":
        raise ConversionError(
            f"lagged partial effects are pooled as standardised coefficients; stat "
            f"{effect.text('stat')!r} is none"
        )
    return replace(estimate, trace=f"{estimate.trace}; {counted}") if counted else estimate


def _predictors(linked: Linked) -> tuple[float | None, str]:
    """Predictors of the model, alliance included; counted from the alliance terms where blank."""
    if linked.flat:
        return linked.effect.number("m"), ""
    m = _number(linked.model, "m")
    if m is not None or linked.model is None or not linked.effect.text("other_alliance_term"):
        return m, ""
    if linked.model.text("covariates") in ("", "none"):
        return 2.0, COUNTED_TERMS
    return None, ""


def value_elsewhere(effect: Record) -> bool:
    """True where the statistic is given by other columns, so that value may be empty."""
    stat = effect.text("stat")
    if stat in ("d", "g"):
        return all(effect.number(name) is not None for name in MEANS)
    if stat in ("OR", "chi2"):
        return all(effect.number(name) is not None for name in CELLS)
    return stat == "p" and bool(effect.text("p_printed"))


def _statistic(effect: Record, facts: Facts) -> str:
    """The statistic as the conversions call it: what it is standardised by decides."""
    stat, within = effect.text("stat"), facts.component == "within"
    if stat == "b" and effect.text("metric") in STANDARDISED:
        stat = "beta"
    return "beta_within" if stat == "beta" and within else stat


def _spread(linked: Linked, facts: Facts, stat: str) -> dict[str, Any]:
    """Standard deviations with their level, and intraclass correlations."""
    effect = linked.effect
    icc_x, icc_y = (
        _either(effect, name, record, "icc")
        for name, record in (("icc_x", linked.alliance), ("icc_y", linked.outcome))
    )
    found: dict[str, Any] = {"icc_x": icc_x, "icc_y": icc_y}
    sd_x, sd_y = effect.number("sd_x"), effect.number("sd_y")
    if stat in ("beta", "beta_within"):
        return {**found, "sd_level": STANDARDISED.get(effect.text("metric"))}
    if sd_x is not None or sd_y is not None:
        return {**found, "sd_x": sd_x, "sd_y": sd_y, "sd_level": effect.text("sd_level") or None}
    for level in _levels(facts):
        pair = [
            record.number(SD_COLUMNS[level]) if record is not None else None
            for record in (linked.alliance, linked.outcome)
        ]
        if pair[0] is not None and (pair[1] is not None or stat in ("OR", "HR")):
            return {**found, "sd_x": pair[0], "sd_y": pair[1], "sd_level": level}
    return found


def _levels(facts: Facts) -> tuple[str, ...]:
    """Which standard deviations of MEASURES suit a component, the best first."""
    if facts.component == "within":
        return ("within", "total")
    if facts.component.startswith("between"):
        return ("between",)
    return ("total",)


def _number(record: Record | None, name: str) -> float | None:
    return record.number(name) if record is not None else None


def _either(effect: Record, name: str, record: Record | None, other: str) -> float | None:
    own = effect.number(name)
    return _number(record, other) if own is None else own


def _interval(effect: Record) -> tuple[float, float] | None:
    low, high = effect.number("ci_low"), effect.number("ci_high")
    return None if low is None or high is None else (low, high)


def _cells(effect: Record) -> tuple[float, float, float, float] | None:
    found = [effect.number(name) for name in CELLS]
    if any(count is None for count in found):
        return None
    a, b, c, d = (count or 0.0 for count in found)
    return a, b, c, d


def _as_given(effect: Record, vi: float, sign: int) -> Estimate:
    printed = effect.number("yi")
    if printed is None:
        raise ConversionError("yi has no number")
    z = printed * sign
    r = fisher_z_inverse(z)
    n = effect.number("n")
    if n is None:
        implied = 1 / vi + 3
        n = float(round(implied)) if abs(implied - round(implied)) < 1e-3 else math.nan
    return Estimate(
        yi=z,
        vi=vi,
        r=r,
        v_r=vi * (1 - r**2) ** 2,
        ni=n,
        route="yi",
        quality="direct",
        trace=f"z = {z:.6g} and v = {vi:.6g} as given; r = tanh z = {r:.6g}",
    )
