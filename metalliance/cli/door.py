"""The command itself: which commands there are, and what leaves with which exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from metalliance.cli import coders, fit, review, sessions, workbook
from metalliance.cli.say import BAD_INPUT, FAILED, INTERRUPTED, OK, USAGE, fail
from metalliance.errors import (
    CodingError,
    ConvergenceError,
    MetallianceError,
    PlanError,
    SpecificationError,
)

__all__ = ["app", "run"]

# Typer carries Click inside, or uses the installed one; the class is reached through its child.
USAGE_ERROR: type[Exception] = next(
    parent for parent in typer.BadParameter.__mro__ if parent.__name__ == "ClickException"
)

app = typer.Typer(
    name="metalliance",
    help="Is the alliance itself therapeutic? From a coded workbook to a forest-plot report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

COMMANDS: dict[str, Callable[..., None]] = {
    "template": workbook.template,
    "codebook": workbook.codebook,
    "check": workbook.check,
    "split": coders.split,
    "agree": coders.agree,
    "effects": review.effects,
    "fit": fit.fit,
    "sessions": sessions.sessions,
    "report": review.report,
    "demo": review.demo,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 ok, 1 the analysis failed, 2 bad input, 3 usage, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # A review is a million small values, hardly any of them in cycles.
    gc.set_threshold(100_000)
    as_json, verbose = "--json" in arguments, "-v" in arguments[:1]
    command = next((word for word in arguments if not word.startswith("-")), "")
    try:
        code = app(list(arguments), standalone_mode=False, prog_name="metalliance")
        return int(code or OK)
    except USAGE_ERROR as error:
        text = str(getattr(error, "format_message", error.__str__)())
        known = command if command in COMMANDS else ""
        see = " ".join(part for part in ("See: metalliance", known, "--help") if part)
        fail(command, as_json, f"{text}\n{see}", ())
        return USAGE
    except (CodingError, PlanError) as error:
        fail(command, as_json, "", error.problems)
        return BAD_INPUT
    except (SpecificationError, ConvergenceError) as error:
        fail(command, as_json, str(error), ())
        return FAILED
    except MetallianceError as error:
        fail(command, as_json, str(error), ())
        return BAD_INPUT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        fail(command, as_json, f"{error.filename or ''}: {error.strerror or error}", ())
        return BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        fail(command, as_json, "interrupted", ())
        return INTERRUPTED
    except Exception as error:
        if verbose:
            raise
        what = f"a fault of metalliance, not of your file: {type(error).__name__}: {error}"
        fail(command, as_json, f"{what}\nSee where: metalliance -v {command} …", ())
        return FAILED


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as version_of

        typer.echo(version_of("metalliance"))
        raise typer.Exit(OK)


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True),
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", help="Show where a fault arose.")] = False,
) -> None:
    """Options before the command."""
