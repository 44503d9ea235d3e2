"""Joint models against metafor and clubSandwich, and against what they must reduce to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.traitstate.joint import Joint, pool_jointly
from tests.tolerances import BOUNDARY, COEFFICIENT, COMPONENT, ROBUST_OWN

STORED = json.loads(
    (Path(__file__).parents[1] / "reference" / "trait_state.json").read_text(encoding="utf-8")
)
CORRELATED = {("between", "between"): 0.6, ("within", "within"): 0.6, ("between", "within"): 0.0}
PARTS = ("between", "within")


def rows_of(case: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(case["data"])
    frame["part"] = np.where(frame["component"] == "within", "within", "between")
    frame["sample"] = frame["study"]
    frame["cluster"] = pd.factorize(frame["study"])[0]
    frame["effect"] = range(len(frame))
    return frame


def joint(rows: pd.DataFrame, **options: Any) -> Joint:
    return pool_jointly(rows, PARTS, correlated=CORRELATED, **options)


@pytest.mark.parametrize("name", ["estimated", "zero", "held"])
def test_metafor_and_clubsandwich_agree(name: str) -> None:
    case = STORED["joint"][name]
    found = joint(rows_of(case), rho=case["held"])
    fit = found.inference.fit
    assert fit.log_lik_reml >= case["log_lik"] - 1e-7
    R = case["components"]
    tau2 = [c.estimate for c in fit.components if c.name == "tau2"]
    assert tau2 == pytest.approx([*R["tau2"], *R["gamma2"]], rel=COMPONENT, abs=BOUNDARY)
    assert found.correlation == pytest.approx(R["rho"], abs=COMPONENT)
    terms = ("estimate", "std_error", "df")
    for term, tolerance in zip(terms, (COEFFICIENT, ROBUST_OWN, ROBUST_OWN), strict=True):
        stored = [*case["means"][term], case["difference"][term]]
        assert found.table[term].tolist() == pytest.approx(stored, rel=tolerance)


def test_ten_clusters_with_both_parts_are_needed_for_a_correlation() -> None:
    many, few = (joint(rows_of(STORED["joint"][name])) for name in ("estimated", "zero"))
    assert (many.structure, many.both, len(many.grid)) == ("UN", 14, 0)
    assert (few.structure, few.both, few.correlation) == ("DIAG", 5, 0.0)
    assert few.grid["rho"].tolist() == [0.0, 0.4, 0.8]
    held = STORED["joint"]["held"]
    assert few.grid["difference"][1] == pytest.approx(held["difference"]["estimate"], rel=1e-6)
    assert few.grid["log_lik"][1] == pytest.approx(held["log_lik"], abs=1e-7)


def test_without_correlation_the_parts_are_two_separate_models() -> None:
    rows = rows_of(STORED["joint"]["zero"])
    found = joint(rows)
    for part, random in (("within", "~ 1 | study"), ("between", "~ 1 | study/effect")):
        own = rows[rows["part"] == part].reset_index(drop=True)
        alone = ma.infer(
            ma.fit(own, random=random, V=ma.sampling_covariance(own, rho=0.6)), vcov="CR2"
        )
        mine = found.table.set_index("term").loc[part]
        theirs = ma.tidy(alone).iloc[0]
        for name in ("estimate", "std_error", "df", "conf_low", "p_value"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-6), name
        counted = found.counts.set_index("part").loc[part]
        assert counted["tau2"] == pytest.approx(alone.fit.heterogeneity, rel=1e-5)
        pi = ma.predict(alone, transform="r").iloc[0]
        shown = found.table_r.set_index("term").loc[part]
        assert shown[["pi_low", "pi_high"]].tolist() == pytest.approx(
            pi[["pi_low", "pi_high"]].tolist(), rel=1e-5
        )


def test_the_printed_difference_is_the_delta_method_on_r() -> None:
    found = joint(rows_of(STORED["joint"]["estimated"]))
    rng = np.random.default_rng(3)
    drawn = rng.multivariate_normal(
        found.inference.fit.beta, found.inference.vcov / 100, size=400_000
    )
    gap = found.table_r.set_index("term").loc["difference"]
    simulated = np.std(np.tanh(drawn[:, 1]) - np.tanh(drawn[:, 0])) * 10
    df = found.table.set_index("term").loc["difference", "df"]
    half = (gap["conf_high"] - gap["conf_low"]) / 2
    from scipy import stats

    assert half / stats.t.ppf(0.975, df) == pytest.approx(simulated, rel=0.03)
    assert gap["estimate"] == pytest.approx(np.diff(np.tanh(found.inference.fit.beta))[0])


def test_moderators_have_a_slope_in_either_part() -> None:
    rows = rows_of(STORED["joint"]["zero"])
    rows["x"] = np.linspace(-1, 1, len(rows))
    table = joint(rows, mods=["x"]).table.set_index("term")
    assert list(table.index) == [
        *("between", "within", "difference", "between:x", "within:x", "difference:x")
    ]
    gap = table.loc["within:x", "estimate"] - table.loc["between:x", "estimate"]
    assert table.loc["difference:x", "estimate"] == pytest.approx(gap)


def test_few_clusters_mean_no_p_and_no_prediction() -> None:
    rows = rows_of(STORED["joint"]["zero"])
    state = rows.loc[rows["part"] == "within", "study"].unique()[:3]
    few = rows[(rows["part"] == "between") | rows["study"].isin(state)].reset_index(drop=True)
    found = joint(few)
    assert "within" in found.imprecise
    table = found.table.set_index("term")
    assert np.isnan(table.loc["within", "p_value"])
    assert np.isfinite(table.loc["within", "conf_low"])
    assert np.isnan(found.table_r.set_index("term").loc["within", "pi_low"])


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (lambda rows: rows["part"] == "between", "no effect of kind 'within'"),
        (
            lambda rows: (rows["part"] == "between") | (rows["study"] == rows["study"][0]),
            "one independent study only",
        ),
    ],
)
def test_a_part_needs_two_studies(keep: Any, words: str) -> None:
    rows = rows_of(STORED["joint"]["estimated"])
    with pytest.raises(ma.SpecificationError, match=words):
        joint(rows[keep(rows)].reset_index(drop=True))


def test_a_correlation_needs_samples_with_both() -> None:
    rows = rows_of(STORED["joint"]["zero"])
    both = rows.groupby("study")["part"].transform("nunique") == 2
    alone = rows[~both].reset_index(drop=True)
    with pytest.raises(ma.SpecificationError, match="no sample has both"):
        joint(alone, structure="UN")
    assert joint(alone).grid.empty
    with pytest.raises(ValueError, match="unknown structure"):
        joint(rows, structure="CS")


def test_heterogeneity_is_counted_where_every_study_has_one_effect() -> None:
    rows = rows_of(STORED["joint"]["zero"]).drop_duplicates(["study", "part"])
    found = joint(rows.reset_index(drop=True))
    spread = [c.estimate for c in found.inference.fit.components if c.name == "tau2"]
    assert found.counts["tau2"].tolist() == pytest.approx(spread)
    assert max(spread) > 0


def test_reported_sampling_correlations_reach_the_model() -> None:
    rows = rows_of(STORED["joint"]["zero"])
    several = rows[rows["part"] == "between"].groupby("study").head(2)
    several = several[several.duplicated("study", keep=False)]
    pairs = pd.DataFrame(
        [
            {"study": study, "id1": two["effect"].iloc[0], "id2": two["effect"].iloc[1], "r": 0.05}
            for study, two in several.groupby("study")
        ]
    )
    given = joint(rows, reported=pairs)
    assert given.table["std_error"][0] != pytest.approx(joint(rows).table["std_error"][0], rel=1e-4)


def test_zero_is_in_or_out_as_the_test_says() -> None:
    """The printed interval is of r, the decision that of the model."""
    found = joint(rows_of(STORED["joint"]["estimated"]))
    assert found.gap is not None
    assert found.gap.excludes_zero == (found.table["p_value"][2] < 0.05)
