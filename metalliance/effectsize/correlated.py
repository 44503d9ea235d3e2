"""Sampling covariances of correlations that were computed on the same patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from metalliance.effectsize.columns import complete_codes, numbers, row_list
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
    beside: pd.DataFrame | None = None,
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
    beside : DataFrame, optional
        Further correlations of these studies (same columns, n not needed) that are no effects
        themselves, such as those among the alliance measures and among the outcomes.

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
    [0.01, 0.00575, 0.00161]
    """
    if metric not in METRICS:
        raise ValueError(f"metric {metric!r} is not one of: {', '.join(METRICS)}")
    printed = _read(correlations, beside, study, var1, var2, r)
    size = _sample_sizes(correlations, study, n)
    k = len(correlations)
    yi, stacks = np.empty(k), []
    for rows in stack_rows(printed.study[:k]):
        R, local = _correlation_matrices(printed, rows)
        yi[rows], V = METRICS[metric](_all_pairs(R, local), printed.r[rows], size[rows[:, 0]])
        if (bad := first_indefinite(V)) is not None:
            raise SpecificationError(
                f"the sampling covariance of {printed.where(int(rows[bad, 0]))} is not positive "
                f"definite; its correlations ({printed.pairs(printed.variables[rows[bad]])}) "
                "cannot all be right"
            )
        stacks.append(Stack(rows=rows, values=V))
    return SamplingCovariance(
        blocks=BlockDiagonal(size=k, stacks=tuple(stacks)),
        rho=None,
        cluster=study,
        basis=f"covariances of correlations ({'Steiger' if metric == 'z' else 'Olkin–Siotani'})",
        yi=yi,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Printed:
    """What studies print: the k effects first, then the correlations beside them.

    Attributes
    ----------
    study, r : (K,)
        Study codes and correlations.
    variables : (K, 2) int
        Codes of the two variables, the smaller first.
    study_column : str
    study_names, names : list of str
        Of the study codes and of the variable codes.
    """

    study: IntArray
    r: FloatArray
    variables: IntArray
    study_column: str
    study_names: list[str]
    names: list[str]

    def where(self, row: int) -> str:
        return f"{self.study_column} {self.study_names[self.study[row]]}"

    def pairs(self, variables: IntArray) -> str:
        said = ["–".join(self.names[v] for v in pair) for pair in variables]
        more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
        return ", ".join(said[:_SHOWN]) + more

    def keys(self, study: IntArray, first: IntArray, second: IntArray) -> IntArray:
        """One number for each study and unordered pair of variables."""
        many = len(self.names)
        low, high = np.minimum(first, second), np.maximum(first, second)
        return np.asarray((study * many + low) * many + high)

    def between(self, study: IntArray, first: IntArray, second: IntArray) -> FloatArray:
        """Correlations of pairs of variables, NaN where the study prints none."""
        printed = pd.Series(self.r, index=self.keys(self.study, *self.variables.T))
        wanted = self.keys(study, first, second)
        found = printed[~printed.index.duplicated()].reindex(wanted.ravel())
        return np.asarray(found, dtype=np.float64).reshape(wanted.shape)


def _read(
    effects: pd.DataFrame,
    beside: pd.DataFrame | None,
    study: str,
    var1: str,
    var2: str,
    r: str,
) -> _Printed:
    frames = [effects] if beside is None else [effects, beside]
    for frame in frames:
        for name, role in ((study, "study"), (var1, "variable"), (var2, "variable")):
            complete_codes(frame, name, role)
    values = np.concatenate([_correlations(frame, r) for frame in frames])
    studies, study_names = pd.factorize(pd.concat([f[study].astype(str) for f in frames]))
    both = [frame[name].astype(str) for name in (var1, var2) for frame in frames]
    coded, names = pd.factorize(pd.concat(both), sort=True)
    printed = _Printed(
        study=studies.astype(np.intp),
        r=values,
        variables=np.sort(coded.reshape(2, -1).T.astype(np.intp), axis=1),
        study_column=study,
        study_names=list(study_names),
        names=list(names),
    )
    _refuse_repeated(printed, len(effects))
    return printed


def _correlations(frame: pd.DataFrame, name: str) -> FloatArray:
    r = numbers(frame, name, "r")
    if np.any(np.abs(r) >= 1):
        raise SpecificationError(
            f"column {name!r} is not between -1 and 1 in {row_list(frame, np.abs(r) >= 1)}"
        )
    return r


def _refuse_repeated(printed: _Printed, k: int) -> None:
    """A pair is one effect at most, has one value, and consists of two variables."""
    first, second = printed.variables.T
    keys = printed.keys(printed.study, first, second)
    seen = pd.DataFrame({"key": keys, "r": printed.r})
    unequal = ~seen.duplicated() & seen.duplicated("key")
    for wrong, what in (
        (first == second, "a variable with itself"),
        (seen[:k].duplicated("key"), "one pair twice"),
        (unequal, "two values for one pair"),
    ):
        if np.any(wrong):
            row = int(np.argmax(wrong))
            pair = printed.pairs(printed.variables[[row]])
            raise SpecificationError(f"{printed.where(row)} has {what}: {pair}; keep one")


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


def _correlation_matrices(printed: _Printed, rows: IntArray) -> tuple[FloatArray, IntArray]:
    """Correlation matrices of the B studies whose effects are ``rows`` (B, m).

    Returns (B, p, p), and the positions (B, m, 2) in it of the variables of each effect. Any two
    variables of a study are needed: either they make one effect, or they belong to two.
    """
    B, m = rows.shape
    flat = printed.variables[rows].reshape(B, 2 * m)
    order = np.argsort(flat, axis=1, kind="stable")
    ascending = np.take_along_axis(flat, order, axis=1)
    rank = np.zeros_like(flat)
    rank[:, 1:] = np.cumsum(np.diff(ascending, axis=1) != 0, axis=1)
    local = np.empty_like(flat)
    np.put_along_axis(local, order, rank, axis=1)
    codes = np.full((B, int(rank.max()) + 1), -1, dtype=np.intp)
    np.put_along_axis(codes, rank, ascending, axis=1)

    study = printed.study[rows[:, 0]][:, None, None]
    R = printed.between(study, codes[:, :, None], codes[:, None, :])
    unused = codes < 0
    R = np.where(unused[:, :, None] | unused[:, None, :], 0.0, R)
    diagonal = np.arange(R.shape[1])
    R[:, diagonal, diagonal] = 1.0
    short = np.flatnonzero(np.isnan(R).any(axis=(1, 2)))
    if short.size:
        b = int(short[0])
        pairs = printed.pairs(codes[b][np.argwhere(np.triu(np.isnan(R[b])))])
        others = f" ({short.size - 1} other studies lack some too)" if short.size > 1 else ""
        raise SpecificationError(
            f"{printed.where(int(rows[b, 0]))} reports no correlation {pairs}, which the "
            f"covariances of the others need{others}; give it in beside=, or leave out the "
            "correlations of one of the two variables"
        )
    return R, local.reshape(B, m, 2)


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
