"""Effects that mean different things have no common mean: which rows ``fit`` takes together."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metalliance.cli.asked import Asked
from metalliance.errors import SpecificationError
from metalliance.models.formula import parse_formula

__all__ = ["counted", "refuse_mixture"]

POOL = ("component", "estimand", "path", "es_metric")
AT_MOST = 12


def counted(column: pd.Series) -> str:
    """``total (470), within (20)``: the values of a column, the most frequent first."""
    counts = column.value_counts()
    text = ", ".join(f"{value} ({n})" for value, n in counts.head(AT_MOST).items())
    return text + (f" and {len(counts) - AT_MOST} other values" if len(counts) > AT_MOST else "")


def refuse_mixture(frame: pd.DataFrame, asked: Asked) -> None:
    """Raise unless the rows of an effect table are one pool, or moderators keep the pools apart."""
    metrics = frame["es_metric"].unique().tolist()
    if asked.yi == "yi" and len(metrics) > 1:
        raise SpecificationError(
            f"these effects are on different scales, es_metric {counted(frame['es_metric'])}; "
            f"take one, for example --where es_metric={metrics[0]}"
        )
    _refuse_dropout(frame, asked)
    parts = [name for name in POOL if frame[name].nunique() > 1]
    if not parts:
        return
    named = [name for name in parse_formula(asked.mods).columns if name in parts]
    pools = frame.groupby(parts, sort=False).size()
    if named and len(frame.groupby(named)) == len(pools):
        return
    found = "; ".join(f"{_pool(parts, key)} ({n})" for key, n in pools.items())
    first = pools.index[0]
    mend = " ".join(
        f'--where "{part}={value}"' for part, value in zip(parts, _key(first), strict=True)
    )
    apart = next((name for name in parts if frame[name].nunique() == len(pools)), "")
    raise SpecificationError(
        f"the {len(frame)} effects belong to {len(pools)} pools that mean different things: "
        f"{found}. Take one, for example {mend}"
        + (f', or keep them apart: --mods "~ 0 + {apart}"' if apart else "")
    )


def _refuse_dropout(frame: pd.DataFrame, asked: Asked) -> None:
    """Whether patients stay is an outcome of its own."""
    from metalliance.workflow.pools import DROPOUT_FORMS

    if "outcome_form" not in frame.columns or "outcome_form" in parse_formula(asked.mods).columns:
        return
    dropout = frame["outcome_form"].isin(DROPOUT_FORMS)
    if dropout.any() and not dropout.all():
        form = frame["outcome_form"][dropout].iloc[0]
        raise SpecificationError(
            f"in {int(dropout.sum())} of the {len(frame)} effects the outcome is dropout, which is "
            f'a pool of its own; leave them out with --where "outcome_form!={form}", or take them '
            f'alone with --where "outcome_form={form}"'
        )


def _pool(parts: Sequence[str], key: object) -> str:
    words = [value for value in _key(key) if value != "NA"]
    return " ".join(words) or "NA"


def _key(key: object) -> tuple[str, ...]:
    return tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)
