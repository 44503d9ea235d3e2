"""What a paper prints of one effect, and the estimate that becomes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from metalliance.effectsize.correlation import fisher_z, r_variance, z_variance

__all__ = [
    "COMPONENTS",
    "ESTIMANDS",
    "QUALITIES",
    "Component",
    "Estimand",
    "Estimate",
    "Given",
    "Metric",
    "Quality",
    "bound",
    "from_zero_order",
    "partial_from_t",
    "residual_df",
    "reversed_estimate",
    "worse",
]

Quality = Literal["direct", "converted", "approximated", "bounded"]
Metric = Literal["z", "beta"]
Component = Literal[
    "total",
    "between_observed",
    "between_latent",
    "within",
    "between_change",
    "blended",
    "contextual",
    "between_therapist",
    "within_therapist",
]
Estimand = Literal["concurrent_r", "lagged_r", "lagged_partial", "NA"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)
COMPONENTS: tuple[Component, ...] = get_args(Component)
ESTIMANDS: tuple[Estimand, ...] = get_args(Estimand)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One effect on its analysis scale.

    Attributes
    ----------
    yi, vi : float
        Fisher's z and its sampling variance; where ``es_metric`` is ``beta`` the coefficient and
        SE². Both NaN where the report gives only a bound.
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

    Raises
    ------
    ValueError
        Where yi is not finite or vi is not above 0, unless both are NaN and the quality is
        ``bounded``.
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

    def __post_init__(self) -> None:
        if math.isnan(self.yi) and math.isnan(self.vi) and self.quality == "bounded":
            return
        if not (math.isfinite(self.yi) and 0.0 < self.vi < math.inf):
            raise ValueError(
                f"these numbers give no usable effect (yi = {self.yi:g}, vi = {self.vi:g}); "
                "check them against the report"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Everything a paper may print about one effect; what it does not print is None.

    Names are those of `effect_size`. Values, intervals and test values stand as printed: the
    finished effect is turned where ``sign`` is −1.
    """

    stat: str
    value: float | None = None
    n: float | None = None
    se: float | None = None
    ci: tuple[float, float] | None = None
    ci_level: float = 95.0
    test_value: float | None = None
    df: float | None = None
    df1: float = 1.0
    p: float | str | None = None
    tail: float = 2
    m: float | None = None
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
    lag: float | None = None
    sign: int | None = None
    component: str | None = None
    estimand: str | None = None

    @property
    def within(self) -> bool:
        """Whether the effect is about occasions within patients."""
        return self.component == "within"

    @property
    def printed(self) -> float:
        """The printed number.

        Raises
        ------
        ValueError
            Where it is missing.
        """
        if self.value is None:
            raise ValueError("value is missing (the printed number)")
        return self.value

    @property
    def patients(self) -> float:
        """Patients of this analysis: ``n``, else both groups together.

        Raises
        ------
        ValueError
            Where neither is printed.
        """
        if self.n is not None:
            return self.n
        if self.n1 is None or self.n2 is None:
            raise ValueError("n is missing (the number of patients)")
        return self.n1 + self.n2

    def need_sign(self) -> None:
        """Refuse a statistic without a sign of its own whose direction nobody has said.

        Raises
        ------
        ValueError
            Where ``sign`` is None.
        """
        if self.sign is None:
            raise ValueError(
                f"{self.stat} has no sign of its own: read the direction in the text and give "
                "sign=1 or sign=-1"
            )

    def refuse_within(self, instead: str) -> None:
        """Refuse an effect within patients, with what to give instead."""
        if self.within:
            raise ValueError(f"not converted for an effect within patients{instead}")


def worse(*qualities: Quality) -> Quality:
    """The worst of several qualities.

    >>> worse("converted", "bounded", "direct")
    'bounded'
    """
    return max(qualities, key=QUALITIES.index)


def reversed_estimate(estimate: Estimate) -> Estimate:
    """The same effect with its sign turned; the trace says so.

    >>> effect = from_zero_order(.31, 60, route="r", quality="direct", how="r = 0.31")
    >>> reversed_estimate(effect).trace.split("; ")[-1]
    'reversed (sign -1): r = -0.31, z = -0.320545'
    """
    y, r = -estimate.yi + 0.0, -estimate.r + 0.0
    turned = f"beta = {y:.6g}" if estimate.es_metric == "beta" else f"r = {r:.6g}, z = {y:.6g}"
    trace = f"{estimate.trace}; reversed (sign -1): {turned}"
    return replace(estimate, yi=y, r=r, trace=trace)


def bound(given: Given, trace: str) -> Estimate:
    """An effect known only to lie beyond some value: kept, with nothing to pool."""
    return Estimate(
        yi=math.nan,
        vi=math.nan,
        r=math.nan,
        v_r=math.nan,
        ni=math.nan if given.n is None else given.n,
        route="bound",
        quality="bounded",
        trace=trace,
    )


def from_zero_order(r: float, n: float, *, route: str, quality: Quality, how: str) -> Estimate:
    """A correlation of n patients: z = atanh r, Var(z) = 1/(n − 3), Var(r) = (1 − r²)²/(n − 1).

    References
    ----------
    Fisher, R. A. (1921). Metron, 1, 3–32.
    """
    z, v = fisher_z(r), z_variance(n)
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


def residual_df(given: Given) -> tuple[float, str]:
    """Degrees of freedom of a test between patients, with words.

    As printed, else n − m − 1 with m predictors (alliance included), else n − 2: the test of a
    correlation or of two groups.

    Raises
    ------
    ValueError
        Where they are missing, leave no variance, or are more than the patients allow.

    Examples
    --------
    >>> residual_df(Given(stat="t", n=60, m=3))
    (56, 'df = 60 - 3 - 1 = 56')
    """
    m = given.m
    if m is not None and m < 1:
        raise ValueError(f"m = {m:g}: alliance itself counts, so m is at least 1")
    if given.df is None:
        if given.n is None and (given.n1 is None or given.n2 is None):
            raise ValueError("df or n is missing (degrees of freedom, or patients)")
        n = given.patients
        df = n - (1 if m is None else m) - 1
        told = f"df = {n:g} - 2 = {df:g}" if m is None else f"df = {n:g} - {m:g} - 1 = {df:g}"
    else:
        df, told = given.df, f"df = {given.df:g}"
        if given.n is not None and df > given.n - 2:
            raise ValueError(
                f"df = {df:g} is more than {given.n:g} patients leave (n - 2); degrees of freedom "
                "of occasions belong to an effect within patients"
            )
    if not df > 1:
        raise ValueError(f"{told} is too few: the variance 1/(df - 1) needs df above 1")
    return df, told


def partial_from_t(t: float, given: Given, *, route: str, how: str) -> Estimate:
    """Correlation behind the t of patients: r = t/√(t² + df).

    Var(z) = 1/(df − 1) and Var(r) = (1 − r²)²/(df + 1). With one predictor df = n − 2, and these
    are r and its variances of n patients; with m predictors df = n − m − 1, and r is a partial
    correlation. Where n is not printed it is df + m + 1.

    References
    ----------
    Aloe, A. M., & Thompson, C. G. (2013). Journal of the Society for Social Work and Research,
    4, 390–404. https://doi.org/10.5243/jsswr.2013.24
    """
    df, counted = residual_df(given)
    r = t / math.hypot(t, math.sqrt(df))
    z, v = fisher_z(r), 1.0 / (df - 1)
    n = given.n if given.n is not None else df + (given.m or 1) + 1
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=r_variance(r, df + 2),
        ni=n,
        route=route,
        quality="converted",
        trace=f"{how}; {counted}; r = t/sqrt(t^2 + {df:g}) = {r:.6g}; z = atanh r = {z:.6g}; "
        f"v = 1/({df:g} - 1) = {v:.6g}",
    )
