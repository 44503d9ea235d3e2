"""The command ``sessions``: from session data to rows of a review."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metalliance.cli.say import emit, progress, say

if TYPE_CHECKING:
    from metalliance.report.session_report import NamedStudy
    from metalliance.traitstate.session_data import SessionColumns
    from metalliance.traitstate.session_methods import SessionOptions

__all__ = ["sessions"]

SessionFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Long tables, one per study (.csv, .xlsx): one row per patient and session.",
    ),
]
Column = Annotated[str | None, typer.Option(metavar="COLUMN")]


def sessions(
    files: SessionFiles,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for report, figures, effects.csv and review.xlsx."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="REVIEW",
            help="A coded workbook: review.xlsx is then a copy of it with these studies added.",
        ),
    ] = None,
    study: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Id of each study, in order; else the names of the files."),
    ] = None,
    patient: Annotated[str, typer.Option(metavar="COLUMN")] = "patient",
    session: Annotated[str, typer.Option(metavar="COLUMN", help="Number of the session.")] = (
        "session"
    ),
    alliance: Annotated[str, typer.Option(metavar="COLUMN")] = "alliance",
    outcome: Annotated[str, typer.Option(metavar="COLUMN")] = "outcome",
    therapist: Column = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Days, or dates, of the sessions.")
    ] = None,
    arm: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Mean differences between arms are taken out."),
    ] = None,
    outcome_positive: Annotated[
        str | None,
        typer.Option(help="What a high outcome score means: better (if not said), or worse."),
    ] = None,
    lag: Annotated[
        int, typer.Option(help="Sessions from alliance to later outcome; 0: same session only.")
    ] = 1,
    method: Annotated[
        str,
        typer.Option(
            help="all, or one of person-mean, latent, fixed-effects, dynamic-panel (with --path)."
        ),
    ] = "all",
    path: Annotated[
        str, typer.Option(help="With one method: forward, or reverse (outcome leads).")
    ] = "forward",
    detrend: Annotated[
        str, typer.Option(help="Whose line over sessions is taken out: none x y both.")
    ] = "none",
    weights: Annotated[
        str, typer.Option(help="Patients' means count once (patients) or per session (occasions).")
    ] = "patients",
    seed: Annotated[int, typer.Option(help="Of the resamples of patients.")] = 0,
    sheet: Annotated[str, typer.Option(help="Of a workbook.")] = "",
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Mark report and review as simulated data.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Separate trait-like from state-like effects in session data, as rows for a review.

    metalliance sessions study.csv --outcome-positive worse --out sessions
    """
    from metalliance.traitstate.session_data import SessionColumns
    from metalliance.traitstate.session_methods import SessionOptions

    names = _names(files, study or [])
    if into is not None and out is None:
        raise typer.BadParameter("--into REVIEW goes with --out FOLDER, where the copy is written")
    columns = SessionColumns(
        patient=patient,
        session=session,
        alliance=alliance,
        outcome=outcome,
        therapist=therapist,
        time=time,
        arm=arm,
    )
    every = method == "all"
    options = SessionOptions(
        lag=lag,
        path=path,
        method="person-mean" if every else method,
        detrend=detrend,
        outcome_positive=outcome_positive or "better",
        outcome_assumed=outcome_positive is None,
        weights=weights,
        seed=seed,
    )
    try:
        options.checked()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _answer(names, columns, options, every, sheet, out, into, simulated, as_json)


def _answer(
    names: dict[str, Path],
    columns: SessionColumns,
    options: SessionOptions,
    every: bool,
    sheet: str,
    out: Path | None,
    into: Path | None,
    simulated: bool,
    as_json: bool,
) -> None:
    from metalliance.cli.session_show import session_lines
    from metalliance.report.session_report import session_results, write_session_report
    from metalliance.traitstate.session_notes import ASSUMED

    with progress() as tell:
        studies = _studies(names, columns, options, every, sheet)
        written: tuple[Path, ...] = ()
        if out is not None:
            written = write_session_report(
                studies, out, into=into, simulated=simulated, progress=tell
            )
    if as_json:
        result = {**session_results(studies), "files": [str(path) for path in written]}
        problems = [problem for one in studies for problem in one.file.problems]
        notes = [note for one in studies for note in one.study.notes]
        emit("sessions", result, problems=problems, shown=list(dict.fromkeys(notes)))
        return
    if options.outcome_assumed:
        say(f"{ASSUMED}\n")
    for one in studies:
        for line in session_lines(one):
            say(line)
    if out is not None:
        say(f"Report: {written[0]}")
        say(f"Rows:   {out / 'review.xlsx'} (then: metalliance report {out / 'review.xlsx'})")


def _studies(
    names: dict[str, Path],
    columns: SessionColumns,
    options: SessionOptions,
    every: bool,
    sheet: str,
) -> list[NamedStudy]:
    """Every file read before any is analysed, so that all their problems come at once."""
    from metalliance.errors import CodingError, Problem
    from metalliance.report.session_report import NamedStudy
    from metalliance.traitstate.session_file import read_sessions
    from metalliance.traitstate.session_study import study_of_sessions

    read, problems = {}, list[Problem]()
    for name, file in names.items():
        try:
            read[name] = read_sessions(file, columns, sheet)
        except CodingError as error:
            problems += error.problems
    if problems:
        raise CodingError(problems)
    return [
        NamedStudy(name=name, file=file, study=study_of_sessions(file.data, options, every))
        for name, file in read.items()
    ]


def _names(files: list[Path], given: list[str]) -> dict[str, Path]:
    if given and len(given) != len(files):
        raise typer.BadParameter(f"--study is given {len(given)} times for {len(files)} files")
    names = given or [file.stem for file in files]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise typer.BadParameter(f"two studies are called {twice[0]!r}; name them with --study")
    return dict(zip(names, files, strict=True))
