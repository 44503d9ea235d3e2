"""The commands of two coders: split a review among them, compare and settle what they typed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metalliance.cli.say import emit, say

if TYPE_CHECKING:
    import pandas as pd

    from metalliance.coding.adjudication import Adjudicated
    from metalliance.coding.agreement import Agreement
    from metalliance.coding.consensus import Consensus

__all__ = ["agree", "split"]

MATCHES_AT_MOST = 25
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
COEFFICIENTS = ("kappa", "kappa_weighted", "icc", "ac1", "alpha")
TITLES = {"kappa_weighted": "κ_w", "kappa": "κ", "icc": "ICC", "ac1": "AC1", "alpha": "α"}


def split(
    review: Annotated[
        Path, typer.Argument(metavar="FILE", help="The seeded workbook (.xlsx), studies listed.")
    ],
    coders: Annotated[
        str, typer.Option("--coders", help="Initials of the coders, with commas: AB,CD.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the copies. Default: beside the file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write one copy of a workbook for every coder, to be coded alone.

    metalliance split review.xlsx --coders AB,CD
    """
    from metalliance.coding.splitting import plain_initials, split_review

    try:
        names = plain_initials([name for name in coders.split(",") if name.strip()])
    except ValueError as error:
        raise typer.BadParameter(f"--coders: {error}") from None
    done = split_review(review, names, out)
    if as_json:
        result = {
            "files": [str(path) for path in done.paths],
            "effects": done.effects,
            "not_carried": list(done.lacking),
        }
        emit("split", result)
        return
    for name, path in zip(names, done.paths, strict=True):
        say(f"Wrote {path} for {name}.")
    if done.effects:
        many = "1 effect that stands" if done.effects == 1 else f"{done.effects} effects that stand"
        say(f"    note  every copy holds {many} in the file already")
    if done.lacking:
        say(f"    note  the copies lack {', '.join(done.lacking)} of the file")
    say("Each codes alone. Then: metalliance agree " + " ".join(str(path) for path in done.paths))


def agree(
    reviews: Annotated[
        list[Path], typer.Argument(metavar="FILES", help="One file per coder: two or more.")
    ],
    consensus: Annotated[
        Path | None,
        typer.Option("--consensus", help="Write the disagreements here, to be settled (.xlsx)."),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option("--previous", help="An earlier list whose decisions are carried over."),
    ] = None,
    adjudicated: Annotated[
        Path | None,
        typer.Option(
            "--adjudicated",
            help="Write the consensus review here: the decisions of --previous carried out.",
        ),
    ] = None,
    allow_open: Annotated[
        bool,
        typer.Option("--allow-open", help="With --adjudicated: leave undecided cells empty."),
    ] = False,
    history: Annotated[
        Path | None,
        typer.Option(
            "--history", help="With --adjudicated: an earlier consensus review, to keep amendments."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the bootstrap of alpha.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare what coders typed, list their disagreements, and write the consensus.

    metalliance agree review_AB.xlsx review_CD.xlsx --consensus consensus.xlsx
    metalliance agree review_AB.xlsx review_CD.xlsx --previous consensus.xlsx \
--adjudicated review_final.xlsx
    """
    if len(reviews) < 2:
        raise typer.BadParameter("give the files of two coders or more")
    if adjudicated is not None and previous is None:
        raise typer.BadParameter("--adjudicated carries out the decisions of --previous LIST")
    if adjudicated is None and (allow_open or history is not None):
        raise typer.BadParameter("--allow-open and --history go with --adjudicated FILE")
    from metalliance.coding.agreement import agreement
    from metalliance.coding.consensus import consensus as list_of
    from metalliance.coding.consensus import write_consensus
    from metalliance.coding.files import refuse_existing

    for path in (consensus, adjudicated):
        if path is not None and path.suffix.lower() != ".xlsx":
            raise typer.BadParameter(f"a workbook is an .xlsx file; {path.name!r} is none")
        if path is not None:
            refuse_existing(path)
    found = agreement(*reviews, seed=seed)
    settled = list_of(found, previous)
    if consensus is not None:
        write_consensus(settled, consensus)
    done = None
    if adjudicated is not None and previous is not None:
        from metalliance.coding.adjudication import adjudicate

        done = adjudicate(found, previous, adjudicated, allow_open=allow_open, history=history)
    if as_json:
        emit("agree", _result(found, settled, consensus, done))
    else:
        _show(found, settled, consensus, done)


# --- JSON -------------------------------------------------------------------------------------


def _result(
    found: Agreement, settled: Consensus, path: Path | None, done: Adjudicated | None
) -> dict[str, Any]:
    tables = ("table", "training", "pilot", "coefficients", "limits", "existence")
    return {
        "coders": {
            letter: str(review.path)
            for letter, review in zip(found.coders, found.reviews, strict=True)
        },
        **{name: _records(getattr(found, name)) for name in (*tables, "only_in", "matching")},
        "not_shared": [
            {"study": study, "coders": list(coders)} for study, coders in found.not_shared
        ],
        "disagreements": [
            {
                "study": item.disagreement.study,
                "id": item.disagreement.id,
                "field": item.disagreement.field,
                "typed": list(item.disagreement.typed),
                "cells": list(item.disagreement.cells),
                "decision": item.decision.choice,
                "state": item.state,
            }
            for item in settled.items
        ],
        "consensus": None if path is None else str(path),
        "adjudicated": None
        if done is None
        else {
            "path": str(done.path),
            "decided": done.decided,
            "open": done.open,
            "added": list(done.added),
            "not_carried": list(done.lacking),
        },
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value


# --- text -------------------------------------------------------------------------------------


def _show(
    found: Agreement, settled: Consensus, path: Path | None, done: Adjudicated | None
) -> None:
    for letter, review in zip(found.coders, found.reviews, strict=True):
        errors = sum(problem.severity == "error" for problem in review.problems)
        told = f"  ({errors} with errors are left out: metalliance check)" if errors else ""
        say(f"{letter}  {review.path}{told}")
    _show_matching(found)
    _show_existence(found)
    for name, frame in (
        ("main phase", found.table),
        ("training", found.training),
        ("pilot", found.pilot),
    ):
        if len(frame) or name == "main phase":
            _show_table(name, frame)
    _show_settled(settled, path, done)


def _show_matching(found: Agreement) -> None:
    say("\nMatched rows")
    frame = found.matching
    for sheet, rows in frame.groupby("sheet", sort=False):
        counts = rows["how"].value_counts()
        parts = [f"{counts[how]} by {how}" for how in ("id", "content") if how in counts]
        say(f"  {sheet:<10} {', '.join(parts)}")
    lines = _match_lines(found)
    for line in lines[:MATCHES_AT_MOST]:
        say(f"    {line}")
    if len(lines) > MATCHES_AT_MOST:
        more = len(lines) - MATCHES_AT_MOST
        say(f"    and {more} more; all are in sheet MATCHING of --consensus, and in --json")
    for study, coders in found.not_shared:
        say(f"  {study}: coded by {', '.join(coders)} alone, not compared")


def _match_lines(found: Agreement) -> list[str]:
    """Rows that differ one by one, then those with other ids, study by study."""
    differing, others = [], dict[tuple[str, str], list[str]]()
    for row in found.matching.to_dict(orient="records"):
        ids = [row[letter] or "–" for letter in found.coders]
        place = (row["study"], row["sheet"].lower())
        if row["differs"]:
            how = f"by {row['how']}, though they differ in: {row['differs']}"
            differing.append(f"{' '.join(place)}  {'↔'.join(ids)}  {how}")
        elif row["how"] == "content" and row["sheet"] != "INTERCORR":
            others.setdefault(place, []).append("↔".join(ids))
    return [
        *differing,
        *(f"{' '.join(place)}  {', '.join(ids)}  by content" for place, ids in others.items()),
    ]


def _show_existence(found: Agreement) -> None:
    say("\nWhich effects exist (kappa is not defined: what nobody found cannot be counted)")
    for row in found.existence.to_dict(orient="records"):
        if row["sheet"] == "EFFECTS":
            share = "" if math.isnan(row["agree_percent"]) else f", {row['agree_percent']:.1f} %"
            positive = row["positive_agreement"]
            specific = "" if math.isnan(positive) else f", positive agreement {_two(positive)}"
            say(
                f"  {row['first']}–{row['second']}: both {row['both']}, only {row['first']} "
                f"{row['only_first']}, only {row['second']} {row['only_second']}{share}{specific}"
            )
    for row in found.only_in.to_dict(orient="records"):
        may_be = f"; may be {row['candidates']}" if row["candidates"] else ""
        say(
            f"    only {row['coder']}: {row['study']} {row['sheet'].lower()} {row['id']} "
            f"({row['address']}) {row['what']}{may_be}"
        )


def _show_table(name: str, frame: pd.DataFrame) -> None:
    from metalliance.cli.layout import limits, table, wrapped

    say(f"\nAgreement, {name}")
    if not len(frame):
        say("  nothing that two coders have typed")
        return
    titles = ["field", "n", "%", *(TITLES[c] for c in COEFFICIENTS), "95% CI"]
    rows, notes = [], dict[str, list[str]]()
    again = frame["field"].duplicated(keep=False)
    for (_, row), twice in zip(frame.iterrows(), again, strict=True):
        label = f"{row['field']} ({row['sheet']})" if twice else str(row["field"])
        percent = "" if math.isnan(row["agree_percent"]) else f"{row['agree_percent']:.1f}"
        numbers = [_two(row[name]) for name in COEFFICIENTS]
        rows.append(
            [label, str(row["n"]), percent, *numbers, limits(row["conf_low"], row["conf_high"], 2)]
        )
        if row["note"]:
            notes.setdefault(row["note"], []).append(label)
    for line in table(titles, rows):
        say(f"  {line}")
    for text, labels in notes.items():
        for line in wrapped(f"{', '.join(labels)}: {text}"):
            say(f"  {line}")


def _two(value: float) -> str:
    if math.isnan(value):
        return ""
    text = f"{value:.2f}".replace("-", "−")
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _show_settled(settled: Consensus, path: Path | None, done: Adjudicated | None) -> None:
    states = [item.state for item in settled.items]
    count, left = len(settled.items), len(settled.open)
    parts = [f"{states.count(s)} {s}" for s in ("carried over", "reopened") if s in states]
    parts.append("all decided" if count and not left else f"{left} open")
    many = "1 disagreement" if count == 1 else f"{count} disagreements"
    say(f"\n{many}: {', '.join(parts)}.")
    if settled.settled:
        say(f"{len(settled.settled)} earlier decisions are no longer needed (sheet SETTLED).")
    if path is not None:
        say(f"Wrote {path}. Decide together in its column decision.")
    elif done is None and left:
        say("List them to be settled: add --consensus consensus.xlsx")
    if done is None:
        return
    for added in done.added:
        say(f"  added {added}")
    if done.lacking:
        say(f"    note  the copy lacks {', '.join(done.lacking)} of A's file")
    empty = f"; {done.open} undecided left empty" if done.open else ""
    say(f"Wrote {done.path}: {done.decided} decisions carried out{empty}, listed in HISTORY.")
