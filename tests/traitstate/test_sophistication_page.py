"""``docs/sophistication.md`` runs as it stands."""

import doctest
import re
import tomllib
from pathlib import Path

import pandas as pd

from metalliance.workflow.plan import Plan

PAGE = Path(__file__).parents[2] / "docs" / "sophistication.md"


def test_the_page_runs() -> None:
    with pd.option_context("display.width", 100):
        results = doctest.testfile(
            str(PAGE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
        )
    assert results.attempted >= 7
    assert results.failed == 0


def test_its_plan_is_one() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert Plan.model_validate(tomllib.loads(block)).moderators["A1"] == "planned"
