"""All that the sessions of one study say: several methods, one table, one role for each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import pandas as pd

from metalliance.errors import ConvergenceError, SpecificationError
from metalliance.traitstate.centring import Detrending, oriented
from metalliance.traitstate.disaggregate import disaggregate_data
from metalliance.traitstate.disaggregation import Disaggregation
from metalliance.traitstate.panel_effects import PanelReading, read_panel
from metalliance.traitstate.session_data import SessionData
from metalliance.traitstate.session_methods import SessionOptions, measured_once
from metalliance.traitstate.session_notes import ASSUMED, BETTER

__all__ = ["SessionStudy", "study_of_sessions"]

MAIN, SENSITIVITY = "main", "sensitivity"
LIKELIHOOD = ("latent", "dynamic-panel")
NOT_POOLED_BESIDE = "the sample has a between effect; its total serves the consistency check"
OTHER_METHOD = "the same quantity by another method; one of them is main"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionStudy:
    """Effects of one study by every method that was asked for.

    Attributes
    ----------
    data : SessionData
    options : SessionOptions
    parts : mapping of str to Disaggregation
        By method and direction, e.g. ``dynamic-panel reverse``.
    table : DataFrame
        Their rows with columns ``effect`` (E1 …), ``part``, ``role`` and ``role_reason``.
    notes : tuple of str
    """

    data: SessionData
    options: SessionOptions
    parts: Mapping[str, Disaggregation]
    table: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def first(self) -> Disaggregation:
        """The part whose measures and covariances are shown."""
        return next(iter(self.parts.values()))


def study_of_sessions(data: SessionData, options: SessionOptions, every: bool) -> SessionStudy:
    """Run one method, or every method in both directions.

    With ``every``: total, between, change and same-session effects by person-mean centring;
    stable levels by likelihood; lagged effects by likelihood in both directions. Where the data
    do not let a likelihood tell its parameters apart, that is a note, and its rows are absent. Of
    one quantity by two methods the likelihood's is main: it has no bias from few sessions.

    Parameters
    ----------
    data : SessionData
    options : SessionOptions
        ``method`` and ``path`` count only without ``every``.
    every : bool
    """
    wanted = _wanted(options) if every else {options.method: options}
    if every and measured_once(oriented(data, options.outcome_positive)):
        wanted = dict([next(iter(wanted.items()))])  # the others need variation within patients
    reading = _reading(data, options) if every else None
    parts: dict[str, Disaggregation] = {}
    refused: dict[str, list[str]] = {}
    for name, one in wanted.items():
        measures = next((part.measures for part in parts.values()), None)
        try:
            parts[name] = disaggregate_data(data, one, reading=reading, measures=measures)
        except (SpecificationError, ConvergenceError) as error:
            if not every or not parts:
                raise
            refused.setdefault(str(error), []).append(name)
    first = [ASSUMED] if options.outcome_assumed else []
    said = [n for part in parts.values() for n in part.notes if not (first and n == BETTER)]
    without = [f"No rows by {', '.join(names)}: {why}." for why, names in refused.items()]
    notes = list(dict.fromkeys([*first, *said, *without]))
    return SessionStudy(
        data=data, options=options, parts=parts, table=_table(parts), notes=tuple(notes)
    )


def _reading(data: SessionData, options: SessionOptions) -> PanelReading | None:
    """The panel that several parts read; None where a part will say why there is none."""
    series = oriented(data, options.outcome_positive)
    try:
        return read_panel(series, cast(Detrending, options.detrend), "full")
    except (SpecificationError, ConvergenceError):
        return None


def _wanted(options: SessionOptions) -> dict[str, SessionOptions]:
    found = {
        "person-mean": replace(options, method="person-mean", path="forward"),
        "latent": replace(options, method="latent", lag=0, path="forward"),
    }
    if options.lag == 1:
        for path in ("forward", "reverse"):
            name = f"dynamic-panel {path}"
            found[name] = replace(options, method="dynamic-panel", path=path)
    elif options.lag > 1:
        found["person-mean reverse"] = replace(options, method="person-mean", path="reverse")
    return found


def _table(parts: Mapping[str, Disaggregation]) -> pd.DataFrame:
    frames = [part.table.assign(part=name) for name, part in parts.items()]
    table = pd.concat(frames, ignore_index=True)
    # both methods of the likelihood read the same fit: the first of equal rows stays
    identity = table[["component", "estimand", "path", "lag"]].assign(
        estimate=table["estimate"].round(9), likelihood=table["part"].str.startswith(LIKELIHOOD)
    )
    table = table[~identity.duplicated()].reset_index(drop=True)
    has_between = bool((table["component"] == "between_observed").any())
    likelihood = table["part"].str.startswith(LIKELIHOOD)
    roles, reasons = [], []
    seen: set[tuple[str, str, str]] = set()
    for i, row in table.iterrows():
        key = (row["component"], row["estimand"], row["path"])
        within = row["component"] == "within"
        better = within and not likelihood[i] and bool((likelihood & _same(table, row)).any())
        reason = ""
        if row["component"] == "total" and has_between:
            reason = NOT_POOLED_BESIDE
        elif better or key in seen:
            reason = OTHER_METHOD
        if not reason:
            seen.add(key)
        roles.append(SENSITIVITY if reason else MAIN)
        reasons.append(reason)
    effects = [f"E{i + 1}" for i in range(len(table))]
    return table.assign(effect=effects, role=roles, role_reason=reasons)


def _same(table: pd.DataFrame, row: pd.Series) -> pd.Series:
    same = pd.Series(True, index=table.index)
    for column in ("component", "estimand", "path"):
        same &= table[column] == row[column]
    return same
