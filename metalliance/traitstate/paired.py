"""All studies in one joint model, and the samples that have both parts in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError
from metalliance.traitstate.joint import Joint, pool_jointly
from metalliance.traitstate.rows import reported_pairs

__all__ = ["pool_all_and_paired"]


def pool_all_and_paired(
    effects: EffectTable | pd.DataFrame,
    rows: pd.DataFrame,
    parts: tuple[str, str],
    *,
    sampling_rho: float,
    mods: Sequence[str] = (),
    **options: Any,
) -> tuple[Joint, Joint | None]:
    """All rows in one joint model, and the samples that have both parts in another.

    The second compares parts of the same patients, and is None with moderators or where fewer
    than two independent samples have both. Sampling errors of one part of a sample correlate
    ``sampling_rho`` where the reports of ``effects`` say nothing, those of two parts 0.
    ``options`` are those of `pool_jointly`.
    """
    options |= {
        "correlated": {**{(part, part): sampling_rho for part in parts}, parts: 0.0},
        "reported": reported_pairs(effects, rows),
    }
    for name in mods:
        if name not in rows:
            raise SpecificationError(f"the effects have no column {name!r}")
        if not pd.api.types.is_numeric_dtype(rows[name]):
            raise SpecificationError(f"moderator {name!r} is not numeric; code it as numbers first")
    joint = pool_jointly(rows, parts, mods=mods, **options)
    both = rows.groupby("sample")["part"].transform("nunique") == 2
    if mods or rows.loc[both, "cluster"].nunique() < 2:
        return joint, None
    return joint, pool_jointly(rows[both].reset_index(drop=True), parts, **options)
