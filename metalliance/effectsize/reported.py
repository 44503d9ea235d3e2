"""Reported correlations between effects, matched to the rows they are about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.effectsize.columns import column, complete_codes, label_at, numbers, row_list
from metalliance.effectsize.covariance import place
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray, IntArray

__all__ = ["ReportedPairs", "reported_pairs"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportedPairs:
    """Pairs of rows of one cluster with the correlation reported for them.

    Attributes
    ----------
    i, j : (p,) int
        Row numbers, i < j, every pair once.
    r : (p,) float
    unmatched : int
        Reported correlations that name an effect which is not among the rows.
    identifier : str
        Column of the effects that the table refers to.
    """

    i: IntArray
    j: IntArray
    r: FloatArray
    unmatched: int
    identifier: str

    def fill(self, correlation: FloatArray, rows: IntArray) -> None:
        """Write the reported correlations into the blocks (B, n, n) of ``rows`` (B, n)."""
        place(correlation, rows, self.i, self.j, self.r)
        place(correlation, rows, self.j, self.i, self.r)

    def said_of(self, frame: pd.DataFrame, rows: IntArray) -> str:
        """``E1–E2 0.9, …`` of the rows (n,) of a cluster, empty where none is reported."""
        inside = np.flatnonzero(np.isin(self.i, rows))
        return ", ".join(
            f"{label_at(frame, self.identifier, int(self.i[p]))}–"
            f"{label_at(frame, self.identifier, int(self.j[p]))} {self.r[p]:g}"
            for p in inside
        )


def reported_pairs(
    table: pd.DataFrame, frame: pd.DataFrame, cluster: str, identifier: str
) -> ReportedPairs:
    """Match a table of reported correlations to the rows of ``frame``.

    Parameters
    ----------
    table : DataFrame
        ``id1``, ``id2``, ``r`` and a column named as ``cluster`` or, failing that, ``study``.
    frame : DataFrame
        The effects.
    cluster, identifier : str
        Columns of ``frame``: whose rows share patients, and what id1 and id2 refer to.

    Raises
    ------
    SpecificationError
        Where a value is missing or no correlation, an effect is paired with itself, a pair has
        two values, ids are not unique, or the two effects stand in different clusters.
    """
    by = cluster if cluster in table.columns else "study"
    r = numbers(table, "r", "correlations=")
    if np.any(np.abs(r) >= 1):
        where = row_list(table, np.abs(r) >= 1)
        raise SpecificationError(f"correlations= has r outside -1 to 1 (exclusive) in {where}")
    keys = _keys(frame, by, identifier, "cluster", "effect id")
    if not keys.is_unique:
        study, effect = keys[keys.duplicated()][0]
        raise SpecificationError(
            f"{by} {study} has {identifier} {effect} more than once; correlations= needs ids "
            "that tell effects apart"
        )
    first, second = (
        keys.get_indexer(_keys(table, by, name, "correlations=", "correlations="))
        for name in ("id1", "id2")
    )
    _refuse_misplaced(table, frame, cluster, first, second)
    known = (first >= 0) & (second >= 0)
    i, j = np.minimum(first, second)[known], np.maximum(first, second)[known]
    pairs = pd.DataFrame({"i": i, "j": j, "r": r[known]}).drop_duplicates()
    if (twice := pairs.duplicated(["i", "j"], keep=False)).any():
        where = row_list(table, np.flatnonzero(known)[pairs.index[twice]])
        raise SpecificationError(f"correlations= gives one pair different values in {where}")
    return ReportedPairs(
        i=pairs["i"].to_numpy(np.intp),
        j=pairs["j"].to_numpy(np.intp),
        r=pairs["r"].to_numpy(np.float64),
        unmatched=int((~known).sum()),
        identifier=identifier,
    )


def _keys(frame: pd.DataFrame, by: str, identifier: str, role: str, id_role: str) -> pd.MultiIndex:
    for name, of in ((by, role), (identifier, id_role)):
        complete_codes(frame, name, of)
    return pd.MultiIndex.from_arrays(
        [column(frame, by, role).astype(str), column(frame, identifier, id_role).astype(str)]
    )


def _refuse_misplaced(
    table: pd.DataFrame, frame: pd.DataFrame, cluster: str, first: IntArray, second: IntArray
) -> None:
    ids = [table[name].astype(str).to_numpy() for name in ("id1", "id2")]
    if np.any(itself := ids[0] == ids[1]):
        raise SpecificationError(
            f"correlations= pairs an effect with itself in {row_list(table, itself)}"
        )
    labels = complete_codes(frame, cluster, "cluster")
    apart = (first >= 0) & (second >= 0) & (labels[first] != labels[second])
    if np.any(apart):
        raise SpecificationError(
            f"correlations= pairs effects of different {cluster} in {row_list(table, apart)}; "
            "cluster by a column that holds both"
        )
