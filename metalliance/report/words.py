"""Sentences of a report, each chosen by rule from typed results. No verdicts."""

from __future__ import annotations

import math

import pandas as pd

from metalliance.plots.forest_rows import study_labels
from metalliance.report.labels import better, construct, is_simulated, pool_title, symbol
from metalliance.report.numbers import correlation, count, interval, number, range_of
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["first_screen", "headline", "pool_sentence", "robustness", "sophistication"]

TRAIT = ("between_observed", "between_latent")
Paragraph = tuple[str, str]


def headline(analysis: Analysis) -> tuple[str, ...]:
    """One line per pool, for the terminal."""
    lines = ["SIMULATED DATA: no row is a real study."] if is_simulated(analysis) else []
    for pool in analysis.main:
        lines.append(f"{pool_title(pool)}: {pool_sentence(pool)}")
    return tuple(lines)


def pool_sentence(pool: Pool) -> str:
    """Estimate, interval, prediction interval and size of a pool."""
    size = (
        f"{count(pool.counts.studies, 'study', 'studies')}, {count(pool.counts.effects, 'effect')}"
    )
    if pool.fit is None:
        return f"not pooled ({pool.not_pooled}); {size}."
    mean = pool.predict_r.iloc[0]
    text = f"{estimate(pool)}; {size}"
    if math.isfinite(mean["pi_low"]):
        text += f"; 95% prediction interval {range_of(mean['pi_low'], mean['pi_high'])}"
    return f"{text}; imprecise (df < 4)." if pool.imprecise else f"{text}."


def estimate(pool: Pool) -> str:
    """``r = .27 [.24, .29]``."""
    mean = pool.predict_r.iloc[0]
    limits = interval(mean["conf_low"], mean["conf_high"])
    return f"{symbol(pool)} = {correlation(mean['estimate'])} {limits}"


def first_screen(analysis: Analysis) -> tuple[Paragraph, ...]:
    """The paragraphs of the summary box: heading and text."""
    fitted = [pool for pool in analysis.main if pool.fit is not None]
    if not fitted:
        return (("What these studies show.", "No pool has two independent studies yet."),)
    sentences = []
    for pool in fitted:
        if pool.component == "total" and pool.key == "total":
            sentences.append(_total(analysis, pool))
    components = [pool for pool in fitted if pool.component in (*TRAIT, "within")]
    sentences += _trait(fitted)
    sentences += _state(analysis, fitted)
    if not components:
        sentences.append(
            "No study here separates differences between patients from changes within a patient, "
            "so these data cannot say which of the two the association reflects."
        )
    elif _has(fitted, TRAIT) and _has(fitted, ("within",)):
        sentences.append(
            "Read the gap between trait and state with care: trait values are mostly unadjusted "
            "correlations of averages, state values come from other models and are less reliably "
            "measured. Each pool is estimated by itself here; their difference is not tested."
        )
    paragraphs = [("What these studies show.", " ".join(sentences))]
    for heading, text in (
        ("Sophistication:", sophistication(analysis)),
        ("Robustness:", robustness(analysis)),
        ("Cannot be concluded:", _limits(analysis, components)),
    ):
        if text:
            paragraphs.append((heading, text))
    return tuple(paragraphs)


def _has(pools: list[Pool], components: tuple[str, ...]) -> bool:
    return any(pool.component in components for pool in pools)


def _size(pool: Pool) -> str:
    studies = count(pool.counts.studies, "study", "studies")
    if pool.counts.effects == pool.counts.studies:
        return studies
    return f"{studies}, {count(pool.counts.effects, 'effect')}"


def _total(analysis: Analysis, pool: Pool) -> str:
    mean = pool.predict_r.iloc[0]
    if mean["conf_low"] > 0:
        opening = f"Patients with {better(analysis)} had better outcomes: "
    elif mean["conf_high"] < 0:
        opening = f"Patients with {better(analysis)} had worse outcomes: "
    else:
        opening = f"The association of {construct(analysis)} with outcome is not clear of zero: "
    return f"{opening}total {estimate(pool)}, {_size(pool)}.{_new_study(pool, 'total')}"


def _trait(fitted: list[Pool]) -> list[str]:
    sentences = []
    for pool in fitted:
        if pool.key == "between_observed":
            opening = "Comparing patients' average alliance over sessions,"
        elif pool.key == "between_latent":
            opening = "Comparing patients on a latent average,"
        else:
            continue
        sentences.append(f"{opening} trait-like {estimate(pool)}, {_size(pool)}.")
    return sentences


def _state(analysis: Analysis, fitted: list[Pool]) -> list[str]:
    state = [pool for pool in fitted if pool.component == "within"]
    primary = f"within.{analysis.plan.state}"
    state.sort(key=lambda pool: pool.key != primary)
    sentences = []
    for pool in state:
        if pool.path == "outcome→alliance":
            opening = "In the other direction, from outcome to later alliance,"
        elif pool.estimand == "concurrent_r":
            opening = (
                "Within a patient, comparing occasions when the alliance was better than usual "
                "for that patient with the others, at the same occasion"
            )
        elif pool.estimand == "lagged_r":
            opening = "Within a patient, from better-than-usual alliance to the next outcome,"
        else:
            opening = (
                "Within a patient, from better-than-usual alliance to the next outcome and net "
                "of earlier outcome,"
            )
        sentences.append(f"{opening} state-like {estimate(pool)}, {_size(pool)}.{_reading(pool)}")
    return sentences


def _reading(pool: Pool) -> str:
    mean = pool.predict_r.iloc[0]
    if pool.imprecise:
        return " The estimate is imprecise: too few independent studies (df < 4)."
    if mean["conf_low"] > 0:
        text = " The average is positive, its interval excluding zero."
    elif mean["conf_high"] < 0:
        text = " The average is negative, its interval excluding zero."
    else:
        text = " Its interval includes zero."
    return text + _new_study(pool, "state-like")


def _new_study(pool: Pool, kind: str) -> str:
    mean = pool.predict_r.iloc[0]
    low, high = mean["pi_low"], mean["pi_high"]
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    text = (
        f" In a new study the {kind} association may lie anywhere from {correlation(low)} to "
        f"{correlation(high)} (95% prediction interval)"
    )
    if low <= 0 <= high:
        studies = count(pool.counts.studies, "study", "studies")
        text += (
            ": no association, or a reverse one, is compatible with these data in some settings, "
            f"and {studies} cannot say which"
        )
    return f"{text}."


def sophistication(analysis: Analysis) -> str:
    """Slopes on the index, between studies and per .1, where they can be read."""
    parts = []
    for result in analysis.sophistication:
        if result.not_reported != "zero":
            continue
        pool = analysis.pool(result.pool)
        name = pool_title(pool)
        if result.withheld:
            parts.append(f"{name}: not tested ({result.withheld}).")
            continue
        between = result.slopes[result.slopes["term"].str.endswith("between")]
        if between.empty:
            continue
        slope = between.iloc[0]
        if slope["df"] < 4:
            parts.append(
                f"{name}: {pool.counts.studies} studies are too few to test it "
                f"(df = {number(slope['df'], 1)})."
            )
            continue
        scale = "β" if pool.es_metric == "beta" else "Fisher's z"
        parts.append(
            f"{name}: {scale} changes by {number(slope['estimate'], 3)} "
            f"[{number(slope['conf_low'], 3)}, {number(slope['conf_high'], 3)}] per .1 of the "
            "index."
        )
    if parts and all("not tested" in part for part in parts):
        return "" if _nothing_coded(analysis) else " ".join(parts)
    return " ".join(parts)


def _nothing_coded(analysis: Analysis) -> bool:
    return all(
        "no effect of this pool has a coded" in result.withheld
        for result in analysis.sophistication
    )


def robustness(analysis: Analysis) -> str:
    """Range of the estimate over the planned checks and leave-one-out, per pool."""
    sentences = []
    for pool in analysis.main:
        checks = _checks(analysis, pool)
        if pool.fit is None or checks.empty:
            continue
        mean = float(pool.predict_r["estimate"].iloc[0])
        far = checks.loc[(checks["estimate"] - mean).abs().idxmax()]
        low, high = checks["estimate"].min(), checks["estimate"].max()
        sentences.append(
            f"{pool_title(pool)}: across {count(len(checks), 'refit')} {symbol(pool)} ranged from "
            f"{range_of(low, high)}; what moved it most: {far['setting']} "
            f"({correlation(far['estimate'])})."
        )
    return " ".join(sentences)


def _checks(analysis: Analysis, pool: Pool) -> pd.DataFrame:
    table = analysis.sensitivity
    planned = table[table["pool"].eq(pool.key)][["setting", "estimate"]]
    left = analysis.leave_one_out.get(pool.key, pd.DataFrame())
    if len(left):
        names = "without " + left["omitted"].map(study_labels(pool))
        omitted = pd.DataFrame({"setting": names, "estimate": left["estimate"]})
        planned = pd.concat([planned, omitted], ignore_index=True)
    return planned.dropna().reset_index(drop=True)


def _limits(analysis: Analysis, components: list[Pool]) -> str:
    name = construct(analysis)
    if any(pool.component == "within" for pool in components):
        return (
            f"that improving the {name.removeprefix('therapeutic ')} improves outcome (the within "
            "effects are observational), nor that it does not."
        )
    return f"that {name} improves outcome, nor that it does not: correlations between patients."
