"""What metalliance makes of a case, through its public verbs alone."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

import metalliance as ma
from tests.differential.cases import CR_TYPES, Case

__all__ = ["components_for_r", "fit_at", "fit_case", "tables"]

INFERENCE = {"z": ("model", "z"), "t": ("model", "t"), "knha": ("knha", None)}
TIDY = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")


@contextmanager
def quiet() -> Iterator[None]:
    """Without the advice that small random data sets draw."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ma.MetallianceWarning)
        yield


def fit_case(case: Case, **fixed: Any) -> ma.Fit:
    """The model of a case, with components held where ``fixed`` says so."""
    frame = case.frame
    arguments: dict[str, Any] = {"mods": case.mods, "method": case.method}
    if case.weights:
        arguments["weights"] = "w"
    if case.random:
        arguments |= {"random": case.random, "structure": case.structure or None}
    if case.V:
        arguments["V"] = ma.sampling_covariance(frame, cluster="study", **case.V)
    with quiet():
        return ma.fit(frame, **arguments, **(case.fixed | fixed))


def components_for_r(fit: ma.Fit) -> dict[str, list[float] | float]:
    """All components by the names of their arguments in R, where a second term has others.

    A correlation beside a variance of zero is free of meaning; R needs some number.
    """
    if fit.univariate:
        return {"tau2": fit.tau2}
    found: dict[str, list[float]] = {}
    table = ma.components(fit)
    rows = zip(table["name"], table["estimate"], strict=True)
    seconds = {"tau2": "gamma2", "rho": "phi"}
    inner = 0
    for term in fit.random:
        variances, correlations = term.factor.structure.size
        inner += term.structure != "1"
        for _ in range(variances + correlations):
            name, value = next(rows)
            name = seconds[name] if inner == 2 and name in seconds else name
            found.setdefault(name, []).append(0.0 if np.isnan(value) else float(value))
    return found


def held(case: Case, fit: ma.Fit) -> ma.Fit:
    """The same model with every component held at its estimate."""
    fixed: dict[str, list[float]] = {}
    table = ma.components(fit)
    for name, value in zip(table["name"], table["estimate"], strict=True):
        fixed.setdefault(name, []).append(0.0 if np.isnan(value) else float(value))
    return fit_case(case, **fixed)


def fit_at(case: Case, theirs: Mapping[str, Any]) -> ma.Fit:
    """The model at the components that R found."""
    held = {name: np.ravel(theirs[name]) for name in theirs if theirs[name] not in (None, [])}
    fixed = {
        "sigma2": held.get("sigma2", []),
        "tau2": [*held.get("tau2", []), *held.get("gamma2", [])],
        "rho": [
            value
            for structure, name in zip(case.structure, ("rho", "phi"), strict=False)
            if structure not in ("ID", "DIAG")
            for value in held.get(name, [])
        ],
    }
    return fit_case(case, **{name: list(values) for name, values in fixed.items() if len(values)})


def tables(case: Case, fit: ma.Fit, types: tuple[str, ...] = CR_TYPES) -> dict[str, Any]:
    """Every table of a fit, by the names that the script for R uses."""
    vcov, test = INFERENCE.get(case.test, (case.test, None))
    newdata = pd.DataFrame(case.newdata)
    with quiet():
        inference = ma.infer(fit, vcov=vcov, test=test)
        table = ma.tidy(inference)
        found: dict[str, Any] = {
            "tidy": {name: table[name] for name in TIDY},
            "glance": ma.glance(inference).iloc[0].to_dict(),
            "predict": ma.predict(inference, newdata, pi_df="inference").to_dict("list"),
        }
        if case.each:
            found["augment"] = ma.augment(inference).to_dict("list")
        if fit.univariate and not fit.components[0].fixed:
            found["qprofile"] = ma.confint(fit).to_dict("list")
            if case.method in ("ML", "REML") and not case.weights:
                found["profile"] = ma.confint(fit, "profile").to_dict("list")
        if case.cluster:
            found["robust"] = robust(fit, case.cluster, types)
    return found


def robust(fit: ma.Fit, cluster: str, types: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in types:
        try:
            inference = ma.infer(fit, vcov=kind, cluster=cluster)
        except ma.SpecificationError:  # a coefficient that rests on one cluster
            continue
        if inference.sandwich is not None and inference.sandwich.alone.any():
            continue
        found[kind] = ma.tidy(inference).to_dict("list")
        found[f"{kind} HTZ"] = ma.wald_test(inference).iloc[0].to_dict()
    return found
