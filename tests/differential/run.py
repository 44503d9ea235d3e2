"""Every case on both sides, and how far they are apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import metalliance as ma
from tests.differential.cases import Case
from tests.differential.compare import Deviation, deviations, distance
from tests.differential.multilevel import multilevel_cases
from tests.differential.ours import components_for_r, fit_at, fit_case, held, tables
from tests.differential.theirs import results_of_r
from tests.differential.univariate import univariate_cases
from tests.tolerances import (
    BOUNDARY,
    CLOSED_FORM,
    COEFFICIENT,
    COMPONENT,
    ITERATED,
    LOG_LIKELIHOOD,
    ROBUST,
)

__all__ = ["Outcome", "every_case", "outcome"]

ITERATIVE = ("ML", "REML", "EB", "PM", "PMM")
SHORT = 1e-6  # a likelihood of R that is lower by more is a search that stopped early
UNSTRUCTURED = 1e-7  # what the search of UN and GEN may miss


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came out: deviations, and notes by heading on what R did not do."""

    cases: dict[str, Case]
    deviations: list[Deviation] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    short: dict[str, float] = field(default_factory=dict)

    def note(self, heading: str, text: str) -> None:
        self.notes.setdefault(heading, []).append(text)

    def record(self, case: Case, what: str, size: float, allowed: float) -> None:
        found = Deviation(case=case.id, kind=case.kind, what=what, size=size, allowed=allowed)
        self.deviations.append(found)

    def record_all(self, case: Case, what: str, apart: Iterator[tuple[str, float]]) -> None:
        for path, size in apart:
            self.record(case, f"{what} {path}".strip(), size, _allowed(case, path))


def every_case() -> list[Case]:
    """Univariate and multilevel cases, always the same."""
    return [*univariate_cases(), *multilevel_cases()]


def outcome(cases: Sequence[Case], folder: Path) -> Outcome:
    """Fit all cases, have R fit them and look at our components, and compare."""
    fits = {case.id: fit_case(case) for case in cases}
    ours = {name: components_for_r(fit) for name, fit in fits.items()}
    theirs = results_of_r(cases, ours, folder)
    found = Outcome(cases={case.id: case for case in cases})
    for case in cases:
        answer = theirs[case.id]
        if "error" in answer:
            found.note("R failed", f"{case.id}: {answer['error']}")
        elif case.univariate:
            answer = _without_refusals(found, case, answer)
            found.record_all(case, "", deviations(tables(case, fits[case.id]), answer))
        else:
            _multilevel(found, case, fits[case.id], answer)
    return found


def _multilevel(found: Outcome, case: Case, fit: ma.Fit, answer: Mapping[str, Any]) -> None:
    at = _without_refusals(found, case, answer["at"])
    apart = abs(_log_lik(fit) - at["glance"]["log_lik"])
    found.record(case, "log-likelihood at our components", apart, LOG_LIKELIHOOD)
    found.record_all(case, "at ours", deviations(tables(case, held(case, fit)), at))
    for error in answer["errors"]:
        found.note("an optimiser of R failed", f"{case.id}: {error}")
    if "free" not in answer:
        found.note("R found no optimum", case.id)
        return
    free = answer["free"]
    if _outside(fit, free["components"]):
        found.note("R's correlation is lower than a covariance allows", case.id)
        return
    _optimum(found, case, fit, free)
    there = tables(case, fit_at(case, free["components"]), ("CR2",))
    at_theirs = {name: free[name] for name in ("tidy", "robust") if name in free}
    at_theirs = _without_refusals(found, case, at_theirs)
    found.record_all(case, "at R's", deviations(there, at_theirs))


def _optimum(found: Outcome, case: Case, fit: ma.Fit, free: Mapping[str, Any]) -> None:
    """Ours is no lower than R's; where R came as far, the estimates are the same."""
    ahead = _log_lik(fit) - free["glance"]["log_lik"]
    searched = UNSTRUCTURED if {"UN", "GEN"} & set(case.structure) else LOG_LIKELIHOOD
    found.record(case, "log-likelihood below R's", max(-ahead, 0.0), searched)
    found.short[case.id] = max(ahead, 0.0)
    if ahead > SHORT:
        found.note("R stopped short of the optimum", f"{case.id}: by {ahead:.2g}")
        return
    slack = float(np.sqrt(2 * max(ahead, 0.0)))  # how far a likelihood that low can be from ours
    table, theirs = tables(case, fit, ())["tidy"], free["tidy"]
    in_se = np.abs(table["estimate"] - np.ravel(theirs["estimate"])) / table["std_error"]
    found.record(case, "free coefficients", float(np.max(in_se)), max(COEFFICIENT, slack))
    se = distance(table["std_error"], theirs["std_error"])
    found.record(case, "free standard errors", se, COMPONENT)
    if any(np.isnan(part.estimate) for part in fit.components):
        return  # a correlation of a variance of zero: R gives some number
    for name, values in components_for_r(fit).items():
        unit = 1.0 if name in ("rho", "phi") else float(np.mean(fit.vi))
        apart = _apart(values, free["components"][name], unit)
        found.record(case, f"free components {name}", apart, COMPONENT)


def _apart(ours: Any, theirs: Any, unit: float) -> float:
    """Distance of components; at zero R stops between 1e-10 and 1e-6, and likelihood judges."""
    ours, theirs = np.ravel(ours), np.ravel(theirs)
    inside = (ours > BOUNDARY) | (theirs > 1e-6) if unit < 1 else np.full(len(ours), True)
    return distance(ours[inside], theirs[inside], unit)


def _log_lik(fit: ma.Fit) -> float:
    return fit.log_lik_reml if fit.method == "REML" else fit.log_lik_ml


def _allowed(case: Case, path: str) -> float:
    if path.startswith("robust"):
        return ROBUST
    if path.startswith(("qprofile", "profile")) or path in ("glance i2", "glance h2"):
        return ITERATED * (100 if path == "glance i2" else 1)  # percent, and both lose digits at 0
    iterated = case.method in ITERATIVE and not (case.univariate and case.fixed)
    return ITERATED if iterated else CLOSED_FORM


def _outside(fit: ma.Fit, theirs: Mapping[str, Any]) -> bool:
    """Whether R's common correlation is below -1/(m-1), m levels in one group."""
    names = iter(("rho", "phi"))
    for term in fit.random:
        if term.structure == "1":
            continue
        name = next(names)
        if term.structure in ("CS", "HCS"):
            lowest = term.factor.structure.bounds[0][-1]
            if np.min(np.ravel(theirs[name])) < lowest - BOUNDARY:
                return True
    return False


def _without_refusals(found: Outcome, case: Case, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer without robust tables where clubSandwich gave up."""
    kept = dict(answer)
    error = kept.get("robust", {}).get("error")
    if error is not None:
        found.note("clubSandwich failed", f"{case.id}: {error}")
        del kept["robust"]
    return kept
