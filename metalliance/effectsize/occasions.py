"""Occasions within patients: how many a coefficient rests on, and what they are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from metalliance.effectsize.correlation import (
    DESIGN_EFFECT,
    SLOPE_SD,
    within_z_variance_approximate,
)
from metalliance.effectsize.estimate import Given
from metalliance.effectsize.slopes import occasion_df

__all__ = ["Occasions", "approximate_variance", "conversion_df", "occasions_of"]

# How far below n(T - 1) - 1 a printed df may lie and still count occasions: further predictors
# and missed sessions cost some, but counting patients costs far more.
OCCASION_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasions:
    """What a within-patient coefficient rests on.

    Attributes
    ----------
    n : float
        Patients.
    total : float
        Assessed occasions over all of them, before any are lost to the lag.
    lag : int
        Sessions from alliance to outcome; each costs one occasion per patient.
    how : str
        Where the numbers come from.
    """

    n: float
    total: float
    lag: int
    how: str

    @property
    def df(self) -> float:
        """Degrees of freedom with one slope common to all patients."""
        return occasion_df(self.n, self.total, self.lag)

    @property
    def sessions(self) -> float:
        """Occasions per patient that remain after the lag."""
        return self.total / self.n - self.lag


def occasions_of(given: Given) -> Occasions:
    """Patients and occasions of a within-patient effect.

    ``n_obs`` if printed, else n times ``sessions``, else what a ``df`` of more than 2n implies.
    A smaller df may count patients and settles nothing.

    Raises
    ------
    ValueError
        Where patients or occasions are missing or impossible.

    Examples
    --------
    >>> found = occasions_of(Given(stat="b", value=.1, n=120, sessions=8, lag=1))
    >>> found.df, found.sessions
    (719, 7.0)
    """
    lag = _whole_lag(given)
    n = given.n
    if n is None:
        raise ValueError("n is missing (the number of patients)")
    if not 1 < n < math.inf:
        raise ValueError(f"n = {n:g} must be above 1")
    if given.n_obs is not None:
        total, how = given.n_obs, f"{given.n_obs:g} occasions of {n:g} patients"
    elif given.sessions is not None:
        total, how = n * given.sessions, f"{n:g} patients with {given.sessions:g} sessions"
    elif given.df is not None and given.df > 2 * n:
        total = given.df + 1 + n * (1 + lag)
        how = f"df = {given.df:g} as printed for {n:g} patients, so about {total:.0f} occasions"
    else:
        raise ValueError(
            "a within-patient coefficient needs sessions (mean per patient; column sessions_mean) "
            "or n_obs (occasions in total); the df of a multilevel model may count patients"
        )
    if not math.isfinite(total):
        raise ValueError(f"{how} is no number of occasions")
    return Occasions(n=n, total=total, lag=lag, how=f"{how}, lag {lag}")


def conversion_df(given: Given, occasions: Occasions) -> tuple[float, str]:
    """Degrees of freedom that turn a within-patient t into r, and where they come from.

    Occasions decide. A printed ``df`` is used where it lies a little below them (further
    predictors, missed sessions).

    Raises
    ------
    ValueError
        Where the printed df counts patients: with n = 100 and 8 sessions, t = −4 is r = −.150 by
        699 df of occasions and would be −.375 by 98.

    Examples
    --------
    >>> printed = Given(stat="t", value=-4, n=100, sessions=8)
    >>> conversion_df(printed, occasions_of(printed))
    (699, '100 patients with 8 sessions, lag 0: df = 699')
    """
    df, printed = occasions.df, given.df
    if printed is None or printed == df:
        return df, f"{occasions.how}: df = {df:g}"
    if printed < OCCASION_SHARE * df:
        raise ValueError(
            f"df = {printed:g} counts patients (n = {occasions.n:g}), or is an approximation such "
            f"as Satterthwaite's; {occasions.how} have {df:g} df within patients, and {printed:g} "
            "would make r too large. Leave df blank, or correct sessions or n_obs"
        )
    if printed > df:
        return df, f"{occasions.how}: df = {df:g} (the printed {printed:g} counts more than that)"
    return printed, f"{occasions.how}: df = {printed:g} as printed"


def approximate_variance(r: float, occasions: Occasions) -> tuple[float, str]:
    """Variance of a within-patient z from patients and occasions alone, and its arithmetic."""
    n, sessions = occasions.n, occasions.sessions
    v = within_z_variance_approximate(r, n, sessions)
    how = (
        f"v = {DESIGN_EFFECT:g}/({n:g}({sessions:.6g} - 1) - 2)"
        f" + {SLOPE_SD:g}^2/({n:g}(1 - r^2)^2) = {v:.6g} (approximated)"
    )
    return v, how


def _whole_lag(given: Given) -> int:
    lag = given.lag
    if lag is None:
        return 1 if given.estimand == "lagged_r" else 0
    if not 0 <= lag < math.inf or lag != int(lag):
        raise ValueError(f"lag = {lag:g} must be a whole number of sessions, 0 or more")
    return int(lag)
