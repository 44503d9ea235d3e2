"""The answer of ``fit`` as a page of plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from metalliance.cli.answer import Answer
from metalliance.cli.layout import digits_for, labelled, limits, table, wrapped
from metalliance.report.numbers import (
    ABSENT,
    correlation,
    count,
    interval,
    number,
    p_value,
    percent,
)

__all__ = ["summary"]

TOLD_AT_MOST = 5

LOWEST_DF, REASONS = 4, 4
SYMBOLS = {"tau2": "tau²", "sigma2": "sigma²", "rho": "rho", "i2": "I²", "h2": "H²"}
ERRORS = {
    "model": "model-based standard errors",
    "knha": "Knapp–Hartung standard errors",
    "adhoc": "Knapp–Hartung standard errors, never smaller than model-based ones",
}
TESTS = {
    "z": "z tests",
    "t": "t tests",
    "satterthwaite": "t tests with Satterthwaite df",
    "naive-t": "t tests on clusters − 1 df",
    "naive-tp": "t tests on clusters − coefficients df",
}
TRANSFORMS = {"r": "r (tanh of z)", "r_int": "r (mean correlation)"}


def summary(found: Answer) -> Iterator[str]:
    """The lines of the page."""
    yield from _model(found)
    yield from ("", f"Coefficients, scale: {found.rows.scale(found.asked.yi)}")
    yield from _coefficients(found)
    yield ""
    yield from _univariate(found) if found.fit.univariate else _components(found)
    yield from ("", *_tests(found))
    yield from _means(found)
    yield from _further_tests(found)
    yield from ("", *_closing(found))


def _model(found: Answer) -> Iterator[str]:
    call, model, inference = found.fit.call, found.fit, found.inference
    yield from labelled("Model", f"{_kind(found)}, {model.method}")
    yield from labelled("Moderators", call["mods"] if not model.design.is_mean_only else "none")
    if model.design.levels and model.design.intercept is not None:
        first = (f"{name} = {levels[0]}" for name, levels in model.design.levels.items())
        yield from labelled("Reference", ", ".join(first))
    if not model.univariate:
        random = call["random"]
        yield from labelled("Random", random if isinstance(random, str) else "; ".join(random))
    for label, name in (("Structure", "structure"), ("Weights", "weights")):
        if call.get(name):
            text = call[name]
            yield from labelled(label, text if isinstance(text, str) else ", ".join(text))
    held = [
        f"{SYMBOLS[part.name]} {part.term}".strip() + f" = {part.estimate:g}"
        for part in model.components
        if part.fixed and model.method != "EE"
    ]
    if held:
        yield from labelled("Held", ", ".join(held))
    yield from labelled("Sampling V", call["V"])
    errors = ERRORS.get(inference.vcov_type, f"{inference.vcov_type} standard errors")
    by = f"; clusters: {inference.cluster_name}" if inference.sandwich is not None else ""
    yield from labelled("Inference", f"{errors}, {TESTS[inference.test]}{by}")
    yield from labelled("Data", _data(found))
    yield from _left_out(found)


def _kind(found: Answer) -> str:
    model = found.fit
    if not model.univariate:
        return "multilevel model" if model.design.is_mean_only else "multilevel meta-regression"
    if not model.design.is_mean_only:
        return "meta-regression"
    return "equal-effects model" if model.method == "EE" else "random-effects model"


def _data(found: Answer) -> str:
    frame, inference = found.fit.data, found.inference
    parts = [count(len(frame), "effect")]
    if inference.sandwich is not None or not found.fit.univariate:
        parts.append(count(inference.n_clusters, "cluster"))
    if "study" in frame.columns:
        parts.append(count(frame["study"].nunique(), "study", "studies"))
    of = "simulated data, " if found.rows.simulated else ""
    return f"{found.asked.file.name}: {of}{', '.join(parts)}"


def _left_out(found: Answer) -> Iterator[str]:
    rows, asked = found.rows, found.asked
    other = rows.read - rows.incomplete - len(rows.frame)
    if asked.where:
        names = dict.fromkeys(name for name, _ in asked.where)
        said = " and ".join(
            (" and " if name.endswith("!") else " or ").join(
                f"{name}={value}" for key, value in asked.where if key == name
            )
            for name in names
        )
        yield from labelled("Only", f"{said} ({other} of {rows.read} rows are not)")
    if len(rows.unusable):
        text = f"{count(len(rows.unusable), 'row')} of the review without an effect:"
        yield from labelled("Left out", text)
        reasons = rows.unusable["reason"].value_counts()
        for reason, number_of in reasons.head(REASONS).items():
            yield from labelled("", f"{number_of} × {reason}")
        if len(reasons) > REASONS:
            more = int(reasons.iloc[REASONS:].sum())
            yield from labelled("", f"and {more} more; metalliance check names the cells")
    if rows.incomplete:
        yield from labelled("Left out", f"{count(rows.incomplete, 'row')} lacking a moderator:")
    for row in rows.missing.itertuples():
        if row.k_missing:
            studies = row.studies_missing
            of = "" if math.isnan(studies) else f" of {count(studies, 'study', 'studies')}"
            text = f"{row.moderator} is missing in {count(row.k_missing, 'row')}{of}"
            only = f"{row.only_this} lack nothing else"
            yield from labelled("", f"{text} ({percent(row.percent)}; {only})")
    for assumed in rows.assumed:
        yield from labelled("Assumed", assumed)


def _coefficients(found: Answer) -> list[str]:
    letter = "z" if found.inference.test == "z" else "t"
    lines = []
    for row, few in zip(found.tidy.itertuples(), found.inference.imprecise, strict=True):
        digits = digits_for(row.std_error)
        lines.append(
            (
                row.term,
                number(row.estimate, digits),
                number(row.std_error, digits),
                number(row.statistic),
                _df(row.df) + ("*" if few else ""),
                _p(row.p_value),
                limits(row.conf_low, row.conf_high, digits),
            )
        )
    titles = ("term", "estimate", "SE", letter, "df", "p", f"{_level(found)} CI")
    shown = table(titles, lines)
    if found.inference.imprecise.any():
        why = f"* df below {LOWEST_DF}, or it rests on one cluster: "
        shown.append(f"{why}read neither p nor interval at face value")
    return shown


def _univariate(found: Answer) -> list[str]:
    glance = found.glance.iloc[0]
    if found.fit.method == "EE":
        shown = [("I²", percent(glance["i2"], 1)), ("H²", number(glance["h2"]))]
        return ["Heterogeneity (one true effect is assumed)", *table(("", "estimate"), shown)]
    tau2 = float(glance["tau2"])
    digits = digits_for(tau2, 4)
    rows = [
        ("tau²", number(tau2, digits), number(glance["se_tau2"], digits)),
        ("tau", number(math.sqrt(tau2), digits), ""),
        ("I²", percent(glance["i2"], 1), ""),
        ("H²", number(glance["h2"]), ""),
    ]
    bounds = {row.name: row for row in _rows(found.confint)}
    between = [_between(bounds, "tau2", digits), "", _between(bounds, "i2", 1, "%")]
    between.append(_between(bounds, "h2", 2))
    if "tau2" in bounds:
        low, high = (math.sqrt(bounds["tau2"].conf_low), math.sqrt(bounds["tau2"].conf_high))
        between[1] = limits(low, high, digits)
    if math.isfinite(glance["r2"]):
        rows.append(("R², tau² that the moderators explain", percent(glance["r2"], 1), ""))
        between.append("")
    title = "Heterogeneity" if found.fit.design.is_mean_only else "Residual heterogeneity"
    lines = [(*row, ends) for row, ends in zip(rows, between, strict=True)]
    return [title, *table(("", "estimate", "SE", _interval_title(found)), lines)]


def _rows(frame: pd.DataFrame | None) -> list[Any]:
    return [] if frame is None else list(frame.itertuples())


def _between(bounds: dict[str, Any], name: str, digits: int, unit: str = "") -> str:
    row = bounds.get(name)
    if row is None:
        return ""
    text = limits(row.conf_low, row.conf_high, digits)
    return text.replace(",", f"{unit},").replace("]", f"{unit}]")


def _components(found: Answer) -> list[str]:
    shares = iter(found.heterogeneity.itertuples())
    groups = {term.name: term.levels for term in found.fit.random}
    rows = []
    for row, part in zip(found.components.itertuples(), found.fit.components, strict=True):
        name = f"{SYMBOLS[row.name]} {row.term}"
        if row.term in groups:
            name += f" ({groups[row.term]} groups)"
        is_variance = row.name != "rho"
        share = next(shares).i2_matrix if is_variance else math.nan
        digits = digits_for(row.estimate, 4) if is_variance else 2
        bounds = (
            limits(row.conf_low, row.conf_high, digits)
            if is_variance
            else interval(row.conf_low, row.conf_high)
        )
        rows.append(
            (
                name + (", held" if part.fixed else ""),
                number(row.estimate, digits) if is_variance else correlation(row.estimate),
                number(math.sqrt(row.estimate), 3) if is_variance else ABSENT,
                bounds,
                percent(share, 1),
            )
        )
    total = next(shares)
    variance = number(total.variance, digits_for(total.variance, 4))
    spread = number(math.sqrt(total.variance), 3)
    if len(rows) > 1:
        rows.append(("total", variance, spread, ABSENT, percent(total.i2_matrix, 1)))
    title = "Heterogeneity" if found.fit.design.is_mean_only else "Residual heterogeneity"
    return [title, *table(("", "estimate", "SD", _interval_title(found), "I²"), rows)]


def _tests(found: Answer) -> Iterator[str]:
    glance, design = found.glance.iloc[0], found.fit.design
    what = "heterogeneity" if design.is_mean_only else "residual heterogeneity"
    q = f"Q({glance['q_df']:.0f}) = {number(glance['q'])}, p {p_value(glance['q_p'])}"
    yield f"Test of {what}: {q}"
    if not design.is_mean_only:
        what = "all coefficients" if design.intercept is None else "moderators"
        yield f"Test of {what}: " + _joint(
            glance["qm_test"], glance["qm"], glance["qm_df"], glance["qm_df2"], glance["qm_p"]
        )
    if len(found.tests) > 1:
        for row in found.tests.itertuples():
            said = _joint(row.test, row.statistic, row.df_num, row.df_den, row.p_value)
            yield from wrapped(f"  {row.terms}: {said}")


def _joint(kind: str, statistic: float, df: float, df2: float, p: float) -> str:
    if not math.isfinite(statistic):
        return "no joint test, the clusters are too few"
    symbol = "χ²" if kind == "chisq" else "F"
    second = f", {_df(df2)}" if math.isfinite(df2) else ""
    note = " (HTZ)" if kind == "HTZ" else ""
    if math.isfinite(df2) and df2 < LOWEST_DF:
        note += f"; imprecise, df below {LOWEST_DF}"
    return f"{symbol}({df:.0f}{second}) = {number(statistic)}, p {p_value(p)}{note}"


def _means(found: Answer) -> Iterator[str]:
    asked = found.asked
    if not (found.fit.design.is_mean_only or asked.at or asked.newdata):
        yield from ("", *wrapped('Means at values of the moderators: add --at "column=value".'))
        return
    single = len(found.labels) == 1 and found.labels[0] == "mean"
    whose = "a new effect" if asked.target == "effect" else "the mean of a new study"
    for frame, scale in (
        (found.predict, found.rows.scale(asked.yi)),
        (found.predict_r, TRANSFORMS.get(found.transform or "", "")),
    ):
        if frame is None:
            continue
        on_r = frame is found.predict_r
        lines = [
            ("" if single else label, *_mean_row(row, on_r))
            for label, row in zip(found.labels, frame.itertuples(), strict=True)
        ]
        titles = ("", "mean", "SE", f"{_level(found)} CI", f"{_level(found)} PI")
        title = "Mean" if single else "Means"
        yield from ("", f"{title}, scale: {scale}", *table(titles, lines))
    if found.predict["pi_low"].notna().any():
        yield f"PI: prediction interval for {whose}"


def _mean_row(row: Any, on_r: bool) -> tuple[str, ...]:
    if on_r:
        ends = [(row.conf_low, row.conf_high), (row.pi_low, row.pi_high)]
        return (correlation(row.estimate), ABSENT, *(interval(*pair) for pair in ends))
    digits = digits_for(row.std_error)
    return (
        number(row.estimate, digits),
        number(row.std_error, digits),
        limits(row.conf_low, row.conf_high, digits),
        limits(row.pi_low, row.pi_high, digits),
    )


def _further_tests(found: Answer) -> Iterator[str]:
    if found.likelihood_ratio is not None:
        row = found.likelihood_ratio.iloc[0]
        against = "; ".join(found.asked.lrt_against)
        yield ""
        yield from wrapped(
            f"Likelihood ratio against {against}: χ²({row['df']:.0f}) = "
            f"{number(row['statistic'])}, p {p_value(row['p_value'])}"
            + (
                "; this p-value is too large, as the other model sets a variance to zero"
                if row["boundary"]
                else ""
            )
        )
    if found.permutation is not None:
        shown = found.permutation.table
        kind = "every arrangement" if shown["exact"].iloc[0] else "random arrangements"
        yield from ("", f"Permutation tests, {count(shown['permutations'].iloc[0], kind, kind)}")
        rows = [(row.term, number(row.statistic), _p(row.p_value)) for row in shown.itertuples()]
        yield from table(("term", "statistic", "p"), rows)


def _closing(found: Answer) -> Iterator[str]:
    glance, record = found.glance.iloc[0], found.fit.convergence
    likelihood = "restricted log-likelihood" if found.fit.method == "REML" else "log-likelihood"
    yield from wrapped(
        f"Fit: {likelihood} {number(glance['log_lik'], 3)}, AIC {number(glance['aic'])}, "
        f"BIC {number(glance['bic'])}, AICc {number(glance['aicc'])}; {record.method}, converged"
        + (", a component at the edge of its range" if record.boundary else "")
    )
    told = [one for one in found.rows.problems if one.severity in ("note", "question")]
    if len(told) > TOLD_AT_MOST:
        count = f"{len(told)} questions and notes about {found.asked.file.name}"
        yield from wrapped(f"Note: {count}: metalliance check lists them")
    else:
        for problem in told:
            yield from wrapped(f"{problem.severity.capitalize()}: {problem}")
    for text in found.warnings:
        yield from wrapped(f"Warning: {text}")


def _interval_title(found: Answer) -> str:
    kind = {"qprofile": " (Q-profile)", "profile": " (profile)"}.get(
        found.asked.intervals or "", ""
    )
    return f"{_level(found)} CI{kind}"


def _level(found: Answer) -> str:
    return f"{100 * found.asked.level:g}%"


def _p(p: float) -> str:
    return p_value(p).removeprefix("= ")


def _df(df: float) -> str:
    return number(df, 0 if df == round(df) else 1) if math.isfinite(df) else ABSENT
