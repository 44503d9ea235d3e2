"""Sheet PLAN and a TOML plan say the same, or an error names the cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from metalliance.coding.codebook import load_codebook
from metalliance.coding.review import Review, read_review
from metalliance.errors import PlanError
from metalliance.workflow.plan import Plan
from metalliance.workflow.plan_sheet import plan_of
from tests.coding import workbooks as wb


def review(tmp_path: Path, **plan: object) -> Review:
    sheets = {**wb.good(2), "PLAN": [plan]}
    return read_review(wb.write(tmp_path / "plan.xlsx", sheets), strict=False)


def row_of(name: str) -> str:
    return f"PLAN!B{3 + load_codebook()['PLAN'].names.index(name)}"


def test_an_empty_sheet_is_the_default(tmp_path: Path) -> None:
    assert plan_of(review(tmp_path)) == Plan()


def test_every_key_of_the_sheet_is_one_of_the_plan(tmp_path: Path) -> None:
    given = plan_of(
        review(
            tmp_path,
            title="T",
            question="Q?",
            predictor="alliance",
            state="lagged_r",
            moderators_planned="rater, year",
            moderators_exploratory="design",
            method="PM",
            rho=0.5,
            rho_grid=".2, .7",
            icc_x=".7, .6, .8",
            icc_y="0.6; 0.5; 0.7",
            level=0.9,
            minimum_clusters_prediction=6,
            benchmark_r=0.278,
            benchmark_label="Flückiger et al., 2018",
            exclude="G01, G02/E1",
            seed=3,
            smallest_r=0.1,
            smallest_beta=0.03,
        )
    )
    assert given.model_fields_set == set(Plan.model_fields)
    assert given.moderators == {"rater": "planned", "year": "planned", "design": "exploratory"}
    assert given.rho_grid == (0.2, 0.7) and given.icc_y == (0.6, 0.5, 0.7)
    assert given.exclude == ("G01", "G02/E1")
    assert given.benchmark is not None and given.benchmark.r == 0.278


def test_sheet_and_file_together(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('rho = 0.5\nlevel = 0.9\ntitle = "T"\n', encoding="utf-8")
    both = plan_of(review(tmp_path, rho=0.5, seed=4), file)
    assert (both.rho, both.level, both.seed, both.title) == (0.5, 0.9, 4, "T")
    with pytest.raises(PlanError) as caught:
        plan_of(review(tmp_path, rho=0.4, level=0.8), file)
    assert {p.address for p in caught.value.problems} == {row_of("rho"), row_of("level")}
    assert "0.5 in plan.toml" in str(caught.value)
    with pytest.raises(PlanError, match="in the plan given"):
        plan_of(review(tmp_path, rho=0.4), Plan(rho=0.5))


def test_wrong_values_name_their_cells(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(review(tmp_path, icc_x=".9, .6, .8"))
    assert [p.address for p in caught.value.problems] == [row_of("icc_x")]
    with pytest.raises(PlanError) as caught:
        plan_of(review(tmp_path, rho_grid=".2, high"))
    assert [p.address for p in caught.value.problems] == [row_of("rho_grid")]
    typed = review(tmp_path, state="lagged", rho=1.4)
    assert [(p.code, p.address) for p in typed.problems] == [
        ("unknown-level", row_of("state")),
        ("range", row_of("rho")),
    ]
