"""Effects of session data as lines of plain text."""

from __future__ import annotations

import math

from metalliance.cli.layout import limits, table, wrapped
from metalliance.report.numbers import count, number
from metalliance.report.session_report import NamedStudy
from metalliance.report.session_tables import session_label
from metalliance.report.session_words import DIRECTION, session_sentences

__all__ = ["session_lines"]

LETTERS = {"z": "r", "beta": "beta", "slope": "b"}


def session_lines(one: NamedStudy) -> list[str]:
    """Everything about one study: sentences, effects, measures, notes."""
    study = one.study
    sessions = count(len(study.data.session), "session")
    lines = [f"{one.name}: {count(study.data.n_patients, 'patient')}, {sessions}", ""]
    for heading, text in session_sentences(study):
        if heading != DIRECTION:  # the command says it once, of all studies
            lines += wrapped(f"{heading} {text}")
    rows = []
    for row in study.table.to_dict(orient="records"):
        label = session_label(row["component"], row["estimand"], row["path"], row["lag"])
        rows.append(
            [
                f"{label} ({row['route']})",
                LETTERS[row["es_metric"]],
                number(row["estimate"], 3),
                limits(row["conf_low"], row["conf_high"]),
                number(row["n_eff"], 0),
                "" if row["role"] == "main" else row["role"],
            ]
        )
    lines += ["", *table(["effect", "", "estimate", "95% CI", "worth", "role"], rows), ""]
    lines += table(
        ["measure", "scores", "ICC", "stable", "autocorr.", "reliability", "of sessions"],
        [_measure(row) for row in study.first.measures.to_dict(orient="records")],
    )
    lines.append("")
    for note in study.notes:
        lines += wrapped(f"- {note}")
    return [*lines, ""]


def _measure(row: dict[str, float]) -> list[str]:
    names = ("icc", "icc_stable", "autocorrelation", "reliability")
    numbers = [number(row[name]) if math.isfinite(row[name]) else "" for name in names]
    return [str(row["measure"]), number(row["occasions"], 0), *numbers, number(row["sessions"], 1)]
