"""Break the rows of a long figure into pages."""

from __future__ import annotations

import pandas as pd

__all__ = ["paged"]

FEWEST_UNDER_HEAD = 3
TOGETHER = ("mean", "prediction", "note")
Span = tuple[int, int]


def paged(data: pd.DataFrame, rows_per_page: int) -> list[pd.DataFrame]:
    """Split rows into pages.

    A group that fits a page is never split. A longer one is split into parts of nearly equal
    length; its head never stands among the last rows of a page and is repeated with
    "(continued)", and its mean stays with at least two of its studies.

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
    spans: list[Span] = []
    for start, stop in _blocks(kinds):
        joined = (spans[-1][0], stop) if spans else (start, stop)
        if spans and _length(kinds, joined) <= rows_per_page:
            spans[-1] = joined
        elif stop - start <= rows_per_page:
            spans.append((start, stop))
        else:
            spans += _parts(kinds, start, stop, rows_per_page)
    return [_continued(data, start, stop) for start, stop in spans]


def _blocks(kinds: list[str]) -> list[Span]:
    """First and last row of every group; all rows where there is no head."""
    heads = [place for place, kind in enumerate(kinds) if kind == "head"] or [0]
    return list(zip(heads, [*heads[1:], len(kinds)], strict=True))


def _length(kinds: list[str], span: Span) -> int:
    """Rows of a page, with the head that a group continued on it repeats."""
    return span[1] - span[0] + ("head" in kinds and kinds[span[0]] != "head")


def _parts(kinds: list[str], start: int, stop: int, rows_per_page: int) -> list[Span]:
    room = rows_per_page - ("head" in kinds)
    count = -(-(stop - start) // room)
    target = -(-(stop - start) // count)
    parts = []
    while start < stop:
        end = min(start + target, stop)
        if end < stop:
            end = _good_break(kinds, start, end)
        parts.append((start, end))
        start = end
    return parts


def _good_break(kinds: list[str], start: int, stop: int) -> int:
    for candidate in range(stop, start + 1, -1):
        before = kinds[max(start, candidate - FEWEST_UNDER_HEAD - 1) : candidate]
        after = kinds[candidate : candidate + 2]
        if "head" not in before and not any(kind in TOGETHER for kind in after):
            return candidate
    return stop


def _continued(data: pd.DataFrame, start: int, stop: int) -> pd.DataFrame:
    page = data.iloc[start:stop]
    heads = data["kind"].eq("head")
    if not heads.any() or page["kind"].iloc[0] == "head":
        return page
    group = page["group"].iloc[0]
    head = data[heads & data["group"].eq(group)].assign(label=f"{group} (continued)")
    return pd.concat([head, page])
