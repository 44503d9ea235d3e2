"""One page of a forest plot as marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from metalliance.plots.axis import printed, reading
from metalliance.plots.forest_layout import Layout, prediction_label
from metalliance.plots.marks import diamond, interval, prediction_bar, square
from metalliance.plots.scene import (
    GREY,
    HEAD,
    INK,
    PALE,
    QUIET,
    ZEBRA,
    Item,
    Line,
    Rect,
    Scene,
    Text,
    shortened,
    text_width,
)

__all__ = ["around", "page_scene"]

BELOW_AXIS = 47.0
NOTE_PITCH = 9.0
FLOOR = 2.0
SMALL = 6.5


def page_scene(
    rows: pd.DataFrame,
    data: pd.DataFrame,
    plan: Layout,
    *,
    axis_title: str,
    direction: tuple[str, str],
    benchmark: tuple[float, str] | None,
    notes: Sequence[str],
    footer: str,
) -> Scene:
    """Draw the rows of a page; ``data`` holds those of all pages."""
    pitch = plan.style.pitch
    bottom = plan.head + pitch * len(rows)
    items = _bands(rows, plan, "study")
    items += _guides(rows, data, plan, bottom, benchmark)
    items += _bands(rows, plan, "head")
    items += _header(data, plan)
    largest = data[data["kind"].eq("study")].groupby("group")["weight"].max().to_dict()
    grouped = bool(data["kind"].eq("head").any())
    for number, row in enumerate(rows.to_dict(orient="records")):
        y = plan.head + pitch * (number + 0.5)
        items += _row(row, plan, y, float(largest.get(row["group"], 0.0)), grouped)
    items += plan.axis.draw(bottom + 3)
    items += _axis_words(plan, bottom + 3, axis_title, direction)
    y = bottom + BELOW_AXIS
    for number, note in enumerate(notes):
        at = y + NOTE_PITCH * number
        items.append(
            Text(x=plan.label, y=at, text=note, size=plan.note_size, color=QUIET, role="note")
        )
    height = bottom + around(len(notes), footer)
    if footer:
        size = plan.style.size
        items.append(
            Text(x=plan.label, y=height - 5, text=footer, size=size, bold=True, role="simulated")
        )
    return Scene(width=plan.width, height=height, items=tuple(items))


def around(notes: int, footer: str) -> float:
    """Height in points of what stands below the rows."""
    return BELOW_AXIS + NOTE_PITCH * notes - 3 + (14 if footer else 0)


def _bands(rows: pd.DataFrame, plan: Layout, of: str) -> list[Item]:
    """Bands behind group heads, or behind every other study."""
    items: list[Item] = []
    height = plan.style.pitch
    study = 0
    for number, kind in enumerate(rows["kind"]):
        study = 0 if kind == "head" else study + (kind == "study")
        if kind == of and (kind == "head" or study % 2):
            fill = HEAD if kind == "head" else ZEBRA
            y = plan.head + height * number
            wide = plan.right - plan.left
            items.append(Rect(x=plan.left, y=y, width=wide, height=height, fill=fill, role="band"))
    return items


def _guides(
    rows: pd.DataFrame,
    data: pd.DataFrame,
    plan: Layout,
    bottom: float,
    benchmark: tuple[float, str] | None,
) -> list[Item]:
    axis = plan.axis
    zero, end = axis.at(0), bottom + 3
    items: list[Item] = [Line(x1=zero, y1=plan.head, x2=zero, y2=end, color=GREY, role="null")]
    means = data[data["kind"].eq("mean")]
    groups = rows["group"].tolist()
    for mean in means.to_dict(orient="records"):
        if mean["group"] not in groups or not axis.holds(mean["estimate"]):
            continue
        first = groups.index(mean["group"])
        last = len(groups) - groups[::-1].index(mean["group"])
        last -= rows["kind"].iloc[last - 1] == "note"
        first += rows["kind"].iloc[first] == "head"
        y1 = plan.head + plan.style.pitch * first
        y2 = plan.head + plan.style.pitch * last if len(means) > 1 else end
        x = axis.at(mean["estimate"])
        items.append(Line(x1=x, y1=y1, x2=x, y2=y2, width=0.7, dash=(4, 3), role="pooled"))
    if benchmark is not None and data["scale"].eq("z").all():
        items += _benchmark(plan, end, *benchmark)
    return items


def _benchmark(plan: Layout, end: float, r: float, label: str) -> list[Item]:
    x = plan.axis.at(math.atanh(r))
    text = f"{label}: r = {printed(r, 3 if round(r, 2) != r else 2)}"
    half = text_width(text, SMALL) / 2
    middle = min(max(x, plan.left + half), plan.right - half)
    return [
        Line(
            x1=x,
            y1=plan.head - 1,
            x2=x,
            y2=end,
            width=0.9,
            dash=(1, 2),
            color=QUIET,
            role="benchmark",
        ),
        Text(x=middle, y=10, text=text, size=SMALL, anchor="middle", color=QUIET, role="benchmark"),
    ]


def _header(data: pd.DataFrame, plan: Layout) -> list[Item]:
    y, size = plan.head - 6, plan.style.size
    letter = "r" if data["scale"].eq("z").all() else "β"
    level = f"{100 * float(data['level'].iloc[0]):g}% CI"
    items: list[Item] = [Text(x=plan.label, y=y, text="Study", size=size, bold=True)]
    ends = [(plan.estimate, letter), (plan.high + text_width("]", size), level)]
    if plan.show_weight:
        ends.append((plan.weight, "Weight %"))
    if plan.show_k:
        ends.append((plan.k, "k"))
    if plan.show_n:
        ends.append((plan.n, "N"))
    items += [
        Text(x=x, y=y, text=text, size=size, bold=True, anchor="end", role="header")
        for x, text in ends
    ]
    items.append(Line(x1=plan.left, y1=plan.head - 1, x2=plan.right, y2=plan.head - 1, role="rule"))
    return items


def _row(row: dict[str, Any], plan: Layout, y: float, largest: float, grouped: bool) -> list[Item]:
    size = plan.style.size
    base = y + 0.36 * size
    items = _label(row, plan, base)
    if row["kind"] in ("study", "mean", "prediction"):
        items += _numbers(row, plan, base)
    if row["kind"] == "mean":
        top = y - plan.style.pitch / 2
        items.append(Line(x1=plan.left, y1=top, x2=plan.right, y2=top, width=0.6, role="rule"))
    return items + _marks(row, plan, y, largest, grouped)


def _label(row: dict[str, Any], plan: Layout, base: float) -> list[Item]:
    kind, size, x, label = row["kind"], plan.style.size, plan.label + plan.indent, row["label"]
    if kind == "head":
        text = shortened(label, size, plan.inner, True)
        return [Text(x=plan.label, y=base, text=text, size=size, bold=True, role="head")]
    if kind == "note":
        text = shortened(label, SMALL, plan.axis.right - x)
        full = "" if text == label else label
        return [
            *_cleared(text, x, base, plan),
            Text(x=x, y=base, text=text, size=SMALL, color=QUIET, tooltip=full, role="note"),
        ]
    if kind == "prediction":
        text = prediction_label(label, row["level"], plan)
        return [Text(x=x, y=base, text=text, size=size, role="label")]
    bold = kind == "mean"
    text = shortened(label, size, plan.label_width - plan.indent, bold)
    full = "" if text == row["full_label"] else row["full_label"]
    return [Text(x=x, y=base, text=text, size=size, bold=bold, tooltip=full, role="label")]


def _cleared(text: str, x: float, base: float, plan: Layout) -> list[Item]:
    """White behind a note that runs into the axis, so that no guide crosses it."""
    end = x + text_width(text, SMALL) + 2
    if end < plan.axis.left:
        return []
    height = plan.style.pitch - 2
    return [Rect(x=x, y=base - height + 4, width=end - x, height=height, fill="#FFFFFF")]


def _marks(
    row: dict[str, Any], plan: Layout, y: float, largest: float, grouped: bool
) -> list[Item]:
    axis, pitch, kind = plan.axis, plan.style.pitch, row["kind"]
    if kind == "study":
        items = interval(axis, y, row["effect_low"], row["effect_high"], width=0.6, color=PALE)
        items += interval(axis, y, row["conf_low"], row["conf_high"])
        share = row["weight"] / largest if largest > 0 and not pd.isna(row["weight"]) else 0.25
        side = max(0.62 * pitch * math.sqrt(max(share, 0.0)), FLOOR)
        return items + square(axis, y, row["estimate"], side)
    if kind == "mean":
        half, fill = (0.33, "#FFFFFF") if grouped else (0.42, INK)
        limits = (row["estimate"], row["conf_low"], row["conf_high"])
        return diamond(axis, y, *limits, half * pitch, fill=fill)
    if kind == "prediction":
        return prediction_bar(axis, y, row["conf_low"], row["conf_high"], 0.14 * pitch)
    return []


def _numbers(row: dict[str, Any], plan: Layout, base: float) -> list[Item]:
    size, bold = plan.style.size, row["kind"] == "mean"
    low, high = (printed(reading(row[name], row["scale"])) for name in ("conf_low", "conf_high"))
    texts = [(plan.low, low, "ci"), (plan.high, high, "ci")]
    if row["kind"] != "prediction":
        texts.append((plan.estimate, printed(reading(row["estimate"], row["scale"])), "estimate"))
        if plan.show_weight and not pd.isna(row["weight"]):
            texts.append((plan.weight, f"{row['weight']:.1f}".replace("-", "−"), "weight"))
        if plan.show_k and not pd.isna(row["k_effects"]):
            texts.append((plan.k, f"{row['k_effects']:,.0f}", "k"))
        if plan.show_n and not pd.isna(row["ni"]):
            texts.append((plan.n, f"{row['ni']:,.0f}", "n"))
    items: list[Item] = [
        Text(x=x, y=base, text=text, size=size, anchor="end", bold=bold, role=role)
        for x, text, role in texts
    ]
    before = plan.low - text_width(low, size, bold)
    items.append(Text(x=before, y=base, text="[", size=size, bold=bold, anchor="end"))
    items.append(Text(x=plan.low, y=base, text=",", size=size, bold=bold))
    items.append(Text(x=plan.high, y=base, text="]", size=size, bold=bold))
    return items


def _axis_words(plan: Layout, y: float, title: str, direction: tuple[str, str]) -> list[Item]:
    axis, size = plan.axis, plan.note_size
    zero = axis.at(0)
    low, high = direction
    left = max(zero - 4, plan.label + text_width(low, size))
    right = min(zero + 4, plan.right - text_width(high, size))
    return [
        Text(x=left, y=y + 20, text=low, size=size, anchor="end", color=QUIET, role="direction"),
        Text(x=right, y=y + 20, text=high, size=size, color=QUIET, role="direction"),
        Text(
            x=(axis.left + axis.right) / 2,
            y=y + 30,
            text=title,
            size=7.0,
            anchor="middle",
            color=QUIET,
            role="axis-title",
        ),
    ]
