"""The command line: parse, call the workflow, show. Results on stdout, progress on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metalliance.errors import (
    CodingError,
    ConvergenceError,
    MetallianceError,
    PlanError,
    Problem,
    SpecificationError,
)

if TYPE_CHECKING:
    from metalliance.coding.review import Review
    from metalliance.workflow.analysis import Analysis

__all__ = ["app", "run"]

OK, FAILED, BAD_INPUT, USAGE, INTERRUPTED = 0, 1, 2, 3, 130
# Typer carries Click inside, or uses the installed one; the class is reached through its child.
USAGE_ERROR: type[Exception] = next(
    parent for parent in typer.BadParameter.__mro__ if parent.__name__ == "ClickException"
)
SCHEMA = "metalliance-cli/1"
ECHO_AT_MOST = 40
FORMATS = ("html", "svg", "pdf", "png")
COMMANDS = ("template", "check", "effects", "report", "demo")

app = typer.Typer(
    name="metalliance",
    help="Is the alliance itself therapeutic? From a coded workbook to a forest-plot report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ReviewFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A coded workbook (.xlsx) or a flat .csv.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="Analysis plan (.toml).")]


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 ok, 1 the analysis failed, 2 bad input, 3 usage, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    as_json, verbose = "--json" in arguments, "-v" in arguments[:1]
    command = next((word for word in arguments if not word.startswith("-")), "")
    try:
        code = app(list(arguments), standalone_mode=False, prog_name="metalliance")
        return int(code or OK)
    except USAGE_ERROR as error:
        text = str(getattr(error, "format_message", error.__str__)())
        known = command if command in COMMANDS else ""
        see = " ".join(part for part in ("See: metalliance", known, "--help") if part)
        _fail(command, as_json, f"{text}\n{see}", ())
        return USAGE
    except (CodingError, PlanError) as error:
        _fail(command, as_json, "", error.problems)
        return BAD_INPUT
    except (SpecificationError, ConvergenceError) as error:
        _fail(command, as_json, str(error), ())
        return FAILED
    except MetallianceError as error:
        _fail(command, as_json, str(error), ())
        return BAD_INPUT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        _fail(command, as_json, f"{error.filename or ''}: {error.strerror or error}", ())
        return BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        _fail(command, as_json, "interrupted", ())
        return INTERRUPTED
    except Exception as error:
        if verbose:
            raise
        what = f"a fault of metalliance, not of your file: {type(error).__name__}: {error}"
        _fail(command, as_json, f"{what}\nSee where: metalliance -v {command} …", ())
        return FAILED


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    verbose: Annotated[bool, typer.Option("-v", help="Show where a fault arose.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(version_of("metalliance"))
        raise typer.Exit(OK)


@app.command()
def template(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Where to write the empty workbook (.xlsx)."),
    ],
    as_json: AsJson = False,
) -> None:
    """Write the empty workbook that reviewers fill in."""
    from metalliance.coding.template import write_template

    if path.exists():
        raise MetallianceError(f"{path} exists and is left as it is; choose another name")
    write_template(path)
    if as_json:
        _emit("template", {"path": str(path)})
    else:
        typer.echo(f"Wrote {path}. Begin with its sheet START.")


@app.command()
def check(
    review: ReviewFile,
    study: Annotated[str | None, typer.Option(help="Show this study only.")] = None,
    coder: Annotated[str | None, typer.Option(help="Show this coder's rows only.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a review: every problem at once, with its cell."""
    from metalliance.coding.echo import echo
    from metalliance.coding.review import read_review

    read = read_review(review, strict=False)
    lines = echo(read, study=study, coder=coder)
    problems = read.problems if study is None else read.problems_of(study)
    counts = _severities(problems)
    errors = counts["error"]
    if as_json:
        result = {"effects": list(lines), "counts": counts}
        _emit("check", result, problems=problems, ok=not errors)
    else:
        _show_check(problems, lines, limited=study is None and coder is None)
        for name, value, why in read.assumed:
            typer.echo(f" assumed  {name} = {value} ({why})")
    if not lines and (study or coder):
        raise typer.BadParameter(f"no effect of study {study or '(any)'}, coder {coder or '(any)'}")
    raise typer.Exit(BAD_INPUT if errors else OK)


@app.command()
def effects(
    review: ReviewFile,
    out: Annotated[Path, typer.Option("--out", help="Where to write the table (.csv).")],
    as_json: AsJson = False,
) -> None:
    """Write the effect table of a review as CSV."""
    from metalliance.coding.review import read_review
    from metalliance.report.tables import write_csv

    table = read_review(review).effects()
    write_csv(table.to_frame(), out)
    if as_json:
        result = {"path": str(out), "usable": len(table), "excluded": len(table.excluded())}
        _emit("effects", result)
    else:
        typer.echo(f"Wrote {len(table)} effects to {out}; {len(table.excluded())} left out.")


@app.command()
def report(
    review: ReviewFile,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report.")] = None,
    plan: PlanFile = None,
    formats: Annotated[
        str, typer.Option(help="Comma-separated: html, svg, pdf, png.")
    ] = "html,svg,pdf,png",
    as_json: AsJson = False,
) -> None:
    """Analyse a review and write its report with forest plots."""
    from metalliance.coding.review import read_review

    chosen = _formats(formats)
    read = read_review(review)
    _refuse_empty(read)
    folder = out or Path("reports") / review.stem
    analysis, paths = _report(read, folder, plan, chosen)
    if as_json:
        _emit("report", _result(analysis, paths), problems=read.problems, shown=analysis.warnings)
    else:
        _show_report(analysis, paths)


@app.command()
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
        _emit("demo", _result(analysis, paths), shown=analysis.warnings)
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
    from metalliance.workflow.plan import read_plan

    chosen = read_plan(plan) if plan else None
    with _progress() as tell:
        analysis = analyse(read, chosen, progress=tell)
        paths = write_report(analysis, folder, formats=formats, progress=tell)
    return analysis, paths


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield status.update


def _show_check(problems: Sequence[Problem], lines: tuple[str, ...], *, limited: bool) -> None:
    for severity in ("error", "question", "todo", "note"):
        for problem in problems:
            if problem.severity == severity:
                label = "to do" if severity == "todo" else severity
                typer.echo(f"{label:>8}  {problem}")
    counts = _severities(problems)
    typer.echo(
        f"{_many(len(lines), 'effect')}: {_many(counts['error'], 'error')}, "
        f"{_many(counts['question'], 'question')}, {counts['todo']} to do, "
        f"{_many(counts['note'], 'note')}."
    )
    if limited and len(lines) > ECHO_AT_MOST:
        typer.echo("See what its effects mean: metalliance check FILE --study NAME")
        return
    for line in lines:
        typer.echo(line)


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _severities(problems: Sequence[Problem]) -> dict[str, int]:
    kinds = [problem.severity for problem in problems]
    return {kind: kinds.count(kind) for kind in ("error", "question", "todo", "note")}


def _show_report(analysis: Analysis, paths: tuple[Path, ...]) -> None:
    from metalliance.report.words import headline

    for line in headline(analysis):
        typer.echo(line)
    html = [path for path in paths if path.suffix == ".html"]
    typer.echo(f"Report: {(html or list(paths))[0]}")


def _result(analysis: Analysis, paths: tuple[Path, ...]) -> dict[str, Any]:
    from metalliance.report.words import headline

    return {"headline": list(headline(analysis)), "files": [str(path) for path in paths]}


def _emit(
    command: str,
    result: dict[str, Any] | None,
    *,
    problems: Sequence[Problem] = (),
    shown: Sequence[str] = (),
    ok: bool = True,
) -> None:
    message = {
        "schema": SCHEMA,
        "command": command,
        "ok": ok,
        "result": result,
        "problems": [
            {name: getattr(problem, name) for name in Problem.__slots__} for problem in problems
        ],
        "warnings": list(shown),
    }
    typer.echo(json.dumps(message, ensure_ascii=False, allow_nan=False, indent=2))


def _fail(command: str, as_json: bool, text: str, problems: Sequence[Problem]) -> None:
    if as_json:
        shown = (text,) if text else ()
        _emit(command, None, problems=problems, shown=shown, ok=False)
        return
    for problem in problems:
        typer.echo(str(problem), err=True)
    if text:
        typer.echo(text, err=True)
