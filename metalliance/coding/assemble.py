"""Rows become the effect table: usable ones with their numbers, the others with their reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from metalliance.coding.derivation import Facts
from metalliance.coding.estimates import value_elsewhere
from metalliance.coding.plausibility import NOT_SIGNIFICANT, is_unused, needs
from metalliance.coding.records import Key, Linked, Record, fault_of
from metalliance.coding.sophistication import DOMAINS, Sophistication
from metalliance.effectsize.convert import Estimate
from metalliance.errors import ConversionError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from metalliance.effectsize.table import EffectTable

__all__ = ["LeftOut", "Outcome", "Row", "Status", "build_table", "judge"]

Status = Literal[
    "not used", "faulty", "waiting", "no value", "sign unclear", "held out", "not converted", "role"
]
Faults = Mapping[Key, Problem]
TEXT_COLUMNS = ("study", "sample", "effect", "component", "estimand", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Why an effect has no estimate, and the cell that says so."""

    status: Status
    reason: str
    address: str


Outcome = Estimate | LeftOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One effect row with everything that follows from it."""

    linked: Linked
    facts: Facts
    outcome: Outcome
    score: Sophistication

    @property
    def role(self) -> str:
        """main, sensitivity or not used."""
        return self.linked.effect.text("role") or "main"


def judge(
    linked: Linked,
    facts: Facts,
    faults: Faults,
    estimate: Callable[[Linked, Facts], Estimate],
) -> Outcome:
    """The estimate of one effect, or the first reason that it has none."""
    for rule in (_set_aside, _spoiled, _unfinished, _without_value, _direction, _held_out):
        left_out = rule(linked, facts, faults)
        if left_out is not None:
            return left_out
    try:
        found = estimate(linked, facts)
        if not math.isnan(found.yi):
            return found
        return _left_out("no value", f"only a bound: {found.trace}", linked.effect, "value")
    except ConversionError as error:
        field = "stat" if linked.effect.coded("stat").cell else "value"
        return _left_out("not converted", str(error), linked.effect, field)


def _left_out(status: Status, reason: str, record: Record, field: str = "") -> LeftOut:
    return LeftOut(status=status, reason=reason, address=record.address(field))


def _set_aside(linked: Linked, _: Facts, __: Faults) -> LeftOut | None:
    if not is_unused(linked.effect):
        return None
    reason = linked.effect.text("role_reason")
    return _left_out(
        "not used", f"not used{f': {reason}' if reason else ''}", linked.effect, "role"
    )


def _spoiled(linked: Linked, _: Facts, faults: Faults) -> LeftOut | None:
    for record in (linked.effect, *linked.referred()):
        problem = fault_of(record, faults)
        if problem is not None:
            shown = f" {problem.value!r}" if problem.value else ""
            where = "" if record is linked.effect else f"{problem.address}"
            reason = f"error{f' at {where}' if where else ''}{shown}: {problem.what}"
            return LeftOut(status="faulty", reason=reason, address=problem.address)
    return None


def _unfinished(linked: Linked, facts: Facts, _: Faults) -> LeftOut | None:
    blank = needs(linked, facts)
    for record in (linked.alliance, linked.outcome, linked.model):
        if record is not None and record.row and record.is_blank("kind"):
            blank.append((record, "kind"))
    if not linked.flat and linked.study is None and linked.effect.is_blank("sample"):
        blank.append((linked.effect, "sample"))
    if not blank:
        return None
    names = ", ".join(f"{record.address(name)} ({name})" for record, name in blank)
    record, name = blank[0]
    return _left_out("waiting", f"not yet coded: {names}", record, name)


def _without_value(linked: Linked, _: Facts, __: Faults) -> LeftOut | None:
    effect = linked.effect
    if effect.text("stat") == NOT_SIGNIFICANT:
        reason = "reported only as not significant: kept without a value"
        return _left_out("no value", reason, effect, "stat")
    for name in ("stat", "value"):
        if effect.code(name) in ("NR", "NA") and not value_elsewhere(effect):
            reason = f"{name} is {effect.code(name)}: there is no number to pool"
            return _left_out("no value", reason, effect, name)
    return None


def _direction(linked: Linked, facts: Facts, _: Faults) -> LeftOut | None:
    if facts.sign:
        return None
    detail = f" ({facts.sign_from})" if facts.sign_from not in ("", "unclear") else ""
    reason = f"sign unclear{detail}: kept, not pooled"
    return _left_out("sign unclear", reason, linked.effect, "positive_means")


def _held_out(linked: Linked, facts: Facts, _: Faults) -> LeftOut | None:
    effect = linked.effect
    if not facts.component:
        return _left_out("held out", "the component is not reported", effect, "alliance_term")
    if facts.component == "within" and facts.estimand in ("", "NA"):
        lag = facts.lag_text or "not coded"
        reason = f"within-patient effect with lag {lag}: belongs to no lag-specific pool"
        return _left_out("held out", reason, effect, "lag")
    return None


def build_table(
    rows: Sequence[Row], role: str, correlations: pd.DataFrame | None = None
) -> EffectTable:
    """The effect table of one role."""
    import pandas as pd

    from metalliance.coding.moderators import moderator_columns
    from metalliance.effectsize.table import EXCLUDED_COLUMNS, EffectTable

    used: list[tuple[Row, Estimate]] = []
    left: list[dict[str, str]] = []
    for row in rows:
        if isinstance(row.outcome, LeftOut):
            left.append(_excluded(row, row.outcome))
        elif row.role != role:
            reason = row.linked.effect.text("role_reason")
            why = f"role is {row.role}, not {role}{f': {reason}' if reason else ''}"
            left.append(_excluded(row, _left_out("role", why, row.linked.effect, "role")))
        else:
            used.append((row, row.outcome))
    columns, moderators = moderator_columns([row.linked for row, _ in used], _derived(used))
    frame = pd.DataFrame({**_core(used), **columns, **_details(used)})
    unusable = pd.DataFrame(left, columns=[*EXCLUDED_COLUMNS, "status"], dtype=object)
    return EffectTable.build(frame, unusable, moderators, correlations)


def _excluded(row: Row, why: LeftOut) -> dict[str, str]:
    effect = row.linked.effect
    return {
        "study": effect.text("study"),
        "sample": row.linked.sample,
        "effect": effect.text("effect"),
        "reason": why.reason,
        "address": why.address,
        "status": why.status,
    }


def _core(used: Sequence[tuple[Row, Estimate]]) -> dict[str, pd.Series]:
    import pandas as pd

    from metalliance.effectsize.table import CORE_COLUMNS

    values: dict[str, list[object]] = {name: [] for name in CORE_COLUMNS}
    for row, estimate in used:
        facts, effect = row.facts, row.linked.effect
        found: dict[str, object] = {
            "study": effect.text("study"),
            "sample": row.linked.sample,
            "effect": effect.text("effect"),
            "component": facts.component,
            "estimand": facts.estimand or "NA",
            "path": facts.path,
            "lag": facts.lag,
            "es_metric": facts.es_metric,
            "route": estimate.route,
            "quality": estimate.quality,
            "ni": estimate.ni,
            "yi": estimate.yi,
            "vi": estimate.vi,
            "r": estimate.r,
            "v_r": estimate.v_r,
            "k_x": facts.k_x,
            "k_y": facts.k_y,
            "shared": facts.shared,
        }
        for name in CORE_COLUMNS:
            values[name].append(found[name])
    text = {*TEXT_COLUMNS, "es_metric", "route", "quality"}
    return {
        name: pd.Series(column, dtype=object if name in text else float)
        for name, column in values.items()
    }


def _derived(used: Sequence[tuple[Row, Estimate]]) -> dict[str, list[float]]:
    """Index and items by name; NaN where there is no score."""
    found: dict[str, list[float]] = {
        "sophistication": [row.score.index for row, _ in used],
        "sophistication_nr_missing": [row.score.index_nr_missing for row, _ in used],
        "mss4": [row.score.short_form for row, _ in used],
    }
    for domain in DOMAINS:
        found[f"sophistication_{domain}"] = [row.score.domains[domain] for row, _ in used]
    found["E4"] = [row.score.precision for row, _ in used]
    found["slope_sd_within"] = [_slope_sd(row, estimate) for row, estimate in used]
    for item in used[0][0].score.scores if used else ():
        found[item] = [row.score.scores[item].points for row, _ in used]
    return found


def _slope_sd(row: Row, estimate: Estimate) -> float:
    """SD of patients' slopes in the metric of the effect: as printed, or scaled as its b was."""
    effect, model = row.linked.effect, row.linked.model
    printed = None if model is None else model.number("slope_sd")
    if printed is None or row.facts.component != "within":
        return math.nan
    if effect.text("stat") != "b" or effect.text("metric") == "SD within":
        return printed if effect.text("metric") == "SD within" else math.nan
    value = effect.number("value")
    point = estimate.yi if row.facts.es_metric == "beta" else estimate.r
    return printed * abs(point / value) if value else math.nan


def _details(used: Sequence[tuple[Row, Estimate]]) -> dict[str, pd.Series]:
    import pandas as pd

    details: dict[str, list[object]] = {
        "role": [row.role for row, _ in used],
        "label": [row.facts.label for row, _ in used],
        "citation": [_citation(row.linked) for row, _ in used],
        "reported": [_reported(row.linked.effect) for row, _ in used],
        "sign": [row.facts.sign_from for row, _ in used],
        "lag_code": [row.facts.lag_text if math.isnan(row.facts.lag) else "" for row, _ in used],
        "address": [row.linked.effect.address("value") for row, _ in used],
        "trace": [estimate.trace for _, estimate in used],
    }
    if any(_exclude_set(row.linked) for row, _ in used):
        details["exclude_set"] = [_exclude_set(row.linked) for row, _ in used]
    for item in used[0][0].score.scores if used else ():
        codes = [_code(row.score.scores[item].code) for row, _ in used]
        if any(codes):
            details[f"{item}_code"] = list(codes)
    return {name: pd.Series(column, dtype=object) for name, column in details.items()}


def _code(code: str) -> str:
    return code if code in ("NR", "NA") else ""


def _citation(linked: Linked) -> str:
    study = linked.study
    if study is None:
        return linked.effect.text("study")
    return study.text("citation") or study.text("authors") or study.text("study")


def _exclude_set(linked: Linked) -> str:
    return linked.study.text("exclude_set") if linked.study is not None else ""


def _reported(effect: Record) -> str:
    return f"{effect.text('stat')} = {effect.coded('value').text}"
