"""Write a report: everything beside its place first, then renamed, nothing foreign touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from metalliance.report.figures import ReportFigure, report_figures
from metalliance.report.folder import BOM, as_json, write_contents
from metalliance.report.html import render_html
from metalliance.report.results import results
from metalliance.report.tables import frame_to_csv
from metalliance.workflow.analysis import Analysis

__all__ = ["FORMATS", "Format", "write_report"]

Format = Literal["html", "svg", "pdf", "png"]
FORMATS: tuple[Format, ...] = get_args(Format)


def write_report(
    analysis: Analysis,
    folder: str | Path,
    formats: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Path, ...]:
    """Write report.html, figures, results.json, effects.csv and manifest.json.

    Parameters
    ----------
    analysis : Analysis
    folder : str or Path
        Made where it does not exist. Only files that an earlier manifest in it lists are
        written over.
    formats : sequence of {'html', 'svg', 'pdf', 'png'}, optional
        All where none is given. results.json, effects.csv and the manifest are always written.
    progress : callable, optional
        Told the name of each step as it begins.

    Returns
    -------
    tuple of Path
        The files written, report.html first where there is one.

    Raises
    ------
    OutputError
        Where a foreign file stands in the way; nothing is written then.
    """
    chosen = FORMATS if formats is None else _checked(formats)
    tell = progress or (lambda step: None)
    contents: dict[str, bytes] = {}
    for name, content in _contents(analysis, chosen, tell):
        contents[name] = content
    tell("writing")
    return write_contents(folder, contents, analysis.manifest)


def _checked(formats: Sequence[str]) -> tuple[Format, ...]:
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ValueError(f"format {unknown[0]!r} is unknown; choose from {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in formats)


def _contents(
    analysis: Analysis, formats: tuple[Format, ...], tell: Callable[[str], None]
) -> Iterator[tuple[str, bytes]]:
    figures = report_figures(analysis)
    values = results(analysis)
    if "html" in formats:
        tell("report.html")
        yield "report.html", render_html(analysis, figures).encode()
    yield "results.json", as_json(values)
    yield "effects.csv", (BOM + frame_to_csv(analysis.review.effects().to_frame())).encode()
    for figure in figures:
        yield from _figure_files(figure, formats, tell)


def _figure_files(
    figure: ReportFigure, formats: tuple[Format, ...], tell: Callable[[str], None]
) -> Iterator[tuple[str, bytes]]:
    for kind in ("svg", "pdf", "png"):
        if kind in formats:
            tell(f"figures/{figure.name}.{kind}")
            for suffix, content in figure.files(kind):
                yield f"figures/{figure.name}{suffix}.{kind}", content
