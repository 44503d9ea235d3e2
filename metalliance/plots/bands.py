"""How the synthesis moves with what it assumes about occasions and about ICCs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from metalliance.plots.axis import Axis, effect_axis, label_of, printed
from metalliance.plots.scene import (
    BLUE,
    GREY,
    INK,
    QUIET,
    Circle,
    Figure,
    Item,
    Line,
    Polygon,
    Scene,
    Text,
)
from metalliance.traitstate.synthesis import Synthesis

__all__ = ["bands_data", "bands_plot"]

WIDTH, HEIGHT = 504.0, 170.0
TOP, LEFT, BETWEEN, ROOM = 34.0, 40.0, 66.0, 40.0
PANEL = (WIDTH - LEFT - BETWEEN - 2 * ROOM) / 2
BAND = "#C9DAE6"
COLORS = {"trait": INK, "state": BLUE}


def bands_data(synthesis: Synthesis) -> pd.DataFrame:
    """Both correlations over the two bands of assumptions.

    Parameters
    ----------
    synthesis : Synthesis

    Returns
    -------
    DataFrame
        panel (occasions or icc), x, icc_y (NaN in the first panel), trait, state, conf_low,
        conf_high (of state).
    """
    lagged = synthesis.lagged_grid.rename(columns={"lagged_share": "x"})
    icc = synthesis.icc_grid.rename(columns={"icc_x": "x"})
    parts = [lagged.assign(panel="occasions", icc_y=np.nan)]
    if len(icc):
        parts.append(icc.assign(panel="icc"))
    data = pd.concat(parts, ignore_index=True)
    data = data.rename(columns={"rho_between": "trait", "rho_within": "state"})
    return data[["panel", "x", "icc_y", "trait", "state", "conf_low", "conf_high"]]


def bands_plot(data: pd.DataFrame, *, level: float = 0.95, footer: str = "") -> Figure:
    """Draw the two bands side by side, on one axis of correlations.

    Parameters
    ----------
    data : DataFrame
        From `bands_data`.
    level : float
        Of the interval of the state-like correlation.
    footer : str
        Set in bold below.
    """
    bottom = TOP + HEIGHT
    values = [*data["trait"], *data["conf_low"], *data["conf_high"]]
    down = effect_axis(
        [float(np.arctanh(np.clip(v, -0.99, 0.99))) for v in values], bottom, TOP, z_scale=True
    )
    items: list[Item] = [Text(x=4, y=TOP - 18, text="Correlation r", size=7, color=QUIET)]
    titles = {
        "occasions": "Deviations at other sessions, share of those at the same one",
        "icc": "Intraclass correlation of the alliance",
    }
    for place, panel in enumerate(data["panel"].unique()):
        rows = data[data["panel"].eq(panel)]
        left = LEFT + place * (PANEL + BETWEEN)
        across = _axis_of(rows["x"], left)
        items += _frame(across, down, bottom, titles[panel])
        items += _curves(rows, across, down)
    percent = f"{100 * level:g}%"
    y = bottom + 38
    for note in (
        "Trait: latent between-patient correlation. State: within-patient correlation of the same "
        f"session, with its {percent} CI.",
        "Left at the mean ICCs; right with unrelated deviations at other sessions.",
    ):
        items.append(Text(x=8, y=y, text=note, size=6.5, color=QUIET, role="note"))
        y += 9
    if footer:
        y += 4
        items.append(Text(x=8, y=y, text=footer, size=8, bold=True, role="simulated"))
        y += 6
    scene = Scene(width=WIDTH, height=y, items=tuple(items))
    return Figure(pages=(scene,), alt=_alt(data, footer))


def _axis_of(x: pd.Series, left: float) -> Axis:
    low, high = float(x.min()), float(x.max())
    margin = 0.04 * max(high - low, 0.1)
    ticks = sorted(set(x))
    return Axis(
        left=left,
        right=left + PANEL,
        low=low - margin,
        high=high + margin,
        ticks=tuple((tick, label_of(tick)) for tick in ticks),
    )


def _frame(across: Axis, down: Axis, bottom: float, title: str) -> list[Item]:
    items = across.draw(bottom)
    middle = (across.left + across.right) / 2
    items.append(Text(x=middle, y=bottom + 24, text=title, size=7, anchor="middle", color=QUIET))
    items.append(Line(x1=across.left, y1=TOP, x2=across.left, y2=bottom, color=GREY, role="axis"))
    for value, label in down.ticks:
        y, x = down.at(value), across.left
        items.append(Line(x1=x - 3, y1=y, x2=x, y2=y, color=GREY, role="tick"))
        items.append(
            Text(x=x - 6, y=y + 2.5, text=label, size=7, anchor="end", color=QUIET, role="tick")
        )
    zero = down.at(0)
    items.append(Line(x1=across.left, y1=zero, x2=across.right, y2=zero, color=GREY, role="null"))
    return items


def _curves(rows: pd.DataFrame, across: Axis, down: Axis) -> list[Item]:
    """The state's interval, then one curve per ICC of the outcome, named at its right end."""

    def path(part: pd.DataFrame, name: str) -> list[tuple[float, float]]:
        return [
            (across.at(x), down.at(float(np.arctanh(np.clip(value, -0.99, 0.99)))))
            for x, value in zip(part["x"], part[name], strict=True)
        ]

    groups = [part for _, part in rows.groupby("icc_y", dropna=False)]
    middle = groups[len(groups) // 2]
    ribbon = (*path(middle, "conf_low"), *reversed(path(middle, "conf_high")))
    items: list[Item] = [Polygon(points=ribbon, fill=BAND, opacity=0.7, role="band")]
    for part in groups:
        items += _curve(path(part, "trait"), COLORS["trait"])
        end = path(part, "trait")[-1]
        name = "trait" if len(groups) == 1 else f"trait, {label_of(part['icc_y'].iloc[0])}"
        items.append(Text(x=end[0] + 5, y=end[1] + 2.5, text=name, size=7, role="name"))
    items += _curve(path(middle, "state"), COLORS["state"])
    end = path(middle, "state")[-1]
    items.append(Text(x=end[0] + 5, y=end[1] + 2.5, text="state", size=7, color=BLUE, role="name"))
    if len(groups) > 1:
        top = min(path(part, "trait")[-1][1] for part in groups)
        x = across.right + 2
        items.append(
            Text(
                x=x, y=max(top, TOP) - 9, text="ICC of outcome", size=6.5, color=QUIET, role="note"
            )
        )
    return items


def _curve(points: Iterable[tuple[float, float]], color: str) -> list[Item]:
    points = list(points)
    lines: list[Item] = [
        Line(x1=a[0], y1=a[1], x2=b[0], y2=b[1], width=1.2, color=color, role="curve")
        for a, b in itertools.pairwise(points)
    ]
    return [*lines, *(Circle(x=x, y=y, radius=1.8, fill=color, role="point") for x, y in points)]


def _alt(data: pd.DataFrame, footer: str) -> str:
    head = f"{footer}. " if footer else ""
    trait = f"{printed(data['trait'].min())} to {printed(data['trait'].max())}"
    state = f"{printed(data['state'].min())} to {printed(data['state'].max())}"
    return (
        f"{head}Two panels. Over the assumed bands the trait-like correlation of the synthesis "
        f"lies from {trait}, the state-like one from {state}."
    )
