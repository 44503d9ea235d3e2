"""Rules that only this field knows: trait and state, paths, samples, published summaries."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from metalliance.coding.derivation import (
    END_FORMS,
    Facts,
    derive,
    derived_component,
    derived_estimand,
    occasions,
)
from metalliance.coding.records import Findings, Linked, Record, doi_of
from metalliance.coding.spreadsheet import note
from metalliance.effectsize.paths import FORWARD
from metalliance.effectsize.slopes import occasion_df

__all__ = ["check_field_rules", "check_review"]

STATE_CLAIMS = ("state-like", "within")
COEFFICIENT_STATS = ("b", "beta", "beta_within", "t")
COMPONENT_RULES: Mapping[str, tuple[str, str]] = {
    "contextual": (
        "a coefficient on a person mean beside an uncentred predictor is contextual: the between "
        "coefficient minus the within one",
        "leave component blank, or correct the alliance terms",
    ),
    "between_change": (
        "a change score or slope differs between patients: it is between_change, whatever its "
        "authors call it",
        "leave component blank, or correct the alliance term",
    ),
    "blended": (
        "a slope of uncentred alliance without the person mean mixes both components: blended",
        "leave component blank, or add the other alliance term",
    ),
}
PUBLISHED_SLACK = 0.05


def check_field_rules(linked: Linked, facts: Facts, findings: Findings) -> None:
    """Every rule about one effect alone."""
    _within_measured_once(linked, facts, findings)
    _component(linked, findings)
    _estimand(linked, findings)
    _change_claimed(linked, facts, findings)
    _patient_df(linked, facts, findings)
    _outcome_first(linked, facts, findings)
    _bounded_within(linked, facts, findings)
    _metric_of_slope(linked, facts, findings)


def _within_measured_once(linked: Linked, facts: Facts, findings: Findings) -> None:
    outcome, effect = linked.outcome, linked.effect
    by_terms = derived_component(effect.text("alliance_term"), effect.text("other_alliance_term"))
    if facts.component != "within" or by_terms not in ("", "within"):
        return
    times = math.nan if outcome is None else occasions(outcome, "")
    mend = "correct the outcome measure, or the alliance term"
    start = "a within-patient effect needs an outcome measured more than once, and "
    if effect.text("lag") == "post":
        what = f"{start}lag post means one outcome at the end"
        findings.add("error", effect, "lag", what, mend, "within-once")
    elif outcome is not None and times == 1:
        named = "n_assessments" if outcome.number("n_assessments") == 1 else "first_session"
        what = f"{start}{outcome.address(named)} says once"
        findings.add("error", effect, "outcome", what, mend, "within-once")
    elif outcome is not None and math.isnan(times) and outcome.text("outcome_form") in END_FORMS:
        form = outcome.text("outcome_form")
        what = f"{start}{outcome.address('outcome_form')} says {form}"
        findings.add("error", effect, "outcome", what, mend, "within-once")


def _component(linked: Linked, findings: Findings) -> None:
    effect = linked.effect
    coded = effect.text("component")
    derived = derived_component(effect.text("alliance_term"), effect.text("other_alliance_term"))
    if not coded or not derived or coded == derived:
        return
    rule = COMPONENT_RULES.get(derived)
    if rule is not None:
        what, mend = rule
        findings.add("error", effect, "component", what, mend, derived.replace("_", "-"))
    else:
        what = f"the alliance terms make this {derived}"
        findings.ask(effect, "component", what, "correct one of them", "component")


def _estimand(linked: Linked, findings: Findings) -> None:
    """Correlations of one session, of a later one, and net of the outcome before never mix."""
    effect = linked.effect
    coded = effect.text("estimand")
    component = effect.text("component") or derived_component(
        effect.text("alliance_term"), effect.text("other_alliance_term")
    )
    follows = derived_estimand(linked, component) if component else ""
    if linked.flat and (coded, follows) == ("lagged_partial", "lagged_r"):
        return  # one table has no model, so that only the coder knows of the lagged outcome
    if coded and follows and coded != follows:
        what = f"component, lag and model make this {follows}; the estimands are never mixed"
        mend = "leave estimand blank, or correct lag or lagged_outcome"
        findings.add("error", effect, "estimand", what, mend, "estimand")


def _change_claimed(linked: Linked, facts: Facts, findings: Findings) -> None:
    effect = linked.effect
    claimed = effect.text("component_claimed")
    if facts.component == "between_change" and claimed in STATE_CLAIMS:
        what = (
            f"the authors call it {claimed}; a change score is a difference between patients and "
            "is pooled as between_change"
        )
        cell = effect.coded("component_claimed").cell
        findings.problems.append(note(effect.sheet, cell, what, "", "change-claimed", claimed))


def _patient_df(linked: Linked, facts: Facts, findings: Findings) -> None:
    """Degrees of freedom of patients turn a small within-patient t into a large correlation."""
    effect = linked.effect
    df = effect.number("df")
    n = _number(linked, "n")
    if facts.component != "within" or effect.text("stat") not in COEFFICIENT_STATS:
        return
    if df is None or n is None or df > n:
        return
    sessions = _number(linked, "sessions_mean", "sessions")
    total = effect.number("n_obs") or (None if sessions is None else n * sessions)
    lag = 0 if math.isnan(facts.lag) else int(facts.lag)
    known = "" if total is None else f" ({occasion_df(n, total, lag):g} here)"
    what = (
        f"looks like degrees of freedom of {n:g} patients; a within-patient t has those of "
        f"occasions{known}, and would be read as far too large a correlation"
    )
    mend = "leave df blank and give n_obs, or n and sessions_mean"
    findings.add("error", effect, "df", what, mend, "patient-df")


def _number(linked: Linked, name: str, in_model: str = "") -> float | None:
    own = linked.effect.number(name)
    if own is not None or linked.model is None:
        return own
    return linked.model.number(in_model or name)


def _outcome_first(linked: Linked, facts: Facts, findings: Findings) -> None:
    """An outcome that was measured before the alliance is no outcome of it."""
    alliance, outcome = linked.alliance, linked.outcome
    if alliance is None or outcome is None or facts.path != FORWARD:
        return
    start, end = alliance.number("first_session"), outcome.number("last_session")
    end = outcome.number("first_session") if end is None else end
    before = outcome.text("first_session") == "pre" and outcome.text("last_session") in ("", "pre")
    if (start is not None and end is not None and end < start) or before:
        what = "the outcome was measured before the alliance"
        mend = "path outcome→alliance, or undirected?"
        findings.ask(linked.effect, "outcome", what, mend, "outcome-first")


def _metric_of_slope(linked: Linked, facts: Facts, findings: Findings) -> None:
    """A standardised slope within patients says by which standard deviations.

    Latent within components have no others; of centred scores programs often take the total ones.
    """
    effect = linked.effect
    stat, term = effect.text("stat"), effect.text("alliance_term")
    if facts.component != "within" or stat not in ("beta", "beta_within") or linked.flat:
        return
    if effect.text("metric") == "" and term != "latent within":
        what = (
            "by which standard deviations is this slope standardised? Within-patient ones are taken"
        )
        mend = "choose SD within, or SD total (which needs both ICCs)"
        findings.ask(effect, "metric", what, mend, "slope-metric")


def _bounded_within(linked: Linked, facts: Facts, findings: Findings) -> None:
    """A raw slope or a t within patients, without the standard deviations that would scale it."""
    effect = linked.effect
    if facts.component != "within" or effect.text("stat") not in ("b", "t") or linked.flat:
        return
    if effect.text("metric").startswith("SD"):
        return
    pairs = [effect.number("sd_x"), effect.number("sd_y")]
    for name in ("sd_within", "sd_total"):
        rows = (linked.alliance, linked.outcome)
        pairs += [row.number(name) if row is not None else None for row in rows]
    if any(pairs[n] is not None and pairs[n + 1] is not None for n in (0, 2, 4)):
        return
    what = "without standard deviations within patients only its test is left: a lower bound of |r|"
    mend = "give sd_within of both measures, and say if slopes were random (slope_sd, D4)"
    findings.ask(effect, "value", what, mend, "bounded-within")


def check_review(linked: Sequence[Linked], findings: Findings) -> None:
    """Every rule about several effects or studies."""
    used = [one for one in linked if one.effect.text("role") != "not used"]
    by_study: dict[str, list[Linked]] = {}
    for one in used:
        by_study.setdefault(one.effect.text("study"), []).append(one)
    for rows in by_study.values():
        _same_effect(rows, findings)
        _reverse_path(rows, findings)
        _part_with_whole(rows, findings)
        _published_against_parts(rows, findings)
    studies = list({one.study.key: one.study for one in linked if one.study is not None}.values())
    _shared_samples(studies, findings)
    _alike_samples(studies, findings)


def _same_effect(rows: Sequence[Linked], findings: Findings) -> None:
    """The same two measures, model, term, lag and path of one sample, twice in one role."""
    names = (
        *("alliance", "outcome", "model", "alliance_term", "other_alliance_term", "lag"),
        *("path", "component", "stat", "role"),
    )
    seen: dict[tuple[str, ...], Record] = {}
    for one in rows:
        effect = one.effect
        if not (effect.text("alliance") and effect.text("outcome")) or one.flat:
            continue
        parts = (effect.text(name) or f"{effect.number(name)}" for name in names)
        first = seen.setdefault((one.sample, *parts), effect)
        if first is effect or first.number("value") is None:
            continue
        if first.text("effect") == effect.text("effect"):
            continue
        if first.number("value") == effect.number("value"):
            what = f"has the measures, the model and the value of {first.address('effect')}"
            findings.ask(effect, "effect", what, "is it coded twice?", "same-effect")


def _reverse_path(rows: Sequence[Linked], findings: Findings) -> None:
    """A model that estimates the reverse path has a row for it."""
    reverse = {one.effect.text("model") for one in rows if "outcome→" in one.effect.text("path")}
    for model in _distinct(one.model for one in rows):
        said = model.text("reverse_path")
        if said in ("own model", "same model") and not reverse:
            what = f"the reverse path is estimated ({said}), and no effect of this study has it"
            mend = "code it as a row of its own with path outcome→alliance, value NR if not printed"
            findings.ask(model, "reverse_path", what, mend, "reverse-path")


def _part_with_whole(rows: Sequence[Linked], findings: Findings) -> None:
    """An effect of one part of a study with the n of all of it."""
    parts = {one.sample: one.study for one in rows if one.study is not None}
    if len(parts) < 2:
        return
    started = [part.number("n_start") for part in parts.values()]
    whole = sum(n for n in started if n is not None)
    if any(n is None for n in started):
        return
    for one in rows:
        n = _number(one, "n")
        own = one.study.number("n_start") if one.study is not None else None
        if n is not None and own is not None and own < n <= whole:
            what = (
                f"sample {one.sample} began with {own:g} patients; {n:g} looks like the n of "
                f"the whole study ({whole:g})"
            )
            findings.ask(one.effect, "n", what, "type the n of this part", "part-n")


def _published_against_parts(rows: Sequence[Linked], findings: Findings) -> None:
    """A summary published for a study, against the correlations it was made of.

    The composite of k correlations with mean r̄ lies between r̄ (inter-correlation 1) and r̄√k (0).
    """
    by_sample: dict[str, list[Linked]] = {}
    for one in rows:
        if one.effect.text("stat") == "r" and one.effect.number("value") is not None:
            by_sample.setdefault(one.sample, []).append(one)
    for members in by_sample.values():
        summaries = [one for one in members if one.effect.text("role") == "sensitivity"]
        parts = [one for one in members if one.effect.text("role") != "sensitivity"]
        if len(summaries) != 1 or not parts:
            continue
        r = [(one.effect.number("value") or 0.0) * (derive(one).sign or 1) for one in parts]
        mean = sum(r) / len(r)
        low, high = sorted((mean, mean * math.sqrt(len(r))))
        effect = summaries[0].effect
        value = (effect.number("value") or 0.0) * (derive(summaries[0]).sign or 1)
        if value < low - PUBLISHED_SLACK or value > high + PUBLISHED_SLACK:
            what = (
                f"the {len(r)} correlations of this sample have a mean of {mean:.2f} and a "
                f"composite of at most {high:.2f}"
                if mean >= 0
                else f"the {len(r)} correlations of this sample have a mean of {mean:.2f} and a "
                f"composite of at least {low:.2f}"
            )
            mend = "read both in the report again"
            findings.ask(effect, "value", f"{what}: this value is neither", mend, "published-r")


def _shared_samples(studies: Sequence[Record], findings: Findings) -> None:
    by_sample: dict[str, list[Record]] = {}
    for record in studies:
        by_sample.setdefault(record.text("sample") or record.text("study"), []).append(record)
    for sample, records in by_sample.items():
        names = list(dict.fromkeys(record.text("study") for record in records))
        if len(names) > 1:
            what = f"{' and '.join(names)} report on sample {sample} and count as one cluster"
            place = records[1]
            cell = place.coded("sample").cell
            findings.problems.append(note(place.sheet, cell, what, "", "shared-sample", sample))


def _alike_samples(studies: Sequence[Record], findings: Findings) -> None:
    """Two studies that look like reports on the same patients."""
    seen: dict[tuple[str, ...], Record] = {}
    for record in studies:
        for key in _marks(record):
            first = seen.setdefault(key, record)
            same = (first.text("sample") or first.text("study")) == (
                record.text("sample") or record.text("study")
            )
            if first is record or same or first.text("study") == record.text("study"):
                continue
            what = f"{key[0]} {key[1]} is also that of {first.text('study')} ({first.address()})"
            mend = "if the patients are the same, give both the same sample id"
            field = "doi" if key[0] == "DOI" else "n_start"
            findings.ask(record, field, what, mend, "same-sample")
            break


def _marks(record: Record) -> Iterable[tuple[str, ...]]:
    if doi_of(record):
        yield "DOI", doi_of(record)
    author = (record.text("authors") or record.text("citation")).split(",")[0].strip().casefold()
    started = record.number("n_start")
    if author and started is not None:
        yield "first author and number of patients", f"{author}, {started:g}"


def _distinct(records: Iterable[Record | None]) -> list[Record]:
    return list({r.key: r for r in records if r is not None and r.row}.values())
