"""The forest plot: studies, their weights, the pooled mean and its prediction interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.plots.axis import Axis, effect_axis, printed
from metalliance.plots.marks import diamond, interval, prediction_bar, square
from metalliance.plots.paging import paged
from metalliance.plots.scene import (
    GREY,
    HEAD,
    INK,
    PALE,
    QUIET,
    ZEBRA,
    Figure,
    Item,
    Line,
    Rect,
    Scene,
    Text,
    text_width,
    widest,
)
from metalliance.workflow.analysis import Pool

__all__ = ["forest_data", "forest_plot"]

WIDTH = 504.0
PANEL = 187.0
MARGIN = 8.0
COLUMN_GAP = 8.0
LABEL_LIMIT = 34
EFFECT_COLUMNS = (
    "kind",
    "group",
    "label",
    "full_label",
    "k_effects",
    "ni",
    "estimate",
    "conf_low",
    "conf_high",
    "effect_low",
    "effect_high",
    "weight",
    "scale",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    pitch: float
    size: float


SINGLE = _Style(pitch=13.7, size=8.0)
PAGED = _Style(pitch=11.9, size=7.5)


def forest_data(pools: Pool | Sequence[Pool], titles: Sequence[str] = ()) -> pd.DataFrame:
    """Lay out the rows of a forest plot.

    Parameters
    ----------
    pools : Pool or sequence of Pool
        Fitted pools of one metric. Several are drawn as groups, without a mean over all.
    titles : sequence of str, optional
        Group heads, one per pool.

    Returns
    -------
    DataFrame
        One row per line of the figure: ``kind`` is head, study, mean or prediction. Effects and
        limits are on the analysis scale; ``scale`` is ``z`` or ``beta``.
    """
    several = [pools] if isinstance(pools, Pool) else list(pools)
    names = list(titles) or [pool.key for pool in several]
    rows: list[dict[str, object]] = []
    for pool, name in zip(several, names, strict=True):
        scale = pool.es_metric
        if len(several) > 1:
            size = f"{name} ({pool.counts.studies} studies, {pool.counts.effects} effects)"
            rows.append({"kind": "head", "group": name, "label": size, "scale": scale})
        labels = _labels(pool)
        ranked = pool.studies.sort_values(["estimate", "study"], kind="stable")
        for study in ranked.itertuples():
            half = 1.959963984540054 * study.effect_se if study.k_effects > 1 else math.nan
            rows.append(
                {
                    "kind": "study",
                    "group": name,
                    "label": _shortened(labels[study.study]),
                    "full_label": labels[study.study],
                    "k_effects": study.k_effects,
                    "ni": study.ni,
                    "estimate": study.estimate,
                    "conf_low": study.conf_low,
                    "conf_high": study.conf_high,
                    "effect_low": study.estimate - half,
                    "effect_high": study.estimate + half,
                    "weight": study.weight,
                    "scale": scale,
                }
            )
        rows += _pooled_rows(pool, name)
    return pd.DataFrame(rows, columns=list(EFFECT_COLUMNS))


def _pooled_rows(pool: Pool, name: str) -> list[dict[str, object]]:
    mean = pool.predict.iloc[0]
    shared = {"group": name, "scale": pool.es_metric, "estimate": mean["estimate"]}
    size = {"k_effects": pool.counts.effects, "ni": pool.counts.patients}
    limits = {"conf_low": mean["conf_low"], "conf_high": mean["conf_high"]}
    label = "Pooled mean, imprecise (df < 4)" if pool.imprecise else "Pooled mean"
    rows: list[dict[str, object]] = [
        {**shared, **size, **limits, "kind": "mean", "label": label, "weight": 100.0}
    ]
    if math.isfinite(mean["pi_low"]):
        limits = {"conf_low": mean["pi_low"], "conf_high": mean["pi_high"]}
        label = "95% prediction interval, new effect"
        rows.append({**shared, **limits, "kind": "prediction", "label": label})
    return rows


def _labels(pool: Pool) -> dict[object, str]:
    frame = pool.effects.usable
    if "citation" not in frame:
        return {study: str(study) for study in frame["study"]}
    cited = frame.groupby("study", sort=False)["citation"].first()
    taken = cited.value_counts()
    return {
        study: str(study)
        if pd.isna(name) or not str(name)
        else (f"{name} [{study}]" if taken[name] > 1 else str(name))
        for study, name in cited.items()
    }


def _shortened(label: str) -> str:
    return label if len(label) <= LABEL_LIMIT else f"{label[: LABEL_LIMIT - 1].rstrip()}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Right (or left) edges of the text columns and the axis between them."""

    label: float
    k: float
    n: float
    axis: Axis
    estimate: float
    low: float
    high: float
    weight: float
    width: float
    show_k: bool
    show_n: bool


def forest_plot(
    data: pd.DataFrame,
    *,
    axis_title: str,
    model_line: str = "",
    benchmark: tuple[float, str] | None = None,
    direction: tuple[str, str] = ("← worse outcome", "better outcome →"),
    footer: str = "",
) -> Figure:
    """Draw a forest plot.

    Parameters
    ----------
    data : DataFrame
        From `forest_data`.
    axis_title, model_line, footer : str
        Words below the axis.
    benchmark : (float, str), optional
        A published r, drawn dotted with its label; never pooled.
    direction : (str, str)
        Words at the ends of the axis.

    Returns
    -------
    Figure
        Paged where there are more rows than fit a page; every page has the same axis.
    """
    studies = int(data["kind"].eq("study").sum())
    style = PAGED if studies > 60 else SINGLE
    columns = _columns(data, style, benchmark)
    pages = paged(data, 50 if studies > 60 else len(data) + 1)
    scenes = tuple(
        _page(
            rows,
            data,
            columns,
            style,
            notes=_notes(axis_title, model_line, footer, data, number, len(pages)),
            benchmark=benchmark,
            direction=direction,
        )
        for number, rows in enumerate(pages, start=1)
    )
    return Figure(pages=scenes, alt=_alt(data), description=_description(data))


def _columns(data: pd.DataFrame, style: _Style, benchmark: tuple[float, str] | None) -> _Columns:
    show_k = bool((data.loc[data["kind"].eq("study"), "k_effects"] > 1).any())
    show_n = bool(data.loc[data["kind"].eq("study"), "ni"].notna().any())
    size = style.size
    text = data[data["kind"].ne("head")]
    label = MARGIN + 2 + widest([str(name) for name in text["label"]], size, bold=True)
    k_width = widest(["Effects", *_whole(data["k_effects"])], size, bold=True)
    n_width = widest(["N", *_whole(data["ni"])], size, bold=True)
    k = label + (COLUMN_GAP + k_width if show_k else 0)
    n = k + (COLUMN_GAP + n_width if show_n else 0)
    left = n + COLUMN_GAP + 4
    shown = _shown(data)
    point_width = widest(["Mean", *shown["estimate"]], size, bold=True)
    low_width, high_width = (
        widest(shown[name], size, bold=True) for name in ("conf_low", "conf_high")
    )
    bracket = text_width("[", size, True)
    tail = COLUMN_GAP + 4 + point_width + COLUMN_GAP + low_width + high_width + 4 * bracket + 6
    weight_width = widest(["Weight", "100.0%"], size, bold=True)
    width = max(WIDTH, left + PANEL + tail + COLUMN_GAP + weight_width + MARGIN)
    right = width - MARGIN - weight_width - COLUMN_GAP - tail
    axis = effect_axis(_covered(data, benchmark), left, right, z_scale=data["scale"].iloc[0] == "z")
    estimate = right + COLUMN_GAP + 4 + point_width
    low = estimate + COLUMN_GAP + bracket + low_width
    high = low + 2 * bracket + 3 + high_width
    return _Columns(
        label=MARGIN + 2,
        k=k,
        n=n,
        axis=axis,
        estimate=estimate,
        low=low,
        high=high,
        weight=width - MARGIN,
        width=width,
        show_k=show_k,
        show_n=show_n,
    )


def _covered(data: pd.DataFrame, benchmark: tuple[float, str] | None) -> list[float]:
    limits = data[["conf_low", "conf_high"]].to_numpy(dtype=float).ravel()
    limits = limits[np.isfinite(limits)]
    pooled = data[data["kind"].isin(["mean", "prediction"])]
    kept = [*np.percentile(limits, [1, 99])] if limits.size else []
    kept += [*pooled["conf_low"], *pooled["conf_high"]]
    if benchmark is not None and data["scale"].iloc[0] == "z":
        kept.append(math.atanh(benchmark[0]))
    return [float(value) for value in kept]


def _shown(data: pd.DataFrame) -> dict[str, list[str]]:
    def text(name: str) -> list[str]:
        values = data[name].to_numpy(dtype=float)
        values = np.where(data["scale"].eq("z"), np.tanh(values), values)
        return [printed(value) for value in values]

    return {name: text(name) for name in ("estimate", "conf_low", "conf_high")}


def _whole(values: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else f"{value:,.0f}" for value in values]


def _page(
    rows: pd.DataFrame,
    data: pd.DataFrame,
    columns: _Columns,
    style: _Style,
    *,
    notes: list[str],
    benchmark: tuple[float, str] | None,
    direction: tuple[str, str],
) -> Scene:
    axis, pitch = columns.axis, style.pitch
    head = 30.0
    bottom = head + pitch * len(rows)
    items: list[Item] = _background(rows, columns, style, head)
    items += _lines(rows, data, columns, head, bottom, benchmark)
    items += _header(columns, style, head, data)
    largest = float(data.loc[data["kind"].eq("study"), "weight"].max())
    for i, row in enumerate(rows.itertuples()):
        y = head + pitch * (i + 0.5)
        items += _row(row, columns, style, y, largest)
    items += axis.draw(bottom + 4, notes[0])
    low_word, high_word = direction
    y = bottom + 4 + 31
    items.append(Text(x=axis.left, y=y, text=low_word, size=6.5, color=QUIET))
    items.append(Text(x=axis.right, y=y, text=high_word, size=6.5, color=QUIET, anchor="end"))
    for number, note in enumerate(notes[1:]):
        y = bottom + 48 + 9 * number
        items.append(Text(x=MARGIN, y=y, text=note, size=6.5, color=QUIET, role="note"))
    height = bottom + 48 + 9 * (len(notes) - 1)
    return Scene(width=columns.width, height=height, items=tuple(items))


def _background(rows: pd.DataFrame, columns: _Columns, style: _Style, head: float) -> list[Item]:
    items: list[Item] = []
    inner = columns.width - 2 * MARGIN + 8
    study = 0
    for i, kind in enumerate(rows["kind"]):
        y = head + style.pitch * i
        if kind == "head":
            study = 0
        study += kind == "study"
        fill = HEAD if kind == "head" else ZEBRA if kind == "study" and study % 2 else ""
        if fill:
            items.append(
                Rect(x=MARGIN - 4, y=y, width=inner, height=style.pitch, fill=fill, role="band")
            )
    return items


def _lines(
    rows: pd.DataFrame,
    data: pd.DataFrame,
    columns: _Columns,
    head: float,
    bottom: float,
    benchmark: tuple[float, str] | None,
) -> list[Item]:
    axis = columns.axis
    zero = axis.at(0)
    items: list[Item] = [Line(x1=zero, y1=head, x2=zero, y2=bottom + 4, color=GREY, role="null")]
    means = data[data["kind"].eq("mean")]
    if len(means) == 1:
        x = axis.at(float(means["estimate"].iloc[0]))
        items.append(
            Line(x1=x, y1=head, x2=x, y2=bottom + 4, width=0.7, dash=(4, 3), role="pooled")
        )
    if benchmark is not None and data["scale"].iloc[0] == "z":
        r, label = benchmark
        x = axis.at(math.atanh(r))
        items.append(
            Line(x1=x, y1=head - 1, x2=x, y2=bottom + 4, dash=(1, 2), color=QUIET, role="benchmark")
        )
        half = text_width(f"{label}: {printed(r)}", 6.5) / 2
        middle = min(max(x, axis.left + half), axis.right - half)
        items.append(
            Text(
                x=middle,
                y=head - 4,
                text=f"{label}: {printed(r)}",
                size=6.5,
                anchor="middle",
                color=QUIET,
            )
        )
    return items


def _header(columns: _Columns, style: _Style, head: float, data: pd.DataFrame) -> list[Item]:
    y, size = head - 12, style.size
    letter = "r" if data["scale"].iloc[0] == "z" else "β"
    items: list[Item] = [Text(x=columns.label, y=y, text="Study", size=size, bold=True)]
    ends = [(columns.estimate, letter), (columns.high + 3, "95% CI"), (columns.weight, "Weight")]
    if columns.show_k:
        ends.append((columns.k, "Effects"))
    if columns.show_n:
        ends.append((columns.n, "N"))
    items += [Text(x=x, y=y, text=text, size=size, bold=True, anchor="end") for x, text in ends]
    items.append(
        Line(x1=MARGIN - 4, y1=head - 1, x2=columns.width - MARGIN + 4, y2=head - 1, width=0.8)
    )
    return items


def _row(row: object, columns: _Columns, style: _Style, y: float, largest: float) -> list[Item]:
    axis, size, pitch = columns.axis, style.size, style.pitch
    base = y + 0.36 * size
    kind = row.kind
    if kind == "head":
        return [Text(x=columns.label, y=base, text=row.label, size=size, bold=True)]
    bold = kind == "mean"
    tooltip = row.full_label if isinstance(row.full_label, str) else ""
    tooltip = "" if tooltip == row.label else tooltip
    items: list[Item] = [
        Text(x=columns.label, y=base, text=row.label, size=size, bold=bold, tooltip=tooltip)
    ]
    items += _numbers(row, columns, size, base, bold)
    if kind == "study":
        items += interval(axis, y, row.effect_low, row.effect_high, width=0.6, color=PALE)
        items += interval(axis, y, row.conf_low, row.conf_high)
        side = max(0.62 * pitch * math.sqrt(max(row.weight, 0.0) / largest), 2.0)
        items += square(axis, y, row.estimate, side)
    elif kind == "mean":
        top = y - pitch / 2
        items.append(
            Line(x1=MARGIN - 4, y1=top, x2=columns.width - MARGIN + 4, y2=top, width=0.6, color=INK)
        )
        items += diamond(axis, y, row.estimate, row.conf_low, row.conf_high, 0.38 * pitch)
    else:
        items += prediction_bar(axis, y, row.conf_low, row.conf_high, 0.14 * pitch)
    return items


def _numbers(row: object, columns: _Columns, size: float, base: float, bold: bool) -> list[Item]:
    on_r = row.scale == "z"

    def shown(value: float) -> str:
        return printed(math.tanh(value) if on_r else value)

    texts = [(columns.low, shown(row.conf_low)), (columns.high, shown(row.conf_high))]
    if row.kind != "prediction":
        texts.append((columns.estimate, shown(row.estimate)))
        texts.append((columns.weight, f"{row.weight:.1f}%".replace("-", "−")))
    if columns.show_k and pd.notna(row.k_effects):
        texts.append((columns.k, f"{row.k_effects:,.0f}"))
    if columns.show_n and pd.notna(row.ni):
        texts.append((columns.n, f"{row.ni:,.0f}"))
    items: list[Item] = [
        Text(x=x, y=base, text=text, size=size, anchor="end", bold=bold) for x, text in texts
    ]
    low_width = text_width(shown(row.conf_low), size, bold)
    for x, text, anchor in (
        (columns.low - low_width, "[", "end"),
        (columns.low, ",", "start"),
        (columns.high, "]", "start"),
    ):
        items.append(Text(x=x, y=base, text=text, size=size, bold=bold, anchor=anchor))
    return items


def _notes(
    axis_title: str, model_line: str, footer: str, data: pd.DataFrame, page: int, pages: int
) -> list[str]:
    legend = "Square area is proportional to weight"
    if (data["k_effects"] > 1).any():
        legend += "; grey: a typical single effect of the study"
    legend += "; arrow: the interval goes on."
    last = " · ".join(
        part for part in (legend, footer, f"Page {page} of {pages}" if pages > 1 else "") if part
    )
    return [axis_title, *([model_line] if model_line else []), last]


def _alt(data: pd.DataFrame) -> str:
    studies = data[data["kind"].eq("study")]
    parts = [f"Forest plot of {len(studies)} studies."]
    shown = _shown(data)
    letter = "r" if data["scale"].iloc[0] == "z" else "β"
    for i, kind in enumerate(data["kind"]):
        limits = f"{shown['conf_low'][i]} to {shown['conf_high'][i]}"
        if kind == "mean":
            parts.append(f"Pooled {letter} = {shown['estimate'][i]}, 95% CI {limits}.")
        elif kind == "prediction":
            parts.append(f"95% prediction interval {limits}.")
    return " ".join(parts)[:250]


def _description(data: pd.DataFrame) -> str:
    shown = _shown(data)
    lines = [_alt(data)]
    for i, row in enumerate(data.itertuples()):
        if row.kind == "study":
            limits = f"{shown['conf_low'][i]} to {shown['conf_high'][i]}"
            lines.append(f"{row.full_label}: {shown['estimate'][i]}, {limits}.")
    return " ".join(lines)
