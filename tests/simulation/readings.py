"""What the engine says about one simulated data set, and whether it is right.

A reading is 1 or 0: whether an interval holds the truth, whether a test rejects at .05 what is
true. A prediction interval's reading is the probability that it holds a new true value. Where the
engine refuses or has no answer it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

import metalliance as ma
from metalliance.coding.sophistication import items_of_index
from metalliance.effectsize.table import CORE_COLUMNS
from metalliance.models.design import build_design
from metalliance.models.inputs import read_inputs
from metalliance.models.multilevel import fit_multilevel, random_part
from metalliance.models.random import parse_random
from metalliance.models.wald import joint_test
from metalliance.numerics.covariances import Natural
from metalliance.numerics.distributions import critical_value
from metalliance.traitstate.scores import index_of
from metalliance.traitstate.slopes import Working, cluster_count
from metalliance.traitstate.sophistication import split_index
from metalliance.traitstate.sophistication_checks import (
    index_slope_rows,
    rival_slopes,
    spline_test,
)
from metalliance.traitstate.sophistication_items import item_slopes, joint_slopes
from tests.simulation.designs import (
    MEAN,
    Bivariate,
    Components,
    Dependent,
    Design,
    Independent,
    Quality,
)

Key = tuple[str, str, str]  # quantity, method, measure: coverage or rejection
Reading = tuple[Key, float]

LEVEL = 0.95
OTHER_ESTIMATORS = ("DL", "PM", "ML", "SJ")
INDEPENDENT_TESTS = {
    "z": ("model", "z"),
    "t": ("model", "t"),
    "KH": ("knha", None),
    "ad hoc": ("adhoc", None),
}
ROBUST_TESTS = {
    "CR2 Satterthwaite": ("CR2", "satterthwaite"),
    "CR0 z": ("CR0", "z"),
    "CR1 t(J-1)": ("CR1", "naive-t"),
    "CR1p t(J-p)": ("CR1p", "naive-tp"),
    "CR3 Satterthwaite": ("CR3", "satterthwaite"),
    "model z": ("model", "z"),
    "model t(k-p)": ("model", "t"),
}
WORKING = {
    "CHE": ("~ 1 | study/effect", True),
    "V diagonal": ("~ 1 | study/effect", False),
    "study only": ("~ 1 | study", True),
}
BIVARIATE_TESTS = {
    "CR2": ("CR2", "satterthwaite"),
    "CR1 t(J-1)": ("CR1", "naive-t"),
    "model z": ("model", "z"),
}
CORRELATIONS = {"UN": None, "ρ 0": 0.0, "ρ .4": 0.4, "ρ .8": 0.8}
COMPONENTS = ("between", "within")
RHO_BY_PAIR = {
    ("between", "between"): 0.6,
    ("within", "within"): 0.6,
    ("between", "within"): 0.0,
}
ITEM_TESTS = {"unadjusted": "p_value", "Holm": "p_holm", "Benjamini–Hochberg": "p_fdr"}
IMPRECISE = 4.0
PRINTED = ", df ≥ 4"


def readings(design: Design, frame: pd.DataFrame) -> Iterator[Reading]:
    return READERS[type(design)](design, frame)


def of_independent(design: Independent, frame: pd.DataFrame) -> Iterator[Reading]:
    fit = ma.fit(frame)
    yield from independent_mean(design, fit, "REML", INDEPENDENT_TESTS)
    for method in OTHER_ESTIMATORS:
        other = ma.fit(frame, method=method)
        yield from independent_mean(design, other, method, ("z", "KH"))
    for kind in ("qprofile", "profile"):
        row = ma.confint(fit, type=kind).iloc[0]
        inside = row["conf_low"] <= design.tau2 <= row["conf_high"]
        yield ("τ²", f"REML {kind}", "coverage"), float(inside)
    for mods, quantity in (
        ("~ balanced", "balanced moderator"),
        ("~ rare", "rare moderator"),
        ("~ skewed", "skewed moderator"),
        ("~ balanced + skewed", "two moderators jointly"),
    ):
        fitted = ma.fit(frame, mods)
        L = np.eye(fitted.p)[1:]
        for name, (vcov, test) in INDEPENDENT_TESTS.items():
            p = joint_test(ma.infer(fitted, vcov, test), L)["p_value"]
            yield (quantity, f"REML {name}", "rejection"), rejects(p)


def independent_mean(
    design: Independent, fit: ma.Fit, method: str, names: Iterable[str]
) -> Iterator[Reading]:
    for name in names:
        vcov, test = INDEPENDENT_TESTS[name]
        row = ma.predict(ma.infer(fit, vcov, test)).iloc[0]
        inside = row["conf_low"] <= MEAN <= row["conf_high"]
        yield ("mean", f"{method} {name}", "coverage"), float(inside)
        key = ("new true effect", f"{method} {name}", "coverage")
        yield key, mass(row, np.sqrt(design.tau2))


def of_dependent(design: Dependent, frame: pd.DataFrame) -> Iterator[Reading]:
    che = design.working == "CHE"
    mean = fit_dependent(design, frame, "~ 1")
    if che:
        yield ("mean", "effects as independent, KH", "coverage"), covers(ma.infer(ma.fit(frame)), 0)
    yield from chain(robust_mean(mean), predictions(design, mean))
    both = fit_dependent(design, frame, "~ balanced + within")
    yield from robust_tests("balanced moderator", both, [1])
    yield from robust_tests("within-study moderator", both, [2])
    if design.studies >= 10:
        four = fit_dependent(design, frame, "~ four_1 + four_2 + four_3")
        yield from robust_tests("four groups (3 df)", four, [1, 2, 3])
    if che:
        for mods, quantity in (("~ rare", "rare moderator"), ("~ skewed", "skewed moderator")):
            yield from robust_tests(quantity, fit_dependent(design, frame, mods), [1])
        three = fit_dependent(design, frame, "~ three_1 + three_2")
        yield from robust_tests("three groups (2 df)", three, [1, 2])


def fit_dependent(design: Dependent, frame: pd.DataFrame, mods: str) -> ma.Fit:
    random, blocks = WORKING[design.working]
    V = ma.sampling_covariance(frame, cluster="sample", rho=0.6) if blocks else None
    truth = [variances(design.tau2_study), variances(design.tau2_effect)]
    if design.working == "study only":
        truth = [variances(design.tau2_study + design.tau2_effect)]
    return fit_from(truth, frame, mods, random, V)


def variances(*tau2: float, rho: Sequence[float] = ()) -> Natural:
    return Natural(tau2=np.array(tau2), rho=np.array(rho))


def fit_from(
    truth: Sequence[Natural],
    frame: pd.DataFrame,
    mods: str,
    random: str | Sequence[str],
    V: ma.SamplingCovariance | None,
    structure: str | None = None,
    rho: float | None = None,
) -> ma.Fit:
    """``ma.fit``, searching from one place, the truth, instead of several: a third of the time.

    A test compares the two. Clusters are studies that share a sample.
    """
    clusters = pd.factorize(frame["cluster"])[0].astype(np.intp)
    inputs = replace(read_inputs(frame, V, "yi", "vi"), clusters=clusters, cluster_name="cluster")
    design, X = build_design(mods, frame)
    part = random_part(parse_random(random, frame, structure), rho=rho)
    start = part.parameters.theta(truth)
    return fit_multilevel(inputs, design, X, "REML", part, {}, (start,))


def covers(inference: ma.Inference, j: int) -> float:
    """Whether the interval of coefficient j holds the mean."""
    half = critical_value(LEVEL, inference.df[j : j + 1])[0] * inference.std_error[j]
    return float(abs(inference.fit.beta[j] - MEAN) <= half) if np.isfinite(half) else np.nan


def rejects(p: float) -> float:
    return float(p < 1 - LEVEL) if np.isfinite(p) else np.nan


def mass(row: pd.Series, sd: float) -> float:
    """Probability that a new true effect lies in a prediction interval."""
    return float(ndtr((row["pi_high"] - MEAN) / sd) - ndtr((row["pi_low"] - MEAN) / sd))


def robust_mean(fit: ma.Fit) -> Iterator[Reading]:
    for name, (vcov, test) in ROBUST_TESTS.items():
        yield ("mean", name, "coverage"), covers(ma.infer(fit, vcov, test), 0)


def robust_tests(quantity: str, fit: ma.Fit, terms: list[int]) -> Iterator[Reading]:
    """Whether each method rejects that some coefficients are all zero."""
    L = np.eye(fit.p)[terms]
    for name, (vcov, test) in ROBUST_TESTS.items():
        try:
            tested = joint_test(ma.infer(fit, vcov, test), L)
        except ma.SpecificationError:
            yield (quantity, name, "rejection"), np.nan
            continue
        yield from rejections(quantity, name, vcov, tested)


def rejections(quantity: str, name: str, vcov: str, tested: dict[str, Any]) -> Iterator[Reading]:
    """The rejection; for CR2 also among the data sets where the report would print the p."""
    rejected = rejects(tested["p_value"])
    yield (quantity, name, "rejection"), rejected
    if vcov == "CR2":
        printed = rejected if tested["df_den"] >= IMPRECISE else np.nan
        yield (quantity, f"{name}{PRINTED}", "rejection"), printed


def predictions(design: Dependent, fit: ma.Fit) -> Iterator[Reading]:
    inference = ma.infer(fit, "CR2", "satterthwaite")
    total = design.tau2_study + design.tau2_effect
    for target, variance in (("effect", total), ("study", design.tau2_study)):
        if design.working == "study only" and target == "effect":
            continue
        for label, df in (("t(c-1)", "default"), ("Satterthwaite", "inference")):
            row = ma.predict(inference, target=target, pi_df=df).iloc[0]
            yield (f"new {target}", f"CR2 {label}", "coverage"), mass(row, np.sqrt(variance))


def of_bivariate(design: Bivariate, frame: pd.DataFrame) -> Iterator[Reading]:
    V = ma.sampling_covariance(frame, cluster="study", rho=RHO_BY_PAIR)
    for model, rho in CORRELATIONS.items():
        fit = fit_bivariate(design, frame, V, rho)
        for name, (vcov, test) in BIVARIATE_TESTS.items():
            inference, method = ma.infer(fit, vcov, test), f"{model}, {name}"
            for j, component in enumerate(COMPONENTS):
                covered, quantity = covers(inference, j), f"mean {component}"
                yield (quantity, method, "coverage"), covered
                if vcov == "CR2":
                    printed = np.nan if inference.imprecise[j] else covered
                    yield (quantity, method + PRINTED, "coverage"), printed
            tested = joint_test(inference, np.array([[1.0, -1.0]]))
            yield from rejections("between = within", method, vcov, tested)
        yield from bivariate_predictions(design, fit, model)


def fit_bivariate(
    design: Bivariate, frame: pd.DataFrame, V: ma.SamplingCovariance, rho: float | None
) -> ma.Fit:
    held = design.correlation if rho is None else rho
    truth = [variances(*design.tau2, rho=[held]), variances(design.tau2_effect)]
    random = ["~ component | study", "~ 1 | effect"]
    return fit_from(truth, frame, "~ 0 + is_between + is_within", random, V, "UN", rho)


def bivariate_predictions(design: Bivariate, fit: ma.Fit, model: str) -> Iterator[Reading]:
    new = pd.DataFrame({"component": COMPONENTS, "is_between": [1.0, 0.0], "is_within": [0.0, 1.0]})
    rows = ma.predict(ma.infer(fit, "CR2", "satterthwaite"), new)
    for j, component in enumerate(COMPONENTS):
        sd = np.sqrt(design.tau2[j] + design.tau2_effect)
        yield (f"new effect {component}", f"{model}, t(c-1)", "coverage"), mass(rows.iloc[j], sd)


def of_components(design: Components, frame: pd.DataFrame) -> Iterator[Reading]:
    effects = design.effects
    limits = ma.confint(fit_dependent(effects, frame, "~ 1"), type="profile")
    for row, truth in zip(
        limits.itertuples(), (effects.tau2_study, effects.tau2_effect), strict=True
    ):
        inside = row.conf_low <= truth <= row.conf_high
        yield (f"σ² {row.term}", "profile", "coverage"), float(inside)


def quality_table(frame: pd.DataFrame) -> ma.EffectTable:
    """Simulated effects as a review would give them."""
    text = {name: "x" for name in CORE_COLUMNS if name not in frame}
    rows = frame.assign(**{**text, "es_metric": "z", "estimand": "NA", "r": np.tanh(frame["yi"])})
    items = items_of_index("NA")
    rows["sophistication"] = index_of(rows, items, "zero")
    rows["sophistication_nr_missing"] = index_of(rows, items, "missing")
    names = [item for item in items if item in rows]
    moderators = ["year", "sophistication", "sophistication_nr_missing", *names]
    return ma.EffectTable.build(rows, moderators=moderators)


def of_quality(design: Quality, frame: pd.DataFrame) -> Iterator[Reading]:
    """Rejections in data where quality does not matter; of a family, whether any test rejects.

    What the number of clusters never allows has no reading.
    """
    table = quality_table(frame)
    clusters, parts = cluster_count(table), ("between", "within")[: 1 + design.dependent]
    every = item_slopes(table)
    for policy in ("zero", "missing"):
        items = every[every["not_reported"] == policy]
        for part in parts:
            tested = items[(items["part"] == part) & items["p_value"].notna()]
            for name, column in ITEM_TESTS.items():
                rejected = rejects(tested[column].min()) if len(tested) else np.nan
                yield (f"any item {part} studies, NR {policy}", name, "rejection"), rejected
    index = index_slope_rows(split_index(table, "sophistication"), Working())
    by_part = {row["part"]: row["p_value"] for row in index}
    joint, rivals, bend = joint_slopes(table), rival_slopes(table), spline_test(table)[0]
    adjusted = rivals[(rivals["adjusted_for"] == "year + n") & (rivals["term"] == "between")]
    for part in parts:
        p = by_part.get(part, np.nan)
        yield (f"index {part} studies", "one test", "rejection"), rejects(p)
    for quantity, needed, rows in (
        ("index beside year and n", 30, adjusted),
        ("several domains jointly", 20, joint),
        ("bend of the index", 30, bend),
    ):
        if clusters >= needed:
            yield (quantity, "one test", "rejection"), rejects(rows["p_value"].iloc[-1])


READERS: dict[type, Callable[[Any, pd.DataFrame], Iterator[Reading]]] = {
    Independent: of_independent,
    Dependent: of_dependent,
    Bivariate: of_bivariate,
    Components: of_components,
    Quality: of_quality,
}
