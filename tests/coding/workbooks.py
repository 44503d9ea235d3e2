"""Workbooks for tests: ten good rows, and one row per defect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from metalliance.coding.codebook import load_codebook
from metalliance.coding.template import fill_workbook

Row = dict[str, Any]


def study(name: str, **cells: Any) -> Row:
    return {"study": name, "preregistered": "no", **cells}


def alliance(name: str, id: str = "A1", **cells: Any) -> Row:
    row = {
        "study": name,
        "id": id,
        "kind": "alliance",
        "instrument": "WAI",
        "rater": "patient",
        "high_score_means": "better",
        "first_session": 3,
        "last_session": 3,
    }
    return {**row, **cells}


def outcome(name: str, id: str = "O1", **cells: Any) -> Row:
    row = {
        "study": name,
        "id": id,
        "kind": "outcome",
        "instrument": "BDI",
        "rater": "patient",
        "high_score_means": "worse",
        "first_session": "post",
        "outcome_form": "raw post",
        "outcome_window_starts": "pre",
    }
    return {**row, **cells}


def effect(name: str, id: str = "E1", **cells: Any) -> Row:
    row = {
        "study": name,
        "effect": id,
        "alliance": "A1",
        "outcome": "O1",
        "model": "RAW",
        "alliance_term": "single score",
        "lag": "post",
        "path": "alliance→outcome",
        "stat": "r",
        "value": 0.31,
        "positive_means": "better",
        "n": 60,
    }
    return {**row, **cells}


def write(path: Path, sheets: Mapping[str, list[Row]]) -> Path:
    fill_workbook(path, sheets)
    return path


def one_effect(path: Path, **cells: Any) -> Path:
    """Row 1 of the worked examples: WAI at session 3, BDI at the end."""
    sheets = {
        "STUDIES": [study("S014")],
        "MEASURES": [alliance("S014"), outcome("S014")],
        "EFFECTS": [effect("S014", page=7, **cells)],
    }
    return write(path, sheets)


def good(count: int = 10) -> dict[str, list[Row]]:
    names = [f"G{i:02d}" for i in range(1, count + 1)]
    return {
        "STUDIES": [study(name) for name in names],
        "MEASURES": [make(name) for name in names for make in (alliance, outcome)],
        "EFFECTS": [effect(name, value=0.1 + i / 50) for i, name in enumerate(names)],
    }


def cell_of(sheet: str, column: str, row: int) -> str:
    from openpyxl.utils import get_column_letter

    return f"{get_column_letter(load_codebook()[sheet].names.index(column) + 1)}{row}"


def put(path: Path, cells: Mapping[tuple[str, str], Any]) -> None:
    """Type values into cells, as a person would: by sheet and address."""
    book = load_workbook(path)
    for (sheet, address), value in cells.items():
        book[sheet][address] = value
    book.save(path)
