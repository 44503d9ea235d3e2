"""A statistic that cannot be converted is asked about where it stands."""

from __future__ import annotations

from metalliance.coding.assemble import LeftOut, judge
from metalliance.coding.derivation import derive
from metalliance.coding.estimates import estimate_effect
from metalliance.coding.records import Findings, Linked

__all__ = ["check_conversion"]

ALWAYS_CONVERTED = ("r", "z")
NEVER_POOLED = ("contextual", "blended")


def check_conversion(linked: Linked, findings: Findings) -> None:
    """Ask for what the conversion of one effect lacks, once its cells are otherwise in order."""
    effect = linked.effect
    if effect.text("stat") in ALWAYS_CONVERTED and effect.text("component") != "within":
        return
    facts = derive(linked)
    if facts.component in NEVER_POOLED:
        return
    outcome = judge(linked, facts, findings.faults, estimate_effect)
    if isinstance(outcome, LeftOut) and outcome.status == "not converted":
        name = "value" if effect.code("value") == "" else "stat"
        mend = "add what is missing; until then the effect is kept and not pooled"
        findings.ask(effect, name, outcome.reason, mend, "not-converted")
