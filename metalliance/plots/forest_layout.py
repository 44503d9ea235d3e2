"""Where the columns of a forest plot stand, measured from what they print."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.plots.axis import Axis, effect_axis, printed, reading
from metalliance.plots.scene import text_width, widest

__all__ = ["PAGED", "SINGLE", "Layout", "Style", "layout", "prediction_label", "whole"]

WIDTH = 504.0  # 7 in
PANEL = 187.0  # 2.6 in
NARROWEST = 158.0  # 2.2 in
MARGIN = 8.0
GAP = 8.0
LONGEST_LABEL = 30
INDENT = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Height of a row and size of its text, in points."""

    pitch: float
    size: float


SINGLE = Style(pitch=13.7, size=8.0)
PAGED = Style(pitch=11.9, size=7.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Positions of the columns of every page.

    ``label`` is a left edge; ``k``, ``n``, ``estimate``, ``low``, ``high`` and ``weight`` are
    right edges of digits. A column that says nothing is not shown.
    """

    style: Style
    width: float
    label: float
    label_width: float
    indent: float
    k: float
    n: float
    axis: Axis
    estimate: float
    low: float
    high: float
    weight: float
    show_k: bool
    show_n: bool
    show_weight: bool
    head: float
    note_size: float = 6.5

    @property
    def left(self) -> float:
        """Left end of rules and bands."""
        return MARGIN - 4

    @property
    def right(self) -> float:
        """Right end of rules and bands."""
        return self.width - MARGIN + 4

    @property
    def inner(self) -> float:
        """Width between the margins."""
        return self.width - 2 * MARGIN


def layout(data: pd.DataFrame, style: Style, benchmark: tuple[float, str] | None) -> Layout:
    """Measure the columns; the axis takes what is left, and the page grows if that is little."""
    size = style.size
    studies = data[data["kind"].eq("study")]
    show_k = bool((studies["k_effects"] > 1).any())
    show_n = bool(studies["ni"].notna().any())
    show_weight = bool(studies["weight"].notna().any())
    indent = INDENT if data["kind"].eq("head").any() else 0.0
    label_width = indent + _label_width(data, size)
    label = MARGIN
    k = label + label_width
    if show_k:
        k += GAP + widest(["k", *whole(data["k_effects"])], size, True)
    n = k
    if show_n:
        n += GAP + widest(["N", *whole(data["ni"])], size, True)
    left = n + GAP + 4
    point = widest(["Mean", *_texts(data, "estimate")], size, True)
    low = widest(["[", *_texts(data, "conf_low")], size, True)
    high = widest(_texts(data, "conf_high"), size, True)
    bracket, comma = text_width("[", size, True), text_width(", ", size, True)
    weight = GAP + widest(["Weight %", "100.0"], size, True) if show_weight else 0.0
    tail = GAP + 4 + point + GAP + bracket + low + comma + high + bracket + weight
    width = max(WIDTH, left + NARROWEST + tail + MARGIN)
    right = min(width - MARGIN - tail, left + 1.35 * PANEL)
    width = right + tail + MARGIN
    low_end = right + GAP + 4 + point + GAP + bracket + low
    return Layout(
        style=style,
        width=width,
        label=label,
        label_width=label_width,
        indent=indent,
        k=k,
        n=n,
        axis=effect_axis(_covered(data, benchmark), left, right, z_scale=_is_z(data)),
        estimate=right + GAP + 4 + point,
        low=low_end,
        high=low_end + comma + high,
        weight=width - MARGIN,
        show_k=show_k,
        show_n=show_n,
        show_weight=show_weight,
        head=30.0 if benchmark is not None and _is_z(data) else 19.0,
    )


def prediction_label(label: str, level: float, plan: Layout) -> str:
    """The longest form of the label that leaves the axis free."""
    percent = f"{100 * level:g}%"
    room = plan.axis.left - 6 - plan.label - plan.indent
    full = f"{percent} {label}"
    for text in (full, full.replace("prediction interval", "PI")):
        if text_width(text, plan.style.size) <= room:
            return text
    return full.split(",")[0]


def whole(values: pd.Series) -> list[str]:
    """Counts with thousands separated; empty where absent."""
    return ["" if pd.isna(value) else f"{value:,.0f}" for value in values]


def _label_width(data: pd.DataFrame, size: float) -> float:
    studies = [str(label) for label in data.loc[_is(data, "study"), "label"]]
    means = [str(label) for label in data.loc[_is(data, "mean"), "label"]]
    longest = widest(["n" * LONGEST_LABEL], size)
    return max(min(widest(studies, size), longest), widest([*means, "Study"], size, True))


def _is(data: pd.DataFrame, kind: str) -> pd.Series:
    return data["kind"].eq(kind)


def _is_z(data: pd.DataFrame) -> bool:
    return bool(data["scale"].eq("z").all())


def _texts(data: pd.DataFrame, name: str) -> list[str]:
    values = zip(data[name].astype(float), data["scale"], strict=True)
    return [printed(reading(value, scale)) for value, scale in values]


def _covered(data: pd.DataFrame, benchmark: tuple[float, str] | None) -> list[float]:
    """What the axis must show: nearly all study limits, every pooled limit, the benchmark."""
    limits = data.loc[_is(data, "study"), ["conf_low", "conf_high"]].to_numpy(dtype=float).ravel()
    limits = limits[np.isfinite(limits)]
    pooled = data[data["kind"].isin(["mean", "prediction"])]
    kept = [*np.percentile(limits, [1, 99])] if limits.size else []
    kept += [*pooled["conf_low"].astype(float), *pooled["conf_high"].astype(float)]
    if benchmark is not None and _is_z(data):
        kept.append(math.atanh(benchmark[0]))
    return [float(value) for value in kept]
