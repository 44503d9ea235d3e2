"""One effect per cluster."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from metalliance.effectsize.columns import (
    column,
    complete_codes,
    label_at,
    numbers,
    usable_frame,
)
from metalliance.effectsize.covariance import Rho, SamplingCovariance, first_indefinite, place
from metalliance.effectsize.dependence import default_cluster, sampling_covariance
from metalliance.effectsize.table import EffectTable
from metalliance.errors import MetallianceWarning, SpecificationError
from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray, Stack, stack_rows

__all__ = ["aggregate_blocks", "aggregate_effects"]


def aggregate_blocks(
    yi: FloatArray, V: BlockDiagonal, *, weighted: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Mean and sampling variance of the effects of each block of V.

    Parameters
    ----------
    yi : (k,) float
    V : BlockDiagonal
        J blocks.
    weighted : bool
        Generalised least squares, v = 1/(1'V⁻¹1) and y = v 1'V⁻¹y; else the plain mean, with
        v = 1'V1/n².

    Returns
    -------
    (J,) mean, (J,) variance
        In the order of ``V.labels()``.
    """
    means, variances = [], []
    for stack in V.stacks:
        n = stack.rows.shape[1]
        if weighted:
            ones = np.ones((*stack.rows.shape, 1))
            w = np.linalg.solve(stack.values, ones)[:, :, 0]
            total = w.sum(axis=1)
            means.append((w * yi[stack.rows]).sum(axis=1) / total)
            variances.append(1 / total)
        else:
            means.append(yi[stack.rows].mean(axis=1))
            variances.append(stack.values.sum(axis=(1, 2)) / n**2)
    return np.concatenate(means), np.concatenate(variances)


def aggregate_effects(
    effects: EffectTable | pd.DataFrame,
    cluster: str | None = None,
    *,
    rho: Rho = 0.6,
    V: Any = None,
    weighted: bool = True,
    yi: str = "yi",
    vi: str = "vi",
    keep: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Combine the effects of each cluster into one.

    Parameters
    ----------
    effects : EffectTable or DataFrame
        k rows.
    cluster : str, optional
        Column whose rows become one; by default ``sample``, else ``study``.
    rho : float or {(component, component): float}
        Assumed sampling correlation within clusters, as in ``sampling_covariance``.
    V : SamplingCovariance or (k, k) array, optional
        Sampling covariance of the rows, in place of ``rho``.
    weighted : bool
        By generalised least squares within the cluster, or the plain mean.
    yi, vi : str
        Columns of effects and sampling variances.
    keep : sequence of str, optional
        Other columns to carry along; all by default. ``()`` keeps none.

    Returns
    -------
    DataFrame
        One row per cluster in order of first appearance: the cluster, ``k_effects``, ``yi``,
        ``vi``, then the columns that were kept. Missing values apart, a column that is constant
        within every cluster keeps its value, numbers that vary become their mean. Of an
        EffectTable, ``r`` and ``v_r`` follow from the combined effect (NaN for ``beta``), and
        ``effect`` is left out.

    Raises
    ------
    SpecificationError
        Where V correlates effects of different clusters, a value is missing, or effects in
        different metrics (``es_metric``) stand in one cluster.

    Warns
    -----
    MetallianceWarning
        Names the columns of text that vary within a cluster; they are left out.

    References
    ----------
    Olkin, I., & Gleser, L. J. (2009). Stochastically dependent effect sizes. In H. Cooper,
    L. V. Hedges, & J. C. Valentine (Eds.), The handbook of research synthesis and
    meta-analysis (2nd ed., pp. 357–376).

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"study": ["a", "a", "b"], "yi": [.1, .3, .2], "vi": [.04, .04, .02]})
    >>> aggregate_effects(frame, "study", rho=.5).round(3).values.tolist()
    [['a', 2, 0.2, 0.03], ['b', 1, 0.2, 0.02]]
    """
    frame = usable_frame(effects)
    if not len(frame):
        raise SpecificationError("there are no effects to combine")
    name = cluster or default_cluster(frame)
    labels = complete_codes(frame, name, "cluster")
    _refuse_mixed_metrics(frame, name, labels)
    sampling = _covariance(frame, name, labels, rho, V, vi)
    mean, variance = aggregate_blocks(numbers(frame, yi, "yi"), sampling, weighted=weighted)
    first = np.unique(labels, return_index=True)[1]
    number = sampling.labels()[first]
    combined = pd.DataFrame(
        {
            name: frame[name].iloc[first].to_numpy(),
            "k_effects": np.bincount(labels),
            yi: mean[number],
            vi: variance[number],
        }
    )
    wanted = list(frame.columns) if keep is None else list(keep)
    parts = [combined]
    if isinstance(effects, EffectTable):
        on_r = _on_r(frame["es_metric"].iloc[first], mean[number], variance[number])
        parts.append(on_r[[c for c in on_r.columns if c in wanted]])
        of_rows = {*on_r.columns, "effect"} if keep is None else set(on_r.columns)
        wanted = [c for c in wanted if c not in of_rows]
    parts.append(_carried(frame, name, labels, [c for c in wanted if c not in combined.columns]))
    return pd.concat(parts, axis=1)


def _covariance(
    frame: pd.DataFrame, cluster: str, labels: IntArray, rho: Rho, V: Any, vi: str
) -> BlockDiagonal:
    """V in blocks that are the clusters."""
    if V is None:
        return sampling_covariance(frame, cluster, rho, vi=vi).blocks
    given = V.blocks if isinstance(V, SamplingCovariance) else _one_block(V, len(frame))
    if given.size != len(frame):
        raise SpecificationError(
            f"V has {given.size} rows but there are {len(frame)} effects; compute V from the same "
            "rows"
        )
    if vi in frame.columns and not np.allclose(given.diagonal(), numbers(frame, vi, "vi"), 1e-6, 0):
        raise SpecificationError(
            f"the diagonal of V is not {vi}; V may belong to other rows or another order of rows"
        )
    blocks = _by_cluster(frame, cluster, labels, given)
    for stack in blocks.stacks:
        if (bad := first_indefinite(stack.values)) is not None:
            label = label_at(frame, cluster, int(stack.rows[bad, 0]))
            raise SpecificationError(f"V of {cluster} {label} is not positive definite")
    return blocks


def _one_block(V: Any, k: int) -> BlockDiagonal:
    dense = np.asarray(V.toarray() if hasattr(V, "toarray") else V, dtype=np.float64)
    if dense.shape != (k, k) or not np.allclose(dense, dense.T, rtol=1e-10, atol=0):
        raise SpecificationError(f"V must be a symmetric {k} x {k} matrix of numbers")
    return BlockDiagonal(size=k, stacks=(Stack(rows=np.arange(k)[None], values=dense[None]),))


def _by_cluster(
    frame: pd.DataFrame, cluster: str, labels: IntArray, V: BlockDiagonal
) -> BlockDiagonal:
    """The same matrix in the blocks of ``labels``, refused where it crosses them."""
    entries = V.to_sparse().tocoo()
    i, j, values = entries.row, entries.col, entries.data
    crossing = np.flatnonzero((labels[i] != labels[j]) & (values != 0))
    if crossing.size:
        one, other = (label_at(frame, cluster, int(at[crossing[0]])) for at in (i, j))
        raise SpecificationError(
            f"V correlates effects of {cluster} {one} and {other}, so that their combined "
            "effects would not be independent; aggregate by a column that holds both"
        )
    within = labels[i] == labels[j]
    stacks = []
    for rows in stack_rows(labels):
        blocks = np.zeros((*rows.shape, rows.shape[1]))
        place(blocks, rows, i[within], j[within], values[within])
        stacks.append(Stack(rows=rows, values=blocks))
    return BlockDiagonal(size=V.size, stacks=tuple(stacks))


def _on_r(metric: pd.Series, mean: FloatArray, variance: FloatArray) -> pd.DataFrame:
    """The combined effects as correlations, NaN where they are none."""
    r = np.where(metric.to_numpy() == "z", np.tanh(mean), np.nan)
    return pd.DataFrame({"r": r, "v_r": variance * (1 - r**2) ** 2})


def _carried(
    frame: pd.DataFrame, cluster: str, labels: IntArray, names: Sequence[str]
) -> pd.DataFrame:
    """Columns that describe clusters; text that does not is left out and said."""
    kept: dict[str, pd.Series] = {}
    left_out = []
    for name in names:
        values = column(frame, name, "keep").reset_index(drop=True).groupby(labels)
        constant = values.nunique() <= 1
        if constant.all():
            kept[name] = values.first()
        elif pd.api.types.is_numeric_dtype(frame[name]):
            kept[name] = values.first().astype(float).where(constant, values.mean())
        else:
            where = label_at(frame, cluster, int(np.argmax(labels == np.argmin(constant))))
            left_out.append(f"{name} (as in {cluster} {where})")
    if left_out:
        warnings.warn(
            f"left out, as they vary within {cluster}: {', '.join(left_out)}",
            MetallianceWarning,
            stacklevel=3,
        )
    return pd.DataFrame(kept, index=range(int(labels.max()) + 1))


def _refuse_mixed_metrics(frame: pd.DataFrame, cluster: str, labels: IntArray) -> None:
    if "es_metric" not in frame.columns:
        return
    several = frame["es_metric"].reset_index(drop=True).groupby(labels).nunique() > 1
    if several.any():
        label = label_at(frame, cluster, int(np.argmax(labels == np.argmax(several))))
        raise SpecificationError(
            f"{cluster} {label} has effects in different metrics (es_metric); aggregate each apart"
        )
