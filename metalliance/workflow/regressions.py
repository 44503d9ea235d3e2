"""The regressions that an analysis makes within each pool."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metalliance.coding.sophistication import items_of_index
from metalliance.traitstate.moderators import MODERATOR_COLUMNS, moderators
from metalliance.traitstate.sophistication import INDEX
from metalliance.traitstate.sophistication_analysis import SophisticationAnalysis, sophistication
from metalliance.workflow.analysis import Pool
from metalliance.workflow.plan import Plan

__all__ = ["moderators_of", "sophistication_of"]


def sophistication_of(pools: Sequence[Pool], plan: Plan) -> tuple[SophisticationAnalysis, ...]:
    """Regressions on the sophistication index and its items, pool by pool."""
    planned = [name for name, status in plan.moderators.items() if status == "planned"]
    return tuple(
        sophistication(
            pool.effects,
            pool=pool.key,
            planned=planned,
            rho=plan.rho,
            method=plan.method,
            level=plan.level,
        )
        for pool in pools
    )


def moderators_of(pools: Sequence[Pool], plan: Plan) -> pd.DataFrame:
    """Regressions on each moderator of the plan, pool by pool.

    The sophistication index and its items have tables of their own.
    """
    tables = []
    for pool in pools:
        own = {*INDEX.values(), *items_of_index(pool.estimand)}
        names = {name: status for name, status in plan.moderators.items() if name not in own}
        if names:
            found = moderators(
                pool.effects, names, rho=plan.rho, method=plan.method, level=plan.level
            )
            tables.append(found.assign(pool=pool.key))
    columns = ["pool", *MODERATOR_COLUMNS]
    return (
        pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
    )
