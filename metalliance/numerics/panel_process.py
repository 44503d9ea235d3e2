"""Covariances of a stable trait plus a first-order process, of two variables over occasions.

z_t = a + w_t with a ~ N(0, Ψ), w_t = Φ w_{t-1} + e_t, e ~ N(0, Σ), in both of which the first
variable is x and the second y. Everything is a smooth map of unconstrained working parameters θ,
written in plain arithmetic so that it can be differentiated by a complex step (:func:`jacobian`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import transpose

__all__ = [
    "Dynamics",
    "Initial",
    "Process",
    "grid_covariance",
    "jacobian",
    "n_working",
    "process",
    "stationary_covariance",
    "working",
]

Dynamics = Literal["full", "diagonal", "none"]
Initial = Literal["stationary", "free", "free-correlated"]
Numbers = NDArray[Any]

_STEP = 1e-30
_LAGGED = {"full": 4, "diagonal": 2, "none": 0}
_FIRST = {"stationary": 3, "free": 6, "free-correlated": 10}


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """The parameters, possibly of many models at once (leading axes).

    Attributes
    ----------
    omega : (..., 4, 4)
        Covariance of (a, w at a patient's first occasion): Ψ, its covariance with the first
        state, and the covariance of the first state.
    phi : (..., 2, 2)
        Φ: row the later variable, column the earlier one.
    sigma : (..., 2, 2)
        Σ, of the innovations.
    """

    omega: Numbers
    phi: Numbers
    sigma: Numbers

    @property
    def psi(self) -> Numbers:
        """Ψ (..., 2, 2), the covariance of the traits."""
        return self.omega[..., :2, :2]


def n_working(dynamics: Dynamics, initial: Initial) -> int:
    """How many working parameters a model has."""
    return _FIRST[initial] + 3 + _LAGGED[dynamics]


def process(theta: Numbers, dynamics: Dynamics, initial: Initial) -> Process:
    r"""Parameters of the process from working parameters.

    Parameters
    ----------
    theta : (..., m) array
        See Notes; :func:`working` is the inverse.
    dynamics, initial
        As in :func:`metalliance.numerics.panel.fit_panel`.

    Notes
    -----
    Ψ, and the covariance of a free first state, is SS with a symmetric S. Where Ψ is singular the
    likelihood has slope 0 and ordinary curvature in S, so that a boundary needs no special care.
    Σ has a Cholesky factor with a logarithmic diagonal.

    A stationary process with all of Φ is given by its stationary covariance Γ = LL' (in place of
    Σ) and a 2 × 2 matrix A without restriction: with BB' = I + AA', the partial autocorrelation
    C = B⁻¹A has singular values below 1, and

    .. math:: Φ = L C L^{-1}, \qquad Σ = L (I - C C') L'

    are stationary and positive definite for every A. Where Φ is diagonal, its elements are tanh θ
    and Γ_ij = Σ_ij/(1 − φ_i φ_j).

    References
    ----------
    Ansley & Kohn (1986), doi:10.1080/00949658608810893.
    """
    first = _FIRST[initial]
    lagged = theta[..., first : first + _LAGGED[dynamics]]
    root = _log_factor(theta[..., first + _LAGGED[dynamics] :])
    if initial != "stationary":
        phi = _square(lagged) if dynamics == "full" else _diagonal(lagged, theta)
        return Process(_first(theta[..., :first], initial), phi, root @ transpose(root))
    psi = _first(theta[..., :first], initial)
    if dynamics == "full":
        A = _square(lagged)
        identity = np.eye(2)
        C = np.linalg.solve(_factor_of(identity + A @ transpose(A)), A)
        gamma = root @ transpose(root)
        phi = root @ C @ np.linalg.inv(root)
        sigma = root @ (identity - C @ transpose(C)) @ transpose(root)
    else:
        phi = _diagonal(np.tanh(lagged), theta)
        sigma = root @ transpose(root)
        own = np.einsum("...ii->...i", phi)
        gamma = sigma / (1 - own[..., :, None] * own[..., None, :])
    return Process(_block(psi, gamma), phi, sigma)


def working(model: Process, dynamics: Dynamics, initial: Initial) -> FloatArray:
    """Working parameters of a process with given parameters: :func:`process` backwards.

    For ``stationary``, Φ must be stationary; the covariance of the first state is ignored there.
    """
    omega, phi, sigma = model.omega.real, model.phi.real, model.sigma.real
    first = _root(omega) if initial == "free-correlated" else _root(omega[:2, :2])
    if initial == "free":
        first = np.r_[first, _root(omega[2:, 2:])]
    if initial == "stationary" and dynamics == "full":
        gamma = stationary_covariance(phi, sigma)
        root = np.linalg.cholesky(gamma)
        C = np.linalg.solve(root, phi @ root)
        B = np.linalg.inv(np.linalg.cholesky(np.eye(2) - C @ C.T))
        lagged = (B @ C).ravel()
    else:
        root = np.linalg.cholesky(sigma)
        lagged = phi.ravel() if dynamics == "full" else np.diagonal(phi)[: _LAGGED[dynamics]]
        if initial == "stationary":
            lagged = np.arctanh(lagged)
    scale = np.array([np.log(root[0, 0]), root[1, 0], np.log(root[1, 1])])
    return np.concatenate([first, lagged, scale])


def stationary_covariance(phi: Numbers, sigma: Numbers) -> Numbers:
    """Γ (..., 2, 2) with Γ = Φ Γ Φ' + Σ; NaN where Φ is not stationary."""
    kron = np.einsum("...ij,...kl->...ikjl", phi, phi).reshape(*phi.shape[:-2], 4, 4)
    vec = np.broadcast_to(sigma, phi.shape).reshape(*phi.shape[:-2], 4, 1)
    stable = np.abs(np.linalg.eigvals(phi.real)).max(axis=-1) < 1
    safe = np.where(stable[..., None, None], kron, 0)
    gamma = np.linalg.solve(np.eye(4) - safe, vec).reshape(phi.shape)
    return np.where(stable[..., None, None], gamma, np.nan)


def grid_covariance(model: Process, elapsed: NDArray[np.int64]) -> Numbers:
    """Covariance of (x, y) at each of several times since a patient's first occasion.

    Parameters
    ----------
    model : Process
        With leading axes (...).
    elapsed : (g,) int
        Increasing, from 0.

    Returns
    -------
    (..., 2g, 2g) array
        Element 2j is x at ``elapsed[j]``, element 2j + 1 is y.

    Notes
    -----
    z_t = [I, Φ^t] (a, w_0)' + u_t, where u_t holds the innovations since the first occasion:
    Cov(u_t, u_s) = Φ^{t-s} N_s with N_0 = 0, N_s = Φ N_{s-1} Φ' + Σ.
    """
    last = int(elapsed[-1])
    power = [np.broadcast_to(np.eye(2), model.phi.shape)]
    noise = [np.zeros_like(model.sigma)]
    for _ in range(last):
        power.append(model.phi @ power[-1])
        noise.append(model.phi @ noise[-1] @ transpose(model.phi) + model.sigma)
    powers, noises = np.stack(power), np.stack(noise)
    later, earlier = np.tril_indices(len(elapsed))
    below = powers[elapsed[later] - elapsed[earlier]] @ noises[elapsed[earlier]]
    g = len(elapsed)
    blocks = np.zeros((g, g, *below.shape[1:]), dtype=below.dtype)
    blocks[earlier, later] = transpose(below)
    blocks[later, earlier] = below
    innovations = _flatten(blocks)
    at = powers[elapsed]
    loading = np.concatenate([np.broadcast_to(np.eye(2), at.shape), at], axis=-1)
    loading = np.moveaxis(loading, 0, -3).reshape(*loading.shape[1:-2], 2 * g, 4)
    return innovations + loading @ model.omega @ transpose(loading)


def jacobian(
    function: Callable[[Numbers], Numbers], theta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Value and derivatives of a function of θ, exact to rounding.

    Parameters
    ----------
    function : callable
        (j, m) complex -> (j, ...) complex; analytic.
    theta : (m,) float

    Returns
    -------
    value : (...) float
    derivatives : (m, ...) float
        Im f(θ + ihe_j)/h with h = 1e-30: no difference is taken, so nothing cancels.

    References
    ----------
    Squire & Trapp (1998), doi:10.1137/S003614459631241X.

    Examples
    --------
    >>> value, slope = jacobian(lambda t: t**3, np.array([2.0]))
    >>> float(value[0]), float(slope[0, 0])
    (8.0, 12.0)
    """
    values = function(theta + 1j * _STEP * np.eye(len(theta)))
    return np.asarray(values[0].real), np.asarray(values.imag / _STEP)


def _first(theta: Numbers, initial: Initial) -> Numbers:
    """Covariance of the traits alone if stationary, else of traits and first states."""
    if initial == "free-correlated":
        return _squared(theta, 4)
    psi = _squared(theta[..., :3], 2)
    if initial == "stationary":
        return psi
    return _block(psi, _squared(theta[..., 3:], 2))


def _squared(entries: Numbers, size: int) -> Numbers:
    """SS of a symmetric S, given by its lower triangle row by row."""
    S = np.zeros((*entries.shape[:-1], size, size), dtype=entries.dtype)
    row, column = np.tril_indices(size)
    S[..., row, column] = entries
    S[..., column, row] = entries
    return S @ S


def _log_factor(entries: Numbers) -> Numbers:
    L = np.zeros((*entries.shape[:-1], 2, 2), dtype=entries.dtype)
    L[..., 0, 0] = np.exp(entries[..., 0])
    L[..., 1, 0] = entries[..., 1]
    L[..., 1, 1] = np.exp(entries[..., 2])
    return L


def _factor_of(matrix: Numbers) -> Numbers:
    """Cholesky factor of a 2 x 2 matrix, analytic in its elements (LAPACK's is Hermitian)."""
    L = np.zeros_like(matrix)
    L[..., 0, 0] = np.sqrt(matrix[..., 0, 0])
    L[..., 1, 0] = matrix[..., 1, 0] / L[..., 0, 0]
    L[..., 1, 1] = np.sqrt(matrix[..., 1, 1] - L[..., 1, 0] ** 2)
    return L


def _root(matrix: FloatArray) -> FloatArray:
    """Lower triangle, row by row, of the symmetric root of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.asarray(root[np.tril_indices(len(root))])


def _square(entries: Numbers) -> Numbers:
    return entries.reshape(*entries.shape[:-1], 2, 2)


def _diagonal(entries: Numbers, like: Numbers) -> Numbers:
    """Diagonal matrices; zero ones if there are no entries."""
    matrix = np.zeros((*like.shape[:-1], 2, 2), dtype=like.dtype)
    if entries.shape[-1]:
        matrix[..., 0, 0], matrix[..., 1, 1] = entries[..., 0], entries[..., 1]
    return matrix


def _block(upper: Numbers, lower: Numbers) -> Numbers:
    omega = np.zeros((*upper.shape[:-2], 4, 4), dtype=upper.dtype)
    omega[..., :2, :2], omega[..., 2:, 2:] = upper, lower
    return omega


def _flatten(blocks: Numbers) -> Numbers:
    """(g, g, ..., 2, 2) to (..., 2g, 2g)."""
    g = len(blocks)
    moved = np.moveaxis(blocks, (0, 1, -2, -1), (-4, -2, -3, -1))
    return moved.reshape(*moved.shape[:-4], 2 * g, 2 * g)
