"""Gaussian log-likelihood of patients who were seen on occasions of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import transpose

__all__ = [
    "Evaluation",
    "Panel",
    "evaluate",
    "expected_information",
    "panel_of",
    "patient_scores",
]

_ROUND_TO = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Patients with a similar number of values, padded to the largest.

    Patients who share a pattern of values share their covariance matrix.

    Attributes
    ----------
    position : (m, p) int
        Of each value of each pattern in the covariance over the grid; 0 where padded.
    seen : (m, p) bool
    pattern : (n,) int
        Increasing.
    first : (m,) int
        First patient of each pattern.
    counts : (m,) float
        Patients of each pattern.
    data : (n, p, q + 1) float
        Columns of the mean, then the values; 0 where padded.
    patients : (n,) int
    """

    position: NDArray[np.int64]
    seen: NDArray[np.bool_]
    pattern: NDArray[np.int64]
    first: NDArray[np.int64]
    counts: FloatArray
    data: FloatArray
    patients: NDArray[np.int64]

    def gather(self, grid: FloatArray) -> FloatArray:
        """(..., m, p, p): rows and columns of each pattern, 0 where padded."""
        both = self.seen[:, :, None] & self.seen[:, None, :]
        picked = grid[..., self.position[:, :, None], self.position[:, None, :]]
        return np.asarray(np.where(both, picked, 0.0))

    def by_pattern(self, of_patients: FloatArray) -> FloatArray:
        """Sums over the patients of each pattern."""
        if len(self.first) == len(self.pattern):
            return of_patients
        return np.asarray(np.add.reduceat(of_patients, self.first, axis=0))

    def by_patient(self, of_patterns: FloatArray) -> FloatArray:
        """Each patient's, of a stack by pattern; one pattern is broadcast instead."""
        if len(self.first) == len(self.pattern) or len(self.first) == 1:
            return of_patterns
        return np.asarray(of_patterns[self.pattern])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """The data of a panel, laid out for the likelihood.

    Attributes
    ----------
    elapsed : (g,) int
        All times since a patient's first occasion that occur, increasing from 0.
    groups : tuple
    n_patients, n_values, n_columns : int
        ``n_columns`` counts the coefficients of the mean.
    """

    elapsed: NDArray[np.int64]
    groups: tuple[_Group, ...]
    n_patients: int
    n_values: int
    n_columns: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """The likelihood at one covariance.

    Attributes
    ----------
    log_lik : float
        −inf where the covariance is not positive definite.
    coefficients : (q,) float
        Of the mean: given, or generalised least squares.
    information : (q, q) float
        X'V⁻¹X.
    score : (q,) float
        Derivative in the coefficients; 0 at generalised least squares.
    slope : (2g, 2g) float
        Derivative in the elements of the covariance over the grid.
    parts : tuple of (m, p, p) and (n, p) float
        V⁻¹ by pattern and V⁻¹r by patient, for each group.
    """

    log_lik: float
    coefficients: FloatArray
    information: FloatArray
    score: FloatArray
    slope: FloatArray
    parts: tuple[tuple[FloatArray, FloatArray], ...]


def panel_of(
    patient: NDArray[np.int64],
    elapsed: NDArray[np.int64],
    variable: NDArray[np.int64],
    data: FloatArray,
) -> Panel:
    """Lay out values, one a row.

    Parameters
    ----------
    patient : (v,) int
        0 to n - 1.
    elapsed : (v,) int
        Since the patient's first occasion.
    variable : (v,) int
        0 for x, 1 for y.
    data : (v, q + 1) float
        Columns of the mean, then the value.
    """
    grid, at = np.unique(elapsed, return_inverse=True)
    position = 2 * at + variable
    order = np.lexsort((position, patient))
    patient, position, data = patient[order], position[order], data[order]
    n = int(patient[-1]) + 1
    counts = np.bincount(patient, minlength=n)
    starts = np.r_[0, np.cumsum(counts)[:-1]]
    padded = -(-counts // _ROUND_TO) * _ROUND_TO
    groups = []
    for size in np.unique(padded):
        members = np.flatnonzero(padded == size)
        width = int(counts[members].max())
        index = starts[members, None] + np.arange(width)
        seen = np.arange(width) < counts[members, None]
        groups.append(_group(members, np.where(seen, index, 0), seen, position, data))
    return Panel(
        elapsed=grid,
        groups=tuple(groups),
        n_patients=n,
        n_values=len(patient),
        n_columns=data.shape[1] - 1,
    )


def _group(
    members: NDArray[np.int64],
    index: NDArray[np.int64],
    seen: NDArray[np.bool_],
    position: NDArray[np.int64],
    data: FloatArray,
) -> _Group:
    at = np.where(seen, position[index], -1)
    patterns, pattern = np.unique(at, axis=0, return_inverse=True)
    pattern = pattern.reshape(-1)
    order = np.argsort(pattern, kind="stable")
    pattern = pattern[order]
    first = np.searchsorted(pattern, np.arange(len(patterns)))
    return _Group(
        position=np.maximum(patterns, 0),
        seen=patterns >= 0,
        pattern=pattern,
        first=first,
        counts=np.bincount(pattern).astype(float),
        data=np.where(seen[order, :, None], data[index[order]], 0.0),
        patients=members[order],
    )


def evaluate(panel: Panel, grid: FloatArray, coefficients: FloatArray | None = None) -> Evaluation:
    r"""Log-likelihood and its derivatives in mean and covariance.

    Parameters
    ----------
    panel : Panel
    grid : (2g, 2g) float
        Covariance of x and y at every time of the grid.
    coefficients : (q,) float, optional
        Of the mean; generalised least squares if not given.

    Notes
    -----
    .. math:: ℓ = -½ Σ_i [n_i \ln 2π + \ln|V_i| + r_i'V_i^{-1}r_i], \qquad
        ∂ℓ/∂V_i = -½ (V_i^{-1} - V_i^{-1} r_i r_i' V_i^{-1}).
    """
    q = panel.n_columns
    solved: list[tuple[_Group, FloatArray, FloatArray]] = []
    log_det = 0.0
    moments = np.zeros((q + 1, q + 1))
    for group in panel.groups:
        V = group.gather(grid) + np.where(group.seen, 0.0, 1.0)[:, :, None] * np.eye(
            group.seen.shape[1]
        )
        try:
            root = np.linalg.cholesky(V)
        except np.linalg.LinAlgError:
            return _impossible(panel)
        log_det += 2 * float(group.counts @ np.log(np.einsum("mii->mi", root)).sum(axis=1))
        inverse = np.where(group.seen[:, :, None] & group.seen[:, None, :], np.linalg.inv(V), 0.0)
        weighted = group.by_patient(inverse) @ group.data
        moments += np.einsum("npj,npk->jk", group.data, weighted)
        solved.append((group, inverse, weighted))
    information = moments[:q, :q]
    beta = np.asarray(
        np.linalg.solve(information, moments[:q, q]) if coefficients is None else coefficients
    )
    contrast = np.r_[-beta, 1.0]
    quadratic = float(contrast @ moments @ contrast)
    parts = tuple((inverse, weighted @ contrast) for _, inverse, weighted in solved)
    log_lik = -0.5 * (panel.n_values * np.log(2 * np.pi) + log_det + quadratic)
    return Evaluation(
        log_lik=log_lik if np.isfinite(log_lik) else -np.inf,
        coefficients=beta,
        information=information,
        score=moments[:q] @ contrast,
        slope=_slope(panel, parts, len(grid)),
        parts=parts,
    )


def _impossible(panel: Panel) -> Evaluation:
    q, g = panel.n_columns, 2 * len(panel.elapsed)
    return Evaluation(
        log_lik=-np.inf,
        coefficients=np.full(q, np.nan),
        information=np.full((q, q), np.nan),
        score=np.full(q, np.nan),
        slope=np.full((g, g), np.nan),
        parts=(),
    )


def _slope(panel: Panel, parts: tuple[tuple[FloatArray, FloatArray], ...], size: int) -> FloatArray:
    total = np.zeros(size * size)
    for group, (inverse, pull) in zip(panel.groups, parts, strict=True):
        squares = group.by_pattern(pull[:, :, None] * pull[:, None, :])
        slope = -0.5 * (group.counts[:, None, None] * inverse - squares)
        flat = group.position[:, :, None] * size + group.position[:, None, :]
        total += np.bincount(flat.ravel(), weights=slope.ravel(), minlength=size * size)
    return total.reshape(size, size)


def expected_information(panel: Panel, at: Evaluation, slopes: FloatArray) -> FloatArray:
    """½ Σ tr(V⁻¹ V_j V⁻¹ V_k), from the derivatives (m, 2g, 2g) of the covariance."""
    total = np.zeros((len(slopes), len(slopes)))
    for group, (inverse, _) in zip(panel.groups, at.parts, strict=True):
        product = inverse @ group.gather(slopes)
        left = (product * group.counts[:, None, None]).reshape(len(slopes), -1)
        total += 0.5 * left @ transpose(product).reshape(len(slopes), -1).T
    return total


def patient_scores(panel: Panel, at: Evaluation, slopes: FloatArray) -> FloatArray:
    """Derivative of each patient's log-likelihood (n, q + m): mean, then θ.

    Parameters
    ----------
    slopes : (m, 2g, 2g) float
        Derivatives of the covariance over the grid.
    """
    q, m = panel.n_columns, len(slopes)
    scores = np.zeros((panel.n_patients, q + m))
    for group, (inverse, pull) in zip(panel.groups, at.parts, strict=True):
        scores[group.patients, :q] = np.einsum("npj,np->nj", group.data[:, :, :q], pull)
        for j, slope in enumerate(slopes):
            picked = group.gather(slope)
            trace = np.einsum("mab,mab->m", inverse, picked)[group.pattern]
            quadratic = np.einsum("na,nab,nb->n", pull, picked[group.pattern], pull, optimize=True)
            scores[group.patients, q + j] = 0.5 * (quadratic - trace)
    return scores
