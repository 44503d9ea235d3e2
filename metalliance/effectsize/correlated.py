"""Sampling covariances of correlations that were computed on the same patients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from metalliance.effectsize.columns import column, complete_codes, label_at, numbers, row_list
from metalliance.effectsize.covariance import SamplingCovariance, first_indefinite
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import BlockDiagonal, FloatArray, IntArray, Stack, stack_rows

__all__ = ["METRICS", "Metric", "correlation_covariance", "olkin_siotani"]

Metric = Literal["z", "r"]

_SHOWN = 5


def olkin_siotani(
    r_ij: FloatArray,
    r_kl: FloatArray,
    r_ik: FloatArray,
    r_il: FloatArray,
    r_jk: FloatArray,
    r_jl: FloatArray,
) -> FloatArray:
    """Asymptotic covariance of √n r_ij and √n r_kl under normality.

    Notes
    -----
    ½ r_ij r_kl (r_ik² + r_il² + r_jk² + r_jl²) + r_ik r_jl + r_il r_jk
    − (r_ij r_ik r_il + r_ij r_jk r_jl + r_ik r_jk r_kl + r_il r_jl r_kl);
    for (i, j) = (k, l) this is (1 − r_ij²)².

    References
    ----------
    Pearson, K., & Filon, L. N. G. (1898). Philosophical Transactions of the Royal Society A,
    191, 229–311. https://doi.org/10.1098/rsta.1898.0007
    Olkin, I., & Siotani, M. (1976). Asymptotic distribution of functions of a correlation
    matrix. In S. Ikeda (Ed.), Essays in probability and statistics (pp. 235–251).
    Olkin, I., & Finn, J. D. (1995). Psychological Bulletin, 118, 155–164.
    https://doi.org/10.1037/0033-2909.118.1.155

    Examples
    --------
    >>> from numpy import float64 as f
    >>> float(olkin_siotani(f(.5), f(.5), f(1), f(.5), f(.5), f(1)))
    0.5625
    """
    # Summed in pairs, so that (ij, kl) and (kl, ij) are equal to the last bit.
    squares = (r_ik**2 + r_jl**2) + (r_il**2 + r_jk**2)
    shared = r_ij * (r_ik * r_il + r_jk * r_jl) + r_kl * (r_ik * r_jk + r_il * r_jl)
    return np.asarray(0.5 * (r_ij * r_kl) * squares + (r_ik * r_jl + r_il * r_jk) - shared)


def _on_r(c: FloatArray, r: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    return r, c / (n - 1)[:, None, None]


def _on_z(c: FloatArray, r: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Steiger's form: d atanh(r) = dr/(1 − r²), and Fisher's n − 3."""
    slope = 1 / (1 - r**2)
    pairs = slope[:, :, None] * slope[:, None, :]
    return np.arctanh(r), c * pairs / (n - 3)[:, None, None]


#: (c (B, m, m), r (B, m), n (B,)) -> (yi (B, m), V (B, m, m)).
METRICS: dict[
    Metric, Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
] = {"z": _on_z, "r": _on_r}


def correlation_covariance(
    correlations: pd.DataFrame,
    *,
    study: str = "study",
    var1: str = "var1",
    var2: str = "var2",
    r: str = "r",
    n: str = "n",
    metric: Metric = "z",
) -> SamplingCovariance:
    """Sampling covariance of several correlations of one sample.

    Parameters
    ----------
    correlations : DataFrame
        k rows, one per correlation; every study may have its own variables and pairs.
    study, var1, var2 : str
        Columns that name the sample and the two variables.
    r, n : str
        Columns of the correlations and the sample sizes. Where n varies within a study its
        smallest value is taken for the whole study.
    metric : {'z', 'r'}
        Fisher's z, or the correlations as they are.

    Returns
    -------
    SamplingCovariance
        Rows as in ``correlations``; ``yi`` holds the effects V belongs to.

    Raises
    ------
    SpecificationError
        Where a study lacks a correlation that V needs (all four between the variables of any
        two of its rows), has one twice, n ≤ 3, |r| ≥ 1, or V is not positive definite.

    Notes
    -----
    With c_(ij)(kl) of ``olkin_siotani`` at the sample's own correlations, V = c/(n − 1) for r,
    and V = c/((1 − r_ij²)(1 − r_kl²)(n − 3)) for z, whose diagonal is 1/(n − 3).

    References
    ----------
    Olkin, I., & Finn, J. D. (1995). Psychological Bulletin, 118, 155–164.
    https://doi.org/10.1037/0033-2909.118.1.155
    Steiger, J. H. (1980). Psychological Bulletin, 87, 245–251.
    https://doi.org/10.1037/0033-2909.87.2.245

    Examples
    --------
    >>> import pandas as pd
    >>> printed = pd.DataFrame(
    ...     {"study": 1, "var1": ["WAI", "WAI", "BDI"], "var2": ["BDI", "OQ", "OQ"],
    ...      "r": [.3, .25, .6], "n": 103})
    >>> correlation_covariance(printed).to_array()[0].round(5).tolist()
    [0.01, 0.00578, 0.00153]
    """
    if metric not in METRICS:
        raise ValueError(f"metric {metric!r} is not one of: {', '.join(METRICS)}")
    groups = stack_rows(complete_codes(correlations, study, "study"))
    values, size = _values(correlations, r), _sample_sizes(correlations, study, n)
    variables, names = _variables(correlations, var1, var2)
    _refuse_repeated(correlations, study, variables, names)
    yi, stacks = np.empty(len(values)), []
    for rows in groups:
        table, local = _correlation_matrices(values[rows], variables[rows])
        _refuse_lacking(correlations, study, rows, table, local, variables, names)
        yi[rows], V = METRICS[metric](_all_pairs(table, local), values[rows], size[rows[:, 0]])
        _refuse_indefinite(correlations, study, rows, V, variables, names)
        stacks.append(Stack(rows=rows, values=V))
    return SamplingCovariance(
        blocks=BlockDiagonal(size=len(values), stacks=tuple(stacks)),
        rho=None,
        cluster=study,
        basis=f"covariances of correlations ({'Steiger' if metric == 'z' else 'Olkin–Siotani'})",
        yi=yi,
    )


def _values(frame: pd.DataFrame, name: str) -> FloatArray:
    r = numbers(frame, name, "r")
    if np.any(np.abs(r) >= 1):
        raise SpecificationError(
            f"column {name!r} is not between -1 and 1 in {row_list(frame, np.abs(r) >= 1)}"
        )
    return r


def _sample_sizes(frame: pd.DataFrame, study: str, name: str) -> FloatArray:
    """(k,) smallest n of the study of each row."""
    n = numbers(frame, name, "n")
    if np.any(n <= 3):
        raise SpecificationError(
            f"column {name!r} is 3 or less in {row_list(frame, n <= 3)}; its correlation has no "
            "sampling variance, leave it out"
        )
    smallest = pd.Series(n).groupby(frame[study].to_numpy(), sort=False).transform("min")
    return np.asarray(smallest, dtype=np.float64)


def _variables(frame: pd.DataFrame, var1: str, var2: str) -> tuple[IntArray, list[str]]:
    """(k, 2) codes of the two variables of each row, and the names of the codes."""
    both = [column(frame, name, role) for name, role in ((var1, "var1"), (var2, "var2"))]
    for name in (var1, var2):
        complete_codes(frame, name, "variable")
    coded, names = pd.factorize(pd.concat([part.astype(str) for part in both]))
    variables = coded.reshape(2, -1).T.astype(np.intp)
    itself = variables[:, 0] == variables[:, 1]
    if itself.any():
        where = row_list(frame, itself)
        raise SpecificationError(f"a variable is correlated with itself in {where}; leave it out")
    return variables, list(names)


def _refuse_repeated(
    frame: pd.DataFrame, study: str, variables: IntArray, names: list[str]
) -> None:
    ordered = np.sort(variables, axis=1)
    key = pd.DataFrame({"study": frame[study].to_numpy(), "a": ordered[:, 0], "b": ordered[:, 1]})
    repeated = np.flatnonzero(key.duplicated())
    if repeated.size:
        row = int(repeated[0])
        pair = "–".join(names[v] for v in variables[row])
        raise SpecificationError(
            f"{study} {label_at(frame, study, row)} has the correlation {pair} twice; keep one"
        )


def _correlation_matrices(r: FloatArray, variables: IntArray) -> tuple[FloatArray, IntArray]:
    """Correlation matrices of B studies with m correlations r (B, m).

    Returns (B, p, p) with NaN where a study reports nothing, and (B, m, 2) positions in it of
    the ``variables`` (B, m, 2).
    """
    B, m = r.shape
    flat = variables.reshape(B, 2 * m)
    order = np.argsort(flat, axis=1, kind="stable")
    ascending = np.take_along_axis(flat, order, axis=1)
    rank = np.zeros_like(flat)
    rank[:, 1:] = np.cumsum(np.diff(ascending, axis=1) != 0, axis=1)
    positions = np.empty_like(flat)
    np.put_along_axis(positions, order, rank, axis=1)
    local = positions.reshape(B, m, 2)
    p = int(local.max()) + 1
    table = np.full((B, p, p), np.nan)
    table[:, np.arange(p), np.arange(p)] = 1.0
    study = np.arange(B)[:, None]
    table[study, local[:, :, 0], local[:, :, 1]] = r
    table[study, local[:, :, 1], local[:, :, 0]] = r
    return table, local


def _all_pairs(table: FloatArray, local: IntArray) -> FloatArray:
    """(B, m, m) Olkin–Siotani covariances of all pairs of rows."""
    study = np.arange(len(table))[:, None, None]
    i, j = local[:, :, None, 0], local[:, :, None, 1]
    other_i, other_j = local[:, None, :, 0], local[:, None, :, 1]
    return olkin_siotani(
        table[study, i, j],
        table[study, other_i, other_j],
        table[study, i, other_i],
        table[study, i, other_j],
        table[study, j, other_i],
        table[study, j, other_j],
    )


def _refuse_lacking(
    frame: pd.DataFrame,
    study: str,
    rows: IntArray,
    table: FloatArray,
    local: IntArray,
    variables: IntArray,
    names: list[str],
) -> None:
    """Raise where a variable of one row of a study has no correlation with one of another row.

    All variables of a study occur in its rows, so its whole correlation matrix is needed.
    """
    p = table.shape[1]
    has = np.zeros((len(table), p), dtype=bool)
    has[np.arange(len(table))[:, None], local.reshape(len(table), -1)] = True
    needed = has[:, :, None] & has[:, None, :] & np.isnan(table)
    short = np.flatnonzero(needed.any(axis=(1, 2)))
    if not short.size:
        return
    b = int(short[0])
    name_of = dict(zip(local[b].ravel().tolist(), variables[rows[b]].ravel().tolist(), strict=True))
    pairs = [
        f"{names[name_of[int(u)]]}–{names[name_of[int(v)]]}"
        for u, v in np.argwhere(np.triu(needed[b]))
    ]
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    others = f" ({short.size - 1} other studies lack some too)" if short.size > 1 else ""
    raise SpecificationError(
        f"{study} {label_at(frame, study, int(rows[b, 0]))} reports no correlation "
        f"{', '.join(pairs[:_SHOWN])}{more}, which the covariances of the others need{others}; "
        "add it, or leave out the correlations of one of the two variables"
    )


def _refuse_indefinite(
    frame: pd.DataFrame,
    study: str,
    rows: IntArray,
    V: FloatArray,
    variables: IntArray,
    names: list[str],
) -> None:
    bad = first_indefinite(V)
    if bad is not None:
        pairs = ", ".join("–".join(names[v] for v in pair) for pair in variables[rows[bad]])
        raise SpecificationError(
            f"the sampling covariance of {study} {label_at(frame, study, int(rows[bad, 0]))} is "
            f"not positive definite; its correlations ({pairs}) cannot all be right"
        )
