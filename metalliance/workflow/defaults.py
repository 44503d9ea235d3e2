"""Every choice that touched a number and that nobody made explicitly."""

from __future__ import annotations

from collections.abc import Sequence

from metalliance.coding.codebook import BUILT_IN_MODELS
from metalliance.coding.review import Review
from metalliance.effectsize.correlation import DESIGN_EFFECT, SLOPE_SD
from metalliance.traitstate.pooling import is_dependent
from metalliance.workflow.analysis import Default, Pool
from metalliance.workflow.plan import Plan

__all__ = ["defaults_used"]


def defaults_used(review: Review, plan: Plan, pools: Sequence[Pool]) -> tuple[Default, ...]:
    """List the defaults of reading, of the plan and of the models, in that order."""
    found = [Default(name=name, value=value, why=why) for name, value, why in review.assumed]
    chosen = plan.model_fields_set
    dependent = any(is_dependent(pool.effects) for pool in pools)

    def add(field: str, name: str, value: object, why: str) -> None:
        if field not in chosen:
            found.append(Default(name=name, value=str(value), why=why))

    add("method", "estimator of heterogeneity", plan.method, "least biased in common use")
    add("level", "confidence level", f"{plan.level:g}", "convention")
    if dependent:
        add(
            "rho",
            "sampling correlation within a sample",
            f"{plan.rho:g}",
            "correlations between effects are rarely reported; other values are tried",
        )
        found += _reported_pairs(pools)
    add(
        "minimum_clusters_prediction",
        "studies needed for a prediction interval",
        plan.minimum_clusters_prediction,
        "with fewer its coverage is poor",
    )
    if _column_has(pools, "quality", "approximated"):
        values = f"design effect {DESIGN_EFFECT:g}, slope SD {SLOPE_SD:g}"
        why = "papers that give only patients and sessions do not say; refits leave them out"
        found.append(Default(name="approximated within-patient variances", value=values, why=why))
    if _column_has(pools, "route", "within"):
        why = "their variance assumes one slope for all patients; slopes that differ widen it"
        found.append(Default(name="within-patient correlations", value="common slope", why=why))
    built_in = sum(one.effect.text("model") in BUILT_IN_MODELS for one in review.linked)
    if built_in:
        why = f"{built_in} effects use the built-in models; a row in MODELS says otherwise"
        value = "items A4, D1–D4 and E2 score 0"
        found.append(Default(name="models RAW and PRE", value=value, why=why))
    add("state", "primary state-like estimand", plan.state, "comparable with the trait component")
    return tuple(found)


def _reported_pairs(pools: Sequence[Pool]) -> list[Default]:
    """How many sampling correlations INTERCORR gives, where it gives any."""
    tables = [pool.effects for pool in pools if pool.fit is not None]
    reported = sum(len(t.correlations) for t in tables if t.correlations is not None)
    if not reported:
        return []
    sizes = [t.usable.groupby("sample")["effect"].size() for t in tables]
    pairs = int(sum((size * (size - 1) / 2).sum() for size in sizes))
    value = f"{reported} of {pairs} pairs of effects of one sample"
    why = "from the correlations that INTERCORR prints; the others are assumed"
    return [
        Default(name="sampling correlations that follow from the reports", value=value, why=why)
    ]


def _column_has(pools: Sequence[Pool], column: str, text: str) -> bool:
    return any(
        pool.effects.usable[column].astype(str).str.contains(text, regex=False).any()
        for pool in pools
    )
