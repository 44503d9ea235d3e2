"""The standard error of a printed coefficient: printed, from its interval, or from its test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from metalliance.effectsize.estimate import Given

__all__ = ["StandardError", "printed_standard_error", "printed_t", "standard_error_needed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardError:
    """A standard error and the arithmetic behind it."""

    se: float
    how: str


def printed_standard_error(
    given: Given, estimate: float, *, ratio: bool = False, df: float | None = None
) -> StandardError | None:
    """Standard error of ``estimate`` from what is printed, the most direct source first.

    SE as printed; else (upper − lower)/(2q) of the interval, with q the quantile of t at ``df``
    where it is known and of the normal distribution where not; else |estimate|/|test value|.

    Parameters
    ----------
    given : Given
        ``se``, ``ci``, ``ci_level`` and ``test_value`` are read.
    estimate : float
        The coefficient; of a ratio, its logarithm.
    ratio : bool
        Whether the interval is one of a ratio (odds, hazards). ``se`` is that of the logarithm
        in any case.
    df : float, optional
        Residual degrees of freedom of the model that made the interval.

    Returns
    -------
    StandardError or None
        None where nothing of the three is printed.

    Raises
    ------
    ValueError
        Where what is printed is impossible.

    Examples
    --------
    >>> beta = Given(stat="beta", value=.12, ci=(.02, .22))
    >>> round(printed_standard_error(beta, .12).se, 4)
    0.051
    """
    if given.se is not None:
        return StandardError(se=_usable(given.se, "se"), how=f"SE = {given.se:.6g} as printed")
    if given.ci is not None:
        return _from_interval(given, estimate, ratio, df)
    if given.test_value is not None:
        return _from_test(given.test_value, estimate)
    return None


def printed_t(given: Given, *, what: str, df: float | None = None) -> tuple[float, str]:
    """The t of a coefficient: as printed, else the coefficient divided by its standard error.

    Papers print t with or without its sign; it takes that of the coefficient.

    Raises
    ------
    ValueError
        Where nothing of test, SE and interval is printed; ``what`` names the coefficient.

    Examples
    --------
    >>> printed_t(Given(stat="b", value=-.21, se=.08), what="a b")[0]
    -2.625
    """
    if given.test_value is not None:
        t = math.copysign(given.test_value, given.printed or given.test_value)
        signed = "" if t == given.test_value else f", printed as {given.test_value:g}"
        return t, f"t = {t:g}{signed}"
    error = standard_error_needed(printed_standard_error(given, given.printed, df=df), what)
    t = given.printed / error.se
    return t, f"{error.how}; t = {given.printed:g}/{error.se:.6g} = {t:.6g}"


def standard_error_needed(found: StandardError | None, what: str) -> StandardError:
    """The standard error, or an error that says what to add."""
    if found is None:
        raise ValueError(
            f"{what} needs its precision: add se, the confidence interval (ci) or the t or z of "
            "its test (test_value)"
        )
    return found


def _from_interval(given: Given, estimate: float, ratio: bool, df: float | None) -> StandardError:
    assert given.ci is not None
    low, high = given.ci
    shown = f"[{low:g}, {high:g}]"
    if not low < high:
        raise ValueError(f"the interval {shown} has no width; check ci_low and ci_high")
    if ratio:
        if not low > 0:
            raise ValueError(f"the interval {shown} of a ratio lies above 0; check ci_low")
        low, high = math.log(low), math.log(high)
    if not low <= estimate <= high:
        raise ValueError(f"the value lies outside its interval {shown}; check sign and digits")
    q = _quantile(given.ci_level, df)
    of = "ln {1:g} - ln {0:g}" if ratio else "{1:g} - {0:g}"
    se = _usable((high - low) / (2 * q), "the standard error from the interval")
    at = "" if df is None else f", t with {df:g} df"
    return StandardError(se=se, how=f"SE = ({of.format(*given.ci)})/(2 x {q:.4g}) = {se:.6g}{at}")


def _from_test(test_value: float, estimate: float) -> StandardError:
    if test_value == 0 or estimate == 0:
        raise ValueError(
            "a standard error cannot be had from a coefficient or a test value of 0; add se or "
            "the confidence interval (ci)"
        )
    se = _usable(abs(estimate / test_value), "the standard error from the test")
    how = f"SE = |{estimate:.6g}|/|{test_value:g}| = {se:.6g}"
    return StandardError(se=se, how=how)


def _quantile(level: float, df: float | None) -> float:
    if not 50 <= level <= 99.99:
        raise ValueError(f"ci_level = {level:g} is a percentage such as 95, from 50 to 99.99")
    p = 0.5 + level / 200
    if df is None:
        return NormalDist().inv_cdf(p)
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def _usable(se: float, name: str) -> float:
    if not (math.isfinite(se) and se * se > 0.0):
        raise ValueError(f"{name} = {se:g} must be above 0")
    return se
