"""Sentences across pools: trait and state, forward and reverse, what totals imply."""

from __future__ import annotations

import numpy as np

from metalliance.report.labels import construct, level
from metalliance.report.numbers import correlation, count, number
from metalliance.report.sources import cited
from metalliance.traitstate.implied import implied_total
from metalliance.traitstate.joint import DIFFERENCE, Gap, Joint
from metalliance.traitstate.smallest import SmallestEffect
from metalliance.traitstate.synthesis import Synthesis
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["compared", "comparison", "directions", "smallest_sentence", "totals_alone"]

NEAR_BOUND = 0.995
SAME = 1e-9
PARTS = {"between": "the trait-like association", "within": "the state-like association"}
LAGGED = ("within.lagged_partial", "within.lagged_partial.reverse")


def compared(analysis: Analysis) -> str:
    """The between component that the summary compares with; empty where none can be.

    The first that is precise, else the first.
    """
    found = {
        between: answer.result
        for between, answer in analysis.answers.trait_state.items()
        if answer.result is not None
    }
    precise = (b for b, result in found.items() if not _imprecise(analysis, b, result.joint))
    return next(precise, next(iter(found), ""))


def comparison(analysis: Analysis) -> str:
    """How trait-like and state-like associations differ, and what that may mean."""
    between = compared(analysis)
    if not between:
        return ""
    result = analysis.answers.trait_state[between].result
    assert result is not None
    few = _imprecise(analysis, between, result.joint)
    if few:
        return f"Trait and state are not compared: {few}."
    gap, source = result.joint.gap, f"questions.trait_state.{between}"
    if gap is None:
        return ""
    text = f"{_difference(result.joint, gap, f'{source}.joint', PARTS)} over all studies"
    text += "." if gap.excludes_zero else "; the interval of the difference includes zero."
    paired = result.paired
    if paired is not None and paired.gap is not None and not paired.imprecise:
        both = count(paired.both, "study", "studies")
        again = _difference(paired, paired.gap, f"{source}.paired", PARTS)
        ending = "" if paired.gap.excludes_zero else ", an interval that includes zero"
        text += f" In the {both} that give both: {again[:1].lower()}{again[1:]}{ending}."
    return (
        f"{text} Read the gap with care: trait values are mostly unadjusted correlations of "
        "averages, state values come from other models and are less reliably measured."
    )


def _imprecise(analysis: Analysis, between: str, joint: Joint) -> str:
    """Why the parts are not compared: fewer than 4 degrees of freedom, jointly or alone."""
    df = joint.table.set_index("term")["df"]
    keys = {"within": f"within.{analysis.answers.estimand}", "between": between}
    for part, key in keys.items():
        name = PARTS[part]
        if part in joint.imprecise:
            return f"too few studies carry {name} (df = {number(df[part], 1)})"
        for pool in analysis.main:
            if pool.key == key and pool.imprecise:
                own = float(pool.tidy["df"].iloc[0])
                return f"too few studies carry {name} (df = {number(own, 1)})"
    if DIFFERENCE in joint.imprecise:
        return f"too few studies carry their difference (df = {number(df[DIFFERENCE], 1)})"
    return ""


def _by(gap: Gap, source: str) -> str:
    """Size of the gap with its interval."""
    shown = [
        cited(f"{source}.gap.{name}", correlation(getattr(gap, name)))
        for name in ("estimate", "conf_low", "conf_high")
    ]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _difference(joint: Joint, gap: Gap, source: str, names: dict[str, str]) -> str:
    """Which part lies above the other, in words that their signs allow."""
    means = joint.table_r.set_index("term").loc[list(joint.parts)]
    upper, lower, size = names[gap.larger], names[gap.other], _by(gap, source)
    if (means["estimate"] >= 0).all():
        text = f"{upper} is larger than {lower} by {size}"
    elif (means["estimate"] <= 0).all():
        text = f"{lower} is more negative than {upper} by {size}"
    else:
        text = f"{upper} lies above {lower} by {size}"
        if all(row["conf_low"] > 0 or row["conf_high"] < 0 for _, row in means.iterrows()):
            text += ", the one positive and the other negative,"
    return f"{text[:1].upper()}{text[1:]}"


def directions(analysis: Analysis) -> str:
    """Whether the forward path exceeds the reverse one; empty where they are not compared."""
    result = analysis.answers.reciprocal.result
    alone = {pool.key for pool in analysis.main if pool.imprecise}
    if result is None or result.joint.imprecise or alone & set(LAGGED):
        return ""
    gap = result.joint.gap
    if gap is None:
        return ""
    name = construct(analysis).removeprefix("therapeutic ")
    names = {
        "forward": f"the path from {name} to later outcome",
        "reverse": f"the path from outcome to later {name}",
    }
    text = _difference(result.joint, gap, "questions.reciprocal.joint", names)
    ending = "" if gap.excludes_zero else "; the interval of the difference includes zero"
    return f"{text} (β){ending}."


def smallest_sentence(pool: Pool, tested: SmallestEffect, smallest: float) -> str:
    """What the tests against the smallest effect of interest say."""
    size = correlation(smallest)
    negative = " (it is negative)" if tested.estimate < 0 else ""
    readings = {
        "larger": (
            f"The average association is larger in size than the smallest of interest, {size}"
            f"{negative}."
        ),
        "smaller": (
            f"The average association is smaller than the smallest of interest, {size}: this is "
            "evidence that it is not that large."
        ),
        "undecided": (
            "Whether the average association is larger or smaller than the smallest of interest, "
            f"{size}, remains open."
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
    if row["df"] < 4 or row["band_low"] <= 0 <= row["band_high"]:
        return ""
    more = "larger" if row["discrepancy"] > 0 else "smaller"
    size = correlation(abs(row["discrepancy"]))
    return (
        f" The totals are {more} by {size} than the studies that disaggregated predict (no "
        f"{level(analysis)} interval holds zero at any ICC of the band): the two kinds of studies "
        "do not tell one story."
    )


def _of_totals(analysis: Analysis) -> str:
    """What the totals are compatible with, from the line of pairs of the refused synthesis."""
    line = analysis.answers.line
    if line.empty or not any(pool.key == "total" and pool.fit for pool in analysis.main):
        return ""
    trait, state = line["rho_between"].to_numpy(), line["rho_within"].to_numpy()
    iccs = f"{correlation(analysis.plan.icc_x[0])} and {correlation(analysis.plan.icc_y[0])}"
    opening = f"The total alone decides nothing: at assumed ICCs of {iccs}, it would follow from a "
    if np.ptp(trait) < SAME:
        return (
            f"{opening}latent trait-like correlation of {correlation(trait[0])} whatever the "
            "state-like association is, since alliance and outcome come from different sessions."
        )
    order = np.argsort(state)
    alone = float(np.interp(0.0, state[order], trait[order]))
    apart = np.argsort(trait - state)
    equal = float(np.interp(0.0, (trait - state)[apart], trait[apart]))
    if np.ptp(state) < SAME or not state.min() <= 0 <= state.max():
        return ""
    return (
        f"{opening}latent trait-like correlation of {correlation(alone)} with no state-like "
        f"association at all, and just as well from {correlation(equal)} for both."
    )
