"""Does the answer change with methodological sophistication? Within one component × estimand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.models.inference import Inference
from metalliance.models.predict import predict
from metalliance.models.tidy import tidy
from metalliance.numerics.blocks import FloatArray
from metalliance.traitstate.scores import NotReported
from metalliance.traitstate.slopes import (
    LEAST_STUDIES,
    Working,
    regress,
    split,
    studies_in_words,
    with_columns,
)

__all__ = [
    "BETWEEN",
    "INDEX",
    "STEP",
    "WITHIN",
    "SophisticationResult",
    "index_terms",
    "line_of",
    "sophistication_regression",
    "split_index",
    "why_withheld",
]

INDEX: dict[NotReported, str] = {
    "zero": "sophistication",
    "missing": "sophistication_nr_missing",
}
BETWEEN, WITHIN = "sophistication_between", "sophistication_within"
STEP = 0.1
GRID = 41


@dataclass(frozen=True, slots=True, kw_only=True)
class SophisticationResult:
    """A meta-regression on the sophistication index.

    Attributes
    ----------
    pool : str
        Key of the pool it belongs to.
    not_reported : {'zero', 'missing'}
        Whether an item that was not reported counts 0 or leaves the denominator.
    inference : Inference or None
        None where the regression was not fitted; ``withheld`` says why.
    effects : DataFrame
        study, effect, yi, vi, r, ni, the index, and its between- and within-study parts.
    centre : float
        Mean index over studies: where the intercept is evaluated.
    slopes : DataFrame
        Tidy rows per .1 of the index: term, estimate, std_error, statistic, df, p_value,
        conf_low, conf_high. The between row compares studies, the within row compares effects
        of one study.
    line : DataFrame
        sophistication, estimate, conf_low, conf_high of the between-study line on the
        analysis scale, and the same with suffix ``_r`` on the printed scale.
    withheld : str
        Why there is no fit; empty where there is one.
    """

    pool: str
    not_reported: NotReported
    inference: Inference | None
    effects: pd.DataFrame
    centre: float
    slopes: pd.DataFrame
    line: pd.DataFrame
    withheld: str


def sophistication_regression(
    effects: EffectTable,
    *,
    pool: str = "",
    not_reported: NotReported = "zero",
    rho: float = 0.6,
    method: str = "REML",
    level: float = 0.95,
) -> SophisticationResult:
    """Regress effects of one component × estimand on their sophistication index.

    The index of an effect is split into its study's mean, centred at the mean over studies,
    and its deviation from that mean. The two slopes answer different questions: do better
    studies find something else, and do better analyses of the same data?

    Parameters
    ----------
    effects : EffectTable
        With columns ``sophistication`` and ``sophistication_nr_missing``.
    pool : str
        Key carried into the result.
    not_reported : {'zero', 'missing'}
        Which of the two columns is used.
    rho, method
        As in `pool_effects`.
    level : float
        Confidence level.

    Returns
    -------
    SophisticationResult
        With ``withheld`` set where the index is not coded, differs by less than .1, or fewer
        than ten studies have one. A part (between or within) that differs by less than .1 is
        left out of the regression.
    """
    how = Working(rho=rho, method=method, level=level)
    table = split_index(effects, INDEX[not_reported])
    rows = table.usable
    shown = [c for c in ("study", "effect", "yi", "vi", "r", "ni") if c in rows]
    frame = rows[[*shown, INDEX[not_reported], BETWEEN, WITHIN]].rename(
        columns={INDEX[not_reported]: "sophistication"}
    )
    centre = float(frame.groupby("study")["sophistication"].mean().mean()) if len(frame) else np.nan

    def result(
        inference: Inference | None, slopes: pd.DataFrame, line: pd.DataFrame, withheld: str
    ) -> SophisticationResult:
        return SophisticationResult(
            pool=pool,
            not_reported=not_reported,
            inference=inference,
            effects=frame,
            centre=centre,
            slopes=slopes,
            line=line,
            withheld=withheld,
        )

    terms = index_terms(table)
    reason = why_withheld(table, terms)
    found = reason or regress(table, terms, how)
    if isinstance(found, str):
        return result(None, pd.DataFrame(), pd.DataFrame(), found)
    grid = np.linspace(frame["sophistication"].min(), frame["sophistication"].max(), GRID)
    line = line_of(found, grid, {BETWEEN: grid - centre}, level)
    return result(found, _slopes(found, terms, level), line, "")


def split_index(effects: EffectTable, column: str) -> EffectTable:
    """Rows with a coded index, with its between-study and within-study parts added."""
    rows = effects.usable
    coded = rows[column] if column in rows else pd.Series(np.nan, index=rows.index)
    if column not in rows:
        effects = with_columns(effects, {column: coded})
    return split(effects, coded, "sophistication")


def index_terms(table: EffectTable) -> list[str]:
    """The parts of the index that differ by a tenth or more."""
    rows = table.usable
    return [name for name in (BETWEEN, WITHIN) if len(rows) and np.ptp(rows[name]) >= STEP - 1e-9]


def why_withheld(table: EffectTable, terms: Sequence[str]) -> str:
    """Reasons against a slope on the index in the order in which a reader would ask."""
    if not len(table):
        return "no effect of this pool has a coded sophistication index"
    studies = table.usable["study"].nunique()
    if studies < LEAST_STUDIES:
        verb = "is" if studies == 1 else "are"
        few = f"{studies_in_words(studies)} {verb} too few for a slope"
        return f"{few}; {LEAST_STUDIES} are needed"
    if not terms:
        return f"the index differs by less than {STEP:g} between studies and within them"
    return ""


def _slopes(inference: Inference, terms: list[str], level: float) -> pd.DataFrame:
    table = tidy(inference, level=level)
    marked = pd.Series(inference.imprecise, index=table.index)
    table["p_value"] = table["p_value"].mask(marked)
    table = table[table["term"].isin(terms)].reset_index(drop=True)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        table[column] = table[column] * STEP
    return table


def line_of(
    inference: Inference, grid: FloatArray, columns: Mapping[str, FloatArray], level: float
) -> pd.DataFrame:
    """Fitted means over a grid of the index, on the analysis scale and (suffix ``_r``) as printed.

    Parameters
    ----------
    inference : Inference
    grid : (m,) float
        The index.
    columns : mapping of str to (m,) float
        Values of the terms along the grid; every other term is held at 0.
    level : float
    """
    zero = np.zeros(len(grid))
    terms = [name for name in inference.fit.terms if name != "Intercept"]
    newdata = pd.DataFrame({name: columns.get(name, zero) for name in terms})
    line = pd.DataFrame({"sophistication": grid})
    printed = "r" if inference.fit.data["es_metric"].eq("z").all() else None
    for suffix, transform in (("", None), ("_r", printed)):
        drawn = predict(inference, newdata=newdata, transform=transform, level=level)
        for column in ("estimate", "conf_low", "conf_high"):
            line[column + suffix] = drawn[column].to_numpy()
    return line
