"""How components, estimands and the construct are called in a report."""

from __future__ import annotations

from metalliance.effectsize.paths import REVERSE
from metalliance.workflow.analysis import Analysis, Pool

__all__ = [
    "COMPONENTS",
    "ESTIMANDS",
    "ITEM_TITLES",
    "better",
    "construct",
    "direction",
    "is_simulated",
    "level",
    "pool_title",
    "symbol",
]

COMPONENTS: dict[str, str] = {
    "total": "Total",
    "between_observed": "Trait-like: between patients, observed means",
    "between_latent": "Trait-like: between patients, latent",
    "within": "State-like: within a patient",
    "between_change": "Differences between patients in change",
    "blended": "Blended",
    "contextual": "Contextual",
    "between_therapist": "Between therapists",
    "within_therapist": "Within therapists",
}
ESTIMANDS: dict[str, str] = {
    "concurrent_r": "same occasion",
    "lagged_r": "next occasion",
    "lagged_partial": "next occasion, net of earlier outcome",
}

ITEM_TITLES: dict[str, str] = {
    "A1": "temporal precedence",
    "A2": "prior symptom control",
    "A3": "reverse causation",
    "A4": "manipulation",
    "B1": "repeated alliance",
    "B2": "repeated outcome",
    "C1": "trait and state separated",
    "C2": "trend",
    "C3": "dynamic-panel bias",
    "D1": "nesting in therapists",
    "D2": "measurement error",
    "D3": "time-varying confounds",
    "D4": "heterogeneity of the effect",
    "E1": "independent outcome rater",
    "E2": "missing data",
    "E3": "preregistration",
}


def construct(analysis: Analysis) -> str:
    """What was correlated with outcome: the plan's word, else the workbook's."""
    return analysis.plan.predictor or analysis.review.about.get("construct", "") or "alliance"


def better(analysis: Analysis) -> str:
    """The construct at its favourable end, as it stands in a sentence."""
    name = construct(analysis)
    return "a better alliance" if "alliance" in name else f"higher {name}"


def direction(analysis: Analysis) -> tuple[str, str]:
    """What lies left and right of zero in a figure."""
    return "← worse outcome", f"better outcome with {better(analysis).removeprefix('a ')} →"


def level(analysis: Analysis) -> str:
    """The level of all intervals as printed: ``95%``."""
    return f"{100 * analysis.plan.level:g}%"


def is_simulated(analysis: Analysis) -> bool:
    """Tell whether the workbook says that its data are simulated."""
    return bool(analysis.review.about.get("data", "") == "simulated")


def pool_title(pool: Pool) -> str:
    """Name of a pool in headings and tables."""
    parts = [COMPONENTS[pool.component]]
    if pool.estimand in ESTIMANDS:
        parts.append(ESTIMANDS[pool.estimand])
    if pool.path == REVERSE:
        parts.append("outcome to alliance")
    if ".dropout" in pool.key:
        parts.append("dropout")
    if pool.role == "sensitivity":
        parts.append("effects of role sensitivity")
    return ", ".join(parts)


def symbol(pool: Pool) -> str:
    """The letter of a pool's estimate."""
    return "β" if pool.es_metric == "beta" else "r"
