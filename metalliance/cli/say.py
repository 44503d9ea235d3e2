"""What every command says and how: text, one JSON object, sentences about what went wrong."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from metalliance.errors import Problem

__all__ = [
    "BAD_INPUT",
    "FAILED",
    "INTERRUPTED",
    "OK",
    "SCHEMA",
    "USAGE",
    "emit",
    "fail",
    "message",
    "progress",
    "say",
    "visible",
]

OK, FAILED, BAD_INPUT, USAGE, INTERRUPTED = 0, 1, 2, 3, 130
SCHEMA = "metalliance-cli/1"
STEERING = re.compile(
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]"
)


def visible(text: str) -> str:
    r"""Text without anything that steers a terminal; a sign stands where something did.

    Examples
    --------
    >>> visible("a\x1b[31mb") == "a\ufffd[31mb"
    True
    """
    return STEERING.sub("\ufffd", text)


def say(text: str, *, err: bool = False) -> None:
    """Print a line, or several."""
    typer.echo(visible(text), err=err)


def message(
    command: str,
    result: dict[str, Any] | None,
    *,
    problems: Sequence[Problem] = (),
    shown: Sequence[str] = (),
    ok: bool = True,
) -> str:
    """The one JSON object of a command."""
    whole = {
        "schema": SCHEMA,
        "command": command,
        "ok": ok,
        "result": result,
        "problems": [
            {name: getattr(problem, name) for name in Problem.__slots__} for problem in problems
        ],
        "warnings": list(shown),
    }
    text = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=2)
    return STEERING.sub(lambda sign: f"\\u{ord(sign.group()):04x}", text)


def emit(
    command: str,
    result: dict[str, Any] | None,
    *,
    problems: Sequence[Problem] = (),
    shown: Sequence[str] = (),
    ok: bool = True,
) -> None:
    """Print the one JSON object of a command."""
    typer.echo(message(command, result, problems=problems, shown=shown, ok=ok))


def fail(command: str, as_json: bool, text: str, problems: Sequence[Problem]) -> None:
    """Say why there is no result."""
    if as_json:
        emit(command, None, problems=problems, shown=(text,) if text else (), ok=False)
        return
    errors = [problem for problem in problems if problem.severity == "error"]
    for problem in errors:
        say(str(problem), err=True)
    others = len(problems) - len(errors)
    if others:
        stop = "1 error stops" if len(errors) == 1 else f"{len(errors)} errors stop"
        more = "1 question or note does not" if others == 1 else f"{others} other messages do not"
        say(f"{stop} this; {more}: metalliance check lists all.", err=True)
    if text:
        say(text, err=True)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Tell on a terminal what is being done; elsewhere be silent."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield status.update
