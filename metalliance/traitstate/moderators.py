"""One regression for each moderator that a plan names, within one pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.models.predict import predict
from metalliance.models.wald import joint_test
from metalliance.traitstate.slopes import (
    COUNTS,
    LEAST_DIFFERING,
    LEAST_STUDIES,
    NUMBERS,
    Status,
    Working,
    cluster_count,
    counts,
    regress,
    require_one_pool,
    slope_rows,
    studies_in_words,
    with_columns,
    withheld_row,
)
from metalliance.traitstate.sophistication_items import adjusted, joint_row

__all__ = ["MODERATOR_COLUMNS", "moderators"]

MODERATOR_COLUMNS = (
    *("moderator", "status", "kind", "level", *COUNTS, "k_missing", *NUMBERS),
    *("estimate_r", "conf_low_r", "conf_high_r", "df_num", "test"),
    *("p_holm", "p_fdr", "imprecise", "withheld"),
)
MEAN = (
    *("estimate", "std_error", "conf_low", "conf_high"),
    *("estimate_r", "conf_low_r", "conf_high_r"),
)
#: A moderator enters the formula under this name, whatever its own looks like.
FITTED = "moderator"


def moderators(
    effects: EffectTable,
    names: Mapping[str, Status],
    *,
    rho: float = 0.6,
    method: str = "REML",
    level: float = 0.95,
) -> pd.DataFrame:
    """Regress the effects of one pool on each moderator alone.

    Parameters
    ----------
    effects : EffectTable
        One component × estimand.
    names : mapping of str to {'planned', 'exploratory'}
        Columns of the effect table. Numbers give a slope; words give a mean for each level.
    rho, method, level
        As in `pool_effects`.

    Returns
    -------
    DataFrame
        ``MODERATOR_COLUMNS``. ``kind`` test: the moderator as a whole (t of a slope, HTZ or F of
        differences between levels); slope: change of the effect per unit; mean: the mean at
        ``level``. Numbers are on the scale of the model; those with suffix ``_r`` give means as
        they are printed (r where the pool is on Fisher's z). Effects without the moderator are
        left out and counted in ``k_missing``. ``p_holm`` and ``p_fdr`` are adjusted among the
        tests of one status.

    Notes
    -----
    A number needs ten studies, four of which differ from the most common value; words need two
    levels of four independent studies each. Levels with fewer are left out and counted as missing.
    """
    require_one_pool(effects)
    how = Working(rho=rho, method=method, level=level)
    rows: list[dict[str, Any]] = []
    for name, status in names.items():
        rows += [{"moderator": name, "status": status} | row for row in _one(effects, name, how)]
    table = pd.DataFrame(rows, columns=None if rows else list(MODERATOR_COLUMNS))
    tests = table["kind"].eq("test")
    families = adjusted(table[tests], ["status"])
    table = table.assign(p_holm=np.nan, p_fdr=np.nan)
    for column in ("p_holm", "p_fdr"):
        table.loc[families.index, column] = families[column]
    return table.reindex(columns=list(MODERATOR_COLUMNS))


def _one(effects: EffectTable, name: str, how: Working) -> list[dict[str, Any]]:
    whole = {"kind": "test", "level": "", **counts(effects), "k_missing": 0}
    if name not in effects.moderators:
        reason = "no effect of this pool has a value (or the table no such column)"
        return [whole | withheld_row(reason)]
    column = effects.usable[name]
    if column.isna().all():
        return [whole | {"k_missing": len(effects)} | withheld_row("not coded in this pool")]
    if pd.api.types.is_numeric_dtype(column):
        return _slope(effects, name, how)
    return _means(effects, name, how)


def _slope(effects: EffectTable, name: str, how: Working) -> list[dict[str, Any]]:
    table = effects.where(effects.usable[name].notna())
    size = {**counts(table), "k_missing": len(effects) - len(table)}
    values = table.usable[name]
    off = values.ne(values.mode().iloc[0]).to_numpy()
    reason = ""
    if size["k_studies"] < LEAST_STUDIES:
        reason = f"coded in {studies_in_words(size['k_studies'])}; {LEAST_STUDIES} are needed"
    elif cluster_count(table.where(off)) < LEAST_DIFFERING:
        reason = f"fewer than {LEAST_DIFFERING} independent studies differ from the common value"
    found = reason or regress(with_columns(table, {FITTED: values}), [FITTED], how)
    if isinstance(found, str):
        return [{"kind": "test", "level": "", **size, **withheld_row(found)}]
    slope = slope_rows(found, [FITTED], how)[FITTED]
    test = {
        **withheld_row(""),
        **{key: slope[key] for key in ("statistic", "df", "p_value", "imprecise")},
        "df_num": 1.0,
        "test": "t",
    }
    return [
        {"kind": kind, "level": "", **size, **numbers}
        for kind, numbers in (("test", test), ("slope", slope))
    ]


def _means(effects: EffectTable, name: str, how: Working) -> list[dict[str, Any]]:
    values = effects.usable[name].map(str, na_action="ignore").astype(object)
    clusters = pd.Series(effects.clusters(), index=values.index)
    enough = clusters.groupby(values).nunique() >= LEAST_DIFFERING
    kept = values.isin(enough.index[enough])
    table = effects.where(kept)
    size = {**counts(table), "k_missing": len(effects) - len(table)}
    reason = ""
    if enough.sum() < 2:
        reason = f"no two levels have {LEAST_DIFFERING} independent studies each"
    elif size["k_studies"] < LEAST_STUDIES:
        reason = f"coded in {studies_in_words(size['k_studies'])}; {LEAST_STUDIES} are needed"
    group = values[kept].reset_index(drop=True)
    found = reason or regress(with_columns(table, {FITTED: group}), [f"C({FITTED})"], how)
    if isinstance(found, str):
        return [{"kind": "test", "level": "", **size, **withheld_row(found)}]
    test = joint_test(found, np.eye(found.fit.p)[1:])
    few = not test["df_den"] >= LEAST_DIFFERING or bool(found.imprecise[1:].any())
    rows = [{"kind": "test", "level": "", **size, **joint_row(test, few)}]
    levels = sorted(enough.index[enough])
    new = pd.DataFrame({FITTED: levels})
    means = predict(found, newdata=new, level=how.level)
    printed = "r" if table.usable["es_metric"].eq("z").all() else None
    shown = predict(found, newdata=new, level=how.level, transform=printed)
    for column in ("estimate", "conf_low", "conf_high"):
        means[f"{column}_r"] = shown[column]
    df = found.df_of(found.fit.design.matrix(new))
    for level, mean, free in zip(levels, means.to_dict(orient="records"), df, strict=True):
        here = table.where(group.eq(level))
        numbers = {key: float(mean[key]) for key in MEAN}
        rows.append(
            {"kind": "mean", "level": str(level), **counts(here), "k_missing": 0}
            | withheld_row("")
            | numbers
            | {"df": float(free), "imprecise": bool(free < LEAST_DIFFERING)}
        )
    return rows
