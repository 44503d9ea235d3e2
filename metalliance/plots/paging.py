"""Break the rows of a long figure into pages."""

from __future__ import annotations

import pandas as pd

__all__ = ["paged"]

FEWEST_UNDER_HEAD = 3
TOGETHER = ("mean", "prediction", "note")


def paged(data: pd.DataFrame, rows_per_page: int) -> list[pd.DataFrame]:
    """Split rows into pages of nearly equal length.

    A group head never stands among the last rows of a page, and a group that goes on repeats
    its head with "(continued)". A mean stays with at least two of its studies.

    Parameters
    ----------
    data : DataFrame
        With columns ``kind`` (head, study, mean, prediction, note), ``group`` and ``label``.
    rows_per_page : int

    Returns
    -------
    list of DataFrame
    """
    kinds = data["kind"].tolist()
    if "head" in kinds and len(data) > rows_per_page:
        rows_per_page -= 1  # for the head that a continued group repeats
    count = -(-len(data) // rows_per_page)
    target = -(-len(data) // count) if count else 1
    pages, start = [], 0
    while start < len(data):
        stop = min(start + max(target, 1), len(data))
        if stop < len(data):
            stop = _good_break(kinds, start, stop)
        pages.append(_continued(data, start, stop))
        start = stop
    return pages


def _good_break(kinds: list[str], start: int, stop: int) -> int:
    candidate = stop
    while candidate > start + 1:
        before = kinds[max(start, candidate - FEWEST_UNDER_HEAD - 1) : candidate]
        after = kinds[candidate : candidate + 2]
        splits_mean = any(kind in TOGETHER for kind in after)
        if "head" not in before and not splits_mean:
            return candidate
        candidate -= 1
    return stop


def _continued(data: pd.DataFrame, start: int, stop: int) -> pd.DataFrame:
    page = data.iloc[start:stop]
    heads = data["kind"].eq("head")
    if start == 0 or not heads.any() or page["kind"].iloc[0] == "head":
        return page
    head = data[heads & data["group"].eq(page["group"].iloc[0])].copy()
    head["label"] = page["group"].iloc[0] + " (continued)"
    return pd.concat([head, page])
