"""The probability that the true effect of a new study is positive."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from metalliance.errors import ConvergenceError, SpecificationError
from metalliance.models.inference import Inference
from metalliance.models.predict import informing_clusters
from metalliance.models.tidy import components, tidy

__all__ = ["Chance", "chance_above"]

LEAST_CLUSTERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Probability that the true effect of a new study exceeds a value.

    Attributes
    ----------
    above : float
        That value, on the analysis scale.
    estimate, conf_low, conf_high : float
        NaN where withheld; the limits are NaN where the heterogeneity has no interval.
    clusters : int
        Independent clusters that inform it.
    withheld : str
        Why there is no number; empty where there is one.
    """

    above: float
    estimate: float
    conf_low: float
    conf_high: float
    clusters: int
    withheld: str


def chance_above(inference: Inference, above: float = 0.0, level: float = 0.95) -> Chance:
    r"""P(θ_new > q) for the true effect of a new study.

    P = T_{c−1}((μ̂ − q)/√(SE² + τ̂²)), with c clusters and τ² the sum of all components, as in the
    prediction interval. Its limits move μ and τ² within their intervals, one at a time, and join
    the two distances as the square root of their summed squares (MOVER; Zou & Donner, 2008).

    Parameters
    ----------
    inference : Inference
        Of a model with a mean alone.
    above : float
        q, on the analysis scale.
    level : float
        Of the interval.

    Returns
    -------
    Chance
        Withheld below five clusters, and where no heterogeneity was found: then the probability
        would be about the mean, not about studies.

    Raises
    ------
    SpecificationError
        If the model has moderators.

    References
    ----------
    Mathur, M. B., & VanderWeele, T. J. (2019). Statistics in Medicine, 38, 1336–1342.
    https://doi.org/10.1002/sim.8057
    Zou, G. Y., & Donner, A. (2008). Statistics in Medicine, 27, 1693–1702.
    https://doi.org/10.1002/sim.3095
    """
    model = inference.fit
    if not model.design.is_mean_only:
        raise SpecificationError("the probability of a positive effect needs a model ~ 1")
    clusters = int(informing_clusters(inference, np.ones((1, 1)))[0])

    def result(estimate: float, low: float, high: float, withheld: str) -> Chance:
        return Chance(
            above=above,
            estimate=estimate,
            conf_low=low,
            conf_high=high,
            clusters=clusters,
            withheld=withheld,
        )

    nothing = (math.nan, math.nan, math.nan)
    if clusters < LEAST_CLUSTERS:
        return result(*nothing, f"{clusters} independent studies are too few")
    if not model.heterogeneity > 0:
        return result(*nothing, "no variation between true effects was found")
    mean = tidy(inference, level=level).iloc[0]
    distance = mean["estimate"] - above
    variance = mean["std_error"] ** 2

    def standardised(mu: float, tau2: float) -> float:
        return mu / math.sqrt(variance + tau2)

    here = standardised(distance, model.heterogeneity)
    ends = [standardised(mean[name] - above, model.heterogeneity) for name in _LIMITS]
    spread = [standardised(distance, tau2) for tau2 in _heterogeneity_limits(inference, level)]
    low = here - math.hypot(here - ends[0], here - min(spread))
    high = here + math.hypot(here - ends[1], here - max(spread))
    share = special.stdtr(clusters - 1, np.array([here, low, high]))
    return result(float(share[0]), float(share[1]), float(share[2]), "")


_LIMITS = ("conf_low", "conf_high")


def _heterogeneity_limits(inference: Inference, level: float) -> tuple[float, float]:
    """Limits of the summed components, by MOVER from the interval of each; NaN without them."""
    try:
        table = components(inference, "qprofile" if inference.fit.univariate else "profile", level)
    except (ConvergenceError, SpecificationError):
        return math.nan, math.nan
    total = float(table["estimate"].sum())
    below = float(np.sqrt(((table["estimate"] - table["conf_low"]) ** 2).sum()))
    over = float(np.sqrt(((table["conf_high"] - table["estimate"]) ** 2).sum()))
    return max(0.0, total - below), total + over
