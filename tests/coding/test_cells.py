"""What may stand in a cell."""

from __future__ import annotations

import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalliance.coding.cells import (
    Coded,
    ErrorValue,
    Fault,
    Uncached,
    a1,
    parse_cell,
    parse_number,
)
from metalliance.coding.codebook import Field, load_codebook

EFFECTS = load_codebook()["EFFECTS"]
FIELDS = [field for sheet in load_codebook().sheets for field in sheet.fields]


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (".31", 0.31),
        (" .31\u00a0", 0.31),
        ("-.31", -0.31),
        ("+0.5", 0.5),
        ("1e-3", 0.001),
        ("60.", 60.0),
        (60, 60.0),
        (0.1, 0.1),
    ],
)
def test_numbers_and_text_that_is_exactly_a_number(raw: object, number: float) -> None:
    assert parse_number(raw) == number


@pytest.mark.parametrize(
    ("raw", "code", "told"),
    [
        (".3*", "stars", "type .3 and move * to p_printed"),
        (".31 **", "stars", "type .31"),
        ("0,35", "decimal-comma", "type 0.35"),
        ("-,35", "decimal-comma", "type -0.35"),
        ("1,234", "thousands", "type 1234 or 1.234"),
        ("1,234,567", "thousands", "type 1234567"),
        ("\u2212.21", "typographic-minus", "type -0.21"),
        ("\u2013.21", "typographic-minus", "type -0.21"),
        ("<.05", "inequality", "p_printed"),
        ("35%", "percent", "type 0.35"),
        ("3-9", "not-a-number", "one number"),
        (".31 (ns)", "not-a-number", "keep '(ns)' in note"),
        ("n/s", "not-a-number", "NR"),
        ("1_0", "not-a-number", "type"),
        ("nan", "not-a-number", "type"),
        ("inf", "not-a-number", "type"),
        ("1e999", "not-a-number", "type"),
        ("\u0663", "not-a-number", "type"),
        (datetime.date(2026, 9, 3), "date", "format the cell as text"),
        (datetime.time(3, 9), "date", "format the cell as text"),
        (True, "not-a-number", "type"),
        (math.nan, "not-a-number", "type"),
        (10**400, "not-a-number", "type"),
    ],
)
def test_what_is_no_number_says_what_to_type(raw: object, code: str, told: str) -> None:
    fault = parse_number(raw)
    assert isinstance(fault, Fault)
    assert fault.code == code
    assert told in fault.mend


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("path", "alliance -> outcome", "alliance→outcome"),
        ("stat", " R ", "r"),
        ("stat", "n.s.", "n.s. only"),
        ("component", "between observed", "between_observed"),
        ("estimand", "NA", "NA"),
        ("lag", "Post", "post"),
        ("lag", "1", 1.0),
        ("study", 14.0, "14"),
        ("A1", 2.0, "2"),
        ("n", "60", 60.0),
    ],
)
def test_values(name: str, raw: object, value: object) -> None:
    coded, fault = parse_cell(raw, EFFECTS[name], "A2")
    assert fault is None
    assert (coded.value, coded.code) == (value, "")


@pytest.mark.parametrize(
    ("name", "raw", "code"),
    [
        ("n", 60.5, "not-whole"),
        ("n", 3, "too-small"),
        ("se", 0, "range"),
        ("lag", -1, "range"),
        ("lag", 1.5, "range"),
        ("lag", "next", "not-a-number"),
        ("stat", "pearsonn", "unknown-level"),
        ("A1", 3, "unknown-level"),
        ("value", Uncached(), "uncached-formula"),
        ("value", ErrorValue("#REF!"), "error-value"),
        ("study", datetime.date(2026, 1, 4), "date"),
        ("lag", datetime.datetime(2026, 1, 4), "date"),
    ],
)
def test_faults(name: str, raw: object, code: str) -> None:
    coded, fault = parse_cell(raw, EFFECTS[name], "A2")
    assert fault is not None and fault.code == code
    assert (coded.value, coded.code) == (None, "faulty")


@pytest.mark.parametrize(
    ("raw", "code"), [("NR", "NR"), ("nr", "NR"), ("n/a", "NA"), ("", "blank"), (" ", "blank")]
)
def test_not_reported_not_applicable_and_blank_differ(raw: str, code: str) -> None:
    coded, fault = parse_cell(raw, EFFECTS["n"], "A2")
    assert fault is None
    assert coded.code == code


CELLS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="0123456789.,-+*<%eE \u2212NRA", max_size=12),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.none(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
    st.just(Uncached()),
    st.text(max_size=8).map(ErrorValue),
)


@given(raw=CELLS, field=st.sampled_from(FIELDS))
def test_any_cell_gives_a_value_or_a_code_or_a_fault(raw: object, field: Field) -> None:
    coded, fault = parse_cell(raw, field, "B7")
    assert isinstance(coded, Coded)
    assert (fault is not None) == (coded.code == "faulty")
    assert (coded.value is None) == (coded.code != "")
    if isinstance(coded.value, float):
        assert math.isfinite(coded.value)
    if fault is not None:
        assert fault.what and fault.mend


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_number_written_as_text_is_the_same_number(number: float) -> None:
    assert parse_number(repr(number)) == number


@given(st.integers(min_value=0, max_value=2**20), st.integers(min_value=0, max_value=16383))
def test_addresses(row: int, column: int) -> None:
    from openpyxl.utils import column_index_from_string
    from openpyxl.utils.cell import coordinate_from_string

    letters, number = coordinate_from_string(a1(row, column))
    assert (number - 1, column_index_from_string(letters) - 1) == (row, column)
