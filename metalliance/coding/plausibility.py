"""What is wrong within a row, what is not yet coded, and what looks odd."""

from __future__ import annotations

import math

from metalliance.coding.derivation import Facts, derive
from metalliance.coding.estimates import CELLS, value_elsewhere
from metalliance.coding.field_rules import check_field_rules
from metalliance.coding.records import Findings, Linked, Record
from metalliance.coding.sophistication import ITEMS

__all__ = ["check_effect", "check_measure", "is_unused", "needs"]

CORRELATIONS = ("r", "rho_spearman", "r_partial", "r_semipartial")
COEFFICIENTS = ("beta", "beta_within", "b", "OR", "HR")
NOT_SIGNIFICANT = "n.s. only"
SE_TOLERANCE = 0.2
WIDEST_Z = 3.0


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
        _odd_se(effect, facts, findings)
    check_field_rules(linked, facts, findings)
    _odd_sign(linked, findings)
    _odd_single_score(linked, findings)
    _odd_size(linked, findings)
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
    names += ["stat"] if value_elsewhere(effect) else ["stat", "value"]
    if effect.text("stat") != NOT_SIGNIFICANT:
        names.append("positive_means")
    unknown_model = linked.model is None and not effect.is_blank("model")
    if not unknown_model and not _n_elsewhere(linked):
        names.append("n")
    return names


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


def _override_reason(effect: Record, findings: Findings) -> None:
    given = [item for item in ITEMS if not effect.is_blank(item)]
    if given and effect.is_blank("override_reason"):
        what = "a score is overridden without a reason"
        findings.ask(effect, given[0], what, "say why in override_reason", "override")
