"""A smallest effect of interest: at least that large, surely smaller, or undecided."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import special

from metalliance.models.inference import MINIMUM_DF
from metalliance.numerics.distributions import critical_value

__all__ = ["SmallestEffect", "smallest_effect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallestEffect:
    """Equivalence and minimum-effect test of one estimate.

    Attributes
    ----------
    smallest : float
        δ > 0, on the scale of the estimate.
    estimate, conf_low, conf_high : float
        The interval has level 1 − 2α, the one that the test of equivalence reads.
    p_equivalence : float
        Of H₀: |θ| ≥ δ. Small: the effect is smaller than δ.
    p_minimum : float
        Of H₀: |θ| ≤ δ. Small: the effect is larger than δ in size.
    reading : {'smaller', 'larger', 'undecided', 'imprecise'}
    """

    smallest: float
    estimate: float
    conf_low: float
    conf_high: float
    p_equivalence: float
    p_minimum: float
    reading: str


def smallest_effect(
    estimate: float, std_error: float, df: float, smallest: float, alpha: float = 0.05
) -> SmallestEffect:
    """Test an estimate against a smallest effect of interest.

    θ is smaller than δ where the interval of level 1 − 2α lies within ±δ (two one-sided t tests
    of size α). It is larger where an estimate as far from zero would have at most probability α
    at θ = δ; both tails count, which matters where δ is small beside the standard error.

    Parameters
    ----------
    estimate, std_error, df : float
    smallest : float
        δ.
    alpha : float

    Returns
    -------
    SmallestEffect
        ``imprecise`` below 4 degrees of freedom; p-values are NaN then.

    References
    ----------
    Schuirmann, D. J. (1987). Journal of Pharmacokinetics and Biopharmaceutics, 15, 657–680.
    https://doi.org/10.1007/BF01068419
    Murphy, K. R., & Myors, B. (1999). Journal of Applied Psychology, 84, 234–248.
    https://doi.org/10.1037/0021-9010.84.2.234

    Examples
    --------
    >>> smallest_effect(.01, .005, 30, smallest=.03).reading
    'smaller'
    """
    if not smallest > 0:
        raise ValueError(f"a smallest effect of interest is positive, not {smallest}")
    if not std_error > 0:
        raise ValueError(f"a standard error is positive, not {std_error}")
    half = float(critical_value(1 - 2 * alpha, df)) * std_error
    low, high = estimate - half, estimate + half
    size = abs(estimate)
    precise = df >= MINIMUM_DF
    p_equivalence = float(special.stdtr(df, (size - smallest) / std_error))
    p_minimum = float(
        special.stdtr(df, (smallest - size) / std_error)
        + special.stdtr(df, -(smallest + size) / std_error)
    )
    reading = "undecided"
    if not precise:
        reading = "imprecise"
        p_equivalence = p_minimum = float("nan")
    elif p_equivalence < alpha:
        reading = "smaller"
    elif p_minimum < alpha:
        reading = "larger"
    return SmallestEffect(
        smallest=smallest,
        estimate=estimate,
        conf_low=low,
        conf_high=high,
        p_equivalence=p_equivalence,
        p_minimum=p_minimum,
        reading=reading,
    )
