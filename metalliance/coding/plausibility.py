"""What is wrong within a row, what is not yet coded, and what looks odd."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from metalliance.coding.derivation import Facts, derive
from metalliance.coding.estimates import CELLS, MEANS, value_elsewhere
from metalliance.coding.field_rules import check_field_rules
from metalliance.coding.records import Findings, Linked, Record
from metalliance.coding.sophistication import ITEMS
from metalliance.effectsize.significance import printed_p

__all__ = ["check_effect", "check_measure", "is_unused", "needs"]

CORRELATIONS = ("r", "rho_spearman", "r_partial", "r_semipartial")
COEFFICIENTS = ("beta", "beta_within", "b", "OR", "HR")
NOT_SIGNIFICANT = "n.s. only"
RANGES: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "p": (lambda p: 0 < p < 1, "lies between 0 and 1 (where p is printed as .000, give the test)"),
    "R2": (lambda r2: 0 <= r2 < 1, "lies from 0 to below 1"),
    "OR": (lambda ratio: ratio > 0, "is above 0 (a logarithm may be below: give the ratio)"),
    "HR": (lambda ratio: ratio > 0, "is above 0 (a logarithm may be below: give the ratio)"),
    "F": (lambda f: f >= 0, "is not below 0"),
    "chi2": (lambda chi2: chi2 >= 0, "is not below 0"),
}
SE_TOLERANCE = 0.2
WIDEST_Z = 3.0
WIDEST_R = 0.9
P_SLACK = 0.015


def is_unused(effect: Record) -> bool:
    """True where the coder set the row aside."""
    return effect.text("role") == "not used"


def check_measure(record: Record, findings: Findings) -> None:
    """Sessions in their order."""
    first, last = record.number("first_session"), record.number("last_session")
    if first is not None and last is not None and last < first:
        what = f"the last session comes before the first ({first:g})"
        findings.add("error", record, "last_session", what, "exchange them", "session-order")


def check_effect(linked: Linked, findings: Findings) -> None:
    """Every check of one effect, given the rows it refers to."""
    effect = linked.effect
    if is_unused(effect):
        return
    facts = derive(linked)
    spoiled = any(findings.fault(record) is not None for record in linked.referred())
    for record, name in needs(linked, facts, spoiled=spoiled):
        findings.wait(effect.text("study"), record, name)
    wrong = _wrong_value(effect, findings) or _wrong_interval(effect, findings)
    if not wrong:
        _odd_value(effect, findings)
        _odd_p(linked, facts, findings)
        _odd_se(effect, facts, findings)
    check_field_rules(linked, facts, findings)
    _odd_sign(linked, findings)
    _odd_single_score(linked, findings)
    _odd_size(linked, findings)
    _odd_groups(linked, findings)
    _override_reason(effect, findings)


def _odd_sign(linked: Linked, findings: Findings) -> None:
    """A negative value called better, where both scales say that negative is better."""
    effect, value = linked.effect, linked.effect.number("value")
    if linked.alliance is None or linked.outcome is None or value is None or value >= 0:
        return
    means = {linked.alliance.text("high_score_means"), linked.outcome.text("high_score_means")}
    if effect.text("positive_means") == "better" and means == {"better", "worse"}:
        what = (
            f"says that a positive value is better, so {value:g} means that a better alliance "
            "goes with a worse outcome; by the direction of both scales it would be the reverse"
        )
        findings.ask(effect, "positive_means", what, "worse, or as scored?", "sign-against-scales")


def _odd_single_score(linked: Linked, findings: Findings) -> None:
    effect = linked.effect
    assessments = None if linked.alliance is None else linked.alliance.number("n_assessments")
    if effect.text("alliance_term") == "single score" and assessments and assessments > 1:
        what = f"is single score, but MEASURES has {assessments:g} assessments in this score"
        findings.ask(effect, "alliance_term", what, "mean of k?", "single-score")


def needs(linked: Linked, facts: Facts, *, spoiled: bool = False) -> list[tuple[Record, str]]:
    """Cells that must be coded before this effect can be used and are still blank.

    ``spoiled``: a row it refers to is wrong, so that nothing can be said of what follows from it.
    """
    effect = linked.effect
    found = [(effect, name) for name in _plainly_required(linked) if effect.is_blank(name)]
    if not linked.resolved or spoiled:
        return found
    if not facts.component and effect.is_blank("component") and effect.is_blank("alliance_term"):
        found.append((effect, "component" if linked.flat else "alliance_term"))
    undecided = facts.component == "within" and not facts.estimand
    if undecided and effect.is_blank("estimand") and effect.is_blank("lag"):
        found.append((effect, "lag"))
    if effect.text("positive_means") == "as scored":
        for record in (linked.alliance, linked.outcome):
            if record is not None and record.is_blank("high_score_means"):
                found.append((record, "high_score_means"))
    return found


def _plainly_required(linked: Linked) -> list[str]:
    effect = linked.effect
    names = ["study", "effect"]
    if not linked.flat:
        names += ["alliance", "outcome", "model"]
    names.append("stat")
    if not value_elsewhere(effect):
        names += _missing_parts(effect) or ["value"]
    if effect.text("stat") != NOT_SIGNIFICANT:
        names.append("positive_means")
    unknown_model = linked.model is None and not effect.is_blank("model")
    if not unknown_model and not _n_elsewhere(linked):
        names.append("n")
    return names


def _missing_parts(effect: Record) -> list[str]:
    """What is blank of two groups or of a 2×2 table that is only partly there."""
    parts = {"d": MEANS, "g": MEANS, "OR": CELLS, "chi2": CELLS}.get(effect.text("stat"), ())
    given = [name for name in parts if not effect.is_blank(name)]
    begun = [name for name in given if name not in ("n1", "n2")]
    if not begun or not effect.is_blank("value"):
        return []
    return [name for name in parts if effect.is_blank(name)]


def _n_elsewhere(linked: Linked) -> bool:
    effect, model = linked.effect, linked.model
    if model is not None and not model.is_blank("n"):
        return True
    printed = not effect.is_blank("se") or not (
        effect.is_blank("ci_low") or effect.is_blank("ci_high")
    )
    if effect.text("stat") in COEFFICIENTS and printed:
        return True
    groups = ("n1", "n2") if effect.text("stat") in ("d", "g") else CELLS
    if all(effect.number(name) is not None for name in groups):
        return True
    return linked.flat and effect.number("vi") is not None and effect.number("yi") is not None


def _wrong_value(effect: Record, findings: Findings) -> bool:
    stat, value = effect.text("stat"), effect.number("value")
    if value is not None and stat in RANGES and not RANGES[stat][0](value):
        what = f"{stat} {RANGES[stat][1]}"
        findings.add("error", effect, "value", what, "check the printed value and stat", "range")
        return True
    if value is None or stat not in CORRELATIONS or -1 < value < 1:
        return False
    if abs(value) == 1:
        what = f"{stat} of exactly {value:g} has no Fisher z"
        mend = "check the printed value"
    else:
        what = f"{stat} lies between −1 and 1"
        mend = "check the printed value, or choose another stat"
        if abs(value) >= 2 and abs(value) < 100 and value == int(value):
            mend = f"did you mean {value / 100:.2f}? Otherwise {mend}"
    findings.add("error", effect, "value", what, mend, "correlation-range")
    return True


def _wrong_interval(effect: Record, findings: Findings) -> bool:
    value, low, high = (effect.number(name) for name in ("value", "ci_low", "ci_high"))
    if low is None or high is None:
        return False
    if low >= high:
        what = f"the interval from {low:g} to {high:g} has no width"
        findings.add("error", effect, "ci_low", what, "check both limits", "interval")
        return True
    if value is not None and not low <= value <= high:
        what = f"the interval from {low:g} to {high:g} does not contain the value {value:g}"
        findings.add("error", effect, "ci_low", what, "check sign and limits", "interval")
        return True
    return False


def _odd_value(effect: Record, findings: Findings) -> None:
    value = effect.number("value")
    if value is not None and effect.text("stat") == "z" and abs(value) > WIDEST_Z:
        what = f"a Fisher z of {value:g} means r = {math.tanh(value):.3f}"
        findings.ask(effect, "value", what, "is it a test statistic?", "large-z")


def _odd_se(effect: Record, facts: Facts, findings: Findings) -> None:
    stat, value, se, n = (
        effect.text("stat"),
        effect.number("value"),
        effect.number("se"),
        effect.number("n"),
    )
    if stat not in ("r", "z") or facts.component == "within":
        return
    if value is None or se is None or n is None or effect.code("n") == "faulty":
        return
    r = value if stat == "r" else math.tanh(value)
    expected = (1 / math.sqrt(n - 3), (1 - r**2) / math.sqrt(n - 1))
    if any(abs(se - e) <= SE_TOLERANCE * e for e in expected):
        return
    what = f"does not fit n = {n:g}, which gives {expected[0]:.3f} for z, {expected[1]:.3f} for r"
    mend = "check both (a variance in place of a standard error?)"
    findings.ask(effect, "se", what, mend, "se-and-n")


def _odd_size(linked: Linked, findings: Findings) -> None:
    started = linked.study.number("n_start") if linked.study is not None else None
    n = linked.effect.number("n")
    if linked.study is not None and started is not None and n is not None and n > started:
        what = f"more patients than started ({started:g}, {linked.study.address('n_start')})"
        findings.ask(linked.effect, "n", what, "check both", "n-above-start")


def _odd_groups(linked: Linked, findings: Findings) -> None:
    """Two groups that do not add up to n, and an odds ratio of nobody knows what unit."""
    effect = linked.effect
    n, n1, n2 = (effect.number(name) for name in ("n", "n1", "n2"))
    if n is not None and n1 is not None and n2 is not None and n1 + n2 != n:
        what = f"the two groups have {n1:g} + {n2:g} = {n1 + n2:g} patients, n says {n:g}"
        findings.ask(effect, "n", what, "which of them entered the analysis?", "groups-and-n")
    logistic = linked.model is not None and linked.model.text("kind") == "logistic regression"
    if effect.text("stat") == "OR" and logistic and effect.number("sd_x") is None:
        what = "is of a logistic regression: per unit of alliance?"
        mend = "give sd_x (1 where alliance is standardised); blank means two groups"
        findings.ask(effect, "value", what, mend, "odds-ratio-unit")


def _odd_p(linked: Linked, facts: Facts, findings: Findings) -> None:
    """A printed p that its own r or t contradicts, and an r that is hardly ever seen."""
    effect, value = linked.effect, linked.effect.number("value")
    if value is None or facts.component == "within" or effect.code("value"):
        return
    if effect.text("stat") == "r" and abs(value) >= WIDEST_R:
        what = f"a correlation of {value:g} between alliance and outcome is hardly ever seen"
        findings.ask(effect, "value", what, "check the printed value", "large-r")
    try:
        number, relation = printed_p(effect.text("p_printed"))
    except ValueError:
        return
    p = _p_of(linked, value)
    if p is None:
        return
    wrong = {
        "<": p > number + P_SLACK,
        ">": p < number - P_SLACK,
        "=": abs(p - number) > max(2 * P_SLACK, 0.3 * number),
    }[relation]
    if wrong:
        what = f"does not fit the value, whose p is {p:.3g}"
        findings.ask(effect, "p_printed", what, "check value, n and p", "p-and-value")


def _p_of(linked: Linked, value: float) -> float | None:
    from scipy.special import stdtr

    effect = linked.effect
    n, df = effect.number("n"), effect.number("df")
    if effect.text("stat") == "r" and n is not None and n > 3 and abs(value) < 1:
        df, t = n - 2, value * math.sqrt((n - 2) / (1 - value**2))
    elif effect.text("stat") == "t" and df is not None:
        t = value
    else:
        return None
    return float(2 * stdtr(df, -abs(t)))


def _override_reason(effect: Record, findings: Findings) -> None:
    given = [item for item in ITEMS if not effect.is_blank(item)]
    if given and effect.is_blank("override_reason"):
        what = "a score is overridden without a reason"
        findings.ask(effect, given[0], what, "say why in override_reason", "override")
