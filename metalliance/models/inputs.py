"""Checking what ``fit`` is given: effects, variances, and the sampling covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError
from metalliance.models.rows import describe_rows, numeric_column
from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray, stack_rows
from metalliance.numerics.blocks import Stack as _Stack

__all__ = ["Inputs", "is_diagonal", "read_inputs"]

_MISMATCH = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """Rows, effects and sampling covariance, checked.

    Attributes
    ----------
    frame : DataFrame
        A copy of the rows.
    yi : (k,) float
    sampling : BlockDiagonal
    clusters : (k,) int or None
        Connected components of study and sample, where the rows came as an EffectTable.
    cluster_name : str
        How messages call them.
    """

    frame: pd.DataFrame
    yi: FloatArray
    sampling: BlockDiagonal
    clusters: IntArray | None
    cluster_name: str = ""


def read_inputs(effects: EffectTable | pd.DataFrame, V: Any, yi: str, vi: str) -> Inputs:
    """Take the rows apart; refuse missing or impossible numbers by name and row."""
    if isinstance(effects, EffectTable):
        _check_one_scale(effects)
        frame, clusters = effects.to_frame(), effects.clusters()
    elif isinstance(effects, pd.DataFrame):
        frame, clusters = _kept(effects), None
    else:
        raise SpecificationError(
            f"effects must be an EffectTable or a DataFrame, not {type(effects).__name__}"
        )
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise SpecificationError(f"columns occur twice: {', '.join(map(str, twice))}")
    if not len(frame):
        raise SpecificationError("there are no effects to fit")
    y = numeric_column(frame, yi, "yi=")
    sampling = _sampling_covariance(frame, V, vi)
    return Inputs(
        frame=frame,
        yi=y,
        sampling=sampling,
        clusters=clusters,
        cluster_name="" if clusters is None else "study or sample",
    )


def _check_one_scale(effects: EffectTable) -> None:
    scales = sorted(effects.usable["es_metric"].dropna().astype(str).unique())
    if len(scales) > 1:
        raise SpecificationError(
            f"the effects have different scales (es_metric {', '.join(scales)}), which have no "
            "common mean; fit one at a time, e.g. effects.where(effects.usable['es_metric'] == "
            f"'{scales[-1]}')"
        )


def _kept(effects: pd.DataFrame) -> pd.DataFrame:
    """The rows as they are now, whatever happens to the user's table later.

    ``deep=None`` copies when one of the two is changed, where pandas can (3.0), else at once.
    """
    return effects.copy(deep=None)


def is_diagonal(V: BlockDiagonal) -> bool:
    """Whether no two effects are correlated."""
    return not any(
        np.any(stack.values[:, ~np.eye(stack.rows.shape[1], dtype=bool)]) for stack in V.stacks
    )


def _sampling_covariance(frame: pd.DataFrame, V: Any, vi: str) -> BlockDiagonal:
    k = len(frame)
    if V is None:
        v = numeric_column(frame, vi, "vi=")
        _check_positive(frame, v, vi)
        return BlockDiagonal.of_singles(v)
    if isinstance(getattr(V, "blocks", None), BlockDiagonal):
        blocks: BlockDiagonal = V.blocks
    elif isinstance(V, BlockDiagonal):
        blocks = V
    else:
        blocks = _blocks_of(_dense(V, k), frame)
    if blocks.size != k:
        raise SpecificationError(
            f"V has {blocks.size} rows but there are {k} effects; compute V from the same rows"
        )
    _check_positive(frame, blocks.diagonal(), "the diagonal of V")
    if vi in frame.columns:
        v = numeric_column(frame, vi, "vi=")
        differs = np.abs(blocks.diagonal() - v) > _MISMATCH * v
        if differs.any():
            raise SpecificationError(
                f"the diagonal of V is not {vi} in {describe_rows(frame, differs)}; V may belong "
                "to other rows or another order of rows"
            )
    _check_definite(frame, blocks)
    return blocks


def _dense(V: Any, k: int) -> FloatArray:
    array = V.toarray() if hasattr(V, "toarray") else V
    try:
        dense = np.array(array, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecificationError("V must be a square array of numbers") from None
    if dense.shape == (k,):
        dense = np.diag(dense)
    if dense.shape != (k, k):
        raise SpecificationError(
            f"V has shape {dense.shape} but there are {k} effects; it must be ({k}, {k})"
        )
    return dense


def _blocks_of(dense: FloatArray, frame: pd.DataFrame) -> BlockDiagonal:
    """Blocks found as connected components of the entries that are not zero."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    missing = ~np.isfinite(dense).all(axis=1)
    if missing.any():
        raise SpecificationError(f"V is missing or infinite in {describe_rows(frame, missing)}")
    scale = np.abs(dense).max(initial=0.0)
    if np.abs(dense - dense.T).max(initial=0.0) > 1e-10 * scale:
        raise SpecificationError("V is not symmetric")
    labels = connected_components(csr_array(dense != 0), directed=False)[1].astype(np.intp)
    return BlockDiagonal(
        size=len(dense),
        stacks=tuple(
            _Stack(rows=rows, values=dense[rows[:, :, None], rows[:, None, :]])
            for rows in stack_rows(labels)
        ),
    )


def _check_positive(frame: pd.DataFrame, v: FloatArray, name: str) -> None:
    faulty = ~(v > 0)
    if faulty.any():
        raise SpecificationError(
            f"{name} must be above zero; it is not in {describe_rows(frame, faulty)}"
        )


def _check_definite(frame: pd.DataFrame, blocks: BlockDiagonal) -> None:
    for stack in blocks.stacks:
        scale = np.sqrt(np.diagonal(stack.values, axis1=1, axis2=2))
        correlation = stack.values / (scale[:, :, None] * scale[:, None, :])
        lowest = np.linalg.eigvalsh(correlation)[:, 0]
        if lowest.min() < 1e-10:
            rows = stack.rows[int(np.argmin(lowest))]
            mask = np.zeros(blocks.size, dtype=bool)
            mask[rows] = True
            raise SpecificationError(
                f"V is not positive definite for {describe_rows(frame, mask)}; "
                "lower the correlation between these effects"
            )
