"""The plan of a review: sheet PLAN, a TOML file, or both where they agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from metalliance.coding.cells import Fault, parse_number
from metalliance.coding.records import Record
from metalliance.coding.review import Review
from metalliance.errors import PlanError, Problem
from metalliance.workflow.plan import Benchmark, Plan, read_plan

__all__ = ["plan_of"]

LISTS_OF_NUMBERS = ("rho_grid", "icc_x", "icc_y")
BENCHMARK = {"benchmark_r": "r", "benchmark_label": "label"}
MODERATORS = {"moderators_planned": "planned", "moderators_exploratory": "exploratory"}


def plan_of(review: Review, plan: Plan | str | Path | None = None) -> Plan:
    """The plan that a review is analysed by.

    Parameters
    ----------
    review : Review
    plan : Plan, str or Path, optional
        A plan, or a TOML file with its keys.

    Returns
    -------
    Plan
        The default where neither sheet nor file says anything.

    Raises
    ------
    PlanError
        With every value that is wrong, and every key that sheet and file set differently.
    """
    given = read_plan(plan) if isinstance(plan, str | Path) else plan
    record = next(iter(review.records.get("PLAN", ())), None)
    values, cells, problems = _values(record)
    if problems:
        raise PlanError(problems)
    if not values:
        return given or Plan()
    try:
        in_sheet = Plan.model_validate(values)
    except ValidationError as error:
        raise PlanError([_invalid(dict(detail), cells) for detail in error.errors()]) from None
    if given is None:
        return in_sheet
    where = Path(plan).name if isinstance(plan, str | Path) else "the plan given"
    return _agreed(in_sheet, given, cells, where)


def _values(record: Record | None) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    """Keys of `Plan` with their values and cells, as sheet PLAN has them."""
    values: dict[str, Any] = {}
    cells: dict[str, str] = {}
    problems: list[Problem] = []
    for name, coded in record.cells.items() if record is not None else ():
        if coded.value is None:
            continue
        key, value = name, coded.value
        text = value if isinstance(value, str) else f"{value:g}"
        if name in LISTS_OF_NUMBERS:
            numbers = [parse_number(part) for part in re.split(r"[;,\s]+", text) if part]
            faults = [number for number in numbers if isinstance(number, Fault)]
            if faults:
                problems.append(_problem(coded.cell, text, faults[0].what, "e.g. .3, .8"))
                continue
            values[key] = tuple(numbers)
        elif name == "exclude":
            values[key] = tuple(_names(text))
        elif name in MODERATORS:
            key = "moderators"
            values.setdefault(key, {}).update(dict.fromkeys(_names(text), MODERATORS[name]))
        elif name in BENCHMARK:
            key = "benchmark"
            values.setdefault(key, {})[BENCHMARK[name]] = value
        else:
            values[key] = int(value) if isinstance(value, float) and value == int(value) else value
        cells.setdefault(key, coded.cell)
    return values, cells, problems


def _names(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;,\n]", text) if part.strip()]


def _agreed(in_sheet: Plan, given: Plan, cells: Mapping[str, str], where: str) -> Plan:
    problems = []
    for key in sorted(in_sheet.model_fields_set & given.model_fields_set):
        ours, theirs = getattr(in_sheet, key), getattr(given, key)
        if ours != theirs:
            what = f"{key} is {_shown(theirs)} in {where}"
            problems.append(_problem(cells[key], _shown(ours), what, "say the same in both"))
    if problems:
        raise PlanError(problems)
    both = {
        **in_sheet.model_dump(exclude_unset=True),
        **given.model_dump(exclude_unset=True),
    }
    return Plan.model_validate(both)


def _shown(value: object) -> str:
    return value.label if isinstance(value, Benchmark) else str(value)[:60]


def _invalid(detail: dict[str, Any], cells: Mapping[str, str]) -> Problem:
    key = str(detail["loc"][0]) if detail["loc"] else ""
    return _problem(cells.get(key, ""), _shown(detail["input"]), str(detail["msg"]), "")


def _problem(cell: str, value: str, what: str, mend: str) -> Problem:
    return Problem(
        sheet="PLAN",
        cell=cell,
        value=value,
        what=what,
        mend=mend or "correct the plan and run again",
        severity="error",
        code="plan",
    )
