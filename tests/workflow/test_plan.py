"""A plan is checked as a whole; what is wrong is named by key."""

from pathlib import Path

import pytest

import metalliance as ma
from metalliance.errors import PlanError


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_has_a_default(tmp_path: Path) -> None:
    assert ma.read_plan(written(tmp_path, "")) == ma.Plan()


def test_a_plan_overrides_the_default(tmp_path: Path) -> None:
    plan = ma.read_plan(written(tmp_path, 'rho = 0.5\n[benchmark]\nr = 0.278\nlabel = "x"\n'))
    assert plan.rho == 0.5
    assert plan.benchmark is not None
    assert plan.benchmark.r == 0.278


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    text = 'rho = 1.2\nmethod = "XX"\ncolour = "red"\nrho_grid = [0.3, 2]\n'
    with pytest.raises(PlanError) as caught:
        ma.read_plan(written(tmp_path, text))
    assert sorted(problem.cell for problem in caught.value.problems) == [
        "colour",
        "method",
        "rho",
        "rho_grid",
    ]
    assert all(problem.sheet == "plan.toml" for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["rho = ", "\x00", "rho == 1"])
def test_what_is_not_toml_is_one_problem(tmp_path: Path, text: str) -> None:
    with pytest.raises(PlanError, match="is not TOML"):
        ma.read_plan(written(tmp_path, text))


def test_a_missing_plan_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        ma.read_plan(tmp_path / "none.toml")
