"""What the tool understood: one sentence per effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from metalliance.coding.apa import apa
from metalliance.coding.assemble import LeftOut, Row
from metalliance.coding.estimates import estimate_effect
from metalliance.coding.plausibility import NOT_SIGNIFICANT
from metalliance.coding.sophistication import ITEMS
from metalliance.effectsize.convert import Estimate
from metalliance.effectsize.correlation import significant_r
from metalliance.errors import ConversionError

if TYPE_CHECKING:
    from metalliance.coding.review import Review

__all__ = ["direction", "echo", "page"]

NORMAL_975 = 1.959963984540054
GAP = "  "


def echo(review: Review, study: str | None = None, coder: str | None = None) -> tuple[str, ...]:
    """Say in one line what each effect means, or why it is not pooled.

    Parameters
    ----------
    review : Review
    study, coder : str, optional
        Only effects of this study, only rows of this coder.

    Returns
    -------
    tuple of str
    """
    lines = []
    judged = review.judged(study, coder)
    for row in judged:
        between = _between(row, judged) if row.facts.component == "contextual" else ""
        lines.append(GAP.join(part for part in (_line(row), between) if part))
    return tuple(lines)


def _between(row: Row, judged: Sequence[Row]) -> str:
    """The between coefficient behind a contextual one, where its model's within one is coded."""
    own = row.linked.effect
    b = own.number("value")
    places = ("study", "model", "alliance", "outcome", "stat", "positive_means")
    for other in judged:
        effect = other.linked.effect
        within = effect.number("value")
        same = all(effect.text(name) == own.text(name) for name in places)
        if same and other.facts.component == "within" and None not in (b, within):
            total = apa((b or 0.0) + (within or 0.0), 2)
            name = effect.text("effect")
            return f"between = within ({name}) + contextual = {total}; SE needs their covariance"
    return ""


def _line(row: Row) -> str:
    effect, facts = row.linked.effect, row.facts
    name = f"{effect.text('study') or '?'} {effect.text('effect') or '?'}"
    kind = facts.component + (f" {facts.estimand}" if facts.estimand not in ("", "NA") else "")
    role = "" if row.role == "main" else f"role {row.role}"
    parts = [name, facts.label, kind]
    if isinstance(row.outcome, LeftOut):
        printed = _printed(row)
        why = row.outcome
        not_pooled = "" if why.status == "sign unclear" else "not pooled: "
        parts += [printed, f"{not_pooled}{why.reason} [{why.address}]", *_by_lag(row), _bound(row)]
    else:
        parts += [*_numbers(row.outcome), _scores(row), direction(row, row.outcome), page(row)]
    return GAP.join(part for part in (*parts, role) if part)


def _by_lag(row: Row) -> list[str]:
    """What a within-patient effect without a lag would be at the same and at the next session."""
    facts = row.facts
    if facts.component != "within" or facts.estimand or not facts.sign:
        return []
    found = []
    for lag, estimand in ((0.0, "concurrent_r"), (1.0, "lagged_r")):
        try:
            estimate = estimate_effect(row.linked, replace(facts, lag=lag, estimand=estimand))
        except ConversionError as error:
            return [str(error)]
        r, v = apa(estimate.r, 3), apa(estimate.vi, 4)
        found.append(f"if lag {lag:g}: r {r}, v {v}, {estimate.quality}")
    return found


def _bound(row: Row) -> str:
    """What "not significant" says at this number of patients."""
    linked = row.linked
    if linked.effect.text("stat") != NOT_SIGNIFICANT:
        return ""
    n = linked.effect.number("n")
    if n is None and linked.model is not None:
        n = linked.model.number("n")
    return f"at n = {n:g} it means |r| < {apa(significant_r(n), 3)}" if n and n > 2 else ""


def _printed(row: Row) -> str:
    effect = row.linked.effect
    value = effect.number("value")
    if value is None:
        return ""
    return f"{effect.text('stat')} {apa(value, 2)} as printed"


def _numbers(estimate: Estimate) -> list[str]:
    half = NORMAL_975 * math.sqrt(estimate.vi)
    low, high = estimate.yi - half, estimate.yi + half
    n = "" if math.isnan(estimate.ni) else f"n {estimate.ni:g}"
    if estimate.es_metric == "beta":
        point = f"β {apa(estimate.yi, 2)} [{apa(low, 2)}, {apa(high, 2)}]"
        spread = f"SE {apa(math.sqrt(estimate.vi), 4)}"
    else:
        point = f"r {apa(estimate.r, 2)} [{apa(math.tanh(low), 2)}, {apa(math.tanh(high), 2)}]"
        spread = f"z {apa(estimate.yi, 4)}"
    quality = "" if estimate.quality == "direct" else estimate.quality
    return [point, spread, f"v {apa(estimate.vi, 5)}", n, quality]


def _scores(row: Row) -> str:
    shown = [f"{item} = {row.score.scores[item]}" for item in ITEMS if str(row.score.scores[item])]
    return ", ".join(shown)


def direction(row: Row, estimate: Estimate) -> str:
    """Better alliance goes with which outcome, in the words of the instrument."""
    sign = row.facts.sign_from
    reverse = f" ({sign})" if sign.startswith("reversed") else ""
    if estimate.yi == 0:
        return f"no association{reverse}"
    better = estimate.yi > 0
    outcome = row.linked.outcome
    high = outcome.text("high_score_means") if outcome is not None else ""
    name = outcome.text("instrument") if outcome is not None else ""
    if high and name:
        words = "HIGHER" if better == (high == "better") else "LOWER"
        return f"better alliance goes with {words} {name}{reverse}"
    return f"better alliance goes with {'BETTER' if better else 'WORSE'} outcome{reverse}"


def page(row: Row) -> str:
    """``p. 7``, or the table as coded."""
    page = row.linked.effect.text("page")
    return f"p. {page}" if page and page[0].isdigit() else page
