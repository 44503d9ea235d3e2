"""Rows that are no data: totals under a table, a second line of header, series from a mouse."""

from __future__ import annotations

from collections.abc import Sequence

from metalliance.coding.records import Findings, Record

__all__ = ["check_stray_rows"]

TOTALS = (
    *("total", "totals", "grand total", "sum", "mean", "means", "average", "median", "sd", "min"),
    *("max", "overall", "pooled", "summary", "count", "minimum", "maximum", "weighted mean"),
)
LONGEST_CHANCE = 5


def check_stray_rows(records: Sequence[Record], findings: Findings) -> None:
    """A row of totals is an error: it would count as a study. A series is asked about."""
    for record in records:
        first = next(iter(record.filled()), "")
        if record.text(first).strip().rstrip(":").casefold() in TOTALS:
            what = "looks like a row of totals, which would count as a study"
            findings.add("error", record, first, what, "delete this row", "totals-row")
    _series(records, "n", findings)


def _series(records: Sequence[Record], name: str, findings: Findings) -> None:
    """Numbers that rise by 1 from row to row, as a spreadsheet fills them in."""
    start = 0
    for at in range(1, len(records) + 1):
        if at < len(records) and _follows(records[at - 1], records[at], name):
            continue
        if at - start > LONGEST_CHANCE:
            last = records[at - 1].address(name)
            what = f"rises by 1 in every row down to {last}, as if a spreadsheet had filled it in"
            findings.ask(records[start], name, what, "check these numbers", "series")
        start = at


def _follows(before: Record, record: Record, name: str) -> bool:
    first, second = before.number(name), record.number(name)
    return first is not None and second is not None and second - first == 1
