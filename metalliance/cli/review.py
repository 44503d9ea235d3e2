"""The commands that analyse a coded review: effects, report, demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metalliance.cli.say import emit, progress, say

if TYPE_CHECKING:
    from metalliance.coding.review import Review
    from metalliance.workflow.analysis import Analysis

__all__ = ["MappingFile", "demo", "effects", "report"]

FORMATS = ("html", "svg", "pdf", "png")

ReviewFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A coded workbook (.xlsx) or a flat .csv.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", help="The file's own names for columns and levels (.toml)."),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="Analysis plan (.toml).")]


def effects(
    review: ReviewFile,
    out: Annotated[Path, typer.Option("--out", help="Where to write the table (.csv).")],
    mapping: MappingFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the effect table of a review as CSV."""
    from metalliance.coding.review import read_review
    from metalliance.report.tables import write_csv

    table = read_review(review, mapping).effects()
    write_csv(table.to_frame(), out)
    if as_json:
        result = {"path": str(out), "usable": len(table), "excluded": len(table.excluded())}
        emit("effects", result)
    else:
        say(f"Wrote {len(table)} effects to {out}; {len(table.excluded())} left out.")


def report(
    review: ReviewFile,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report.")] = None,
    plan: PlanFile = None,
    formats: Annotated[
        str, typer.Option(help="Comma-separated: html, svg, pdf, png.")
    ] = "html,svg,pdf,png",
    mapping: MappingFile = None,
    as_json: AsJson = False,
) -> None:
    """Analyse a review and write its report with forest plots."""
    from metalliance.coding.review import read_review

    chosen = _formats(formats)
    read = read_review(review, mapping)
    _refuse_empty(read)
    folder = out or Path("reports") / review.stem
    analysis, paths = _report(read, folder, plan, chosen)
    if as_json:
        emit("report", _result(analysis, paths), problems=read.problems, shown=analysis.warnings)
    else:
        _show_report(analysis, paths)


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder of the reports.")] = Path("reports"),
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Use the simulated 295-study workbook.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a report from shipped data: 16 real studies."""
    from metalliance.coding.review import read_review
    from metalliance.workflow.shipped import shipped_data

    stem = "simulated_alliance_295" if simulated else "congruence_kolden2011"
    read = read_review(shipped_data(f"{stem}.xlsx"))
    plan = shipped_data(f"{stem}.toml")
    analysis, paths = _report(read, out / stem, plan, FORMATS)
    if as_json:
        emit("demo", _result(analysis, paths), shown=analysis.warnings)
    else:
        _show_report(analysis, paths)


def _refuse_empty(read: Review) -> None:
    from metalliance.coding.guard import file_problem

    if not read.effects_coded:
        mend = "fill in EFFECTS, then run report again"
        raise file_problem(read.path, "no-effects", "holds no effects yet", mend)


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.replace(" ", "").split(",") if name)
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise typer.BadParameter(f"--formats takes {', '.join(FORMATS)}; not {text!r}")
    return names


def _report(
    read: Review, folder: Path, plan: Path | None, formats: tuple[str, ...]
) -> tuple[Analysis, tuple[Path, ...]]:
    from metalliance.report.write import write_report
    from metalliance.workflow.analyse import analyse
    from metalliance.workflow.plan_sheet import plan_of

    chosen = plan_of(read, plan)
    with progress() as tell:
        analysis = analyse(read, chosen, progress=tell)
        paths = write_report(analysis, folder, formats=formats, progress=tell)
    return analysis, paths


def _show_report(analysis: Analysis, paths: tuple[Path, ...]) -> None:
    from metalliance.report.words import headline

    for line in headline(analysis):
        say(line)
    html = [path for path in paths if path.suffix == ".html"]
    say(f"Report: {(html or list(paths))[0]}")


def _result(analysis: Analysis, paths: tuple[Path, ...]) -> dict[str, Any]:
    from metalliance.report.words import headline

    return {"headline": list(headline(analysis)), "files": [str(path) for path in paths]}
