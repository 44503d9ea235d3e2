"""The page on two coders says what happens."""

import doctest
import re
from pathlib import Path

from metalliance.cli.door import COMMANDS
from metalliance.coding.agreement_rows import ROW_COLUMNS
from metalliance.numerics.agreement import KAPPA_WEIGHTS

PAGE = Path(__file__).parents[2] / "docs" / "two_coders.md"


def test_the_examples_of_the_page_run() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert result.attempted > 12
    assert result.failed == 0


def test_the_page_knows_every_column_weight_and_command() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in set(ROW_COLUMNS) - {"field", "type", "n", "note", "sheet"}:
        assert f"`{name}`" in text, name
    for word in ("squared distances", "linear weights"):
        assert word in text
    assert set(KAPPA_WEIGHTS) == {"none", "quadratic", "linear"}
    commands = set(re.findall(r"^    metalliance (\w+) ", text, re.MULTILINE))
    assert commands == {"split", "agree"} <= set(COMMANDS)
