"""What a report gives of one effect, what becomes of it, and the words they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from metalliance.effectsize.correlation import r_variance, z_variance

__all__ = [
    "QUALITIES",
    "Estimate",
    "Given",
    "Metric",
    "Quality",
    "from_zero_order",
    "partial_from_t",
    "residual_df",
    "standard_error",
    "worse",
]

Quality = Literal["direct", "converted", "approximated", "bounded"]
Metric = Literal["z", "beta"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One effect on its analysis scale.

    Attributes
    ----------
    yi, vi : float
        Fisher's z and its sampling variance; where ``es_metric`` is ``beta`` the coefficient and
        SE². NaN where the report gives only a bound.
    r, v_r : float
        The same as a correlation; NaN where ``es_metric`` is ``beta``.
    ni : float
        Patients.
    route : str
        Which conversion was taken.
    quality : {'direct', 'converted', 'approximated', 'bounded'}
        The worse of value and variance.
    trace : str
        The arithmetic, to be followed by hand.
    es_metric : {'z', 'beta'}
    """

    yi: float
    vi: float
    r: float
    v_r: float
    ni: float
    route: str
    quality: Quality
    trace: str
    es_metric: Metric = "z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is reported of one effect; names as in `effect_size`."""

    stat: str
    value: float | None = None
    n: float | None = None
    se: float | None = None
    ci: tuple[float, float] | None = None
    ci_level: float = 95.0
    test_value: float | None = None
    df: float | None = None
    df1: float = 1.0
    p: str | None = None
    tail: int = 2
    m: int | None = None
    R2: float | None = None
    n1: float | None = None
    n2: float | None = None
    mean1: float | None = None
    sd1: float | None = None
    mean2: float | None = None
    sd2: float | None = None
    cells: tuple[float, float, float, float] | None = None
    sd_x: float | None = None
    sd_y: float | None = None
    sd_level: str | None = None
    icc_x: float | None = None
    icc_y: float | None = None
    n_obs: float | None = None
    sessions: float | None = None
    lag: float = 0.0
    sign: int | None = None
    component: str = ""
    estimand: str = ""

    @property
    def within(self) -> bool:
        """True for an association of occasions within patients."""
        return self.component == "within"

    @property
    def lagged_partial(self) -> bool:
        """True for a coefficient net of the lagged outcome."""
        return self.estimand == "lagged_partial"

    def number(self) -> float:
        """The printed number.

        Raises
        ------
        ValueError
            Where it is missing.
        """
        if self.value is None:
            raise ValueError("value is missing (the printed number)")
        return self.value

    def oriented(self) -> float:
        """The printed number, reversed where ``sign`` is −1."""
        return self.number() * (self.sign or 1)

    def direction(self) -> int:
        """The sign of a statistic that has none of its own.

        Raises
        ------
        ValueError
            Where nobody says it.
        """
        if self.sign is None:
            raise ValueError(f"{self.stat} has no sign of its own: say sign=1 or sign=-1")
        return self.sign

    def patients(self) -> float:
        """Patients of this analysis.

        Raises
        ------
        ValueError
            Where n is missing.
        """
        if self.n is None:
            raise ValueError("n is missing (the number of patients)")
        return self.n


def worse(*qualities: Quality) -> Quality:
    """The worst of several qualities.

    >>> worse("converted", "bounded", "direct")
    'bounded'
    """
    return max(qualities, key=QUALITIES.index)


def from_zero_order(r: float, n: float, *, route: str, quality: Quality, how: str) -> Estimate:
    """A correlation of n patients: z = atanh r, Var(z) = 1/(n − 3), Var(r) = (1 − r²)²/(n − 1)."""
    z = fisher(r)
    v = z_variance(n)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance(r, n),
        ni=n,
        route=route,
        quality=quality,
        trace=f"{how}; z = atanh({r:.6g}) = {z:.6g}; v = 1/({n:g} - 3) = {v:.6g}",
    )


def fisher(r: float) -> float:
    """Atanh r, refused at and beyond ±1."""
    if not -1.0 < r < 1.0:
        raise ValueError(f"a correlation lies strictly between -1 and 1, not at {r:g}")
    return math.atanh(r)


def residual_df(given: Given) -> tuple[float, str]:
    """Residual degrees of freedom of a regression on patients: as given, else n − m − 1.

    A single predictor is not assumed of a coefficient: m or df has to be said.
    """
    if given.df is not None:
        if given.df <= 1:
            raise ValueError(f"df = {given.df:g} leaves no sampling variance 1/(df - 1)")
        if given.n is not None and given.df > given.n - 2:
            raise ValueError(
                f"df = {given.df:g} is more than {given.n:g} patients leave (n - 2); degrees of "
                "freedom of occasions belong to a within effect"
            )
        return given.df, f"df = {given.df:g}"
    n = given.patients()
    if given.m is None:
        raise ValueError(
            "m is missing (predictors in the model, alliance included), or the df of the test"
        )
    if given.m < 1:
        raise ValueError(f"m = {given.m:g}: alliance itself counts, so m is at least 1")
    df = n - given.m - 1
    if df <= 1:
        raise ValueError(f"n = {n:g} with m = {given.m:g} leaves {df:g} degrees of freedom")
    return df, f"df = {n:g} - {given.m:g} - 1 = {df:g}"


def partial_from_t(
    t: float, df: float, *, n: float | None, route: str, quality: Quality, how: str
) -> Estimate:
    """R = t/√(t² + df), Var(z) = 1/(df − 1), Var(r) = (1 − r²)²/(df + 1).

    With one predictor df = n − 2 and these are the values of a correlation of n patients; with m
    predictors df = n − m − 1 and r is a partial correlation.
    """
    r = t / math.sqrt(t * t + df)
    z = fisher(r)
    v = 1 / (df - 1)
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=(1 - r * r) ** 2 / (df + 1),
        ni=math.nan if n is None else n,
        route=route,
        quality=quality,
        trace=f"{how}; r = t/sqrt(t^2 + {df:g}) = {r:.6g}; z = {z:.6g}; "
        f"v = 1/({df:g} - 1) = {v:.6g}",
    )


def standard_error(given: Given, *, log: bool = False) -> tuple[float, str]:
    """Standard error of a coefficient: as printed, else from its interval, else from its test.

    Parameters
    ----------
    given : Given
    log : bool
        The value and the limits of its interval are ratios; a printed SE is that of the logarithm.

    Raises
    ------
    ValueError
        Where none of the three is there, or it is impossible.
    """
    if given.se is not None:
        if not given.se > 0:
            raise ValueError(f"se = {given.se:g} must be above 0")
        return given.se, f"SE = {given.se:.6g} as printed"
    if given.ci is not None:
        return _from_interval(given, log)
    if given.test_value is not None:
        value = math.log(given.number()) if log else given.number()
        if given.test_value == 0 or value == 0:
            raise ValueError("a test value or coefficient of 0 gives no standard error")
        se = abs(value / given.test_value)
        return se, f"SE = |{value:.6g}/{given.test_value:.6g}| = {se:.6g}"
    raise ValueError("its se, its interval (ci) or its test value is missing")


def _from_interval(given: Given, log: bool) -> tuple[float, str]:
    from scipy.special import ndtri

    assert given.ci is not None
    low, high = given.ci
    if not low < high:
        raise ValueError(f"the interval [{low:g}, {high:g}] has no width")
    if not 0 < given.ci_level < 100:
        raise ValueError(f"ci_level = {given.ci_level:g} is a percentage, such as 95")
    if log and not low > 0:
        raise ValueError(f"the interval [{low:g}, {high:g}] of a ratio lies above 0")
    quantile = float(ndtri(0.5 + given.ci_level / 200))
    named = f"({high:g} - {low:g})"
    if log:
        named = f"(ln {high:g} - ln {low:g})"
        low, high = math.log(low), math.log(high)
    se = (high - low) / (2 * quantile)
    return se, f"SE = {named}/(2 x {quantile:.6g}) = {se:.6g}"
