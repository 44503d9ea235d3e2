"""The questions across pools: trait against state, forward against reverse, what totals imply."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.errors import (
    ConvergenceError,
    MetallianceWarning,
    SpecificationError,
    UnidentifiedError,
)
from metalliance.models.tidy import tidy
from metalliance.traitstate.chance import Chance, chance_above
from metalliance.traitstate.reciprocal import Reciprocal, reciprocal
from metalliance.traitstate.slope_spread import SlopeSpread, slope_spread
from metalliance.traitstate.smallest import SmallestEffect, smallest_effect
from metalliance.traitstate.synthesis import Synthesis, trait_state_synthesis
from metalliance.traitstate.trait_state import BETWEEN_COMPONENTS, TraitState, trait_state
from metalliance.workflow.analysis import Pool
from metalliance.workflow.plan import Plan

__all__ = ["IMPUTATIONS", "Answer", "Answers", "answer_questions"]

Result = TypeVar("Result")
IMPUTATIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[Result]):
    """A result, or the reason that there is none."""

    result: Result | None
    withheld: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was asked of several pools together.

    Attributes
    ----------
    estimand : str
        Of the within effects that trait is compared with: the plan's state-like estimand, or
        concurrent_r where that is a partial coefficient.
    trait_state : Mapping of str to Answer
        By between component.
    reciprocal : Answer
    synthesis : Answer
    line : DataFrame
        Compatible pairs (rho_between, rho_within) where the synthesis is not identified.
    chances : Mapping of str to Chance
        Probability of a positive effect in a new study, by key of the state-like pools.
    smallest : Mapping of str to SmallestEffect
        By key of the pools for which the plan has a smallest effect of interest.
    slopes : Mapping of str to SlopeSpread
        How much the slope differs between patients, by key of the pools that report it.
    """

    estimand: str
    trait_state: Mapping[str, Answer[TraitState]]
    reciprocal: Answer[Reciprocal]
    synthesis: Answer[Synthesis]
    line: pd.DataFrame
    chances: Mapping[str, Chance]
    smallest: Mapping[str, SmallestEffect]
    slopes: Mapping[str, SlopeSpread]


def answer_questions(effects: EffectTable, pools: Sequence[Pool], plan: Plan) -> Answers:
    """Ask every question of the effects of role main; each is answered, or withheld by name."""
    state = plan.state if plan.state != "lagged_partial" else "concurrent_r"
    present = set(effects.usable["component"])
    method = plan.method if plan.method in ("REML", "ML") else "REML"

    def compared(between: str) -> TraitState:
        return trait_state(
            effects,
            state,
            between,
            sampling_rho=plan.rho,
            icc_x=plan.icc_x,
            icc_y=plan.icc_y,
            method=method,
            level=plan.level,
        )

    def both_ways() -> Reciprocal:
        return reciprocal(effects, sampling_rho=plan.rho, method=method, level=plan.level)

    def implied() -> Synthesis:
        return trait_state_synthesis(
            effects,
            plan.icc_x,
            plan.icc_y,
            IMPUTATIONS,
            plan.seed,
            sampling_rho=plan.rho,
            method=method,
            level=plan.level,
        )

    synthesis, line = _asked_with_line(implied)
    fitted = [pool for pool in pools if pool.role == "main" and pool.inference is not None]
    return Answers(
        estimand=state,
        trait_state={
            between: _asked(partial(compared, between))
            for between in BETWEEN_COMPONENTS
            if between in present
        },
        reciprocal=_asked(both_ways),
        synthesis=synthesis,
        line=line,
        chances={
            pool.key: chance_above(pool.inference, level=plan.level)
            for pool in fitted
            if pool.component == "within" and pool.inference is not None and not pool.imprecise
        },
        smallest={
            pool.key: tested for pool in fitted if (tested := _smallest(pool, plan)) is not None
        },
        slopes={
            pool.key: found
            for pool in fitted
            if pool.component == "within"
            and (found := slope_spread(pool.effects, _mean_of(pool), plan.level)) is not None
        },
    )


def _asked(question: Callable[[], Result]) -> Answer[Result]:
    return _asked_with_line(question)[0]


def _asked_with_line(question: Callable[[], Result]) -> tuple[Answer[Result], pd.DataFrame]:
    nothing = pd.DataFrame(columns=["rho_between", "rho_within"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetallianceWarning)
        try:
            return Answer(result=question()), nothing
        except UnidentifiedError as error:
            return Answer(result=None, withheld=str(error)), error.line
        except (SpecificationError, ConvergenceError) as error:
            return Answer(result=None, withheld=str(error)), nothing


def _mean_of(pool: Pool) -> float:
    return float(pool.predict_r["estimate"].iloc[0])


def _smallest(pool: Pool, plan: Plan) -> SmallestEffect | None:
    """The tests against the plan's smallest effect, on the scale of the analysis."""
    on_r = pool.es_metric == "z"
    smallest = plan.smallest_r if on_r else plan.smallest_beta
    if smallest is None or pool.inference is None:
        return None
    mean = tidy(pool.inference).iloc[0]
    return smallest_effect(
        float(mean["estimate"]),
        float(mean["std_error"]),
        float(mean["df"]) if math.isfinite(mean["df"]) else math.inf,
        math.atanh(smallest) if on_r else smallest,
    )
