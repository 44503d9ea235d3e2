"""One pool under other defensible choices: assumed correlations, subsets of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError
from metalliance.models.fit import fit
from metalliance.models.inference import infer
from metalliance.models.predict import predict
from metalliance.traitstate.pooling import is_dependent, pool_effects

__all__ = ["COLUMNS", "as_claimed", "never_narrower", "rho_grid", "subsets"]

COLUMNS = (
    "check",
    "setting",
    "k_effects",
    "k_studies",
    "estimate",
    "conf_low",
    "conf_high",
    "note",
)


#: What authors call a component, and the component that a reader would take it for.
CLAIMS: dict[str, tuple[str, ...]] = {
    "total": ("total",),
    "between_observed": ("trait-like", "between"),
    "within": ("state-like", "within"),
    "between_change": ("change",),
}


def as_claimed(
    every: EffectTable, pool: EffectTable, *, rho: float, method: str = "REML", level: float = 0.95
) -> pd.DataFrame:
    """Pool again with the effects that their authors call by this pool's component.

    Parameters
    ----------
    every : EffectTable
        All usable effects, with the column ``component_claimed``.
    pool : EffectTable
        One pool of correlations; an effect without a claim stays where it is.
    rho, method, level
        As in `rho_grid`.

    Returns
    -------
    DataFrame
        ``COLUMNS``; no row where the claims move no effect into the pool or out of it.
    """
    nothing = pd.DataFrame(columns=list(COLUMNS))
    frame = every.usable
    if "component_claimed" not in frame or not pool.usable["es_metric"].eq("z").all():
        return nothing
    claims = CLAIMS.get(str(pool.usable["component"].iloc[0]), ())
    claim = frame["component_claimed"]
    own = pd.MultiIndex.from_frame(pool.usable[["study", "effect"]])
    inside = pd.MultiIndex.from_frame(frame[["study", "effect"]]).isin(own)
    called = claim.isin(claims).to_numpy() & frame["es_metric"].eq("z").to_numpy()
    silent = claim.isna().to_numpy() | claim.eq("").to_numpy()
    kept = called | (inside & silent)
    came, left = int((kept & ~inside).sum()), int((inside & ~kept).sum())
    if not (came or left) or not kept.any() or not claims:
        return nothing
    setting = f"components as their authors call them ({came} more effects, {left} fewer)"
    row = _row("claim", setting, every.where(kept), rho=rho, method=method, level=level)
    return pd.DataFrame([row], columns=list(COLUMNS))


def rho_grid(
    effects: EffectTable, grid: Sequence[float], *, method: str = "REML", level: float = 0.95
) -> pd.DataFrame:
    """Pool again under other sampling correlations; no rows where nothing depends on ρ.

    Parameters
    ----------
    effects : EffectTable
        One pool.
    grid : sequence of float
        Values of ρ.
    method : str
        As in `pool_effects`.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        ``COLUMNS``; estimates on r (on the coefficient for es_metric beta).
    """
    if not is_dependent(effects):
        return pd.DataFrame(columns=list(COLUMNS))
    rows = [
        _row("sampling correlation", f"rho = {rho:g}", effects, rho=rho, method=method, level=level)
        for rho in grid
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def subsets(
    effects: EffectTable, *, rho: float, method: str = "REML", level: float = 0.95
) -> pd.DataFrame:
    """Pool again without rows that were not taken directly from a zero-order statistic.

    Returns
    -------
    DataFrame
        ``COLUMNS``; a subset that is the whole pool, or empty, has no row.
    """
    frame = effects.usable
    quality, route = frame["quality"].astype(str), frame["route"].astype(str)
    kept = {
        "without approximated or bounded effects": ~quality.isin(["approximated", "bounded"]),
        "direct effects only": quality.eq("direct"),
        "without partial correlations": ~route.str.contains("partial"),
    }
    rows = [
        _row("subset", name, effects.where(keep), rho=rho, method=method, level=level)
        for name, keep in kept.items()
        if 0 < int(np.sum(keep)) < len(frame)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def never_narrower(
    effects: EffectTable, *, method: str = "REML", level: float = 0.95
) -> pd.DataFrame:
    """Pool again with the ad hoc Knapp–Hartung interval, never narrower than the t interval.

    With few studies the factor s² of Knapp and Hartung can fall below 1 by chance and make the
    interval too narrow; the ad hoc form takes max(1, s²). No row where the effects are dependent.

    References
    ----------
    Röver, C., Knapp, G., & Friede, T. (2015). BMC Medical Research Methodology, 15, 99.
    https://doi.org/10.1186/s12874-015-0091-1
    """
    if is_dependent(effects):
        return pd.DataFrame(columns=list(COLUMNS))
    transform = "r" if effects.usable["es_metric"].eq("z").all() else None
    inference = infer(fit(effects, method=method), vcov="adhoc")
    mean = predict(inference, transform=transform, level=level).iloc[0]
    row = {
        "check": "standard error",
        "setting": "Knapp–Hartung factor at least 1",
        "k_effects": len(effects),
        "k_studies": int(effects.usable["study"].nunique()),
        "note": "",
    } | {name: float(mean[name]) for name in COLUMNS[4:7]}
    return pd.DataFrame([row], columns=list(COLUMNS))


def _row(
    check: str, setting: str, effects: EffectTable, *, rho: float, method: str, level: float
) -> dict[str, object]:
    frame = effects.usable
    row: dict[str, object] = {
        "check": check,
        "setting": setting,
        "k_effects": len(frame),
        "k_studies": int(frame["study"].nunique()),
        "note": "",
    }
    transform = "r" if frame["es_metric"].eq("z").all() else None
    try:
        inference = pool_effects(effects, rho=rho, method=method)
        mean = predict(inference, transform=transform, level=level).iloc[0]
    except SpecificationError as error:
        return row | dict.fromkeys(COLUMNS[4:7], np.nan) | {"note": str(error)}
    return row | {name: float(mean[name]) for name in COLUMNS[4:7]}
