"""Correlations given in columns, one per row of a cluster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metalliance.effectsize.columns import column, label_at, row_list
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray, IntArray

__all__ = ["given_correlations"]


_ROUNDING = 1e-8


def given_correlations(
    frame: pd.DataFrame, rows: IntArray, rvars: Sequence[str], cluster: str, vi: str | float
) -> FloatArray:
    """(B, n, n) what the columns ``rvars`` say about the rows (B, n) of B clusters.

    Row a, column b ≤ a is the correlation of the a-th with the b-th row of the cluster. What
    stands above the diagonal may be missing, and has to agree where it is not. Correlations have
    1 on the diagonal; anything else needs a number for ``vi``, which it multiplies.
    """
    n = rows.shape[1]
    if n > len(rvars):
        label = label_at(frame, cluster, int(rows[0, 0]))
        raise SpecificationError(
            f"{cluster} {label} has {n} rows but rvars names {len(rvars)} columns"
        )
    given = np.column_stack([_numbers_or_nan(frame, name) for name in rvars[:n]])[rows]
    lower = np.tril(given)
    if not np.isfinite(lower).all():
        b, i, j = np.argwhere(~np.isfinite(lower))[0]
        raise SpecificationError(
            f"column {rvars[j]!r} is missing in {row_list(frame, [int(rows[b, i])])}"
        )
    symmetric: FloatArray = lower + np.swapaxes(np.tril(given, -1), 1, 2)
    known = np.where(np.isnan(given), symmetric, given)
    agree = np.isclose(known, symmetric, rtol=_ROUNDING, atol=0).all(axis=(1, 2))
    _refuse(~agree, "not symmetric; correct them", frame, rows, cluster)
    if isinstance(vi, str):
        diagonal = np.diagonal(symmetric, axis1=1, axis2=2)
        unit = np.isclose(diagonal, 1, rtol=_ROUNDING, atol=0).all(axis=1)
        what = "not correlations (their diagonal is not 1); vi=1 takes them for covariances"
        _refuse(~unit, what, frame, rows, cluster)
    return symmetric


def _refuse(
    wrong: NDArray[np.bool_] | np.bool_,
    what: str,
    frame: pd.DataFrame,
    rows: IntArray,
    cluster: str,
) -> None:
    if wrong.any():
        label = label_at(frame, cluster, int(rows[np.argmax(wrong), 0]))
        raise SpecificationError(f"rvars of {cluster} {label} are {what}")


def _numbers_or_nan(frame: pd.DataFrame, name: str) -> FloatArray:
    given = column(frame, name, "rvars")
    return np.asarray(pd.to_numeric(given, errors="coerce"), dtype=np.float64)
