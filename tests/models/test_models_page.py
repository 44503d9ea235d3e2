"""The page on models says what happens."""

import doctest
from pathlib import Path

from metalliance.numerics.sandwich import CR_TYPES
from metalliance.numerics.structures import STRUCTURE_NAMES
from metalliance.numerics.tau2 import TAU2_METHODS

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_examples_of_the_page_run() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert result.attempted > 10
    assert result.failed == 0


def test_the_page_knows_every_estimator_structure_and_covariance() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in (*TAU2_METHODS, *STRUCTURE_NAMES, *CR_TYPES):
        assert name in text, name
