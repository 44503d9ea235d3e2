"""Sentences across pools: trait and state, forward and reverse, what totals imply."""

from __future__ import annotations

import math

import pandas as pd

from metalliance.report.labels import construct, level
from metalliance.report.numbers import correlation, count, number
from metalliance.report.sources import cited
from metalliance.traitstate.implied import implied_total
from metalliance.traitstate.joint import DIFFERENCE, Gap, Joint
from metalliance.traitstate.mixture import mixture_weights
from metalliance.traitstate.smallest import SmallestEffect
from metalliance.traitstate.synthesis import Synthesis
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["compared", "comparison", "directions", "smallest_sentence", "totals_alone"]

NEAR_BOUND = 0.995
LIKE = {"between": "trait-like", "within": "state-like", DIFFERENCE: "state-like"}


def compared(analysis: Analysis) -> str:
    """The between component that the summary compares with; empty where none can be."""
    for between, answer in analysis.answers.trait_state.items():
        if answer.result is not None:
            return between
    return ""


def comparison(analysis: Analysis) -> str:
    """How trait-like and state-like associations differ, and what that may mean."""
    between = compared(analysis)
    if not between:
        return ""
    result = analysis.answers.trait_state[between].result
    assert result is not None
    few = _imprecise(analysis, between, result.joint)
    if few:
        row = result.table[result.table["term"].eq(few)].iloc[0]
        return (
            f"Trait and state are not compared: too few studies carry the {LIKE[few]} association "
            f"(df = {number(row['df'], 1)})."
        )
    gap, source = result.joint.gap, f"questions.trait_state.{between}"
    if gap is None:
        return ""
    text = _difference(result.joint, gap, f"{source}.joint")
    paired = result.paired
    if paired is not None and paired.gap is not None and DIFFERENCE not in paired.imprecise:
        text += " " + _again(paired, paired.gap, f"{source}.paired")
    return (
        f"{text} Read the gap with care: trait values are mostly unadjusted correlations of "
        "averages, state values come from other models and are less reliably measured."
    )


def _imprecise(analysis: Analysis, between: str, joint: Joint) -> str:
    """The part with fewer than 4 degrees of freedom, in the joint model or pooled by itself."""
    pools = {"within": f"within.{analysis.answers.estimand}", "between": between}
    alone = {pool.key for pool in analysis.main if pool.imprecise}
    for part, key in pools.items():
        if part in joint.imprecise or key in alone:
            return part
    return DIFFERENCE if DIFFERENCE in joint.imprecise else ""


def _by(gap: Gap, source: str) -> str:
    """Size of the gap with its interval."""
    shown = [
        cited(f"{source}.gap.{name}", correlation(getattr(gap, name)))
        for name in ("estimate", "conf_low", "conf_high")
    ]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _excludes_zero(row: pd.Series) -> bool:
    return bool(row["conf_low"] > 0 or row["conf_high"] < 0)


def _difference(joint: Joint, gap: Gap, source: str) -> str:
    text = (
        f"The {LIKE[gap.larger]} association is larger than the {LIKE[gap.other]} one by "
        f"{_by(gap, source)} over all studies"
    )
    if gap.conf_low <= 0:
        return f"{text}; the interval of the difference includes zero."
    means = [joint.table_r[joint.table_r["term"].eq(part)].iloc[0] for part in joint.parts]
    opposite = means[0]["estimate"] * means[1]["estimate"] < 0
    if opposite and all(_excludes_zero(mean) for mean in means):
        text += ", and the two have opposite signs"
    return f"{text}."


def _again(joint: Joint, gap: Gap, source: str) -> str:
    ending = "" if gap.conf_low > 0 else ", an interval that includes zero"
    return (
        f"The {LIKE[gap.larger]} one is larger by {_by(gap, source)} in the "
        f"{count(joint.both, 'study', 'studies')} that give both{ending}."
    )


def directions(analysis: Analysis) -> str:
    """Whether the forward path exceeds the reverse one; empty where they are not compared."""
    result = analysis.answers.reciprocal.result
    if result is None or result.joint.imprecise:
        return ""
    gap = result.joint.gap
    if gap is None:
        return ""
    name = construct(analysis).removeprefix("therapeutic ")
    path = {"forward": f"from {name} to later outcome", "reverse": f"from outcome to later {name}"}
    ending = "" if gap.conf_low > 0 else "; the interval of the difference includes zero"
    return (
        f"The path {path[gap.larger]} is larger than that {path[gap.other]} by "
        f"β = {_by(gap, 'questions.reciprocal.joint')}{ending}."
    )


def smallest_sentence(pool: Pool, tested: SmallestEffect, smallest: float) -> str:
    """What the tests against the smallest effect of interest say."""
    size = correlation(smallest)
    readings = {
        "larger": f"The association is larger than the smallest of interest, {size}.",
        "smaller": (
            f"The association is smaller than the smallest of interest, {size}: this is evidence "
            "that there is none of that size."
        ),
        "undecided": (
            f"Whether the association is larger or smaller than the smallest of interest, {size}, "
            "remains open."
        ),
        "imprecise": (
            f"Too few independent {'studies' if pool.counts.studies else 'effects'} to test "
            f"against the smallest association of interest, {size}."
        ),
    }
    return readings[tested.reading]


def totals_alone(analysis: Analysis) -> str:
    """What a correlation that nobody disaggregated says about trait and state: nothing alone."""
    if "alliance" not in construct(analysis):
        return ""
    result = analysis.answers.synthesis.result
    if result is not None and not result.rows["component"].eq("total").any():
        return ""
    return _of_totals(analysis) if result is None else _of_synthesis(analysis, result)


def _of_synthesis(analysis: Analysis, result: Synthesis) -> str:
    trait, state = result.table["estimate"][:2]
    few = result.table["df"][:2].lt(4).any()
    if few or max(abs(trait), abs(state)) > NEAR_BOUND:
        return ""
    plan = analysis.plan
    same = implied_total(trait, state, plan.icc_x, plan.icc_y).estimate
    later = implied_total(trait, state, plan.icc_x, plan.icc_y, shared=0).estimate
    band = [
        implied_total(row.rho_between, row.rho_within, (x, x, x), (y, y, y)).estimate
        for row in result.icc_grid.itertuples()
        for x, y in [(row.icc_x, row.icc_y)]
    ] or [same]
    source = "questions.synthesis.table"
    latent = cited(f"{source}.0.estimate", correlation(trait))
    within = cited(f"{source}.1.estimate", correlation(state))
    return (
        f"The total alone decides nothing: at assumed ICCs of {correlation(plan.icc_x[0])} and "
        f"{correlation(plan.icc_y[0])}, a latent trait-like correlation of {latent} (from the "
        f"synthesis of all studies, not from observed averages) and a state-like one of {within} "
        f"predict a same-session total of {correlation(same)} ({_from_to(min(band), max(band))} "
        f"where other ICCs of the stated band are assumed), and {correlation(later)} when outcome "
        "is measured much later." + _disagreement(analysis, result)
    )


def _from_to(low: float, high: float) -> str:
    shown = correlation(low), correlation(high)
    return f"{shown[0]} also" if shown[0] == shown[1] else f"{shown[0]}–{shown[1]}"


def _disagreement(analysis: Analysis, result: Synthesis) -> str:
    other = result.consistency[result.consistency["samples"].eq("other")]
    if other.empty:
        return ""
    row = other.iloc[0]
    if row["df"] < 4 or not _excludes_zero(row):
        return ""
    more = "larger" if row["discrepancy"] > 0 else "smaller"
    size = correlation(abs(row["discrepancy"]))
    return (
        f" The totals are {more} by {size} than the studies that disaggregated predict "
        f"({level(analysis)} interval without zero): the two kinds of studies do not tell one "
        "story."
    )


def _of_totals(analysis: Analysis) -> str:
    """Two pairs that the pooled total is compatible with."""
    total = next((p for p in analysis.main if p.key == "total" and p.fit is not None), None)
    if total is None:
        return ""
    r = float(total.predict_r["estimate"].iloc[0])
    plan = analysis.plan
    a, b = (float(w) for w in mixture_weights(plan.icc_x[0], plan.icc_y[0], 1, 1, 1))
    alone, shared = r / a, (r / (a + b))
    if not math.isfinite(alone) or abs(alone) > 1:
        return ""
    return (
        f"The total alone decides nothing: at assumed ICCs of {correlation(plan.icc_x[0])} and "
        f"{correlation(plan.icc_y[0])}, a same-session total of {correlation(r)} would follow from "
        f"a latent trait-like correlation of {correlation(alone)} with no state-like association "
        f"at all, and just as well from {correlation(shared)} for both."
    )
