"""Every effect as a sentence about its direction, those that need a second look first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalliance.coding.apa import apa
from metalliance.coding.assemble import LeftOut, Row
from metalliance.coding.echo import direction, page
from metalliance.effectsize.convert import Estimate

if TYPE_CHECKING:
    from metalliance.coding.review import Review

__all__ = ["sign_sentences"]


def sign_sentences(
    review: Review, study: str | None = None, coder: str | None = None
) -> tuple[str, ...]:
    """One sentence per effect with a number: unclear signs, negatives, reversals, then the rest.

    Parameters
    ----------
    review : Review
    study, coder : str, optional
        Only effects of this study, only rows of this coder.

    Returns
    -------
    tuple of str
        ``S014 E1: better alliance goes with LOWER BDI, r = +.31, p. 7``.
    """
    ranked: list[tuple[int, str]] = []
    for row in review.judged(study, coder):
        effect = row.linked.effect
        if effect.number("value") is not None or isinstance(row.outcome, Estimate):
            ranked.append((_rank(row), _sentence(row)))
    return tuple(sentence for _, sentence in sorted(ranked, key=lambda pair: pair[0]))


def _rank(row: Row) -> int:
    if row.facts.sign == 0:
        return 0
    if isinstance(row.outcome, Estimate) and row.outcome.yi < 0:
        return 1
    return 2 if row.facts.sign < 0 else 3


def _sentence(row: Row) -> str:
    effect = row.linked.effect
    name = f"{effect.text('study') or '?'} {effect.text('effect') or '?'}"
    where = page(row) or effect.address("value")
    if isinstance(row.outcome, LeftOut):
        value = effect.number("value")
        printed = "" if value is None else f", {effect.text('stat')} = {_signed(value)} as printed"
        sign = row.facts.sign_from or "sign not coded"
        return f"{name}: {sign}{printed}, {where} ({row.outcome.status})"
    kept = row.outcome.es_metric == "beta"
    symbol, number = ("β", row.outcome.yi) if kept else ("r", row.outcome.r)
    return f"{name}: {direction(row, row.outcome)}, {symbol} = {_signed(number)}, {where}"


def _signed(number: float) -> str:
    text = apa(number, 2)
    return text if number < 0 else f"+{text}"
