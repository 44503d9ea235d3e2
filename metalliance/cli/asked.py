"""What ``metalliance fit`` was asked for: options as typed, checked before a file is opened."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import typer

__all__ = ["Asked", "checked", "pair", "pairs", "read_held"]

PART = re.compile(r"\s*(?P<name>[^=]+?)\s*=\s*(?P<value>.*?)\s*", re.DOTALL)
NEXT_PART = re.compile(r",\s*(?=[^,=]+=)")
MOST_PERMUTATIONS = 100_000
Held = float | list[float | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of one call; absent ones are None or empty."""

    file: Path
    mapping: Path | None
    mods: str
    random: tuple[str, ...]
    structure: tuple[str, ...]
    method: str
    yi: str
    vi: str
    weights: str | None
    tau2: Held
    sigma2: Held
    rho: Held
    cov_rho: float | None
    cov_cluster: str | None
    cov_time: str | None
    cov_phi: float | None
    vcov: str
    test: str | None
    cluster: str | None
    level: float
    transform: str | None
    target: str
    pi_df: str
    newdata: Path | None
    at: tuple[tuple[tuple[str, str], ...], ...]
    intervals: str | None
    where: tuple[tuple[str, str], ...]
    complete: bool
    lrt_against: tuple[str, ...]
    permutations: int | None
    seed: int


def checked(asked: Asked) -> Asked:
    """The same, or a usage error that lists the choices or says what an option needs."""
    from metalliance.models.confint import INTERVALS
    from metalliance.models.inference import Test, Vcov
    from metalliance.models.predict import PI_DF, TARGETS, TRANSFORMS
    from metalliance.numerics.structures import STRUCTURE_NAMES
    from metalliance.numerics.tau2 import TAU2_METHODS

    for flag, values, known in (
        ("--method", [asked.method], TAU2_METHODS),
        ("--structure", asked.structure, STRUCTURE_NAMES),
        ("--vcov", [asked.vcov], get_args(Vcov)),
        ("--test", [asked.test], get_args(Test)),
        ("--transform", [asked.transform], [name for name in TRANSFORMS if name]),
        ("--target", [asked.target], TARGETS),
        ("--pi-df", [asked.pi_df], PI_DF),
        ("--intervals", [asked.intervals], INTERVALS),
    ):
        for value in values:
            if value is not None and value not in known:
                raise typer.BadParameter(f"{flag} takes {', '.join(known)}; not {value!r}")
    _check_numbers(asked)
    _check_together(asked)
    return asked


def pairs(flag: str, texts: Sequence[str] | None) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Each ``name=value, name=value`` as (name, value) pairs.

    Examples
    --------
    >>> pairs("--at", ["rater=client, year=2010"])
    ((('rater', 'client'), ('year', '2010')),)
    """
    return tuple(_row(flag, NEXT_PART.split(text)) for text in texts or ())


def read_held(flag: str, texts: Sequence[str] | None) -> Held:
    """Values at which components are held, None for one left ``free``."""
    if not texts:
        return None
    values: list[float | None] = []
    for text in texts:
        try:
            number = None if text.strip().lower() == "free" else float(text)
        except ValueError:
            number = math.nan
        if number is not None and not math.isfinite(number):
            raise typer.BadParameter(f"{flag} takes a number or free; not {text!r}")
        values.append(number)
    only = values[0]
    return only if len(values) == 1 and only is not None else values


def _row(flag: str, parts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    row = tuple(pair(flag, part) for part in parts)
    if len(dict(row)) < len(row):
        raise typer.BadParameter(f"{flag} names a column twice; repeat {flag} for another mean")
    return row


def pair(flag: str, text: str) -> tuple[str, str]:
    """One ``name=value``."""
    match = PART.fullmatch(text)
    if match is None or not match["value"]:
        raise typer.BadParameter(f'{flag} takes column=value, such as "rater=client"; not {text!r}')
    return match["name"].strip("`"), match["value"]


def _check_numbers(asked: Asked) -> None:
    if not 0 < asked.level < 1:
        raise typer.BadParameter(f"--level lies between 0 and 1, such as 0.95; not {asked.level:g}")
    if asked.permutations is not None and not 1 <= asked.permutations <= MOST_PERMUTATIONS:
        raise typer.BadParameter(
            f"--permutations lies between 1 and {MOST_PERMUTATIONS}; not {asked.permutations}"
        )
    if asked.cov_rho is not None and not -1 < asked.cov_rho < 1:
        raise typer.BadParameter(f"--cov-rho lies between -1 and 1; not {asked.cov_rho:g}")


def _check_together(asked: Asked) -> None:
    for flag, value in (
        ("--cov-cluster", asked.cov_cluster),
        ("--cov-time", asked.cov_time),
        ("--cov-phi", asked.cov_phi),
    ):
        if value is not None and asked.cov_rho is None:
            raise typer.BadParameter(f"{flag} needs --cov-rho, such as --cov-rho 0.6")
    if (asked.cov_time is None) != (asked.cov_phi is None):
        raise typer.BadParameter("--cov-time and --cov-phi go together")
    if asked.newdata is not None and asked.at:
        raise typer.BadParameter("give --newdata or --at, not both")
