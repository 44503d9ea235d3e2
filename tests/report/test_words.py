"""One test per rule that chooses a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metalliance.report.robustness import robustness
from metalliance.report.sources import cited, plain, spans
from metalliance.report.words import first_screen, headline, sophistication


def changed(analysis, key, *, keep=None, **values):
    """The analysis with other values in the pooled row of one pool, and only some pools."""
    pools = []
    for pool in analysis.pools:
        if keep is not None and pool.key not in keep:
            continue
        if pool.key == key:
            row = {n: v for n, v in values.items() if n in pool.predict_r}
            rest = {n: v for n, v in values.items() if n not in pool.predict_r}
            pool = replace(pool, predict_r=pool.predict_r.assign(**row), **rest)
        pools.append(pool)
    results = tuple(s for s in analysis.sophistication if keep is None or s.pool in keep)
    return replace(analysis, pools=tuple(pools), sophistication=results)


def screen(analysis):
    """Paragraphs by heading; those without one continue the one above."""
    found, last = {}, ""
    for heading, text in first_screen(analysis):
        last = heading or last
        found[last] = f"{found[last]} {plain(text)}" if last in found else plain(text)
    return found


def shows(analysis):
    return screen(analysis)["What these studies show."]


def test_total_above_zero(congruence):
    text = shows(congruence)
    assert text.startswith(
        "Patients with higher therapist congruence had better outcomes: "
        "total r = .25 [.11, .38], 16 studies."
    )


def test_total_below_zero(congruence):
    text = shows(changed(congruence, "total", estimate=-0.2, conf_low=-0.3, conf_high=-0.1))
    assert "had worse outcomes: total r = −.20 [−.30, −.10]" in text


def test_total_with_zero_inside_claims_no_direction(congruence):
    text = shows(changed(congruence, "total", conf_low=-0.1))
    assert "better outcomes" not in text and "Its interval includes zero." in text


def test_imprecise_total_claims_no_direction_and_names_its_df(congruence):
    text = shows(changed(congruence, "total", imprecise=True))
    assert "better outcomes" not in text
    assert "imprecise: too few independent studies (df = 15.0)" in text
    assert "prediction interval" not in text


def test_prediction_interval_across_zero(congruence):
    assert (
        "In a new study the total association may lie anywhere from −.25 to .64 (95% prediction "
        "interval): no association, or a reverse one, is compatible with these data in some "
        "settings, and 16 studies cannot say which." in shows(congruence)
    )


def test_prediction_interval_off_zero_stops_there(congruence):
    text = shows(changed(congruence, "total", pi_low=0.05, pi_high=0.4))
    assert "anywhere from .05 to .40 (95% prediction interval). " in text
    assert "cannot say which." not in text


def test_withheld_prediction_interval_is_not_mentioned(congruence):
    missing = {"pi_low": float("nan"), "pi_high": float("nan")}
    assert "prediction interval" not in shows(changed(congruence, "total", **missing))


def test_limits_near_zero_keep_a_digit(congruence):
    text = shows(changed(congruence, "total", conf_low=0.0038))
    assert "[.004, .38]" in text and "better outcomes" in text


def test_without_separation_it_says_so(congruence, flat):
    ending = "so these data cannot say which of the two the association reflects."
    assert shows(congruence).endswith(ending)
    assert "all were taken as totals" not in shows(congruence)
    text = shows(flat([0.1, 0.3, 0.2, 0.25, 0.4, 0.2]))
    assert "The file does not say what its effects separate; all were taken as totals." in text


def test_trait_and_state_are_named_with_their_size(simulated):
    text = shows(simulated)
    for part in (
        "Between patients, comparing them on the average over sessions of their alliance, "
        "trait-like r = ",
        "comparing them on the latent average over time",
        "when the alliance was better than usual for that patient, at the same occasion outcome "
        "was better too: state-like r = ",
        "at the next measurement, net of earlier outcome, outcome was better too: state-like β = ",
        "In the other direction, from outcome to later alliance, state-like β = ",
        "8 studies. The average is positive, its interval excluding zero.",
    ):
        assert part in text


def test_state_with_zero_inside_claims_nothing(simulated):
    text = shows(changed(simulated, "within.concurrent_r", conf_low=-0.02))
    assert "at the same occasion state-like r" in text
    assert "Its interval includes zero." in text


def test_the_primary_state_comes_first(simulated):
    plan = simulated.plan.model_copy(update={"state": "lagged_partial"})
    text = shows(replace(simulated, plan=plan))
    assert text.index("net of earlier outcome") < text.index("at the same occasion")


def test_components_are_compared_only_with_care(simulated):
    text = shows(simulated)
    assert (
        "The trait-like association is larger than the state-like association by .21 [.14, .28]"
        in text
    )
    assert "In the 8 studies that give both: the trait-like association is larger" in text
    assert "Read the gap with care" in text
    imprecise = shows(changed(simulated, "within.concurrent_r", imprecise=True))
    assert "Read the gap" not in imprecise
    assert "too few studies carry the state-like association" in imprecise
    assert "The estimate is imprecise" in imprecise


def test_sophistication_slopes_per_component(simulated):
    text = plain(sophistication(simulated))
    assert text.startswith("Total: no clear relation; Fisher's z changes by ")
    assert "per .1 of the index." in text
    assert "Trait-like" in text and "State-like" in text
    assert "outcome to alliance" not in text


def test_sophistication_with_few_df_is_not_tested(simulated):
    few = [replace(s, slopes=s.slopes.assign(df=2.2)) for s in simulated.sophistication]
    text = plain(sophistication(replace(simulated, sophistication=tuple(few))))
    assert "Total: 240 studies are too few to test it (df = 2.2)." in text
    assert "changes by" not in text


def test_sophistication_over_a_narrow_index_is_not_read(congruence):
    text = plain(sophistication(congruence))
    assert "differs by less than 0.1" in text
    assert "changes by" not in text


def test_sophistication_not_coded_is_not_mentioned(flat):
    assert "Sophistication:" not in screen(flat([0.1, 0.3, 0.2]))


def test_robustness_names_what_moved_it_most(congruence):
    assert robustness(congruence) == (
        "Total: across 16 refits r ranged from .20 to .28; what moved it most: without Hansen et "
        "al. (1968) (.20)."
    )


def test_what_cannot_be_concluded(congruence, simulated):
    heading = "Cannot be concluded:"
    assert "the within effects are observational" in screen(simulated)[heading]
    assert "correlations between patients" in screen(congruence)[heading]
    assert "nor anything about the alliance" in screen(congruence)[heading]
    assert "nor anything about the alliance" not in screen(simulated)[heading]


def test_nothing_to_pool(flat):
    assert shows(flat([0.3])) == "No pool has two independent studies yet."


def test_other_levels_are_printed(flat):
    from metalliance.workflow.plan import Plan

    analysis = flat([0.1, 0.6, -0.2, 0.25, 0.7, 0.2], plan=Plan(level=0.9))
    assert "(90% prediction interval)" in shows(analysis)
    assert "95%" not in " ".join([*screen(analysis).values(), *headline(analysis)])


def test_headline_says_simulated(congruence, simulated):
    assert headline(simulated)[0] == "SIMULATED DATA: no row is a real study."
    assert headline(congruence)[0].startswith("Total: r = .25 [.11, .38]; 16 studies, 16 effects")


@pytest.mark.parametrize("word", ["significant", " proves", "✓", "✗", "evidence for", "fails"])
def test_no_verdict(congruence, simulated, word):
    for analysis in (congruence, simulated):
        assert word not in " ".join(screen(analysis).values())


def test_cited_numbers_become_spans_and_stay_escaped():
    text = "<b> r = " + cited("models.total.predict_r.estimate", ".27")
    assert plain(text) == "<b> r = .27"
    assert str(spans(text)) == (
        '&lt;b&gt; r\u00a0=\u00a0<span data-src="models.total.predict_r.estimate">.27</span>'
    )


def test_no_variation_is_no_prediction(flat):
    text = shows(flat([0.2, 0.21, 0.2, 0.22, 0.2, 0.21]))
    assert "No variation between true effects was found" in text
    assert "prediction interval" not in text


def test_signs_taken_as_printed_are_said_on_the_first_screen(flat, congruence):
    assert "signs were taken as printed" in shows(flat([0.1, 0.3, 0.2]))
    assert "as printed" not in shows(congruence)
