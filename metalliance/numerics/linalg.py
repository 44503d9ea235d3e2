"""Small dense linear algebra, over stacks of equally sized matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalliance.numerics.blocks import FloatArray

__all__ = [
    "Basis",
    "dependent_columns",
    "inverse",
    "is_definite",
    "orthonormal_basis",
    "symmetrised",
    "transpose",
]

_RANK_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """X = Q R with orthonormal Q.

    A restricted likelihood that includes ½ln|X'X| is the same for X and for Q, and Q'WQ is as
    well conditioned as W, so the engine works on Q and maps back.

    Attributes
    ----------
    Q : (k, p) float
    R : (p, p) float
        Upper triangular.
    """

    Q: FloatArray
    R: FloatArray

    @property
    def log_det_xx(self) -> float:
        """ln|X'X|."""
        return float(2 * np.log(np.abs(np.diagonal(self.R))).sum())

    def coefficients(self, gamma: FloatArray) -> FloatArray:
        """Beta (p, ...) on X from gamma on Q."""
        if len(self.R) == 1:
            return np.asarray(gamma / self.R[0, 0])
        return np.asarray(np.linalg.solve(self.R, gamma))

    def covariance(self, bread: FloatArray) -> FloatArray:
        """Covariance of beta from the covariance of gamma."""
        if len(self.R) == 1:
            return np.asarray(bread / self.R[0, 0] ** 2)
        half = np.linalg.solve(self.R, bread)
        return symmetrised(np.linalg.solve(self.R, half.T).T)


def orthonormal_basis(X: FloatArray) -> Basis:
    """QR decomposition of a design of full column rank, columns scaled first."""
    scale = np.sqrt(np.einsum("ij,ij->j", X, X))
    if X.shape[1] == 1:
        return Basis(Q=X / scale, R=scale[None])
    Q, R = np.linalg.qr(X / scale)
    return Basis(Q=Q, R=R * scale)


def dependent_columns(X: FloatArray) -> tuple[int, ...]:
    """Columns of X (k, p) that are linear combinations of columns before them."""
    norm = np.sqrt(np.einsum("ij,ij->j", X, X))
    dependent: list[int] = []
    kept: list[FloatArray] = []
    for j in range(X.shape[1]):
        if norm[j] == 0:
            dependent.append(j)
            continue
        column = X[:, j] / norm[j]
        for _ in range(2):
            for direction in kept:
                column = column - direction * (direction @ column)
        size = float(np.sqrt(column @ column))
        if size <= _RANK_TOLERANCE:
            dependent.append(j)
        else:
            kept.append(column / size)
    return tuple(dependent)


def inverse(matrix: FloatArray) -> FloatArray:
    """Inverse of a matrix, or of each of a stack."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def is_definite(matrix: FloatArray) -> bool:
    """Whether a symmetric matrix is positive definite, judged on the scale of its diagonal."""
    scale = np.sqrt(np.abs(np.diagonal(matrix)))
    if np.any(scale == 0) or not np.all(np.isfinite(matrix)):
        return False
    return bool(np.linalg.eigvalsh(symmetrised(matrix / np.outer(scale, scale)))[0] > 1e-10)


def transpose(stack: FloatArray) -> FloatArray:
    """Swap the last two axes."""
    return np.swapaxes(stack, -1, -2)


def symmetrised(matrix: FloatArray) -> FloatArray:
    """The symmetric part of a matrix, or of each of a stack."""
    return np.asarray((matrix + transpose(matrix)) / 2)
