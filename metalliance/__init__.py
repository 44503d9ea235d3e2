"""Meta-analysis of alliance and outcome in psychotherapy, trait-like and state-like apart.

The public names below are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES: dict[str, str] = {
    "Agreement": "coding.agreement",
    "Analysis": "workflow.analysis",
    "CodingError": "errors",
    "ConvergenceError": "errors",
    "ConversionError": "errors",
    "DependenceWarning": "errors",
    "Disaggregation": "traitstate.disaggregation",
    "EffectTable": "effectsize.table",
    "Estimate": "effectsize.convert",
    "Fit": "models.result",
    "Inference": "models.inference",
    "MetallianceError": "errors",
    "MetallianceWarning": "errors",
    "OutputError": "errors",
    "Plan": "workflow.plan",
    "PlanError": "errors",
    "Problem": "errors",
    "Review": "coding.review",
    "SamplingCovariance": "effectsize.covariance",
    "SmallSampleWarning": "errors",
    "SophisticationAnalysis": "traitstate.sophistication_analysis",
    "SpecificationError": "errors",
    "UnidentifiedError": "errors",
    "aggregate_effects": "effectsize.aggregate",
    "agreement": "coding.agreement",
    "analyse": "workflow.analyse",
    "augment": "models.augment",
    "complete_rows": "models.missing",
    "components": "models.tidy",
    "confint": "models.confint",
    "correlation_covariance": "effectsize.correlated",
    "chance_above": "traitstate.chance",
    "compatible_pairs": "traitstate.implied",
    "escalc": "effectsize.escalc",
    "disaggregate": "traitstate.disaggregate",
    "effect_size": "effectsize.convert",
    "fit": "models.fit",
    "glance": "models.tidy",
    "heterogeneity": "models.spread",
    "implied_total": "traitstate.implied",
    "infer": "models.inference",
    "leave_one_out": "sensitivity.refits",
    "likelihood_ratio_test": "models.compare",
    "missing_moderators": "models.missing",
    "moderators": "traitstate.moderators",
    "permutation_test": "sensitivity.permutation",
    "predict": "models.predict",
    "random_effects": "models.effects",
    "reciprocal": "traitstate.reciprocal",
    "read_history": "coding.history",
    "read_plan": "workflow.plan",
    "read_review": "coding.review",
    "sampling_covariance": "effectsize.dependence",
    "smallest_effect": "traitstate.smallest",
    "sophistication": "traitstate.sophistication_analysis",
    "split_review": "coding.splitting",
    "study_means": "models.studies",
    "tidy": "models.tidy",
    "trait_state": "traitstate.trait_state",
    "trait_state_synthesis": "traitstate.synthesis",
    "wald_test": "models.wald",
    "write_report": "report.write",
    "write_template": "coding.template",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("metalliance")
    if name not in _HOMES:
        raise AttributeError(f"module 'metalliance' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"metalliance.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
