"""What an analysis holds: frozen results that plots and reports read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from metalliance.coding.review import Review
from metalliance.effectsize.table import EffectTable
from metalliance.traitstate.sophistication import SophisticationResult
from metalliance.traitstate.sophistication_analysis import SophisticationAnalysis
from metalliance.workflow.plan import Plan

if TYPE_CHECKING:
    from metalliance.models.inference import Inference
    from metalliance.models.result import Fit
    from metalliance.workflow.answers import Answers

__all__ = ["Analysis", "Counts", "Default", "Pool", "PoolCounts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """A choice that touched a number and that nobody made explicitly."""

    name: str
    value: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many rows wait, are unclear, are not pooled, were converted.

    Attributes
    ----------
    read : int
        Effect rows read.
    waiting : int
        Rows not yet fully coded.
    sign_unclear : int
        Rows whose direction is not known.
    not_pooled : int
        Rows read that enter no main pool, the two above included.
    converted : int
        Rows in a main pool whose quality is not ``direct``.
    """

    read: int
    waiting: int
    sign_unclear: int
    not_pooled: int
    converted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCounts:
    """Size of a pool: studies, independent clusters, effects, and patients.

    ``patients`` counts each cluster once, by its largest n; NaN where no n is known.
    """

    studies: int
    clusters: int
    effects: int
    patients: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Effects of one component, estimand, direction and metric, pooled.

    Attributes
    ----------
    key : str
        Unique in the analysis and stable: ``total``, ``within.lagged_partial`` …
    component, estimand, path, es_metric, role : str
        What the pool holds.
    effects : EffectTable
        Its rows.
    counts : PoolCounts
    fit, inference : Fit, Inference or None
        None where the rows are too few to pool.
    not_pooled : str
        Why there is no fit; empty where there is one.
    tidy, glance, components : DataFrame
        The verbs' tables, empty without a fit.
    predict, predict_r : DataFrame
        Pooled mean with confidence and prediction limits on the analysis scale, and on r (the
        same for ``es_metric`` beta). Prediction limits are NaN where fewer than five clusters
        inform the mean.
    studies : DataFrame
        One row per study: mean, interval, weight.
    imprecise : bool
        Satterthwaite df below 4: no p-value and no comparison is shown.
    warnings : tuple of str
    """

    key: str
    component: str
    estimand: str
    path: str
    es_metric: str
    role: str
    effects: EffectTable
    counts: PoolCounts
    fit: Fit | None
    inference: Inference | None
    not_pooled: str
    tidy: pd.DataFrame
    glance: pd.DataFrame
    components: pd.DataFrame
    predict: pd.DataFrame
    predict_r: pd.DataFrame
    studies: pd.DataFrame
    imprecise: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything a report needs, and nothing that it would have to compute.

    Attributes
    ----------
    review : Review
    plan : Plan
    pools : tuple of Pool
        Main pools first, in reading order; then those of role ``sensitivity``.
    sophistication : tuple of SophisticationResult
        Meta-regressions on the sophistication index, by pool key and treatment of NR.
    sophistication_by_pool : Mapping of str to SophisticationAnalysis
        By pool key: index, items, joint model, and what the slope of the index rests on.
    moderators : DataFrame
        One regression per moderator of the plan and pool: ``pool``, then ``MODERATOR_COLUMNS``.
    sensitivity : DataFrame
        One row per check: pool, check, setting, k_effects, estimate, conf_low, conf_high (on r;
        on the coefficient for beta), note.
    leave_one_out : Mapping
        By pool key: omitted, estimate, conf_low, conf_high on the same scale.
    counts : Counts
    excluded : DataFrame
        Every row that is in no main pool: study, sample, effect, reason, address.
    defaults_used : tuple of Default
    warnings : tuple of str
    answers : Answers
        What was asked of several pools together.
    manifest : Mapping
        Input name and sha256, versions, plan, seed.
    """

    review: Review
    plan: Plan
    pools: tuple[Pool, ...]
    sophistication: tuple[SophisticationResult, ...]
    sophistication_by_pool: Mapping[str, SophisticationAnalysis]
    moderators: pd.DataFrame
    sensitivity: pd.DataFrame
    leave_one_out: Mapping[str, pd.DataFrame]
    counts: Counts
    excluded: pd.DataFrame
    defaults_used: tuple[Default, ...]
    warnings: tuple[str, ...]
    answers: Answers
    manifest: Mapping[str, object]

    def pool(self, key: str) -> Pool:
        """The pool with that key."""
        for pool in self.pools:
            if pool.key == key:
                return pool
        raise KeyError(f"no pool {key!r}; there are: {', '.join(p.key for p in self.pools)}")

    @property
    def main(self) -> tuple[Pool, ...]:
        """Pools of role ``main``."""
        return tuple(pool for pool in self.pools if pool.role == "main")
