"""Working correlations: what is assumed about every pair of effects of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.effectsize.assumed import autocorrelation, correlation_table, is_correlation
from metalliance.effectsize.columns import column, complete_codes, label_at, numbers, row_list
from metalliance.effectsize.covariance import Rho
from metalliance.effectsize.reported import ReportedPairs
from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray, IntArray

__all__ = [
    "Assumption",
    "PairTable",
    "measured_effects",
    "read_assumption",
    "refuse_missing_pair",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairTable:
    """A correlation for each pair of levels of a column.

    Attributes
    ----------
    codes : (k,) int
        Number of the level of each row.
    levels : tuple of str
        The c levels.
    rho : (c, c) float
        NaN where a pair has no value.
    """

    codes: IntArray
    levels: tuple[str, ...]
    rho: FloatArray

    @classmethod
    def of_column(
        cls, frame: pd.DataFrame, name: str, role: str, rho: Mapping[tuple[str, str], float]
    ) -> PairTable:
        """The pairs of values of a column, by ``rho``."""
        complete_codes(frame, name, role)
        codes, levels = pd.factorize(column(frame, name, role).astype(str))
        table = correlation_table(list(levels), rho)
        return cls(codes=codes.astype(np.intp), levels=tuple(levels), rho=table)

    @classmethod
    def constant(cls, k: int, rho: float) -> PairTable:
        """The same correlation for all pairs of k rows."""
        table = np.array([[is_correlation(rho, "rho")]])
        return cls(codes=np.zeros(k, dtype=np.intp), levels=("",), rho=table)

    def correlations(self, rows: IntArray) -> FloatArray:
        """(B, n, n) of the rows (B, n)."""
        codes = self.codes[rows]
        return np.asarray(self.rho[codes[:, :, None], codes[:, None, :]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assumption:
    """R_ij = ρ_ij φ^|t_i − t_j| for the k rows of a frame, and what it takes to say it.

    Attributes
    ----------
    components : PairTable
        ρ_ij by component, or one constant.
    paths : PairTable or None
        ρ_ij where the two paths differ.
    measured : (k,) int or None
        Rows that share a number are one effect at several times: ρ_ij = 1.
    time : (k,) float or None
    phi : float
    """

    components: PairTable
    paths: PairTable | None
    measured: IntArray | None
    time: FloatArray | None
    phi: float

    def correlations(self, rows: IntArray, reported: ReportedPairs | None) -> FloatArray:
        """(B, n, n) of the rows (B, n) of B clusters; NaN where a pair has no value."""
        R = self.components.correlations(rows)
        if self.paths is not None:
            R = np.where(_differ(self.paths.codes[rows]), self.paths.correlations(rows), R)
        if self.time is not None:
            if self.measured is not None:
                R = np.where(_differ(self.measured[rows]), R, 1.0)
            R = R * autocorrelation(self.time[rows], self.phi)
        if reported is not None:
            reported.fill(R, rows)
        n = rows.shape[1]
        R[:, np.arange(n), np.arange(n)] = 1.0
        return R

    def pair(self, i: int, j: int) -> tuple[str, str]:
        """The two levels whose correlation rows i and j take."""
        decides = self.components
        if self.paths is not None and self.paths.codes[i] != self.paths.codes[j]:
            decides = self.paths
        return decides.levels[decides.codes[i]], decides.levels[decides.codes[j]]


def read_assumption(
    frame: pd.DataFrame,
    cluster: str,
    rho: Rho,
    *,
    component: str,
    path: str | None,
    obs: str | None,
    time: str | None,
    phi: float | None,
) -> Assumption:
    """Take the arguments of ``sampling_covariance`` apart, row by row."""
    if (time is None) != (phi is None):
        given, lacking = ("phi", "time") if time is None else ("time", "phi")
        raise SpecificationError(f"{given}= needs {lacking}= beside it")
    if not isinstance(rho, Mapping):
        if path is not None:
            raise SpecificationError(
                "path= needs rho by pair, such as {('forward', 'reverse'): 0.0, …}"
            )
        components, paths = PairTable.constant(len(frame), rho), None
    else:
        components = PairTable.of_column(frame, component, "component", rho)
        paths = None if path is None else PairTable.of_column(frame, path, "path", rho)
    times = None if time is None else numbers(frame, time, "time")
    measured = None
    if obs is not None:
        kinds = [components.codes] + ([] if paths is None else [paths.codes])
        measured = measured_effects(frame, cluster, obs, kinds, times)
    phi = 1.0 if phi is None else is_correlation(phi, "phi")
    return Assumption(components=components, paths=paths, measured=measured, time=times, phi=phi)


def refuse_missing_pair(
    frame: pd.DataFrame, cluster: str, assumption: Assumption, rows: IntArray, R: FloatArray
) -> None:
    """Raise where ``R`` (B, n, n) has a pair of the rows (B, n) without a value."""
    lacking = np.argwhere(np.isnan(R))
    if not len(lacking):
        return
    b, first, second = lacking[0]
    i, j = int(rows[b, first]), int(rows[b, second])
    one, other = assumption.pair(i, j)
    raise SpecificationError(
        f"rho has no value for the pair {one!r} and {other!r}, which {cluster} "
        f"{label_at(frame, cluster, i)} has in {row_list(frame, [i, j])}; add it, or keep one of "
        "the two"
    )


def _differ(codes: IntArray) -> np.ndarray:
    return np.asarray(codes[:, :, None] != codes[:, None, :])


def measured_effects(
    frame: pd.DataFrame,
    cluster: str,
    obs: str,
    kinds: Sequence[IntArray] = (),
    times: FloatArray | None = None,
) -> IntArray:
    """(k,) numbers of what was measured: a value of ``obs`` within each of the ``kinds``.

    Refused where a cluster has one of them twice (at one time, where ``times`` is given).
    """
    seen = pd.DataFrame(dict(enumerate([complete_codes(frame, obs, "obs"), *kinds])))
    measured: IntArray = seen.groupby(list(seen.columns)).ngroup().to_numpy(np.intp)
    key = pd.DataFrame({"cluster": frame[cluster].to_numpy(), "measured": measured})
    if times is not None:
        key["time"] = times
    repeated = np.flatnonzero(key.duplicated())
    if repeated.size:
        row = int(repeated[0])
        raise SpecificationError(
            f"{cluster} {label_at(frame, cluster, row)} has {obs} {label_at(frame, obs, row)} "
            "more than once, which would make its sampling covariance singular; give each "
            "effect its own value"
        )
    return measured
