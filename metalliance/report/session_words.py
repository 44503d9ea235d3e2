"""What the sessions of one study say, in sentences made from its rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from metalliance.effectsize.paths import FORWARD, REVERSE
from metalliance.report.numbers import correlation, interval
from metalliance.traitstate.session_notes import ASSUMED
from metalliance.traitstate.session_study import SessionStudy

__all__ = ["DIRECTION", "session_sentences"]

APART = 0.05  # of two methods' correlations
DIRECTION = "Direction."
MEANINGS = {
    "total": (
        "patients with a better alliance in that session had {} outcomes",
        "patients' alliance in that session did not go clearly with outcome",
    ),
    "between": (
        "patients whose alliance was better on the whole had {} outcomes",
        "how good a patient's alliance was on the whole did not go clearly with outcome",
    ),
    "within": (
        "in sessions in which a patient's alliance was better than that patient's own usual, "
        "the outcome of that session was {}",
        "sessions in which a patient's alliance was better than usual did not differ clearly in "
        "outcome",
    ),
    "forward": (
        "after a session with a better alliance than usual, the outcome of the next session was "
        "{}, given the outcome before",
        "a better alliance than usual was not clearly followed by another outcome in the next "
        "session, given the outcome before",
    ),
    "reverse": (
        "after a session with a better outcome than usual, the alliance of the next session was "
        "{}, given the alliance before",
        "a better outcome than usual was not clearly followed by another alliance in the next "
        "session, given the alliance before",
    ),
}


def session_sentences(study: SessionStudy) -> tuple[tuple[str, str], ...]:
    """(heading, sentence) of what was found, the between effect first.

    A sentence claims a direction only where the interval leaves 0 out. Where likelihood and
    centring are .05 apart on the same session, or one interval alone leaves 0 out, both are given.
    """
    first = [(DIRECTION, ASSUMED)] if study.options.outcome_assumed else []
    return (*first, *_sentences(study.table))


def _sentences(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    total = _main(table, "total", "NA", FORWARD)
    if total is not None and total["role"] == "main":
        yield "One session (total).", _sentence("total", total)
    for heading, kind, component, estimand, path in (
        ("Between patients (trait-like).", "between", "between_observed", "NA", FORWARD),
        ("Within patients (state-like).", "within", "within", "concurrent_r", FORWARD),
        ("Alliance first.", "forward", "within", "lagged_partial", FORWARD),
        ("Outcome first.", "reverse", "within", "lagged_partial", REVERSE),
    ):
        row = _main(table, component, estimand, path)
        if row is not None:
            yield heading, _sentence(kind, row)
        if row is not None and kind == "within":
            yield from _other_method(table, row)
    if _main(table, "within", "concurrent_r", FORWARD) is not None:
        text = "Associations of one session do not tell which came first"
        if table["estimand"].eq("lagged_partial").any():
            text += (
                "; lagged effects do as far as nothing else that changes from session to session "
                "drives both"
            )
        if table["component"].str.startswith("between").any():
            text += (
                ". The between effect includes whatever differs between patients, their "
                "therapists among it"
            )
        yield "To be kept apart.", f"{text}."


def _other_method(table: pd.DataFrame, main: pd.Series) -> Iterator[tuple[str, str]]:
    """The same-session effect by the other method, where the two do not tell the same."""
    same = table["component"].eq("within") & table["estimand"].eq("concurrent_r")
    for _, row in table[same & (table["role"] == "sensitivity")].iterrows():
        apart = abs(row["estimate"] - main["estimate"]) >= APART
        bounded = math.isfinite(row["conf_low"]) and math.isfinite(main["conf_low"])
        if apart or (bounded and _clear(row) != _clear(main)):
            yield (
                "Depends on the method.",
                f"By {row['route']} the association of the same session is {_size(row)}, by "
                f"{main['route']} {_size(main)}.",
            )


def _clear(row: pd.Series) -> bool:
    return bool(row["conf_low"] > 0 or row["conf_high"] < 0)


def _size(row: pd.Series) -> str:
    letter = "β" if row["es_metric"] == "beta" else "r"
    low, high = float(row["conf_low"]), float(row["conf_high"])
    limits = interval(low, high) if math.isfinite(low) else "(no interval)"
    return f"{letter} = {correlation(row['estimate'])} {limits}"


def _main(table: pd.DataFrame, component: str, estimand: str, path: str) -> pd.Series | None:
    of_it = table["component"].eq(component) & table["estimand"].eq(estimand)
    found = table[of_it & table["path"].eq(path)]
    if found.empty:
        return None
    main = found[found["role"].eq("main")]
    return (main if len(main) else found).iloc[0]


def _sentence(kind: str, row: pd.Series) -> str:
    clear, unclear = MEANINGS[kind]
    lag = row.get("lag", 1.0)
    if lag > 1:
        later = f"{lag:.0f} sessions later"
        clear, unclear = (
            text.replace("of the next session", later).replace("in the next session", later)
            for text in (clear, unclear)
        )
    low, high = float(row["conf_low"]), float(row["conf_high"])
    if not (math.isfinite(low) and math.isfinite(high)):
        letter = "β" if row["es_metric"] == "beta" else "r"
        return f"No interval can be given ({letter} = {correlation(row['estimate'])})."
    told = clear.format("better" if low > 0 else "worse") if _clear(row) else unclear
    return f"{told[:1].upper()}{told[1:]}: {_size(row)}."
