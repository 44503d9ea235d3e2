"""What is timed: each task prepares once, then runs as a user would through the public API."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import metalliance as ma

MODS = "~ x1 + x2 + x3 + x4 + x5"
Task = Callable[[], dict[str, Any]]


def task(name: str, size: int, folder: Path) -> Task:
    """A function that does the job once and returns the numbers to agree on."""
    warnings.simplefilter("ignore", ma.MetallianceWarning)
    return _TASKS[name](folder, size)


@cache
def _data(folder: Path, kind: str, size: int) -> pd.DataFrame:
    return pd.read_csv(folder / f"{kind}_{size}.csv")


@cache
def _covariance(folder: Path, kind: str, size: int) -> ma.SamplingCovariance:
    return ma.sampling_covariance(_data(folder, kind, size), cluster="study", rho=0.6)


@cache
def _nested(folder: Path, size: int, mods: str) -> ma.Fit:
    data, V = _data(folder, "nested", size), _covariance(folder, "nested", size)
    return ma.fit(data, mods, random="~ 1 | study/es", V=V)


def _numbers(fit: ma.Fit, vcov: str, test: str | None) -> dict[str, Any]:
    table = ma.tidy(ma.infer(fit, vcov=vcov, test=test))
    return {"beta": table["estimate"].tolist(), "log_lik": fit.log_lik_reml}


def _univariate(mods: str, method: str) -> Callable[[Path, int], Task]:
    def prepare(folder: Path, size: int) -> Task:
        data = _data(folder, "univariate", size)

        def run() -> dict[str, Any]:
            numbers = _numbers(ma.fit(data, mods, method=method), "knha", None)
            if method != "REML":
                numbers.pop("log_lik")
            return numbers

        return run

    return prepare


def _multilevel(kind: str, mods: str, random: str, structure: str | None) -> Any:
    def prepare(folder: Path, size: int) -> Task:
        data, V = _data(folder, kind, size), _covariance(folder, kind, size)
        return lambda: _numbers(
            ma.fit(data, mods, random=random, structure=structure, V=V), "model", "t"
        )

    return prepare


def _cr2(folder: Path, size: int) -> Task:
    fit = _nested(folder, size, MODS)
    return lambda: {"se": ma.tidy(ma.infer(fit, vcov="CR2"))["std_error"].tolist()}


def _htz(folder: Path, size: int) -> Task:
    fit = _nested(folder, size, MODS)
    return lambda: {"f": float(ma.wald_test(ma.infer(fit, vcov="CR2"))["statistic"].iloc[0])}


def _profile(folder: Path, size: int) -> Task:
    fit = _nested(folder, size, "~ 1")
    return lambda: {
        "limits": ma.confint(fit)[["conf_low", "conf_high"]].to_numpy().ravel().tolist()
    }


def _qprofile(folder: Path, size: int) -> Task:
    fit = ma.fit(_data(folder, "univariate", size))
    return lambda: {"limits": ma.confint(fit)[["conf_low", "conf_high"]].iloc[0].tolist()}


def _permutation(folder: Path, size: int) -> Task:
    fit = ma.fit(_data(folder, "univariate", size), MODS)
    return lambda: {"n": len(ma.permutation_test(fit, iterations=1000, seed=1).table)}


_TASKS: dict[str, Callable[[Path, int], Task]] = {
    "reml": _univariate("~ 1", "REML"),
    "reml_mods": _univariate(MODS, "REML"),
    "dl": _univariate("~ 1", "DL"),
    "qprofile": _qprofile,
    "permutation": _permutation,
    "nested": _multilevel("nested", "~ 1", "~ 1 | study/es", None),
    "nested_mods": _multilevel("nested", MODS, "~ 1 | study/es", None),
    "bivariate": _multilevel("bivariate", "~ 0 + type", "~ type | study", "UN"),
    "profile": _profile,
    "cr2": _cr2,
    "htz": _htz,
}


def agreement(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Largest relative difference of what both report (absolute for a log-likelihood)."""
    worst = 0.0
    for name in ours:
        expected = theirs[name]
        a, b = np.atleast_1d(ours[name]).astype(float), np.atleast_1d(expected).astype(float)
        scale = 1.0 if name == "log_lik" else np.maximum(np.abs(b), 1e-3)
        worst = max(worst, float(np.max(np.abs(a - b) / scale)))
    return worst
