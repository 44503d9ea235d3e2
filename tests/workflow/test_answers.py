"""What the questions across pools took for granted is printed."""

from pathlib import Path

from metalliance.coding.review import read_review
from metalliance.workflow.analyse import analyse
from metalliance.workflow.plan import Plan

DATA = Path(__file__).resolve().parents[2] / "data" / "simulated_alliance_295.xlsx"


def test_assumptions_of_the_synthesis_are_among_the_defaults() -> None:
    review = read_review(DATA)
    named = {default.name for default in analyse(review).defaults_used}
    assert {
        "ICC of alliance",
        "ICC of outcome",
        "correlation of deviations at different sessions",
        "correlation of true effects of two parts",
        "sampling correlation of two parts",
    } <= named
    chosen = {
        default.name for default in analyse(review, Plan(icc_x=(0.7, 0.6, 0.8))).defaults_used
    }
    assert "ICC of alliance" not in chosen
    assert "ICC of outcome" in chosen
