"""The horizontal axis of an effect: z-spaced with r labels, or plain coefficients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metalliance.plots.scene import GREY, QUIET, Item, Line, Text, text_width

__all__ = ["Axis", "effect_axis", "label_of", "plain_axis", "printed", "reading"]

R_TICKS = (-0.95, -0.9, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
FINE_TICKS = tuple(r / 10 for r in range(-9, 10))
TICK_SIZE = 7.0
GAP = 4.0
ROOMY = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Positions of values between two margins.

    Attributes
    ----------
    left, right : float
        Margins in points.
    low, high : float
        Values there, on the analysis scale.
    ticks : tuple of (float, str)
        Value and label.
    """

    left: float
    right: float
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float) -> float:
        """Position of a value in points, not clipped."""
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)

    def holds(self, value: float) -> bool:
        """Tell whether a value lies on the axis."""
        return bool(self.low - 1e-9 <= value <= self.high + 1e-9)

    def draw(self, y: float, title: str = "") -> list[Item]:
        """Line, ticks, labels, and a title below."""
        items: list[Item] = [Line(x1=self.left, y1=y, x2=self.right, y2=y, color=GREY)]
        for value, label in self.ticks:
            x = self.at(value)
            items.append(Line(x1=x, y1=y, x2=x, y2=y + 3, color=GREY, role="tick"))
            items.append(
                Text(
                    x=x,
                    y=y + 11,
                    text=label,
                    size=TICK_SIZE,
                    anchor="middle",
                    color=QUIET,
                    role="tick",
                )
            )
        if title:
            middle = (self.left + self.right) / 2
            items.append(
                Text(x=middle, y=y + 21, text=title, size=TICK_SIZE, anchor="middle", color=QUIET)
            )
        return items


def effect_axis(values: Sequence[float], left: float, right: float, *, z_scale: bool) -> Axis:
    """An axis that covers ``values`` and zero, with ticks that do not touch.

    Parameters
    ----------
    values : sequence of float
        Limits to be covered, on the analysis scale; NaN is passed over.
    left, right : float
        Margins in points.
    z_scale : bool
        Values are Fisher's z and labels are r.
    """
    finite = np.asarray([value for value in values if math.isfinite(value)] or [0.0, 0.1])
    low, high = min(float(finite.min()), 0.0), max(float(finite.max()), 0.0)
    candidates = _z_ticks() if z_scale else _plain_ticks(low, high)
    first = max((t for t in candidates if t <= low + 1e-12), default=candidates[0])
    last = min((t for t in candidates if t >= high - 1e-12), default=candidates[-1])
    if last - first < 1e-9:
        last = next((t for t in candidates if t > first), first + 0.1)
    axis = Axis(left=left, right=right, low=first, high=last, ticks=())
    shown = [t for t in candidates if first <= t <= last]
    fine = [t for t in map(math.atanh, FINE_TICKS) if first - 1e-9 <= t <= last + 1e-9]
    if z_scale and _roomy(fine, axis):
        shown = fine
    labels = {t: label_of(math.tanh(t) if z_scale else t) for t in shown}
    kept = _thin(shown, labels, axis)
    return Axis(
        left=left,
        right=right,
        low=first,
        high=last,
        ticks=tuple((t, labels[t]) for t in kept),
    )


def plain_axis(low: float, high: float, left: float, right: float) -> Axis:
    """An axis of scores from ``low`` to ``high``, with round ticks inside.

    Examples
    --------
    >>> [label for _, label in plain_axis(1.2, 4.9, 0, 100).ticks]
    ['2', '3', '4']
    """
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    ticks = [t for t in _plain_ticks(low, high) if low - 1e-9 <= t <= high + 1e-9]
    return Axis(
        left=left, right=right, low=low, high=high, ticks=tuple((t, label_of(t)) for t in ticks)
    )


def label_of(value: float) -> str:
    """Tick label: ``.2``, ``−.95``, ``0``."""
    if abs(value) < 1e-9:
        return "0"
    text = f"{abs(value):.3f}".rstrip("0").rstrip(".")
    text = text[1:] if text.startswith("0.") else text
    return f"−{text}" if value < 0 else text


def reading(value: float, scale: str) -> float:
    """A value as it is read: r for Fisher's z, a coefficient as it is."""
    return math.tanh(value) if scale == "z" else value


def printed(value: float, digits: int = 2) -> str:
    """A correlation in APA style with a true minus, never minus zero; a dash where absent."""
    if not math.isfinite(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    negative = value < 0 and float(text) > 0
    text = text[1:] if text.startswith("0.") else text
    return f"−{text}" if negative else text


def _z_ticks() -> list[float]:
    return [math.atanh(r) for r in R_TICKS]


def _plain_ticks(low: float, high: float) -> list[float]:
    span = max(high - low, 1e-3)
    step = 10 ** math.floor(math.log10(span / 3))
    step = next(m * step for m in (1, 2, 5, 10) if span / (m * step) <= 6)
    first, last = math.floor(low / step - 1e-9), math.ceil(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _roomy(ticks: list[float], axis: Axis) -> bool:
    """Tell whether ticks at every tenth of r would stand well apart."""
    at = [axis.at(tick) for tick in ticks]
    return len(at) > 2 and min(b - a for a, b in itertools.pairwise(at)) >= ROOMY


def _thin(ticks: list[float], labels: dict[float, str], axis: Axis) -> list[float]:
    """Keep zero, then outward every tick whose label clears the last one kept."""
    half = {t: text_width(labels[t], TICK_SIZE) / 2 for t in ticks}
    zero = min(ticks, key=abs)
    kept = [zero]
    for side in (
        [t for t in ticks if t > zero],
        [t for t in reversed(ticks) if t < zero],
    ):
        last = zero
        for tick in side:
            distance = abs(axis.at(tick) - axis.at(last))
            if distance - half[tick] - half[last] >= GAP:
                kept.append(tick)
                last = tick
    return sorted(kept)
