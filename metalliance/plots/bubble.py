"""Effects against the sophistication index, with the fitted line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metalliance.plots.axis import Axis, effect_axis, label_of, printed
from metalliance.plots.scene import (
    BLUE,
    GREY,
    INK,
    QUIET,
    VERMILLION,
    Circle,
    Figure,
    Item,
    Line,
    Polygon,
    Scene,
    Text,
)

if TYPE_CHECKING:
    from metalliance.traitstate.sophistication import SophisticationResult
    from metalliance.workflow.analysis import Pool

__all__ = ["bubble_data", "bubble_plot"]

WIDTH, HEIGHT = 430.0, 250.0
LEFT, RIGHT, TOP = 46.0, 14.0, 22.0
LARGEST, SMALLEST = 9.0, 1.2
BAND = "#D9D9D9"
FEWEST_DF = 4
WITHIN = "sophistication_within"
PER = 0.1
DASHED, DOTTED = (5.0, 2.5), (1.2, 1.8)


def bubble_data(
    result: SophisticationResult, pool: Pool, curve: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Effects, fitted lines and slopes of a regression on the sophistication index.

    Parameters
    ----------
    result : SophisticationResult
        Not withheld.
    pool : Pool
        The pool that was regressed.
    curve : DataFrame, optional
        A bent line beside the straight one: sophistication, estimate.

    Returns
    -------
    DataFrame
        ``kind`` effect (x, estimate, weight = 1/v, label), line (x, estimate, conf_low,
        conf_high), within (x, estimate: the slope inside studies, drawn through the mean, as far
        as effects lie from the mean of their study), curve (x, estimate) or slope (label,
        estimate, conf_low, conf_high per .1 of the index, df); on the analysis scale, which
        ``scale`` names.
    """
    effects = result.effects
    names = effects["study"].astype(str) + ", " + effects["effect"].astype(str)
    points = pd.DataFrame(
        {
            "kind": "effect",
            "label": names,
            "x": effects["sophistication"],
            "estimate": effects["yi"],
            "weight": 1 / effects["vi"],
        }
    )
    line = result.line.rename(columns={"sophistication": "x"})
    line = line[["x", "estimate", "conf_low", "conf_high"]].assign(kind="line")
    slopes = result.slopes[["term", "estimate", "conf_low", "conf_high", "df"]]
    within = slopes["term"].astype(str).str.endswith("within")
    named = slopes.assign(kind="slope", label=np.where(within, "within studies", "between studies"))
    parts = [points, line, _within_line(result), named.drop(columns="term")]
    if curve is not None and len(curve):
        bent = curve.rename(columns={"sophistication": "x"})[["x", "estimate"]]
        parts.append(bent.assign(kind="curve"))
    data = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return data.assign(scale=pool.es_metric)


def _within_line(result: SophisticationResult) -> pd.DataFrame:
    """The slope inside studies, through the fitted mean at the mean index."""
    slope = result.slopes[result.slopes["term"].eq(WITHIN)]
    if slope.empty or result.line.empty:
        return pd.DataFrame()
    reach = np.array([result.effects[WITHIN].min(), 0.0, result.effects[WITHIN].max()])
    line = result.line
    middle = np.interp(result.centre, line["sophistication"], line["estimate"])
    rise = float(slope["estimate"].iloc[0]) / PER
    x = result.centre + reach
    return pd.DataFrame({"kind": "within", "x": x, "estimate": middle + rise * reach})


def bubble_plot(data: pd.DataFrame, *, axis_title: str, footer: str = "") -> Figure:
    """Draw the bubble plot.

    Parameters
    ----------
    data : DataFrame
        From `bubble_data`.
    axis_title, footer : str
        Words beside and below.
    """
    effects = data[data["kind"].eq("effect")]
    bottom = TOP + HEIGHT
    values = [*effects["estimate"], *data.loc[data["kind"].eq("line"), "conf_low"]]
    values += [*data.loc[data["kind"].eq("line"), "conf_high"]]
    is_z = bool(data["scale"].eq("z").all())
    down = effect_axis(values, bottom, TOP, z_scale=is_z)
    across = _index_axis(effects["x"].astype(float))
    items = _frame(across, down, bottom)
    items += _line(data[data["kind"].eq("line")], across, down)
    items += _bubbles(effects, across, down)
    items += _path(data[data["kind"].eq("curve")], across, down, INK, DOTTED, "curve")
    items += _path(data[data["kind"].eq("within")], across, down, VERMILLION, DASHED, "within")
    title = f"{axis_title}, against the sophistication index (0 to 1)"
    items.append(Text(x=4, y=9, text=axis_title.split(" (")[0], size=7, color=QUIET))
    items.append(
        Text(
            x=(across.left + across.right) / 2,
            y=bottom + 24,
            text="Sophistication index",
            size=7,
            anchor="middle",
            color=QUIET,
        )
    )
    y = bottom + 38
    for note in [*_slope_notes(data), *_drawn(data), "Circle area is proportional to 1/v."]:
        items.append(Text(x=8, y=y, text=note, size=6.5, color=QUIET, role="note"))
        y += 9
    if footer:
        y += 4
        items.append(Text(x=8, y=y, text=footer, size=8, bold=True, role="simulated"))
        y += 6
    scene = Scene(width=WIDTH, height=y, items=tuple(items))
    alt = _alt(data, footer)
    return Figure(pages=(scene,), alt=alt, description=f"{alt} {title}.")


def _index_axis(x: pd.Series) -> Axis:
    low = max(math.floor(float(x.min()) * 10) / 10, 0.0)
    high = min(math.ceil(float(x.max()) * 10) / 10, 1.0)
    if high - low < 0.1:
        low, high = max(low - 0.1, 0.0), min(high + 0.1, 1.0)
    step = 0.1 if high - low <= 0.8 else 0.2
    first = math.ceil(low / step - 1e-9)
    ticks = [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return Axis(
        left=LEFT,
        right=WIDTH - RIGHT,
        low=low - 0.02,
        high=high + 0.02,
        ticks=tuple((tick, label_of(tick)) for tick in ticks),
    )


def _frame(across: Axis, down: Axis, bottom: float) -> list[Item]:
    items = across.draw(bottom)
    items.append(Line(x1=across.left, y1=TOP, x2=across.left, y2=bottom, color=GREY, role="axis"))
    for value, label in down.ticks:
        y = down.at(value)
        items.append(Line(x1=across.left - 3, y1=y, x2=across.left, y2=y, color=GREY, role="tick"))
        items.append(
            Text(
                x=across.left - 6,
                y=y + 2.5,
                text=label,
                size=7,
                anchor="end",
                color=QUIET,
                role="tick",
            )
        )
    zero = down.at(0)
    items.append(Line(x1=across.left, y1=zero, x2=across.right, y2=zero, color=GREY, role="null"))
    return items


def _line(line: pd.DataFrame, across: Axis, down: Axis) -> list[Item]:
    if line.empty:
        return []

    def path(name: str) -> list[tuple[float, float]]:
        low, high = sorted((down.left, down.right))
        return [
            (across.at(x), min(max(down.at(value), low), high))
            for x, value in zip(line["x"], line[name], strict=True)
        ]

    band = (*path("conf_low"), *reversed(path("conf_high")))
    middle = path("estimate")
    items: list[Item] = [Polygon(points=band, fill=BAND, opacity=0.6, role="band")]
    for start, end in itertools.pairwise(middle):
        items.append(
            Line(x1=start[0], y1=start[1], x2=end[0], y2=end[1], width=1.2, color=INK, role="fit")
        )
    return items


def _path(
    line: pd.DataFrame,
    across: Axis,
    down: Axis,
    color: str,
    dash: tuple[float, ...],
    role: str,
) -> list[Item]:
    low, high = sorted((down.left, down.right))
    points = [
        (across.at(x), min(max(down.at(y), low), high))
        for x, y in zip(line["x"], line["estimate"], strict=True)
    ]
    return [
        Line(x1=a[0], y1=a[1], x2=b[0], y2=b[1], width=1.6, color=color, dash=dash, role=role)
        for a, b in itertools.pairwise(points)
    ]


def _drawn(data: pd.DataFrame) -> list[str]:
    """What the further lines are."""
    kinds = set(data["kind"])
    notes = []
    if "within" in kinds:
        notes.append("Dashed: the slope within studies, through the mean.")
    if "curve" in kinds:
        notes.append("Dotted: natural cubic spline between studies.")
    return notes


def _bubbles(effects: pd.DataFrame, across: Axis, down: Axis) -> list[Item]:
    """Largest first, so that no small circle hides behind a large one."""
    largest = float(effects["weight"].max())
    items: list[Item] = []
    ordered = effects.sort_values("weight", ascending=False, kind="stable")
    for row in ordered.to_dict(orient="records"):
        radius = max(LARGEST * math.sqrt(row["weight"] / largest), SMALLEST)
        low, high = sorted((down.left, down.right))
        y = min(max(down.at(row["estimate"]), low), high)
        items.append(
            Circle(
                x=across.at(row["x"]),
                y=y,
                radius=radius,
                fill=BLUE,
                stroke=BLUE,
                opacity=0.25,
                tooltip=row["label"],
                role="effect",
            )
        )
    return items


def _slope_notes(data: pd.DataFrame) -> list[str]:
    return [f"{text[0].upper()}{text[1:]}" for text in _slope_texts(data)]


def _slope_texts(data: pd.DataFrame) -> list[str]:
    letter = "Fisher's z" if data["scale"].eq("z").all() else "β"
    return [_slope_text(row, letter) for row in _records(data, "slope")]


def _slope_text(row: dict[str, Any], letter: str) -> str:
    mean, low, high = (printed(row[name], 3) for name in ("estimate", "conf_low", "conf_high"))
    text = f"{row['label']}: {letter} changes by {mean} [{low}, {high}] per .1 of the index"
    return f"{text}; imprecise (df < 4)." if row["df"] < FEWEST_DF else f"{text}."


def _records(data: pd.DataFrame, kind: str) -> Sequence[dict[str, Any]]:
    rows: list[dict[str, Any]] = data[data["kind"].eq(kind)].to_dict(orient="records")
    return rows


def _alt(data: pd.DataFrame, footer: str) -> str:
    effects = data[data["kind"].eq("effect")]
    head = f"{footer}. " if footer else ""
    text = (
        f"{head}Bubble plot of {len(effects)} effects against the sophistication index. "
        f"{' '.join(_slope_notes(data))}"
    )
    return text if len(text) <= 250 else f"{text[:249].rsplit(' ', 1)[0]}…"
