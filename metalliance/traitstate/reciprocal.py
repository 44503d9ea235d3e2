"""``reciprocal``: alliance before outcome and outcome before alliance, pooled jointly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from metalliance.effectsize.columns import row_list
from metalliance.effectsize.paths import REVERSE
from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError
from metalliance.traitstate.joint import Joint
from metalliance.traitstate.paired import pool_all_and_paired
from metalliance.traitstate.rows import with_part, working_rows

__all__ = ["Reciprocal", "reciprocal"]

PARTS = ("reverse", "forward")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reciprocal:
    """Lagged partial coefficients of both directions, pooled jointly.

    Attributes
    ----------
    joint : Joint
        All studies that have either direction.
    paired : Joint or None
        Only samples that have both; None where fewer than two have.
    """

    joint: Joint
    paired: Joint | None

    @property
    def table(self) -> pd.DataFrame:
        """Tidy rows reverse, forward and difference (forward − reverse), as coefficients."""
        return self.joint.table


def reciprocal(
    effects: EffectTable | pd.DataFrame,
    structure: str | None = None,
    rho: float | None = None,
    *,
    mods: Sequence[str] = (),
    sampling_rho: float = 0.6,
    method: str = "REML",
    level: float = 0.95,
) -> Reciprocal:
    """Pool lagged partial within-patient coefficients of both directions jointly.

    Forward: the alliance before, net of the outcome before, predicts outcome. Reverse: the
    outcome before, net of the alliance before, predicts alliance. Coefficients are standardised
    by within-patient standard deviations and pooled as they are (β, v = SE²).

    Parameters
    ----------
    effects : EffectTable or DataFrame
        Rows of component ``within`` and estimand ``lagged_partial`` are used.
    structure, rho
        Of the true coefficients, as in `trait_state`.
    mods : sequence of str
        Numeric columns, one slope per direction each.
    sampling_rho : float
        Assumed sampling correlation of two coefficients of one sample and direction; of the two
        directions it is 0.
    method : {'REML', 'ML'}
    level : float

    Returns
    -------
    Reciprocal

    Raises
    ------
    SpecificationError
        Where a direction is absent or rests on one study.
    """
    frame = working_rows(effects)
    lagged = frame["component"].eq("within") & frame["estimand"].eq("lagged_partial")
    other = lagged & frame["es_metric"].ne("beta")
    if other.any():
        raise SpecificationError(
            f"lagged partial effects are pooled as coefficients; es_metric is another in "
            f"{row_list(frame, other)}"
        )
    rows = with_part(
        frame,
        {
            "reverse": lagged & frame["path"].eq(REVERSE),
            "forward": lagged & frame["path"].ne(REVERSE),
        },
    )
    joint, paired = pool_all_and_paired(
        effects,
        rows,
        PARTS,
        sampling_rho=sampling_rho,
        mods=mods,
        structure=structure,
        rho=rho,
        method=method,
        level=level,
    )
    return Reciprocal(joint=joint, paired=paired)
