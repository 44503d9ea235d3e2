"""The forest plot: studies, their weights, the pooled means and prediction intervals."""

from __future__ import annotations

import pandas as pd

from metalliance.plots.axis import printed, reading
from metalliance.plots.forest_layout import PAGED, SINGLE, Layout, Style, layout
from metalliance.plots.forest_page import around, page_scene
from metalliance.plots.forest_rows import forest_data
from metalliance.plots.paging import paged
from metalliance.plots.scene import Figure, wrapped

__all__ = ["forest_data", "forest_plot"]

TALLEST = 676.8  # 9.4 in
ROWS_PER_PAGE = 50
PAGED_ABOVE = 60
ALT_LIMIT = 250


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
        Words below the axis; ``footer`` is set in bold.
    benchmark : (float, str), optional
        A published r, drawn dotted with its label; never pooled.
    direction : (str, str)
        What lies left and right of zero.

    Returns
    -------
    Figure
        On pages of at most 50 rows where there are more than 60 studies or one page cannot
        hold the rows; every page has the same axis.
    """
    plan = layout(data, SINGLE, benchmark)
    model = wrapped(model_line, plan.note_size, plan.inner)
    style, capacity = _page_format(data, plan.head + around(len(model) + 2, footer))
    plan = layout(data, style, benchmark)
    pages = paged(data, capacity)
    scenes = tuple(
        page_scene(
            rows,
            data,
            plan,
            axis_title=axis_title,
            direction=direction,
            benchmark=benchmark,
            notes=(*model, *_legend(data, plan, number, len(pages))),
            footer=footer,
        )
        for number, rows in enumerate(pages, start=1)
    )
    return Figure(pages=scenes, alt=_alt(data, footer), description=_description(data, footer))


def _page_format(data: pd.DataFrame, taken: float) -> tuple[Style, int]:
    """Roomy or compact rows, and how many of them fit a page."""
    studies = int(data["kind"].eq("study").sum())
    if studies <= PAGED_ABOVE:
        for style in (SINGLE, PAGED):
            if taken + style.pitch * len(data) <= TALLEST:
                return style, len(data)
    return PAGED, min(ROWS_PER_PAGE, int((TALLEST - taken) // PAGED.pitch))


def _legend(data: pd.DataFrame, plan: Layout, page: int, pages: int) -> tuple[str, ...]:
    within = " within the component" if data["kind"].eq("head").any() else ""
    parts = [f"Square area is proportional to weight{within}"] if plan.show_weight else []
    if plan.show_k:
        parts.append("k: effects; grey line: a typical single effect of the study")
    limits = data[["conf_low", "conf_high", "effect_low", "effect_high"]].astype(float)
    if (limits < plan.axis.low).any(axis=None) or (limits > plan.axis.high).any(axis=None):
        parts.append("arrow: the interval goes on")
    if pages > 1:
        parts.append(f"page {page} of {pages}")
    text = "; ".join(parts)
    return wrapped(f"{text[0].upper()}{text[1:]}." if text else "", plan.note_size, plan.inner)


def _alt(data: pd.DataFrame, footer: str) -> str:
    studies = int(data["kind"].eq("study").sum())
    effects = int(data.loc[data["kind"].eq("study"), "k_effects"].sum())
    size = f"{studies} {'study' if studies == 1 else 'studies'}"
    if effects > studies:
        size += f" ({effects} effects)"
    head = f"{footer}. " if footer else ""
    text = f"{head}Forest plot of {size}. {' '.join(_findings(data))}"
    return text if len(text) <= ALT_LIMIT else text[: ALT_LIMIT - 1].rsplit(" ", 1)[0] + "…"


def _findings(data: pd.DataFrame) -> list[str]:
    several = data["kind"].eq("mean").sum() > 1
    found = []
    for row in data[data["kind"].isin(["mean", "prediction"])].to_dict(orient="records"):
        low, high = (
            printed(reading(row[name], row["scale"])) for name in ("conf_low", "conf_high")
        )
        percent = f"{100 * row['level']:g}%"
        if row["kind"] == "mean":
            name = f"{row['group']}: pooled" if several else "Pooled"
            letter = "r" if row["scale"] == "z" else "β"
            mean = printed(reading(row["estimate"], row["scale"]))
            found.append(f"{name} {letter} = {mean}, {percent} CI {low} to {high}.")
        else:
            found.append(f"{percent} prediction interval {low} to {high}.")
    return found


def _description(data: pd.DataFrame, footer: str) -> str:
    lines = [f"{footer}."] if footer else []
    lines += _findings(data)
    for row in data[data["kind"].eq("study")].to_dict(orient="records"):
        mean, low, high = (
            printed(reading(row[name], row["scale"]))
            for name in ("estimate", "conf_low", "conf_high")
        )
        lines.append(f"{row['full_label']}: {mean}, {low} to {high}.")
    return " ".join(lines)
