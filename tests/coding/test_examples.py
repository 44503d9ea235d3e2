"""The examples in the docstrings of reading print what they say."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name", ["damage", "look_alikes", "mapping", "raw", "records", "workbook", "written_numbers"]
)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"metalliance.coding.{name}")
    done = doctest.testmod(module)
    assert (done.failed, done.attempted > 0) == (0, True)
