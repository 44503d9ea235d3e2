"""The questions across pools as plain values for results.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import pandas as pd

from metalliance.traitstate.joint import Joint
from metalliance.traitstate.reciprocal import Reciprocal
from metalliance.traitstate.synthesis import Synthesis
from metalliance.traitstate.trait_state import TraitState
from metalliance.workflow.answers import Answer, Answers

__all__ = ["answers_as_values", "records"]

Result = TypeVar("Result")


def answers_as_values(answers: Answers) -> dict[str, Any]:
    """trait_state, reciprocal, synthesis, chances, slopes and smallest as dicts and lists."""
    return {
        "trait_state": {
            "estimand": answers.estimand,
            **{
                between: _answer(answer, _trait_state)
                for between, answer in answers.trait_state.items()
            },
        },
        "reciprocal": _answer(answers.reciprocal, _both),
        "synthesis": _answer(answers.synthesis, _synthesis) | {"line": records(answers.line)},
        "chances": [{"pool": key, **asdict(found)} for key, found in answers.chances.items()],
        "slopes": [{"pool": key, **asdict(found)} for key, found in answers.slopes.items()],
        "smallest": [{"pool": key, **asdict(found)} for key, found in answers.smallest.items()],
    }


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dicts."""
    return [
        {str(name): value for name, value in row.items()} for row in frame.to_dict(orient="records")
    ]


def _answer(answer: Answer[Result], laid_out: Callable[[Result], dict[str, Any]]) -> dict[str, Any]:
    values = {} if answer.result is None else laid_out(answer.result)
    return {"withheld": answer.withheld, **values}


def _both(result: TraitState | Reciprocal) -> dict[str, Any]:
    paired = None if result.paired is None else _joint(result.paired)
    return {"joint": _joint(result.joint), "paired": paired}


def _trait_state(result: TraitState) -> dict[str, Any]:
    return {**_both(result), "slope_ratio": records(result.slope_ratio)}


def _joint(joint: Joint) -> dict[str, Any]:
    return {
        "table": records(joint.table),
        "table_r": records(joint.table_r),
        "counts": records(joint.counts),
        "both": joint.both,
        "structure": joint.structure,
        "correlation": joint.correlation,
        "grid": records(joint.grid),
        "gap": None if joint.gap is None else asdict(joint.gap),
    }


def _synthesis(result: Synthesis) -> dict[str, Any]:
    tables = ("table", "propagation", "icc_grid", "lagged_grid", "consistency", "left_out")
    return {
        **{name: records(getattr(result, name)) for name in tables},
        "design": asdict(result.design),
        "effects": len(result.rows),
    }
