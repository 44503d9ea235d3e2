"""Marks shared by the figures: intervals with clipped ends, squares, diamonds."""

from __future__ import annotations

import math

from metalliance.plots.axis import Axis
from metalliance.plots.scene import INK, VERMILLION, Item, Line, Polygon, Rect

__all__ = ["diamond", "interval", "prediction_bar", "square"]

ARROW = 3.2


def interval(
    axis: Axis, y: float, low: float, high: float, *, width: float = 0.9, color: str = INK
) -> list[Item]:
    """A confidence interval; an end beyond the axis is an arrow at the edge."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return []
    x1, x2 = max(axis.at(low), axis.left), min(axis.at(high), axis.right)
    items: list[Item] = []
    if x1 < x2:
        items.append(Line(x1=x1, y1=y, x2=x2, y2=y, width=width, color=color, role="ci"))
    if axis.at(low) < axis.left - 0.01:
        items.append(_arrow(axis.left, y, -1, color))
    if axis.at(high) > axis.right + 0.01:
        items.append(_arrow(axis.right, y, 1, color))
    return items


def square(axis: Axis, y: float, value: float, side: float, *, fill: str = INK) -> list[Item]:
    """A square whose area stands for a weight; none where the value is off the axis."""
    x = axis.at(value)
    if not axis.left <= x <= axis.right:
        return []
    return [Rect(x=x - side / 2, y=y - side / 2, width=side, height=side, fill=fill, role="square")]


def diamond(
    axis: Axis,
    y: float,
    value: float,
    low: float,
    high: float,
    half: float,
    *,
    fill: str = INK,
) -> list[Item]:
    """A pooled estimate: corners at the limits of its interval, clipped at the edges."""
    x, x1, x2 = (min(max(axis.at(v), axis.left), axis.right) for v in (value, low, high))
    points = ((x1, y), (x, y - half), (x2, y), (x, y + half))
    return [Polygon(points=points, fill=fill, stroke=INK, stroke_width=0.6, role="diamond")]


def prediction_bar(axis: Axis, y: float, low: float, high: float, half: float) -> list[Item]:
    """A prediction interval as a thin bar."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return []
    x1, x2 = max(axis.at(low), axis.left), min(axis.at(high), axis.right)
    if x2 <= x1:
        return []
    items: list[Item] = [
        Rect(x=x1, y=y - half, width=x2 - x1, height=2 * half, fill=VERMILLION, role="pi")
    ]
    if axis.at(low) < axis.left - 0.01:
        items.append(_arrow(axis.left, y, -1, VERMILLION))
    if axis.at(high) > axis.right + 0.01:
        items.append(_arrow(axis.right, y, 1, VERMILLION))
    return items


def _arrow(x: float, y: float, direction: int, color: str) -> Polygon:
    back = x - direction * ARROW
    points = ((x, y), (back, y - ARROW / 2), (back, y + ARROW / 2))
    return Polygon(points=points, fill=color, role="arrow")
