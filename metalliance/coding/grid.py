"""Rows of GRID become effects: one per filled cell, each with the address of its cell."""

from __future__ import annotations

import re
from collections.abc import Sequence

from metalliance.coding.cells import Coded
from metalliance.coding.codebook import load_codebook
from metalliance.coding.records import Findings, Record

__all__ = ["expand_grid", "outcome_columns"]

COLUMN = re.compile(r"[Oo]\d{1,3}", re.ASCII)
DEFAULTS = {"model": "RAW", "stat": "r"}
NOT_SIGNIFICANT = "n.s."


def outcome_columns(record: Record) -> tuple[str, ...]:
    """The outcome columns of a row of GRID that it has, in order."""
    names = load_codebook()["GRID"].names
    return tuple(name for name in names if COLUMN.fullmatch(name) and name in record.cells)


def expand_grid(records: Sequence[Record], findings: Findings) -> tuple[Record, ...]:
    """Effects of all rows; cells that the study uses in another row and leaves blank are to do."""
    used: dict[str, set[str]] = {}
    for record in records:
        for name in outcome_columns(record):
            if not record.is_blank(name):
                used.setdefault(record.text("study"), set()).add(name)
    effects: list[Record] = []
    taken: dict[str, set[str]] = {}
    for record in records:
        study = record.text("study")
        names = taken.setdefault(study, set())
        for column in outcome_columns(record):
            if not record.is_blank(column):
                effect = _effect(record, column, names)
                names.add(effect.text("effect"))
                effects.append(effect)
            elif column in used.get(study, set()):
                findings.wait(study, record, column)
        if all(record.is_blank(name) for name in outcome_columns(record)):
            findings.wait(study, record, "O1")
    return tuple(effects)


def _effect(record: Record, column: str, taken: set[str]) -> Record:
    value = record.coded(column)
    cells: dict[str, Coded] = {
        name: coded for name, coded in record.cells.items() if not COLUMN.fullmatch(name)
    }
    for name, default in DEFAULTS.items():
        if record.is_blank(name):
            cells[name] = Coded(value=default, code="", cell=cells.get(name, Coded()).cell)
    if value.value == NOT_SIGNIFICANT:
        cells["stat"] = _given("n.s. only", value.cell)
        cells["value"] = Coded(code="NR", text=value.text, cell=value.cell)
        cells["p_printed"] = _given("n.s.", value.cell)
    else:
        cells["value"] = value
    cells["outcome"] = _given(column.upper(), value.cell)
    cells["effect"] = _given(_name(record, column, taken), value.cell)
    return Record(sheet=record.sheet, row=record.row, cells=cells, part=column)


def _given(text: str, cell: str) -> Coded:
    return Coded(value=text, code="", text=text, cell=cell)


def _name(record: Record, column: str, taken: set[str]) -> str:
    """``A1-O2``, with the model where it is another, with a number where that stands already."""
    name = f"{record.text('alliance') or '?'}-{column.upper()}"
    model = record.text("model")
    if model and model.upper() != "RAW":
        name = f"{name}-{model}"
    number, own = 2, name
    while own in taken:
        own, number = f"{name}-{number}", number + 1
    return own
