"""Rows that lack a moderator: counting them, refusing them, leaving them out when asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metalliance.effectsize.columns import usable_frame
from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError
from metalliance.models.formula import parse_formula
from metalliance.models.rows import describe_rows, require_columns

__all__ = ["complete_rows", "missing_moderators", "refuse_missing"]

Effects = TypeVar("Effects", EffectTable, pd.DataFrame)


def missing_moderators(effects: EffectTable | pd.DataFrame, mods: str) -> pd.DataFrame:
    """What each moderator of a formula would cost if incomplete rows were left out.

    Parameters
    ----------
    effects : EffectTable or DataFrame
        One row per effect.
    mods : str
        Formula as for ``fit``.

    Returns
    -------
    DataFrame
        One row per moderator, in the order of the formula: moderator; k_missing, the rows that
        lack it; percent of all rows; studies_missing, the studies with such a row (NaN without
        a column ``study``); only_this, the rows that lack nothing else.

    Examples
    --------
    >>> frame = pd.DataFrame({"study": list("aab"), "x": [1, None, None], "z": [1, 2, None]})
    >>> missing_moderators(frame, "~ x + z")[["moderator", "k_missing", "only_this"]]
      moderator  k_missing  only_this
    0         x          2          1
    1         z          1          0
    """
    frame = usable_frame(effects)
    columns, lacking = _lacking(frame, mods)
    per_row = lacking.sum(axis=1)
    studies = frame["study"] if "study" in frame.columns else None
    return pd.DataFrame(
        {
            "moderator": list(columns),
            "k_missing": lacking.sum(axis=0).astype(np.int64),
            "percent": 100 * lacking.sum(axis=0) / max(len(frame), 1),
            "studies_missing": [
                float("nan") if studies is None else float(studies[lacking[:, j]].nunique())
                for j in range(len(columns))
            ],
            "only_this": (lacking & (per_row == 1)[:, None]).sum(axis=0).astype(np.int64),
        }
    )


def complete_rows(effects: Effects, mods: str) -> Effects:
    """The rows that have every moderator of a formula.

    Parameters
    ----------
    effects : EffectTable or DataFrame
    mods : str
        Formula as for ``fit``.

    Returns
    -------
    EffectTable or DataFrame
        Of the same kind; a DataFrame keeps its index. Compute a sampling covariance ``V`` from
        these rows.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1.0, None, 3.0], "unused": [None, 1.0, 2.0]})
    >>> complete_rows(frame, "~ x").index.tolist()
    [0, 2]
    """
    _, lacking = _lacking(usable_frame(effects), mods)
    keep = ~lacking.any(axis=1)
    if isinstance(effects, EffectTable):
        return effects.where(keep)
    return effects.loc[keep]


def refuse_missing(frame: pd.DataFrame, columns: Sequence[str], used_in: str, fitted: bool) -> None:
    """Raise if a moderator is missing, with one account of all of them.

    Parameters
    ----------
    frame : DataFrame
    columns : sequence of str
        Columns that exist.
    used_in : str
        How the message begins.
    fitted : bool
        Whether these are new rows for a model that has been fitted.
    """
    lacking = _missing_in(frame, columns)
    if not lacking.any():
        return
    accounts = [
        f"{name!r} is missing in {describe_rows(frame, lacking[:, j])}"
        f"{_extent(frame, lacking[:, j])}"
        for j, name in enumerate(columns)
        if lacking[:, j].any()
    ]
    together = int(lacking.any(axis=1).sum())
    advice = (
        "supply the values or leave these rows out"
        if fitted
        else "supply the values, leave the moderator out of the formula, or leave the rows out by "
        "fitting ma.complete_rows(effects, mods); ma.missing_moderators(effects, mods) counts them"
    )
    raise SpecificationError(
        f"{used_in}: {'; '.join(accounts)}. In all, {together} of {len(frame)} rows lack a "
        f"moderator, and none is left out unasked: {advice}"
    )


def _extent(frame: pd.DataFrame, mask: NDArray[np.bool_]) -> str:
    rows = int(mask.sum())
    text = f"{rows} {'row' if rows == 1 else 'rows'}"
    if "study" in frame.columns:
        studies = int(frame["study"][mask].nunique())
        text += f" of {studies} {'study' if studies == 1 else 'studies'}"
    return f" – {text}"


def _lacking(frame: pd.DataFrame, mods: str) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    parsed = parse_formula(mods)
    require_columns(frame, parsed.columns, f"mods={parsed.text!r}")
    return parsed.columns, _missing_in(frame, parsed.columns)


def _missing_in(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.bool_]:
    """(k, m) whether each row lacks each moderator."""
    lacking = np.zeros((len(frame), len(columns)), dtype=bool)
    for j, name in enumerate(columns):
        lacking[:, j] = frame[name].isna().to_numpy()
    return lacking
