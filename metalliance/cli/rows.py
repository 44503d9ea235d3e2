"""From FILE to the rows that a model is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from metalliance.cli.asked import Asked
from metalliance.coding.effect_file import EffectFile, read_effect_file, typed
from metalliance.coding.guard import file_problem
from metalliance.coding.review import read_review
from metalliance.coding.spreadsheet import Source, open_source
from metalliance.effectsize.table import CORE_COLUMNS, EffectTable
from metalliance.errors import CodingError, Problem, SpecificationError
from metalliance.models.formula import parse_formula
from metalliance.models.missing import complete_rows, missing_moderators
from metalliance.models.rows import require_columns

__all__ = ["Rows", "new_rows", "read_rows"]

POOL = ("component", "estimand", "path", "es_metric")
SCALES = {"z": "Fisher's z", "beta": "standardised coefficient"}
AT_MOST = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows to fit, and what became of the others.

    Attributes
    ----------
    frame : DataFrame
        Its index names rows as the file does.
    sha256 : str
    read : int
        Effects in the file that have a value.
    unusable : DataFrame
        Rows of a coded review without an effect: study, effect, reason, address.
    missing : DataFrame
        What each moderator costs, as ``missing_moderators``.
    incomplete : int
        Rows left out for a moderator they lack.
    assumed : tuple of str
        What a coded review leaves unsaid.
    problems : tuple of Problem
    """

    frame: pd.DataFrame
    sha256: str
    read: int
    unusable: pd.DataFrame
    missing: pd.DataFrame
    incomplete: int = 0
    assumed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def coded(self) -> bool:
        """Whether the rows are an effect table, with components and estimands."""
        return set(CORE_COLUMNS) <= set(self.frame.columns)

    def scale(self, yi: str) -> str:
        """On what scale the effects are."""
        if not self.coded or yi != "yi":
            return yi
        return SCALES.get(str(self.frame["es_metric"].iloc[0]), yi)

    def effects(self) -> EffectTable | pd.DataFrame:
        """The rows as the engine takes them: an effect table gives clusters of linked samples."""
        if not self.coded:
            return self.frame
        return EffectTable(self.frame, pd.DataFrame(), ())


def read_rows(asked: Asked) -> Rows:
    """Read FILE, keep the rows asked for, and refuse what cannot be one pool."""
    source = open_source(asked.file)
    names = {name.strip().upper() for name in source.sheet_names}
    workbook = source.kind == "workbook" and {"EFFECTS", "STUDIES"} <= names
    file = None if workbook else read_effect_file(source, [asked.yi, asked.vi])
    rows = _of_review(source, asked, workbook) if file is None else _of_table(source, file)
    rows = replace(rows, frame=_chosen(rows.frame, asked.where))
    columns = _columns(rows.frame, asked)
    if file is not None:
        file.check_effects(rows.frame.index, asked.yi, asked.vi)
        file.check_moderators(rows.frame.index, columns)
    if rows.coded:
        _refuse_mixture(rows.frame, asked)
    elif file is not None:
        notes = file.looks_missing(rows.frame.index, columns)
        rows = replace(rows, problems=(*rows.problems, *notes))
    rows = replace(rows, missing=missing_moderators(rows.frame, asked.mods))
    return _complete(rows, asked.mods, columns) if asked.complete else rows


def new_rows(asked: Asked, fitted: pd.DataFrame, moderators: Sequence[str]) -> pd.DataFrame | None:
    """Moderator values for which means are wanted, as numbers where the fitted rows have them."""
    if asked.newdata is not None:
        source = open_source(asked.newdata)
        file = read_effect_file(source, [])
        assert file is not None  # nothing is needed, so any header will do
        used = [name for name in file.frame.columns if name in fitted.columns]
        cells = {name: [file.raw(row, name) for row in file.frame.index] for name in used}
        index = file.frame.index
    elif asked.at:
        used = list(dict.fromkeys(name for row in asked.at for name, _ in row))
        require_columns(fitted, used, "--at")
        for name in used:
            if name not in moderators:
                known = ", ".join(moderators) or "none"
                raise SpecificationError(
                    f"--at: {name!r} is no moderator of the model; it has: {known}"
                )
        cells = {name: [dict(row).get(name) for row in asked.at] for name in used}
        index = pd.RangeIndex(1, len(asked.at) + 1)
    else:
        return None
    return pd.DataFrame(
        {
            name: _like(fitted[name], name, typed(column)).set_axis(index)
            for name, column in cells.items()
        },
        index=index,
    )


def _like(fitted: pd.Series, name: str, given: pd.Series) -> pd.Series:
    numeric = pd.api.types.is_numeric_dtype(fitted)
    if numeric == pd.api.types.is_numeric_dtype(given):
        return given
    if numeric:
        text = next(value for value in given if isinstance(value, str))
        raise SpecificationError(f"{name!r} holds numbers; {text!r} is none")
    return given.map(lambda value: None if pd.isna(value) else f"{value:g}").astype(object)


def _of_table(source: Source, file: EffectFile) -> Rows:
    return Rows(
        frame=file.frame,
        sha256=source.sha256,
        read=len(file.frame),
        unusable=pd.DataFrame(),
        missing=pd.DataFrame(),
        problems=source.problems,
    )


def _of_review(source: Source, asked: Asked, workbook: bool) -> Rows:
    try:
        review = read_review(asked.file)
    except CodingError as error:
        if workbook or not any(one.code == "missing-column" for one in error.problems):
            raise
        raise _no_effects(asked.file, asked.yi, asked.vi) from None
    table = review.effects()
    frame = table.to_frame()
    for name in (asked.yi, asked.vi):
        if name not in frame.columns:
            raise _no_effects(asked.file, asked.yi, asked.vi)
    if frame["address"].is_unique:
        frame.index = pd.Index(frame["address"])
    return Rows(
        frame=frame,
        sha256=source.sha256,
        read=len(frame),
        unusable=table.excluded(),
        missing=pd.DataFrame(),
        assumed=tuple(f"{name} = {value} ({why})" for name, value, why in review.assumed),
        problems=review.problems,
    )


def _no_effects(path: Path, yi: str, vi: str) -> CodingError:
    return file_problem(
        path,
        "missing-column",
        f"has no columns {yi} and {vi} in its first row, and is no coded review either",
        "name the columns of effects and sampling variances with --yi and --vi, or give the "
        "columns study, n and r",
    )


def _chosen(frame: pd.DataFrame, where: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Rows that have one of the values asked for in every column that is named."""
    wanted: dict[str, list[str]] = {}
    for name, value in where:
        wanted.setdefault(name, []).append(value)
    require_columns(frame, list(wanted), "--where")
    for name, values in wanted.items():
        keep = np.zeros(len(frame), dtype=bool)
        for value in values:
            same = _equal(frame[name], value)
            if not same.any():
                raise SpecificationError(
                    f"--where: no row has {name}={value}; it has {_counted(frame[name])}"
                )
            keep |= same
        frame = frame.loc[keep]
    if not len(frame):
        raise SpecificationError("there are no effects to fit")
    return frame


def _equal(column: pd.Series, value: str) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        number = pd.to_numeric(pd.Series([value]), errors="coerce").iloc[0]
        return np.asarray(column.to_numpy(dtype=float) == number)
    return np.asarray(column.astype(object).eq(value), dtype=bool)


def _counted(column: pd.Series) -> str:
    counts = column.value_counts()
    shown = ", ".join(f"{value} ({n})" for value, n in counts.head(AT_MOST).items())
    return shown + (f" and {len(counts) - AT_MOST} other values" if len(counts) > AT_MOST else "")


def _columns(frame: pd.DataFrame, asked: Asked) -> tuple[str, ...]:
    columns = parse_formula(asked.mods).columns
    require_columns(frame, columns, f"mods={asked.mods!r}")
    return columns


def _refuse_mixture(frame: pd.DataFrame, asked: Asked) -> None:
    """Effects that mean different things have no common mean."""
    metrics = frame["es_metric"].unique().tolist()
    if asked.yi == "yi" and len(metrics) > 1:
        raise SpecificationError(
            f"these effects are on different scales, es_metric {_counted(frame['es_metric'])}; "
            f"take one, for example --where es_metric={metrics[0]}"
        )
    parts = [name for name in POOL if frame[name].nunique() > 1]
    if not parts:
        return
    named = [name for name in parse_formula(asked.mods).columns if name in parts]
    pools = frame.groupby(parts, sort=False).size()
    if named and len(frame.groupby(named)) == len(pools):
        return
    shown = "; ".join(f"{_pool(parts, key)} ({n})" for key, n in pools.items())
    first = pools.index[0]
    mend = " ".join(
        f'--where "{part}={value}"' for part, value in zip(parts, _key(first), strict=True)
    )
    apart = next((name for name in parts if frame[name].nunique() == len(pools)), "")
    raise SpecificationError(
        f"the {len(frame)} effects belong to {len(pools)} pools that mean different things: "
        f"{shown}. Take one, for example {mend}"
        + (f', or keep them apart: --mods "~ 0 + {apart}"' if apart else "")
    )


def _pool(parts: Sequence[str], key: object) -> str:
    words = [value for value in _key(key) if value != "NA"]
    return " ".join(words) or "NA"


def _key(key: object) -> tuple[str, ...]:
    return tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)


def _complete(rows: Rows, mods: str, columns: Sequence[str]) -> Rows:
    frame = complete_rows(rows.frame, mods)
    if not len(frame):
        raise SpecificationError(
            "every row lacks some moderator, so --complete leaves none; "
            "leave a moderator out of --mods"
        )
    again = {
        name: typed(frame[name].tolist()).set_axis(frame.index)
        for name in columns
        if frame[name].dtype == np.float64
    }
    return replace(rows, frame=frame.assign(**again), incomplete=len(rows.frame) - len(frame))
