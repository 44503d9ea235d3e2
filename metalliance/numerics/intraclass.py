"""How far coders agree on numbers: intraclass correlation and limits of agreement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from metalliance.numerics.agreement import NO_INTERVAL, Coefficient
from metalliance.numerics.blocks import FloatArray

__all__ = ["LimitsOfAgreement", "intraclass_correlation", "limits_of_agreement"]

FEW_UNITS = "fewer than 2 units with a number from every coder"
NO_VARIATION = "all numbers are equal: agreement cannot be told from chance"
NO_ERROR = "no interval: the coders differ by the same amount everywhere"
WITHIN_NORMAL = 1.959963984540054


def intraclass_correlation(numbers: FloatArray, *, level: float = 0.95) -> Coefficient:
    r"""ICC(A,1): two-way model, absolute agreement, single measures.

    Parameters
    ----------
    numbers : (n, coders) array
        Units with a NaN are left out.
    level : float
        Of the interval.

    Returns
    -------
    Coefficient
        Without ``std_error``. NaN where nothing varies.

    Notes
    -----
    (MS_R − MS_E)/(MS_R + (k − 1) MS_E + k (MS_C − MS_E)/n) of a two-way table of n units and k
    coders; a coder who is always higher lowers it. The limits are the F-based ones with
    Satterthwaite's degrees of freedom. It is low where units hardly differ, whatever the coders
    do: read it beside the limits of agreement.

    References
    ----------
    McGraw & Wong (1996), doi:10.1037/1082-989X.1.1.30; Shrout & Fleiss (1979), ICC(2,1),
    doi:10.1037/0033-2909.86.2.420.

    Examples
    --------
    >>> ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8],
    ...                     [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7.0]])
    >>> round(intraclass_correlation(ratings).estimate, 4)
    0.2898
    """
    table = np.asarray(numbers, dtype=float)
    table = table[~np.isnan(table).any(axis=1)]
    n, k = table.shape
    if n < 2:
        return Coefficient(n=n, note=FEW_UNITS)
    rows, columns, error = _mean_squares(table)
    denominator = rows + (k - 1) * error + k * (columns - error) / n
    if np.ptp(table) == 0 or denominator <= 0:
        return Coefficient(n=n, note=NO_VARIATION)
    if np.all(table == table[:, :1]):
        return Coefficient(estimate=1.0, n=n, note=NO_INTERVAL)
    estimate = (rows - error) / denominator
    low, high = _limits(rows, columns, error, n, k, estimate, level)
    note = NO_ERROR if math.isnan(low) else ""
    return Coefficient(estimate=estimate, conf_low=low, conf_high=high, n=n, note=note)


def _mean_squares(table: FloatArray) -> tuple[float, float, float]:
    """Mean squares of units, coders and error, about exact means."""
    n, k = table.shape
    centred = table - table.mean()
    of_units, of_coders = centred.mean(axis=1), centred.mean(axis=0)
    residual = centred - of_units[:, None] - of_coders
    rows = k * float((of_units**2).sum()) / (n - 1)
    columns = n * float((of_coders**2).sum()) / (k - 1)
    return rows, columns, float((residual**2).sum()) / ((n - 1) * (k - 1))


def _limits(
    rows: float, columns: float, error: float, n: int, k: int, estimate: float, level: float
) -> tuple[float, float]:
    a = k * estimate / (n * (1 - estimate))
    b = 1 + k * estimate * (n - 1) / (n * (1 - estimate))
    spread = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    if spread == 0:
        return math.nan, math.nan
    df = (a * columns + b * error) ** 2 / spread
    upper = 0.5 + level / 2
    f_low = float(special.fdtri(n - 1, df, upper))
    f_high = float(special.fdtri(df, n - 1, upper))
    noise = k * columns + (k * n - k - n) * error
    low = n * (rows - f_low * error) / (f_low * noise + n * rows)
    high = n * (f_high * rows - error) / (noise + n * f_high * rows)
    return low, min(high, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsOfAgreement:
    """Mean difference of two coders, its standard deviation, and where 95 % of differences lie.

    Attributes
    ----------
    n : int
    bias, sd, low, high : float
        In the units of the numbers; ``sd``, ``low`` and ``high`` NaN with fewer than two units.
    """

    n: int
    bias: float = math.nan
    sd: float = math.nan
    low: float = math.nan
    high: float = math.nan


def limits_of_agreement(numbers: FloatArray) -> LimitsOfAgreement:
    """Bland and Altman's limits: second coder minus first.

    Parameters
    ----------
    numbers : (n, 2) array
        Units with a NaN are left out.

    Returns
    -------
    LimitsOfAgreement

    Notes
    -----
    d̄ ± 1.96 s_d. With few units the limits are themselves uncertain.

    References
    ----------
    Bland & Altman (1986), doi:10.1016/S0140-6736(86)90837-8.

    Examples
    --------
    >>> found = limits_of_agreement(np.array([[0.30, 0.32], [0.10, 0.10], [0.25, 0.24]]))
    >>> round(found.bias, 4), round(found.high, 3)
    (0.0033, 0.033)
    """
    pairs = np.asarray(numbers, dtype=float)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError("limits of agreement are of two coders")
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    if not len(pairs):
        return LimitsOfAgreement(n=0)
    difference = pairs[:, 1] - pairs[:, 0]
    bias = float(difference.mean())
    if len(pairs) < 2:
        return LimitsOfAgreement(n=1, bias=bias)
    sd = float(difference.std(ddof=1))
    half = WITHIN_NORMAL * sd
    return LimitsOfAgreement(n=len(pairs), bias=bias, sd=sd, low=bias - half, high=bias + half)
