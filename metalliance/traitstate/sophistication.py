"""Does the answer change with methodological sophistication? Within one component × estimand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError
from metalliance.models.inference import Inference
from metalliance.models.predict import predict
from metalliance.models.tidy import tidy
from metalliance.traitstate.pooling import pool_effects

__all__ = ["BETWEEN", "WITHIN", "SophisticationResult", "sophistication_regression"]

NotReported = Literal["zero", "missing"]
INDEX: dict[NotReported, str] = {
    "zero": "sophistication",
    "missing": "sophistication_nr_missing",
}
BETWEEN, WITHIN = "sophistication_between", "sophistication_within"
STEP = 0.1
LEAST_STUDIES = 10
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
    rows = split_index(effects, INDEX[not_reported])
    table = EffectTable.build(rows, moderators=[*effects.moderators, BETWEEN, WITHIN])
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

    terms = [name for name in (BETWEEN, WITHIN) if len(rows) and np.ptp(rows[name]) >= STEP - 1e-9]
    reason = _why_withheld(rows, terms)
    if not reason:
        try:
            inference = pool_effects(table, "~ " + " + ".join(terms), rho=rho, method=method)
            line = _line(inference, frame, centre, terms, level)
            return result(inference, _slopes(inference, terms, level), line, "")
        except SpecificationError as error:
            reason = str(error)
    return result(None, pd.DataFrame(), pd.DataFrame(), reason)


def split_index(effects: EffectTable, column: str) -> pd.DataFrame:
    """Rows with a coded index, with its between-study and within-study parts added."""
    rows = effects.to_frame()
    if column not in rows:
        rows[column] = np.nan
    rows = rows[rows[column].notna()].reset_index(drop=True)
    means = rows.groupby("study")[column].transform("mean").astype(float)
    centre = means.groupby(rows["study"]).first().mean() if len(rows) else np.nan
    rows[BETWEEN] = means - centre
    rows[WITHIN] = rows[column].astype(float) - means
    return rows


def _why_withheld(rows: pd.DataFrame, terms: list[str]) -> str:
    """Reasons in the order in which a reader would ask."""
    if not len(rows):
        return "no effect of this pool has a coded sophistication index"
    studies = rows["study"].nunique()
    if studies < LEAST_STUDIES:
        return f"{studies} studies are too few for a slope; {LEAST_STUDIES} are needed"
    if not terms:
        return f"the index differs by less than {STEP:g} between studies and within them"
    return ""


def _slopes(inference: Inference, terms: list[str], level: float) -> pd.DataFrame:
    table = tidy(inference, level=level)
    table = table[table["term"].isin(terms)].reset_index(drop=True)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        table[column] = table[column] * STEP
    return table


def _line(
    inference: Inference, frame: pd.DataFrame, centre: float, terms: list[str], level: float
) -> pd.DataFrame:
    low, high = frame["sophistication"].min(), frame["sophistication"].max()
    index = np.linspace(low, high, GRID)
    columns = {BETWEEN: index - centre, WITHIN: np.zeros(GRID)}
    newdata = pd.DataFrame({name: columns[name] for name in terms})
    line = pd.DataFrame({"sophistication": index})
    for suffix, transform in (("", None), ("_r", "r")):
        drawn = predict(inference, newdata=newdata, transform=transform, level=level)
        for column in ("estimate", "conf_low", "conf_high"):
            line[column + suffix] = drawn[column].to_numpy()
    return line
