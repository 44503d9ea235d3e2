"""Natural cubic splines with the straight line as a column of its own."""

from __future__ import annotations

import numpy as np

from metalliance.numerics.blocks import FloatArray

__all__ = ["KNOT_QUANTILES", "natural_spline"]

#: Quantiles at which knots lie, by number of knots (Harrell, 2015, table 2.3).
KNOT_QUANTILES: dict[int, tuple[float, ...]] = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
}


def natural_spline(x: FloatArray, knots: FloatArray) -> FloatArray:
    """Columns that, added to x itself, make a natural cubic spline.

    Parameters
    ----------
    x : (k,) float
    knots : (m,) float
        Ascending, at least three; the spline is straight beyond the first and the last.

    Returns
    -------
    (k, m - 2) float
        The relation is linear in x where the coefficients of all these columns are zero.

    Notes
    -----
    Column j = 1 … m - 2, with (u)₊ = max(u, 0) and knots t:

    [(x - t_j)₊³ - (x - t_{m-1})₊³ (t_m - t_j)/(t_m - t_{m-1})
    + (x - t_m)₊³ (t_{m-1} - t_j)/(t_m - t_{m-1})] / (t_m - t_1)².

    References
    ----------
    Harrell, F. E. (2015). Regression modeling strategies (2nd ed., section 2.4.5).
    https://doi.org/10.1007/978-3-319-19425-7

    Examples
    --------
    >>> natural_spline(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0])).ravel().tolist()
    [0.0, 0.25, 1.5, 3.0]
    """
    knots = np.asarray(knots, dtype=np.float64)
    if len(knots) < 3 or not np.all(np.diff(knots) > 0):
        raise ValueError("a natural cubic spline needs three or more ascending knots")
    cubes = np.maximum(np.asarray(x, dtype=np.float64)[:, None] - knots, 0.0) ** 3
    last, gap = knots[-1], knots[-1] - knots[-2]
    inner = knots[:-2]
    bend = cubes[:, :-2] - cubes[:, [-2]] * (last - inner) / gap
    bend += cubes[:, [-1]] * (knots[-2] - inner) / gap
    return np.asarray(bend / (last - knots[0]) ** 2)
