"""Methodological sophistication of an effect: sixteen items by printed anchors, and their index.

Ten items follow from coded facts, six are scored by hand per model. NR is kept apart from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from metalliance.coding.cells import Code
from metalliance.coding.derivation import AFTER_TREATMENT, Facts
from metalliance.coding.records import Linked, Record

__all__ = [
    "DERIVED_ITEMS",
    "DOMAINS",
    "HAND_SCORED",
    "ITEMS",
    "MAXIMUM",
    "SHORT_FORM",
    "Score",
    "Sophistication",
    "items_of_index",
    "score_effect",
]

ITEMS: tuple[str, ...] = (
    *("A1", "A2", "A3", "A4"),
    *("B1", "B2"),
    *("C1", "C2", "C3"),
    *("D1", "D2", "D3", "D4"),
    *("E1", "E2", "E3"),
)
HAND_SCORED: tuple[str, ...] = ("A4", "C3", "D1", "D2", "D3", "D4")
DERIVED_ITEMS: tuple[str, ...] = tuple(item for item in ITEMS if item not in HAND_SCORED)
SHORT_FORM: tuple[str, ...] = ("A1", "A2", "A3")
MAXIMUM: Mapping[str, int] = MappingProxyType({i: 1 if i == "D4" else 2 for i in ITEMS})
DOMAINS: Mapping[str, str] = MappingProxyType(
    {
        "temporal": "A",
        "repeated": "B",
        "disaggregation": "C",
        "modelling": "D",
        "bias": "E",
    }
)
LATENT = ("latent intercept", "dynamic-panel ML-SEM/GMM")
OBSERVED = (
    "person-mean centring",
    "session mean + person mean",
    "detrended residuals",
    "fixed effects/first differences",
    "between-within hybrid",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One item: its points (NaN without), the code in their place, and where they come from."""

    points: float = math.nan
    code: Code = ""
    why: str = ""

    def __str__(self) -> str:
        if self.code:
            return "" if self.code == "blank" else self.code
        return f"{self.points:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sophistication:
    """All items of one effect and the index over those that apply.

    Attributes
    ----------
    scores : Mapping of str to Score
        By item, in the order of ``ITEMS``.
    index : float
        Σ points / Σ maximum over applicable items without C1 (and without C3 where the lagged
        outcome defines the estimand), NR as 0; NaN where fewer than half of them are coded.
    index_nr_missing : float
        The same with NR items left out of the denominator.
    short_form : float
        A1 to A3 only (C1 defines the component), NR as 0; NaN unless all three are coded.
    domains : Mapping of str to float
        The index within each domain of ``DOMAINS``, NR as 0.
    precision : float
        E4 by number of patients: 0 below 50, 1 from 50, 2 from 200. Reported only: n is the
        weight of the effect already.
    """

    scores: Mapping[str, Score]
    index: float
    index_nr_missing: float
    short_form: float
    domains: Mapping[str, float]
    precision: float


def items_of_index(estimand: str) -> tuple[str, ...]:
    """Items of the index of an effect: all but those that define what it estimates.

    C1 defines the component; for ``lagged_partial``, C3 depends on the lagged outcome, which
    defines the estimand.

    Examples
    --------
    >>> set(ITEMS) - set(items_of_index("NA"))
    {'C1'}
    """
    left_out = ("C1", "C3") if estimand == "lagged_partial" else ("C1",)
    return tuple(item for item in ITEMS if item not in left_out)


def score_effect(linked: Linked, facts: Facts) -> Sophistication:
    """Score every item of one effect.

    Notes
    -----
    Only what the effect's own model does is scored. An item that cannot be decided because a
    fact is not yet coded is blank; one whose fact is not reported is NR.
    """
    scores = {item: _score(item, linked, facts) for item in ITEMS}
    left_out = set(ITEMS) - set(items_of_index(facts.estimand))
    return Sophistication(
        scores=MappingProxyType(scores),
        index=_index(scores, left_out, nr_is_zero=True),
        index_nr_missing=_index(scores, left_out, nr_is_zero=False),
        short_form=_short_form(scores),
        domains=MappingProxyType(
            {
                name: _index(_of_domain(scores, letter), left_out, nr_is_zero=True)
                for name, letter in DOMAINS.items()
            }
        ),
        precision=_precision(linked),
    )


def _of_domain(scores: Mapping[str, Score], letter: str) -> Mapping[str, Score]:
    return {item: score for item, score in scores.items() if item.startswith(letter)}


def _precision(linked: Linked) -> float:
    n = linked.effect.number("n")
    if n is None and linked.model is not None:
        n = linked.model.number("n")
    if linked.flat:
        return math.nan
    return math.nan if n is None else 0.0 if n < 50 else 1.0 if n < 200 else 2.0


def _index(scores: Mapping[str, Score], left_out: set[str], *, nr_is_zero: bool) -> float:
    applicable = [
        item
        for item in scores
        if item not in left_out and scores[item].code not in ("NA", "faulty")
    ]
    coded = [item for item in applicable if scores[item].code != "blank"]
    if not applicable or 2 * len(coded) < len(applicable):
        return math.nan
    counted = [item for item in coded if nr_is_zero or scores[item].code != "NR"]
    if not counted:
        return math.nan
    points = sum(0.0 if scores[item].code == "NR" else scores[item].points for item in counted)
    return points / sum(MAXIMUM[item] for item in counted)


def _short_form(scores: Mapping[str, Score]) -> float:
    found = [scores[item] for item in SHORT_FORM]
    if any(score.code not in ("", "NR") for score in found):
        return math.nan
    return sum(0.0 if score.code == "NR" else score.points for score in found) / 6


def _score(item: str, linked: Linked, facts: Facts) -> Score:
    override = linked.effect.coded(item)
    if override.code != "blank":
        return _from_record(linked.effect, item, "override")
    if item in HAND_SCORED:
        return _from_record(linked.model, item, "scored by hand")
    if linked.flat:
        return Score(code="blank", why="no facts in a single table")
    return RULES[item](linked, facts)


def _from_record(record: Record | None, item: str, why: str) -> Score:
    if record is None:
        return Score(code="blank")
    coded = record.coded(item)
    if isinstance(coded.value, str):
        return Score(points=float(coded.value), why=why)
    return Score(code=coded.code or "blank", why=why)


def _by_level(
    record: Record | None, field: str, points: Mapping[str, int], na: int | None = None
) -> Score:
    if record is None:
        return Score(code="blank")
    level = record.text(field)
    if level in points:
        return Score(points=float(points[level]), why=f"{field}: {level}")
    code = record.code(field)
    if code == "NA" and na is not None:
        return Score(points=float(na), why=f"{field}: NA")
    return Score(code=code or "blank", why=field)


def temporal_precedence(linked: Linked, facts: Facts) -> Score:
    """A1. 0 at, after or averaged over; 1 before the end of the window; 2 before all change."""
    if facts.alliance_term in ("person mean", "latent intercept", "therapist mean"):
        return Score(points=0.0, why="averaged over the sessions of the outcome")
    alliance, outcome = linked.alliance, linked.outcome
    if alliance is not None and alliance.text("first_session") in AFTER_TREATMENT:
        return Score(points=0.0, why="alliance after treatment")
    if facts.component == "between_observed" and _whole_treatment(linked, facts):
        return Score(points=0.0, why="averaged over treatment")
    if facts.lag == 0:
        return Score(points=0.0, why="same session")
    if facts.lag >= 1:
        return Score(points=2.0, why=f"lag {facts.lag_text}")
    if facts.component == "within":
        return Score(code="NR" if facts.lag_text == "NR" else "blank", why="lag")
    window = {"pre": 1, "alliance session": 2, "next session": 2}
    return _by_level(outcome, "outcome_window_starts", window)


def _whole_treatment(linked: Linked, facts: Facts) -> bool:
    last = linked.alliance.number("last_session") if linked.alliance is not None else None
    word = linked.alliance.text("last_session") if linked.alliance is not None else ""
    sessions = linked.effect.number("sessions_mean")
    if sessions is None and linked.model is not None:
        sessions = linked.model.number("sessions")
    ends = last is not None and sessions is not None and last >= sessions
    return ends or word in AFTER_TREATMENT or facts.shared > 0


def prior_symptoms(linked: Linked, _: Facts) -> Score:
    """A2. 0 none; 1 pre-treatment level; 2 up to the alliance session, or autoregressive."""
    levels = {"none": 0, "baseline only": 1, "up to the alliance session": 2, "autoregressive": 2}
    found = _by_level(linked.model, "prior_outcome_control", levels)
    if linked.model is not None and linked.model.text("lagged_outcome") == "yes":
        return Score(points=2.0, why="lagged outcome in the model")
    form = linked.outcome.text("outcome_form") if linked.outcome is not None else ""
    if form in ("post adjusted for baseline", "residual change") and not found.points >= 1:
        return Score(points=1.0, why=f"outcome_form: {form}")
    return found


def reverse_causation(linked: Linked, _: Facts) -> Score:
    """A3. 0 not modelled; 1 estimated separately; 2 both paths in one model."""
    return _by_level(
        linked.model, "reverse_path", {"none": 0, "own model": 1, "same model": 2}, na=0
    )


def repeated_alliance(linked: Linked, facts: Facts) -> Score:
    """B1. 0 one assessment; 1 two or three; 2 four or more."""
    return _by_count(facts.k_x, 2, linked.alliance, "n_assessments")


def repeated_outcome(linked: Linked, facts: Facts) -> Score:
    """B2. 0 one or two occasions; 1 three; 2 four or more."""
    model = linked.model
    occasions = model.number("y_occasions") if model is not None else None
    if occasions is not None:
        return _by_count(occasions, 3, model, "y_occasions")
    if math.isnan(facts.k_y) and model is not None and model.code("y_occasions") == "NR":
        return Score(code="NR", why="y_occasions")
    return _by_count(facts.k_y, 3, linked.outcome, "n_assessments")


def _by_count(count: float, enough: int, record: Record | None, field: str) -> Score:
    if not math.isnan(count):
        points = 2.0 if count >= 4 else 1.0 if count >= enough else 0.0
        return Score(points=points, why=f"{count:g} occasions")
    code = record.code(field) if record is not None else "blank"
    return Score(code="NR" if code == "NR" else "blank", why=field)


def trait_state_separated(linked: Linked, facts: Facts) -> Score:
    """C1. 0 not separated; 1 observed means, or a mean of at least four; 2 latent or bias-free."""
    component = facts.component
    if not component:
        return Score(code="blank", why="component")
    if component == "between_latent" or facts.alliance_term == "latent within":
        return Score(points=2.0, why=component)
    method = linked.model.text("disaggregation") if linked.model is not None else ""
    if component in ("within", "between_observed", "contextual"):
        if method in LATENT:
            return Score(points=2.0, why=f"disaggregation: {method}")
        separated = method in OBSERVED or facts.alliance_term in ("own deviation", "person mean")
        if separated or facts.alliance_term == "raw in multilevel":
            return Score(points=1.0, why="observed person means")
        if component == "between_observed" and facts.k_x >= 4:
            return Score(points=1.0, why=f"mean of {facts.k_x:g}")
        if component == "between_observed" and math.isnan(facts.k_x):
            return repeated_alliance(linked, facts)
    return Score(points=0.0, why=component)


def trend(linked: Linked, _: Facts) -> Score:
    """C2. 0 no handling; 1 time in the outcome model; 2 explicit detrending."""
    if linked.model is not None and linked.model.text("disaggregation") == "detrended residuals":
        return Score(points=2.0, why="disaggregation: detrended residuals")
    levels = {"none": 0, "time in Y model": 1, "X detrended": 2, "both": 2}
    return _by_level(linked.model, "detrending", levels, na=0)


def independent_rater(linked: Linked, _: Facts) -> Score:
    """E1. 0 same rater; 1 another person, not blind; 2 independent assessor, blind."""
    alliance, outcome = linked.alliance, linked.outcome
    if alliance is None or outcome is None:
        return Score(code="blank")
    raters = (alliance.text("rater"), outcome.text("rater"))
    if not all(raters):
        codes = {alliance.code("rater"), outcome.code("rater")}
        return Score(code="blank" if "blank" in codes else "NR", why="rater")
    blind = outcome.text("blind") == "yes"
    if blind and raters[1] in ("observer", "other"):
        return Score(points=2.0, why="independent and blind")
    if raters[0] == raters[1]:
        return Score(points=0.0, why=f"{raters[0]} rated both")
    return Score(points=1.0, why=f"{raters[1]}, not {raters[0]}")


def missing_data(linked: Linked, _: Facts) -> Score:
    """E2. 0 completers, listwise, LOCF; 1 FIML, ML, MI; 2 with an MNAR sensitivity analysis."""
    levels = {"listwise": 0, "LOCF": 0, "FIML/ML": 1, "MI": 1, "with MNAR sensitivity": 2}
    return _by_level(linked.model, "missing_method", levels, na=0)


def registered(linked: Linked, _: Facts) -> Score:
    """E3. 0 none; 1 the trial; 2 the alliance hypothesis and analysis."""
    levels = {"no": 0, "registered (trial only)": 1, "alliance hypothesis preregistered": 2}
    return _by_level(linked.study, "preregistered", levels, na=0)


RULES: dict[str, Callable[[Linked, Facts], Score]] = {
    "A1": temporal_precedence,
    "A2": prior_symptoms,
    "A3": reverse_causation,
    "B1": repeated_alliance,
    "B2": repeated_outcome,
    "C1": trait_state_separated,
    "C2": trend,
    "E1": independent_rater,
    "E2": missing_data,
    "E3": registered,
}
