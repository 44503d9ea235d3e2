"""What the slope on the sophistication index rests on: items, a straight line, year and size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metalliance.coding.sophistication import items_of_index
from metalliance.effectsize.table import EffectTable
from metalliance.models.inference import Inference
from metalliance.models.wald import joint_test
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.splines import KNOT_QUANTILES, natural_spline
from metalliance.traitstate.scores import NotReported, index_of, item_points
from metalliance.traitstate.slopes import (
    CLUSTERS_PER_TERM,
    COUNTS,
    LEAST_DIFFERING,
    NUMBERS,
    Working,
    cluster_count,
    counts,
    differing,
    regress,
    slope_rows,
    split,
    studies_in_words,
    with_columns,
    withheld_row,
)
from metalliance.traitstate.sophistication import (
    BETWEEN,
    GRID,
    INDEX,
    STEP,
    WITHIN,
    index_terms,
    line_of,
    split_index,
    why_withheld,
)
from metalliance.traitstate.sophistication_items import MOST_MISSING, estimand_of, joint_row

__all__ = [
    "LEAVE_COLUMNS",
    "LINE_COLUMNS",
    "RIVAL_COLUMNS",
    "SPLINE_COLUMNS",
    "index_slope_rows",
    "leave_item_out",
    "rival_slopes",
    "spline_test",
]

PART = {BETWEEN: "between", WITHIN: "within"}
UNITS = {BETWEEN: STEP, WITHIN: STEP}
TAIL = (*COUNTS, *NUMBERS, "imprecise", "withheld")
LEAVE_COLUMNS = ("not_reported", "omitted", "part", *TAIL)
RIVAL_COLUMNS = ("not_reported", "adjusted_for", "term", "unit", *TAIL)
SPLINE_COLUMNS = (
    *("not_reported", "knots", *COUNTS),
    *("statistic", "df_num", "df", "p_value", "test", "imprecise", "withheld"),
)
LINE_COLUMNS = (
    *("not_reported", "sophistication", "estimate", "conf_low", "conf_high"),
    *("estimate_r", "conf_low_r", "conf_high_r"),
)
SPLINE_CLUSTERS = 30
FOUR_KNOTS = 60
YEAR, SIZE = "year_between", "log2_n_between"
RIVALS = {YEAR: "year", SIZE: "n"}
RIVAL_UNITS = {BETWEEN: ".1", WITHIN: ".1", YEAR: "10 years", SIZE: "doubling"}
DECADE = 10.0


def index_slope_rows(
    table: EffectTable, how: Working, near: Inference | str = ""
) -> list[dict[str, Any]]:
    """Rows of the slopes on the index that `split` has put into the table."""
    terms = index_terms(table)
    found = why_withheld(table, terms) or regress(table, terms, how, near)
    size = counts(table)
    if isinstance(found, str):
        return [{"part": "between", **size, **withheld_row(found)}]
    slopes = slope_rows(found, terms, how, units=UNITS)
    return [{"part": PART[term], **size, **slopes[term]} for term in terms]


def leave_item_out(
    effects: EffectTable,
    *,
    not_reported: NotReported = "zero",
    how: Working | None = None,
    near: Inference | None = None,
) -> pd.DataFrame:
    """Slope of the index with each item taken out of it.

    Returns
    -------
    DataFrame
        ``LEAVE_COLUMNS``: slopes per .1 of the index over the other items. An item with the same
        score everywhere only changes the unit when it is left out, so there is no refit. One row
        (``omitted`` every) where the index itself carries no slope.
    """
    how = how or Working()
    whole = split_index(effects, INDEX[not_reported])
    terms = index_terms(whole)
    size = {"part": "between", **counts(whole)}
    start = why_withheld(whole, terms) or near or regress(whole, terms, how)
    if isinstance(start, str):
        rows = [{"omitted": "every", **size, **withheld_row(start)}]
    else:
        rows = []
        for item in items_of_index(estimand_of(effects)):
            rest = _without(whole, item, not_reported)
            if isinstance(rest, str):
                rows.append({"omitted": item, **size, **withheld_row(rest)})
                continue
            left = split(whole, rest, "sophistication")
            rows += [{"omitted": item} | row for row in index_slope_rows(left, how, start)]
    table = pd.DataFrame(rows).assign(not_reported=not_reported)
    return table.reindex(columns=list(LEAVE_COLUMNS))


def _without(whole: EffectTable, item: str, not_reported: NotReported) -> pd.Series | str:
    """(k,) the index over the other items, or why there is no need of it."""
    points = item_points(whole.usable, item, not_reported)
    if points.isna().all():
        return "not coded in this pool"
    if points.nunique(dropna=False) < 2:
        return "the same in every effect: without it only the unit changes"
    items = items_of_index(estimand_of(whole))
    return index_of(whole.usable, [other for other in items if other != item], not_reported)


def spline_test(
    effects: EffectTable,
    *,
    not_reported: NotReported = "zero",
    how: Working | None = None,
    near: Inference | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test whether the relation with the index bends, by a natural cubic spline.

    Returns
    -------
    test : DataFrame
        ``SPLINE_COLUMNS``, one row: three knots from 30 clusters, four from 60, at Harrell's
        quantiles of the studies' means; HTZ or F test of the columns that bend.
    line : DataFrame
        ``LINE_COLUMNS``: the fitted curve between studies; no rows where it was not fitted.

    References
    ----------
    Harrell, F. E. (2015). Regression modeling strategies (2nd ed., section 2.4).
    https://doi.org/10.1007/978-3-319-19425-7
    """
    how = how or Working()
    table = split_index(effects, INDEX[not_reported])
    identity: dict[str, Any] = {"not_reported": not_reported, "knots": "", **counts(table)}

    def one(row: dict[str, Any], line: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        frame = pd.DataFrame([identity | row]).reindex(columns=list(SPLINE_COLUMNS))
        return frame, line.reindex(columns=list(LINE_COLUMNS))

    terms = index_terms(table)
    reason = why_withheld(table, terms) or _no_spline(table, terms)
    if reason:
        return one(withheld_row(reason), pd.DataFrame())
    rows = table.usable
    means = rows[BETWEEN].groupby(rows["study"]).first()
    wanted = 4 if cluster_count(table) >= FOUR_KNOTS else 3
    knots = np.quantile(means, KNOT_QUANTILES[wanted])
    if np.any(np.diff(knots) < 1e-6):
        return one(withheld_row("too many studies share one value of the index"), pd.DataFrame())
    centre = float(_centre(rows, not_reported))
    identity["knots"] = ", ".join(f"{knot + centre:.2f}" for knot in knots)
    bends = [f"{BETWEEN}_bend{j}" for j in range(1, len(knots) - 1)]
    bent = with_columns(table, _bends(rows[BETWEEN].to_numpy(), knots, bends, rows.index))
    found = regress(bent, [*terms, *bends], how, near or "")
    if isinstance(found, str):
        return one(withheld_row(found), pd.DataFrame())
    places = [found.fit.terms.index(name) for name in bends]
    test = joint_test(found, np.eye(found.fit.p)[places])
    grid = np.linspace(means.min(), means.max(), GRID)
    curve = {BETWEEN: grid} | {
        name: column.to_numpy() for name, column in _bends(grid, knots, bends).items()
    }
    line = line_of(found, grid + centre, curve, how.level).assign(not_reported=not_reported)
    few = not test["df_den"] >= LEAST_DIFFERING or bool(found.imprecise[places].any())
    return one(joint_row(test, few), line)


def _no_spline(table: EffectTable, terms: list[str]) -> str:
    if BETWEEN not in terms:
        return f"the index differs by less than {STEP:g} between studies"
    clusters = cluster_count(table)
    if clusters < SPLINE_CLUSTERS:
        return f"{studies_in_words(clusters, 'independent')}; {SPLINE_CLUSTERS} are needed"
    return ""


def _centre(rows: pd.DataFrame, not_reported: NotReported) -> float:
    return float(rows[INDEX[not_reported]].groupby(rows["study"]).mean().mean())


def _bends(
    x: FloatArray, knots: FloatArray, names: list[str], index: pd.Index | None = None
) -> dict[str, pd.Series]:
    columns = natural_spline(x, knots).T
    return {
        name: pd.Series(column, index=index) for name, column in zip(names, columns, strict=True)
    }


def rival_slopes(
    effects: EffectTable,
    *,
    not_reported: NotReported = "zero",
    how: Working | None = None,
    near: Inference | None = None,
) -> pd.DataFrame:
    """Slope of the index alone, and beside year of publication, log n, and both.

    Returns
    -------
    DataFrame
        ``RIVAL_COLUMNS``. All models have the same rows, those that have every rival that is coded
        in four fifths of the effects and differs between four clusters or more. ``unit`` is .1 of
        the index, ten years, a doubling of n. There are ten clusters or more for each term.
    """
    how = how or Working()
    table, reasons = _with_rivals(split_index(effects, INDEX[not_reported]))
    # Rows without a rival are gone, so the index is centred again.
    table = split_index(table, INDEX[not_reported])
    own = index_terms(table)
    general = why_withheld(table, own)
    start: Inference | str = near or ""
    sets: tuple[tuple[str, ...], ...] = ((), (YEAR,), (SIZE,), (YEAR, SIZE))
    rows: list[dict[str, Any]] = []
    for rivals in sets[:1] if general else sets:
        name = " + ".join(RIVALS[rival] for rival in rivals) or "nothing"
        identity = {"adjusted_for": name, **counts(table)}
        withheld = general or "; ".join(reasons[rival] for rival in rivals if rival in reasons)
        withheld = withheld or _no_room(table, len(rivals) + 1)
        terms = [*own, *rivals]
        found = withheld or regress(table, terms, how, start)
        if isinstance(found, str):
            rows.append(identity | {"term": "between", "unit": ".1"} | withheld_row(found))
            continue
        start = start or found
        for term, slope in slope_rows(found, terms, how, units=UNITS | {YEAR: DECADE}).items():
            shown = PART.get(term) or RIVALS[term]
            rows.append(identity | {"term": shown, "unit": RIVAL_UNITS[term]} | slope)
    frame = pd.DataFrame(rows).assign(not_reported=not_reported)
    return frame.reindex(columns=list(RIVAL_COLUMNS))


def _no_room(table: EffectTable, terms: int) -> str:
    clusters, needed = cluster_count(table), CLUSTERS_PER_TERM * terms
    words = studies_in_words(clusters, "independent")
    return f"{words}; {needed} are needed" if clusters < needed else ""


def _with_rivals(table: EffectTable) -> tuple[EffectTable, dict[str, str]]:
    """Rows that have the rivals that can be used, and why the others cannot."""
    reasons: dict[str, str] = {}
    for column, title in RIVALS.items():
        values = _rival(table.usable, title)
        lacking = float(values.isna().mean()) if len(values) else 1.0
        if lacking > MOST_MISSING:
            reasons[column] = f"{title} is not known of {lacking:.0%} of the effects"
            continue
        parted = split(table, values, column.removesuffix("_between"))
        off = differing(parted, column)
        if off < LEAST_DIFFERING:
            reasons[column] = f"{title} differs between fewer than {LEAST_DIFFERING} studies"
            continue
        table = parted
    return table, reasons


def _rival(rows: pd.DataFrame, title: str) -> pd.Series:
    """(k,) year of publication, or log2 of the number of patients."""
    if title == "n":
        return pd.Series(np.log2(rows["ni"].astype(float)), index=rows.index)
    if title not in rows:
        return pd.Series(np.nan, index=rows.index)
    return pd.to_numeric(rows[title], errors="coerce")
