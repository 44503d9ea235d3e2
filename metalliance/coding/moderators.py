"""Columns that describe effects: facts of studies, measures and models, and the team's own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import pandas as pd

from metalliance.coding.cells import BLANK, Coded, parse_number
from metalliance.coding.derivation import AFTER_TREATMENT
from metalliance.coding.records import Linked, Record
from metalliance.effectsize.table import CORE_COLUMNS

__all__ = ["SHEET_MODERATORS", "moderator_columns"]

Place = Literal["study", "alliance", "outcome", "model"]
RESERVED = frozenset(
    {*CORE_COLUMNS, "role", "label", "citation", "reported", "sign", "lag_code", "address", "trace"}
)
STUDY = (
    *("year", "pub_status", "country", "design", "treatment", "modality", "delivery"),
    *("diagnosis", "age_group", "setting", "preregistered", "alliance_manipulated"),
    *("n_start", "n_therapists", "phase"),
)
MEASURE = ("instrument", "rater", "subscale", "first_session", "last_session")
OUTCOME = ("outcome_form", "outcome_window_starts", "follow_up_months")
MODEL = (
    *("disaggregation", "detrending", "prior_outcome_control", "lagged_outcome", "reverse_path"),
    *("covariates", "slope_sd", "missing_method"),
)
SHEET_MODERATORS: tuple[tuple[str, Place, str], ...] = (
    *((name, "study", name) for name in STUDY),
    *((f"alliance_{name}", "alliance", name) for name in MEASURE),
    *((f"outcome_{name}", "outcome", name) for name in MEASURE),
    *((name, "outcome", name) for name in OUTCOME),
    ("outcome_blind", "outcome", "blind"),
    ("outcome_specificity", "outcome", "specificity"),
    ("model_kind", "model", "kind"),
    *((name, "model", name) for name in MODEL),
)
EFFECT = ("lag_days", "component_claimed", "metric")
EARLY_UNTIL = 5


def moderator_columns(
    rows: Sequence[Linked], derived: Mapping[str, Sequence[float]]
) -> tuple[dict[str, pd.Series], tuple[str, ...]]:
    """Moderators of the rows, with only those that have any content.

    Returns
    -------
    columns : dict of str to Series
        Numbers as float, text as object; NR and NA are missing, their code stands in
        ``<name>_code``.
    moderators : tuple of str
        The names without the ``_code`` columns.
    """
    found: dict[str, pd.Series] = {}
    codes: dict[str, pd.Series] = {}

    def add(name: str, cells: Sequence[Coded]) -> None:
        column = _column(cells)
        if column is not None:
            found[name] = column
            if any(cell.code in ("NR", "NA") for cell in cells):
                shown = [cell.code if cell.code in ("NR", "NA") else "" for cell in cells]
                codes[f"{name}_code"] = pd.Series(shown, dtype=object)

    for name, place, field in SHEET_MODERATORS:
        add(name, [_cell(getattr(row, place), field) for row in rows])
    for field in EFFECT:
        add(field, [row.effect.coded(field) for row in rows])
    for name, rule in (("same_rater", _same_rater), ("alliance_timing", _timing)):
        add(name, [_text_cell(rule(row)) for row in rows])
    taken = RESERVED | set(found) | set(derived)
    for name in dict.fromkeys(name for row in rows for name in _own(row)):
        own = f"mod_{name}" if name in taken else name
        add(own, [_own(row).get(name, BLANK) for row in rows])
    for name, values in derived.items():
        if any(not math.isnan(value) for value in values):
            found[name] = pd.Series(list(values), dtype=float)
    return {**found, **codes}, tuple(found)


def _cell(record: Record | None, field: str) -> Coded:
    return record.coded(field) if record is not None else BLANK


def _own(row: Linked) -> Mapping[str, Coded]:
    if row.flat:
        return row.effect.extra
    return row.study.extra if row.study is not None else {}


def _text_cell(text: str) -> Coded:
    return Coded(value=text, code="", text=text) if text else BLANK


def _column(cells: Iterable[Coded]) -> pd.Series | None:
    values = [cell.value for cell in cells]
    if all(value is None or value == "" for value in values):
        return None
    numbers = [_number(value) for value in values]
    if all(number is not None for number in numbers):
        return pd.Series(numbers, dtype=float)
    return pd.Series([_text(value) for value in values], dtype=object)


def _number(value: float | str | None) -> float | None:
    """NaN for nothing, a number for a number, None for text."""
    if value is None or value == "":
        return math.nan
    number = parse_number(value)
    return number if isinstance(number, float) else None


def _text(value: float | str | None) -> str | None:
    if value is None or value == "":
        return None
    return f"{value:.15g}" if isinstance(value, float) else value


def _same_rater(row: Linked) -> str:
    if row.alliance is None or row.outcome is None:
        return ""
    raters = (row.alliance.text("rater"), row.outcome.text("rater"))
    if not all(raters):
        return ""
    return "same" if raters[0] == raters[1] else "different"


def _timing(row: Linked) -> str:
    """Early, mid, late, averaged, session-by-session or end of treatment."""
    alliance = row.alliance
    if alliance is None:
        return ""
    if alliance.text("first_session") in AFTER_TREATMENT:
        return "termination"
    first, last = alliance.number("first_session"), alliance.number("last_session")
    count = alliance.number("n_assessments")
    term = row.effect.text("alliance_term")
    if term in ("own deviation", "latent within", "raw in multilevel"):
        return "session-by-session"
    if (count is not None and count > 1) or (first is not None and last not in (None, first)):
        return "averaged"
    if first is None:
        return ""
    return _third(first, row)


def _third(session: float, row: Linked) -> str:
    sessions = row.effect.number("sessions_mean")
    if sessions is None and row.model is not None:
        sessions = row.model.number("sessions")
    if session <= EARLY_UNTIL or (sessions is not None and session <= sessions / 3):
        return "early"
    if sessions is None:
        return ""
    return "late" if session > 2 * sessions / 3 else "mid"
