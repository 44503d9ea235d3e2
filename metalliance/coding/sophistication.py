"""Methodological sophistication: sixteen items per effect and their index.

Six items (A4, C3, D1–D4) are scored by hand in MODELS. The other ten are derived here from coded
facts by anchors that the codebook prints, unless an override stands in EFFECTS. A score is 0, 1 or
2, ``"NR"`` (the fact is not reported) or ``"NA"`` (the item does not apply).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["DERIVED", "HAND_SCORED", "ITEMS", "SHORT_FORM", "Score", "derive_items", "index"]

Score = int | Literal["NR", "NA"]
Facts = Mapping[str, object]

ITEMS: tuple[str, ...] = (
    *("A1", "A2", "A3", "A4"),
    *("B1", "B2"),
    *("C1", "C2", "C3"),
    *("D1", "D2", "D3", "D4"),
    *("E1", "E2", "E3"),
)
HAND_SCORED: tuple[str, ...] = ("A4", "C3", "D1", "D2", "D3", "D4")
DERIVED: tuple[str, ...] = tuple(item for item in ITEMS if item not in HAND_SCORED)
SHORT_FORM: tuple[str, ...] = ("A1", "A2", "A3")
MAXIMUM: dict[str, int] = {item: 1 if item == "D4" else 2 for item in ITEMS}
DEFINES_COMPONENT, DEFINES_ESTIMAND = "C1", "C3"
LATENT = ("latent intercept", "dynamic-panel ML-SEM/GMM")
OCCASION_TERMS = ("own deviation", "latent within", "raw in multilevel")
WHOLE_TREATMENT_TERMS = ("person mean", "latent intercept", "therapist mean")


def derive_items(
    *,
    study: Facts,
    alliance: Facts,
    outcome: Facts,
    model: Facts,
    effect: Facts,
    component: str,
) -> dict[str, Score]:
    """Score all items of one effect.

    Parameters
    ----------
    study, alliance, outcome, model, effect : mapping
        Coded cells by column name; absent, None and ``"NR"`` are not reported, ``"NA"`` does
        not apply.
    component : str
        The effect's component.

    Returns
    -------
    dict
        Score by item. An override in ``effect`` wins over the derived score.
    """
    scores: dict[str, Score] = {
        "A1": _precedence(alliance, outcome, effect),
        "A2": _level(
            model.get("prior_outcome_control"),
            {"none": 0, "baseline only": 1, "up to the alliance session": 2, "autoregressive": 2},
        ),
        "A3": _level(model.get("reverse_path"), {"none": 0, "own model": 1, "same model": 2}),
        "B1": _count(_assessments(alliance, model, effect), (2, 4)),
        "B2": _count(_first(model.get("y_occasions"), outcome.get("n_assessments")), (3, 4)),
        "C1": _separation(model, alliance, component),
        "C2": _level(
            model.get("detrending"),
            {"none": 0, "time in Y model": 1, "X detrended": 2, "both": 2},
        ),
        "E1": _rater(alliance, outcome),
        "E2": _level(
            model.get("missing_method"),
            {"listwise": 0, "LOCF": 0, "FIML/ML": 1, "MI": 1, "with MNAR sensitivity": 2},
        ),
        "E3": _level(
            study.get("preregistered"),
            {"no": 0, "registered (trial only)": 1, "alliance hypothesis preregistered": 2},
        ),
    }
    for item in HAND_SCORED:
        scores[item] = _number(model.get(item))
    for item in DERIVED:
        if effect.get(item) is not None:
            scores[item] = _number(effect[item])
    return {item: scores[item] for item in ITEMS}


def index(
    scores: Mapping[str, Score], *, estimand: str = "NA", not_reported_is_zero: bool = True
) -> float | None:
    """Sum of scores over the sum of their maxima, between 0 and 1.

    The item that defines the component (C1) is left out, and C3 where it defines the estimand
    (``lagged_partial``). Items that do not apply leave the sum; items not reported count 0 or
    leave it too.

    Returns
    -------
    float or None
        None where no item is left.

    Examples
    --------
    >>> index({"A1": 1, "A2": 0, "D4": 1, "E3": "NR"})
    0.2857142857142857
    >>> index({"A1": 1, "A2": 0, "D4": 1, "E3": "NR"}, not_reported_is_zero=False)
    0.4
    """
    left_out = {DEFINES_COMPONENT}
    if estimand == "lagged_partial":
        left_out.add(DEFINES_ESTIMAND)
    total = maximum = 0
    for item, score in scores.items():
        if item in left_out or score == "NA":
            continue
        if score == "NR" and not not_reported_is_zero:
            continue
        maximum += MAXIMUM[item]
        total += score if isinstance(score, int) else 0
    return total / maximum if maximum else None


def _precedence(alliance: Facts, outcome: Facts, effect: Facts) -> Score:
    """A1: whether alliance comes before the change in outcome that it predicts."""
    term, lag = effect.get("alliance_term"), effect.get("lag")
    numeric = _real(lag)
    if term in OCCASION_TERMS:
        return "NR" if numeric is None and lag != "post" else (0 if numeric == 0 else 2)
    if term in WHOLE_TREATMENT_TERMS or numeric == 0:
        return 0
    if _text(alliance.get("last_session")) in ("post", "follow-up"):
        return 0
    window = outcome.get("outcome_window_starts")
    if term == "change or slope":
        return _level(window, {"pre": 0, "alliance session": 0, "next session": 2})
    return _level(window, {"pre": 1, "alliance session": 2, "next session": 2})


def _assessments(alliance: Facts, model: Facts, effect: Facts) -> object:
    if effect.get("alliance_term") == "single score":
        return _first(alliance.get("n_assessments"), 1)
    return _first(alliance.get("n_assessments"), model.get("sessions"))


def _separation(model: Facts, alliance: Facts, component: str) -> Score:
    """C1: whether differences between patients and changes within one are separated."""
    if component in ("total", "blended", "between_change"):
        return 0
    disaggregation = model.get("disaggregation")
    if disaggregation in LATENT:
        return 2
    if component == "between_observed" and disaggregation in (None, "none", "aggregation only"):
        sessions = _real(_first(alliance.get("n_assessments"), model.get("sessions")))
        return "NR" if sessions is None else int(sessions >= 4)
    if disaggregation in (None, "NR"):
        return "NR"
    return 0 if disaggregation == "none" else 1


def _rater(alliance: Facts, outcome: Facts) -> Score:
    """E1: whether someone else judges the outcome, and blind; in doubt the lower score."""
    first, second = _text(alliance.get("rater")), _text(outcome.get("rater"))
    if "NR" in (first, second) or not (first and second):
        return "NR"
    blind = outcome.get("blind") == "yes"
    if first == second:
        return 2 if first == "observer" and blind else 0
    return 2 if blind else 1


def _level(value: object, anchors: Mapping[str, int]) -> Score:
    if value == "NA":
        return "NA"
    return anchors.get(str(value), "NR")


def _count(value: object, thresholds: tuple[float, float]) -> Score:
    if value == "NA":
        return "NA"
    number = _real(value)
    return "NR" if number is None else sum(number >= threshold for threshold in thresholds)


def _number(value: object) -> Score:
    if value == "NA":
        return "NA"
    number = _real(value)
    return "NR" if number is None else int(number)


def _real(value: object) -> float | None:
    try:
        return None if value is None else float(str(value))
    except ValueError:
        return None


def _first(*values: object) -> object:
    return next((value for value in values if value not in (None, "NR")), None)


def _text(value: object) -> str:
    return "" if value is None else str(value)
