"""Tables: one frozen model, written as HTML or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from metalliance.coding.files import write_whole
from metalliance.plots.forest_rows import study_labels
from metalliance.report.labels import pool_title, symbol
from metalliance.report.numbers import correlation, interval, number, p_value, percent
from metalliance.workflow.analysis import Analysis, Pool

__all__ = [
    "Cell",
    "Table",
    "effects_table",
    "excluded_table",
    "frame_to_csv",
    "neutralised",
    "pooled_table",
    "sensitivity_table",
    "studies_table",
    "write_csv",
]

RISKY = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell: what is shown, what it sorts by, which result it prints, what stands below it.

    ``root_of`` names results of which the cell prints the square root.
    """

    text: str
    sort: float | None = None
    source: str = ""
    below: str = ""
    root_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a caption; numeric columns are set right."""

    name: str
    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def neutralised(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if isinstance(value, str) and value.startswith(RISKY):
        return f"'{value}"
    return value


def frame_to_csv(frame: pd.DataFrame) -> str:
    """CSV text of a frame: text cells neutralised, numbers at full precision, LF lines."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([neutralised(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow(["" if _absent(value) else neutralised(value) for value in row])
    return buffer.getvalue()


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame for people: UTF-8 with BOM, beside the target first, then renamed."""
    write_whole(path, frame_to_csv(frame).encode("utf-8-sig"))


def pooled_table(pools: Sequence[Pool], level: str = "95%") -> Table:
    """One row per pool: size, estimate, intervals, heterogeneity, model."""
    rows = []
    for pool in pools:
        key = f"models.{pool.key}"
        size = pool.counts
        below = f"Not pooled: {pool.not_pooled}" if pool.fit is None else model_line(pool)
        row = [
            Cell(text=pool_title(pool), below=below),
            *[
                _count(getattr(size, name), f"{key}.counts.{name}")
                for name in ("studies", "effects", "patients")
            ],
        ]
        if pool.fit is None:
            rows.append((*row, *[Cell(text="–")] * 7))
            continue
        mean, glance = pool.predict_r.iloc[0], pool.glance.iloc[0]
        test = pool.tidy.iloc[0]
        rows.append(
            (
                *row,
                Cell(
                    text=f"{symbol(pool)} = {correlation(mean['estimate'])}",
                    sort=float(mean["estimate"]),
                    source=f"{key}.predict_r.estimate",
                ),
                _limits(f"{key}.predict_r", mean, "conf"),
                _limits(f"{key}.predict_r", mean, "pi"),
                Cell(text="–")
                if pool.imprecise
                else Cell(text=f"p {p_value(test['p_value'])}", source=f"{key}.tidy.0.p_value"),
                _tau(pool),
                Cell(text=percent(glance["i2"]), source=f"{key}.glance.i2"),
                Cell(
                    text=f"{number(glance['q'], 1)} ({glance['q_df']:.0f})",
                    sort=float(glance["q"]),
                    source=f"{key}.glance.q {key}.glance.q_df",
                ),
            )
        )
    return Table(
        name="pooled",
        caption="Pooled associations by component and estimand",
        columns=(
            "Component",
            "Studies",
            "Effects",
            "Patients",
            "Estimate",
            f"{level} CI",
            f"{level} PI",
            "Test",
            "τ",
            "I²",
            "Q (df)",
        ),
        numeric=(False, *[True] * 10),
        rows=tuple(rows),
        note=(
            "τ is on the scale of the model (Fisher's z, or the coefficient for β). Prediction "
            "intervals speak about the effect of a new study and are not given below five clusters."
        ),
    )


def model_line(pool: Pool) -> str:
    """The model of a pool in one line."""
    if pool.fit is None:
        return ""
    if pool.fit.call.get("random"):
        return f"Three-level {pool.fit.method}, CR2"
    return f"Random effects {pool.fit.method}, Knapp–Hartung"


def _tau(pool: Pool) -> Cell:
    """τ; with two levels the one between studies above the one within."""
    names = {"study": "between", "study/effect": "within"}
    texts, sources = [], []
    for place, row in enumerate(pool.components.to_dict(orient="records")):
        if row["name"] in ("tau2", "sigma2"):
            level = names.get(str(row["term"]), "")
            texts.append(f"{correlation(float(np.sqrt(row['estimate'])), 3)} {level}".strip())
            sources.append(f"models.{pool.key}.components.{place}.estimate")
    below = "; ".join(texts[1:])
    return Cell(text=texts[0] if texts else "–", below=below, root_of=" ".join(sources))


def studies_table(pool: Pool, level: str = "95%") -> Table:
    """Study means of a pool."""
    shown = pool.es_metric == "z"
    rows = []
    labels = study_labels(pool)
    for row in pool.studies.itertuples():
        values = [row.estimate, row.conf_low, row.conf_high]
        point, low, high = np.tanh(values) if shown else values
        rows.append(
            (
                Cell(text=labels[row.study]),
                _count(row.k_effects),
                _count(row.ni),
                Cell(text=correlation(point), sort=float(point)),
                Cell(text=interval(low, high)),
                Cell(text=number(row.weight, 1), sort=float(row.weight)),
            )
        )
    return Table(
        name=f"studies-{pool.key}",
        caption=f"{pool_title(pool)}: studies",
        columns=("Study", "Effects", "N", symbol(pool), f"{level} CI", "Weight %"),
        numeric=(False, True, True, True, True, True),
        rows=tuple(rows),
    )


def sensitivity_table(analysis: Analysis, level: str = "95%") -> Table:
    """Refits of every pool, the pool itself first."""
    rows = []
    for pool in analysis.main:
        checks = analysis.sensitivity[analysis.sensitivity["pool"].eq(pool.key)]
        left = analysis.leave_one_out.get(pool.key, pd.DataFrame())
        labels = study_labels(pool)
        if pool.fit is None or (checks.empty and left.empty):
            continue
        mean = pool.predict_r.iloc[0]
        main = (mean["estimate"], mean["conf_low"], mean["conf_high"])
        source = f"models.{pool.key}.predict_r"
        rows.append(_check_row(pool, "main analysis", pool.counts.effects, *main, source=source))
        for row in checks.itertuples():
            values = (row.estimate, row.conf_low, row.conf_high)
            source = f"questions.sensitivity.{row.Index}"
            rows.append(
                _check_row(pool, row.setting, row.k_effects, *values, note=row.note, source=source)
            )
        if len(left):
            for which, label in (("idxmin", "lowest"), ("idxmax", "highest")):
                place = getattr(left["estimate"].reset_index(drop=True), which)()
                row = left.iloc[place]
                source = f"questions.leave_one_out.{pool.key}.{place}"
                text = f"one study left out, {label}: without {labels[row['omitted']]}"
                limits = (row.get("conf_low", np.nan), row.get("conf_high", np.nan))
                rows.append(_check_row(pool, text, np.nan, row["estimate"], *limits, source=source))
    return Table(
        name="sensitivity",
        caption="The same pools under other choices",
        columns=("Pool", "Choice", "Effects", "Estimate", f"{level} CI"),
        numeric=(False, False, True, True, True),
        rows=tuple(rows),
    )


def _check_row(
    pool: Pool,
    text: str,
    k: float,
    point: float,
    low: float,
    high: float,
    *,
    note: str = "",
    source: str = "",
) -> tuple[Cell, ...]:
    return (
        Cell(text=pool_title(pool)),
        Cell(text=f"{text} ({note})" if note else text),
        _count(k),
        Cell(text=correlation(point), sort=float(point), source=f"{source}.estimate"),
        Cell(
            text=interval(low, high),
            source=f"{source}.conf_low {source}.conf_high" if np.isfinite(low) else "",
        ),
    )


def excluded_table(analysis: Analysis) -> Table:
    """Rows that are in no main pool, with reason and place."""
    rows = tuple(
        tuple(Cell(text=_text(getattr(row, name))) for name in EXCLUDED)
        for row in analysis.excluded.itertuples()
    )
    return Table(
        name="excluded",
        caption="Rows that are in no main pool",
        columns=("Study", "Effect", "Why", "Where"),
        numeric=(False, False, False, False),
        rows=rows,
    )


EXCLUDED = ("study", "effect", "reason", "address")


def effects_table(analysis: Analysis) -> Table:
    """Every usable effect with its trace, pooled or not."""
    rows = []
    for pool in analysis.pools:
        for row in pool.effects.usable.itertuples():
            point = row.r if pool.es_metric == "z" else row.yi
            rows.append(
                (
                    Cell(text=_text(row.study)),
                    Cell(text=_text(row.effect)),
                    Cell(text=pool_title(pool)),
                    Cell(text=_text(getattr(row, "reported", ""))),
                    Cell(text=correlation(point), sort=float(point)),
                    Cell(text=number(row.vi, 5), sort=float(row.vi)),
                    Cell(text=_text(row.quality)),
                    Cell(text=_text(getattr(row, "trace", ""))),
                    Cell(text=_text(getattr(row, "address", ""))),
                )
            )
    return Table(
        name="effects",
        caption="Every usable effect, from the cell to the number",
        columns=(
            "Study",
            "Effect",
            "Pool",
            "Printed",
            "Oriented",
            "v",
            "Quality",
            "Trace",
            "Where",
        ),
        numeric=(False, False, False, True, True, True, False, False, False),
        rows=tuple(rows),
    )


def _limits(source: str, row: pd.Series, kind: str) -> Cell:
    low, high = float(row[f"{kind}_low"]), float(row[f"{kind}_high"])
    if not (np.isfinite(low) and np.isfinite(high)):
        return Cell(text="–")
    return Cell(text=interval(low, high), source=f"{source}.{kind}_low {source}.{kind}_high")


def _count(value: float, source: str = "") -> Cell:
    if _absent(value):
        return Cell(text="–")
    return Cell(text=f"{value:,.0f}", sort=float(value), source=source)


def _text(value: object) -> str:
    return "" if _absent(value) else str(value)


def _absent(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))
