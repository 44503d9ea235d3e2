"""The report of session data: a page, figures, rows for a review."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metalliance.coding.append_rows import append_rows
from metalliance.coding.review import read_review
from metalliance.coding.template import fill_workbook
from metalliance.plots.scene import Figure
from metalliance.plots.spaghetti import spaghetti_data, spaghetti_plot
from metalliance.plots.within_between import within_between_data, within_between_plot
from metalliance.report.figures import ReportFigure
from metalliance.report.folder import BOM, as_json, write_contents
from metalliance.report.html import render_template
from metalliance.report.results import plain
from metalliance.report.session_tables import measure_table, session_effects_table
from metalliance.report.session_words import session_sentences
from metalliance.report.tables import frame_to_csv
from metalliance.traitstate.session_file import SessionFile
from metalliance.traitstate.session_rows import workbook_rows
from metalliance.traitstate.session_study import SessionStudy
from metalliance.workflow.analyse import software

__all__ = ["NamedStudy", "session_results", "write_session_report"]

MARK = "SIMULATED DATA"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NamedStudy:
    """Effects of one study, its id and the file they are from."""

    name: str
    file: SessionFile
    study: SessionStudy


def write_session_report(
    studies: Sequence[NamedStudy],
    folder: str | Path,
    *,
    into: str | Path | None = None,
    simulated: bool = False,
    progress: Callable[[str], None] | None = None,
) -> tuple[Path, ...]:
    """Write sessions.html, review.xlsx, effects.csv, sessions.json, figures and a manifest.

    Parameters
    ----------
    studies : sequence of NamedStudy
    folder : str or Path
        Made where it does not exist; only files of an earlier report in it are written over.
    into : str or Path, optional
        A coded workbook: review.xlsx is then a copy of it with the rows added, else a new one.
    simulated : bool
        Whether the patients are simulated, as ``into`` may say too; marked on page and figures.
    progress : callable, optional
        Told the name of each step as it begins.

    Returns
    -------
    tuple of Path

    Raises
    ------
    CodingError, OutputError
        Where ``into`` cannot take the rows, or a foreign file stands in the way.
    """
    tell = progress or (lambda step: None)
    if into is not None:
        about = read_review(into, strict=False).about
        simulated = simulated or about.get("data", "") == "simulated"
    tell("review.xlsx")
    contents = {"review.xlsx": _workbook(studies, into, simulated)}
    tell("figures")
    figures = {one.name: tuple(_figures(one, simulated)) for one in studies}
    contents["sessions.html"] = _page(studies, figures, simulated).encode()
    contents["effects.csv"] = (BOM + frame_to_csv(_all_effects(studies))).encode()
    results = session_results(studies)
    contents["sessions.json"] = as_json(results)
    for one in studies:
        for figure in figures[one.name]:
            for suffix, content in figure.files("svg"):
                contents[f"figures/{figure.name}{suffix}.svg"] = content
    tell("writing")
    facts = {
        "input": [{"name": s.file.path.name, "sha256": s.file.sha256} for s in studies],
        "software": software(),
        "options": plain(studies[0].study.options.described()),
    }
    paths = write_contents(folder, contents, facts)
    first = Path(folder) / "sessions.html"
    return (first, *(path for path in paths if path != first))


def session_results(studies: Sequence[NamedStudy]) -> dict[str, Any]:
    """Everything that was found, as plain JSON values; what is absent is None."""
    return {"studies": [plain(_study_result(one)) for one in studies]}


def _study_result(one: NamedStudy) -> dict[str, Any]:
    study = one.study
    return {
        "study": one.name,
        "file": {"path": str(one.file.path), "sha256": one.file.sha256},
        "options": study.options.described(),
        "effects": study.table.to_dict(orient="records"),
        "measures": study.first.measures.to_dict(orient="records"),
        "covariance": {
            part: {"names": list(found.covariance.columns), "values": found.covariance.to_numpy()}
            for part, found in study.parts.items()
        },
        "notes": list(study.notes),
    }


def _all_effects(studies: Sequence[NamedStudy]) -> pd.DataFrame:
    frames = [one.study.table.assign(study=one.name) for one in studies]
    table = pd.concat(frames, ignore_index=True)
    first = ["study", "effect", "role", "part"]
    return table[[*first, *(c for c in table.columns if c not in first)]]


def _workbook(studies: Sequence[NamedStudy], into: str | Path | None, simulated: bool) -> bytes:
    rows: dict[str, list[dict[str, object]]] = {}
    for one in studies:
        origin = f"{one.file.path.name}, sha256 {one.file.sha256[:12]}"
        for sheet, found in workbook_rows(one.study, one.name, origin).items():
            rows.setdefault(sheet, []).extend(found)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "review.xlsx"
        if into is None:
            about = {
                "title": "Effects computed from session data",
                "construct": "alliance",
                "data": "simulated" if simulated else "real",
                "source": ", ".join(one.file.path.name for one in studies),
            }
            fill_workbook(made, rows, about)
        else:
            append_rows(into, made, rows)
        return made.read_bytes()


def _figures(one: NamedStudy, simulated: bool) -> Iterator[ReportFigure]:
    data, footer = one.study.data, MARK if simulated else ""
    worse = one.study.options.outcome_positive == "worse"
    ident = _ident(one.name)
    table = one.study.table
    both = within_between_data(data, table[table["role"] == "main"])
    if both["kind"].eq("between").any():
        yield _figure(
            f"within-between-{ident}",
            "Between patients and within them",
            "The long line says who has the better outcome, the short ones when a patient has it.",
            within_between_plot(both, worse=worse, footer=footer),
        )
    yield _figure(
        f"sessions-{ident}",
        "Session by session",
        "What is stable about a patient, and what varies about it.",
        spaghetti_plot(spaghetti_data(data), footer=footer),
    )


def _figure(name: str, title: str, caption: str, figure: Figure) -> ReportFigure:
    return ReportFigure(name=name, title=title, caption=caption, place="main", figure=figure)


def _page(
    studies: Sequence[NamedStudy],
    figures: Mapping[str, tuple[ReportFigure, ...]],
    simulated: bool,
) -> str:
    shown = [
        {
            "id": f"study-{_ident(one.name)}",
            "name": one.name,
            "file": one.file.path.name,
            "sha256": one.file.sha256,
            "sentences": session_sentences(one.study),
            "figures": figures[one.name],
            "effects": session_effects_table(one.study, _ident(one.name)),
            "measures": measure_table(one.study, _ident(one.name)),
            "notes": one.study.notes,
        }
        for one in studies
    ]
    context = {
        "title": "Alliance and outcome, session by session",
        "simulated": simulated,
        "studies": shown,
        "options": studies[0].study.options.described(),
        "software": software(),
    }
    return render_template("sessions.html.j2", context)


def _ident(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "study"
