"""Tables of the section on trait and state."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from metalliance.report.labels import COMPONENTS, ESTIMANDS, level, pool_title
from metalliance.report.numbers import correlation, interval, number, p_value
from metalliance.report.tables import Cell, Table
from metalliance.traitstate.chance import Chance
from metalliance.traitstate.joint import DIFFERENCE, Joint
from metalliance.workflow.analysis import Analysis

__all__ = [
    "chance_table",
    "components_table",
    "ratio_table",
    "slopes_table",
    "smallest_table",
]

MINUS = "State-like minus trait-like"
#: Studies below which a share of patients with a positive slope is not printed.
LEAST_FOR_SHARE = 5
PATHS = {
    "forward": "Alliance to later outcome",
    "reverse": "Outcome to later alliance",
    DIFFERENCE: "Forward minus reverse",
}


def components_table(analysis: Analysis) -> Table:
    """Parts and differences of the joint models; why there is none."""
    rows: list[tuple[Cell, ...]] = []
    for between, answer in analysis.answers.trait_state.items():
        source = f"questions.trait_state.{between}"
        state = f"{COMPONENTS['within']}, {ESTIMANDS[analysis.answers.estimand]}"
        names = {"between": COMPONENTS[between], "within": state, DIFFERENCE: MINUS}
        if answer.result is None:
            rows.append(_empty(COMPONENTS[between], answer.withheld))
            continue
        rows += _joint_rows(answer.result.joint, names, f"{source}.joint", "r")
        if answer.result.paired is not None:
            rows += _paired_row(answer.result.paired, f"{source}.paired", "r")
    answer_back = analysis.answers.reciprocal
    if answer_back.result is not None:
        source = "questions.reciprocal"
        rows += _joint_rows(answer_back.result.joint, PATHS, f"{source}.joint", "β")
        if answer_back.result.paired is not None:
            rows += _paired_row(answer_back.result.paired, f"{source}.paired", "β")
    return Table(
        name="joint",
        caption="Two components, or two directions, in one model",
        columns=(
            *("Component", "Studies", "Effects", "Estimate", f"{level(analysis)} CI"),
            *(f"{level(analysis)} PI", "df", "Test"),
        ),
        numeric=(False, True, True, True, True, True, True, True),
        rows=tuple(rows),
        note=(
            "Bivariate random effects; CR2 standard errors by independent study with Satterthwaite "
            "degrees of freedom, so intervals can differ from those of a component pooled by "
            "itself. No test is shown where df is below 4. A difference is one of standardised "
            "associations, tested on the scale of the model."
        ),
    )


def _empty(name: str, why: str) -> tuple[Cell, ...]:
    return (Cell(text=name, below=f"Not compared: {why}"), *[Cell(text="–")] * 7)


def _joint_rows(
    joint: Joint, names: dict[str, str], source: str, letter: str
) -> Iterator[tuple[Cell, ...]]:
    counts = joint.counts.set_index("part")
    for place, row in enumerate(joint.table_r.itertuples()):
        part = str(row.term)
        size = [Cell(text="–"), Cell(text="–")]
        below = _held(joint) if part == DIFFERENCE else ""
        if part in counts.index:
            size = [
                Cell(text=f"{counts.loc[part, name]:,.0f}", sort=float(counts.loc[part, name]))
                for name in ("studies", "effects")
            ]
        yield _row(Cell(text=names[part], below=below), size, joint, place, source, letter)


def _paired_row(joint: Joint, source: str, letter: str) -> Iterator[tuple[Cell, ...]]:
    place = int(joint.table_r.index[joint.table_r["term"].eq(DIFFERENCE)][0])
    effects = joint.counts["effects"].sum()
    size = [Cell(text=f"{joint.both}", sort=float(joint.both)), Cell(text=f"{effects}")]
    name = Cell(text="The difference in studies that give both", below=_held(joint))
    yield _row(name, size, joint, place, source, letter)


def _held(joint: Joint) -> str:
    if joint.at_bound:
        shown = correlation(joint.correlation)
        return f"correlation of true effects {shown}, estimated: at its bound, so hardly known"
    if joint.structure == "UN":
        return f"correlation of true effects {correlation(joint.correlation)}, estimated"
    return f"correlation of true effects held at {correlation(joint.correlation)}"


def _row(
    name: Cell, size: list[Cell], joint: Joint, place: int, source: str, letter: str
) -> tuple[Cell, ...]:
    shown, tested = joint.table_r.loc[place], joint.table.loc[place]
    at = f"{source}.table_r.{place}"
    imprecise = not tested["df"] >= 4
    prediction = interval(shown["pi_low"], shown["pi_high"])
    return (
        name,
        *size,
        Cell(
            text=f"{letter} = {correlation(shown['estimate'])}",
            sort=float(shown["estimate"]),
            source=f"{at}.estimate",
        ),
        Cell(
            text=interval(shown["conf_low"], shown["conf_high"]),
            source=f"{at}.conf_low {at}.conf_high",
        ),
        Cell(text=prediction, source="" if prediction == "–" else f"{at}.pi_low {at}.pi_high"),
        Cell(
            text=number(tested["df"], 2 if imprecise else 1),
            source=f"{source}.table.{place}.df",
        ),
        Cell(text="imprecise")
        if imprecise
        else Cell(text=f"p {p_value(tested['p_value'])}", source=f"{source}.table.{place}.p_value"),
    )


def ratio_table(analysis: Analysis) -> Table:
    """Ratio of raw slopes, between over within, over the band of assumed ICCs."""
    rows = []
    for between, answer in analysis.answers.trait_state.items():
        if answer.result is None or answer.result.joint.imprecise:
            continue
        if answer.result.slope_ratio["ratio"].isna().any():
            continue
        for place, row in answer.result.slope_ratio.iterrows():
            source = f"questions.trait_state.{between}.slope_ratio.{place}"
            rows.append(
                (
                    Cell(text=COMPONENTS[between]),
                    Cell(text=correlation(row["icc_x"]), sort=float(row["icc_x"])),
                    Cell(text=correlation(row["icc_y"]), sort=float(row["icc_y"])),
                    Cell(text=number(row["ratio"], 1), source=f"{source}.ratio"),
                    Cell(
                        text=f"[{number(row['conf_low'], 1)}, {number(row['conf_high'], 1)}]"
                        if pd.notna(row["conf_low"])
                        else "no limits",
                        source=f"{source}.conf_low {source}.conf_high"
                        if pd.notna(row["conf_low"])
                        else "",
                    ),
                )
            )
    return Table(
        name="slope-ratio",
        caption="Slope between patients over slope within a patient, in raw units",
        columns=(
            "Trait-like component",
            "ICC alliance",
            "ICC outcome",
            "Ratio",
            f"{level(analysis)} CI",
        ),
        numeric=(False, True, True, True, True),
        rows=tuple(rows),
        note="Limits by Fieller's theorem; none where the state-like association may be zero.",
    )


def chance_table(analysis: Analysis) -> Table:
    """Probability that the true state-like effect of a new study is positive."""
    rows = []
    for place, (key, chance) in enumerate(analysis.answers.chances.items()):
        source = f"questions.chances.{place}"
        limits = interval(chance.conf_low, chance.conf_high, 3)
        rows.append(
            (
                Cell(text=pool_title(analysis.pool(key)), below=chance.withheld),
                Cell(text=f"{chance.clusters}"),
                _probability(chance, f"{source}.estimate"),
                Cell(
                    text=limits,
                    source="" if limits == "–" else f"{source}.conf_low {source}.conf_high",
                ),
            )
        )
    return Table(
        name="chance",
        caption="Probability that the true effect of a new study is positive",
        columns=("State-like pool", "Studies", "Probability", f"{level(analysis)} CI"),
        numeric=(False, True, True, True),
        rows=tuple(rows),
        note=(
            "True effects are taken as normal. In simulations intervals of nominal level 95% held "
            "the true share in .83 to .97 of cases with 8 studies, .93 to .97 with 14 and .95 to "
            ".96 with 30."
        ),
    )


def _probability(chance: Chance, source: str) -> Cell:
    if chance.withheld:
        return Cell(text="–")
    if chance.estimate > 0.9995:
        return Cell(text="> .999", sort=chance.estimate)
    return Cell(text=correlation(chance.estimate, 3), source=source)


def smallest_table(analysis: Analysis) -> Table:
    """Every pooled mean against the plan's smallest effect of interest."""
    rows = []
    words = {
        "smaller": "smaller",
        "larger": "larger",
        "undecided": "open",
        "imprecise": "imprecise",
    }
    for place, (key, tested) in enumerate(analysis.answers.smallest.items()):
        pool, source = analysis.pool(key), f"questions.smallest.{place}"
        on_r = pool.es_metric == "z"
        low, high = (math.tanh(x) if on_r else x for x in (tested.conf_low, tested.conf_high))
        size = math.tanh(tested.smallest) if on_r else tested.smallest
        tests = [
            Cell(text="–")
            if tested.reading == "imprecise"
            else Cell(text=f"p {p_value(value)}", source=f"{source}.{name}")
            for name, value in (
                ("p_minimum", tested.p_minimum),
                ("p_equivalence", tested.p_equivalence),
            )
        ]
        rows.append(
            (
                Cell(text=pool_title(pool)),
                Cell(text=correlation(size)),
                Cell(text=interval(low, high)),
                *tests,
                Cell(text=words[tested.reading]),
            )
        )
    return Table(
        name="smallest",
        caption="Pooled means against the smallest effect of interest",
        columns=("Pool", "Smallest", "90% CI", "Larger", "Smaller", "Reading"),
        numeric=(False, True, True, True, True, False),
        rows=tuple(rows),
        note=(
            "Larger: test against the hypothesis that the mean is at most that large. Smaller: "
            "two one-sided tests against the hypothesis that it is at least that large. Both "
            "have size .05 and read the 90% interval. Open: neither."
        ),
    )


def slopes_table(analysis: Analysis) -> Table:
    """How much the state-like association differs between patients."""
    rows = []
    for place, (key, spread) in enumerate(analysis.answers.slopes.items()):
        source = f"questions.slopes.{place}"
        limits = interval(spread.conf_low, spread.conf_high)
        cited = f"{source}.conf_low {source}.conf_high"
        rows.append(
            (
                Cell(
                    text=pool_title(analysis.pool(key)),
                    below=f"{spread.zeros} estimated as zero, left out" if spread.zeros else "",
                ),
                Cell(text=f"{spread.studies}", source=f"{source}.studies"),
                Cell(text=correlation(spread.estimate), source=f"{source}.estimate"),
                Cell(text=limits, source="" if limits == "–" else cited),
                Cell(
                    text=interval(spread.smallest, spread.largest),
                    source=f"{source}.smallest {source}.largest",
                ),
                Cell(text="–")
                if spread.studies < LEAST_FOR_SHARE
                else Cell(text=correlation(spread.positive), source=f"{source}.positive"),
            )
        )
    return Table(
        name="slopes",
        caption="How much the state-like association differs between patients",
        columns=(
            *("State-like pool", "Studies", "Slope SD", f"{level(analysis)} CI"),
            *("Smallest, largest", "Share of patients above zero"),
        ),
        numeric=(False, True, True, True, True, True),
        rows=tuple(rows),
        note=(
            "Standard deviation of patients' own slopes, in the metric of the pool; geometric mean "
            "over independent studies, each counting once. The last column takes slopes as normal "
            f"around the pooled mean; withheld below {LEAST_FOR_SHARE} studies."
        ),
    )
