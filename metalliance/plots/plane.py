"""The frame of a figure with two axes of scores."""

from __future__ import annotations

from dataclasses import dataclass

from metalliance.plots.axis import Axis
from metalliance.plots.scene import GREY, QUIET, Item, Line, Text

__all__ = ["Plane"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """An axis across and an axis up; ``up.left`` is the lower end, in points from the top."""

    across: Axis
    up: Axis

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pair of scores lies, cut at the frame."""
        low, high = sorted((self.up.left, self.up.right))
        px = min(max(self.across.at(x), self.across.left), self.across.right)
        return px, min(max(self.up.at(y), low), high)

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        width: float,
        color: str,
        role: str,
    ) -> list[Item]:
        """A straight line between two pairs of scores, as far as it lies inside."""
        inside = _clipped(start, end, self)
        if inside is None:
            return []
        (x1, y1), (x2, y2) = (self.at(*point) for point in inside)
        return [Line(x1=x1, y1=y1, x2=x2, y2=y2, width=width, color=color, role=role)]

    def frame(self, title_across: str, title_up: str) -> list[Item]:
        """Axes, ticks and titles."""
        bottom, top, left = self.up.left, self.up.right, self.across.left
        items = self.across.draw(bottom, title_across)
        items.append(Line(x1=left, y1=top, x2=left, y2=bottom, color=GREY, role="axis"))
        for value, label in self.up.ticks:
            y = self.up.at(value)
            items.append(Line(x1=left - 3, y1=y, x2=left, y2=y, color=GREY, role="tick"))
            items.append(
                Text(
                    x=left - 6,
                    y=y + 2.5,
                    text=label,
                    size=7,
                    anchor="end",
                    color=QUIET,
                    role="tick",
                )
            )
        items.append(Text(x=left - 28, y=top - 8, text=title_up, size=7, color=QUIET))
        return items


def _clipped(
    start: tuple[float, float], end: tuple[float, float], plane: Plane
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The part of a line inside the frame (Liang and Barsky)."""
    (x1, y1), (x2, y2) = start, end
    dx, dy = x2 - x1, y2 - y1
    first, last = 0.0, 1.0
    bounds = (
        (-dx, x1 - plane.across.low),
        (dx, plane.across.high - x1),
        (-dy, y1 - plane.up.low),
        (dy, plane.up.high - y1),
    )
    for change, room in bounds:
        if change == 0:
            if room < 0:
                return None
        elif change < 0:
            first = max(first, room / change)
        else:
            last = min(last, room / change)
    if first > last:
        return None
    return (x1 + first * dx, y1 + first * dy), (x1 + last * dx, y1 + last * dy)
