"""The counts of the flow diagram, the excluded reports and the open queries."""

from __future__ import annotations

from collections.abc import Mapping

from metalliance.coding.records import Findings, Record, doi_of
from metalliance.coding.spreadsheet import note

__all__ = ["check_flow"]

Records = Mapping[str, tuple[Record, ...]]
# Each count is the sum of the first names less the sum of the second.
SUMS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("screened", ("databases", "registers", "other_sources"), ("removed_before_screening",)),
    ("sought", ("screened",), ("excluded_screening",)),
    ("assessed", ("sought",), ("not_retrieved",)),
    ("reports_included", ("assessed",), ("excluded_full_text",)),
)
SETTLED = ("answered", "no reply")


def check_flow(records: Records, findings: Findings) -> None:
    """Counts that do not add up, reports both in and out, and how many queries are open."""
    for flow in records.get("FLOW", ()):
        for name, plus, minus in SUMS:
            _check_sum(flow, name, plus, minus, findings)
        _check_rows(flow, records, findings)
    _excluded_and_included(records, findings)
    waiting = [r for r in records.get("QUERIES", ()) if r.text("status") not in SETTLED]
    if waiting:
        studies = ", ".join(dict.fromkeys(r.text("study") for r in waiting if r.text("study")))
        count = "1 query is" if len(waiting) == 1 else f"{len(waiting)} queries are"
        place = waiting[0].coded("question").cell
        what = f"{count} open: {studies[:200]}"
        findings.problems.append(note("QUERIES", place, what, "", "open-queries"))


def _check_sum(
    flow: Record, name: str, plus: tuple[str, ...], minus: tuple[str, ...], findings: Findings
) -> None:
    found = flow.number(name)
    parts = [flow.number(part) for part in (*plus, *minus)]
    if found is None or any(part is None for part in parts):
        return
    numbers = [part or 0.0 for part in parts]
    expected = sum(numbers[: len(plus)]) - sum(numbers[len(plus) :])
    if found != expected:
        rule = " + ".join(plus) + "".join(f" − {part}" for part in minus)
        what = f"{rule} gives {expected:g}"
        findings.ask(flow, name, what, "check the counts", "flow-sum")


def _check_rows(flow: Record, records: Records, findings: Findings) -> None:
    left_out = [r for r in records.get("EXCLUDED", ()) if r.text("stage") in ("", "full text")]
    included = {
        r.text("study") for r in records.get("STUDIES", ()) if r.text("phase") != "training"
    }
    for name, count, where in (
        ("excluded_full_text", len(left_out), "EXCLUDED lists {} reports"),
        ("studies_included", len(included), "STUDIES lists {} studies"),
    ):
        found = flow.number(name)
        if found is not None and found != count:
            findings.ask(flow, name, where.format(count), "check both", "flow-rows")


def _excluded_and_included(records: Records, findings: Findings) -> None:
    included = {doi_of(r): r for r in records.get("STUDIES", ()) if doi_of(r)}
    for record in records.get("EXCLUDED", ()):
        study = included.get(doi_of(record)) if doi_of(record) else None
        if study is not None and record.text("reason") != "same sample":
            what = f"is a report of study {study.text('study')} ({study.address('doi')})"
            findings.add(
                "question", record, "doi", what, "is it in or out?", "excluded-and-included"
            )
