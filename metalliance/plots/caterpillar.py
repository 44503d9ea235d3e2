"""All studies of a large pool ranked on one page, with their effects beside them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metalliance.plots.axis import Axis, effect_axis, printed, reading
from metalliance.plots.forest_rows import normal_quantile, study_labels
from metalliance.plots.marks import interval, square
from metalliance.plots.scene import (
    BLUE,
    GREY,
    QUIET,
    Figure,
    Item,
    Line,
    Rect,
    Scene,
    Text,
    shortened,
    text_width,
)

if TYPE_CHECKING:
    from metalliance.workflow.analysis import Pool

__all__ = ["caterpillar_data", "caterpillar_plot"]

WIDTH = 504.0
ROWS_HEIGHT = 490.0
MARGIN, TOP, GUTTER = 26.0, 22.0, 26.0
WIDEST_PITCH = 4.0
POINT_SIDE = 1.8
NAMED = 5
NAME_PITCH = 8.5
NAME_SIZE = 6.5
CONFIDENCE_BAND, PREDICTION_BAND = "#BFBFBF", "#FBE9DD"


def caterpillar_data(pool: Pool, *, level: float = 0.95) -> pd.DataFrame:
    """Study means and single effects of a pool, each ranked by estimate.

    Parameters
    ----------
    pool : Pool
        Fitted.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        ``kind`` (study, effect, mean, prediction), rank (from 1), label, estimate, conf_low,
        conf_high on the analysis scale, scale, level. Effects are left out where every study
        has one.
    """
    labels = study_labels(pool)
    shown = ["study", "estimate", "conf_low", "conf_high"]
    tables = [_ranked(pool.studies[shown], "study")]
    if pool.counts.effects > pool.counts.studies:
        frame = pool.effects.usable
        half = normal_quantile(level) * np.sqrt(frame["vi"])
        effects = frame[["study"]].assign(
            estimate=frame["yi"], conf_low=frame["yi"] - half, conf_high=frame["yi"] + half
        )
        tables.append(_ranked(effects, "effect"))
    data = pd.concat(tables, ignore_index=True)
    data["label"] = data["study"].map(labels)
    mean = pool.predict.iloc[0]
    pooled = [_pooled("mean", mean, "conf"), _pooled("prediction", mean, "pi")]
    data = pd.concat([data, pd.DataFrame(pooled)], ignore_index=True)
    return data.drop(columns="study").assign(scale=pool.es_metric, level=level)


def _ranked(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    ranked = frame.sort_values(["estimate", "study"], kind="stable").reset_index(drop=True)
    return ranked.assign(kind=kind, rank=np.arange(1, len(ranked) + 1))


def _pooled(kind: str, mean: pd.Series, limits: str) -> dict[str, Any]:
    low, high = mean[f"{limits}_low"], mean[f"{limits}_high"]
    return {"kind": kind, "estimate": mean["estimate"], "conf_low": low, "conf_high": high}


def caterpillar_plot(data: pd.DataFrame, *, axis_title: str, footer: str = "") -> Figure:
    """Draw all studies, and all effects where there are more, ranked by estimate.

    Parameters
    ----------
    data : DataFrame
        From `caterpillar_data`.
    axis_title, footer : str
        Words below the axes.
    """
    kinds = [kind for kind in ("study", "effect") if data["kind"].eq(kind).any()]
    wide = (WIDTH - MARGIN - 8 - GUTTER * (len(kinds) - 1)) / len(kinds)
    studies = int(data["kind"].eq("study").sum())
    height = min(ROWS_HEIGHT, WIDEST_PITCH * studies)
    items: list[Item] = []
    for number, kind in enumerate(kinds):
        left = MARGIN + number * (wide + GUTTER)
        axis = effect_axis(_covered(data), left, left + wide, z_scale=_is_z(data))
        items += _panel(data, kind, axis, height)
        items += axis.draw(TOP + height + 4, axis_title)
    bottom = TOP + height + 44
    percent = _percent(data)
    note = f"Grey band: {percent} CI of the pooled mean"
    if data.loc[data["kind"].eq("prediction"), "conf_low"].notna().all():
        note += f"; orange band: {percent} prediction interval, new study's effect"
    items.append(Text(x=MARGIN, y=bottom, text=f"{note}.", size=6.5, color=QUIET, role="note"))
    if footer:
        bottom += 13
        items.append(Text(x=MARGIN, y=bottom, text=footer, size=8, bold=True, role="simulated"))
    scene = Scene(width=WIDTH, height=bottom + 6, items=tuple(items))
    return Figure(pages=(scene,), alt=_alt(data, footer), description=_description(data, footer))


def _is_z(data: pd.DataFrame) -> bool:
    return bool(data["scale"].eq("z").all())


def _percent(data: pd.DataFrame) -> str:
    return f"{100 * float(data['level'].iloc[0]):g}%"


def _covered(data: pd.DataFrame) -> list[float]:
    rows = data[data["kind"].isin(["study", "effect"])]
    limits = rows[["conf_low", "conf_high"]].to_numpy(dtype=float).ravel()
    pooled = data[data["kind"].isin(["mean", "prediction"])]
    kept = [*np.percentile(limits, [1, 99]), *pooled["conf_low"], *pooled["conf_high"]]
    return [float(value) for value in kept]


def _panel(data: pd.DataFrame, kind: str, axis: Axis, height: float) -> list[Item]:
    rows = data[data["kind"].eq(kind)].sort_values("rank")
    pitch = height / len(rows)
    noun = "studies" if kind == "study" else "effects"
    items: list[Item] = [
        Text(x=axis.left, y=TOP - 9, text=f"{len(rows)} {noun}", size=8, bold=True, role="header")
    ]
    items += _bands(data, axis, height)
    width = min(0.7, max(0.3, 0.5 * pitch))
    for row in rows.to_dict(orient="records"):
        y = TOP + pitch * (row["rank"] - 0.5)
        items += interval(axis, y, row["conf_low"], row["conf_high"], width=width, color=GREY)
    for row in rows.to_dict(orient="records"):
        y = TOP + pitch * (row["rank"] - 0.5)
        items += square(axis, y, row["estimate"], POINT_SIDE, fill=BLUE)
    items += _ranks(axis, len(rows), pitch)
    return [*items, *_names(rows, axis, pitch, height)] if kind == "study" else items


def _bands(data: pd.DataFrame, axis: Axis, height: float) -> list[Item]:
    items: list[Item] = []
    for kind, fill in (("prediction", PREDICTION_BAND), ("mean", CONFIDENCE_BAND)):
        for row in data[data["kind"].eq(kind)].to_dict(orient="records"):
            if math.isfinite(row["conf_low"]) and math.isfinite(row["conf_high"]):
                x1 = max(axis.at(row["conf_low"]), axis.left)
                x2 = min(axis.at(row["conf_high"]), axis.right)
                items.append(Rect(x=x1, y=TOP, width=x2 - x1, height=height, fill=fill, role=kind))
    zero = axis.at(0)
    items.append(Line(x1=zero, y1=TOP, x2=zero, y2=TOP + height + 4, color=GREY, role="null"))
    return items


def _ranks(axis: Axis, count: int, pitch: float) -> list[Item]:
    step = next(s for s in (5, 10, 20, 50, 100, 200, 500, 10**6) if count / s <= 8)
    ranks = [1, *range(step, count + 1, step)]
    return [
        Text(
            x=axis.left - 4,
            y=TOP + pitch * (rank - 0.5) + 2.3,
            text=str(rank),
            size=6.5,
            anchor="end",
            color=QUIET,
            role="rank",
        )
        for rank in ranks
    ]


def _names(rows: pd.DataFrame, axis: Axis, pitch: float, height: float) -> list[Item]:
    """Names of the lowest studies at the upper right, of the highest at the lower left."""
    items: list[Item] = []
    records = rows.to_dict(orient="records")
    named = min(NAMED, len(records) // 4)
    for number in range(named):
        away = 6 + NAME_PITCH * number
        low, high = records[number], records[-1 - number]
        items += _name(low, axis, pitch, TOP + away, "right")
        items += _name(high, axis, pitch, TOP + height - away, "left")
    return items


def _name(row: dict[str, Any], axis: Axis, pitch: float, y: float, side: str) -> list[Item]:
    """A name at the edge of the panel, and a leader to the end of its interval."""
    right = side == "right"
    end = min(max(axis.at(row["conf_high" if right else "conf_low"]), axis.left), axis.right)
    room = (axis.right - end if right else end - axis.left) - 8
    text = shortened(row["label"], NAME_SIZE, max(room, 0))
    if len(text) < min(8, len(row["label"])):
        return []
    at = TOP + pitch * (row["rank"] - 0.5)
    width = text_width(text, NAME_SIZE) + 3
    edge, sign = (axis.right, 1) if right else (axis.left, -1)
    return [
        Line(
            x1=end + sign,
            y1=at,
            x2=edge - sign * width,
            y2=y,
            width=0.35,
            color=GREY,
            role="leader",
        ),
        Text(
            x=edge,
            y=y + 2.3,
            text=text,
            size=NAME_SIZE,
            anchor="end" if right else "start",
            color=QUIET,
            tooltip="" if text == row["label"] else row["label"],
            role="label",
        ),
    ]


def _alt(data: pd.DataFrame, footer: str) -> str:
    studies = data[data["kind"].eq("study")]
    negative = 100 * float((studies["estimate"] < 0).mean())
    head = f"{footer}. " if footer else ""
    return (
        f"{head}Caterpillar plot of {len(studies)} studies ranked by estimate. "
        f"{_pooled_words(data)} {negative:.0f}% of study means are negative."
    )


def _pooled_words(data: pd.DataFrame) -> str:
    letter = "r" if _is_z(data) else "β"
    words = []
    for row in data[data["kind"].isin(["mean", "prediction"])].to_dict(orient="records"):
        mean, low, high = (
            printed(reading(row[name], row["scale"]))
            for name in ("estimate", "conf_low", "conf_high")
        )
        if row["kind"] == "mean":
            words.append(f"Pooled {letter} = {mean}, {_percent(data)} CI {low} to {high}.")
        elif math.isfinite(row["conf_low"]):
            words.append(f"{_percent(data)} prediction interval {low} to {high}.")
    return " ".join(words)


def _description(data: pd.DataFrame, footer: str) -> str:
    studies = data[data["kind"].eq("study")].sort_values("rank")
    low, high = studies.iloc[0], studies.iloc[-1]

    def named(row: pd.Series) -> str:
        return f"{row['label']} ({printed(reading(row['estimate'], row['scale']))})"

    text = f"{_alt(data, footer)} From {named(low)} to {named(high)}."
    effects = int(data["kind"].eq("effect").sum())
    return f"{text} A second panel ranks the {effects} effects." if effects else text
