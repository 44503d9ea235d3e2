"""The methods section, written from what was done."""

from __future__ import annotations

import pandas as pd

from metalliance.report.labels import construct, is_simulated, level, pool_title
from metalliance.report.numbers import correlation, count, number
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["REFERENCES", "methods_paragraphs", "references"]

REFERENCES: dict[str, str] = {
    "fisher": "Fisher, R. A. (1921). On the “probable error” of a coefficient of correlation "
    "deduced from a small sample. Metron, 1, 3–32.",
    "hartung": "Knapp, G., & Hartung, J. (2003). Improved tests for a random effects "
    "meta-regression with a single covariate. Statistics in Medicine, 22, 2693–2710. "
    "https://doi.org/10.1002/sim.1482",
    "reml": "Viechtbauer, W. (2005). Bias and efficiency of meta-analytic variance estimators in "
    "the random-effects model. Journal of Educational and Behavioral Statistics, 30, 261–293. "
    "https://doi.org/10.3102/10769986030003261",
    "che": "Pustejovsky, J. E., & Tipton, E. (2022). Meta-analysis with robust variance "
    "estimation: Expanding the range of working models. Prevention Science, 23, 425–438. "
    "https://doi.org/10.1007/s11121-021-01246-3",
    "cr2": "Pustejovsky, J. E., & Tipton, E. (2018). Small-sample methods for cluster-robust "
    "variance estimation and hypothesis testing in fixed effects models. Journal of Business & "
    "Economic Statistics, 36, 672–683. https://doi.org/10.1080/07350015.2016.1247004",
    "i2": "Higgins, J. P. T., & Thompson, S. G. (2002). Quantifying heterogeneity in a "
    "meta-analysis. Statistics in Medicine, 21, 1539–1558. https://doi.org/10.1002/sim.1186",
    "pi": "Riley, R. D., Higgins, J. P. T., & Deeks, J. J. (2011). Interpretation of random "
    "effects meta-analyses. BMJ, 342, d549. https://doi.org/10.1136/bmj.d549",
    "olkin": "Olkin, I., & Finn, J. D. (1995). Correlations redux. Psychological Bulletin, 118, "
    "155–164. https://doi.org/10.1037/0033-2909.118.1.155",
    "rmcorr": "Bakdash, J. Z., & Marusich, L. R. (2017). Repeated measures correlation. Frontiers "
    "in Psychology, 8, 456. https://doi.org/10.3389/fpsyg.2017.00456",
    "adhoc": "Röver, C., Knapp, G., & Friede, T. (2015). Hartung-Knapp-Sidik-Jonkman approach and "
    "its modification for random-effects meta-analysis with few studies. BMC Medical Research "
    "Methodology, 15, 99. https://doi.org/10.1186/s12874-015-0091-1",
    "bivariate": "Jackson, D., Riley, R., & White, I. R. (2011). Multivariate meta-analysis: "
    "Potential and promise. Statistics in Medicine, 30, 2481–2498. "
    "https://doi.org/10.1002/sim.4172",
    "robinson": "Robinson, W. S. (1950). Ecological correlations and the behavior of individuals. "
    "American Sociological Review, 15, 351–357. https://doi.org/10.2307/2087176",
    "holm": "Holm, S. (1979). A simple sequentially rejective multiple test procedure. "
    "Scandinavian Journal of Statistics, 6, 65–70. https://www.jstor.org/stable/4615733",
    "fdr": "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: A "
    "practical and powerful approach to multiple testing. Journal of the Royal Statistical "
    "Society: Series B, 57, 289–300. https://doi.org/10.1111/j.2517-6161.1995.tb02031.x",
    "harrell": "Harrell, F. E. (2015). Regression modeling strategies (2nd ed.). Springer. "
    "https://doi.org/10.1007/978-3-319-19425-7",
    "zilcha": "Zilcha-Mano, S. (2017). Is the alliance really therapeutic? Revisiting this "
    "question in light of recent methodological advances. American Psychologist, 72, 311–325. "
    "https://doi.org/10.1037/a0040435",
}


#: Simulated coverage of 95% prediction intervals (REML, Knapp–Hartung; τ² .01 and .03), by number
#: of studies; a test holds it to the stored simulation.
COVERAGE: dict[int, tuple[str, str]] = {
    5: (".86", ".88"),
    10: (".85", ".91"),
    20: (".88", ".93"),
    40: (".92", ".94"),
}


QUALITY_WORDS = {
    "approximated": "rest on an approximation",
    "bounded": "are bounds rather than estimates",
}


def methods_paragraphs(analysis: Analysis) -> tuple[str, ...]:
    """Paragraphs of the methods section: effects, pooling, heterogeneity, regression, software."""
    paragraphs = [
        _effects(analysis),
        _conversions(analysis),
        _pooling(analysis),
        _heterogeneity(analysis),
        _jointly(analysis),
        _synthesis(analysis),
        _sophistication(analysis),
        _moderators(analysis),
        _sensitivity(analysis),
        _software(analysis),
    ]
    return tuple(paragraph for paragraph in paragraphs if paragraph)


def references(analysis: Analysis) -> tuple[str, ...]:
    """References that the methods section of this analysis uses."""
    used = {"zilcha", "fisher", "i2", "pi"}
    for pool in _fitted(analysis):
        used |= {"che", "cr2"} if _dependent(pool) else {"hartung", "adhoc", "reml"}
        if pool.effects.correlations is not None:
            used.add("olkin")
    if _by_occasions(analysis):
        used.add("rmcorr")
    if _jointly(analysis):
        used.add("bivariate")
    if _synthesis(analysis):
        used.add("robinson")
    if _sophistication(analysis):
        used |= {"holm", "fdr", "harrell"}
    if _moderators(analysis):
        used |= {"holm", "fdr"}
    return tuple(sorted(text for key, text in REFERENCES.items() if key in used))


def _jointly(analysis: Analysis) -> str:
    """The joint models: components, and directions."""
    answers = analysis.answers
    joints = [a.result.joint for a in answers.trait_state.values() if a.result is not None]
    pairs = ["trait-like and state-like associations"] if joints else []
    if answers.reciprocal.result is not None:
        joints.append(answers.reciprocal.result.joint)
        pairs.append("lagged coefficients of both directions")
    if not joints:
        return ""
    text = (
        f"{' and '.join(pairs).capitalize()} were compared in bivariate random-effects models "
        "(Jackson et al., 2011): each part had its own heterogeneity, sampling errors of the two "
        "parts were taken as independent and those of one part as in its pool, and the difference "
        "was tested by CR2."
    )
    if any(joint.structure == "DIAG" for joint in joints):
        text += (
            " Where fewer than ten independent studies give both parts, the correlation of their "
            "true effects was held at 0, and at .4 and .8 beside it."
        )
    return text


def _synthesis(analysis: Analysis) -> str:
    result = analysis.answers.synthesis.result
    if result is None:
        return ""
    plan = analysis.plan
    return (
        "Correlations that do not separate trait from state were taken as weighted sums of a "
        "latent between-patient and a same-session within-patient correlation. The weights follow "
        "from the sessions that enter the two scores, the sessions they share, and intraclass "
        f"correlations of {correlation(plan.icc_x[0])} (alliance, {correlation(plan.icc_x[1])} to "
        f"{correlation(plan.icc_x[2])}) and {correlation(plan.icc_y[0])} (outcome, "
        f"{correlation(plan.icc_y[1])} to {correlation(plan.icc_y[2])}) where a study gives none "
        "(Robinson, 1950). Deviations at different sessions were taken as unrelated. Both "
        "correlations were estimated in a random-coefficients model with CR2 standard errors; the "
        "assumed intraclass correlations, common to all studies, were drawn from their bands and "
        "their share of the variance added. Effects of change, adjusted for baseline, or on "
        "dropout did not enter."
    )


def _fitted(analysis: Analysis) -> list[Pool]:
    return [pool for pool in analysis.pools if pool.fit is not None]


def _dependent(pool: Pool) -> bool:
    return pool.fit is not None and bool(pool.fit.call.get("random"))


def _routes(pool: Pool) -> set[str]:
    return set(pool.effects.usable["route"].astype(str))


def _effects(analysis: Analysis) -> str:
    routes: set[str] = set()
    for pool in analysis.pools:
        routes |= _routes(pool)
    text = (
        f"Every effect was oriented so that a positive value means that {construct(analysis)} "
        "at its favourable end goes with a better outcome. Correlations were analysed as Fisher's "
        "z (Fisher, 1921) with sampling variance 1/(n − 3)"
    )
    if "r_partial" in routes:
        text += ", partial correlations with 1/(n − m − 2), m predictors in the model"
    if _by_occasions(analysis):
        text += (
            ", correlations of occasions within patients with 1/(occasions − patients − 2) "
            "(Bakdash & Marusich, 2017)"
        )
    text += ". Results are printed as r."
    if any(pool.es_metric == "beta" for pool in analysis.pools):
        text += (
            " Standardised coefficients net of the lagged outcome were pooled as they are, with "
            "their squared standard error as variance."
        )
    if is_simulated(analysis):
        text = "All data are simulated; no row is a real study. " + text
    return text


def _by_occasions(analysis: Analysis) -> bool:
    """Whether a correlation of occasions came with their number."""
    return any(
        bool((rows["route"].isin(["r within", "z within"]) & rows["quality"].eq("direct")).any())
        for rows in (pool.effects.usable for pool in analysis.pools)
    )


def _conversions(analysis: Analysis) -> str:
    """From which statistics the pooled effects came, and how exact that is."""
    main = [pool.effects.usable for pool in _fitted(analysis) if pool.role == "main"]
    rows = pd.concat(main, ignore_index=True) if main else pd.DataFrame()
    converted = rows[rows["quality"].ne("direct")] if len(rows) else rows
    text = ""
    if len(converted):
        stats = converted["reported"].str.split(" = ").str[0].value_counts()
        named = ", ".join(f"{stat} ({number_of})" for stat, number_of in stats.items())
        worst = converted["quality"].value_counts()
        flags = [
            f"{count(int(worst[name]), 'effect')} {words}"
            for name, words in QUALITY_WORDS.items()
            if name in worst
        ]
        text = (
            f"Of {count(len(rows), 'pooled effect')}, {len(converted)} were converted from other "
            f"statistics: {named}. "
        )
        text += f"Of these, {' and '.join(flags)}. " if flags else ""
        text += "The arithmetic of each stands in the effect table (column trace)."
    bare = int(analysis.excluded["status"].eq("no value").sum())
    if bare:
        text += (
            f" {count(bare, 'result')} reported without a number (not significant, or only a bound "
            "on p) could not be pooled; leaving such results out favours larger associations."
        )
    return text.strip()


def _pooling(analysis: Analysis) -> str:
    fitted = _fitted(analysis)
    if not fitted:
        return ""
    method = analysis.plan.method
    plain = [pool_title(pool) for pool in fitted if not _dependent(pool)]
    nested = [pool_title(pool) for pool in fitted if _dependent(pool)]
    text = (
        "Effects of one component, one estimand and one direction of the path form a pool; pools "
        "are never mixed, and no overall mean is drawn across components (Zilcha-Mano, 2017)."
    )
    if plain:
        text += (
            f" Where every study had one effect ({'; '.join(plain)}), a random-effects model was "
            f"fitted by {method} (Viechtbauer, 2005) with Knapp–Hartung inference "
            "(Knapp & Hartung, 2003)."
        )
    if nested:
        text += (
            f" Where studies had several effects ({'; '.join(nested)}), a three-level model of "
            f"effects within studies was fitted by {method}, with sampling errors of effects of "
            f"one sample assumed to correlate {number(analysis.plan.rho).lstrip('0')}, and "
            "cluster-robust CR2 standard errors with Satterthwaite degrees of freedom "
            "(Pustejovsky & Tipton, 2018, 2022). Studies that share patients form one cluster."
        )
        if any(pool.effects.correlations is not None for pool in fitted):
            text += (
                " Where a report prints the correlations between its measures, the sampling "
                "correlation of its effects was computed from them instead (Olkin & Finn, 1995)."
            )
    return text


def _heterogeneity(analysis: Analysis) -> str:
    if not _fitted(analysis):
        return ""
    return (
        f"Intervals are {level(analysis)} intervals. "
        "Heterogeneity is reported as τ on the scale of the model, I² relative to the typical "
        "sampling variance (Higgins & Thompson, 2002), Q, and a prediction interval for the "
        "effect of a new study (Riley et al., 2011) by t on one degree of freedom less than there "
        "are independent studies, which is not given below "
        f"{count(analysis.plan.minimum_clusters_prediction, 'cluster')}. In simulations of "
        "alliance-like data (REML, τ² .01 and .03), nominal 95% prediction intervals held the true "
        "effect of a new study in "
        f"{_coverage()} where effects are independent, and in about .93 to .94 where they are "
        "dependent."
    )


def _coverage() -> str:
    """Coverage of prediction intervals as ``docs/validation.md`` records it."""
    parts = [f"{low} to {high} of cases with {n}" for n, (low, high) in COVERAGE.items()]
    return ", ".join(parts[:-1]) + f" and {parts[-1]} studies"


def _sophistication(analysis: Analysis) -> str:
    if all(result.withheld for result in analysis.sophistication):
        return ""
    planned = analysis.plan.moderators.get("sophistication") == "planned"
    text = (
        "Methodological sophistication was scored per effect on up to 15 items (temporal "
        "precedence, prior symptom control, reverse causation, manipulation, repeated measurement, "
        "trend, dynamic-panel bias, nesting, measurement error, confounds, heterogeneity, "
        "independent rater, missing data, registration) as the sum over its maximum. The item that "
        "defines the component is left out. Effects were regressed on the study's mean index and "
        "on the deviation from it, within one component and estimand. "
    )
    text += (
        "The plan names this regression."
        if planned
        else "The index is new, and the regression exploratory: the plan does not name it."
    )
    return text + (
        " Each item was also a moderator of its own, with p-values adjusted by Holm (1979) and "
        "Benjamini and Hochberg (1995), and several items or domains entered together, at most one "
        "for ten independent studies. The slope of the index was estimated again without each "
        "item and beside year of publication and the logarithm of n, and tested for a bend by a "
        "natural cubic spline (Harrell, 2015)."
    )


def _moderators(analysis: Analysis) -> str:
    """The plan's moderators, where any regression on one was fitted."""
    fitted = analysis.moderators[analysis.moderators["withheld"].eq("")]
    if fitted.empty:
        return ""
    parts = []
    for status in ("planned", "exploratory"):
        names = dict.fromkeys(fitted.loc[fitted["status"].eq(status), "moderator"])
        if names:
            parts.append(f"{status}: {', '.join(names)}")
    return (
        f"Moderators were tested one at a time within a pool ({'; '.join(parts)}), with p-values "
        "adjusted by Holm (1979) and Benjamini and Hochberg (1995) among the moderators of a pool, "
        "planned and exploratory apart. Effects without the moderator were left out of its "
        "regression, and so were levels of fewer than four independent studies."
    )


def _sensitivity(analysis: Analysis) -> str:
    if analysis.sensitivity.empty and not analysis.leave_one_out:
        return ""
    grid = " and ".join(number(rho, 1).lstrip("0") for rho in analysis.plan.rho_grid)
    left_out = any(len(table) for table in analysis.leave_one_out.values())
    parts = ["leaving out one study at a time"] if left_out else []
    tried = set(analysis.sensitivity["check"])
    if "sampling correlation" in tried and grid:
        parts.append(f"assuming sampling correlations of {grid}")
    if "standard error" in tried:
        parts.append("not letting the Knapp–Hartung factor fall below 1 (Röver et al., 2015)")
    if "subset" in tried:
        parts.append("leaving out effects that were not taken directly from a correlation")
    if not parts:
        return ""
    return f"Sensitivity was examined by {'; '.join(parts)}."


def _software(analysis: Analysis) -> str:
    software = analysis.manifest["software"]
    versions = software if isinstance(software, dict) else {}
    return (
        f"Computed with metalliance {versions.get('metalliance', '')} (Python "
        f"{versions.get('python', '')}, NumPy {versions.get('numpy', '')}, SciPy "
        f"{versions.get('scipy', '')})."
    )
