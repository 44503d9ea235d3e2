"""The congruence workbook with its published values as main effects: one effect per study."""

from __future__ import annotations

import runpy
from pathlib import Path

from metalliance.coding.review import read_review
from metalliance.coding.template import fill_workbook
from metalliance.workflow.analyse import analyse
from metalliance.workflow.analysis import Analysis
from metalliance.workflow.plan import read_plan

DATA = Path(__file__).resolve().parents[1] / "data"


def published_congruence(folder: Path) -> Analysis:
    """Sixteen published values; the correlations that were read again have role sensitivity."""
    rows = runpy.run_path(str(DATA / "make_congruence_kolden2011.py"))["rows"]
    path = folder / "congruence_published.xlsx"
    about = {"construct": "therapist congruence", "data": "real"}
    fill_workbook(path, rows(main="published"), about=about)
    return analyse(read_review(path), read_plan(DATA / "congruence_kolden2011.toml"))
