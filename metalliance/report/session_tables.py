"""Tables of a session report: effects, and how stable each measure is."""

from __future__ import annotations

import math

from metalliance.effectsize.paths import FORWARD
from metalliance.report.labels import COMPONENTS
from metalliance.report.numbers import correlation, interval, number
from metalliance.report.tables import Cell, Table
from metalliance.traitstate.session_study import SessionStudy

__all__ = ["measure_table", "session_effects_table", "session_label"]

ESTIMANDS = {
    "concurrent_r": "same session",
    "lagged_r": "next session",
    "lagged_partial": "next session, net of the own past",
}


def session_label(component: str, estimand: str, path: str, lag: float) -> str:
    """A row in words.

    Examples
    --------
    >>> session_label("within", "lagged_r", "outcome→alliance", 1)
    'State-like: within a patient, next session, outcome first'
    """
    text = COMPONENTS.get(component, component)
    text = "Contextual: between less within slope" if component == "contextual" else text
    if estimand in ESTIMANDS:
        told = ESTIMANDS[estimand]
        text += ", " + (
            told.replace("next session", f"{lag:.0f} sessions later") if lag > 1 else told
        )
    return text if path == FORWARD else f"{text}, outcome first"


def session_effects_table(study: SessionStudy, name: str) -> Table:
    """One row per effect, in the order of the parts."""
    rows = []
    for row in study.table.to_dict(orient="records"):
        label = session_label(row["component"], row["estimand"], row["path"], row["lag"])
        beta, raw = row["es_metric"] == "beta", row["es_metric"] == "slope"
        letter = "b" if raw else "β" if beta else "r"
        read = number if raw else correlation
        low, high = row["conf_low"], row["conf_high"]
        limits = f"[{number(low)}, {number(high)}]" if raw else interval(low, high)
        rows.append(
            (
                Cell(text=label, below=row["route"]),
                Cell(text=f"{letter} = {read(row['estimate'])}", sort=float(row["estimate"])),
                Cell(text=limits if math.isfinite(low) else "–"),
                Cell(text=number(row["se_bootstrap"], 3), sort=_sort(row["se_bootstrap"])),
                Cell(text=number(row["se_model"], 3), sort=_sort(row["se_model"])),
                Cell(text=number(row["n_eff"], 0), sort=_sort(row["n_eff"])),
                Cell(text=f"{row['ni']:,.0f}", sort=float(row["ni"])),
                Cell(text=f"{row['n_obs']:,.0f}", sort=float(row["n_obs"])),
                Cell(text=correlation(row["slope_sd"]), sort=_sort(row["slope_sd"])),
                Cell(text=row["role"]),
            )
        )
    return Table(
        name=f"effects-{name}",
        caption="Effects",
        columns=(
            "Effect",
            "Estimate",
            "95% CI",
            "SE",
            "Model SE",
            "Worth",
            "Patients",
            "Sessions",
            "Slope SD",
            "Role",
        ),
        numeric=(False, *[True] * 8, False),
        rows=tuple(rows),
        note="SE: patients resampled, on the scale that is pooled (z of r, β itself, raw b). "
        "Worth: independent patients that would give r this precision (1/v + 3). "
        "Slope SD: how much the effect differs between patients, in standard deviations.",
    )


def measure_table(study: SessionStudy, name: str) -> Table:
    """Intraclass correlation, autocorrelation and reliability of both measures."""
    rows = []
    for row in study.first.measures.to_dict(orient="records"):
        rows.append(
            (
                Cell(text=str(row["measure"]).capitalize()),
                Cell(text=f"{row['patients']:,.0f}"),
                Cell(text=f"{row['occasions']:,.0f}"),
                _with_limits(row, "icc"),
                _with_limits(row, "icc_stable"),
                _with_limits(row, "autocorrelation"),
                _with_limits(row, "reliability"),
                Cell(text=number(row["sessions"], 1)),
                Cell(text=number(row["sd_within"])),
                Cell(text=number(row["sd_between"])),
            )
        )
    return Table(
        name=f"measures-{name}",
        caption="How stable alliance and outcome are",
        columns=(
            "Measure",
            "Patients",
            "Scores",
            "ICC",
            "Stable share",
            "Autocorrelation",
            "Reliability of the mean",
            "Sessions in it",
            "SD within",
            "SD of means",
        ),
        numeric=(False, *[True] * 9),
        rows=tuple(rows),
        note="ICC: share of the variance between patients by analysis of variance, which takes "
        "successive sessions as independent. Stable share and autocorrelation are estimated "
        "together; the reliability of a patient's mean allows for that autocorrelation.",
    )


def _with_limits(row: dict[str, float], name: str) -> Cell:
    value = row[name]
    if not math.isfinite(value):
        return Cell(text="–")
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return Cell(text=correlation(value), sort=float(value), below=interval(low, high))


def _sort(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
