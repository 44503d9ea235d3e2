"""From FILE to the rows that a model is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase

import numpy as np
import pandas as pd

from metalliance.cli.asked import Asked
from metalliance.cli.pools import counted, refuse_mixture
from metalliance.coding.cells import parse_number, shown
from metalliance.coding.effect_file import EffectFile, read_effect_file, retyped, titles, typed
from metalliance.coding.guard import file_problem
from metalliance.coding.review import read_review
from metalliance.coding.spreadsheet import Source, open_source
from metalliance.coding.workbook import is_workbook, sheet_names
from metalliance.effectsize.table import CORE_COLUMNS, EffectTable, pairs_among
from metalliance.errors import CodingError, Problem, SpecificationError
from metalliance.models.formula import parse_formula
from metalliance.models.missing import complete_rows, missing_moderators
from metalliance.models.rows import require_columns

__all__ = ["SCALES", "Rows", "new_rows", "read_rows"]

SCALES = {"z": "Fisher's z", "beta": "standardised coefficient"}
REVIEW_COLUMNS = (("yi", "vi"), ("r", "v_r"))


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
    simulated : bool
        Whether a coded review says so of its data.
    correlations : DataFrame, optional
        Reported sampling correlations of effects of a coded review.
    """

    frame: pd.DataFrame
    sha256: str
    read: int
    unusable: pd.DataFrame
    missing: pd.DataFrame
    incomplete: int = 0
    assumed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    simulated: bool = False
    correlations: pd.DataFrame | None = None

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
        pairs = pairs_among(self.correlations, self.frame)
        return EffectTable(self.frame, pd.DataFrame(), (), pairs)


def read_rows(asked: Asked) -> Rows:
    """Read FILE, keep the rows asked for, and refuse what cannot be one pool."""
    source = open_source(asked.file)
    workbook = is_workbook(source, sheet_names(source))
    file = None if workbook else read_effect_file(source, [asked.yi, asked.vi])
    rows = _of_review(source, asked, workbook) if file is None else _of_table(source, file)
    rows = replace(rows, frame=_chosen(rows.frame, asked.where))
    columns = _columns(rows.frame, asked)
    if file is not None:
        file.check_effects(rows.frame.index, asked.yi, asked.vi)
        used = parse_formula(asked.mods).variables
        as_numbers = [one.column for one in used if one.role != "factor"]
        file.check_moderators(rows.frame.index, list(dict.fromkeys(as_numbers)))
    if rows.coded:
        refuse_mixture(rows.frame, asked)
    elif file is not None:
        notes = file.looks_missing(rows.frame.index, columns)
        rows = replace(rows, problems=(*rows.problems, *notes))
    rows = replace(rows, missing=missing_moderators(rows.frame, asked.mods))
    return _complete(rows, asked.mods) if asked.complete else rows


def new_rows(asked: Asked, fitted: pd.DataFrame, inner: Sequence[str] = ()) -> pd.DataFrame | None:
    """Moderator values for which means are wanted, as numbers where the fitted rows have them.

    Parameters
    ----------
    asked : Asked
    fitted : DataFrame
    inner : sequence of str
        Columns beside the moderators that a prediction interval depends on.
    """
    if asked.newdata is not None:
        file = read_effect_file(open_source(asked.newdata), [])
        assert file is not None  # nothing is needed, so any header will do
        flag, index = "--newdata", file.frame.index
        cells = {name: [file.raw(row, name) for row in index] for name in file.columns}
    elif asked.at:
        flag, index = "--at", pd.RangeIndex(1, len(asked.at) + 1)
        names = dict.fromkeys(name for row in asked.at for name, _ in row)
        cells = {name: [dict(row).get(name) for row in asked.at] for name in names}
    else:
        return None
    moderators = parse_formula(asked.mods).columns
    known = list(dict.fromkeys([*moderators, *inner]))
    _check_names(flag, list(cells), moderators, known)
    used = [name for name in known if name in cells]
    columns = {name: _like(fitted[name], name, typed(cells[name])) for name in used}
    return pd.DataFrame({name: column.set_axis(index) for name, column in columns.items()}, index)


def _check_names(
    flag: str, given: Sequence[str], moderators: Sequence[str], known: Sequence[str]
) -> None:
    lacking = [name for name in moderators if name not in given]
    if lacking:
        raise SpecificationError(f"{flag} has no value of {lacking[0]!r}, which is a moderator")
    foreign = [name for name in given if name not in known]
    if foreign and flag == "--at":
        has = ", ".join(known) or "none"
        raise SpecificationError(
            f"{flag}: {foreign[0]!r} is no moderator of the model; it has {has}"
        )


def _like(fitted: pd.Series, name: str, given: pd.Series) -> pd.Series:
    numeric = pd.api.types.is_numeric_dtype(fitted)
    if numeric == pd.api.types.is_numeric_dtype(given):
        return given
    if numeric:
        text = next(value for value in given if isinstance(value, str))
        raise SpecificationError(f"{name!r} holds numbers; {text!r} is none")
    return given.map(lambda value: None if pd.isna(value) else shown(value)).astype(object)


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
        review = read_review(asked.file, asked.mapping)
    except CodingError as error:
        if workbook or not any(one.code == "missing-column" for one in error.problems):
            raise
        raise _no_effects(source, asked) from None
    if (asked.yi, asked.vi) not in REVIEW_COLUMNS:
        raise _no_effects(source, asked)
    table = review.effects()
    frame = retyped(table.to_frame())
    if frame["address"].is_unique:
        frame.index = pd.Index([_place(address) for address in frame["address"]])
    assumed = [f"{name} = {value} ({why})" for name, value, why in review.assumed]
    if not workbook:
        assumed += _renamed(source, frame)
    return Rows(
        frame=frame,
        sha256=source.sha256,
        read=len(frame),
        unusable=table.excluded(),
        missing=pd.DataFrame(),
        assumed=tuple(assumed),
        problems=review.problems,
        simulated=review.about.get("data") == "simulated",
        correlations=table.correlations,
    )


def _place(address: str) -> str:
    """``EFFECTS!F4`` as ``4 of EFFECTS``: the row, not the cell of the effect."""
    sheet, _, cell = str(address).rpartition("!")
    number = cell.lstrip(ascii_uppercase)
    return f"{number} of {sheet}" if sheet and number.isdigit() else str(address)


def _renamed(source: Source, frame: pd.DataFrame) -> list[str]:
    """Columns of a flat table that go by another name here."""
    given = titles(source.grid(source.sheet_names[0]))
    lost = [name for name in given if name and name not in frame.columns]
    if not lost:
        return []
    return [
        f"read as a review, one row per effect; {', '.join(lost)} now go by the names of a review "
        "(study, sample, effect, ni, yi, vi, …)"
    ]


def _no_effects(source: Source, asked: Asked) -> CodingError:
    if source.kind == "text":
        seen = f"; it has: {', '.join(titles(source.grid(source.sheet_names[0])))}"
        mend = (
            "name the columns of effects and sampling variances with --yi and --vi, or give the "
            "columns study, n and r"
        )
    else:
        seen, mend = "", "leave --yi and --vi out, or take --yi r --vi v_r, for a coded review"
    what = f"has no columns {asked.yi} and {asked.vi} in its first row{seen[:200]}"
    return file_problem(source.path, "missing-column", what, mend)


def _chosen(frame: pd.DataFrame, where: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Rows that have one of the values asked for in every column that is named, and no other's."""
    wanted: dict[str, list[str]] = {}
    for name, value in where:
        wanted.setdefault(name, []).append(value)
    for key, values in wanted.items():
        name = key.removesuffix("!").rstrip()
        require_columns(frame, [name], "--where")
        found = np.zeros(len(frame), dtype=bool)
        for value in values:
            same = _equal(frame[name], value)
            if not same.any():
                raise SpecificationError(
                    f"--where: no row has {name}={value}; it has {counted(frame[name])}"
                )
            found |= same
        frame = retyped(frame.loc[~found if key.endswith("!") else found])
    if not len(frame):
        raise SpecificationError("--where leaves no row")
    return frame


def _equal(column: pd.Series, value: str) -> np.ndarray:
    number = parse_number(value)
    same = np.asarray(column.astype(object).eq(value), dtype=bool)
    if isinstance(number, float):
        same |= pd.to_numeric(column, errors="coerce").to_numpy(dtype=float) == number
    return same


def _columns(frame: pd.DataFrame, asked: Asked) -> tuple[str, ...]:
    columns = parse_formula(asked.mods).columns
    require_columns(frame, columns, f"mods={asked.mods!r}")
    return columns


def _complete(rows: Rows, mods: str) -> Rows:
    frame = complete_rows(rows.frame, mods)
    if not len(frame):
        raise SpecificationError(
            "every row lacks some moderator, so --complete leaves none; "
            "leave a moderator out of --mods"
        )
    return replace(rows, frame=retyped(frame), incomplete=len(rows.frame) - len(frame))
