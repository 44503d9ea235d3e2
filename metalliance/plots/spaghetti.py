"""Every patient's scores over sessions, some of them with their mean."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from metalliance.plots.axis import plain_axis
from metalliance.plots.plane import Plane
from metalliance.plots.scene import BLUE, QUIET, VERMILLION, Circle, Figure, Item, Line, Scene, Text
from metalliance.traitstate.session_data import SessionData

__all__ = ["spaghetti_data", "spaghetti_plot"]

WIDTH, PANEL, TOP, LEFT = 470.0, 150.0, 26.0, 46.0
STRIP = 46.0  # for the means at the right
BETWEEN = 52.0
SHOWN = 3
THREAD = "#C9CED3"
COLORS = (BLUE, VERMILLION, "#007A5E")  # 9.3, 3.9 and 5.3 to 1 on white


def spaghetti_data(data: SessionData) -> pd.DataFrame:
    """Scores and means by patient.

    Returns
    -------
    DataFrame
        One row per score: ``measure`` alliance or outcome, ``patient``, ``session``, ``score``,
        ``mean`` of the patient, ``shown`` 1 to 3 for the patients that are drawn in colour (of
        low, middle and high mean alliance among those with the most sessions), else 0.
    """
    labels = np.array(data.labels, dtype=object)[data.patient]
    frames = [
        pd.DataFrame(
            {"measure": name, "patient": labels, "session": data.session, "score": scores}
        ).dropna()
        for name, scores in (("alliance", data.alliance), ("outcome", data.outcome))
    ]
    table = pd.concat(frames, ignore_index=True)
    groups = table.groupby(["measure", "patient"], sort=False)["score"]
    table["mean"] = groups.transform("mean")
    return table.assign(shown=table["patient"].map(_chosen(table)).fillna(0).astype(int))


def _chosen(table: pd.DataFrame) -> dict[str, int]:
    """Patients at the 10th, 50th and 90th percentile of mean alliance, of the longer half."""
    alliance = table[table["measure"] == "alliance"].groupby("patient")["score"]
    means = alliance.agg(["mean", "size"])
    long = means[means["size"] >= means["size"].median()].sort_values("mean", kind="stable")
    if len(long) < SHOWN:
        return {}
    places = [round(q * (len(long) - 1)) for q in (0.1, 0.5, 0.9)]
    return {str(long.index[place]): number + 1 for number, place in enumerate(places)}


def spaghetti_plot(table: pd.DataFrame, *, footer: str = "") -> Figure:
    """Draw alliance above outcome.

    Parameters
    ----------
    table : DataFrame
        From `spaghetti_data`.
    footer : str
        Words below.
    """
    items: list[Item] = []
    top = TOP
    for measure in ("alliance", "outcome"):
        part = table[table["measure"] == measure]
        items += _panel(part, measure, top)
        top += PANEL + BETWEEN
    y = top - 14
    note = (
        "Thin lines: patients. In colour: three patients, dashed at their own mean. Dots at the "
        "right: means of all patients."
    )
    items.append(Text(x=8, y=y, text=note, size=6.5, color=QUIET, role="note"))
    if footer:
        y += 12
        items.append(Text(x=8, y=y, text=footer, size=8, bold=True, role="simulated"))
    patients = table["patient"].nunique()
    alt = f"Alliance and outcome over sessions of {patients} patients, with patients' means."
    alt = f"{footer}. {alt}" if footer else alt
    return Figure(pages=(Scene(width=WIDTH, height=y + 8, items=tuple(items)),), alt=alt)


def _panel(part: pd.DataFrame, measure: str, top: float) -> list[Item]:
    if part.empty:
        return []
    across = plain_axis(
        float(part["session"].min()), float(part["session"].max()), LEFT, WIDTH - STRIP - 12
    )
    low, high = float(part["score"].min()), float(part["score"].max())
    plane = Plane(across=across, up=plain_axis(low, high, top + PANEL, top))
    items = plane.frame("Session", measure.capitalize())
    ordered = part.sort_values(["shown", "patient", "session"], kind="stable")
    for _, one in ordered.groupby(["shown", "patient"], sort=False):
        items += _thread(plane, one)
    items += _strip(plane, part)
    return items


def _thread(plane: Plane, one: pd.DataFrame) -> list[Item]:
    shown = int(one["shown"].iloc[0])
    color = COLORS[shown - 1] if shown else THREAD
    points = [plane.at(x, y) for x, y in zip(one["session"], one["score"], strict=True)]
    items: list[Item] = [
        Line(
            x1=a[0],
            y1=a[1],
            x2=b[0],
            y2=b[1],
            width=1.1 if shown else 0.5,
            color=color,
            role="shown" if shown else "patient",
        )
        for a, b in itertools.pairwise(points)
    ]
    if shown:
        mean = float(one["mean"].iloc[0])
        (x1, y), (x2, _) = (
            plane.at(one["session"].min(), mean),
            plane.at(one["session"].max(), mean),
        )
        items.append(
            Line(x1=x1, y1=y, x2=x2, y2=y, width=0.9, color=color, dash=(3, 2), role="mean")
        )
    return items


def _strip(plane: Plane, part: pd.DataFrame) -> list[Item]:
    """Means of all patients beside the panel, spread sideways so that they can be told apart."""
    means = part.drop_duplicates("patient").sort_values(["shown", "patient"], kind="stable")
    left = plane.across.right + 14
    items: list[Item] = []
    for number, row in enumerate(means.to_dict(orient="records")):
        shown = int(row["shown"])
        x = left + (number * 0.618034 % 1) * (STRIP - 22)
        _, y = plane.at(plane.across.low, row["mean"])
        items.append(
            Circle(
                x=x,
                y=y,
                radius=2.4 if shown else 1.3,
                fill=COLORS[shown - 1] if shown else "#7A828A",
                opacity=1.0 if shown else 0.7,
                tooltip=f"{row['patient']}: mean {row['mean']:.2f}",
                role="patient mean",
            )
        )
    middle = left + (STRIP - 22) / 2
    items.append(
        Text(
            x=middle,
            y=plane.up.left + 11,
            text="means",
            size=7,
            anchor="middle",
            color=QUIET,
        )
    )
    return items
