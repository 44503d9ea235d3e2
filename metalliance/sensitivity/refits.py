"""The same model on fewer rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SmallSampleWarning, SpecificationError
from metalliance.models.fit import refit
from metalliance.models.inference import Inference, as_inference, infer
from metalliance.models.result import Fit
from metalliance.models.rows import describe_rows, require_columns
from metalliance.models.tidy import glance, tidy
from metalliance.numerics.blocks import IntArray
from metalliance.numerics.parallel import run

__all__ = ["LeaveOneOut", "leave_one_out"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeaveOneOut:
    """Refits without one effect or one group each.

    Attributes
    ----------
    by : str
        What was left out: ``effect``, a column, or how the clusters are called.
    table : DataFrame
        omitted estimate std_error tau2 i2 q conf_low conf_high; with moderators one row per
        coefficient and a column ``term`` behind ``omitted``. ``tau2`` is the total of all
        components. NaN where the rest cannot carry the model.
    """

    by: str
    table: pd.DataFrame


def leave_one_out(
    fit: Fit | Inference, by: str | None = None, level: float = 0.95, n_jobs: int = 1
) -> LeaveOneOut:
    """Refit without each effect, or without each group of effects.

    Parameters
    ----------
    fit : Fit or Inference
        Every refit is read with the same covariance and test.
    by : str, optional
        Column whose groups are left out. By default single effects of a univariate model and
        clusters of a multilevel one.
    level : float
        Of the confidence intervals.
    n_jobs : int
        Processes.

    Returns
    -------
    LeaveOneOut
    """
    inference = as_inference(fit)
    codes, labels, name = _groups(inference, by)
    if len(labels) < 2:
        raise SpecificationError(f"there is one group by {name}; nothing is left without it")
    tables = run(partial(_without, inference, codes, level), range(len(labels)), n_jobs)
    omitted = [
        label for label, table in zip(labels, tables, strict=True) for _ in range(len(table))
    ]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "omitted", omitted)
    if inference.fit.p == 1:
        table = table.drop(columns="term")
    return LeaveOneOut(by=name, table=table)


def _without(inference: Inference, codes: IntArray, level: float, group: int) -> pd.DataFrame:
    keep = codes != group
    fit = inference.fit
    row: dict[str, Any] = {"term": list(fit.terms)}
    names = ("estimate", "std_error", "tau2", "i2", "q", "conf_low", "conf_high")
    clusters = None if inference.clusters is None else inference.clusters[keep]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallSampleWarning)
            left = infer(refit(fit, keep), inference.vcov_type, inference.test, cluster=clusters)
    except SpecificationError:
        return pd.DataFrame(row | dict.fromkeys(names, np.nan))
    coefficients, whole = tidy(left, level=level), glance(left).iloc[0]
    row |= {name: coefficients[name] for name in ("estimate", "std_error")}
    row |= {"tau2": left.fit.heterogeneity, "i2": whole["i2"], "q": whole["q"]}
    row |= {name: coefficients[name] for name in ("conf_low", "conf_high")}
    return pd.DataFrame(row)


def _groups(inference: Inference, by: str | None) -> tuple[IntArray, list[str], str]:
    """Group number of each effect, a label of each group, and what groups are called."""
    fit = inference.fit
    if by is not None:
        require_columns(fit.data, [by], "by=")
        missing = fit.data[by].isna().to_numpy()
        if missing.any():
            raise SpecificationError(f"{by} is missing in {describe_rows(fit.data, missing)}")
        codes, values = pd.factorize(fit.data[by])
        return codes.astype(np.intp), [str(value) for value in values], by
    if fit.univariate and inference.clusters is None:
        return np.arange(fit.k), _effect_labels(fit.data), "effect"
    codes = inference.clusters if inference.clusters is not None else fit.clusters
    if codes is None:
        raise SpecificationError("the random terms are crossed; name the groups with by=")
    name = inference.cluster_name or fit.cluster_name
    column = name if name in fit.data.columns else "study"
    if column not in fit.data.columns:
        return codes, [f"{name} {j + 1}" for j in range(int(codes.max()) + 1)], name
    labels = []
    for j in range(int(codes.max()) + 1):
        inside = fit.data[column].to_numpy()[codes == j]
        labels.append(" + ".join(dict.fromkeys(str(value) for value in inside)))
    return codes, labels, name


def _effect_labels(data: pd.DataFrame) -> list[str]:
    """The study where that names the effect, study and effect where it takes both."""
    if "study" not in data.columns:
        return [str(label) for label in data.index]
    studies = data["study"].astype(str)
    if studies.is_unique or "effect" not in data.columns:
        return list(studies)
    return list(studies + ", " + data["effect"].astype(str))
