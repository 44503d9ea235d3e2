"""Every choice that touched a number and that nobody made explicitly."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import pandas as pd

from metalliance.coding.codebook import BUILT_IN_MODELS
from metalliance.coding.estimates import COUNTED_TERMS
from metalliance.coding.review import Review
from metalliance.effectsize.correlation import DESIGN_EFFECT, SLOPE_SD
from metalliance.effectsize.within import METRIC_NOT_SAID
from metalliance.traitstate.pooling import is_dependent
from metalliance.workflow.analysis import Default, Pool
from metalliance.workflow.answers import IMPUTATIONS, Answers
from metalliance.workflow.plan import Plan

__all__ = ["defaults_used"]


#: Words of a trace, and the default that they tell of.
ASSUMED_IN_TRACES: tuple[tuple[str, str, str, str], ...] = (
    (
        "equal groups assumed",
        "sizes of two groups",
        "equal",
        "reports give the difference and n, not n1 and n2",
    ),
    (
        "0.5 added to each cell",
        "2×2 tables with an empty cell",
        "0.5 added to each cell",
        "an odds ratio needs four filled cells",
    ),
    (
        METRIC_NOT_SAID,
        "standardised slopes of occasions",
        "in within-patient standard deviations",
        "the column metric does not say",
    ),
    (
        COUNTED_TERMS,
        "predictors of a model with two alliance terms",
        "2",
        "MODELS gives neither m nor covariates",
    ),
)


def defaults_used(
    review: Review, plan: Plan, pools: Sequence[Pool], answers: Answers
) -> tuple[Default, ...]:
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
    if any(_approximated_within(pool).any() for pool in pools):
        values = f"design effect {DESIGN_EFFECT:g}, slope SD {SLOPE_SD:g}"
        why = "papers that give only patients and sessions do not say; refits leave them out"
        found.append(Default(name="approximated within-patient variances", value=values, why=why))
    if any(_common_slope(pool).any() for pool in pools):
        why = "their variance assumes one slope for all patients; slopes that differ widen it"
        found.append(Default(name="within-patient correlations", value="common slope", why=why))
    found += _assumed_in_conversions(pools)
    built_in = sum(one.effect.text("model") in BUILT_IN_MODELS for one in review.linked)
    if built_in:
        why = f"{built_in} effects use the built-in models; a row in MODELS says otherwise"
        value = "items A4, D1–D4 and E2 score 0"
        found.append(Default(name="models RAW and PRE", value=value, why=why))
    found += _of_answers(answers, chosen)
    add("state", "primary state-like estimand", plan.state, "comparable with the trait component")
    return tuple(found)


def _of_answers(answers: Answers, chosen: AbstractSet[str]) -> list[Default]:
    """What the comparison of trait and state, and the synthesis, took for granted."""
    found = []
    joints = [a.result.joint for a in answers.trait_state.values() if a.result is not None]
    if answers.reciprocal.result is not None:
        joints.append(answers.reciprocal.result.joint)
    if any(joint.structure == "DIAG" for joint in joints):
        why = "fewer than ten independent studies give both parts; .4 and .8 are tried"
        found.append(Default(name="correlation of true effects of two parts", value="0", why=why))
    if joints:
        why = "simulated between −.05 and .05 for trait and state, −.3 and 0 for two directions"
        found.append(Default(name="sampling correlation of two parts", value="0", why=why))
    result = answers.synthesis.result
    if result is not None:
        for name, field in (("alliance", "icc_x"), ("outcome", "icc_y")):
            if field not in chosen and len(result.icc_grid):
                mean, low, high = Plan.model_fields[field].default
                value = f"{mean:g} ({low:g} to {high:g})"
                why = f"studies that report none; {IMPUTATIONS} draws of the mean widen intervals"
                found.append(Default(name=f"ICC of {name}", value=value, why=why))
        why = "in the synthesis; other shares of the same session are tried"
        name = "correlation of deviations at different sessions"
        found.append(Default(name=name, value="0", why=why))
    return found


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


def _approximated_within(pool: Pool) -> pd.Series:
    """Rows whose variance rests on the assumed design effect and slope SD."""
    rows = pool.effects.usable
    by_test = rows["route"].eq("t within")
    return rows["component"].eq("within") & (rows["quality"].eq("approximated") | by_test)


def _common_slope(pool: Pool) -> pd.Series:
    rows = pool.effects.usable
    return rows["route"].isin(["r within", "z within"]) & rows["quality"].eq("direct")


def _assumed_in_conversions(pools: Sequence[Pool]) -> list[Default]:
    """What a conversion had to take for granted, as the traces of the effects say it."""
    found = []
    for words, name, value, why in ASSUMED_IN_TRACES:
        count = sum(
            int(pool.effects.usable["trace"].str.contains(words, regex=False).sum())
            for pool in pools
        )
        if count:
            effects = "1 effect" if count == 1 else f"{count} effects"
            found.append(Default(name=name, value=f"{value} ({effects})", why=why))
    return found
