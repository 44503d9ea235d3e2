"""Tables of the regressions on sophistication, and on the moderators of the plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from metalliance.report.labels import ITEM_TITLES, pool_title, symbol
from metalliance.report.numbers import correlation, interval, number, p_value
from metalliance.report.tables import Cell, Table
from metalliance.workflow.analysis import Analysis

__all__ = [
    "checks_table",
    "items_table",
    "moderators_table",
    "pools_with_slopes",
    "sophistication_table",
    "together_table",
]

COUNTED = {"zero": "counts 0", "missing": "left out", "both": "either"}
PARTS = {"between": "between\u00a0studies", "within": "within\u00a0studies"}
SMALL = 0.01
BESIDE = {"year": "year", "n": "log n", "year + n": "year and log n"}
UNITS = {
    "point": "per point",
    ".1": "per .1",
    "10 years": "per 10 years",
    "doubling": "per doubling",
}


def sophistication_table(analysis: Analysis, level: str = "95%") -> Table:
    """Slopes on the sophistication index, both treatments of what was not reported."""
    rows = []
    for key, found in analysis.sophistication_by_pool.items():
        title = pool_title(analysis.pool(key))
        for row in _merged(found.index):
            source = f"questions.sophistication_by_pool.{key}.index.{row['place']}"
            kind = f"Not fitted: {row['withheld']}" if row["withheld"] else PARTS[row["part"]]
            head = (title, COUNTED[row["not_reported"]], kind, row["status"])
            rows.append((*[Cell(text=text) for text in head], *_numbers(row, source)))
    return Table(
        name="sophistication",
        caption="Meta-regression on the sophistication index, per .1 of the index",
        columns=(
            "Pool",
            "Not reported",
            "Slope",
            "Status",
            "Estimate",
            f"{level} CI",
            "df",
            "Test",
        ),
        numeric=(False, False, False, False, True, True, True, True),
        rows=tuple(rows),
        note="Estimates are on the scale of the model. Either: the same both ways. Planned are "
        "slopes that the plan names; all others are exploratory. No test is shown where df is "
        "below 4.",
    )


def pools_with_slopes(analysis: Analysis) -> tuple[str, ...]:
    """Keys of the pools in which any regression on an item or on the index was fitted."""
    return tuple(
        key
        for key, found in analysis.sophistication_by_pool.items()
        if any(table["withheld"].eq("").any() for table in (found.index, found.items))
    )


def items_table(analysis: Analysis, key: str, level: str = "95%") -> Table:
    """Items one by one, with p-values adjusted for their number."""
    table = analysis.sophistication_by_pool[key].items
    rows = []
    for row in _merged(table[table["withheld"].eq("")]):
        source = f"questions.sophistication_by_pool.{key}.items.{row['place']}"
        rows.append(
            (
                Cell(text=_item(row["item"])),
                Cell(text=PARTS[row["part"]]),
                Cell(text=COUNTED[row["not_reported"]]),
                Cell(text=row["status"]),
                *_numbers(row, source),
                _p(row["p_holm"], f"{source}.p_holm"),
                _p(row["p_fdr"], f"{source}.p_fdr"),
            )
        )
    return Table(
        name=f"items-{key}",
        caption=f"{pool_title(analysis.pool(key))}: items one by one, per point",
        columns=(
            *("Item", "Slope", "Not reported", "Status", "Estimate", f"{level} CI", "df"),
            *("Test", "Holm", "FDR"),
        ),
        numeric=(False, False, False, False, *[True] * 6),
        rows=tuple(rows),
        note=_withheld_items(table)
        + " Holm (family-wise error) and FDR (Benjamini–Hochberg) adjust for the number of items, "
        "within studies and between them, planned and exploratory apart.",
    )


def together_table(analysis: Analysis, key: str, level: str = "95%") -> Table:
    """Several items or domains together, and their joint test."""
    rows = []
    for row in _merged(analysis.sophistication_by_pool[key].joint):
        source = f"questions.sophistication_by_pool.{key}.joint.{row['place']}"
        counted = Cell(text=COUNTED[row["not_reported"]])
        if row["term"] != "all":
            text = f"{_item(row['term'])}, {UNITS[row['unit']]}"
            cells = (Cell(text=text), counted, Cell(text=row["status"]), *_numbers(row, source))
        elif row["withheld"]:
            text = f"Not fitted: {row['withheld']}"
            cells = (Cell(text=text), counted, Cell(text=row["status"]), *_numbers(row, source))
        else:
            cells = (Cell(text="All together"), counted, *_joint_test(row, source))
        rows.append(cells)
    return Table(
        name=f"joint-{key}",
        caption=f"{pool_title(analysis.pool(key))}: together, between studies",
        columns=("Term", "Not reported", "Status", "Estimate", f"{level} CI", "df", "Test"),
        numeric=(False, False, False, True, True, True, True),
        rows=tuple(rows),
        note="At most one term for ten independent studies: the items where that is enough for "
        "all that differ, else the domains in the order of the codebook. Items missing in more "
        "than a fifth of the effects do not enter. The choice does not look at the outcome.",
    )


def checks_table(analysis: Analysis, key: str, level: str = "95%") -> Table:
    """The slope of the index without each item, beside year and n, and the test of a bend."""
    found = analysis.sophistication_by_pool[key]
    base = f"questions.sophistication_by_pool.{key}"
    rows: list[tuple[Cell, ...]] = []
    for row in _merged(found.index):
        rows += _check("index as it is", row, f"{base}.index", PARTS.get(row["part"], ""))
    for row in _merged(found.leave_one_out):
        text = f"without {_item(row['omitted'])}"
        rows += _check(text, row, f"{base}.leave_one_out", PARTS[row["part"]])
    for row in _merged(found.rivals):
        if row["adjusted_for"] != "nothing":
            text = f"beside {BESIDE[row['adjusted_for']]}"
            own = row["term"] in PARTS
            kind = PARTS[row["term"]] if own else f"{row['term']}, {UNITS[row['unit']]}"
            rows += _check(text, row, f"{base}.rivals", kind)
    for row in _merged(found.spline):
        if not row["withheld"]:
            counted = Cell(text=COUNTED[row["not_reported"]])
            text = f"bend (natural cubic spline, knots {row['knots']})"
            source = f"{base}.spline.{row['place']}"
            test = _joint_test({**row, "status": ""}, source)[1:]
            rows.append((Cell(text=text), counted, Cell(text="between studies"), *test))
    return Table(
        name=f"sophistication-checks-{key}",
        caption=f"{pool_title(analysis.pool(key))}: what the slope rests on, per .1 of the index",
        columns=("Choice", "Not reported", "Slope", "Estimate", f"{level} CI", "df", "Test"),
        numeric=(False, False, False, True, True, True, True),
        rows=tuple(rows),
        note=_not_checked(found.rivals, found.spline)
        + "All but the index as it is are exploratory. Items with the same score in every effect "
        "are not left out: that only changes the unit.",
    )


def moderators_table(analysis: Analysis, level: str = "95%") -> Table:
    """The plan's moderators, one regression each, planned ones first."""
    table = analysis.moderators
    planned = table[table["status"].eq("planned")]
    rows = []
    for row in [*_records(planned), *_records(table.drop(planned.index))]:
        source = f"questions.moderators.{row['place']}"
        head = Cell(text=pool_title(analysis.pool(row["pool"])))
        size = Cell(text=f"{row['k_studies']:.0f} / {row['k_effects']:.0f}")
        if row["withheld"]:
            text = f"{row['moderator']}: not fitted ({row['withheld']})"
            cells = [*_numbers(row, ""), Cell(text="–"), Cell(text="–")]
        elif row["kind"] == "test":
            text = row["moderator"]
            tested = _joint_test(row, source)[1:]
            adjusted = [_p(row[name], f"{source}.{name}") for name in ("p_holm", "p_fdr")]
            cells = [*tested, *adjusted]
        else:
            what = "per unit" if row["kind"] == "slope" else str(row["level"])
            text = f"{row['moderator']}: {what}"
            pool = analysis.pool(row["pool"])
            mark = Cell(text="imprecise" if row["imprecise"] else "")
            numbers = _mean(row, source, symbol(pool)) if row["kind"] == "mean" else ()
            numbers = numbers or _numbers(row, source)[:2]
            cells = [*numbers, _df(row, source), mark, *[Cell(text="")] * 2]
        rows.append((head, Cell(text=text), Cell(text=row["status"]), size, *cells))
    return Table(
        name="moderators",
        caption="Moderators of the plan, one regression each",
        columns=(
            *("Pool", "Moderator", "Status", "Studies / effects", "Estimate", f"{level} CI"),
            *("df", "Test", "Holm", "FDR"),
        ),
        numeric=(False, False, False, *[True] * 7),
        rows=tuple(rows),
        note="Slopes are on the scale of the model, means as in the pooled table. Effects "
        "without the moderator, and levels of fewer than four independent studies, are left out of "
        "its regression. Holm and FDR adjust within a pool, planned and exploratory moderators "
        "apart.",
    )


def _mean(row: Mapping[str, Any], source: str, letter: str) -> tuple[Cell, ...]:
    """Mean of a level and its interval, as printed everywhere else."""
    limits = interval(row["conf_low_r"], row["conf_high_r"])
    return (
        Cell(
            text=f"{letter} = {correlation(row['estimate_r'])}",
            sort=row["estimate_r"],
            source=f"{source}.estimate_r",
        ),
        Cell(text=limits, source=f"{source}.conf_low_r {source}.conf_high_r"),
    )


def _check(text: str, row: Mapping[str, Any], base: str, kind: str) -> list[tuple[Cell, ...]]:
    """One row of the checks, or none where there was nothing to fit."""
    if row["withheld"]:
        return []
    head = (text, COUNTED[row["not_reported"]], kind)
    return [(*[Cell(text=part) for part in head], *_numbers(row, f"{base}.{row['place']}"))]


def _numbers(row: Mapping[str, Any], source: str) -> tuple[Cell, ...]:
    """Estimate, interval, df and test."""
    if row["withheld"]:
        return (Cell(text="–"),) * 4
    digits = 3 if max(abs(row["conf_low"]), abs(row["conf_high"])) >= SMALL else 5
    limits = f"[{number(row['conf_low'], digits)}, {number(row['conf_high'], digits)}]"
    test = Cell(text="imprecise") if row["imprecise"] else _p(row["p_value"], f"{source}.p_value")
    return (
        Cell(
            text=number(row["estimate"], digits),
            sort=row["estimate"],
            source=f"{source}.estimate",
        ),
        Cell(text=limits, source=f"{source}.conf_low {source}.conf_high"),
        _df(row, source),
        test,
    )


def _df(row: Mapping[str, Any], source: str) -> Cell:
    return Cell(text=number(row["df"], 1), sort=row["df"], source=f"{source}.df")


def _joint_test(row: Mapping[str, Any], source: str) -> tuple[Cell, ...]:
    """Status, two empty cells, degrees of freedom and the test."""
    name = f"{row['test']} {number(row['statistic'], 2)}" if row["test"] else ""
    statistic = Cell(text=name, source=f"{source}.statistic") if name else Cell(text="–")
    df = f"{row['df_num']:.0f}; {number(row['df'], 1)}"
    test = Cell(text="imprecise") if row["imprecise"] else _p(row["p_value"], f"{source}.p_value")
    return (
        Cell(text=row["status"]),
        statistic,
        Cell(text=""),
        Cell(text=df, source=f"{source}.df_num {source}.df"),
        test,
    )


def _p(p: float, source: str) -> Cell:
    return (
        Cell(text=f"p {p_value(p)}", sort=p, source=source) if math.isfinite(p) else Cell(text="–")
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with their place in the table."""
    placed = table.assign(place=table.index)
    return [{str(name): value for name, value in row.items()} for row in placed.to_dict("records")]


def _merged(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with their place; those that do not depend on what was not reported stand once."""
    rows = _records(table)

    def content(row: Mapping[str, Any]) -> str:
        return repr([row[name] for name in row if name not in ("not_reported", "place")])

    zero = {content(row) for row in rows if row["not_reported"] == "zero"}
    missing = {content(row) for row in rows if row["not_reported"] == "missing"}
    both = zero & missing
    return [
        row | {"not_reported": "both" if content(row) in both else row["not_reported"]}
        for row in rows
        if row["not_reported"] == "zero" or content(row) not in both
    ]


def _item(name: str) -> str:
    return (
        f"{name} {ITEM_TITLES[name]}"
        if name in ITEM_TITLES
        else name.replace("sophistication_", "")
    )


def _withheld_items(table: pd.DataFrame) -> str:
    """Which items were not fitted, by reason."""
    here = table[table["withheld"].ne("") & table["not_reported"].eq("zero")]
    parts = []
    for reason, rows in here.groupby("withheld", sort=False):
        parts.append(f"{', '.join(dict.fromkeys(rows['item']))}: {reason}")
    return f"Not fitted: {'; '.join(parts)}." if parts else "Every item was fitted."


def _not_checked(rivals: pd.DataFrame, spline: pd.DataFrame) -> str:
    """Reasons why a rival or the bend was not fitted."""
    parts = [
        f"beside {BESIDE[row['adjusted_for']]}: {row['withheld']}"
        for row in _records(rivals[rivals["not_reported"].eq("zero")])
        if row["withheld"] and row["adjusted_for"] != "nothing"
    ]
    parts += [
        f"bend: {row['withheld']}"
        for row in _records(spline[spline["not_reported"].eq("zero")])
        if row["withheld"]
    ]
    return f"Not fitted: {'; '.join(parts)}. " if parts else ""
