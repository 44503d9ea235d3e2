"""The commands of people who code: template, codebook, check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metalliance.cli.review import MappingFile
from metalliance.cli.say import BAD_INPUT, OK, emit, say
from metalliance.errors import Problem
from metalliance.report.numbers import count

if TYPE_CHECKING:
    from metalliance.coding.records import Record
    from metalliance.coding.review import Review
    from metalliance.coding.upgrade import Upgrade

__all__ = ["check", "codebook", "template"]

ECHO_AT_MOST = 40
SEVERITIES = ("error", "question", "todo", "note")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def template(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to write the empty workbook (.xlsx)."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", help="A workbook in use: what it lacks is added to a copy, nothing is lost."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="With --into: the new file. The same FILE keeps a dated copy of the old."
        ),
    ] = None,
    moderators: Annotated[
        Path | None,
        typer.Option(
            "--moderators", help="The team's own moderators (.toml, one [[moderators]] each)."
        ),
    ] = None,
    moderator: Annotated[
        list[str] | None,
        typer.Option(
            "--moderator",
            help="One moderator of STUDIES: NAME, or NAME=LEVEL;LEVEL. Repeat for more.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the empty workbook, or add what a workbook in use lacks.

    metalliance template review.xlsx

    metalliance template --into review.xlsx --out new.xlsx --moderator "homework=yes;no"
    """
    own = _moderators(moderators, moderator or [])
    if into is None:
        _write_template(path, out, own, as_json)
        return
    from metalliance.coding.upgrade import bring_up_to_date

    if path is not None or out is None:
        raise typer.BadParameter("--into FILE goes with --out NEW, and with no other file")
    done = bring_up_to_date(into, out, own)
    if as_json:
        emit("template", _upgraded(done))
    else:
        _show_upgrade(done)


def _write_template(
    path: Path | None, out: Path | None, own: Sequence[Record], as_json: bool
) -> None:
    from metalliance.coding.files import refuse_existing
    from metalliance.coding.template import write_template

    if path is None or out is not None:
        raise typer.BadParameter("give the FILE to write, or --into FILE --out NEW")
    if path.suffix.lower() != ".xlsx":
        raise typer.BadParameter(f"the workbook is an .xlsx file; {path.name!r} is none")
    refuse_existing(path)
    write_template(path, own)
    if as_json:
        emit("template", {"path": str(path)})
    else:
        say(f"Wrote {path}. Begin with its sheet START.")


def _moderators(file: Path | None, given: Sequence[str]) -> tuple[Record, ...]:
    from metalliance.coding.own_moderators import checked_rows, read_moderators

    rows = []
    for text in given:
        name, _, levels = text.partition("=")
        kind = "choice" if levels else "text"
        row = {"name": name.strip(), "sheet": "STUDIES", "type": kind, "levels": levels}
        rows.append({key: value for key, value in row.items() if value})
    own = read_moderators(file) if file is not None else ()
    return (*own, *checked_rows("--moderator", rows))


def _upgraded(done: Upgrade) -> dict[str, Any]:
    changes = [{"sheet": c.sheet, "column": c.column, "change": c.what} for c in done.changes]
    return {
        "path": str(done.path),
        "changes": changes,
        "not_carried": list(done.lacking),
        "backup": None if done.backup is None else str(done.backup),
    }


def _show_upgrade(done: Upgrade) -> None:
    for change in done.changes:
        place = f"{change.sheet} {change.column}".strip()
        say(f"  {place}: {change.what}")
    if done.lacking:
        say(f"    note  the copy lacks {', '.join(done.lacking)} of the file")
    if done.backup is not None:
        say(f"The old file is kept as {done.backup}.")
    say(f"Wrote {done.path}: {count(len(done.changes), 'addition')}, listed in its sheet CHANGES.")


def codebook(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    review: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A workbook whose own moderators are included."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the codebook as a page (.html, .md) and as a table schema (datapackage.json).

    metalliance codebook review.xlsx --out codebook
    """
    from metalliance.coding.codebook import load_codebook
    from metalliance.coding.files import refuse_existing, write_whole
    from metalliance.coding.manual import codebook_html, codebook_markdown, data_package
    from metalliance.coding.review import read_review

    read = read_review(review, strict=False) if review is not None else None
    book = read.codebook if read is not None else load_codebook()
    title = read.about.get("title", "") if read is not None else ""
    pages = {
        "codebook.html": codebook_html(book),
        "codebook.md": codebook_markdown(book),
        "datapackage.json": data_package(book, title),
    }
    refuse_existing(*(out / name for name in pages))
    for name, text in pages.items():
        write_whole(out / name, text.encode("utf-8"))
    if as_json:
        emit("codebook", {"files": [str(out / name) for name in pages]})
    else:
        say(f"Wrote {', '.join(str(out / name) for name in pages)}.")


def check(
    review: Annotated[
        Path, typer.Argument(metavar="FILE", help="A coded workbook (.xlsx) or a table (.csv).")
    ],
    study: Annotated[str | None, typer.Option(help="Show this study only.")] = None,
    coder: Annotated[str | None, typer.Option(help="Show this coder's rows only.")] = None,
    signs: Annotated[
        bool,
        typer.Option("--signs", help="Say every effect's direction in a sentence, odd ones first."),
    ] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            "--annotate", help="Write a copy (.xlsx) with marked cells and a sheet PROBLEMS."
        ),
    ] = None,
    mapping: MappingFile = None,
    save_mapping: Annotated[
        Path | None,
        typer.Option(
            "--save-mapping", help="Write what every column is read as, for editing (.toml)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a review: every problem at once, with its cell.

    metalliance check review.xlsx

    metalliance check review.xlsx --annotate checked.xlsx

    metalliance check table.csv --save-mapping names.toml
    """
    if save_mapping is not None:
        _save_mapping(review, mapping, save_mapping)
    from metalliance.coding.echo import echo
    from metalliance.coding.review import read_review
    from metalliance.coding.signs import sign_sentences

    read = read_review(review, mapping, strict=False)
    everything = study is None and coder is None and not signs
    unsaid = everything and not as_json and len(read.linked) > ECHO_AT_MOST
    speak = sign_sentences if signs else echo
    lines = () if unsaid else speak(read, study=study, coder=coder)
    problems = read.problems_of(study=study, coder=coder)
    counts = _severities(problems)
    copy = _annotate(read, annotate) if annotate is not None else ()
    if as_json:
        columns = [asdict(column) for column in read.columns]
        result: dict[str, Any] = {"effects": list(lines), "counts": counts, "columns": columns}
        if annotate is not None:
            result["annotated"] = str(annotate)
        emit("check", result, problems=problems, ok=not counts["error"])
    else:
        _show_check(problems, len(read.linked) if unsaid else len(lines), lines)
        for line in _renamed_columns(read):
            say(line)
        for name, value, why in read.assumed:
            say(f" assumed  {name} = {value} ({why})")
        for line in copy:
            say(line)
    if not lines and (study or coder):
        raise typer.BadParameter(f"no effect of study {study or '(any)'}, coder {coder or '(any)'}")
    raise typer.Exit(BAD_INPUT if counts["error"] else OK)


def _save_mapping(review: Path, mapping: Path | None, target: Path) -> None:
    from metalliance.coding.columns import columns_of
    from metalliance.coding.files import refuse_existing, write_whole
    from metalliance.coding.mapping import mapping_text

    refuse_existing(target)
    text = mapping_text(columns_of(review, mapping), review.name)
    write_whole(target, text.encode("utf-8"))
    say(f"Wrote {target}. Edit it, then: metalliance check {review} --mapping {target}", err=True)


def _renamed_columns(read: Review) -> tuple[str, ...]:
    """One line per sheet with columns of other names than those of the codebook."""
    found: dict[str, list[str]] = {}
    for one in read.columns:
        if one.how in ("synonym", "fallback", "mapping") or (
            one.how == "name" and one.title != one.field
        ):
            found.setdefault(one.sheet, []).append(f"{one.title} → {one.field}")
    return tuple(
        f"    read  {sheet}{': ' if sheet else ''}{', '.join(names)}"
        for sheet, names in found.items()
    )


def _annotate(read: Review, path: Path) -> tuple[str, ...]:
    from metalliance.coding.problem_sheet import annotate

    done = annotate(read, path)
    lines = [f"Wrote {done.path}: {count(done.marked, 'cell')} marked, listed in PROBLEMS."]
    if done.lacking:
        lines.append(f"    note  the copy lacks {', '.join(done.lacking)} of the file")
    return tuple(lines)


def _show_check(problems: Sequence[Problem], effects: int, lines: tuple[str, ...]) -> None:
    for severity in SEVERITIES:
        for problem in problems:
            if problem.severity == severity:
                label = "to do" if severity == "todo" else severity
                say(f"{label:>8}  {problem}")
    counts = _severities(problems)
    say(
        f"{count(effects, 'effect')}: {count(counts['error'], 'error')}, "
        f"{count(counts['question'], 'question')}, {counts['todo']} to do, "
        f"{count(counts['note'], 'note')}."
    )
    if len(lines) < effects:
        say("See what its effects mean: metalliance check FILE --study NAME")
    for line in lines:
        say(line)


def _severities(problems: Sequence[Problem]) -> dict[str, int]:
    kinds: list[str] = [problem.severity for problem in problems]
    return {kind: kinds.count(kind) for kind in SEVERITIES}
