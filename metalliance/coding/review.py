"""A review as coded: read a file, keep every row with its address, turn rows into effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Literal

from metalliance.coding.assemble import Row, build_table, judge
from metalliance.coding.codebook import Codebook, load_codebook
from metalliance.coding.conversion_check import check_conversion
from metalliance.coding.derivation import derive
from metalliance.coding.estimates import estimate_effect
from metalliance.coding.evidence import check_evidence
from metalliance.coding.field_rules import check_review
from metalliance.coding.flat import Assumed, read_flat, table_sheet
from metalliance.coding.flow import check_flow
from metalliance.coding.intercorrelations import check_intercorrelations, effect_correlations
from metalliance.coding.linking import link
from metalliance.coding.look_alikes import check_look_alikes
from metalliance.coding.mapping import ColumnMapping, ColumnRead, as_mapping
from metalliance.coding.plausibility import check_effect, check_measure
from metalliance.coding.problem_sheet import PROBLEM_SHEET, read_answers
from metalliance.coding.records import Findings, Key, Linked, Record
from metalliance.coding.sophistication import score_effect
from metalliance.coding.spreadsheet import Source, open_source
from metalliance.coding.workbook import (
    is_workbook,
    read_sheets,
    read_workbook_records,
    sheet_names,
    unfinished,
)
from metalliance.effectsize.paths import FORWARD
from metalliance.errors import CodingError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from metalliance.effectsize.table import EffectTable

__all__ = ["Review", "ReviewKind", "read_review"]

ReviewKind = Literal["workbook", "flat"]
Role = Literal["main", "sensitivity"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Review:
    """A coded review.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of the file as read.
    kind : {'workbook', 'flat'}
    problems : tuple of Problem
        Everything found: errors, questions, to-dos, notes.
    assumed : tuple of (name, value, why)
        What the file leaves unsaid and was filled in.
    records : Mapping
        The rows as coded, with addresses, by sheet.
    effects_coded : tuple of Record
        The effects: rows of EFFECTS and filled cells of GRID.
    linked : tuple of Linked
        Every effect with the rows it refers to.
    faults : Mapping
        By row: the error that keeps it from being used.
    about : Mapping
        What START says: title, construct, data (real or simulated), source.
    codebook : Codebook
        With the team's own moderators.
    columns : tuple of ColumnRead
        What every column of the file is read as.
    """

    path: Path
    sha256: str
    kind: ReviewKind
    problems: tuple[Problem, ...]
    assumed: tuple[Assumed, ...]
    records: Mapping[str, tuple[Record, ...]]
    effects_coded: tuple[Record, ...]
    linked: tuple[Linked, ...]
    faults: Mapping[Key, Problem]
    about: Mapping[str, str] = field(default_factory=dict)
    codebook: Codebook = field(default_factory=load_codebook)
    columns: tuple[ColumnRead, ...] = ()

    @property
    def studies(self) -> tuple[Record, ...]:
        """Rows of STUDIES."""
        return self.records.get("STUDIES", ())

    @property
    def measures(self) -> tuple[Record, ...]:
        """Rows of MEASURES."""
        return self.records.get("MEASURES", ())

    @property
    def models(self) -> tuple[Record, ...]:
        """Rows of MODELS."""
        return self.records.get("MODELS", ())

    def effects(self, role: Role = "main") -> EffectTable:
        """Usable effects of one role; every other row read is in ``excluded()`` with its reason.

        Parameters
        ----------
        role : {'main', 'sensitivity'}
            As coded in EFFECTS; a blank role is main.

        Returns
        -------
        EffectTable
            Its ``correlations`` hold the sampling correlations that INTERCORR gives.
        """
        if role not in ("main", "sensitivity"):
            raise ValueError(f"role is 'main' or 'sensitivity', not {role!r}")
        rows = self.judged()
        return build_table(rows, role, self.correlations(rows))

    def correlations(self, rows: Sequence[Row]) -> pd.DataFrame | None:
        """Sampling correlations of effects of one sample, from INTERCORR; None without any."""
        return effect_correlations(self.records.get("INTERCORR", ()), rows)

    def problems_of(
        self, study: str | None = None, coder: str | None = None
    ) -> tuple[Problem, ...]:
        """The problems that stand in rows of one study, or of one coder, or of both.

        A row without a coder belongs to the coder of its study.
        """
        if study is None and coder is None:
            return self.problems
        belongs = self._belonging(study, coder)
        rows = {
            (record.sheet, str(record.row))
            for records in (*self.records.values(), self.effects_coded)
            for record in records
            if belongs(record)
        }
        return tuple(
            problem
            for problem in self.problems
            if (problem.sheet, problem.cell.lstrip(ascii_uppercase)) in rows
        )

    def _belonging(self, study: str | None, coder: str | None) -> Callable[[Record], bool]:
        of_study = {record.text("study"): record.text("coder") for record in self.studies}

        def belongs(record: Record) -> bool:
            own = record.text("study")
            by = record.text("coder") or of_study.get(own)
            return study in (None, own) and coder in (None, by)

        return belongs

    def judged(self, study: str | None = None, coder: str | None = None) -> tuple[Row, ...]:
        """Effects with their facts, their sophistication, and their estimate or why they have none.

        Of all studies and coders, or of one; a row without a coder belongs to that of its study.
        """
        rows = []
        belongs = self._belonging(study, coder)
        for linked in self.linked:
            if not belongs(linked.effect):
                continue
            facts = derive(linked)
            outcome = judge(linked, facts, self.faults, estimate_effect)
            score = score_effect(linked, facts)
            rows.append(Row(linked=linked, facts=facts, outcome=outcome, score=score))
        return tuple(rows)


def read_review(
    path: str | Path,
    mapping: str | Path | Mapping[str, object] | None = None,
    strict: bool = True,
) -> Review:
    """Read a workbook (.xlsx, .ods), a folder of tables (.csv), or a single table of effects.

    Parameters
    ----------
    path : str or Path
        The file or folder. It is never written to.
    mapping : str, Path or Mapping, optional
        The reviewer's own names: a TOML file, or the same as a mapping. For a single table names
        of its columns to names of the codebook, ``{"Correlation": "r"}``; for a workbook by sheet,
        ``{"EFFECTS": {"Sample size": "n"}}``; own words for levels under ``values``,
        ``{"values": {"rater": {"client": "patient"}}}``.
    strict : bool
        True raises if anything is wrong; False moves faulty rows to ``effects().excluded()``.

    Returns
    -------
    Review

    Raises
    ------
    CodingError
        ``problems`` holds everything found, each with its cell and what to change. A file that
        cannot be read at all raises with one problem, whatever ``strict`` is.
    """
    own = as_mapping(mapping)
    source = open_source(path)
    findings = Findings()
    names = sheet_names(source)
    if is_workbook(source, names):
        review = _read_workbook(source, names, own, findings)
    else:
        review = _read_table(source, own, findings)
    if strict and any(problem.severity == "error" for problem in review.problems):
        raise CodingError(review.problems)
    return review


def _read_workbook(
    source: Source, names: Mapping[str, str], mapping: ColumnMapping, findings: Findings
) -> Review:
    records, codebook = read_workbook_records(source, names, findings, mapping)
    sheets = read_sheets(records, names, findings)
    unfinished(records, codebook, findings)
    for record in sheets.measures:
        check_measure(record, findings)
    linked = link(sheets, findings)
    for one in linked:
        check_effect(one, findings)
    check_review(linked, findings)
    for one in linked:
        check_conversion(one, findings)
    check_evidence(linked, records, findings)
    check_intercorrelations(records, findings)
    check_flow(records, findings)
    check_look_alikes(records, codebook, findings)
    return Review(
        path=source.path,
        sha256=source.sha256,
        kind="workbook",
        problems=(*source.problems, *findings.in_order()),
        assumed=_workbook_assumptions(linked),
        records=records,
        effects_coded=sheets.effects,
        linked=linked,
        faults=dict(findings.faults),
        about=_about(records),
        codebook=codebook,
        columns=tuple(findings.columns),
    )


def _about(records: Mapping[str, tuple[Record, ...]]) -> dict[str, str]:
    return {
        name: str(coded.value)
        for record in records.get("START", ())
        for name, coded in record.cells.items()
        if coded.value is not None
    }


def _workbook_assumptions(linked: Sequence[Linked]) -> tuple[Assumed, ...]:
    blank = sum(one.effect.is_blank("path") for one in linked)
    found: list[Assumed] = []
    if blank:
        why = f"path is blank in {blank} of {len(linked)} effects"
        found.append(("path", FORWARD, why))
    grid = sum(one.effect.sheet == "GRID" and not one.effect.coded("model").text for one in linked)
    if grid:
        found.append(("model", "RAW", f"model is blank in GRID for {grid} effects"))
    return tuple(found)


def _read_table(source: Source, mapping: ColumnMapping, findings: Findings) -> Review:
    codebook = mapping.applied(load_codebook())
    columns = mapping.columns.get("", {})
    for name in source.sheet_names:
        if name.strip().upper() == PROBLEM_SHEET:
            findings.answers = read_answers(source.grid(name))
    grid = table_sheet(source, columns)
    findings.problems += [
        mapping.problem(
            f"[{sheet}] is for a workbook, and this is a single table",
            "write its columns at the top, above every [...]",
        )
        for sheet in mapping.columns
        if sheet
    ]
    linked, assumed = read_flat(grid, codebook.flat, columns, findings)
    for one in linked:
        check_effect(one, findings)
        check_conversion(one, findings)
    effects = tuple(one.effect for one in linked)
    check_look_alikes({codebook.flat.name: effects}, codebook, findings)
    return Review(
        path=source.path,
        sha256=source.sha256,
        kind="flat",
        problems=(*source.problems, *findings.in_order()),
        assumed=assumed,
        records={},
        effects_coded=effects,
        linked=linked,
        faults=dict(findings.faults),
        codebook=codebook,
        columns=tuple(findings.columns),
    )
