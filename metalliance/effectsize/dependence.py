"""Sampling covariances of effects that share patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable, codes
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import BlockDiagonal, FloatArray, Stack, stack_rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["RHO_BY_COMPONENT", "SamplingCovariance", "sampling_covariance"]

Rho = float | Mapping[tuple[str, str], float]

#: Sampling correlation of two effects of one sample by their components: within and between are
#: independent, within and total share part of the score, equal components most of it.
RHO_BY_COMPONENT: dict[tuple[str, str], float] = {
    ("total", "total"): 0.6,
    ("between_observed", "between_observed"): 0.6,
    ("between_latent", "between_latent"): 0.6,
    ("within", "within"): 0.6,
    ("between_change", "between_change"): 0.6,
    ("within", "between_observed"): 0.0,
    ("within", "between_latent"): 0.0,
    ("within", "total"): 0.3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingCovariance:
    """The sampling covariance matrix V of k effects, block diagonal by cluster.

    Attributes
    ----------
    blocks : BlockDiagonal
        V itself, size k.
    rho : float or mapping or None
        What was assumed about correlations; None where they were given.
    cluster : str
        Column whose rows share patients.
    """

    blocks: BlockDiagonal
    rho: Rho | None
    cluster: str = ""

    @property
    def description(self) -> str:
        """What was assumed, in words."""
        if self.rho is None:
            return f"given correlations within {self.cluster}"
        if isinstance(self.rho, Mapping):
            return f"rho by component pair within {self.cluster}"
        return f"rho = {self.rho:g} within {self.cluster}"

    def to_array(self) -> FloatArray:
        """Dense (k, k) matrix."""
        return self.blocks.to_array()

    def to_sparse(self) -> csr_array:
        """SciPy sparse (k, k) array."""
        return self.blocks.to_sparse()


def sampling_covariance(
    effects: EffectTable | pd.DataFrame,
    cluster: str | None = None,
    rho: Rho = 0.6,
    component: str | None = None,
    rvars: Sequence[str] | None = None,
    obs: str | None = None,
    vi: str | float = "vi",
) -> SamplingCovariance:
    r"""Sampling covariance of effects of the same patients.

    V_ij = ρ_ij √(v_i v_j) within a cluster and 0 between clusters.

    Parameters
    ----------
    effects : EffectTable or DataFrame
        k rows.
    cluster : str, optional
        Column whose rows share patients; by default ``sample``, else ``study``.
    rho : float or {(component, component): float}
        One correlation for all pairs, or one for each unordered pair of components.
    component : str, optional
        Column that names the components, ``component`` by default; used when ``rho`` is a
        mapping.
    rvars : sequence of str, optional
        Columns that hold the correlations of the rows of a cluster: row a, column b is the
        correlation of the a-th with the b-th row. Replaces ``rho``.
    obs : str, optional
        Column that tells the effects of a cluster apart; two rows with the same value would
        make V singular and are refused.
    vi : str or float
        Column of sampling variances, or one value; 1 makes ``rvars`` covariances.

    Returns
    -------
    SamplingCovariance

    Raises
    ------
    SpecificationError
        Where a column or a pair is missing, or a block is not positive definite (the message
        names the cluster).

    References
    ----------
    Pustejovsky, J. E., & Tipton, E. (2022). Prevention Science, 23, 425–438.
    https://doi.org/10.1007/s11121-021-01246-3

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"study": ["a", "a", "b"], "vi": [.04, .01, .02]})
    >>> sampling_covariance(frame, rho=.5).to_array().round(3).tolist()
    [[0.04, 0.01, 0.0], [0.01, 0.01, 0.0], [0.0, 0.0, 0.02]]
    """
    frame = effects.usable if isinstance(effects, EffectTable) else effects
    name = cluster or ("sample" if "sample" in frame.columns else "study")
    labels = codes(_column(frame, name, "cluster"))
    if np.any(labels < 0):
        where = ", ".join(str(i) for i in frame.index[labels < 0][:5])
        raise SpecificationError(f"column {name!r} is missing in row(s) {where}; name the cluster")
    variance = np.full(len(frame), float(vi)) if not isinstance(vi, str) else _numbers(frame, vi)
    if obs is not None:
        _refuse_repeated(frame, name, obs)
    groups = stack_rows(labels)
    if rvars is not None:
        correlations = [_given_correlations(frame, rows, rvars, name) for rows in groups]
    elif isinstance(rho, Mapping):
        kinds = _column(frame, component or "component", "component").astype(str).to_numpy()
        correlations = [_paired_correlations(kinds[rows], rho) for rows in groups]
    else:
        correlations = [_constant_correlations(rows.shape, float(rho)) for rows in groups]
    stacks = []
    for rows, correlation in zip(groups, correlations, strict=True):
        scale = np.sqrt(variance[rows])
        values = correlation * scale[:, :, None] * scale[:, None, :]
        _check_definite(values, frame, rows, name)
        stacks.append(Stack(rows=rows, values=values))
    blocks = BlockDiagonal(size=len(frame), stacks=tuple(stacks))
    assumed = None if rvars is not None else rho
    return SamplingCovariance(blocks=blocks, rho=assumed, cluster=name)


def _constant_correlations(shape: tuple[int, ...], rho: float) -> FloatArray:
    if not -1.0 <= rho <= 1.0:
        raise SpecificationError(f"rho = {rho:g} is no correlation; give a value from -1 to 1")
    b, n = shape
    correlation = np.full((b, n, n), rho)
    correlation[:, np.arange(n), np.arange(n)] = 1.0
    return correlation


def _paired_correlations(kinds: np.ndarray, rho: Mapping[tuple[str, str], float]) -> FloatArray:
    both_ways = {**{(b, a): value for (a, b), value in rho.items()}, **rho}
    b, n = kinds.shape
    correlation = np.ones((b, n, n))
    for i in range(n):
        for j in range(i):
            for block in range(b):
                pair = (str(kinds[block, i]), str(kinds[block, j]))
                if pair not in both_ways:
                    raise SpecificationError(
                        f"rho has no value for the pair {pair[0]!r} and {pair[1]!r}; add it"
                    )
                value = both_ways[pair]
                correlation[block, i, j] = correlation[block, j, i] = value
    return correlation


def _given_correlations(
    frame: pd.DataFrame, rows: np.ndarray, rvars: Sequence[str], cluster: str
) -> FloatArray:
    n = rows.shape[1]
    if n > len(rvars):
        label = frame[cluster].iloc[rows[0, 0]]
        raise SpecificationError(
            f"{cluster} {label} has {n} rows but rvars names {len(rvars)} columns"
        )
    table = np.column_stack([_numbers(frame, name) for name in rvars])
    given = table[rows][:, :, :n]
    lower = np.tril(given)
    symmetric: FloatArray = lower + np.swapaxes(np.tril(given, -1), 1, 2)
    return symmetric


def _check_definite(
    values: FloatArray, frame: pd.DataFrame, rows: np.ndarray, cluster: str
) -> None:
    smallest = np.linalg.eigvalsh(values)[:, 0]
    largest = np.diagonal(values, axis1=1, axis2=2).max(axis=1)
    bad = np.flatnonzero(~(smallest > 1e-12 * largest))
    if bad.size:
        label = frame[cluster].iloc[rows[bad[0], 0]]
        raise SpecificationError(
            f"the sampling covariance of {cluster} {label} ({rows.shape[1]} effects) is not "
            "positive definite; lower rho, or correct its correlations"
        )


def _refuse_repeated(frame: pd.DataFrame, cluster: str, obs: str) -> None:
    _column(frame, obs, "obs")
    repeated = frame.duplicated([cluster, obs])
    if repeated.any():
        row = frame[repeated].iloc[0]
        raise SpecificationError(
            f"{cluster} {row[cluster]} has {obs} {row[obs]} more than once, which would make "
            "its sampling covariance singular; give each effect its own value"
        )


def _column(frame: pd.DataFrame, name: str, role: str) -> pd.Series:
    if name not in frame.columns:
        raise SpecificationError(
            f"{role} column {name!r} is not in the data; it has: "
            + ", ".join(map(str, frame.columns))
        )
    return frame[name]


def _numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    values = _column(frame, name, "value").to_numpy(dtype=float, na_value=np.nan)
    if not np.all(np.isfinite(values)):
        rows = ", ".join(str(i) for i in frame.index[~np.isfinite(values)][:5])
        raise SpecificationError(f"column {name!r} is missing in row(s) {rows}")
    return np.asarray(values, dtype=np.float64)
