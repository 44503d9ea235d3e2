"""The examples in the docstrings print what they say."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        *(
            "aggregate",
            "artifacts",
            "coefficients",
            "composites",
            "convert",
            "correlated",
            "correlation",
        ),
        *("dependence", "escalc", "estimate", "groups", "occasions", "precision", "significance"),
        *("slopes", "tetrachoric", "within"),
    ],
)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"metalliance.effectsize.{name}")
    done = doctest.testmod(module)
    assert (done.failed, done.attempted > 0) == (0, True)
