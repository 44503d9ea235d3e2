"""Effect sizes and sampling variances by the names that metafor's ``escalc`` gives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from metalliance.effectsize import measures_correlation as correlation_measures
from metalliance.effectsize import measures_groups as groups_measures
from metalliance.effectsize import measures_table as table_measures
from metalliance.effectsize.measure_parts import Columns, Pair, refuse
from metalliance.errors import ConversionError
from metalliance.numerics.blocks import FloatArray

__all__ = ["MEASURES", "Measure", "escalc"]

Measure = Literal[
    "COR",
    "UCOR",
    "ZCOR",
    "PCOR",
    "ZPCOR",
    "SPCOR",
    "ZSPCOR",
    "R2",
    "ZR2",
    "RPB",
    "ZPB",
    "RBIS",
    "ZBIS",
    "D2OR",
    "D2ORL",
    "D2ORN",
    "PHI",
    "ZPHI",
    "YUQ",
    "YUY",
    "RTET",
    "ZTET",
    "PBIT",
    "OR",
    "OR2D",
    "OR2DL",
    "OR2DN",
    "RR",
    "RD",
    "MD",
    "SMD",
    "SMDH",
    "SMD1",
    "MC",
    "SMCC",
    "SMCR",
    "ARAW",
    "AHW",
    "ABT",
]
GROUPS = ("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i")
CELLS = ("ai", "bi", "ci", "di")
COUNTS = ("ni", "n1i", "n2i", "mi")
PAIRED = ("m1i", "m2i", "sd1i", "sd2i", "ni", "ri")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one measure is computed: from which columns, with which variance types."""

    needs: tuple[str, ...]
    by: Callable[[Columns, str], Pair]
    vtypes: tuple[str, ...] = ("LS",)


def escalc(
    measure: str,
    data: pd.DataFrame | None = None,
    *,
    vtype: str = "LS",
    **columns: str | float | Sequence[float] | FloatArray,
) -> pd.DataFrame:
    """Effect sizes and their sampling variances.

    Parameters
    ----------
    measure : str
        One of ``Measure``: correlations (COR, UCOR, ZCOR from ``ri, ni``), partial and
        semi-partial ones (``ti, ni, mi``, with ``r2i``), R² (``r2i, ni``), two groups
        (``m1i, sd1i, n1i, m2i, sd2i, n2i``), 2×2 tables (``ai, bi, ci, di``), changes of one group
        (``m1i, m2i, sd1i, sd2i, ni, ri``), reliabilities (``ai, mi, ni``).
    data : DataFrame, optional
        Where ``columns`` that are text are looked up.
    vtype : str
        Kind of variance: LS for every measure; also AV, with the mean of all rows in place of each
        row's own (COR, UCOR, PCOR, SPCOR), H0 (COR), UB (UCOR, SMD), LS2 (SMD), ST and CS, for
        groups and for only n fixed (RPB, ZPB, PHI, ZPHI; LS is ST of the first and CS of the
        second).
    **columns
        Numbers, or names of columns of ``data``.

    Returns
    -------
    DataFrame
        ``yi`` and ``vi``; NaN where n is too small, Fisher's z is asked of r = ±1, or a
        formula for large samples leaves them (vi below 0; the unbiased UB may be).

    Raises
    ------
    ConversionError
        For an unknown measure or variance type, a missing column, or a value out of range.

    Notes
    -----
    Measures and meanings are those of metafor 5.1; formulas are printed in the functions of this
    file with their sources.

    Examples
    --------
    >>> escalc("ZCOR", ri=[.31, .2], ni=[60, 43]).round(4).values.tolist()
    [[0.3205, 0.0175], [0.2027, 0.025]]
    """
    rule = MEASURES.get(measure)
    if rule is None:
        raise ConversionError(f"measure {measure!r} is none of: {', '.join(MEASURES)}")
    if vtype not in rule.vtypes:
        raise ConversionError(f"{measure} has vtype {', '.join(rule.vtypes)}; not {vtype!r}")
    unknown = sorted(set(columns) - set(rule.needs))
    missing = [name for name in rule.needs if name not in columns]
    if unknown or missing:
        wrong = f"not {', '.join(unknown)}" if unknown else f"{', '.join(missing)} is missing"
        raise ConversionError(f"{measure} takes {', '.join(rule.needs)}; {wrong}")
    found = {name: _column(data, name, value) for name, value in columns.items()}
    sizes = {len(column) for column in found.values()} - {1}
    if len(sizes) > 1:
        raise ConversionError(f"{measure}: the columns have different lengths")
    length = max(sizes, default=1)
    full = {name: np.broadcast_to(column, length) for name, column in found.items()}
    for name, column in full.items():
        refuse(np.isinf(column), f"{name} is infinite")
        if name in COUNTS:
            refuse(column <= 0, f"{name} is not above 0")
        elif name.startswith("sd"):
            refuse(column < 0, f"{name} (a standard deviation) is below 0")
    with np.errstate(all="ignore"):
        yi, vi = rule.by(full, vtype)
    index = data.index if data is not None and len(data) == length else None
    yi = np.where(np.isfinite(yi), yi, np.nan)
    usable = np.isfinite(yi) & np.isfinite(vi) & ((vi >= 0) | (vtype == "UB"))
    vi = np.where(usable, vi, np.nan)
    return pd.DataFrame({"yi": yi, "vi": vi}, index=index)


def _column(data: pd.DataFrame | None, name: str, value: Any) -> FloatArray:
    if isinstance(value, str):
        if data is None or value not in data.columns:
            raise ConversionError(f"{name}: data has no column {value!r}")
        value = data[value]
    try:
        return np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        raise ConversionError(f"{name} is no column of numbers") from None


CORRELATION, SLOPE, ITEMS = ("ri", "ni"), ("ti", "ni", "mi"), ("ai", "mi", "ni")
L, N = math.pi / math.sqrt(3), 1.65
MEASURES: dict[str, Rule] = {
    "COR": Rule(needs=CORRELATION, by=correlation_measures.correlation, vtypes=("LS", "AV", "H0")),
    "UCOR": Rule(
        needs=CORRELATION, by=correlation_measures.unbiased_correlation, vtypes=("LS", "AV", "UB")
    ),
    "ZCOR": Rule(needs=CORRELATION, by=correlation_measures.fisher_z),
    "PCOR": Rule(needs=SLOPE, by=correlation_measures.partial, vtypes=("LS", "AV")),
    "ZPCOR": Rule(needs=SLOPE, by=correlation_measures.z_partial),
    "SPCOR": Rule(needs=(*SLOPE, "r2i"), by=correlation_measures.semipartial, vtypes=("LS", "AV")),
    "ZSPCOR": Rule(needs=(*SLOPE, "r2i"), by=correlation_measures.z_semipartial),
    "R2": Rule(needs=("r2i", "ni"), by=correlation_measures.explained),
    "ZR2": Rule(needs=("r2i", "ni"), by=correlation_measures.z_explained),
    "RPB": Rule(needs=GROUPS, by=groups_measures.point_biserial, vtypes=("LS", "ST", "CS")),
    "ZPB": Rule(needs=GROUPS, by=groups_measures.z_point_biserial, vtypes=("LS", "ST", "CS")),
    "RBIS": Rule(needs=GROUPS, by=groups_measures.biserial),
    "ZBIS": Rule(needs=GROUPS, by=groups_measures.z_biserial),
    "D2OR": Rule(needs=GROUPS, by=groups_measures.d_to_log_odds(L)),
    "D2ORL": Rule(needs=GROUPS, by=groups_measures.d_to_log_odds(L)),
    "D2ORN": Rule(needs=GROUPS, by=groups_measures.d_to_log_odds(N)),
    "PHI": Rule(needs=CELLS, by=table_measures.phi, vtypes=("LS", "ST", "CS")),
    "ZPHI": Rule(needs=CELLS, by=table_measures.z_phi, vtypes=("LS", "ST", "CS")),
    "YUQ": Rule(needs=CELLS, by=table_measures.yule(1)),
    "YUY": Rule(needs=CELLS, by=table_measures.yule(2)),
    "RTET": Rule(needs=CELLS, by=table_measures.tetrachoric_table),
    "ZTET": Rule(needs=CELLS, by=table_measures.z_tetrachoric),
    "PBIT": Rule(needs=CELLS, by=table_measures.probits),
    "OR": Rule(needs=CELLS, by=table_measures.log_odds_times(1.0)),
    "OR2D": Rule(needs=CELLS, by=table_measures.log_odds_times(1 / L)),
    "OR2DL": Rule(needs=CELLS, by=table_measures.log_odds_times(1 / L)),
    "OR2DN": Rule(needs=CELLS, by=table_measures.log_odds_times(1 / N)),
    "RR": Rule(needs=CELLS, by=table_measures.log_risk_ratio),
    "RD": Rule(needs=CELLS, by=table_measures.risk_difference),
    "MD": Rule(needs=GROUPS, by=groups_measures.mean_difference),
    "SMD": Rule(
        needs=GROUPS, by=groups_measures.standardised_difference, vtypes=("LS", "LS2", "UB")
    ),
    "SMDH": Rule(needs=GROUPS, by=groups_measures.difference_unequal),
    "SMD1": Rule(
        needs=("m1i", "n1i", "m2i", "sd2i", "n2i"), by=groups_measures.difference_by_control
    ),
    "MC": Rule(needs=PAIRED, by=groups_measures.mean_change),
    "SMCC": Rule(needs=PAIRED, by=groups_measures.change_by_change),
    "SMCR": Rule(needs=("m1i", "m2i", "sd1i", "ni", "ri"), by=groups_measures.change_by_raw),
    "ARAW": Rule(needs=ITEMS, by=correlation_measures.alpha),
    "AHW": Rule(needs=ITEMS, by=correlation_measures.alpha_hakstian_whalen),
    "ABT": Rule(needs=ITEMS, by=correlation_measures.alpha_bonett),
}
