"""The same model without one study, or one effect, at a time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.errors import MetallianceWarning, SpecificationError
from metalliance.models.fit import fit as refit
from metalliance.models.inference import infer
from metalliance.models.result import Fit
from metalliance.models.tidy import glance, tidy
from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray

__all__ = ["LeaveOneOut", "leave_one_out"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeaveOneOut:
    """Refits without one group of rows at a time.

    Attributes
    ----------
    by : str
        What was left out: a column of the data, or ``effect`` (each row).
    table : DataFrame
        omitted, estimate, std_error, tau2, i2, q, conf_low, conf_high; ``tau2`` is the total
        variance of true effects where there are random terms.
    """

    by: str
    table: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _Given:
    """A sampling covariance that is already laid out."""

    blocks: BlockDiagonal
    description: str


def leave_one_out(fit: Fit, by: str | None = None) -> LeaveOneOut:
    """Fit again without each study, or each effect.

    Parameters
    ----------
    fit : Fit
        A pooled mean (``~ 1``).
    by : str, optional
        Column whose values are left out in turn. By default each row of a univariate fit, each
        value of the outermost grouping otherwise.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    SpecificationError
        Where the model has moderators, or the column is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from metalliance.models.fit import fit
    >>> frame = pd.DataFrame({"yi": [.1, .3, .5, .2], "vi": [.02, .03, .02, .04]})
    >>> leave_one_out(fit(frame)).table["estimate"].round(3).tolist()
    [0.346, 0.275, 0.175, 0.302]
    """
    if fit.terms != ("Intercept",):
        raise SpecificationError("leave_one_out needs a pooled mean; fit without moderators")
    column, numbers, names = _groups(fit, by)
    rows = []
    for number, name in enumerate(names):
        kept = np.flatnonzero(numbers != number)
        rows.append({"omitted": name} | _summary(fit, kept))
    return LeaveOneOut(by=column, table=pd.DataFrame(rows))


def _groups(fit: Fit, by: str | None) -> tuple[str, IntArray, list[object]]:
    if by is None and fit.univariate:
        labels = fit.data["study"] if "study" in fit.data else pd.Series(fit.data.index)
        return "effect", np.arange(fit.k), labels.tolist()
    column = by or fit.random[0].name
    if column not in fit.data.columns:
        known = ", ".join(map(str, fit.data.columns))
        raise SpecificationError(f"by={column!r} is no column of the fitted rows; choose: {known}")
    numbers, names = pd.factorize(fit.data[column])
    return column, numbers.astype(np.intp), list(names)


def _summary(fit: Fit, kept: IntArray) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetallianceWarning)
        again = _refit(fit, kept)
        inference = infer(again, cluster=_clusters(fit, kept))
        row, overall = tidy(inference).iloc[0], glance(inference).iloc[0]
    return {
        "estimate": float(row["estimate"]),
        "std_error": float(row["std_error"]),
        "tau2": again.heterogeneity,
        "i2": float(overall["i2"]),
        "q": float(overall["q"]),
        "conf_low": float(row["conf_low"]),
        "conf_high": float(row["conf_high"]),
    }


def _refit(fit: Fit, kept: IntArray) -> Fit:
    call = fit.call
    data = fit.data.iloc[kept].reset_index(drop=True)
    data = data.assign(**{call["yi"]: fit.yi[kept], call["vi"]: fit.vi[kept]})
    if fit.univariate:
        fixed = fit.tau2 if fit.components[0].fixed and fit.method != "EE" else None
        return refit(data, fit.formula, method=fit.method, tau2=fixed, yi=call["yi"], vi=call["vi"])
    given = _Given(fit.sampling.take(kept), str(call["V"]))
    return refit(
        data,
        fit.formula,
        random=call["random"],
        V=given,
        method=fit.method,
        yi=call["yi"],
        vi=call["vi"],
        sigma2=call["sigma2"],
    )


def _clusters(fit: Fit, kept: IntArray) -> FloatArray | IntArray | None:
    if fit.univariate or fit.clusters is None:
        return None
    return np.unique(fit.clusters[kept], return_inverse=True)[1]
