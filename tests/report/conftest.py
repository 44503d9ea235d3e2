"""Analyses that the report is tested on: real, simulated, and small ones made for one rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metalliance.coding.review import read_review
from metalliance.workflow.analyse import analyse
from metalliance.workflow.analysis import Analysis
from metalliance.workflow.plan import Plan, read_plan
from tests.congruence import published_congruence

DATA = Path(__file__).resolve().parents[2] / "data"


def shipped(stem: str) -> Analysis:
    return analyse(read_review(DATA / f"{stem}.xlsx"), read_plan(DATA / f"{stem}.toml"))


@pytest.fixture(scope="session")
def congruence(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return published_congruence(tmp_path_factory.mktemp("congruence"))


@pytest.fixture(scope="session")
def simulated() -> Analysis:
    return shipped("simulated_alliance_295")


@pytest.fixture
def flat(tmp_path: Path) -> Callable[..., Analysis]:
    """Analysis of a single table with the given correlations, n, studies and more columns."""

    def made(rs, ns=50, studies=None, plan=None, **columns) -> Analysis:
        rs = list(rs)
        ns = np.broadcast_to(ns, len(rs))
        names = studies or [f"Study {i + 1}" for i in range(len(rs))]
        head = ["study", "n", "r", *columns]
        lines = [",".join(head)]
        for i, (name, n, r) in enumerate(zip(names, ns, rs, strict=True)):
            more = [str(column[i]) for column in columns.values()]
            lines.append(",".join([f'"{name}"', str(n), f"{r:.4f}", *more]))
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return analyse(read_review(path), plan or Plan())

    return made
