"""Text tables: whatever a program writes is read as it stands, or what was changed is said."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalliance.coding.raw import ErrorValue
from metalliance.coding.text_table import DELIMITERS, text_grid
from metalliance.errors import CodingError

HEADER = ["study", "n", "r", "rater", "note"]


def read(content: bytes) -> tuple[list[list[object]], list[str]]:
    grid, said = text_grid(Path("table.csv"), content, "table.csv")
    return [list(row) for row in grid.rows], [problem.code for problem in said]


def written(rows: list[list[str]], delimiter: str, encoding: str, end: str) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows(rows)
    return buffer.getvalue().encode(encoding)


WORDS = st.text(alphabet="abcÄéß .,;|-'\"\t()%", min_size=0, max_size=12).map(str.strip)
NAMES = st.text(alphabet="abcdÄéß (&)", min_size=1, max_size=12).map(lambda t: f"S{t.strip()}")
NUMBERS = st.integers(4, 900).map(str)
R = st.decimals(-1, 1, places=2).map(str)


@settings(deadline=None, max_examples=300)
@given(
    rows=st.lists(st.tuples(NAMES, NUMBERS, R, WORDS, WORDS).map(list), min_size=1, max_size=12),
    delimiter=st.sampled_from(list(DELIMITERS)),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_delimiter_and_encoding(
    rows: list[list[str]], delimiter: str, encoding: str, end: str
) -> None:
    content = written([HEADER, *rows], delimiter, encoding, end)
    found, said = read(content)
    assert found == [HEADER, *rows]
    ascii_only = all(ord(letter) < 128 for row in rows for cell in row for letter in cell)
    unusual = delimiter != "," or encoding == "utf-16" or (encoding == "cp1252" and not ascii_only)
    if unusual:
        assert "text-format" in said


@settings(deadline=None, max_examples=200)
@given(
    numbers=st.lists(st.tuples(NUMBERS, st.decimals(-1, 1, places=2)), min_size=1, max_size=12),
    delimiter=st.sampled_from([";", "\t", "|"]),
)
def test_decimal_commas_of_a_whole_table(numbers: list[tuple[str, object]], delimiter: str) -> None:
    rows = [[f"S{i}", n, str(r).replace(".", ",")] for i, (n, r) in enumerate(numbers)]
    found, said = read(written([["study", "n", "r"], *rows], delimiter, "utf-8", "\n"))
    assert [row[2] for row in found[1:]] == [str(r) for _, r in numbers]
    assert "decimal-comma-table" in said


def test_a_comma_in_a_column_of_words_is_left_alone() -> None:
    content = b"study;r;page\nA;0,31;12,13\nB;0,20;see 14,15\n"
    found, _ = read(content)
    assert found[1:] == [["A", "0.31", "12,13"], ["B", "0.20", "see 14,15"]]


def test_a_line_that_names_the_delimiter_is_obeyed() -> None:
    found, _ = read(b"sep=;\r\nstudy;n;r\r\nA, B;60;.31\r\n")
    assert found == [["study", "n", "r"], ["A, B", "60", ".31"]]


def test_lines_that_end_in_carriage_returns_alone() -> None:
    assert read(b"study,n\rA,60\rB,50\r")[0] == [["study", "n"], ["A", "60"], ["B", "50"]]


def test_line_breaks_inside_cells_keep_their_row() -> None:
    assert read(b'study,note\nA,"two\nlines"\nB,\n')[0] == [
        ["study", "note"],
        ["A", "two\nlines"],
        ["B", ""],
    ]


@pytest.mark.parametrize("text", ["#REF!", "#N/A", "#DIV/0!", "#NAME?", "Err:502", "#######"])
def test_errors_of_spreadsheets_are_no_text(text: str) -> None:
    assert read(f"study,n\nA,{text}\n".encode())[0][1][1] == ErrorValue(text)


def test_number_signs_are_text() -> None:
    assert read(b"study,n\n#1,60\n")[0][1][0] == "#1"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"a," * 2001, "too-wide"),
        (b"a,b\n" * 100_001, "too-large"),
        (b'a,b\n"' + b"x" * (2**20 + 1), "corrupt"),
        (b'study,n\n"A,60\n', "corrupt"),
        (b"a\x00b", "wrong-type"),
        (b"M\x81ller,1\n", "encoding"),
    ],
)
def test_refused_by_name(content: bytes, code: str) -> None:
    with pytest.raises(CodingError) as caught:
        read(content)
    assert [p.code for p in caught.value.problems] == [code]


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_refused(content: bytes) -> None:
    try:
        found, _ = read(content)
    except CodingError as error:
        assert [p.what and p.mend for p in error.problems]
    else:
        assert all(isinstance(cell, str | ErrorValue) for row in found for cell in row)
