"""A review as coded: read a file, keep every row with its address, turn rows into effects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from string import ascii_uppercase
from typing import Literal

from metalliance.coding.about import read_about
from metalliance.coding.assemble import Row, build_table, judge
from metalliance.coding.codebook import load_codebook
from metalliance.coding.derivation import Facts, derive
from metalliance.coding.flat import Assumed, read_flat
from metalliance.coding.guard import file_problem
from metalliance.coding.linking import Sheets, link
from metalliance.coding.plausibility import check_effect, check_measure
from metalliance.coding.records import Findings, Linked, Record
from metalliance.coding.sophistication import score_effect
from metalliance.coding.spreadsheet import Grid, Source, filled_rows, open_source
from metalliance.coding.tables import find_header, missing_columns, read_records, recognised
from metalliance.effectsize.convert import Estimate, effect_size
from metalliance.effectsize.correlation import fisher_z_inverse
from metalliance.effectsize.table import EffectTable
from metalliance.errors import CodingError, ConversionError, Problem

__all__ = ["Review", "ReviewKind", "estimate_effect", "read_review"]

ReviewKind = Literal["workbook", "flat"]
Role = Literal["main", "sensitivity"]
SHEET_NAMES = ("STUDIES", "MEASURES", "MODELS", "EFFECTS")


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
    studies, measures, models, effects_coded : tuple of Record
        The rows as coded, with addresses.
    linked : tuple of Linked
        Every effect with the rows it refers to.
    faults : Mapping
        By (sheet, row): the error that keeps a row from being used.
    about : Mapping
        What START says: title, construct, data (real or simulated), source.
    """

    path: Path
    sha256: str
    kind: ReviewKind
    problems: tuple[Problem, ...]
    assumed: tuple[Assumed, ...]
    studies: tuple[Record, ...]
    measures: tuple[Record, ...]
    models: tuple[Record, ...]
    effects_coded: tuple[Record, ...]
    linked: tuple[Linked, ...]
    faults: Mapping[tuple[str, int], Problem]
    about: Mapping[str, str]

    def effects(self, role: Role = "main") -> EffectTable:
        """Usable effects of one role; every other row read is in ``excluded()`` with its reason.

        Parameters
        ----------
        role : {'main', 'sensitivity'}
            As coded in EFFECTS; a blank role is main.

        Returns
        -------
        EffectTable
        """
        if role not in ("main", "sensitivity"):
            raise ValueError(f"role is 'main' or 'sensitivity', not {role!r}")
        return build_table(self.judged(), role)

    def problems_of(self, study: str) -> tuple[Problem, ...]:
        """The problems that stand in rows of one study."""
        coded = (*self.studies, *self.measures, *self.models, *self.effects_coded)
        rows = {
            (record.sheet, str(record.row)) for record in coded if record.text("study") == study
        }
        return tuple(
            problem
            for problem in self.problems
            if (problem.sheet, problem.cell.lstrip(ascii_uppercase)) in rows
        )

    def judged(self) -> tuple[Row, ...]:
        """Every effect with its facts, its sophistication, and its estimate or why it has none."""
        rows = []
        for linked in self.linked:
            facts = derive(linked)
            outcome = judge(linked, facts, self.faults, estimate_effect)
            score = score_effect(linked, facts)
            rows.append(Row(linked=linked, facts=facts, outcome=outcome, score=score))
        return tuple(rows)


def estimate_effect(linked: Linked, facts: Facts) -> Estimate:
    """Convert the reported statistic of one effect: the only call into the conversions.

    Raises
    ------
    ConversionError
        Names what is missing or impossible.
    """
    effect, model = linked.effect, linked.model
    given_variance = effect.number("vi")
    if linked.flat and given_variance is not None and effect.coded("value") == effect.coded("yi"):
        return _as_given(effect, given_variance, facts.sign)
    stat = effect.text("stat")
    within_beta = stat == "beta_within" and facts.es_metric == "beta"
    m = effect.number("m") if linked.flat else _from(model, "m")
    n = effect.number("n")
    sessions = effect.number("sessions_mean")
    estimate = effect_size(
        stat="beta" if within_beta else stat,
        value=effect.number("value"),
        n=_from(model, "n") if n is None else n,
        se=effect.number("se"),
        ci=_interval(effect),
        m=None if m is None else int(m),
        n_obs=effect.number("n_obs"),
        sessions=_from(model, "sessions") if sessions is None else sessions,
        sign=facts.sign,
        component=facts.component,
        estimand=facts.estimand,
    )
    if facts.es_metric == "beta" and estimate.route != "beta":
        raise ConversionError(
            f"lagged partial effects are pooled as standardised coefficients; stat {stat!r} is none"
        )
    return estimate


def _from(model: Record | None, name: str) -> float | None:
    return model.number(name) if model is not None else None


def _interval(effect: Record) -> tuple[float, float] | None:
    low, high = effect.number("ci_low"), effect.number("ci_high")
    if low is None or high is None:
        return None
    level = effect.number("ci_level")
    if level is None or level == 95:
        return low, high
    stretch = NormalDist().inv_cdf(0.975) / NormalDist().inv_cdf(0.5 + level / 200)
    middle, half = (low + high) / 2, (high - low) / 2 * stretch
    return middle - half, middle + half


def _as_given(effect: Record, vi: float, sign: int) -> Estimate:
    printed = effect.number("yi")
    if printed is None:
        raise ConversionError("yi has no number")
    z = printed * sign
    r = fisher_z_inverse(z)
    n = effect.number("n")
    if n is None:
        implied = 1 / vi + 3
        n = float(round(implied)) if abs(implied - round(implied)) < 1e-3 else math.nan
    return Estimate(
        yi=z,
        vi=vi,
        r=r,
        v_r=vi * (1 - r**2) ** 2,
        ni=n,
        route="yi",
        quality="direct",
        trace=f"z = {z:.6g} and v = {vi:.6g} as given; r = tanh z = {r:.6g}",
    )


def read_review(
    path: str | Path, mapping: Mapping[str, str] | None = None, strict: bool = True
) -> Review:
    """Read a workbook, or a single table (.xlsx, .csv, .tsv) with one row per effect.

    Parameters
    ----------
    path : str or Path
        The file. It is never written to.
    mapping : Mapping of str to str, optional
        For a single table: names of its columns to names of the codebook, e.g.
        ``{"Correlation": "r"}``.
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
    source = open_source(path)
    findings = Findings()
    names = {name.strip().upper(): name for name in source.sheet_names}
    if source.kind == "workbook" and {"EFFECTS", "STUDIES"} <= set(names):
        if mapping:
            raise ValueError("mapping renames columns of a single table, not of a workbook")
        review = _read_workbook(source, names, findings)
    else:
        review = _read_table(source, mapping, findings)
    if strict and any(problem.severity == "error" for problem in review.problems):
        raise CodingError(review.problems)
    return review


def _read_workbook(source: Source, names: Mapping[str, str], findings: Findings) -> Review:
    tables = {name: _read_sheet(source, names, name, findings) for name in SHEET_NAMES}
    sheets = Sheets(
        studies=tables["STUDIES"],
        measures=tables["MEASURES"],
        models=tables["MODELS"],
        effects=tables["EFFECTS"],
        absent=_absent(names, findings),
    )
    for record in (*sheets.studies, *sheets.measures, *sheets.models):
        for field in load_codebook()[record.sheet].fields:
            if field.required and record.is_blank(field.name) and record.coded(field.name).cell:
                findings.wait(record.text("study"), record, field.name)
    for record in sheets.measures:
        check_measure(record, findings)
    linked = link(sheets, findings)
    for one in linked:
        check_effect(one, findings)
    assumed = _workbook_assumptions(linked)
    about = read_about(source, names)
    return _review(source, "workbook", findings, linked, sheets, assumed, about)


def _absent(names: Mapping[str, str], findings: Findings) -> dict[str, Problem]:
    if "MEASURES" in names:
        return {}
    problem = Problem(
        sheet="MEASURES",
        cell="",
        value="",
        what="this sheet is missing",
        mend="add it as in the template: one row per alliance or outcome score",
        severity="error",
        code="missing-sheet",
    )
    findings.problems.append(problem)
    return {"MEASURES": problem}


def _read_sheet(
    source: Source, names: Mapping[str, str], name: str, findings: Findings
) -> tuple[Record, ...]:
    definition = load_codebook()[name]
    if name not in names:
        return ()
    found = source.grid(names[name])
    grid = Grid(sheet=name, rows=found.rows, merged=found.merged)
    header = find_header(grid, definition, findings)
    if missing_columns(grid, definition, header, findings) and header.row < 0:
        return ()
    return read_records(grid, definition, header, findings)


def _workbook_assumptions(linked: Sequence[Linked]) -> tuple[Assumed, ...]:
    blank = sum(one.effect.is_blank("path") for one in linked)
    if not blank:
        return ()
    return (("path", "alliance→outcome", f"path is blank in {blank} of {len(linked)} effects"),)


def _read_table(source: Source, mapping: Mapping[str, str] | None, findings: Findings) -> Review:
    grid = _table_sheet(source)
    linked, assumed = read_flat(grid, mapping, findings)
    for one in linked:
        check_effect(one, findings)
    effects = tuple(one.effect for one in linked)
    sheets = Sheets(studies=(), measures=(), models=(), effects=effects)
    return _review(source, "flat", findings, linked, sheets, assumed, {})


def _table_sheet(source: Source) -> Grid:
    definition = load_codebook().flat
    first: Grid | None = None
    for name in source.sheet_names:
        grid = source.grid(name)
        rows = list(filled_rows(grid))
        if not rows:
            continue
        first = grid if first is None else first
        if any(recognised(grid, definition, row) >= 2 for row in rows[:20]):
            return grid
    if first is None:
        mend = "give a file with one row per effect"
        raise file_problem(source.path, "empty", "holds no rows", mend)
    return first


def _review(
    source: Source,
    kind: ReviewKind,
    findings: Findings,
    linked: tuple[Linked, ...],
    sheets: Sheets,
    assumed: tuple[Assumed, ...],
    about: Mapping[str, str],
) -> Review:
    return Review(
        path=source.path,
        sha256=source.sha256,
        kind=kind,
        problems=(*source.problems, *findings.in_order()),
        assumed=assumed,
        studies=sheets.studies,
        measures=sheets.measures,
        models=sheets.models,
        effects_coded=sheets.effects,
        linked=linked,
        faults=dict(findings.faults),
        about=about,
    )
