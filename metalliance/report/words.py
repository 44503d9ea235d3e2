"""Sentences of a report, each chosen by rule from typed results. No verdicts."""

from __future__ import annotations

import math

from metalliance.effectsize.paths import REVERSE
from metalliance.report.comparison import (
    comparison,
    directions,
    smallest_sentence,
    totals_alone,
)
from metalliance.report.labels import better, construct, is_simulated, level, pool_title, symbol
from metalliance.report.numbers import correlation, count, number, range_of
from metalliance.report.robustness import robustness
from metalliance.report.sources import cited, plain
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["estimate", "first_screen", "headline", "pool_sentence", "sophistication"]

TRAIT = ("between_observed", "between_latent")
FEWEST_DF = 4
Paragraph = tuple[str, str]


def headline(analysis: Analysis) -> tuple[str, ...]:
    """One line per pool, for the terminal."""
    lines = ["SIMULATED DATA: no row is a real study."] if is_simulated(analysis) else []
    for pool in analysis.main:
        lines.append(f"{pool_title(pool)}: {pool_sentence(pool, level(analysis))}")
    return tuple(lines)


def pool_sentence(pool: Pool, percent: str = "95%") -> str:
    """Estimate, interval, prediction interval and size of a pool."""
    size = (
        f"{count(pool.counts.studies, 'study', 'studies')}, {count(pool.counts.effects, 'effect')}"
    )
    if pool.fit is None:
        return f"not pooled ({pool.not_pooled}); {size}."
    mean = pool.predict_r.iloc[0]
    text = f"{estimate(pool)}; {size}"
    if math.isfinite(mean["pi_low"]):
        text += f"; {percent} prediction interval {range_of(mean['pi_low'], mean['pi_high'])}"
    return f"{text}; imprecise (df < 4)." if pool.imprecise else f"{text}."


def estimate(pool: Pool) -> str:
    """``r = .27 [.24, .29]``."""
    return plain(_estimate(pool))


def _estimate(pool: Pool) -> str:
    mean, low, high = (_number(pool, name) for name in ("estimate", "conf_low", "conf_high"))
    return f"{symbol(pool)} = {mean} [{low}, {high}]"


def _number(pool: Pool, name: str) -> str:
    value = float(pool.predict_r[name].iloc[0])
    digits = 3 if 0.0005 <= abs(value) < 0.005 else 2
    return cited(f"models.{pool.key}.predict_r.{name}", correlation(value, digits))


def _size(pool: Pool) -> str:
    source = f"models.{pool.key}.counts"
    text = cited(f"{source}.studies", count(pool.counts.studies, "study", "studies"))
    if pool.counts.effects == pool.counts.studies:
        return text
    return f"{text}, {cited(f'{source}.effects', count(pool.counts.effects, 'effect'))}"


def first_screen(analysis: Analysis) -> tuple[Paragraph, ...]:
    """The paragraphs of the summary box: heading and text, numbers cited by `cited`."""
    fitted = [pool for pool in analysis.main if pool.fit is not None]
    if not fitted:
        return (("What these studies show.", "No pool has two independent studies yet."),)
    state = _state_pools(analysis, fitted)
    trait = [pool for pool in fitted if pool.key in TRAIT]
    total = [_total(analysis, pool) for pool in fitted if pool.key == "total"]
    shown = [
        " ".join(total),
        " ".join(_trait(analysis, pool) for pool in trait),
        *(_state(analysis, pool) for pool in state),
        _separation(analysis, trait, state),
        totals_alone(analysis),
    ]
    shown = [text for text in shown if text]
    headings = ["What these studies show.", *[""] * len(shown)]
    paragraphs = [
        *zip(headings, shown, strict=False),
        ("Sophistication:", sophistication(analysis)),
        ("Robustness:", robustness(analysis)),
        ("Cannot be concluded:", _limits(analysis, state)),
    ]
    return tuple((heading, text) for heading, text in paragraphs if text)


def _state_pools(analysis: Analysis, fitted: list[Pool]) -> list[Pool]:
    """Within-patient pools, the primary estimand of the plan first."""
    primary = f"within.{analysis.plan.state}"
    state = [pool for pool in fitted if pool.component == "within" and ".dropout" not in pool.key]
    return sorted(state, key=lambda pool: pool.key != primary)


def _direction(pool: Pool) -> int:
    """1 or -1 where the interval excludes zero and may be read, else 0."""
    mean = pool.predict_r.iloc[0]
    if pool.imprecise or mean["conf_low"] <= 0 <= mean["conf_high"]:
        return 0
    return 1 if mean["conf_low"] > 0 else -1


def _total(analysis: Analysis, pool: Pool) -> str:
    openings = {
        1: f"Patients with {better(analysis)} had better outcomes:",
        -1: f"Patients with {better(analysis)} had worse outcomes:",
        0: f"For the association of {construct(analysis)} with outcome,",
    }
    text = f"{openings[_direction(pool)]} total {_estimate(pool)}, {_size(pool)}."
    return (
        text
        + _as_printed(analysis)
        + _zero(pool)
        + _smallest(analysis, pool)
        + _new_study(analysis, pool, "total")
    )


def _as_printed(analysis: Analysis) -> str:
    if "positive_means" not in {name for name, _, _ in analysis.review.assumed}:
        return ""
    return (
        " The file has no column positive_means: signs were taken as printed, a positive value as "
        "a better outcome."
    )


def _trait(analysis: Analysis, pool: Pool) -> str:
    what = "average over sessions" if pool.key == "between_observed" else "latent average over time"
    text = (
        f"Between patients, comparing them on the {what} of their {_short(analysis)}, trait-like "
        f"{_estimate(pool)}, {_size(pool)}."
    )
    return text + _zero(pool) + _smallest(analysis, pool)


def _state(analysis: Analysis, pool: Pool) -> str:
    better_too = {
        1: "outcome was better too:",
        -1: "outcome was worse:",
        0: "",
    }
    ending = better_too[_direction(pool)]
    name = _short(analysis)
    if pool.path == REVERSE:
        opening = f"In the other direction, from outcome to later {name},"
    else:
        when = f"Within a patient, when the {name} was better than usual for that patient,"
        occasion = {
            "concurrent_r": "at the same occasion",
            "lagged_r": "at the next measurement",
            "lagged_partial": "at the next measurement, net of earlier outcome,",
        }[pool.estimand]
        opening = f"{when} {occasion} {ending}".rstrip()
    text = f"{opening} state-like {_estimate(pool)}, {_size(pool)}."
    return (
        text
        + _interval(pool)
        + _smallest(analysis, pool)
        + _new_study(analysis, pool, "state-like")
    )


def _smallest(analysis: Analysis, pool: Pool) -> str:
    tested = analysis.answers.smallest.get(pool.key)
    plan = analysis.plan
    smallest = plan.smallest_r if pool.es_metric == "z" else plan.smallest_beta
    if tested is None or smallest is None:
        return ""
    return f" {smallest_sentence(pool, tested, smallest)}"


def _interval(pool: Pool) -> str:
    readings = {
        1: " The average is positive, its interval excluding zero.",
        -1: " The average is negative, its interval excluding zero.",
        0: _zero(pool),
    }
    return readings[_direction(pool)]


def _zero(pool: Pool) -> str:
    if pool.imprecise:
        df = number(float(pool.tidy["df"].iloc[0]), 1)
        source = f"models.{pool.key}.tidy.0.df"
        return (
            f" The estimate is imprecise: too few independent studies (df = {cited(source, df)})."
        )
    return "" if _direction(pool) else " Its interval includes zero."


def _new_study(analysis: Analysis, pool: Pool, kind: str) -> str:
    mean = pool.predict_r.iloc[0]
    low, high = mean["pi_low"], mean["pi_high"]
    if pool.imprecise or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    if pool.fit is not None and pool.fit.heterogeneity == 0:
        return (
            " No variation between true effects was found, which does not show that there is "
            f"none: {count(pool.counts.studies, 'study', 'studies')} carry the estimate."
        )
    text = (
        f" In a new study the {kind} association may lie anywhere from {_number(pool, 'pi_low')} "
        f"to {_number(pool, 'pi_high')} ({level(analysis)} prediction interval)"
    )
    if low <= 0 <= high:
        studies = count(pool.counts.studies, "study", "studies")
        text += (
            ": no association, or a reverse one, is compatible with these data in some settings, "
            f"and {studies} cannot say which"
        )
    return f"{text}."


def _separation(analysis: Analysis, trait: list[Pool], state: list[Pool]) -> str:
    """What may be said about the two components side by side."""
    alone = [
        f"{pool_title(pool)}: {pool_sentence(pool)}"
        for pool in analysis.main
        if pool.fit is None and pool.component in (*TRAIT, "within")
    ]
    if alone and not (trait and state):
        return "Shown, not pooled: " + " ".join(alone)
    if not trait and not state:
        assumed = {name for name, _, _ in analysis.review.assumed}
        text = (
            "The file does not say what its effects separate; all were taken as totals. "
            if "component" in assumed
            else ""
        )
        if _separate_but_unused(analysis):
            return (
                "Effects of this file that separate differences between patients from changes "
                "within a patient cannot be used yet; the rows that are in no main pool say why."
            )
        return text + (
            "No study here separates differences between patients from changes within a patient, "
            "so these data cannot say which of the two the association reflects."
        )
    return " ".join(text for text in (comparison(analysis), directions(analysis)) if text)


def _separate_but_unused(analysis: Analysis) -> bool:
    """Whether a row is coded as trait-like or state-like that is in no pool."""
    return any(row.effect.text("component") in (*TRAIT, "within") for row in analysis.review.linked)


def sophistication(analysis: Analysis) -> str:
    """Slopes on the index between studies, for total, trait and the primary state pool."""
    if _nothing_coded(analysis):
        return ""
    keys = {"total", *TRAIT, f"within.{analysis.plan.state}"}
    parts = [
        f"{pool_title(analysis.pool(result.pool))}: {text}"
        for place, result in enumerate(analysis.sophistication)
        if result.not_reported == "zero" and result.pool in keys
        if (text := _slope(analysis, place))
    ]
    return " ".join(parts)


def _slope(analysis: Analysis, place: int) -> str:
    result = analysis.sophistication[place]
    pool = analysis.pool(result.pool)
    if result.withheld:
        return f"not tested ({result.withheld})."
    between = result.slopes[result.slopes["term"].str.endswith("between")]
    if between.empty:
        return "its studies do not differ on the index."
    slope = between.iloc[0]
    if slope["df"] < FEWEST_DF:
        studies = count(pool.counts.studies, "study is", "studies are")
        return f"{studies} too few to test it (df = {number(slope['df'], 1)})."
    source = f"questions.sophistication.{place}.slopes.{between.index[0]}"
    shown = [
        cited(f"{source}.{name}", number(slope[name], 3))
        for name in ("estimate", "conf_low", "conf_high")
    ]
    scale = "β" if pool.es_metric == "beta" else "Fisher's z"
    clear = slope["conf_low"] > 0 or slope["conf_high"] < 0
    reading = "larger" if slope["estimate"] > 0 else "smaller"
    meaning = f"{reading} in more sophisticated studies" if clear else "no clear relation"
    return f"{meaning}; {scale} changes by {shown[0]} [{shown[1]}, {shown[2]}] per .1 of the index."


def _nothing_coded(analysis: Analysis) -> bool:
    return all(
        "no effect of this pool has a coded" in result.withheld
        for result in analysis.sophistication
    )


def _limits(analysis: Analysis, state: list[Pool]) -> str:
    if state:
        return (
            f"that improving the {_short(analysis)} improves outcome (the within effects are "
            "observational), nor that it does not."
        )
    return (
        f"that more {construct(analysis)} improves outcome, nor that it does not (these are "
        f"correlations between patients){_not_alliance(analysis)}."
    )


def _not_alliance(analysis: Analysis) -> str:
    if "alliance" in construct(analysis):
        return ""
    return "; nor anything about the alliance, which these studies did not correlate"


def _short(analysis: Analysis) -> str:
    return construct(analysis).removeprefix("therapeutic ")
