"""Sentences across pools at their edges: chosen by typed results, never by hope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from metalliance.report.comparison import (
    compared,
    comparison,
    directions,
    smallest_sentence,
    totals_alone,
)
from metalliance.report.numbers import correlation, number
from metalliance.report.sources import plain
from metalliance.report.words import first_screen
from metalliance.traitstate.mixture import mixture_weights
from metalliance.traitstate.smallest import smallest_effect
from metalliance.workflow.plan import Plan


def review(flat, trait, state, *, totals=(), ns=200, plan=None, shared=0):
    """A flat table with one effect per study."""
    rs = [*totals, *trait, *state]
    sizes = len(totals), len(trait), len(state)
    component = np.repeat(["total", "between_observed", "within"], sizes).tolist()
    estimand = np.repeat(["NA", "NA", "concurrent_r"], sizes).tolist()
    k_x = np.repeat([1, 4, 6], sizes).tolist()
    k_y = np.repeat([1, 1, 6], sizes).tolist()
    both = np.repeat([shared, 0, 6], sizes).tolist()
    n_obs = np.repeat(["", "", 6 * ns], sizes).tolist()
    return flat(
        rs,
        ns,
        component=component,
        estimand=estimand,
        k_x=k_x,
        k_y=k_y,
        shared=both,
        n_obs=n_obs,
        plan=plan,
    )


def spread(mean, width, k):
    return [float(x) for x in np.tanh(mean + width * np.linspace(-1, 1, k))]


def test_the_larger_part_is_named_first(flat):
    text = plain(comparison(review(flat, spread(0.4, 0.2, 9), spread(0.1, 0.1, 9))))
    assert text.startswith("The trait-like association is larger than the state-like association")
    assert "includes zero" not in text
    turned = plain(comparison(review(flat, spread(0.1, 0.1, 9), spread(0.4, 0.2, 9))))
    assert turned.startswith("The state-like association is larger than the trait-like")


def test_a_difference_with_zero_inside_says_so(flat):
    text = plain(comparison(review(flat, spread(0.2, 0.3, 7), spread(0.18, 0.3, 7))))
    assert "the interval of the difference includes zero" in text


def test_opposite_signs_are_said_where_both_are_sure(flat):
    text = plain(comparison(review(flat, spread(0.4, 0.1, 12), spread(-0.2, 0.1, 12))))
    assert "lies above" in text
    assert "the one positive and the other negative" in text
    unsure = plain(comparison(review(flat, spread(0.4, 0.1, 12), spread(-0.02, 0.3, 12))))
    assert "the other negative" not in unsure
    below = plain(comparison(review(flat, spread(-0.4, 0.1, 12), spread(-0.1, 0.1, 12))))
    assert below.startswith("The trait-like association is more negative than the state-like")


def test_few_state_studies_are_not_compared(flat):
    text = plain(comparison(review(flat, spread(0.4, 0.2, 9), spread(0.1, 0.1, 3))))
    assert text.startswith("Trait and state are not compared: too few studies carry the state-like")
    assert "larger" not in text


@pytest.mark.parametrize("parts", [("trait",), ("state",)])
def test_one_component_alone_compares_nothing(flat, parts):
    trait = spread(0.4, 0.2, 8) if "trait" in parts else []
    state = spread(0.1, 0.1, 8) if "state" in parts else []
    analysis = review(flat, trait, state)
    assert comparison(analysis) == ""
    screen = plain(" ".join(text for _, text in first_screen(analysis)))
    assert "larger than" not in screen


def test_boundary_heterogeneity_draws_no_chance(flat):
    analysis = review(flat, spread(0.4, 0.2, 8), spread(0.1, 0.01, 8))
    assert analysis.pool("within.concurrent_r").fit.heterogeneity == 0
    chance = analysis.answers.chances["within.concurrent_r"]
    assert chance.withheld == "no variation between true effects was found"
    screen = plain(" ".join(text for _, text in first_screen(analysis)))
    assert "No variation between true effects was found" in screen


def test_totals_alone_name_two_stories(flat):
    analysis = review(flat, [], [], totals=spread(0.28, 0.1, 12))
    assert "cannot tell" in analysis.answers.synthesis.withheld
    text = plain(totals_alone(analysis))
    assert text.startswith("The total alone decides nothing")
    assert "whatever the state-like association is" in text
    same = review(flat, [], [], totals=spread(0.28, 0.1, 12), shared=1)
    text = plain(totals_alone(same))
    a, b = mixture_weights(0.7, 0.6, 1, 1, 1)
    line = same.answers.line
    r = float((a * line["rho_between"] + b * line["rho_within"]).iloc[0])
    assert f"correlation of {correlation(r / a)} with no state-like association at all" in text
    assert f"just as well from {correlation(r / (a + b))} for both" in text


def test_totals_too_strong_for_the_iccs_stop_nothing(flat):
    analysis = review(flat, [], [], totals=spread(0.9, 0.1, 12))
    assert "ICCs or sessions are miscoded" in analysis.answers.synthesis.withheld
    assert analysis.answers.line.empty
    assert totals_alone(analysis) == ""


def test_the_precise_of_two_trait_components_is_compared(simulated):
    pools = tuple(
        replace(pool, imprecise=True) if pool.key == "between_observed" else pool
        for pool in simulated.pools
    )
    marked = replace(simulated, pools=pools)
    assert compared(simulated) == "between_observed"
    assert compared(marked) == "between_latent"
    alone = {"between_observed": simulated.answers.trait_state["between_observed"]}
    only = replace(marked, answers=replace(simulated.answers, trait_state=alone))
    df = float(simulated.pool("between_observed").tidy["df"].iloc[0])
    assert f"(df = {number(df, 1)})" in plain(comparison(only))


def test_the_synthesis_predicts_the_total(flat):
    analysis = review(flat, spread(0.3, 0.1, 8), spread(0.1, 0.1, 8), totals=spread(0.26, 0.1, 30))
    text = plain(totals_alone(analysis))
    assert "a latent trait-like correlation of .39 (from the synthesis" in text
    assert "predict a same-session total" in text
    assert "do not tell one story" not in text
    off = review(flat, spread(0.3, 0.1, 8), spread(0.1, 0.1, 8), totals=spread(0.6, 0.05, 30))
    assert "the two kinds of studies do not tell one story" in plain(totals_alone(off))


def test_an_imprecise_synthesis_predicts_nothing(flat):
    analysis = review(flat, spread(0.3, 0.1, 8), spread(0.1, 0.1, 3), totals=spread(0.26, 0.1, 30))
    assert totals_alone(analysis) == ""


def test_other_constructs_are_told_nothing_about_the_alliance(flat):
    plan = Plan(predictor="therapist congruence")
    assert totals_alone(review(flat, [], [], totals=spread(0.28, 0.1, 12), plan=plan)) == ""


@pytest.mark.parametrize(
    ("estimate", "std_error", "words"),
    [
        (0.01, 0.005, "smaller than the smallest of interest, .03: this is evidence"),
        (0.09, 0.01, "larger in size than the smallest of interest, .03."),
        (0.04, 0.02, "smallest of interest, .03, remains open."),
    ],
)
def test_no_evidence_and_evidence_of_none_are_two_sentences(simulated, estimate, std_error, words):
    pool = simulated.pool("within.lagged_partial")
    tested = smallest_effect(estimate, std_error, 20, 0.03)
    assert words in smallest_sentence(pool, tested, 0.03)


def test_the_plan_names_the_smallest_effect(flat):
    plan = Plan(smallest_r=0.3)
    analysis = review(flat, spread(0.4, 0.2, 9), spread(0.1, 0.1, 9), plan=plan)
    assert analysis.answers.smallest["within.concurrent_r"].reading == "smaller"
    screen = plain(" ".join(text for _, text in first_screen(analysis)))
    assert "this is evidence that it is not that large" in screen


def test_directions_of_few_studies_are_not_compared(simulated):
    assert simulated.answers.reciprocal.result is not None
    assert simulated.answers.reciprocal.result.joint.imprecise
    assert directions(simulated) == ""
    nothing = replace(
        simulated.answers, reciprocal=replace(simulated.answers.reciprocal, result=None)
    )
    assert directions(replace(simulated, answers=nothing)) == ""
