"""Items of methodological sophistication as moderators: one by one, and several together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from metalliance.coding.sophistication import MAXIMUM, items_of_index
from metalliance.effectsize.table import EffectTable
from metalliance.models.wald import joint_test
from metalliance.numerics.linalg import dependent_columns
from metalliance.numerics.multiplicity import benjamini_hochberg, holm
from metalliance.traitstate.scores import NotReported, domain_items, index_of, item_points
from metalliance.traitstate.slopes import (
    CLUSTERS_PER_TERM,
    COUNTS,
    LEAST_DIFFERING,
    LEAST_STUDIES,
    NUMBERS,
    Status,
    Working,
    cluster_count,
    counts,
    differing,
    regress,
    slope_rows,
    split,
    studies_in_words,
    withheld_row,
)

__all__ = [
    "ITEM_COLUMNS",
    "JOINT_COLUMNS",
    "adjusted",
    "estimand_of",
    "item_slopes",
    "joint_slopes",
    "status_of",
]

ITEM_COLUMNS = (
    *("not_reported", "item", "part", "status", *COUNTS, *NUMBERS, "p_holm", "p_fdr"),
    *("imprecise", "withheld"),
)
JOINT_COLUMNS = (
    *("not_reported", "term", "unit", "status", *COUNTS, *NUMBERS, "df_num", "test"),
    *("imprecise", "withheld"),
)
MOST_MISSING = 0.2
TENTH = 0.1
ALL = "all"


def status_of(names: Collection[str], planned: Collection[str]) -> Status:
    """Planned where every name was planned."""
    return "planned" if names and set(names) <= set(planned) else "exploratory"


def item_slopes(
    effects: EffectTable, *, planned: Collection[str] = (), how: Working | None = None
) -> pd.DataFrame:
    """Regress the effects of one pool on each item of the index alone.

    Parameters
    ----------
    effects : EffectTable
        One component × estimand, with columns ``A1`` … ``E3`` and ``<item>_code``.
    planned : collection of str
        Items that were named before looking.
    how : Working, optional

    Returns
    -------
    DataFrame
        ``ITEM_COLUMNS``, first with 0 points for what was not reported, then without it. Slopes
        per point: ``part`` between compares the means of studies, within compares effects of one
        study. The part within is fitted where at least four clusters have effects that differ on
        the item. ``p_holm`` and ``p_fdr`` are adjusted among the tests of one part, one status and
        one treatment of what was not reported.

    Notes
    -----
    z_ij = β₀ + β_b (x̄_j - x̄) + β_w (x_ij - x̄_j) + u_j + v_ij + e_ij.
    """
    how = how or Working()
    found: dict[NotReported, list[dict[str, Any]]] = {"zero": [], "missing": []}
    for item in items_of_index(estimand_of(effects)):
        points = {policy: item_points(effects.usable, item, policy) for policy in found}
        rows = _one_item(effects, points["zero"], item, how)
        found["zero"] += rows
        if not points["missing"].equals(points["zero"]):
            rows = _one_item(effects, points["missing"], item, how)
        found["missing"] += rows
    tables = [pd.DataFrame(rows).assign(not_reported=policy) for policy, rows in found.items()]
    table = pd.concat(tables, ignore_index=True)
    table["status"] = [status_of([item], planned) for item in table["item"]]
    table = adjusted(table, ["not_reported", "part", "status"])
    return table.reindex(columns=list(ITEM_COLUMNS))


def adjusted(table: pd.DataFrame, family: list[str]) -> pd.DataFrame:
    """The table with p-values adjusted within each family of tests."""
    table = table.assign(p_holm=np.nan, p_fdr=np.nan)
    for _, rows in table.groupby(family, sort=False):
        p = rows["p_value"].to_numpy(dtype=float)
        table.loc[rows.index, "p_holm"] = holm(p)
        table.loc[rows.index, "p_fdr"] = benjamini_hochberg(p)
    return table


def _one_item(
    effects: EffectTable, points: pd.Series, item: str, how: Working
) -> list[dict[str, Any]]:
    """Rows of the part between, and within where any effects of one study differ."""
    coded = points.notna().to_numpy()
    studies = int(effects.usable.loc[coded, "study"].nunique())
    reason = _too_few_coded(studies)
    if reason:
        size = {"k_effects": int(coded.sum()), "k_studies": studies, "n_clusters": np.nan}
        return [{"item": item, "part": "between", **size, **withheld_row(reason)}]
    table = split(effects, points, item)
    names = {part: f"{item}_{part}" for part in ("between", "within")}
    off = {part: differing(table, name) for part, name in names.items()}
    reasons = {"between": _too_alike(off["between"], "off its most common score in")}
    if off["within"]:
        reasons["within"] = _too_alike(off["within"], "differs within")
    terms = [names[part] for part, reason in reasons.items() if not reason]
    found = regress(table, terms, how) if terms else ""
    fitted = {} if isinstance(found, str) else slope_rows(found, terms, how)
    return [
        {"item": item, "part": part, **counts(table)}
        | fitted.get(names[part], withheld_row(reason or str(found)))
        for part, reason in reasons.items()
    ]


def _too_few_coded(studies: int) -> str:
    if not studies:
        return "not coded in this pool"
    if studies < LEAST_STUDIES:
        return f"coded in {studies_in_words(studies)}; {LEAST_STUDIES} are needed"
    return ""


def _too_alike(off: int, what: str) -> str:
    """Why an item, or a part of it, that ``off`` clusters differ on carries no slope."""
    if not off:
        return "the same in every study"
    if off < LEAST_DIFFERING:
        return f"{what} {studies_in_words(off, 'independent')}; {LEAST_DIFFERING} are needed"
    return ""


def joint_slopes(
    effects: EffectTable,
    *,
    not_reported: NotReported = "zero",
    planned: Collection[str] = (),
    how: Working | None = None,
) -> pd.DataFrame:
    """Regress the effects of one pool on several items, or several domains, at once.

    Parameters
    ----------
    effects, not_reported, planned, how
        As for `item_slopes`.

    Returns
    -------
    DataFrame
        ``JOINT_COLUMNS``. Slopes of study means, per point of an item or per .1 of a domain; the
        row ``all`` tests that none of them differs from zero (HTZ, or F where effects are
        independent).

    Notes
    -----
    Which terms enter is decided without the outcome. Candidates are items that are coded in four
    fifths of the effects, on which four clusters or more differ. All enter where there are ten
    clusters for each; else the scores of the five domains do, in the order of the codebook, as
    many as there are tens of clusters. A term that the terms before it determine does not enter.
    """
    how = how or Working()
    if cluster_count(effects) < 2 * CLUSTERS_PER_TERM:
        frame = pd.DataFrame(_joint_rows(effects, {}, planned, how))
        return frame.assign(not_reported=not_reported).reindex(columns=list(JOINT_COLUMNS))
    items = items_of_index(estimand_of(effects))
    by_item = {item: item_points(effects.usable, item, not_reported) for item in items}
    table, names = _candidates(effects, by_item)
    room = cluster_count(table) // CLUSTERS_PER_TERM
    units = dict.fromkeys(names, 1.0)
    if len(names) > room:
        by_domain = {
            f"sophistication_{name}": index_of(effects.usable, members, not_reported)
            for name, members in domain_items(items).items()
        }
        table, names = _candidates(effects, by_domain)
        names = names[: cluster_count(table) // CLUSTERS_PER_TERM]
        units = dict.fromkeys(names, TENTH)
    rows = _joint_rows(table, units, planned, how)
    frame = pd.DataFrame(rows).assign(not_reported=not_reported)
    return frame.reindex(columns=list(JOINT_COLUMNS))


def _candidates(
    effects: EffectTable, scores: Mapping[str, pd.Series]
) -> tuple[EffectTable, list[str]]:
    """Rows that have every score that may enter, and which those are."""
    mostly = {n: s for n, s in scores.items() if s.isna().mean() <= MOST_MISSING}
    complete = pd.DataFrame(mostly, index=effects.usable.index).notna().all(axis=1)
    table = effects.where(complete)
    names: list[str] = []
    for name, values in mostly.items():
        kept = values[complete].reset_index(drop=True)
        parted = split(table, kept, name)
        if differing(parted, f"{name}_between") >= LEAST_DIFFERING:
            table, names = parted, [*names, name]
    columns = [np.ones(len(table)), *(table.usable[f"{name}_between"] for name in names)]
    dependent = dependent_columns(np.column_stack(columns)) if len(table) else ()
    return table, [name for j, name in enumerate(names, start=1) if j not in dependent]


def _joint_rows(
    table: EffectTable, units: Mapping[str, float], planned: Collection[str], how: Working
) -> list[dict[str, Any]]:
    together = {"term": ALL, "unit": "", "status": status_of(units, planned), **counts(table)}
    if len(units) < 2:
        reason = (
            f"{studies_in_words(cluster_count(table), 'independent')} and {CLUSTERS_PER_TERM} "
            "needed for each term leave no two terms that differ between studies"
        )
        return [together | withheld_row(reason)]
    per_term = {f"{name}_between": unit for name, unit in units.items()}
    found = regress(table, list(per_term), how)
    if isinstance(found, str):
        return [together | withheld_row(found)]
    slopes = slope_rows(found, per_term, how, units=per_term)
    rows = [
        {
            "term": name,
            "unit": "point" if name in MAXIMUM else ".1",
            "status": status_of([name], planned),
            **counts(table),
            **slopes[f"{name}_between"],
        }
        for name in units
    ]
    test = joint_test(found, np.eye(found.fit.p)[1:])
    few = not test["df_den"] >= LEAST_DIFFERING or bool(found.imprecise[1:].any())
    return [*rows, together | joint_row(test, few)]


def joint_row(test: Mapping[str, Any], imprecise: bool) -> dict[str, Any]:
    """A joint test as numbers of a table; no p-value where it is imprecise."""
    return {
        **withheld_row(""),
        "statistic": float(test["statistic"]),
        "df_num": float(test["df_num"]),
        "df": float(test["df_den"]),
        "p_value": np.nan if imprecise else float(test["p_value"]),
        "test": str(test["test"]),
        "imprecise": imprecise,
    }


def estimand_of(effects: EffectTable) -> str:
    """Estimand of a pool; NA without rows."""
    rows = effects.usable
    return str(rows["estimand"].iloc[0]) if len(rows) else "NA"
