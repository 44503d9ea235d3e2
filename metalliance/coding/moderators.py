"""Columns that describe effects: facts of studies, measures and models, and the team's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    *("year", "pub_status", "country", "allegiance_alliance", "design", "treatment"),
    *("manual_disorder_specific", "modality", "delivery", "diagnosis", "pct_axis2", "severity"),
    *("age_group", "mean_age", "pct_female", "pct_minority", "setting", "n_sessions_mean"),
    *("n_sessions_planned", "preregistered", "alliance_manipulated", "n_start", "n_therapists"),
    *("therapist_training", "therapist_nesting", "phase"),
)
MEASURE = ("instrument", "rater", "subscale", "first_session", "last_session", "n_items", "alpha")
OUTCOME = ("outcome_form", "outcome_window_starts", "follow_up_months")
MODEL = (
    *("disaggregation", "detrending", "prior_outcome_control", "lagged_outcome", "reverse_path"),
    *("covariates", "slope_sd", "missing_method", "analysis_sample"),
)
SHEET_MODERATORS: tuple[tuple[str, Place, str], ...] = (
    *((name, "study", name) for name in STUDY),
    *((f"alliance_{name}", "alliance", name) for name in MEASURE),
    *((f"outcome_{name}", "outcome", name) for name in MEASURE),
    *((name, "outcome", name) for name in OUTCOME),
    ("outcome_domain", "outcome", "domain"),
    ("outcome_blind", "outcome", "blind"),
    ("outcome_specificity", "outcome", "specificity"),
    ("model_kind", "model", "kind"),
    *((name, "model", name) for name in MODEL),
)
EFFECT = ("lag_days", "component_claimed", "metric", "n_source")
FAMILIES: tuple[tuple[str, str], ...] = (
    ("wai", "WAI"),
    ("sai", "WAI"),
    ("calpas", "CALPAS"),
    ("haq", "HAq/Penn"),
    ("penn", "HAq/Penn"),
    ("vtas", "Vanderbilt"),
    ("vpps", "Vanderbilt"),
    ("vanderbilt", "Vanderbilt"),
)
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
    for name, rule in DERIVED_TEXT.items():
        add(name, [_text_cell(rule(row)) for row in rows])
    for name, number_rule in DERIVED_NUMBERS.items():
        add(name, [_number_cell(number_rule(row)) for row in rows])
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
    """The team's moderators of an effect; those of its two measures are told apart by name."""
    if row.flat:
        return row.effect.extra
    found: dict[str, Coded] = {}
    for record, prefix in (
        (row.study, ""),
        (row.alliance, "alliance_"),
        (row.outcome, "outcome_"),
        (row.model, ""),
        (row.effect, ""),
    ):
        if record is not None:
            found.update({f"{prefix}{name}": coded for name, coded in record.extra.items()})
    return found


def _text_cell(text: str) -> Coded:
    return Coded(value=text, code="", text=text) if text else BLANK


def _number_cell(number: float | None) -> Coded:
    return BLANK if number is None else Coded(value=number, code="", text=f"{number:g}")


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
    """As coded, else early, mid, late, averaged, session-by-session or end of treatment."""
    alliance = row.alliance
    if alliance is None:
        return ""
    if alliance.text("timing"):
        return alliance.text("timing")
    if row.effect.text("alliance_term") == "change or slope":
        return "change"
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
    sessions = _length(row)
    if session <= EARLY_UNTIL or (sessions is not None and session <= sessions / 3):
        return "early"
    if sessions is None:
        return ""
    return "late" if session > 2 * sessions / 3 else "mid"


def _length(row: Linked) -> float | None:
    """Sessions of the treatment: of this analysis, else of the study."""
    for record, name in (
        (row.effect, "sessions_mean"),
        (row.model, "sessions"),
        (row.study, "n_sessions_mean"),
        (row.study, "n_sessions_planned"),
    ):
        found = record.number(name) if record is not None else None
        if found is not None:
            return found
    return None


def _family(row: Linked) -> str:
    """WAI, CALPAS, HAq/Penn, Vanderbilt or other, by the name of the alliance instrument."""
    instrument = row.alliance.text("instrument") if row.alliance is not None else ""
    if not instrument:
        return ""
    folded = instrument.casefold()
    return next((family for start, family in FAMILIES if folded.startswith(start)), "other")


def _dropout(row: Linked) -> str:
    form = row.outcome.text("outcome_form") if row.outcome is not None else ""
    return ("yes" if form in ("dropout", "time-to-event") else "no") if form else ""


def _ptr(row: Linked) -> float | None:
    """Patients per therapist, in the analysis (skewed: see its logarithm)."""
    n = row.effect.number("n")
    if n is None and row.model is not None:
        n = row.model.number("n")
    therapists = row.study.number("n_therapists") if row.study is not None else None
    return None if n is None or not therapists else n / therapists


def _log_ptr(row: Linked) -> float | None:
    ratio = _ptr(row)
    return None if ratio is None else math.log(ratio)


def _icc(name: str, place: Literal["alliance", "outcome"]) -> Callable[[Linked], float | None]:
    """Share of the variance between patients: of this effect, else of its measure."""

    def rule(row: Linked) -> float | None:
        own, record = row.effect.number(name), getattr(row, place)
        return own if own is not None or record is None else record.number("icc")

    return rule


def _elapsed(row: Linked) -> float | None:
    """Share of the treatment that had passed when the alliance was first measured."""
    session = row.alliance.number("first_session") if row.alliance is not None else None
    length = _length(row)
    return None if session is None or length is None else min(session / length, 1.0)


DERIVED_TEXT: dict[str, Callable[[Linked], str]] = {
    "same_rater": _same_rater,
    "alliance_timing": _timing,
    "alliance_family": _family,
    "outcome_is_dropout": _dropout,
}
DERIVED_NUMBERS: dict[str, Callable[[Linked], float | None]] = {
    "ptr": _ptr,
    "log_ptr": _log_ptr,
    "prop_treatment_elapsed": _elapsed,
    "icc_x": _icc("icc_x", "alliance"),
    "icc_y": _icc("icc_y", "outcome"),
}
