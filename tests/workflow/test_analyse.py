"""From a review to an analysis: pools, counts, sensitivity, defaults."""

import json
from pathlib import Path

import numpy as np
import pytest

import metalliance as ma
from metalliance.report.methods import methods_paragraphs
from metalliance.report.results import results
from metalliance.workflow.analysis import Analysis
from metalliance.workflow.pools import pool_key
from tests.coding import workbooks as wb
from tests.coding.test_grid import matrix, pair
from tests.congruence import published_congruence

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def congruence(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return published_congruence(tmp_path_factory.mktemp("congruence"))


def test_the_shipped_congruence_pools_the_correlations_that_were_read_again() -> None:
    review = ma.read_review(DATA / "congruence_kolden2011.xlsx")
    analysis = ma.analyse(review, ma.read_plan(DATA / "congruence_kolden2011.toml"))
    pool = analysis.pool("total")
    assert pool.fit is not None and not pool.fit.univariate
    assert (pool.counts.studies, pool.counts.effects, pool.counts.patients) == (16, 45, 863)
    assert analysis.pool("total.sensitivity").counts.studies == 10
    asked = {(p.code, p.value) for p in review.problems}
    assert asked == {("published-r", "-0.26"), ("published-r", "0.69")}  # Garfield, Hansen


@pytest.fixture(scope="module")
def simulated() -> Analysis:
    plan = ma.read_plan(DATA / "simulated_alliance_295.toml")
    return ma.analyse(ma.read_review(DATA / "simulated_alliance_295.xlsx"), plan)


def test_congruence_is_the_univariate_model_with_knapp_hartung(congruence: Analysis) -> None:
    pool = congruence.pool("total")
    assert pool.fit is not None
    assert pool.fit.univariate
    shown = pool.predict_r.iloc[0][["estimate", "conf_low", "conf_high", "pi_low", "pi_high"]]
    assert list(np.round(shown.astype(float), 4)) == [0.2498, 0.1114, 0.3787, -0.2458, 0.6419]
    assert pool.glance["tau2"].iloc[0] == pytest.approx(0.05186, abs=5e-6)
    assert (pool.counts.studies, pool.counts.patients) == (16, 863)


def test_primary_correlations_never_share_a_pool_with_published_ones(
    congruence: Analysis,
) -> None:
    second = congruence.pool("total.sensitivity")
    assert second.role == "sensitivity"
    assert second.fit is not None
    assert not second.fit.univariate
    assert second.counts.studies == 10
    for pool in congruence.pools:
        assert pool.effects.usable["role"].nunique() == 1


def test_a_role_is_not_lost(congruence: Analysis) -> None:
    review = congruence.review
    for role in ("main", "sensitivity"):
        table = review.effects(role=role)
        assert len(table) + len(table.excluded()) == 55


def test_pools_of_the_simulated_review(simulated: Analysis) -> None:
    keys = [pool.key for pool in simulated.main]
    assert keys == [
        "total",
        "between_observed",
        "between_latent",
        "within.concurrent_r",
        "within.lagged_partial",
        "within.lagged_partial.reverse",
        "between_change",
        "between_therapist",
        "within_therapist",
    ]
    truth = {
        "total": 0.27,
        "between_observed": 0.33,
        "within.concurrent_r": 0.10,
        "within.lagged_partial": 0.07,
        "within.lagged_partial.reverse": 0.05,
        "between_latent": 0.40,
    }
    for key, value in truth.items():
        pool = simulated.pool(key)
        row = pool.predict_r.iloc[0]
        half = 1.5 * (row["conf_high"] - row["conf_low"]) / 2
        assert abs(row["estimate"] - value) < max(half, 0.03), key


def test_every_row_read_is_pooled_or_listed(simulated: Analysis) -> None:
    pooled = sum(pool.counts.effects for pool in simulated.main if pool.fit is not None)
    assert pooled + len(simulated.excluded) == simulated.counts.read
    assert simulated.counts.waiting == 3
    assert simulated.counts.sign_unclear == 3
    assert simulated.excluded["reason"].str.len().min() > 0


def test_dependent_effects_take_the_three_level_model(simulated: Analysis) -> None:
    pool = simulated.pool("total")
    assert pool.fit is not None
    assert [part.name for part in pool.fit.random] == ["study", "study/effect"]
    checks = simulated.sensitivity[simulated.sensitivity["pool"] == "total"]
    assert {"rho = 0.3", "rho = 0.8", "without partial correlations"} <= set(checks["setting"])


def test_sophistication_is_regressed_within_a_pool_both_ways(simulated: Analysis) -> None:
    found = {(s.pool, s.not_reported): s for s in simulated.sophistication}
    for not_reported in ("zero", "missing"):
        result = found["total", not_reported]
        assert not result.withheld
        assert set(result.slopes["term"]) == {
            "sophistication_between",
            "sophistication_within",
        } or set(result.slopes["term"]) == {"sophistication_between"}
        assert result.effects["sophistication"].between(0, 1).all()


def test_left_out_by_the_plan_is_listed(congruence: Analysis) -> None:
    plan = ma.Plan(exclude=("K06", "K05/E1"))
    analysis = ma.analyse(congruence.review, plan)
    assert analysis.pool("total").counts.studies == 14
    left = analysis.excluded[analysis.excluded["reason"] == "left out by the plan"]
    assert sorted(left["study"]) == ["K05", "K06"]


def test_defaults_are_listed_until_the_plan_states_them(congruence: Analysis) -> None:
    names = [default.name for default in congruence.defaults_used]
    assert "estimator of heterogeneity" in names
    stated = ma.analyse(congruence.review, ma.Plan(method="DL"))
    assert "estimator of heterogeneity" not in [d.name for d in stated.defaults_used]
    assert stated.pool("total").glance["method"].iloc[0] == "DL"


def test_the_manifest_is_plain_json(congruence: Analysis) -> None:
    text = json.dumps(dict(congruence.manifest))
    assert congruence.review.sha256 in text


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        (("total", "NA", "alliance→outcome", "z", False), "total"),
        (("total", "NA", "undirected", "z", True), "total.dropout"),
        (("within", "concurrent_r", "undirected", "z", False), "within.concurrent_r"),
        (("within", "lagged_partial", "alliance→outcome", "z", False), "within.lagged_partial.z"),
    ],
)
def test_keys(parts: tuple[str, str, str, str, bool], key: str) -> None:
    assert pool_key(*parts) == key


def test_what_is_never_pooled_is_listed_with_its_reason(simulated: Analysis) -> None:
    listed = simulated.excluded[simulated.excluded["status"] == "not pooled"]
    assert len(listed) == 3
    assert listed["reason"].str.contains("mixes both components").all()


def test_refits_repeat_no_warning(tmp_path: Path) -> None:
    table = tmp_path / "small.csv"
    table.write_text("study,n,r\nA,40,.3\nA,40,.2\nB,60,.2\nB,60,.25\nC,55,.1\n")
    analysis = ma.analyse(ma.read_review(table))
    assert analysis.pool("total").imprecise
    assert len(analysis.warnings) == 1


def test_studies_that_share_a_sample_are_named(tmp_path: Path) -> None:
    table = tmp_path / "shared.csv"
    rows = ["A,s1,40,.3", "B,s1,40,.2", "C,c,60,.2", "D,d,50,.25", "E,e,55,.1", "F,f,70,.3"]
    table.write_text("\n".join(["study,sample,n,r", *rows]) + "\n")
    analysis = ma.analyse(ma.read_review(table))
    assert "A and B share a sample and count as one cluster" in analysis.warnings
    assert analysis.pool("total").counts.clusters == 5


def test_printed_correlations_are_counted_among_the_defaults(tmp_path: Path) -> None:
    path = matrix(tmp_path, [pair("A1", "A2", 0.5)])
    analysis = ma.analyse(ma.read_review(path))
    told = {one.name: one.value for one in analysis.defaults_used}
    assert told["sampling correlations that follow from the reports"].startswith("2 of 45 pairs")


def test_what_conversions_took_for_granted_is_printed(tmp_path: Path) -> None:
    sheets = wb.good(6)
    rows = sheets["EFFECTS"]
    rows[0].update(stat="d", value=0.5)
    rows[1].update(stat="OR", value=None, cell_a=12, cell_b=0, cell_c=7, cell_d=9)
    rows[2].update(stat="n.s. only", value="NR", positive_means=None)
    analysis = ma.analyse(ma.read_review(wb.write(tmp_path / "given.xlsx", sheets)))
    told = {one.name: one.value for one in analysis.defaults_used}
    assert told["sizes of two groups"] == "equal (1 effect)"
    assert told["2×2 tables with an empty cell"] == "0.5 added to each cell (1 effect)"
    text = " ".join(methods_paragraphs(analysis))
    assert "Of 5 pooled effects, 2 were converted from other statistics: " in text
    assert "d (1)" in text and "OR (1)" in text
    assert "2 effects rest on an approximation" in text
    assert "1 result reported without a number" in text
    assert "occasions − patients" not in text


def test_moderators_of_the_sheet_plan_are_fitted(tmp_path: Path) -> None:
    sheets = {
        **wb.good(16),
        "PLAN": [{"moderators_planned": "year", "moderators_exploratory": "A1"}],
    }
    for place, study in enumerate(sheets["STUDIES"]):
        study["year"] = 1990 + 2 * place
    analysis = ma.analyse(ma.read_review(wb.write(tmp_path / "planned.xlsx", sheets)))
    assert set(analysis.moderators["moderator"]) == {"year"}  # A1 is an item of the index
    assert set(analysis.moderators["status"]) == {"planned"}
    slope = analysis.moderators.set_index("kind").loc["slope"]
    assert slope["withheld"] == "" and slope["k_studies"] == 16
    assert {row["moderator"] for row in results(analysis)["questions"]["moderators"]} == {"year"}


def test_columns_of_a_flat_table_are_moderators(tmp_path: Path) -> None:
    table = tmp_path / "flat.csv"
    rows = [
        f"S{i},{40 + i},{0.1 + 0.02 * i:.2f},{'client' if i % 2 else 'other'}" for i in range(12)
    ]
    table.write_text("\n".join(["study,n,r,who rated", *rows]) + "\n")
    review = ma.read_review(table)
    (name,) = [m for m in review.effects().moderators if m.startswith("who")]
    analysis = ma.analyse(review, ma.Plan(moderators={name: "planned", "mood": "exploratory"}))
    found = analysis.moderators.set_index(["moderator", "kind"])
    assert found.loc[(name, "test"), "test"] == "F"
    assert list(found.loc[(name, "mean"), "level"]) == ["client", "other"]
    assert "no such column" in found.loc[("mood", "test"), "withheld"]
