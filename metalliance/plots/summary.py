"""The first figure of a report: one diamond and one prediction interval per pool."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalliance.plots.axis import Axis, effect_axis, printed, reading
from metalliance.plots.marks import diamond, prediction_bar
from metalliance.plots.scene import (
    GREY,
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
    wrapped,
)

if TYPE_CHECKING:
    from metalliance.workflow.analysis import Pool

__all__ = ["summary_data", "summary_plot"]

WIDTH = 504.0
NARROWEST = 150.0
MARGIN, GAP = 8.0, 10.0
LINE = 9.0
NARROW_LABEL, WIDE_LABEL = 128.0, 165.0
SIZE, SMALL, NOTE = 8.0, 7.0, 6.5
HEADS = ("Studies", "Effects", "N")
COUNTS = ("studies", "effects", "patients")
LETTERS = {"z": "r", "beta": "β"}
TITLES = {"z": "Correlation r (Fisher-z spaced axis)", "beta": "Standardised coefficient β"}


def summary_data(
    pools: Sequence[Pool], titles: Sequence[str] = (), *, level: float = 0.95
) -> pd.DataFrame:
    """One row per fitted pool.

    Returns
    -------
    DataFrame
        label, studies, effects, patients, estimate, conf_low, conf_high, pi_low, pi_high on the
        analysis scale, scale, imprecise, level. Pools of z stand before pools of beta.
    """
    rows = []
    for pool, title in zip(pools, titles or [pool.key for pool in pools], strict=True):
        if pool.fit is None:
            continue
        mean = pool.predict.iloc[0]
        limits = ("estimate", "conf_low", "conf_high", "pi_low", "pi_high")
        rows.append(
            {
                "label": title,
                **{name: getattr(pool.counts, name) for name in COUNTS},
                **{name: float(mean[name]) for name in limits},
                "scale": pool.es_metric,
                "imprecise": pool.imprecise,
                "level": level,
            }
        )
    data = pd.DataFrame(rows)
    order = data["scale"].map({"z": 0, "beta": 1}).argsort(kind="stable")
    return data.iloc[order].reset_index(drop=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    counts: tuple[float, ...]
    left: float
    right: float
    interval: float
    prediction: float
    width: float
    pitch: float
    room: float


def summary_plot(
    data: pd.DataFrame,
    *,
    benchmark: tuple[float, str] | None = None,
    direction: tuple[str, str] = ("← worse outcome", "better outcome →"),
    footer: str = "",
) -> Figure:
    """Draw the summary: correlations on one axis, coefficients on another below it.

    Parameters
    ----------
    data : DataFrame
        From `summary_data`.
    benchmark : (float, str), optional
        A published r, drawn dotted over the correlations.
    direction : (str, str)
        What lies left and right of zero.
    footer : str
        Set in bold below.
    """
    columns = _columns(data)
    items: list[Item] = []
    y = 12.0
    for scale in ("z", "beta"):
        rows = data[data["scale"].eq(scale)]
        if len(rows):
            mark = benchmark if scale == "z" else None
            drawn, y = _panel(rows, columns, y, mark, direction)
            items += drawn
    percent = _percent(data)
    note = f"Diamond: pooled mean with its {percent} CI; bar: {percent} prediction interval, "
    note += "new study's effect"
    note += ", where five or more clusters inform the mean." if _withheld(data) else "."
    items.append(Text(x=MARGIN, y=y, text=note, size=NOTE, color=QUIET, role="note"))
    if footer:
        y += 13
        items.append(Text(x=MARGIN, y=y, text=footer, size=SIZE, bold=True, role="simulated"))
    scene = Scene(width=columns.width, height=y + 6, items=tuple(items))
    alt = _alt(data, footer)
    return Figure(pages=(scene,), alt=alt, description=_description(data, footer))


def _percent(data: pd.DataFrame) -> str:
    return f"{100 * float(data['level'].iloc[0]):g}%"


def _withheld(data: pd.DataFrame) -> bool:
    return bool(data["pi_low"].isna().any())


def _columns(data: pd.DataFrame) -> _Columns:
    heads = [_split(label)[0] for label in data["label"]]
    room = min(max(widest(heads, SIZE, True), NARROW_LABEL), WIDE_LABEL)
    labels = [_label_lines(row, room) for row in data.to_dict(orient="records")]
    at = MARGIN + widest(["Component", *[lines[0] for lines in labels]], SIZE, True)
    at = max(at, MARGIN + max(widest(lines[1:], SMALL) for lines in labels))
    counts = []
    for head, name in zip(HEADS, COUNTS, strict=True):
        at += GAP + widest([head, *[_count(value) for value in data[name]]], SIZE, True)
        counts.append(at)
    left = at + GAP + 4
    texts = [_texts(row) for row in data.to_dict(orient="records")]
    interval = widest([f"r [{_percent(data)} CI]", *[t[0] for t in texts]], SIZE, True)
    prediction = widest([f"{_percent(data)} PI", *[t[1] for t in texts]], SIZE)
    tail = GAP + 2 + interval + GAP + prediction + MARGIN
    width = max(WIDTH, left + NARROWEST + tail)
    right = width - tail
    end = right + GAP + 2 + interval
    return _Columns(
        counts=tuple(counts),
        left=left,
        right=right,
        interval=end,
        prediction=width - MARGIN,
        width=width,
        room=room,
        pitch=7 + LINE * max(2, *(len(lines) for lines in labels)),
    )


def _label_lines(row: dict[str, Any], room: float) -> list[str]:
    """The bold first line of a label, then small ones."""
    head, *rest = _split(row["label"])
    under = ", ".join([*rest, *(["imprecise (df < 4)"] if row["imprecise"] else [])])
    return [head, *wrapped(under, SMALL, room)]


def _split(label: str) -> list[str]:
    """``Trait-like: between patients`` stands on two lines."""
    head, colon, rest = label.partition(": ")
    if not colon:
        head, _, rest = label.partition(", ")
    return [head, rest] if rest else [head]


def _texts(row: dict[str, Any]) -> tuple[str, str]:
    mean, low, high, pi_low, pi_high = (
        printed(reading(row[name], row["scale"]))
        for name in ("estimate", "conf_low", "conf_high", "pi_low", "pi_high")
    )
    given = math.isfinite(row["pi_low"]) and math.isfinite(row["pi_high"])
    return f"{mean} [{low}, {high}]", f"[{pi_low}, {pi_high}]" if given else "–"


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "–"


def _panel(
    rows: pd.DataFrame,
    columns: _Columns,
    top: float,
    benchmark: tuple[float, str] | None,
    direction: tuple[str, str],
) -> tuple[list[Item], float]:
    scale = str(rows["scale"].iloc[0])
    values = [*rows["conf_low"], *rows["conf_high"], *rows["pi_low"], *rows["pi_high"]]
    if benchmark is not None:
        values.append(math.atanh(benchmark[0]))
        top += 9
    axis = effect_axis(values, columns.left, columns.right, z_scale=scale == "z")
    head = top + 6
    bottom = head + columns.pitch * len(rows)
    items: list[Item] = []
    for number in range(0, len(rows), 2):
        wide = columns.width - 2 * MARGIN + 8
        y = head + columns.pitch * number
        items.append(
            Rect(x=MARGIN - 4, y=y, width=wide, height=columns.pitch, fill=ZEBRA, role="band")
        )
    items += _header(columns, top, head, LETTERS[scale], _percent(rows))
    zero = axis.at(0)
    items.append(Line(x1=zero, y1=head, x2=zero, y2=bottom + 3, color=GREY, role="null"))
    if benchmark is not None:
        items += _benchmark(axis, columns, head, bottom, benchmark)
    for number, row in enumerate(rows.to_dict(orient="records")):
        items += _row(row, columns, axis, head + columns.pitch * (number + 0.5))
    items += axis.draw(bottom + 3)
    items += _words(axis, columns, bottom + 3, TITLES[scale], direction)
    return items, bottom + 50


def _header(columns: _Columns, y: float, rule: float, letter: str, percent: str) -> list[Item]:
    items: list[Item] = [Text(x=MARGIN, y=y, text="Component", size=SIZE, bold=True)]
    ends = [*zip(columns.counts, HEADS, strict=True)]
    ends += [(columns.interval, f"{letter} [{percent} CI]"), (columns.prediction, f"{percent} PI")]
    items += [
        Text(x=x, y=y, text=text, size=SIZE, bold=True, anchor="end", role="header")
        for x, text in ends
    ]
    items.append(Line(x1=MARGIN - 4, y1=rule, x2=columns.width - MARGIN + 4, y2=rule, role="rule"))
    return items


def _row(row: dict[str, Any], columns: _Columns, axis: Axis, y: float) -> list[Item]:
    base = y + 0.36 * SIZE
    head, *under = _label_lines(row, columns.room)
    first = base - LINE * len(under) / 2
    items: list[Item] = [Text(x=MARGIN, y=first, text=head, size=SIZE, bold=True, role="label")]
    items += [
        Text(x=MARGIN, y=first + LINE * line, text=text, size=SMALL, color=QUIET, role="label")
        for line, text in enumerate(under, start=1)
    ]
    items += [
        Text(x=x, y=base, text=_count(row[name]), size=SIZE, anchor="end", role=name)
        for x, name in zip(columns.counts, COUNTS, strict=True)
    ]
    texts = _texts(row)
    items.append(
        Text(x=columns.interval, y=base, text=texts[0], size=SIZE, anchor="end", bold=True)
    )
    items.append(Text(x=columns.prediction, y=base, text=texts[1], size=SIZE, anchor="end"))
    items += prediction_bar(axis, y, row["pi_low"], row["pi_high"], 1.3)
    limits = (row["estimate"], row["conf_low"], row["conf_high"])
    return items + diamond(axis, y, *limits, 5.5)


def _benchmark(
    axis: Axis, columns: _Columns, top: float, bottom: float, benchmark: tuple[float, str]
) -> list[Item]:
    r, label = benchmark
    x = axis.at(math.atanh(r))
    text = f"{label}: r = {printed(r, 3 if round(r, 2) != r else 2)}"
    half = text_width(text, NOTE) / 2
    middle = min(max(x, MARGIN + half), columns.width - MARGIN - half)
    line = Line(
        x1=x,
        y1=top,
        x2=x,
        y2=bottom + 3,
        width=0.9,
        dash=(1, 2),
        color=QUIET,
        role="benchmark",
    )
    return [line, Text(x=middle, y=top - 17, text=text, size=NOTE, anchor="middle", color=QUIET)]


def _words(
    axis: Axis, columns: _Columns, y: float, title: str, direction: tuple[str, str]
) -> list[Item]:
    zero, (low, high) = axis.at(0), direction
    left = max(zero - 4, MARGIN + text_width(low, NOTE))
    right = min(zero + 4, columns.width - MARGIN - text_width(high, NOTE))
    middle = (axis.left + axis.right) / 2
    return [
        Text(x=left, y=y + 20, text=low, size=NOTE, anchor="end", color=QUIET),
        Text(x=right, y=y + 20, text=high, size=NOTE, color=QUIET),
        Text(x=middle, y=y + 30, text=title, size=SMALL, anchor="middle", color=QUIET),
    ]


def _sentences(data: pd.DataFrame) -> list[str]:
    sentences = []
    for row in data.to_dict(orient="records"):
        interval, prediction = _texts(row)
        text = f"{row['label']}: {LETTERS[row['scale']]} = {interval}"
        if prediction != "–":
            text += f", {_percent(data)} prediction interval {prediction}"
        sentences.append(f"{text}.")
    return sentences


def _alt(data: pd.DataFrame, footer: str) -> str:
    head = f"{footer}. " if footer else ""
    text = f"{head}Pooled associations. {' '.join(_sentences(data))}"
    return text if len(text) <= 250 else f"{text[:249].rsplit(' ', 1)[0]}…"


def _description(data: pd.DataFrame, footer: str) -> str:
    lines = [f"{footer}."] if footer else []
    for text, row in zip(_sentences(data), data.to_dict(orient="records"), strict=True):
        size = f"{_count(row['studies'])} studies, {_count(row['effects'])} effects"
        lines.append(f"{text[:-1]} ({size}).")
    return " ".join(lines)
