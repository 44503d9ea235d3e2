"""From what was coded to what an effect is: component, estimand, sign, occasions, label."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from metalliance.coding.records import Linked, Record
from metalliance.effectsize.paths import FORWARD, REVERSE

__all__ = [
    "END_FORMS",
    "FORWARD",
    "Facts",
    "derive",
    "derived_component",
    "derived_estimand",
    "occasions",
]

AFTER_TREATMENT = ("post", "follow-up")
UNSIGNED = ("F", "chi2", "R2", "p")
END_FORMS = (
    "raw post",
    "post adjusted for baseline",
    "raw change",
    "residual change",
    "binary response",
    "dropout",
    "time-to-event",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an effect is, derived from its row and the rows it refers to.

    Attributes
    ----------
    component, estimand, path, es_metric : str
        Empty where not yet known. ``estimand`` is ``NA`` except for within effects.
    alliance_term : str
        Coded, or ``single score`` where a simple model has one alliance session.
    lag : float
        Sessions; NaN for ``post``, NR and blank.
    lag_text : str
        The lag as coded: a number, ``post``, ``NR`` or nothing.
    k_x, k_y, shared : float
        Occasions in the alliance score, in the outcome score, in both; NaN where unknown.
    sign : int
        1 as printed, −1 reversed, 0 unknown.
    sign_from : str
        How the sign was decided.
    label : str
        ``WAI patient s3 → BDI patient post``.
    """

    component: str
    estimand: str
    path: str
    es_metric: str
    alliance_term: str
    lag: float
    lag_text: str
    k_x: float
    k_y: float
    shared: float
    sign: int
    sign_from: str
    label: str


def derive(linked: Linked) -> Facts:
    """Derive everything that follows from the coded facts of one effect."""
    effect = linked.effect
    term = alliance_term(linked)
    component = effect.text("component") or derived_component(
        term, effect.text("other_alliance_term")
    )
    estimand = effect.text("estimand") or derived_estimand(linked, component)
    sign, sign_from = _sign(linked)
    lag = effect.number("lag")
    k_x, k_y = occasions(linked.alliance, term), occasions(linked.outcome, "")
    if math.isnan(k_y) and _at_end(linked):
        k_y = 1.0
    return Facts(
        component=component,
        estimand=estimand,
        path=effect.text("path") or FORWARD,
        es_metric="beta" if estimand == "lagged_partial" else "z",
        alliance_term=term,
        lag=math.nan if lag is None else lag,
        lag_text=_lag_text(effect),
        k_x=_coded(effect, "k_x", k_x),
        k_y=_coded(effect, "k_y", k_y),
        shared=_coded(effect, "shared", _shared(linked)),
        sign=sign,
        sign_from=sign_from,
        label=_label(linked),
    )


def alliance_term(linked: Linked) -> str:
    """The coded term, or 'single score' for a simple model of one alliance session."""
    effect = linked.effect
    coded = effect.text("alliance_term")
    if coded or not effect.is_blank("alliance_term"):
        return coded
    simple = effect.text("model").upper() in ("RAW", "PRE")
    if simple and linked.alliance is not None and occasions(linked.alliance, "") == 1:
        return "single score"
    return ""


def _mean_and_raw(with_person_mean: str, otherwise: str) -> Callable[[str], str]:
    return lambda other: with_person_mean if other == "person mean" else otherwise


COMPONENTS: dict[str, Callable[[str], str]] = {
    "single score": lambda _: "total",
    "mean of k": lambda _: "between_observed",
    "own deviation": lambda _: "within",
    "person mean": lambda other: (
        "contextual" if other == "raw in multilevel" else "between_observed"
    ),
    "raw in multilevel": _mean_and_raw("within", "blended"),
    "change or slope": lambda _: "between_change",
    "latent within": lambda _: "within",
    "latent intercept": lambda _: "between_latent",
    "therapist mean": lambda _: "between_therapist",
}


def derived_component(term: str, other: str) -> str:
    """The component of a coefficient, read off the alliance variables of its model.

    >>> derived_component("person mean", "raw in multilevel")
    'contextual'
    >>> derived_component("raw in multilevel", "")
    'blended'
    """
    rule = COMPONENTS.get(term)
    return rule(other) if rule is not None else ""


def derived_estimand(linked: Linked, component: str) -> str:
    """Which within-patient quantity: same session, later session, or net of the lagged outcome.

    Empty where the lag that decides it is not known.
    """
    if not component:
        return ""
    if component != "within":
        return "NA"
    model, effect = linked.model, linked.effect
    if model is not None and (
        model.text("lagged_outcome") == "yes"
        or model.text("prior_outcome_control") == "autoregressive"
    ):
        return "lagged_partial"
    lag = effect.number("lag")
    if lag is None:
        return ""
    return "concurrent_r" if lag == 0 else "lagged_r"


def _lag_text(effect: Record) -> str:
    number = effect.number("lag")
    if number is not None:
        return f"{number:g}"
    return effect.text("lag") or {"NR": "NR", "NA": "NA"}.get(effect.code("lag"), "")


def _sign(linked: Linked) -> tuple[int, str]:
    coded = linked.effect.text("positive_means")
    if coded == "better":
        return 1, "printed sign: positive means better"
    if coded == "worse":
        return -1, "reversed: positive means worse"
    if coded != "as scored":
        return 0, coded or linked.effect.code("positive_means")
    if linked.effect.text("stat") in UNSIGNED:
        return 0, f"{linked.effect.text('stat')} has no sign of its own: better or worse?"
    directions = [
        record.text("high_score_means") if record is not None else ""
        for record in (linked.alliance, linked.outcome)
    ]
    if not all(directions):
        return 0, "as scored, but a direction of scoring is not known"
    sign = 1 if directions[0] == directions[1] else -1
    words = f"as scored: high alliance is {directions[0]}, high outcome is {directions[1]}"
    return sign, words if sign == 1 else f"reversed, {words}"


def _sessions(record: Record | None) -> tuple[float, float] | None:
    if record is None:
        return None
    first, last = record.number("first_session"), record.number("last_session")
    if first is None and last is None:
        return None
    first = last if first is None else first
    last = first if last is None else last
    return (first, last) if first is not None and last is not None else None


def occasions(record: Record | None, term: str) -> float:
    """Assessments that enter a score; NaN where not known."""
    if term == "single score":
        return 1.0
    if record is None:
        return math.nan
    coded = record.number("n_assessments")
    if coded is not None:
        return coded
    if record.text("first_session") and record.text("last_session") in (
        "",
        record.text("first_session"),
    ):
        return 1.0
    sessions = _sessions(record)
    if sessions is None:
        return math.nan
    one = record.number("first_session") is not None and record.is_blank("last_session")
    return math.nan if one else sessions[1] - sessions[0] + 1


def _at_end(linked: Linked) -> bool:
    outcome = linked.outcome
    if linked.effect.text("lag") == "post":
        return True
    if outcome is None:
        return False
    return outcome.text("first_session") in AFTER_TREATMENT or (
        not outcome.text("first_session") and outcome.text("outcome_form") in END_FORMS
    )


def _shared(linked: Linked) -> float:
    if linked.effect.text("lag") == "post" or _words(linked.outcome) or _words(linked.alliance):
        same = _words(linked.outcome) == _words(linked.alliance) != ""
        return 1.0 if same else 0.0
    x, y = _sessions(linked.alliance), _sessions(linked.outcome)
    if x is None or y is None:
        return math.nan
    return max(0.0, min(x[1], y[1]) - max(x[0], y[0]) + 1)


def _words(record: Record | None) -> str:
    return record.text("first_session") if record is not None else ""


def _coded(effect: Record, name: str, derived: float) -> float:
    number = effect.number(name)
    return derived if number is None else number


def _label(linked: Linked) -> str:
    alliance = _measure_label(linked.alliance)
    at_end = "post" if _at_end(linked) else ""
    outcome = _measure_label(linked.outcome, at_end)
    if not (alliance or outcome):
        return ""
    if linked.effect.text("path") == REVERSE:
        alliance, outcome = outcome, alliance
    arrow = "–" if linked.effect.text("path") == "undirected" else "→"
    return f"{alliance or 'alliance'} {arrow} {outcome or 'outcome'}"


def _measure_label(record: Record | None, otherwise: str = "") -> str:
    if record is None:
        return ""
    subscale = record.text("subscale")
    parts = [
        record.text("instrument") or record.text("id"),
        "" if subscale == "total" else subscale,
        record.text("rater"),
        _when(record) or otherwise,
    ]
    return " ".join(part for part in parts if part)


def _when(record: Record) -> str:
    word = record.text("first_session")
    months = record.number("follow_up_months")
    if word == "follow-up" and months is not None:
        return f"follow-up {months:g} m"
    if word:
        return word
    sessions = _sessions(record)
    if sessions is None:
        return ""
    first, last = sessions
    return f"s{first:g}" if first == last else f"s{first:g}–{last:g}"
