"""Sampling covariances of effects that share patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metalliance.effectsize.assumed import RHO_BY_COMPONENT
from metalliance.effectsize.columns import (
    complete_codes,
    label_at,
    numbers,
    row_list,
    usable_frame,
)
from metalliance.effectsize.covariance import Rho, SamplingCovariance, first_indefinite
from metalliance.effectsize.given import given_correlations
from metalliance.effectsize.reported import ReportedPairs, reported_pairs
from metalliance.effectsize.table import EffectTable
from metalliance.effectsize.working import (
    measured_effects,
    read_assumption,
    refuse_missing_pair,
)
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray, Stack, stack_rows

__all__ = ["RHO_BY_COMPONENT", "SamplingCovariance", "default_cluster", "sampling_covariance"]


def sampling_covariance(
    effects: EffectTable | pd.DataFrame,
    cluster: str | None = None,
    rho: Rho = 0.6,
    component: str | None = None,
    rvars: Sequence[str] | None = None,
    obs: str | None = None,
    vi: str | float = "vi",
    *,
    path: str | None = None,
    time: str | None = None,
    phi: float | None = None,
    correlations: pd.DataFrame | None = None,
) -> SamplingCovariance:
    r"""Sampling covariance of effects of the same patients.

    V_ij = R_ij √(v_i v_j) within a cluster and 0 between clusters. R_ij is the correlation
    reported in ``correlations`` where it names the pair, else

    R_ij = ρ_ij φ^|t_i − t_j|,

    where ρ_ij is 1 for the same ``obs`` at two times, else ``rho`` for the two paths where these
    differ, else ``rho`` for the two components; without ``time`` the second factor is 1.

    Parameters
    ----------
    effects : EffectTable or DataFrame
        k rows.
    cluster : str, optional
        Column whose rows share patients; by default ``sample``, else ``study``.
    rho : float or {(component, component): float}
        One correlation for all pairs, or one for each unordered pair of components (as
        ``RHO_BY_COMPONENT``). A pair that occurs and is not listed is refused.
    component : str, optional
        Column that names the components, ``component`` by default; used when ``rho`` is a
        mapping.
    rvars : sequence of str, optional
        Columns that hold the correlations of the rows of a cluster: row a, column b ≤ a is the
        correlation of the a-th with the b-th row. Replaces every other source of R.
    obs : str, optional
        Column that tells the effects of a cluster apart (of one component, where ``rho`` is a
        mapping; at one time, where ``time`` is given); two rows with the same value would make
        V singular and are refused.
    vi : str or float
        Column of sampling variances, or one value; 1 makes ``rvars`` covariances.
    path : str, optional
        Column that names the direction of each effect. Two effects of different direction take
        ``rho`` of the two directions, such as ``("forward", "reverse")``.
    time : str, optional
        Column of numbers: when each effect was measured. Needs ``phi``.
    phi : float, optional
        Autocorrelation of effects one unit of time apart.
    correlations : DataFrame, optional
        Reported correlations between effects: ``cluster`` or ``study``, ``id1``, ``id2``, ``r``
        (other columns are not used). Ids refer to ``obs`` where given, else to the column
        ``effect``. By default those of an EffectTable.

    Returns
    -------
    SamplingCovariance

    Raises
    ------
    SpecificationError
        Where a column, a value or a pair is missing or contradictory, or a block is not
        positive definite (the message names the cluster). No matrix is ever bent.

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
    >>> later = frame.assign(week=[2, 5, 2])
    >>> float(sampling_covariance(later, rho=.5, time="week", phi=.8).to_array()[0, 1].round(6))
    0.00512
    """
    frame = usable_frame(effects)
    if correlations is None and rvars is None and obs is None and isinstance(effects, EffectTable):
        correlations = effects.correlations
    name = cluster or default_cluster(frame)
    groups = stack_rows(complete_codes(frame, name, "cluster"))
    scale = np.sqrt(_variances(frame, vi))
    if rvars is not None:
        _refuse_beside_rvars(path=path, time=time, phi=phi, correlations=correlations)
        if obs is not None:
            measured_effects(frame, name, obs)
        blocks = [given_correlations(frame, rows, rvars, name, vi) for rows in groups]
        return SamplingCovariance(
            blocks=_scaled(frame, groups, blocks, scale, name, None), rho=None, cluster=name
        )
    assumption = read_assumption(
        frame,
        name,
        rho,
        component=component or "component",
        path=path,
        obs=obs,
        time=time,
        phi=phi,
    )
    reported = None
    if correlations is not None:
        reported = reported_pairs(correlations, frame, name, obs or "effect")
    blocks = [assumption.correlations(rows, reported) for rows in groups]
    for rows, R in zip(groups, blocks, strict=True):
        refuse_missing_pair(frame, name, assumption, rows, R)
    pairs = sum(rows.size * (rows.shape[1] - 1) // 2 for rows in groups)
    known = 0 if reported is None else len(reported.r)
    return SamplingCovariance(
        blocks=_scaled(frame, groups, blocks, scale, name, reported),
        rho=rho,
        cluster=name,
        phi=phi,
        reported=known,
        assumed=pairs - known,
        unmatched=0 if reported is None else reported.unmatched,
    )


def default_cluster(frame: pd.DataFrame) -> str:
    """The column whose rows share patients where none is named."""
    return "sample" if "sample" in frame.columns else "study"


def _refuse_beside_rvars(**others: object) -> None:
    beside = [f"{name}=" for name, value in others.items() if value is not None]
    if beside:
        raise SpecificationError(f"rvars= gives every correlation; leave out {', '.join(beside)}")


def _variances(frame: pd.DataFrame, vi: str | float) -> FloatArray:
    variance = numbers(frame, vi, "vi") if isinstance(vi, str) else np.full(len(frame), float(vi))
    if not np.all(variance > 0):
        raise SpecificationError(
            f"sampling variances {vi!r} are not positive in {row_list(frame, ~(variance > 0))}"
        )
    return variance


def _scaled(
    frame: pd.DataFrame,
    groups: Sequence[IntArray],
    blocks: Sequence[FloatArray],
    scale: FloatArray,
    cluster: str,
    reported: ReportedPairs | None,
) -> BlockDiagonal:
    """V of the correlations ``blocks``, refused where one is not positive definite."""
    stacks = []
    for rows, correlation in zip(groups, blocks, strict=True):
        bad = first_indefinite(correlation)
        if bad is not None:
            said = reported.said_of(frame, rows[bad]) if reported is not None else ""
            raise SpecificationError(
                f"the sampling covariance of {cluster} "
                f"{label_at(frame, cluster, int(rows[bad, 0]))} ({rows.shape[1]} effects) is not "
                "positive definite; lower rho, or correct its correlations"
                + (f" (reported: {said})" if said else "")
            )
        values = correlation * (scale[rows][:, :, None] * scale[rows][:, None, :])
        stacks.append(Stack(rows=rows, values=values))
    return BlockDiagonal(size=len(frame), stacks=tuple(stacks))
