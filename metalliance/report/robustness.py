"""How far an estimate moves over the planned checks."""

from __future__ import annotations

import pandas as pd

from metalliance.plots.forest_rows import study_labels
from metalliance.report.labels import pool_title, symbol
from metalliance.report.numbers import correlation, count, range_of
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["checks", "robustness"]


#: Checks that say something else than how the estimate of these effects moves.
NOT_REFITS = ("standard error", "other rows")


def robustness(analysis: Analysis) -> str:
    """Range over all refits, for the total and the primary state pool."""
    keys = ("total", f"within.{analysis.plan.state}")
    sentences = []
    for pool in analysis.main:
        table = checks(analysis, pool)
        if pool.key not in keys or pool.fit is None or table.empty:
            continue
        mean = float(pool.predict_r["estimate"].iloc[0])
        far = table.loc[(table["estimate"] - mean).abs().idxmax()]
        spread = range_of(table["estimate"].min(), table["estimate"].max())
        sentences.append(
            f"{pool_title(pool)}: across {count(len(table), 'refit')} {symbol(pool)} ranged from "
            f"{spread}; what moved it most: {far['setting']} ({correlation(far['estimate'])})."
        )
    return " ".join(sentences)


def checks(analysis: Analysis, pool: Pool) -> pd.DataFrame:
    """Setting and estimate of every check of a pool, studies left out one at a time included."""
    table = analysis.sensitivity
    moved = table["pool"].eq(pool.key) & ~table["check"].isin(NOT_REFITS)
    planned = table[moved][["setting", "estimate"]]
    left = analysis.leave_one_out.get(pool.key, pd.DataFrame())
    if len(left):
        names = "without " + left["omitted"].map(study_labels(pool))
        omitted = pd.DataFrame({"setting": names, "estimate": left["estimate"]})
        planned = pd.concat([planned, omitted], ignore_index=True)
    return planned.dropna().reset_index(drop=True)
