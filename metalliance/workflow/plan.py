"""The analysis plan: what was decided before looking, as a TOML file or the default."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from metalliance.errors import PlanError, Problem

__all__ = ["Benchmark", "Plan", "read_plan"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Benchmark(_Frozen):
    """A published value drawn as a dotted line, never pooled."""

    r: float = Field(gt=-1, lt=1)
    label: str = Field(min_length=1, max_length=80)


class Plan(_Frozen):
    """Choices of an analysis; every one has a default that the report prints.

    Attributes
    ----------
    title, question : str
        Printed at the head of the report.
    predictor : str
        What was correlated with outcome, as words in a sentence; empty takes the workbook's.
    state : {'concurrent_r', 'lagged_r', 'lagged_partial'}
        Which within-patient estimand the summary speaks about first.
    method : {'REML', 'ML', 'PM', 'DL', 'EE', 'HE', 'HS', 'HSk', 'SJ', 'EB', 'PMM'}
        Estimator of τ² where every cluster has one effect; dependent effects take REML or ML.
    rho : float
        Assumed sampling correlation of two effects of one sample and component.
    rho_grid : tuple of float
        Other values tried.
    level : float
        Of confidence and prediction intervals.
    minimum_clusters_prediction : int
        No prediction interval below this many clusters.
    benchmark : Benchmark or None
    exclude : tuple of str
        ``study`` or ``study/effect`` left out of every pool, listed with the reason "plan".
    seed : int
        Of everything that draws random numbers.
    moderators : dict of str to {'planned', 'exploratory'}
        Moderators, one regression each within every pool, and whether they were named before
        looking. ``sophistication``, its items (``A1``) and its domains
        (``sophistication_temporal``) mark those of the sophistication regressions as planned.
    icc_x, icc_y : (float, float, float)
        Intraclass correlation of alliance and outcome where a study does not say: mean, and the
        band to vary it in. The synthesis of trait and state and the ratio of slopes use them.
    smallest_r, smallest_beta : float or None
        Smallest effect of interest, as a correlation and as a lagged partial coefficient. With
        one, pooled means are tested for being larger, and for being smaller.
    """

    title: str = ""
    question: str = "Is the therapeutic alliance itself therapeutic?"
    predictor: str = ""
    state: Literal["concurrent_r", "lagged_r", "lagged_partial"] = "concurrent_r"
    method: Literal["REML", "ML", "PM", "DL", "EE", "HE", "HS", "HSk", "SJ", "EB", "PMM"] = "REML"
    rho: float = Field(default=0.6, ge=0, lt=1)
    rho_grid: tuple[float, ...] = (0.3, 0.8)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    minimum_clusters_prediction: int = Field(default=5, ge=3)
    benchmark: Benchmark | None = None
    exclude: tuple[str, ...] = ()
    seed: int = 0
    moderators: dict[str, Literal["planned", "exploratory"]] = {}
    icc_x: tuple[float, float, float] = (0.70, 0.55, 0.80)
    icc_y: tuple[float, float, float] = (0.60, 0.45, 0.75)
    smallest_r: float | None = Field(default=None, gt=0, lt=1)
    smallest_beta: float | None = Field(default=None, gt=0)

    @field_validator("icc_x", "icc_y")
    @classmethod
    def _shares(cls, band: tuple[float, float, float]) -> tuple[float, float, float]:
        mean, low, high = band
        if not 0 < low <= mean <= high < 1:
            raise ValueError("mean, low and high lie in this order: 0 < low <= mean <= high < 1")
        return band

    @field_validator("rho_grid")
    @classmethod
    def _correlations(cls, grid: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= rho < 1 for rho in grid):
            raise ValueError("every value of rho_grid lies from 0 to below 1")
        return grid


def read_plan(path: str | Path) -> Plan:
    """Read a plan from TOML.

    Parameters
    ----------
    path : str or Path
        The file; keys are the attributes of `Plan`.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        With one problem per key that is unknown or has a wrong value.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise PlanError([_problem(path, "", "", f"cannot be read: {error.strerror}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError([_problem(path, "", "", f"is not TOML: {error}")]) from None
    try:
        return Plan.model_validate(values)
    except ValidationError as error:
        raise PlanError([_from_pydantic(path, dict(detail)) for detail in error.errors()]) from None


def _from_pydantic(path: Path, detail: dict[str, object]) -> Problem:
    location = detail["loc"]
    key = ".".join(map(str, location)) if isinstance(location, tuple) else str(location)
    if detail["type"] == "extra_forbidden":
        known = ", ".join(Plan.model_fields)
        return _problem(path, key, "", "is no key of a plan", f"use one of: {known}")
    return _problem(path, key, str(detail["input"])[:60], str(detail["msg"]))


def _problem(path: Path, key: str, value: str, what: str, mend: str = "") -> Problem:
    return Problem(
        sheet=path.name,
        cell=key,
        value=value,
        what=what,
        mend=mend or "correct the plan and run again",
        severity="error",
        code="plan",
    )
