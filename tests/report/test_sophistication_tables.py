"""The report says what was planned, prints what was fitted, and why the rest was not."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from metalliance.coding.review import read_review
from metalliance.report.figures import report_figures
from metalliance.report.html import render_html
from metalliance.report.methods import methods_paragraphs, references
from metalliance.report.results import results
from metalliance.report.sophistication_tables import (
    checks_table,
    items_table,
    moderators_table,
    pools_with_slopes,
    sophistication_table,
    together_table,
)
from metalliance.workflow.analyse import analyse
from metalliance.workflow.analysis import Analysis
from metalliance.workflow.plan import Plan
from tests.report.conftest import DATA
from tests.report.test_html import Page, rounds_to, value_at
from tests.report.test_results import VALIDATOR

MODERATORS = {
    "sophistication": "planned",
    "A1": "planned",
    "alliance_rater": "planned",
    "year": "exploratory",
    "nowhere": "planned",
}


@pytest.fixture(scope="module")
def planned() -> Analysis:
    review = read_review(DATA / "simulated_alliance_295.xlsx")
    return analyse(review, Plan(moderators=MODERATORS))


def texts(table, column):
    place = table.columns.index(column)
    return [row[place].text for row in table.rows]


def test_a_plan_makes_slopes_planned(planned, simulated):
    assert set(texts(sophistication_table(planned), "Status")) == {"planned"}
    assert set(texts(sophistication_table(simulated), "Status")) == {"exploratory"}
    table = items_table(planned, "total")
    status = dict(zip(texts(table, "Item"), texts(table, "Status"), strict=True))
    assert status["A1 temporal precedence"] == "planned"
    assert status["E1 independent outcome rater"] == "exploratory"


def test_pools_with_too_few_studies_have_one_row_and_no_tables(simulated):
    table = sophistication_table(simulated)
    rows = [row for row in table.rows if row[0].text.startswith("State-like: within a patient, s")]
    assert [row[1].text for row in rows] == ["either"]
    assert "8 studies are too few" in rows[0][2].text
    assert pools_with_slopes(simulated) == ("total", "between_observed")


def test_items_that_were_not_fitted_are_named_with_the_reason(simulated):
    table = items_table(simulated, "total")
    assert "A3, A4, B1, B2, C2, D1, D2, D3, D4, E2: the same in every study" in table.note
    assert "C3: not coded in this pool" in table.note
    assert len(table.columns) == len(table.numeric) == len(table.rows[0])


def test_what_does_not_depend_on_what_was_not_reported_stands_once(simulated):
    table = items_table(simulated, "total")
    counted = list(zip(texts(table, "Item"), texts(table, "Not reported"), strict=True))
    assert [how for item, how in counted if item[:2] == "A1"] == ["counts 0", "left out"]
    assert [how for item, how in counted if item[:2] == "A2"] == ["either"]
    every = items_table(simulated, "between_observed")
    assert set(texts(every, "Not reported")) == {"either"}
    assert len(set(texts(every, "Item"))) >= 8


def test_imprecise_slopes_have_no_test(simulated):
    found = simulated.sophistication_by_pool["between_observed"]
    table = items_table(simulated, "between_observed")
    imprecise = found.items[found.items["imprecise"]].drop_duplicates(["item", "part"])
    assert len(imprecise) > 0
    assert texts(table, "Test").count("imprecise") == len(imprecise)
    marked = [row for row in table.rows if row[7].text == "imprecise"]
    assert all(row[8].text == "–" and row[9].text == "–" for row in marked)


def test_the_joint_test_stands_below_its_terms(simulated):
    table = together_table(simulated, "total")
    terms = texts(table, "Term")
    assert terms[4] == "All together" and terms[0] == "A1 temporal precedence, per point"
    assert table.rows[4][3].text.startswith("HTZ ")


def test_the_checks_begin_with_the_index_itself(simulated):
    table = checks_table(simulated, "total")
    choices = texts(table, "Choice")
    assert choices[0] == "index as it is"
    assert "without A1 temporal precedence" in choices
    assert {"beside year", "beside log n", "beside year and log n"} <= set(choices)
    assert choices[-1].startswith("bend (natural cubic spline, knots 0.0")
    assert "without A3 reverse causation" not in choices


def test_moderators_of_the_plan_planned_ones_first(planned, simulated):
    table = moderators_table(planned)
    status = texts(table, "Status")
    assert status == sorted(status, reverse=True)
    names = [name for name in texts(table, "Moderator") if "not fitted" not in name]
    assert "alliance_rater: patient" in names and "year: per unit" in names
    assert any(
        name.startswith("nowhere: not fitted (no effect of this pool")
        for name in texts(table, "Moderator")
    )
    assert not {"sophistication", "A1"} & set(planned.moderators["moderator"])
    assert moderators_table(simulated).rows == ()


def test_results_carry_them_by_the_schema(planned):
    values = json.loads(json.dumps(results(planned), allow_nan=False))
    VALIDATOR.validate(values)
    assert {row["status"] for row in values["questions"]["moderators"]} == {
        "planned",
        "exploratory",
    }
    broken = values["questions"]["sophistication_by_pool"]["total"]["items"][0]
    del broken["p_holm"]
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(values)


def test_every_number_printed_is_in_results_json(planned):
    values = json.loads(json.dumps(results(planned)))
    page = Page(render_html(planned, report_figures(planned)))
    ours = [
        (source, shown)
        for source, shown in page.cited
        if "sophistication_by_pool" in source or "questions.moderators" in source
    ]
    assert len(ours) > 200
    for source, shown in ours:
        for path, text in zip(source.split(), numbers(shown), strict=True):
            if not shown.startswith("p <"):
                assert rounds_to(text, value_at(values, path)), (source, shown)


def numbers(shown):
    words = shown.replace("r = ", "").replace("β = ", "")
    words = words.replace("p =", "").replace("HTZ", "").replace("F ", "").replace("t ", "")
    return words.strip("[] ").replace(";", ",").split(", ")


def test_methods_say_what_was_planned(planned, simulated):
    text = " ".join(methods_paragraphs(planned))
    assert "The plan names this regression." in text
    assert "(planned: alliance_rater; exploratory: year)" in text
    assert any(entry.startswith("Holm, S. (1979)") for entry in references(planned))
    other = " ".join(methods_paragraphs(simulated))
    assert "exploratory: the plan does not name it" in other
    assert "Moderators were tested" not in other
    without = replace(simulated, sophistication=())
    assert not any("Harrell" in entry for entry in references(without))
