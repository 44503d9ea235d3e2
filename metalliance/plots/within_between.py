"""Patients' means and what happens about them: two slopes in one picture."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from metalliance.plots.axis import plain_axis, printed
from metalliance.plots.plane import Plane
from metalliance.plots.scene import BLUE, QUIET, VERMILLION, Circle, Figure, Item, Scene, Text
from metalliance.traitstate.session_data import SessionData

__all__ = ["within_between_data", "within_between_plot"]

WIDTH, HEIGHT, TOP, LEFT, RIGHT = 470.0, 260.0, 26.0, 46.0, 14.0
DOT = "#7A828A"
RUST = "#A84600"  # the colour of the short lines, dark enough for text: 5.8 to 1
PERCENT = (2, 98)
NOTES = (
    "Dots: patients' means over complete sessions. A positive r: better alliance, better outcome.",
    "Short lines are as long as two standard deviations of the patient's own alliance.",
)


def within_between_data(data: SessionData, table: pd.DataFrame) -> pd.DataFrame:
    """Patient means, own slopes and the two common slopes.

    Parameters
    ----------
    data : SessionData
    table : DataFrame
        Effects by person-mean centring, oriented; of ``between_observed`` and ``within``
        (``concurrent_r``) the slope is read.

    Returns
    -------
    DataFrame
        ``kind`` patient (``x``, ``y``: means of complete sessions, outcome as scored;
        ``spread``: the patient's own standard deviation of alliance; ``sessions``), between or
        within (``slope`` in the direction of the scores, ``label``).
    """
    complete = ~(np.isnan(data.alliance) | np.isnan(data.outcome))
    frame = pd.DataFrame(
        {
            "label": np.array(data.labels, dtype=object)[data.patient[complete]],
            "alliance": data.alliance[complete],
            "outcome": data.outcome[complete],
        }
    )
    groups = frame.groupby("label", sort=False)
    patients = pd.DataFrame(
        {
            "x": groups["alliance"].mean(),
            "y": groups["outcome"].mean(),
            "spread": groups["alliance"].std(),
            "sessions": groups.size(),
        }
    ).reset_index()
    rows = [patients.assign(kind="patient")]
    for kind, component, estimand in (
        ("between", "between_observed", "NA"),
        ("within", "within", "concurrent_r"),
    ):
        found = table[(table["component"] == component) & (table["estimand"] == estimand)]
        if len(found):
            one = found.iloc[0]
            text = f"r = {printed(one['estimate'])} [{printed(one['conf_low'])}, "
            text += f"{printed(one['conf_high'])}]"
            rows.append(pd.DataFrame({"kind": [kind], "slope": [one["slope"]], "label": [text]}))
    return pd.concat(rows, ignore_index=True)


def within_between_plot(table: pd.DataFrame, *, worse: bool, footer: str = "") -> Figure:
    """Draw the means, the slope through them, and at each mean the slope within patients.

    Parameters
    ----------
    table : DataFrame
        From `within_between_data`.
    worse : bool
        Whether a high outcome score means worse; slopes are then drawn as scored.
    footer : str
        Words below.
    """
    sign = -1.0 if worse else 1.0
    patients = table[table["kind"] == "patient"]
    slopes = {str(row["kind"]): row for _, row in table.iterrows() if row["kind"] != "patient"}
    plane = _plane(patients)
    direction = "high is worse" if worse else "high is better"
    items = plane.frame("Alliance", f"Outcome ({direction})")
    if "within" in slopes:
        items += _own_slopes(plane, patients, sign * float(slopes["within"]["slope"]))
    items += [
        Circle(
            x=plane.at(row["x"], row["y"])[0],
            y=plane.at(row["x"], row["y"])[1],
            radius=1.7,
            fill=DOT,
            opacity=0.8,
            tooltip=f"{row['label']}: {row['sessions']:.0f} sessions",
            role="patient mean",
        )
        for row in patients.to_dict(orient="records")
    ]
    if "between" in slopes:
        items += _through_means(plane, patients, sign * float(slopes["between"]["slope"]))
    y = plane.up.left + 36
    notes = _legend(slopes)
    for text, color in notes:
        items.append(Text(x=8, y=y, text=text, size=7.5, bold=True, color=color, role="note"))
        y += 11
    for text in NOTES:
        items.append(Text(x=8, y=y, text=text, size=6.5, color=QUIET, role="note"))
        y += 9
    y -= 9
    if footer:
        y += 12
        items.append(Text(x=8, y=y, text=footer, size=8, bold=True, role="simulated"))
    alt = f"Mean alliance and outcome of {len(patients)} patients. " + " ".join(
        f"{text}." for text, _ in notes
    )
    alt = f"{footer}. {alt}" if footer else alt
    return Figure(pages=(Scene(width=WIDTH, height=y + 8, items=tuple(items)),), alt=alt)


def _legend(slopes: dict[str, pd.Series]) -> list[tuple[str, str]]:
    notes = []
    if "between" in slopes:
        what = "Between patients (long line): who has the better alliance"
        notes.append((f"{what}, {slopes['between']['label']}", BLUE))
    if "within" in slopes:
        what = "Within patients (short lines): when alliance is better than this patient's usual"
        notes.append((f"{what}, {slopes['within']['label']}", RUST))
    return notes


def _plane(patients: pd.DataFrame) -> Plane:
    spread = patients["spread"].fillna(0.0)
    low, high = float((patients["x"] - spread).min()), float((patients["x"] + spread).max())
    room = 0.08 * (float(patients["y"].max()) - float(patients["y"].min()))
    return Plane(
        across=plain_axis(low, high, LEFT, WIDTH - RIGHT),
        up=plain_axis(
            float(patients["y"].min()) - room,
            float(patients["y"].max()) + room,
            TOP + HEIGHT,
            TOP,
        ),
    )


def _own_slopes(plane: Plane, patients: pd.DataFrame, slope: float) -> list[Item]:
    items: list[Item] = []
    for row in patients.to_dict(orient="records"):
        half = float(row["spread"])
        if math.isfinite(half) and half > 0:
            start = (row["x"] - half, row["y"] - slope * half)
            end = (row["x"] + half, row["y"] + slope * half)
            items += plane.line(start, end, width=0.8, color=VERMILLION, role="within")
    return items


def _through_means(plane: Plane, patients: pd.DataFrame, slope: float) -> list[Item]:
    """The line through the mean of the means, over all but the outermost means."""
    middle = float(patients["x"].mean()), float(patients["y"].mean())
    low, high = np.percentile(patients["x"], PERCENT)
    start = (float(low), middle[1] + slope * (float(low) - middle[0]))
    end = (float(high), middle[1] + slope * (float(high) - middle[0]))
    return plane.line(start, end, width=2.4, color=BLUE, role="between")
