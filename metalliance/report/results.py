"""results.json: every number of a report, by a published schema."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from metalliance.report.answers import answers_as_values, records
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["SCHEMA", "plain", "results"]

SCHEMA = "metalliance-results/1"
DIGITS = 12


def results(analysis: Analysis) -> dict[str, Any]:
    """Lay out an analysis as plain JSON values.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    dict
        Conforms to the shipped ``results.schema.json``. Numbers have 12 significant digits;
        what is absent is None.
    """
    values: dict[str, Any] = plain(
        {
            "schema": SCHEMA,
            "software": analysis.manifest["software"],
            "input": analysis.manifest["input"],
            "plan": analysis.manifest["plan"],
            "seed": analysis.manifest["seed"],
            "simulated": analysis.review.about.get("data") == "simulated",
            "defaults_used": [
                {"name": d.name, "value": d.value, "why": d.why} for d in analysis.defaults_used
            ],
            "models": [_model(pool) for pool in analysis.pools],
            "questions": {
                "pools": {pool.key: _answer(pool) for pool in analysis.main},
                "sophistication": [
                    {
                        "pool": s.pool,
                        "not_reported": s.not_reported,
                        "centre": s.centre,
                        "slopes": records(s.slopes),
                        "withheld": s.withheld,
                    }
                    for s in analysis.sophistication
                ],
                **answers_as_values(analysis.answers),
                "sophistication_by_pool": {
                    key: {name: records(table) for name, table in found.tables.items()}
                    for key, found in analysis.sophistication_by_pool.items()
                },
                "moderators": records(analysis.moderators),
                "sensitivity": records(analysis.sensitivity),
                "leave_one_out": {
                    key: records(table) for key, table in analysis.leave_one_out.items()
                },
            },
            "counts": {
                name: getattr(analysis.counts, name)
                for name in ("read", "waiting", "sign_unclear", "not_pooled", "converted")
            },
            "effects": [
                record | {"pool": pool.key}
                for pool in analysis.pools
                for record in records(pool.effects.usable)
            ],
            "excluded": records(analysis.excluded),
            "warnings": list(analysis.warnings),
        }
    )
    return values


def _model(pool: Pool) -> dict[str, Any]:
    return {
        "id": pool.key,
        "component": pool.component,
        "estimand": pool.estimand,
        "path": pool.path,
        "es_metric": pool.es_metric,
        "role": pool.role,
        "call": None if pool.fit is None else dict(pool.fit.call),
        "not_pooled": pool.not_pooled,
        "imprecise": pool.imprecise,
        "counts": {
            name: getattr(pool.counts, name)
            for name in ("studies", "clusters", "effects", "patients")
        },
        "glance": next(iter(records(pool.glance)), None),
        "tidy": records(pool.tidy),
        "components": records(pool.components),
        "predict": next(iter(records(pool.predict)), None),
        "predict_r": next(iter(records(pool.predict_r)), None),
    }


def _answer(pool: Pool) -> dict[str, Any] | None:
    return next(iter(records(pool.predict_r)), None)


def plain(value: Any) -> Any:
    """JSON values: numbers with 12 significant digits, None for what is absent."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    return str(value)
