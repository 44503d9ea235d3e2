"""``sophistication``: every question about methodological quality that one pool can answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.traitstate.scores import NotReported
from metalliance.traitstate.slopes import COUNTS, NUMBERS, Working, require_one_pool
from metalliance.traitstate.sophistication import (
    INDEX,
    SophisticationResult,
    sophistication_regression,
    split_index,
)
from metalliance.traitstate.sophistication_checks import (
    index_slope_rows,
    leave_item_out,
    rival_slopes,
    spline_test,
)
from metalliance.traitstate.sophistication_items import item_slopes, joint_slopes, status_of

__all__ = ["INDEX_COLUMNS", "SophisticationAnalysis", "sophistication"]

INDEX_COLUMNS = ("not_reported", "part", "status", *COUNTS, *NUMBERS, "imprecise", "withheld")
BOTH: tuple[NotReported, ...] = ("zero", "missing")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SophisticationAnalysis:
    """What one pool says about methodological sophistication.

    In every table ``not_reported`` says whether an item that was not reported has 0 points (zero)
    or leaves the index (missing); ``imprecise`` marks fewer than 4 degrees of freedom, where no
    p-value is given; ``withheld`` says why there is no estimate, and is empty where there is one.
    Slopes are on the scale of the model.

    Attributes
    ----------
    pool : str
        Key of the pool.
    regressions : tuple of SophisticationResult
        The two regressions on the index, with their lines.
    index : DataFrame
        Slopes per .1 of the index, between and within studies.
    items : DataFrame
        Slopes per point of each item alone, with Holm's and Benjamini and Hochberg's p-values.
    joint : DataFrame
        Several items or domains together, and the test of all (``term`` all).
    leave_one_out : DataFrame
        Slopes of the index without each item.
    spline : DataFrame
        Test of a bend in the relation with the index.
    spline_line : DataFrame
        The bent curve.
    rivals : DataFrame
        Slope of the index beside year of publication and size.
    """

    pool: str
    regressions: tuple[SophisticationResult, ...]
    index: pd.DataFrame
    items: pd.DataFrame
    joint: pd.DataFrame
    leave_one_out: pd.DataFrame
    spline: pd.DataFrame
    spline_line: pd.DataFrame
    rivals: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """The slopes of the index."""
        return self.index

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name."""
        names = ("index", "items", "joint", "leave_one_out", "spline", "spline_line", "rivals")
        return {name: getattr(self, name) for name in names}


def sophistication(
    effects: EffectTable,
    *,
    pool: str = "",
    planned: Collection[str] = (),
    rho: float = 0.6,
    method: str = "REML",
    level: float = 0.95,
) -> SophisticationAnalysis:
    """Ask whether the effects of one pool change with methodological sophistication.

    Parameters
    ----------
    effects : EffectTable
        Effects of one component × estimand, with the columns that a workbook's items give:
        ``sophistication``, ``sophistication_nr_missing``, ``A1`` … ``E3`` and ``<item>_code``.
    pool : str
        Key carried into the result.
    planned : collection of str
        ``sophistication``, items and domains (``sophistication_temporal``) that were named before
        looking. Everything else is exploratory.
    rho, method, level
        As in `pool_effects`.

    Returns
    -------
    SophisticationAnalysis

    Raises
    ------
    SpecificationError
        Where the effects belong to several pools: the slope would measure their difference.

    Examples
    --------
    >>> import numpy as np
    >>> from metalliance.effectsize.table import CORE_COLUMNS
    >>> k = 12
    >>> frame = pd.DataFrame({name: ["x"] * k for name in CORE_COLUMNS})
    >>> frame["study"] = frame["sample"] = [f"S{i}" for i in range(k)]
    >>> frame = frame.assign(yi=np.linspace(0.1, 0.4, k), vi=0.02, ni=53.0, es_metric="z")
    >>> frame["sophistication"] = np.linspace(0, 0.55, k)
    >>> found = sophistication(EffectTable.build(frame, moderators=["sophistication"]))
    >>> row = found.index.iloc[0]
    >>> row["part"], round(float(row["estimate"]), 4)
    ('between', 0.0545)
    """
    require_one_pool(effects)
    how = Working(rho=rho, method=method, level=level)
    regressions, index, joint, left, bends, lines, rivals = ([] for _ in range(7))
    for not_reported in BOTH:
        straight = sophistication_regression(
            effects, pool=pool, not_reported=not_reported, rho=rho, method=method, level=level
        )
        regressions.append(straight)
        near = straight.inference
        whole = split_index(effects, INDEX[not_reported])
        rows = pd.DataFrame(index_slope_rows(whole, how, near or ""))
        rows = rows.assign(not_reported=not_reported, status=status_of([INDEX["zero"]], planned))
        index.append(rows)
        joint.append(joint_slopes(effects, not_reported=not_reported, planned=planned, how=how))
        left.append(leave_item_out(effects, not_reported=not_reported, how=how, near=near))
        bend, line = spline_test(effects, not_reported=not_reported, how=how, near=near)
        bends.append(bend)
        lines.append(line)
        rivals.append(rival_slopes(effects, not_reported=not_reported, how=how, near=near))
    return SophisticationAnalysis(
        pool=pool,
        regressions=tuple(regressions),
        index=pd.concat(index, ignore_index=True)[list(INDEX_COLUMNS)],
        items=item_slopes(effects, planned=planned, how=how),
        joint=pd.concat(joint, ignore_index=True),
        leave_one_out=pd.concat(left, ignore_index=True),
        spline=pd.concat(bends, ignore_index=True),
        spline_line=pd.concat(lines, ignore_index=True),
        rivals=pd.concat(rivals, ignore_index=True),
    )
