"""Tables and sentences of the synthesis, and of what is assumed."""

from __future__ import annotations

import pandas as pd

from metalliance.report.labels import COMPONENTS, level
from metalliance.report.numbers import correlation, count, interval, number, p_value, percent
from metalliance.report.tables import Cell, Table
from metalliance.report.trait_state_tables import MINUS
from metalliance.traitstate.joint import DIFFERENCE
from metalliance.workflow.analysis import Analysis

__all__ = ["assumption_tables", "synthesis_notes", "synthesis_table"]

#: Sessions from which on deviations from an average are nearly those from a patient's level.
FEW_SESSIONS = 20
SYNTHESIS = {
    "rho_between": "Trait-like, latent",
    "rho_within": "State-like, same session",
    DIFFERENCE: MINUS,
}


def synthesis_table(analysis: Analysis) -> Table | None:
    """The synthesis, with the share of its variance that assumed ICCs make."""
    result = analysis.answers.synthesis.result
    if result is None:
        return None
    rows = []
    for place, row in enumerate(result.table.itertuples()):
        at = f"questions.synthesis.table.{place}"
        parts = result.propagation.iloc[place]
        imprecise = not row.df >= 4
        rows.append(
            (
                Cell(text=SYNTHESIS[str(row.term)]),
                Cell(text=correlation(row.estimate), source=f"{at}.estimate"),
                Cell(
                    text=interval(row.conf_low, row.conf_high),
                    source=f"{at}.conf_low {at}.conf_high",
                ),
                Cell(text=number(row.df, 1), source=f"{at}.df"),
                Cell(text="imprecise")
                if imprecise
                else Cell(text=f"p {p_value(row.p_value)}", source=f"{at}.p_value"),
                Cell(text=percent(100 * parts["icc"] / parts["total"])),
            )
        )
    return Table(
        name="synthesis",
        caption="Trait and state from all studies, those included that did not tell them apart",
        columns=("Correlation", "r", f"{level(analysis)} CI", "df", "Test", "Variance from ICCs"),
        numeric=(False, True, True, True, True, True),
        rows=tuple(rows),
        note=(
            f"{count(len(result.rows), 'effect')} of {_studies(result.rows)}. "
            "The last column is the share of the variance that comes from not knowing the ICCs."
        ),
    )


def _studies(rows: pd.DataFrame) -> str:
    return count(rows["study"].nunique(), "study", "studies")


def synthesis_notes(analysis: Analysis) -> tuple[str, ...]:
    """How the synthesis is identified, whether totals agree with it, what does not enter it."""
    answer = analysis.answers.synthesis
    result = answer.result
    if result is None:
        why = answer.withheld
        return (f"No synthesis: {why[:1].lower()}{why[1:].rstrip('.')}.",)
    design = result.design
    notes = [
        f"{count(design.clusters, 'independent study', 'independent studies')} "
        f"{'bears' if design.clusters == 1 else 'bear'} on the state-like correlation, and "
        f"{percent(100 * design.share_disaggregated)} of the information on it comes from studies "
        f"that disaggregated (rank {design.rank}, condition {number(design.condition, 1)})."
    ]
    of = {
        "other": "Studies that disaggregated predict a total of",
        "same": "In samples that give both, the between-patient effect predicts a total of",
    }
    for row in result.consistency.to_dict(orient="records"):
        notes.append(
            f"{of[row['samples']]} {correlation(row['predicted'])}; the mean distance of the "
            f"totals from it is {correlation(row['discrepancy'])} ({level(analysis)} CI "
            f"{interval(row['conf_low'], row['conf_high'])}, df = {number(row['df'], 1)})."
        )
    sessions = result.rows.loc[result.rows["component"].eq("within"), "k_x"].median()
    if sessions < FEW_SESSIONS:
        notes.append(
            f"Within-patient correlations are mostly of deviations from averages of "
            f"{sessions:.0f} sessions. Where scores of successive sessions resemble each other, "
            "these are smaller than those of deviations from a patient's own level: in simulated "
            "processes .11 instead of .14 at 8 sessions, and .13 instead of .18 with strong "
            "autocorrelation. The interval of the state-like correlation held the latter in a "
            "tenth to a half of the reviews."
        )
    for row in result.left_out.itertuples():
        notes.append(f"Not in the synthesis: {count(row.effects, 'effect')} ({row.why}).")
    return tuple(notes)


def assumption_tables(analysis: Analysis) -> tuple[Table, ...]:
    """The grids: correlation of true effects, occasions apart, ICCs, compatible pairs."""
    tables = []
    for between, answer in analysis.answers.trait_state.items():
        if answer.result is not None and len(answer.result.joint.grid):
            tables.append(
                _grid(
                    answer.result.joint.grid.drop(columns="log_lik"),
                    f"questions.trait_state.{between}.joint.grid",
                    f"grid-{between}",
                    f"{COMPONENTS[between]}: correlation of true effects held at other values",
                    ("Correlation", "Trait, z", "State, z", "Difference, z", "CI of difference"),
                )
            )
    result = analysis.answers.synthesis.result
    if result is not None:
        first = ("Trait, r", "State, r", f"{level(analysis)} CI of state")
        tables.append(
            _grid(
                result.lagged_grid,
                "questions.synthesis.lagged_grid",
                "grid-occasions",
                "Synthesis: how deviations at other sessions relate to outcome",
                ("Share of same session", *first),
            )
        )
        if len(result.icc_grid):
            tables.append(
                _grid(
                    result.icc_grid,
                    "questions.synthesis.icc_grid",
                    "grid-icc",
                    "Synthesis: assumed intraclass correlations",
                    ("ICC alliance", "ICC outcome", *first),
                )
            )
    return tuple(tables)


def _grid(
    frame: pd.DataFrame, source: str, name: str, caption: str, columns: tuple[str, ...]
) -> Table:
    """A grid whose last two columns are an interval."""
    shown = list(frame.columns[:-2])
    low, high = frame.columns[-2:]
    rows = []
    for place, row in enumerate(frame.to_dict(orient="records")):
        at = f"{source}.{place}"
        cells = [
            Cell(text=correlation(row[column]), sort=float(row[column]), source=f"{at}.{column}")
            for column in shown
        ]
        limits = Cell(text=interval(row[low], row[high]), source=f"{at}.{low} {at}.{high}")
        rows.append((*cells, limits))
    return Table(
        name=name,
        caption=caption,
        columns=columns,
        numeric=(False, *[True] * (len(columns) - 1)),
        rows=tuple(rows),
    )
