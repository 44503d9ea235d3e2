"""Which rows are pooled together, and one pool's results."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

from metalliance.effectsize.paths import REVERSE
from metalliance.effectsize.table import EffectTable
from metalliance.errors import ConvergenceError, MetallianceWarning, SpecificationError
from metalliance.models.inference import Inference
from metalliance.models.predict import predict
from metalliance.models.studies import study_means
from metalliance.models.tidy import components, glance, tidy
from metalliance.traitstate.pooling import is_dependent, pool_effects
from metalliance.traitstate.rows import DROPOUT_FORMS
from metalliance.workflow.analysis import Pool, PoolCounts
from metalliance.workflow.plan import Plan

__all__ = ["DROPOUT_FORMS", "pool_counts", "pool_key", "pool_rows", "split_pools"]

READING_ORDER = (
    "total",
    "between_observed",
    "between_latent",
    "within",
    "between_change",
    "between_therapist",
    "within_therapist",
)
ESTIMANDS = ("NA", "concurrent_r", "lagged_r", "lagged_partial")
NEVER_POOLED = {
    "blended": "a slope of uncentred alliance mixes both components",
    "contextual": "a contextual coefficient is a difference of slopes, not an association",
}
TABLES = ("tidy", "glance", "components", "predict", "predict_r", "studies")
LEAST_DF = 4
LEAST_DEPENDENT_CLUSTERS = 3


def pool_key(component: str, estimand: str, path: str, es_metric: str, dropout: bool) -> str:
    """Stable name of a pool: component, then whatever sets it apart.

    Examples
    --------
    >>> pool_key("within", "lagged_partial", "outcome→alliance", "beta", False)
    'within.lagged_partial.reverse'
    """
    parts = [component]
    if estimand != "NA":
        parts.append(estimand)
    if path == REVERSE:
        parts.append("reverse")
    if dropout:
        parts.append("dropout")
    if (es_metric == "beta") != (estimand == "lagged_partial"):
        parts.append(es_metric)
    return ".".join(parts)


def split_pools(effects: EffectTable) -> Iterator[tuple[str, EffectTable]]:
    """Pools of an effect table in reading order: component × estimand × direction × metric.

    Dropout is a family of its own; blended and contextual rows never form a pool.
    """
    frame = effects.usable
    if not len(frame):
        return
    form = frame["outcome_form"] if "outcome_form" in frame else pd.Series("", index=frame.index)
    dropout = form.isin(DROPOUT_FORMS)
    keys = [
        pool_key(c, e, p, m, d)
        for c, e, p, m, d in zip(
            frame["component"],
            frame["estimand"],
            frame["path"],
            frame["es_metric"],
            dropout,
            strict=True,
        )
    ]
    named = pd.Series(keys, index=frame.index)
    first = frame.groupby(named, sort=False)[["component", "estimand"]].first()
    order = sorted(
        (key for key in first.index if first.loc[key, "component"] not in NEVER_POOLED),
        key=lambda key: (
            READING_ORDER.index(first.loc[key, "component"]),
            ESTIMANDS.index(first.loc[key, "estimand"]),
            key,
        ),
    )
    for key in order:
        yield key, effects.where(named == key)


def pool_rows(key: str, effects: EffectTable, plan: Plan, *, role: str = "main") -> Pool:
    """Fit the working model to one pool and collect its tables."""
    first = effects.usable.iloc[0]
    inference, caught, reason = _try_to_pool(effects, plan)
    empty = pd.DataFrame()
    tables: dict[str, pd.DataFrame] = dict.fromkeys(
        ("tidy", "glance", "components", "predict", "predict_r", "studies"), empty
    )
    if inference is not None:
        level = plan.level
        r_scale = "r" if first["es_metric"] == "z" else None
        tables = {
            "tidy": tidy(inference, level=level),
            "glance": glance(inference),
            "components": components(inference.fit),
            "predict": predict(inference, level=level),
            "predict_r": predict(inference, transform=r_scale, level=level),
            "studies": study_means(inference, level=level),
        }
        if _informing_clusters(effects) < plan.minimum_clusters_prediction:
            for name in ("predict", "predict_r"):
                tables[name] = tables[name].assign(pi_low=np.nan, pi_high=np.nan)
    return Pool(
        key=key,
        component=str(first["component"]),
        estimand=str(first["estimand"]),
        path=str(first["path"]),
        es_metric=str(first["es_metric"]),
        role=role,
        effects=effects,
        counts=pool_counts(effects),
        fit=None if inference is None else inference.fit,
        inference=inference,
        not_pooled=reason,
        imprecise=inference is not None and bool((tables["tidy"]["df"] < LEAST_DF).any()),
        warnings=(*_shared_samples(effects), *caught),
        **tables,
    )


def pool_counts(effects: EffectTable) -> PoolCounts:
    """Studies, clusters, effects and patients of a pool."""
    frame = effects.usable
    clusters = effects.clusters()
    per_sample = frame.assign(_cluster=clusters).groupby(["_cluster", "sample"])["ni"].max()
    return PoolCounts(
        studies=int(frame["study"].nunique()),
        clusters=len(np.unique(clusters)),
        effects=len(frame),
        patients=float(per_sample.sum(min_count=len(per_sample))),
    )


def _shared_samples(effects: EffectTable) -> tuple[str, ...]:
    """One sentence per cluster that joins several studies."""
    frame = effects.usable.assign(_cluster=effects.clusters())
    joined = frame.groupby("_cluster")["study"].unique()
    return tuple(
        f"{' and '.join(map(str, studies))} share a sample and count as one cluster"
        for studies in joined
        if len(studies) > 1
    )


def _informing_clusters(effects: EffectTable) -> int:
    return len(np.unique(effects.clusters()))


def _try_to_pool(effects: EffectTable, plan: Plan) -> tuple[Inference | None, tuple[str, ...], str]:
    with python_warnings.catch_warnings(record=True) as caught:
        python_warnings.simplefilter("always", MetallianceWarning)
        try:
            clusters = _informing_clusters(effects)
            if clusters < 2:
                return None, (), "one independent study"
            if clusters < LEAST_DEPENDENT_CLUSTERS and is_dependent(effects):
                return None, (), "two independent studies with several effects"
            inference = pool_effects(effects, rho=plan.rho, method=plan.method)
        except (SpecificationError, ConvergenceError) as error:
            return None, (), str(error)
    return inference, tuple(str(warning.message) for warning in caught), ""
