"""The answer of ``fit`` as JSON, and the file it may be written to."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from metalliance.cli.answer import Answer
from metalliance.cli.say import SCHEMA
from metalliance.coding.files import write_whole
from metalliance.errors import OutputError
from metalliance.report.results import plain

__all__ = ["fit_results", "write_results"]


def fit_results(found: Answer) -> dict[str, Any]:
    """Every table of a fit as plain JSON values; what is absent is None."""
    inference, rows = found.inference, found.rows
    permutation = found.permutation
    result: dict[str, Any] = plain(
        {
            "file": {"path": found.asked.file, "sha256": rows.sha256},
            "simulated": rows.simulated,
            "rows": {
                "read": rows.read,
                "used": len(rows.frame),
                "incomplete": rows.incomplete,
                "missing_moderators": _records(rows.missing),
                "assumed": rows.assumed,
            },
            "excluded": _records(rows.unusable),
            "call": dict(found.fit.call),
            "scale": rows.scale(found.asked.yi),
            "inference": {
                "vcov": inference.vcov_type,
                "test": inference.test,
                "clusters": inference.cluster_name if inference.sandwich is not None else None,
                "level": found.asked.level,
            },
            "glance": _records(found.glance)[0],
            "tidy": _records(found.tidy),
            "tests": _records(found.tests),
            "components": _records(found.components),
            "confint": _records(found.confint),
            "heterogeneity": _records(found.heterogeneity),
            "predict": _means(found, found.predict),
            "predict_r": _means(found, found.predict_r),
            "transform": found.transform,
            "target": found.asked.target,
            "likelihood_ratio": next(iter(_records(found.likelihood_ratio)), None),
            "permutation": None
            if permutation is None
            else {
                "table": _records(permutation.table),
                "qm": permutation.qm,
                "qm_p": permutation.qm_p,
            },
            "convergence": asdict(found.fit.convergence),
        }
    )
    return result


def write_results(path: Path, text: str) -> None:
    """Write the object whole; over an earlier one of ``fit``, and over nothing else.

    Raises
    ------
    OutputError
        If something else stands there.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file with --out")
    if path.exists() and not _ours(path):
        raise OutputError(
            f"{path} exists and was not written by metalliance fit; move it, or choose another "
            "name with --out"
        )
    write_whole(path, f"{text}\n".encode(errors="replace"))


def _ours(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return bool(found["schema"] == SCHEMA and found["command"] == "fit")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _means(found: Answer, means: pd.DataFrame | None) -> list[dict[str, Any]]:
    if means is None:
        return []
    return _records(means.assign(at=list(found.labels))[["at", *means.columns]])


def _records(frame: pd.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else frame.to_dict(orient="records")
