"""Whether a panel needs the wider of two models."""

from __future__ import annotations

from dataclasses import dataclass

from metalliance.errors import SpecificationError
from metalliance.numerics.distributions import chi2_sf
from metalliance.numerics.panel import PanelFit

__all__ = ["PanelComparison", "compare_panels"]

_DYNAMICS = ("none", "diagonal", "full")
_INITIAL = ("stationary", "free", "free-correlated")


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelComparison:
    """A likelihood-ratio test.

    Attributes
    ----------
    statistic : float
        Twice the gain in log-likelihood.
    df : int
    p_value : float
    """

    statistic: float
    df: int
    p_value: float


def compare_panels(narrow: PanelFit, wide: PanelFit) -> PanelComparison:
    """Likelihood-ratio test of a model within a wider one, on the same data.

    ``stationary`` within ``free`` (3 degrees of freedom) asks whether the first occasion is like
    the others, ``free`` within ``free-correlated`` (4) whether patients begin where their traits
    say: a Φ estimated under a start that does not hold is biased. ``none`` within ``diagonal``
    within ``full`` (2 each) asks for autoregression, and for any effect of one variable on the
    other.

    Raises
    ------
    SpecificationError
        If the models are not nested or the data differ.

    Examples
    --------
    >>> import numpy as np
    >>> from metalliance.numerics.panel import fit_panel
    >>> rng = np.random.default_rng(1)
    >>> x, y = np.repeat(rng.normal(size=60), 6) + rng.normal(size=(2, 360))
    >>> fits = [fit_panel(np.repeat(np.arange(60), 6), np.tile(np.arange(6), 60), x, y,
    ...                   dynamics=dynamics) for dynamics in ("none", "full")]
    >>> compare_panels(*fits).df
    4
    """
    same = (narrow.n_patients, narrow.n_values) == (wide.n_patients, wide.n_values)
    means = len(narrow.mean_x) == len(wide.mean_x) and len(narrow.mean_y) == len(wide.mean_y)
    steps = [
        _DYNAMICS.index(wide.dynamics) - _DYNAMICS.index(narrow.dynamics),
        _INITIAL.index(wide.initial) - _INITIAL.index(narrow.initial),
    ]
    if not (same and means and min(steps) >= 0 and max(steps) > 0):
        raise SpecificationError(
            "a likelihood-ratio test needs two fits of the same data and trends, the first "
            "with the narrower dynamics or first state"
        )
    statistic = 2 * (wide.log_lik - narrow.log_lik)
    df = wide.n_parameters - narrow.n_parameters
    return PanelComparison(
        statistic=statistic, df=df, p_value=float(chi2_sf(max(statistic, 0.0), df))
    )
