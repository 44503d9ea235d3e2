"""Every choice that touched a number and that nobody made explicitly."""

from __future__ import annotations

from collections.abc import Sequence

from metalliance.coding.review import Review
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
    add(
        "minimum_clusters_prediction",
        "studies needed for a prediction interval",
        plan.minimum_clusters_prediction,
        "with fewer its coverage is poor",
    )
    add("state", "primary state-like estimand", plan.state, "comparable with the trait component")
    return tuple(found)
