from __future__ import annotations

import json
import math
from importlib import resources

import jsonschema
import pytest

from metalliance.report.results import results

SCHEMA = json.loads(
    (resources.files("metalliance.report") / "results.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def values(congruence):
    return json.loads(json.dumps(results(congruence), allow_nan=False))


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_results_conform(congruence, simulated, flat):
    for analysis in (congruence, simulated, flat([0.3]), flat([0.1, 0.2, 0.3, 0.2])):
        text = json.dumps(results(analysis), allow_nan=False)
        VALIDATOR.validate(json.loads(text))


def damage(values, how):
    if how == "a key is missing":
        del values["models"]
    elif how == "a key is unknown":
        values["verdict"] = "yes"
    elif how == "a model has an unknown key":
        values["models"][0]["verdict"] = "yes"
    elif how == "a number is text":
        values["models"][0]["predict_r"]["estimate"] = ".25"
    elif how == "another schema":
        values["schema"] = "metalliance-results/2"
    elif how == "no hash":
        values["input"]["sha256"] = "abc"


@pytest.mark.parametrize(
    "how",
    [
        "a key is missing",
        "a key is unknown",
        "a model has an unknown key",
        "a number is text",
        "another schema",
        "no hash",
    ],
)
def test_a_damaged_file_does_not_conform(values, how):
    VALIDATOR.validate(values)
    damage(values, how)
    assert not VALIDATOR.is_valid(values)


def test_numbers_have_twelve_digits_and_absent_is_null(congruence):
    values = results(congruence)
    model = values["models"][0]
    exact = float(congruence.pool("total").predict_r["estimate"].iloc[0])
    assert model["predict_r"]["estimate"] == float(f"{exact:.12g}")
    assert math.isclose(exact, 0.2497931, rel_tol=1e-5)
    assert model["components"][0]["conf_low"] is None


def test_effects_keep_their_address(values):
    assert len(values["effects"]) == 55
    assert all("EFFECTS!" in effect["address"] for effect in values["effects"])
    assert {effect["pool"] for effect in values["effects"]} == {"total", "total.sensitivity"}
