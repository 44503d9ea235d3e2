"""``infer``, ``tidy``, ``glance``, ``wald_test``: which numbers go with which choice."""

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.models.examples import effect_table, independent, nested
from tests.tolerances import CLOSED_FORM, ITERATED

RANDOM = "~ 1 | study/effect"
TIDY = ["term", "estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
GLANCE = [
    "k",
    "n_clusters",
    "p",
    "tau2",
    "se_tau2",
    "i2",
    "h2",
    "r2",
    "q",
    "q_df",
    "q_p",
    "qm",
    "qm_df",
    "qm_df2",
    "qm_test",
    "qm_p",
    "log_lik",
    "log_lik_ml",
    "aic",
    "bic",
    "aicc",
    "method",
    "converged",
]


def test_columns() -> None:
    for fit in (ma.fit(independent()), ma.fit(nested(), random=RANDOM)):
        assert list(ma.tidy(fit).columns) == TIDY
        assert list(ma.glance(fit).columns) == GLANCE
        assert len(ma.glance(fit)) == 1
        columns = ["term", "name", "estimate", "conf_low", "conf_high"]
        assert list(ma.components(fit).columns) == columns
    parts = ma.components(ma.fit(nested(), random=RANDOM))
    assert parts[["term", "name"]].to_numpy().tolist() == [
        ["study", "sigma2"],
        ["study/effect", "sigma2"],
    ]


def test_defaults() -> None:
    flat = ma.infer(ma.fit(independent()))
    assert (flat.vcov_type, flat.test, flat.df[0]) == ("knha", "t", 11)
    block = ma.infer(ma.fit(nested(), random=RANDOM))
    assert (block.vcov_type, block.test) == ("CR2", "satterthwaite")
    assert block.cluster_name == "study"
    pd.testing.assert_frame_equal(ma.tidy(block), ma.tidy(block.fit))


def test_with_random_what_has_no_meaning_is_nan() -> None:
    row = ma.glance(ma.fit(nested(), random=RANDOM)).iloc[0]
    assert row[["tau2", "se_tau2", "h2", "r2"]].isna().all()
    assert 0 < row["i2"] < 100
    assert row["n_clusters"] == 10
    assert row["qm_test"] == "HTZ"


def test_r2_needs_an_intercept_and_a_moderator() -> None:
    frame = independent()
    assert np.isnan(ma.glance(ma.fit(frame))["r2"][0])
    assert np.isnan(ma.glance(ma.fit(frame, "~ 0 + rater"))["r2"][0])
    assert np.isnan(ma.glance(ma.fit(frame, "~ year", tau2=0.1))["r2"][0])
    assert ma.glance(ma.fit(frame, "~ year"))["r2"][0] >= 0


def test_qm_leaves_the_intercept_out() -> None:
    frame = independent()
    slopes = ma.glance(ma.fit(frame, "~ rater")).iloc[0]
    means = ma.glance(ma.fit(frame, "~ 0 + rater")).iloc[0]
    assert (slopes["qm_df"], means["qm_df"]) == (2, 3)
    assert slopes["qm_test"] == "F"
    alone = ma.fit(frame)
    statistic = ma.tidy(alone)["statistic"][0]
    assert ma.glance(alone)["qm"][0] == pytest.approx(statistic**2)


def test_tests_of_a_robust_covariance() -> None:
    fit = ma.fit(nested(), "~ component", random=RANDOM)
    df = {
        test: ma.tidy(ma.infer(fit, "CR1", test))["df"].iloc[1]
        for test in ("naive-t", "naive-tp", "z")
    }
    assert (df["naive-t"], df["naive-tp"]) == (9, 8)
    assert np.isnan(df["z"])
    assert ma.glance(ma.infer(fit, "CR1", "z"))["qm_test"][0] == "chisq"
    assert ma.glance(ma.infer(fit, "CR1", "naive-t"))["qm_df2"][0] == 9


def test_cr1p_and_cr1s_are_multiples_of_cr0() -> None:
    fit = ma.fit(nested(), "~ component", random=RANDOM)
    v = {kind: ma.infer(fit, kind).vcov for kind in ("CR0", "CR1", "CR1p", "CR1S")}
    k = fit.k
    np.testing.assert_allclose(v["CR1"], v["CR0"] * 10 / 9, rtol=CLOSED_FORM)
    np.testing.assert_allclose(v["CR1p"], v["CR0"] * 10 / 8, rtol=CLOSED_FORM)
    factor = 10 * (k - 1) / (9 * (k - 2))
    np.testing.assert_allclose(v["CR1S"], v["CR0"] * factor, rtol=CLOSED_FORM)


def test_adhoc_never_shrinks_the_standard_error() -> None:
    frame = independent(tau=0.0)
    frame["yi"] = frame["yi"].mean() + 0.1 * (frame["yi"] - frame["yi"].mean())
    fit = ma.fit(frame)
    model, knha, adhoc = (ma.infer(fit, kind).std_error[0] for kind in ("model", "knha", "adhoc"))
    assert knha < model == adhoc


def test_clusters_of_an_effect_table_link_study_and_sample() -> None:
    frame = independent().assign(sample=["s0", "s0", *[f"s{i}" for i in range(2, 12)]])
    with pytest.warns(ma.DependenceWarning):
        fit = ma.fit(effect_table(frame))
    assert ma.infer(fit, "CR2").n_clusters == 11


def test_clusters_may_be_a_column_or_labels() -> None:
    frame = independent().assign(lab=list("aabbccddeeff"))
    fit = ma.fit(frame)
    one, other = (ma.infer(fit, "CR2", cluster=c) for c in ("lab", frame["lab"].to_numpy()))
    assert np.array_equal(one.vcov, other.vcov)
    with pytest.raises(ma.SpecificationError, match="name a column"):
        ma.infer(fit, "CR2")
    with pytest.raises(ma.SpecificationError, match="no column 'lob'"):
        ma.infer(fit, "CR2", cluster="lob")
    with pytest.raises(ma.SpecificationError, match="one label for each"):
        ma.infer(fit, "CR2", cluster=[1, 2])
    with pytest.raises(ma.SpecificationError, match="one cluster"):
        ma.infer(fit, "CR2", cluster=np.zeros(12))


def test_clusters_must_not_split_what_the_model_correlates() -> None:
    frame = nested()
    fit = ma.fit(frame, random=RANDOM)
    with pytest.raises(ma.SpecificationError, match="split"):
        ma.infer(fit, "CR2", cluster="effect")


def test_crossed_terms_have_no_clusters_of_their_own() -> None:
    frame = nested(seed=3).assign(team=lambda f: f["effect"].astype(str))
    fit = ma.fit(frame, random=["~ 1 | study", "~ 1 | team"])
    assert np.isfinite(ma.tidy(ma.infer(fit, "model"))["std_error"][0])
    with pytest.raises(ma.SpecificationError, match="crossed"):
        ma.infer(fit)


@pytest.mark.parametrize(
    ("vcov", "test", "error"),
    [
        ("HC3", None, ValueError),
        ("model", "normal", ValueError),
        ("model", "satterthwaite", ma.SpecificationError),
        ("knha", "z", ma.SpecificationError),
        ("CR2", "t", ma.SpecificationError),
    ],
)
def test_combinations_that_do_not_exist(vcov: str, test: str | None, error: type) -> None:
    with pytest.raises(error):
        ma.infer(ma.fit(independent()), vcov, test, None)


def test_knapp_hartung_is_for_independent_effects() -> None:
    with pytest.raises(ma.SpecificationError, match="independent effects only"):
        ma.infer(ma.fit(nested(), random=RANDOM), "knha")
    with pytest.raises(ma.SpecificationError, match="no clusters"):
        ma.infer(ma.fit(independent()), "model", cluster="study")


def test_few_degrees_of_freedom_are_marked() -> None:
    fit = ma.fit(nested(4, seed=1), random=RANDOM)
    with pytest.warns(ma.SmallSampleWarning, match="Intercept: fewer than 4"):
        inference = ma.infer(fit)
    assert inference.imprecise.tolist() == [True]
    assert list(ma.tidy(inference).columns) == TIDY


def test_identical_effects_have_no_statistic_of_all_moderators() -> None:
    frame = independent().assign(yi=0.3)
    row = ma.glance(ma.fit(frame)).iloc[0]
    assert np.isnan(row["qm"])
    assert row["tau2"] == 0


def test_wald_test_by_name_by_term_and_by_contrast() -> None:
    frame = independent(30)
    inference = ma.infer(ma.fit(frame, "~ rater + year"), "model")
    names = ["rater[T.observer]", "rater[T.therapist]"]
    by_term = ma.wald_test(inference, "rater")
    by_name = ma.wald_test(inference, names)
    L = np.eye(4)[1:3]
    by_contrast = ma.wald_test(inference, L=[[0, 1, 1, 0], [0, 1, -1, 0]])
    for other in (by_name, by_contrast, ma.wald_test(inference, L=L)):
        assert other["statistic"][0] == pytest.approx(by_term["statistic"][0], rel=ITERATED)
    assert list(by_term.columns) == ["terms", "statistic", "df_num", "df_den", "p_value", "test"]
    assert by_term["terms"][0] == " + ".join(names)
    assert ma.wald_test(inference)["df_num"][0] == 3
    for wrong in ({"terms": "rating"}, {"L": [[1, 0]]}, {"L": [[0, 1, 0, 0]] * 2}):
        with pytest.raises(ma.SpecificationError):
            ma.wald_test(inference, **wrong)


def test_htz_does_not_depend_on_how_contrasts_are_written() -> None:
    frame = nested(14, seed=2)
    inference = ma.infer(ma.fit(frame, "~ component + year", random=RANDOM))
    first = ma.wald_test(inference, L=[[0, 1, 0], [0, 0, 1]]).iloc[0]
    second = ma.wald_test(inference, L=[[0, 1, 5], [0, 2, -1]]).iloc[0]
    assert first["test"] == "HTZ"
    assert second["statistic"] == pytest.approx(first["statistic"], rel=1e-7)
    assert second["df_den"] == pytest.approx(first["df_den"], rel=1e-7)


def test_a_coefficient_that_rests_on_one_cluster_is_marked() -> None:
    """Its residuals are zero there, so no sandwich can tell how sure it is."""
    frame = nested(30, 1)
    frame["rare"] = (frame["study"] == "S03").astype(float)
    fit = ma.fit(frame, "~ rare", random="~ 1 | study/effect")
    with pytest.warns(ma.SmallSampleWarning, match="rare: not estimable without one"):
        marked = ma.infer(fit, vcov="CR2", test="naive-t")
    assert marked.imprecise.tolist() == [False, True]
    frame["rare"] += frame["study"] == "S07"
    common = ma.infer(ma.fit(frame, "~ rare", random="~ 1 | study/effect"), "CR0", test="naive-t")
    assert not common.imprecise.any()
