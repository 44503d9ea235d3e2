"""``trait_state``: the trait-like and the state-like association side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.effectsize.paths import REVERSE
from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError
from metalliance.numerics.distributions import critical_value
from metalliance.traitstate.joint import DIFFERENCE, Joint
from metalliance.traitstate.mixture import ICC_X, ICC_Y, Band, check_band, share_between
from metalliance.traitstate.paired import pool_all_and_paired
from metalliance.traitstate.rows import (
    as_numbers,
    with_part,
    working_rows,
)

__all__ = ["BETWEEN_COMPONENTS", "TraitState", "trait_state"]

BETWEEN_COMPONENTS = ("between_observed", "between_latent")
ESTIMANDS = ("concurrent_r", "lagged_r")
PARTS = ("between", "within")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitState:
    """Trait-like and state-like associations of one estimand, pooled jointly.

    Attributes
    ----------
    estimand, between : str
        Of the within effects; the between component beside them.
    joint : Joint
        All studies that have either.
    paired : Joint or None
        Only samples that have both; None where fewer than two have.
    slope_ratio : DataFrame
        icc_x icc_y k_x k_y ratio conf_low conf_high: slope between over slope within, in raw
        units, at the assumed ICCs and at the corners of their band.

    Notes
    -----
    ``table`` has the rows between, within and difference (within − between, on Fisher's z), as
    `tidy` prints them. The difference is one of standardised associations: with equal raw slopes
    they differ already where ICCs differ, which is what ``slope_ratio`` is for.
    """

    estimand: str
    between: str
    joint: Joint
    paired: Joint | None
    slope_ratio: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """Parts and difference as `tidy` prints them, on Fisher's z."""
        return self.joint.table

    @property
    def table_r(self) -> pd.DataFrame:
        """Parts with prediction limits, and the difference, as correlations."""
        return self.joint.table_r


def trait_state(
    effects: EffectTable | pd.DataFrame,
    estimand: str = "concurrent_r",
    between: str = "between_observed",
    structure: str | None = None,
    rho: float | None = None,
    *,
    mods: Sequence[str] = (),
    sampling_rho: float = 0.6,
    icc_x: Band = ICC_X,
    icc_y: Band = ICC_Y,
    method: str = "REML",
    level: float = 0.95,
) -> TraitState:
    """Pool trait-like and state-like effects in one bivariate random-effects model.

    Parameters
    ----------
    effects : EffectTable or DataFrame
        Effects of any kind; those of the two components are used. A DataFrame needs ``study,
        component, estimand, yi, vi``.
    estimand : {'concurrent_r', 'lagged_r'}
        Of the within effects. ``lagged_partial`` is a partial coefficient, on another scale than
        any correlation between patients; `reciprocal` pools it.
    between : {'between_observed', 'between_latent'}
        Correlations of patients' averages, or of their latent means: different scales, never
        pooled together.
    structure : {None, 'UN', 'DIAG'}
        Of the true effects: UN estimates their correlation, DIAG holds it at 0. By default UN
        where at least ten samples have both components; else DIAG beside a grid of 0, .4, .8.
    rho : float, optional
        Hold the correlation of true effects at this value.
    mods : sequence of str
        Numeric columns; either component has its own slope, and the means are at zero of each
        column (centre it first). Rows without a value are refused by name.
    sampling_rho : float
        Assumed sampling correlation of two effects of one sample and component; of a between
        and a within effect it is 0 (their sampling errors are independent).
    icc_x, icc_y : (mean, low, high)
        Intraclass correlations of alliance and outcome, for ``slope_ratio``.
    method : {'REML', 'ML'}
    level : float

    Returns
    -------
    TraitState

    Raises
    ------
    SpecificationError
        Where a component is absent or rests on one study.

    Examples
    --------
    >>> import pandas as pd
    >>> effects = pd.DataFrame({
    ...     "study": list("abcdefgh"), "vi": .01,
    ...     "component": ["between_observed", "within"] * 4,
    ...     "estimand": ["NA", "concurrent_r"] * 4,
    ...     "yi": [.42, .10, .35, .05, .40, .15, .31, .12]})
    >>> trait_state(effects).table.round(2)[["term", "estimate"]].values.tolist()
    [['between', 0.37], ['within', 0.1], ['difference', -0.26]]
    """
    if estimand not in ESTIMANDS:
        raise SpecificationError(
            f"estimand {estimand!r} is not comparable with a correlation between patients; choose "
            f"one of {', '.join(ESTIMANDS)}, or pool lagged_partial effects by reciprocal()"
        )
    if between not in BETWEEN_COMPONENTS:
        raise SpecificationError(
            f"between={between!r}; choose one of {', '.join(BETWEEN_COMPONENTS)}"
        )
    check_band("icc_x", icc_x)
    check_band("icc_y", icc_y)
    frame = working_rows(effects)
    on_z = frame["es_metric"].eq("z")
    state = frame["component"].eq("within") & frame["estimand"].eq(estimand)
    rows = with_part(
        frame,
        {
            "between": frame["component"].eq(between) & frame["path"].ne(REVERSE) & on_z,
            "within": state & frame["path"].ne(REVERSE) & on_z,
        },
    )
    joint, paired = pool_all_and_paired(
        effects,
        rows,
        PARTS,
        sampling_rho=sampling_rho,
        mods=mods,
        structure=structure,
        rho=rho,
        method=method,
        level=level,
    )
    return TraitState(
        estimand=estimand,
        between=between,
        joint=joint,
        paired=paired,
        slope_ratio=pd.DataFrame() if mods else _slope_ratio(joint, rows, icc_x, icc_y, level),
    )


def _slope_ratio(
    joint: Joint, rows: pd.DataFrame, icc_x: Band, icc_y: Band, level: float
) -> pd.DataFrame:
    r"""b_B/b_W = (ρ_B/ρ_W) √(V_y (1 − ICC_x) / (V_x (1 − ICC_y))), with Fieller limits.

    V is the share of the variance of a score that lies between patients' averages: the ICC for
    latent means, ICC + (1 − ICC)/k for means of k occasions (the median k of the effects; NaN
    where none is coded).
    """
    ratio, low, high = _fieller(joint, level)
    own = rows[rows["part"] == "between"]
    latent = own["component"].eq("between_latent").any()
    k_x, k_y = (
        float(as_numbers(own, name).median()) if name in own and not latent else math.nan
        for name in ("k_x", "k_y")
    )
    if not latent and (math.isnan(k_x) or math.isnan(k_y)):
        ratio = low = high = math.nan
    table = []
    for x, y in [(icc_x[0], icc_y[0]), *((x, y) for x in icc_x[1:] for y in icc_y[1:])]:
        shares = share_between(x, k_x), share_between(y, k_y)
        factor = math.sqrt(shares[1] * (1 - x) / (shares[0] * (1 - y)))
        table.append((x, y, k_x, k_y, ratio * factor, low * factor, high * factor))
    columns = ["icc_x", "icc_y", "k_x", "k_y", "ratio", "conf_low", "conf_high"]
    return pd.DataFrame(table, columns=columns)


def _fieller(joint: Joint, level: float) -> tuple[float, float, float]:
    """ρ_B/ρ_W and its limits, NaN where the state-like association may be zero.

    Fieller, E. C. (1954). Journal of the Royal Statistical Society B, 16, 175–185.
    https://doi.org/10.1111/j.2517-6161.1954.tb00159.x
    """
    beta = joint.inference.fit.beta[[_place(joint, part) for part in PARTS]]
    places = np.ix_(*[[_place(joint, part) for part in PARTS]] * 2)
    point = np.tanh(beta)
    slope = 1 - point**2
    V = joint.inference.vcov[places] * np.outer(slope, slope)
    df = joint.table.set_index("term")["df"]
    t2 = float(critical_value(level, min(df["within"], df[DIFFERENCE]))) ** 2
    top, bottom = point
    a = bottom**2 - t2 * V[1, 1]
    b = top * bottom - t2 * V[0, 1]
    inside = b**2 - a * (top**2 - t2 * V[0, 0])
    ratio = float(top / bottom)
    if a <= 0 or inside < 0:
        return ratio, math.nan, math.nan
    half = math.sqrt(inside)
    return ratio, float((b - half) / a), float((b + half) / a)


def _place(joint: Joint, part: str) -> int:
    return list(joint.inference.fit.terms).index(f"part[{part}]")
