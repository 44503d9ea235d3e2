"""The page on formulas says what happens."""

import doctest
import re
from pathlib import Path

from metalliance.models import formula, materialise, tokens

PAGE = Path(__file__).parents[2] / "docs" / "formulas.md"


def test_the_examples_of_the_page_run() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert result.attempted > 15
    assert result.failed == 0


def test_the_page_knows_every_transform_and_limit() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in formula.TRANSFORMS:
        assert re.search(rf"`{name}\(", text), name
    limits = (
        formula._MAX_LENGTH,
        formula._MAX_TERMS,
        materialise._MAX_COLUMNS,
        tokens._MAX_DEPTH,
    )
    assert "{} characters, {} terms, {} coefficients or {} nested".format(*limits) in text
