"""The rows of a forest plot, from pools."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metalliance.plots.axis import printed

if TYPE_CHECKING:
    from metalliance.workflow.analysis import Pool

__all__ = ["COLUMNS", "forest_data", "heterogeneity", "normal_quantile", "study_labels"]

COLUMNS = (
    "kind",
    "group",
    "row",
    "label",
    "full_label",
    "k_effects",
    "ni",
    "estimate",
    "conf_low",
    "conf_high",
    "effect_low",
    "effect_high",
    "weight",
    "scale",
    "level",
)
TARGET = "new study's effect"
YEAR = re.compile(r"\b(\d{4})\)?\s*$")


def forest_data(
    pools: Pool | Sequence[Pool],
    titles: str | Sequence[str] = (),
    *,
    title: str = "",
    level: float = 0.95,
) -> pd.DataFrame:
    """Lay out the rows of a forest plot.

    Parameters
    ----------
    pools : Pool or sequence of Pool
        Pools of one metric. Several are drawn as groups, each with its own mean and none over
        all. A pool that could not be fitted shows its effects and the reason.
    titles : sequence of str, optional
        Group heads, one per pool; ``title`` for a single one.
    level : float
        Of the intervals that the pools hold, and of those of single effects.

    Returns
    -------
    DataFrame
        One row per line of the figure: ``kind`` is head, study, mean, prediction or note.
        Effects and limits are on the analysis scale; ``scale`` is ``z`` or ``beta``.

    Raises
    ------
    ValueError
        Where pools of different metrics would share one axis.
    """
    several: list[Pool] = [pools] if not isinstance(pools, Sequence) else list(pools)
    names = [titles] if isinstance(titles, str) else list(titles)
    names = names or ([title] if title else [pool.key for pool in several])
    if len({pool.es_metric for pool in several}) != 1:
        raise ValueError("a forest plot has one axis: draw pools of z and of beta apart")
    rows: list[dict[str, Any]] = []
    for pool, name in zip(several, names, strict=True):
        if len(several) > 1:
            rows.append({"kind": "head", "label": _head(pool, name)} | _common(pool, name, level))
        own = _pool_rows(pool, level, grouped=len(several) > 1)
        rows += [row | _common(pool, name, level) for row in own]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["row"] = range(len(frame))
    frame["full_label"] = frame["full_label"].fillna(frame["label"])
    return frame


def _common(pool: Pool, name: str, level: float) -> dict[str, Any]:
    return {"group": name, "scale": pool.es_metric, "level": level}


def _head(pool: Pool, name: str) -> str:
    studies = "1 study" if pool.counts.studies == 1 else f"{pool.counts.studies} studies"
    effects = "1 effect" if pool.counts.effects == 1 else f"{pool.counts.effects} effects"
    return f"{name} ({studies}, {effects})"


def _pool_rows(pool: Pool, level: float, *, grouped: bool) -> list[dict[str, Any]]:
    if pool.fit is None:
        note = {"kind": "note", "label": pool.not_pooled.capitalize()}
        return [*_unpooled(pool, level), note]
    labels = study_labels(pool)
    ranked = pool.studies.sort_values(["estimate", "study"], kind="stable")
    rows = [_study(study, labels, level) for study in ranked.to_dict(orient="records")]
    rows += _pooled(pool)
    if grouped:
        rows.append({"kind": "note", "label": heterogeneity(pool)})
    return rows


def _study(study: dict[str, Any], labels: dict[object, str], level: float) -> dict[str, Any]:
    half = normal_quantile(level) * study["effect_se"] if study["k_effects"] > 1 else math.nan
    copied = ("k_effects", "ni", "estimate", "conf_low", "conf_high", "weight")
    return {
        "kind": "study",
        "label": labels[study["study"]],
        "full_label": f"{labels[study['study']]} [{study['study']}]",
        "effect_low": study["estimate"] - half,
        "effect_high": study["estimate"] + half,
        **{name: study[name] for name in copied},
    }


def _unpooled(pool: Pool, level: float) -> list[dict[str, Any]]:
    """Effects of a pool without a fit, each with its own interval and no weight."""
    labels = study_labels(pool)
    frame = pool.effects.usable.sort_values(["yi", "study"], kind="stable")
    half = normal_quantile(level) * np.sqrt(frame["vi"].astype(float))
    return [
        {
            "kind": "study",
            "label": labels[row["study"]],
            "full_label": f"{labels[row['study']]}, effect {row['effect']}",
            "k_effects": 1,
            "ni": row["ni"],
            "estimate": row["yi"],
            "conf_low": row["yi"] - row["half"],
            "conf_high": row["yi"] + row["half"],
        }
        for row in frame.assign(half=half).to_dict(orient="records")
    ]


def _pooled(pool: Pool) -> list[dict[str, Any]]:
    mean = pool.predict.iloc[0]
    rows: list[dict[str, Any]] = [
        {
            "kind": "mean",
            "label": "Pooled mean (imprecise)" if pool.imprecise else "Pooled mean",
            "k_effects": pool.counts.effects,
            "ni": pool.counts.patients,
            "estimate": mean["estimate"],
            "conf_low": mean["conf_low"],
            "conf_high": mean["conf_high"],
            "weight": 100.0,
        }
    ]
    if math.isfinite(mean["pi_low"]) and math.isfinite(mean["pi_high"]):
        rows.append(
            {
                "kind": "prediction",
                "label": f"prediction interval, {TARGET}",
                "estimate": mean["estimate"],
                "conf_low": mean["pi_low"],
                "conf_high": mean["pi_high"],
            }
        )
    return rows


def heterogeneity(pool: Pool) -> str:
    """τ by level, I² and Q of a fitted pool in one line."""
    parts = []
    names = {"study": "between", "study/effect": "within"}
    for row in pool.components.to_dict(orient="records"):
        if row["name"] in ("tau2", "sigma2"):
            level = names.get(str(row["term"]), "")
            parts.append(f"τ {level}".strip() + f" = {printed(math.sqrt(row['estimate']))}")
    glance = pool.glance.iloc[0]
    parts.append(f"I² = {glance['i2']:.0f}%")
    parts.append(f"Q({glance['q_df']:.0f}) = {glance['q']:.1f}")
    return ", ".join(parts)


def normal_quantile(level: float) -> float:
    """Half-width of a normal interval in standard errors.

    Examples
    --------
    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    return NormalDist().inv_cdf(0.5 + level / 2)


def study_labels(pool: Pool) -> dict[object, str]:
    """Names of the studies of a pool: citations where the table has them, told apart if equal."""
    frame = pool.effects.usable
    if "citation" not in frame:
        return {study: str(study) for study in frame["study"]}
    cited = frame.groupby("study", sort=False)["citation"].first()
    labels = {
        study: str(study) if pd.isna(name) or not str(name).strip() else str(name)
        for study, name in cited.items()
    }
    counts = Counter(labels.values())
    seen: Counter[str] = Counter()
    for study, name in labels.items():
        if counts[name] > 1:
            labels[study] = _told_apart(name, study, seen[name], counts[name])
            seen[name] += 1
    return labels


def _told_apart(name: str, study: object, number: int, of: int) -> str:
    """``Truax (1971b)``; the study's id in brackets where there is no year or no letter left."""
    year = YEAR.search(name)
    if year is None or of > len(ascii_lowercase):
        return f"{name} [{study}]"
    return f"{name[: year.end(1)]}{ascii_lowercase[number]}{name[year.end(1) :]}"
