"""Points of the sophistication items, and the index over any set of them, from coded columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from metalliance.coding.sophistication import DOMAINS, MAXIMUM

__all__ = ["NotReported", "domain_items", "index_of", "item_points"]

NotReported = Literal["zero", "missing"]


def item_points(rows: pd.DataFrame, item: str, not_reported: NotReported) -> pd.Series:
    """(k,) points of an item; one that was not reported has 0 or none, NaN where none is coded.

    Examples
    --------
    >>> rows = pd.DataFrame({"E3": [1.0, np.nan], "E3_code": ["", "NR"]})
    >>> item_points(rows, "E3", "zero").tolist(), item_points(rows, "E3", "missing").tolist()
    ([1.0, 0.0], [1.0, nan])
    """
    points = rows[item].astype(float) if item in rows else pd.Series(np.nan, index=rows.index)
    code = f"{item}_code"
    if not_reported == "zero" and code in rows:
        points = points.mask(rows[code].eq("NR"), 0.0)
    return points


def index_of(rows: pd.DataFrame, items: Sequence[str], not_reported: NotReported) -> pd.Series:
    """(k,) Σ points / Σ maxima over the items that an effect has; NaN where it has none.

    Examples
    --------
    >>> rows = pd.DataFrame({"A1": [2.0, 1.0], "E3": [1.0, np.nan], "E3_code": ["", "NR"]})
    >>> index_of(rows, ["A1", "E3"], "zero").tolist()
    [0.75, 0.25]
    >>> index_of(rows, ["A1", "E3"], "missing").tolist()
    [0.75, 0.5]
    """
    points = pd.DataFrame({item: item_points(rows, item, not_reported) for item in items})
    highest = points.notna() * pd.Series({item: float(MAXIMUM[item]) for item in items})
    total = highest.sum(axis=1)
    return (points.sum(axis=1) / total).where(total > 0)


def domain_items(items: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Those of the items that belong to each domain, without domains that have none."""
    found = {
        name: tuple(item for item in items if item.startswith(letter))
        for name, letter in DOMAINS.items()
    }
    return {name: members for name, members in found.items() if members}
