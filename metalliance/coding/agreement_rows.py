"""One field, all coefficients of agreement that fit its type, and a note in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from metalliance.coding.comparison import Answer, Kind, Phase
from metalliance.numerics.agreement import (
    NO_INTERVAL,
    Coefficient,
    gwet_ac1,
    light_kappa,
    percent_agreement,
)
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.intraclass import intraclass_correlation, limits_of_agreement
from metalliance.numerics.krippendorff import krippendorff_alpha

__all__ = ["ROW_COLUMNS", "Coding", "FieldRow", "field_row"]

COEFFICIENTS = ("kappa", "kappa_weighted", "icc", "ac1", "alpha")
ROW_COLUMNS = (
    *("field", "type", "n", "agree_percent", *COEFFICIENTS, "conf_low", "conf_high", "note"),
    *("sheet", "left_out"),
)
BASE_RATE = 0.90
GATE = 0.60


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """All answers to one field.

    Attributes
    ----------
    answers : tuple of tuple of Answer
        Per thing, one answer per coder.
    levels : tuple of str
        In their order.
    """

    field: str
    sheet: str
    kind: Kind
    phase: Phase
    levels: tuple[str, ...]
    answers: tuple[tuple[Answer, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """A row of the table, its coefficients one by one, its limits of agreement."""

    cells: dict[str, Any]
    coefficients: tuple[dict[str, Any], ...]
    limits: tuple[dict[str, Any], ...]


def field_row(
    coding: Coding, letters: Sequence[str], *, level: float = 0.95, seed: int = 0
) -> FieldRow:
    """Agreement on one field.

    Parameters
    ----------
    coding : Coding
    letters : sequence of str
        Names of the coders.
    level, seed
        Of the intervals.

    Returns
    -------
    FieldRow
    """
    codes = _codes(coding)
    numbers = _numbers(coding)
    percent = percent_agreement(codes)
    found = _coefficients(coding.kind, codes, numbers, level, seed)
    interval = _interval(coding.kind, found, len(letters))
    left_out = sum(_left_out(answers) for answers in coding.answers)
    whole = {name: found[name].estimate if name in found else math.nan for name in COEFFICIENTS}
    cells = {
        "field": coding.field,
        "type": coding.kind,
        "n": percent.n,
        "agree_percent": percent.estimate,
        **whole,
        "conf_low": interval.conf_low,
        "conf_high": interval.conf_high,
        "note": "; ".join(_notes(coding, codes, numbers, found, left_out, len(letters))),
        "sheet": coding.sheet,
        "left_out": left_out,
    }
    place = {"field": coding.field, "sheet": coding.sheet}
    return FieldRow(
        cells=cells,
        coefficients=tuple(
            {**place, "coefficient": name, **asdict(one)} for name, one in found.items()
        ),
        limits=_limits(place, numbers, letters) if coding.kind == "number" else (),
    )


def _codes(coding: Coding) -> FloatArray:
    """Categories in the order of the levels, others after them; NaN where nothing is said."""
    said = {answer.key for answers in coding.answers for answer in answers} - {None}
    order = {level.casefold(): number for number, level in enumerate(coding.levels)}
    ranked = sorted(said, key=lambda key: (order.get(str(key), len(order)), str(key)))
    number_of = {key: float(number) for number, key in enumerate(ranked)}
    rows = [
        [math.nan if a.key is None else number_of[a.key] for a in answers]
        for answers in coding.answers
    ]
    return np.array(rows, dtype=float)


def _numbers(coding: Coding) -> FloatArray:
    """Numbers, and for ordered levels their rank; NaN for NR, NA and nothing."""
    rank = {level.casefold(): float(number) for number, level in enumerate(coding.levels)}

    def number(key: object) -> float:
        if isinstance(key, float):
            return key
        return rank.get(str(key), math.nan) if coding.kind == "ordinal" else math.nan

    return np.array([[number(a.key) for a in answers] for answers in coding.answers], dtype=float)


def _coefficients(
    kind: Kind, codes: FloatArray, numbers: FloatArray, level: float, seed: int
) -> dict[str, Coefficient]:
    if kind == "number":
        return {
            "icc": intraclass_correlation(numbers, level=level),
            "alpha": krippendorff_alpha(numbers, "interval", level=level, seed=seed),
        }
    if kind not in ("nominal", "ordinal"):
        return {}
    found = {"kappa": light_kappa(codes, level=level), "ac1": gwet_ac1(codes, level=level)}
    if kind == "nominal":
        return {**found, "alpha": krippendorff_alpha(codes, level=level, seed=seed)}
    return {
        **found,
        "kappa_weighted": light_kappa(numbers, weights="quadratic", level=level),
        "kappa_linear": light_kappa(numbers, weights="linear", level=level),
        "alpha": krippendorff_alpha(numbers, "ordinal", level=level, seed=seed),
    }


def _interval(kind: Kind, found: Mapping[str, Coefficient], coders: int) -> Coefficient:
    name = {"nominal": "kappa", "ordinal": "kappa_weighted", "number": "icc"}.get(kind, "")
    if coders > 2 and kind != "number":
        name = "alpha"
    return found.get(name, Coefficient())


def _left_out(answers: Sequence[Answer]) -> bool:
    """A thing that a coder has, with an empty or unreadable cell in this field."""
    return any(answer.row is not None and answer.key is None for answer in answers)


def _limits(
    place: dict[str, str], numbers: FloatArray, letters: Sequence[str]
) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            **place,
            "first": letters[i],
            "second": letters[j],
            **asdict(limits_of_agreement(numbers[:, [i, j]])),
        }
        for i, j in combinations(range(len(letters)), 2)
    )


# --- the note ---------------------------------------------------------------------------------


def _notes(
    coding: Coding,
    codes: FloatArray,
    numbers: FloatArray,
    found: Mapping[str, Coefficient],
    left_out: int,
    coders: int,
) -> list[str]:
    notes: list[str] = []
    categories = coding.kind in ("nominal", "ordinal")
    frequent = _base_rate(codes) if categories else 0.0
    if found.get("kappa_weighted", Coefficient()).estimate < GATE:
        notes.append("weighted kappa below .60: consensus-code it and flag it as a moderator")
    if frequent == 1:
        notes.append("all codes are one category: only AC1 is defined")
    elif frequent > BASE_RATE:
        share = f"one category holds {100 * frequent:.0f} % of the codes"
        notes.append(f"{share}: kappa is unstable, read AC1 beside it")
    if coding.kind == "number":
        notes += _number_notes(coding, numbers)
    if coding.kind == "ordinal" and frequent < 1:
        linear = found["kappa_linear"].estimate
        if not math.isnan(linear) and linear != 1:
            notes.append(f"kappa_weighted is quadratic; linear {linear:.2f}".replace("0.", "."))
    unscored = int((np.isnan(numbers) & ~np.isnan(codes)).any(axis=1).sum())
    if coding.kind == "ordinal" and unscored:
        notes.append(f"{unscored} with NR or NA: in kappa and AC1 only")
    if coding.kind == "reference":
        notes.append("percent only: the rows referred to are other ones in every study")
    if frequent < 1:
        notes += _reasons(found)
    if coders > 2 and categories:
        notes.append("kappa is the mean over pairs of coders; the interval is that of alpha")
    if left_out:
        notes.append(f"{left_out} left out: empty for a coder, or not readable")
    return notes


def _base_rate(codes: FloatArray) -> float:
    """Share of the most frequent category."""
    given = codes[(~np.isnan(codes)).sum(axis=1) >= 2]
    given = given[~np.isnan(given)]
    return float(np.unique(given, return_counts=True)[1].max() / given.size) if given.size else 0.0


def _number_notes(coding: Coding, numbers: FloatArray) -> list[str]:
    notes = []
    pairs = [
        (first, second)
        for answers in coding.answers
        for first, second in combinations(answers, 2)
        if isinstance(first.key, float) and isinstance(second.key, float)
    ]
    same = sum(first.key == second.key for first, second in pairs)
    rounded = sum(_within_rounding(first, second) for first, second in pairs)
    if rounded > same:
        notes.append(f"{100 * rounded / len(pairs):.1f} % agree within rounding")
    mixed = sum(
        any(isinstance(a.key, float) for a in answers)
        and any(a.key in ("NR", "NA") for a in answers)
        for answers in coding.answers
    )
    if mixed:
        notes.append(f"{mixed} with a number from one coder and NR or NA from another: not in icc")
    return notes


def _within_rounding(first: Answer, second: Answer) -> bool:
    """Equal when both are rounded as the coarser of them is printed."""
    x, y = first.key, second.key
    if not (isinstance(x, float) and isinstance(y, float)):
        return False
    digits = min(_decimals(x), _decimals(y))
    return abs(x - y) <= 0.5 * 10.0**-digits + 1e-9


def _decimals(value: float) -> int:
    text = f"{value:.12f}".rstrip("0")
    return len(text) - text.index(".") - 1


def _reasons(found: Mapping[str, Coefficient]) -> list[str]:
    """Why a coefficient is missing; the same reason is said once."""
    reasons: dict[str, list[str]] = {}
    for name, one in found.items():
        if one.note and name != "kappa_linear":
            reasons.setdefault(one.note, []).append(name)
    return [
        reason if reason == NO_INTERVAL else f"{', '.join(names)}: {reason}"
        for reason, names in reasons.items()
    ]
