"""Slopes of one pool on columns of numbers: split between and within studies, counted, marked."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from metalliance.effectsize.paths import REVERSE
from metalliance.effectsize.table import EffectTable
from metalliance.errors import ConvergenceError, MetallianceWarning, SpecificationError
from metalliance.models.fit import remodel
from metalliance.models.inference import Inference, infer
from metalliance.models.tidy import tidy
from metalliance.traitstate.pooling import pool_effects

__all__ = [
    "CLUSTERS_PER_TERM",
    "COUNTS",
    "LEAST_DIFFERING",
    "LEAST_STUDIES",
    "NUMBERS",
    "Status",
    "Working",
    "cluster_count",
    "counts",
    "differing",
    "regress",
    "require_one_pool",
    "slope_rows",
    "split",
    "studies_in_words",
    "with_columns",
    "withheld_row",
]

Status = Literal["planned", "exploratory"]
LEAST_STUDIES = 10
CLUSTERS_PER_TERM = 10
LEAST_DIFFERING = 4
COUNTS = ("k_effects", "k_studies", "n_clusters")
NUMBERS = (
    *("estimate", "std_error", "statistic", "df"),
    *("p_value", "conf_low", "conf_high"),
)
DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """How every regression is fitted and read; as in `pool_effects`.

    Attributes
    ----------
    rho : float
    method : str
    level : float
    """

    rho: float = 0.6
    method: str = "REML"
    level: float = 0.95


def require_one_pool(effects: EffectTable) -> None:
    """Refuse rows of several components, estimands, metrics or directions."""
    if not isinstance(effects, EffectTable):
        raise SpecificationError(
            f"an EffectTable is needed here, not {type(effects).__name__}; review.effects() gives "
            "one"
        )
    rows = effects.usable
    kinds = rows[["component", "estimand", "es_metric"]].astype(str)
    kinds = kinds.assign(path=np.where(rows["path"].eq(REVERSE), "reverse", "forward"))
    found = sorted({" ".join(kind) for kind in kinds.itertuples(index=False)})
    if len(found) > 1:
        raise SpecificationError(
            f"these effects belong to {len(found)} pools ({'; '.join(found)}), whose differences a "
            "slope would take for an effect of quality; choose the rows of one with "
            "effects.where(effects.usable['component'] == ...)"
        )


def with_columns(effects: EffectTable, columns: Mapping[str, pd.Series]) -> EffectTable:
    """The same effects with more moderators, one value per usable row."""
    rows = effects.usable.assign(**columns)
    names = dict.fromkeys((*effects.moderators, *columns))
    return EffectTable(rows, effects.unusable, tuple(names), effects.correlations)


def split(effects: EffectTable, values: pd.Series, name: str) -> EffectTable:
    """Rows that have a value, with its parts between and within studies.

    Parameters
    ----------
    effects : EffectTable
    values : Series
        (k,) one per usable row, NaN where there is none.
    name : str
        ``{name}_between`` is the mean of the study, centred at the mean over studies;
        ``{name}_within`` the deviation of the effect from the mean of its study.
    """
    there = values.notna().to_numpy()
    kept, numbers = effects.where(there), values[there].astype(float).reset_index(drop=True)
    study = kept.usable["study"]
    means = numbers.groupby(study).transform("mean")
    centre = means.groupby(study).first().mean() if len(numbers) else np.nan
    parts = {f"{name}_between": means - centre, f"{name}_within": numbers - means}
    return with_columns(kept, parts)


def differing(effects: EffectTable, column: str) -> int:
    """Number of clusters with an effect whose value is not the most common one of the studies.

    For a deviation from the study's mean: clusters with an effect that deviates.
    """
    rows = effects.usable
    if not len(rows):
        return 0
    values = rows[column].round(DIGITS)
    if column.endswith("_within"):
        off = values.ne(0)
    else:
        off = values.ne(values.groupby(rows["study"]).first().mode().iloc[0])
    return len(np.unique(effects.clusters()[off.to_numpy()]))


def cluster_count(effects: EffectTable) -> int:
    """Number of clusters: studies, those that share a sample as one."""
    return len(np.unique(effects.clusters()))


def studies_in_words(number: int, adjective: str = "") -> str:
    """``1 study``, ``8 independent studies``."""
    noun = "study" if number == 1 else "studies"
    return " ".join(filter(None, (str(number), adjective, noun)))


def counts(effects: EffectTable) -> dict[str, int]:
    """Effects, studies and clusters."""
    return {
        "k_effects": len(effects),
        "k_studies": int(effects.usable["study"].nunique()),
        "n_clusters": cluster_count(effects),
    }


def regress(
    effects: EffectTable, terms: Sequence[str], how: Working, near: Inference | str = ""
) -> Inference | str:
    """The working model with these terms, or why it cannot be fitted.

    Parameters
    ----------
    effects : EffectTable
    terms : sequence of str
    how : Working
    near : Inference, optional
        A model of the same rows with similar terms, from whose variance components the search
        then begins; what is no such model is ignored.
    """
    mods = "~ " + " + ".join(terms)
    try:
        with warnings.catch_warnings():
            # Imprecise coefficients are marked in the tables.
            warnings.simplefilter("ignore", MetallianceWarning)
            if isinstance(near, Inference) and _resembles(near, effects):
                return infer(remodel(near.fit, mods, effects.usable))
            return pool_effects(effects, mods, rho=how.rho, method=how.method)
    except (SpecificationError, ConvergenceError) as error:
        return str(error)


def _resembles(near: Inference, effects: EffectTable) -> bool:
    return not near.fit.univariate and near.fit.k == len(effects)


def slope_rows(
    inference: Inference,
    terms: Collection[str],
    how: Working,
    *,
    units: Mapping[str, float] | None = None,
) -> dict[str, dict[str, Any]]:
    """Numbers of some coefficients by term, per ``units`` of their columns (1 by default).

    No p-value where the standard error is imprecise: fewer than 4 degrees of freedom, or a
    coefficient that rests on one cluster.
    """
    table = tidy(inference, level=how.level)
    found: dict[str, dict[str, Any]] = {}
    for row, low in zip(table.to_dict(orient="records"), inference.imprecise, strict=True):
        term = str(row["term"])
        if term not in terms:
            continue
        unit = (units or {}).get(term, 1.0)
        numbers = {name: float(row[name]) for name in NUMBERS}
        for name in ("estimate", "std_error", "conf_low", "conf_high"):
            numbers[name] *= unit
        if low:
            numbers["p_value"] = np.nan
        found[term] = {**numbers, "imprecise": bool(low), "withheld": ""}
    return found


def withheld_row(reason: str) -> dict[str, Any]:
    """Numbers that are not there, and why."""
    return {**dict.fromkeys(NUMBERS, np.nan), "imprecise": False, "withheld": reason}
