"""Review and plan in, analysis out."""

from __future__ import annotations

import platform
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version

import numpy as np
import pandas as pd

from metalliance.coding.review import Review
from metalliance.effectsize.table import EXCLUDED_COLUMNS, EffectTable
from metalliance.errors import MetallianceWarning
from metalliance.sensitivity.multiverse import as_claimed, never_narrower, rho_grid, subsets
from metalliance.sensitivity.refits import leave_one_out
from metalliance.workflow.analysis import Analysis, Counts, Pool
from metalliance.workflow.answers import answer_questions
from metalliance.workflow.defaults import defaults_used
from metalliance.workflow.plan import Plan
from metalliance.workflow.plan_sheet import plan_of
from metalliance.workflow.pools import NEVER_POOLED, pool_rows, split_pools
from metalliance.workflow.regressions import moderators_of, sophistication_of

__all__ = ["analyse", "software"]

LIBRARIES = ("metalliance", "numpy", "scipy", "pandas", "formulaic")


def analyse(
    review: Review, plan: Plan | None = None, progress: Callable[[str], None] | None = None
) -> Analysis:
    """Carry out the plan on a review.

    Parameters
    ----------
    review : Review
        From `read_review`.
    plan : Plan, optional
        Together with sheet PLAN of the workbook, which it may not contradict; the default plan
        where there is neither.
    progress : callable, optional
        Told the name of each step as it begins.

    Returns
    -------
    Analysis
    """
    with warnings.catch_warnings():
        # Each pool records its own warnings; those of its refits would only repeat them.
        warnings.simplefilter("ignore", MetallianceWarning)
        return _carry_out(review, plan_of(review, plan), progress or (lambda step: None))


def _carry_out(review: Review, plan: Plan, tell: Callable[[str], None]) -> Analysis:
    tell("effect sizes")
    effects = without_planned(review.effects(), plan)
    second = without_planned(review.effects(role="sensitivity"), plan)
    pools = []
    for key, rows in split_pools(effects):
        tell(f"pooling {key}")
        pools.append(pool_rows(key, rows, plan))
    for key, rows in split_pools(second):
        tell(f"pooling {key} (role sensitivity)")
        pools.append(pool_rows(f"{key}.sensitivity", rows, plan, role="sensitivity"))
    fitted = [pool for pool in pools if pool.role == "main" and pool.fit is not None]
    tell("sophistication")
    sophistication = sophistication_of(fitted, plan)
    tell("moderators")
    moderators = moderators_of(fitted, plan)
    tell("trait and state")
    answers = answer_questions(effects, pools, plan)
    tell("sensitivity")
    excluded = _not_in_a_main_pool(effects, pools)
    return Analysis(
        review=review,
        plan=plan,
        pools=tuple(pools),
        sophistication=tuple(one for found in sophistication for one in found.regressions),
        sophistication_by_pool={found.pool: found for found in sophistication},
        moderators=moderators,
        sensitivity=_sensitivity(effects, pools, fitted, plan),
        leave_one_out={pool.key: _leave_one_out(pool, plan.level) for pool in fitted},
        counts=_counts(effects, excluded, pools),
        excluded=excluded,
        defaults_used=defaults_used(review, plan, pools, answers),
        warnings=tuple(dict.fromkeys(text for pool in pools for text in pool.warnings)),
        answers=answers,
        manifest=_manifest(review, plan),
    )


def without_planned(effects: EffectTable, plan: Plan) -> EffectTable:
    """Move the rows that the plan leaves out to the excluded ones."""
    if not plan.exclude:
        return effects
    frame = effects.usable
    study = frame["study"].astype(str)
    named = study.isin(plan.exclude) | (study + "/" + frame["effect"].astype(str)).isin(
        plan.exclude
    )
    left_out = frame[named].assign(reason="left out by the plan")
    columns = [name for name in effects.unusable.columns if name in left_out]
    return EffectTable.build(
        frame[~named],
        pd.concat([effects.unusable, left_out[columns]], ignore_index=True),
        effects.moderators,
        effects.correlations,
    )


def _sensitivity(
    effects: EffectTable, pools: list[Pool], fitted: list[Pool], plan: Plan
) -> pd.DataFrame:
    tables = []
    for pool in fitted:
        for table in (
            rho_grid(pool.effects, plan.rho_grid, method=plan.method, level=plan.level),
            never_narrower(pool.effects, method=plan.method, level=plan.level),
            subsets(pool.effects, rho=plan.rho, method=plan.method, level=plan.level),
            as_claimed(effects, pool.effects, rho=plan.rho, method=plan.method, level=plan.level),
        ):
            if len(table):
                tables.append(table.assign(pool=pool.key))
    for pool in pools:
        if pool.role == "sensitivity" and pool.fit is not None:
            mean = pool.predict_r.iloc[0]
            row = {
                "pool": pool.key.removesuffix(".sensitivity"),
                "check": "other rows",
                "setting": "effects of role sensitivity instead",
                "k_effects": pool.counts.effects,
                "k_studies": pool.counts.studies,
                "estimate": mean["estimate"],
                "conf_low": mean["conf_low"],
                "conf_high": mean["conf_high"],
                "note": "",
            }
            tables.append(pd.DataFrame([row]))
    columns = ["pool", "check", "setting", "k_effects", "k_studies"]
    columns += ["estimate", "conf_low", "conf_high", "note"]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True)[columns]


def _leave_one_out(pool: Pool, level: float) -> pd.DataFrame:
    if pool.fit is None or pool.counts.clusters < 3:
        return pd.DataFrame(columns=["omitted", "estimate", "std_error", "tau2", "i2", "q"])
    table = leave_one_out(pool.fit).table
    if pool.es_metric == "z":
        shown = [c for c in ("estimate", "conf_low", "conf_high") if c in table]
        table = table.assign(**{name: np.tanh(table[name]) for name in shown})
    return table


def _not_in_a_main_pool(effects: EffectTable, pools: list[Pool]) -> pd.DataFrame:
    frame = effects.usable
    never = frame[frame["component"].isin(NEVER_POOLED)]
    parts = [never.assign(reason=never["component"].map(NEVER_POOLED))]
    parts += [
        pool.effects.usable.assign(reason=f"not pooled: {pool.not_pooled}")
        for pool in pools
        if pool.role == "main" and pool.fit is None
    ]
    alone = pd.concat(parts, ignore_index=True).assign(status="not pooled")
    both = pd.concat([effects.unusable, alone], ignore_index=True)
    return both.reindex(columns=[*EXCLUDED_COLUMNS, "status"])


def _counts(effects: EffectTable, excluded: pd.DataFrame, pools: list[Pool]) -> Counts:
    main = [pool for pool in pools if pool.role == "main" and pool.fit is not None]
    return Counts(
        read=len(effects.usable) + len(effects.unusable),
        waiting=int(excluded["status"].eq("waiting").sum()),
        sign_unclear=int(excluded["status"].eq("sign unclear").sum()),
        not_pooled=len(excluded),
        converted=sum(int(pool.effects.usable["quality"].ne("direct").sum()) for pool in main),
    )


def _manifest(review: Review, plan: Plan) -> Mapping[str, object]:
    return {
        "input": {"name": review.path.name, "sha256": review.sha256},
        "software": software(),
        "plan": plan.model_dump(mode="json"),
        "seed": plan.seed,
    }


def software() -> dict[str, str]:
    """Versions of everything that touches a number."""
    return {
        **{name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
    }
