"""What a fitted dynamic panel says: correlations, dynamics, shares of variance, reliability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metalliance.errors import SpecificationError
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import critical_value
from metalliance.numerics.linalg import transpose
from metalliance.numerics.panel import PanelFit
from metalliance.numerics.panel_process import (
    Dynamics,
    Numbers,
    Process,
    jacobian,
    process,
    stationary_covariance,
)

__all__ = [
    "PanelQuantities",
    "autocovariances",
    "mean_reliability",
    "panel_quantities",
    "quantity_names",
]

_STATIC = (
    "within_r",
    "between_r",
    "innovation_r",
    "icc_x",
    "icc_y",
    "within_var_x",
    "within_var_y",
    "between_var_x",
    "between_var_y",
    "within_slope",
    "between_slope",
    "contextual",
)
_OWN = ("autoregression_x", "autoregression_y", "autocorrelation_x", "autocorrelation_y")
_CROSS = (
    "lagged_r_forward",
    "lagged_r_reverse",
    "lagged_partial_forward",
    "lagged_partial_reverse",
    "lagged_slope_forward",
    "lagged_slope_reverse",
)
_RELIABILITY = ("reliability_x", "reliability_y")
_NO_VARIANCE = 1e-7
_CORRELATION = (np.arctanh, lambda r: 1 / (1 - r**2), np.tanh)
_SHARE = (special.logit, lambda p: 1 / (p * (1 - p)), special.expit)
_VARIANCE = (np.log, lambda v: 1 / v, np.exp)
_SCALES: dict[str, tuple[Callable[[float], float], ...]] = {
    **dict.fromkeys(("within_r", "between_r", "innovation_r", "lagged_r"), _CORRELATION),
    **dict.fromkeys(("autocorrelation_x", "autocorrelation_y"), _CORRELATION),
    **dict.fromkeys(("icc_x", "icc_y", "reliability_x", "reliability_y"), _SHARE),
    **{f"{part}_var_{name}": _VARIANCE for part in ("within", "between") for name in "xy"},
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelQuantities:
    """Derived quantities of one fit and how well they are known.

    Attributes
    ----------
    names : tuple of str
        See :func:`panel_quantities`.
    estimate, std_error : (q,) float
    covariance : (q, q) float
        Joint, by the delta method; NaN in rows and columns of a quantity without standard error.
    slopes : (m, q) float
        Derivatives in the working parameters.
    """

    names: tuple[str, ...]
    estimate: FloatArray
    std_error: FloatArray
    covariance: FloatArray
    slopes: FloatArray

    def at(self, name: str) -> int:
        """Position of a quantity."""
        if name not in self.names:
            raise ValueError(f"{name!r} is not among {', '.join(self.names)}")
        return self.names.index(name)

    def interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Lower and upper limits (q,) of a Wald interval of each quantity.

        Symmetric after atanh for correlations, logit for shares of variance and reliabilities,
        and log for variances, so that no limit lies outside the range; NaN without an error.
        """
        half = float(critical_value(level, np.inf)) * self.std_error
        low, high = self.estimate - half, self.estimate + half
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for j, name in enumerate(self.names):
                scale = _SCALES.get(name.removesuffix("_forward").removesuffix("_reverse"))
                if scale is not None:
                    there, slope, back = scale
                    middle, width = there(self.estimate[j]), half[j] * slope(self.estimate[j])
                    low[j], high[j] = back(middle - width), back(middle + width)
        return low, high


def quantity_names(dynamics: Dynamics, mean_of: bool = False) -> tuple[str, ...]:
    """Quantities that a model with these dynamics estimates, in their order."""
    lagged = {"none": (), "diagonal": _OWN, "full": _OWN + _CROSS}[dynamics]
    return (*_STATIC, *lagged, *(_RELIABILITY if mean_of else ()))


def panel_quantities(
    fit: PanelFit,
    *,
    covariance: Literal["model", "robust"] = "model",
    mean_of: int | ArrayLike | None = None,
) -> PanelQuantities:
    r"""Correlations, lagged effects and variances of a fit, with their joint covariance.

    Parameters
    ----------
    fit : PanelFit
    covariance : {'model', 'robust'}
        From the observed information, or the sandwich by patient.
    mean_of : int or (k,) array of whole numbers, optional
        Adds the reliability of the mean of that many consecutive occasions, or of these.

    Returns
    -------
    PanelQuantities
        ``within_r``: correlation of w_x and w_y on the same occasion, the concurrent r within;
        ``between_r``: of the traits, free of occasion error (latent); ``innovation_r``: of e_x
        and e_y; ``icc_x``, ``icc_y``: share of the traits in the variance; the variances;
        ``within_slope``, ``between_slope``: of y on x within and between (latent), and
        ``contextual`` = between − within, in units of y per unit of x;
        with dynamics: ``autoregression_*`` Φ_xx, Φ_yy and ``autocorrelation_*`` of w at lag 1;
        with ``full`` dynamics: ``lagged_r_forward`` correlation of w_x with the next w_y,
        ``lagged_r_reverse`` of w_y with the next w_x; ``lagged_partial_forward`` Φ_yx·SD(w_x)/
        SD(w_y) net of the lagged y, and its reverse; ``lagged_slope_*`` the raw Φ_yx, Φ_xy.
        No standard error (NaN): the traits' correlation where their covariance is singular, and
        whatever rests on the variance of a trait that has none. Everything that rests on Γ is
        NaN if the process is not stationary.

    Notes
    -----
    Within-patient quantities belong to the stationary process, Γ = ΦΓΦ' + Σ, Γ_1 = ΦΓ, also
    where the first state was left free. ``lagged_partial`` is in within-patient standard
    deviations.

    Examples
    --------
    >>> from metalliance.numerics.panel import fit_panel
    >>> rng = np.random.default_rng(1)
    >>> trait = np.repeat(rng.normal(size=60), 6)
    >>> x, y = trait + rng.normal(size=(2, 360))
    >>> fit = fit_panel(np.repeat(np.arange(60), 6), np.tile(np.arange(6), 60), x, y,
    ...                 dynamics="none")
    >>> found = panel_quantities(fit)
    >>> found.names[:2]
    ('within_r', 'between_r')
    """
    if covariance not in ("model", "robust"):
        raise ValueError(f"covariance must be 'model' or 'robust', not {covariance!r}")
    weights = None if mean_of is None else _lag_weights(mean_of)
    names = quantity_names(fit.dynamics, weights is not None)

    def values(theta: Numbers) -> Numbers:
        model = process(theta, fit.dynamics, fit.initial)
        return _values(model, fit.scale, names, weights)

    with np.errstate(divide="ignore", invalid="ignore"):
        estimate, slopes = jacobian(values, fit.theta)
    of_theta = fit.covariance if covariance == "model" else fit.covariance_robust
    m = len(fit.theta)
    joint = slopes.T @ of_theta[-m:, -m:] @ slopes
    estimate, unknown = _at_boundary(fit, names, estimate)
    joint[unknown, :] = np.nan
    joint[:, unknown] = np.nan
    with np.errstate(invalid="ignore"):
        std_error = np.sqrt(np.diagonal(joint))
    return PanelQuantities(
        names=names,
        estimate=estimate,
        std_error=std_error,
        covariance=joint,
        slopes=slopes,
    )


def autocovariances(fit: PanelFit, max_lag: int) -> FloatArray:
    """Γ_g = Φ^g Γ of w for g = 0 … ``max_lag``, (max_lag + 1, 2, 2); row the later occasion."""
    return np.asarray(_autocovariances(fit.phi, fit.sigma, max_lag).real)


def mean_reliability(
    between: float, autocovariances: ArrayLike, occasions: int | ArrayLike
) -> float:
    r"""Reliability of a patient's mean over several occasions.

    Parameters
    ----------
    between : float
        Variance of the trait.
    autocovariances : (g + 1,) float
        γ_0 … γ_g of the process within patients, at least up to the longest distance.
    occasions : int or (k,) array of whole numbers
        Number of consecutive occasions, or when they were.

    Returns
    -------
    float

    Raises
    ------
    SpecificationError
        If occasions are further apart than the autocovariances reach.

    Notes
    -----
    .. math:: λ = \frac{ψ}{ψ + k^{-2} Σ_s Σ_t γ_{|o_s - o_t|}},

    the squared correlation of the mean with the trait. Without autocorrelation it is the
    Spearman–Brown formula; autocorrelation makes neighbouring sessions repeat each other.

    Examples
    --------
    Eight sessions, intraclass correlation .70: without autocorrelation, and with .5.

    >>> round(mean_reliability(0.7, [0.3] + [0] * 7, 8), 3)
    0.949
    >>> round(mean_reliability(0.7, 0.3 * 0.5 ** np.arange(8), 8), 3)
    0.882
    """
    weights = _lag_weights(occasions)
    gamma = np.asarray(autocovariances, dtype=float)
    if len(gamma) < len(weights):
        raise SpecificationError(
            f"autocovariances are needed up to lag {len(weights) - 1}; {len(gamma) - 1} is the last"
        )
    return float(between / (between + weights @ gamma[: len(weights)]))


def _lag_weights(occasions: int | ArrayLike) -> FloatArray:
    """Weight of each lag's autocovariance in the variance of a mean."""
    given = np.asarray(occasions)
    when = np.arange(int(given)) if given.ndim == 0 else given
    if not len(when) or np.any(when != np.round(when)):
        raise SpecificationError("a mean is taken over one or more whole-numbered occasions")
    apart = np.abs(when[:, None] - when).astype(np.int64)
    return np.bincount(apart.ravel()) / len(when) ** 2


def _autocovariances(phi: Numbers, sigma: Numbers, max_lag: int) -> Numbers:
    """(max_lag + 1, ..., 2, 2)."""
    gammas = [stationary_covariance(phi, sigma)]
    for _ in range(max_lag):
        gammas.append(phi @ gammas[-1])
    return np.stack(gammas)


def _values(
    model: Process, scale: FloatArray, names: tuple[str, ...], weights: FloatArray | None
) -> Numbers:
    """All quantities (..., q), in the units of the data."""
    product = np.outer(scale, scale)
    psi, sigma = model.psi * product, model.sigma * product
    phi = model.phi * np.outer(scale, 1 / scale)
    gammas = _autocovariances(phi, sigma, 1 if weights is None else max(1, len(weights) - 1))
    gamma = gammas[0]
    within_slope = gamma[..., 0, 1] / gamma[..., 0, 0]
    between_slope = psi[..., 0, 1] / psi[..., 0, 0]
    next_r = gammas[1] / _roots(gamma)
    ratio = np.sqrt(gamma[..., 0, 0] / gamma[..., 1, 1])
    quantities = {
        "within_r": (gamma / _roots(gamma))[..., 0, 1],
        "between_r": (psi / _roots(psi))[..., 0, 1],
        "innovation_r": (sigma / _roots(sigma))[..., 0, 1],
        "within_slope": within_slope,
        "between_slope": between_slope,
        "contextual": between_slope - within_slope,
        "lagged_r_forward": next_r[..., 1, 0],
        "lagged_r_reverse": next_r[..., 0, 1],
        "lagged_partial_forward": phi[..., 1, 0] * ratio,
        "lagged_partial_reverse": phi[..., 0, 1] / ratio,
        "lagged_slope_forward": phi[..., 1, 0],
        "lagged_slope_reverse": phi[..., 0, 1],
    }
    for j, name in enumerate("xy"):
        trait = psi[..., j, j]
        quantities |= {
            f"icc_{name}": trait / (trait + gamma[..., j, j]),
            f"within_var_{name}": gamma[..., j, j],
            f"between_var_{name}": trait,
            f"autoregression_{name}": phi[..., j, j],
            f"autocorrelation_{name}": next_r[..., j, j],
        }
        if weights is not None:
            error = np.einsum("g,g...->...", weights, gammas[: len(weights), ..., j, j])
            quantities[f"reliability_{name}"] = trait / (trait + error)
    return np.stack([quantities[name] for name in names], axis=-1)


def _roots(matrix: Numbers) -> Numbers:
    """√(m_ii m_jj)."""
    root = np.sqrt(np.einsum("...ii->...i", matrix))[..., None]
    product: Numbers = root @ transpose(root)
    return product


def _at_boundary(
    fit: PanelFit, names: tuple[str, ...], estimate: FloatArray
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Estimates, and positions of those that have no standard error there."""
    unknown = {name for name, value in zip(names, estimate, strict=True) if np.isnan(value)}
    if fit.boundary:
        estimate = estimate.copy()
        unknown.add("between_r")
        total = np.diagonal(fit.psi + fit.first_state)
        absent = np.diagonal(fit.psi) < _NO_VARIANCE * total
        for j in np.flatnonzero(absent):
            unknown |= {f"{name}_{'xy'[j]}" for name in ("icc", "between_var", "reliability")}
        if absent.any():
            estimate[names.index("between_r")] = np.nan
        if absent[0]:
            unknown |= {"between_slope", "contextual"}
            estimate[[names.index("between_slope"), names.index("contextual")]] = np.nan
    return estimate, np.flatnonzero([name in unknown for name in names])
