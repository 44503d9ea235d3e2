"""``fit``: identities that hold for every model, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.models.examples import effect_table, independent, nested
from tests.tolerances import CLOSED_FORM, ITERATED

RANDOM = "~ 1 | study/effect"


def covariance(frame: pd.DataFrame, rho: float = 0.6) -> ma.SamplingCovariance:
    return ma.sampling_covariance(frame, cluster="study", rho=rho)


@pytest.mark.filterwarnings("ignore::metalliance.errors.SmallSampleWarning")
def test_order_of_rows_does_not_matter() -> None:
    frame = nested(seed=1)
    shuffled = frame.sample(frac=1, random_state=4)
    first, second = (
        ma.fit(f, "~ component + year", random=RANDOM, V=covariance(f)) for f in (frame, shuffled)
    )
    np.testing.assert_allclose(second.beta, first.beta, rtol=1e-6)
    np.testing.assert_allclose(second.sigma2, first.sigma2, rtol=1e-6, atol=1e-10)
    tables = [ma.tidy(ma.infer(f, "CR2"))["df"] for f in (first, second)]
    np.testing.assert_allclose(tables[1], tables[0], rtol=1e-6)
    ours, theirs = (ma.augment(f).sort_index() for f in (first, second))
    np.testing.assert_allclose(theirs["rstudent"], ours["rstudent"], rtol=1e-5)


@pytest.mark.parametrize("random", [None, RANDOM])
def test_location_and_scale(random: str | None) -> None:
    frame = nested(seed=2) if random else independent(seed=2)
    V = covariance(frame).to_array() if random else None
    before = ma.fit(frame, random=random, V=V)
    moved = frame.assign(yi=10 * (frame["yi"] + 3), vi=100 * frame["vi"])
    after = ma.fit(moved, random=random, V=None if V is None else 100 * V)
    assert after.beta[0] == pytest.approx(10 * (before.beta[0] + 3), rel=ITERATED)
    assert after.heterogeneity == pytest.approx(100 * before.heterogeneity, rel=ITERATED)
    one, other = ma.tidy(before).iloc[0], ma.tidy(after).iloc[0]
    assert other["std_error"] == pytest.approx(10 * one["std_error"], rel=ITERATED)
    assert other["df"] == pytest.approx(one["df"], rel=ITERATED)


@pytest.mark.filterwarnings("ignore::metalliance.errors.SmallSampleWarning")
@pytest.mark.parametrize("method", ["ML", "REML"])
def test_one_effect_per_cluster_is_the_univariate_model(method: str) -> None:
    frame = independent(seed=3)
    flat = ma.fit(frame, "~ year", method=method)
    block = ma.fit(frame, "~ year", random="~ 1 | study", method=method)
    assert block.sigma2[0] == pytest.approx(flat.tau2, rel=ITERATED)
    np.testing.assert_allclose(block.vcov, flat.vcov, rtol=ITERATED)
    assert block.log_lik_ml == pytest.approx(flat.log_lik_ml, rel=CLOSED_FORM)
    assert block.log_lik_reml == pytest.approx(flat.log_lik_reml, rel=CLOSED_FORM)
    one, other = (ma.tidy(ma.infer(f, "CR2", cluster="study")) for f in (flat, block))
    np.testing.assert_allclose(other.drop(columns="term"), one.drop(columns="term"), rtol=1e-6)
    np.testing.assert_allclose(block.typical_v, flat.typical_v, rtol=CLOSED_FORM)


def test_three_levels_without_the_outer_one_collapse() -> None:
    frame = nested(seed=4)
    three = ma.fit(frame, random=RANDOM, sigma2=[0, None])
    two = ma.fit(frame.assign(row=range(len(frame))), random="~ 1 | row")
    assert three.sigma2[1] == pytest.approx(two.sigma2[0], rel=ITERATED)
    assert three.beta[0] == pytest.approx(two.beta[0], rel=ITERATED)


def test_fixed_components_are_kept_and_not_counted() -> None:
    frame = independent()
    free, fixed = ma.fit(frame), ma.fit(frame, tau2=0.02)
    assert fixed.tau2 == 0.02
    assert np.isnan(fixed.se_tau2)
    aic = ma.glance(fixed)["aic"][0]
    assert aic == pytest.approx(-2 * fixed.log_lik_reml + 2)
    assert ma.glance(free)["aic"][0] == pytest.approx(-2 * free.log_lik_reml + 4)
    both = ma.fit(nested(), random=RANDOM, sigma2=[0.05, 0.01])
    assert both.sigma2 == (0.05, 0.01)


def test_four_levels_fit() -> None:
    frame = nested(12, seed=5)
    frame["lab"] = frame["study"].str[-1].astype(int) % 4
    fit = ma.fit(frame, random="~ 1 | lab/study/effect", V=covariance(frame))
    assert [part.term for part in fit.components] == ["lab", "lab/study", "lab/study/effect"]
    assert fit.cluster_name == "lab"
    assert fit.n_clusters == 4


@pytest.mark.parametrize("method", ["DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM"])
def test_effects_that_agree_exactly(method: str) -> None:
    frame = independent().assign(yi=0.25)
    fit = ma.fit(frame, method=method)
    assert fit.tau2 == 0
    assert fit.beta[0] == pytest.approx(0.25, rel=CLOSED_FORM)
    assert ma.tidy(fit)["std_error"][0] == pytest.approx(0, abs=1e-12)
    result = ma.permutation_test(ma.infer(fit, "model"), exact=True)
    assert result.table["p_value"][0] == 2 / 2**12


def test_v_in_every_form_is_the_same_v() -> None:
    frame = nested(seed=6)
    V = covariance(frame)
    fits = [ma.fit(frame, random=RANDOM, V=form) for form in (V, V.to_array(), V.to_sparse())]
    for other in fits[1:]:
        assert other.log_lik_reml == pytest.approx(fits[0].log_lik_reml, rel=CLOSED_FORM)
    frame = independent()
    diagonal = ma.fit(frame, V=np.diag(frame["vi"]))
    assert diagonal.tau2 == pytest.approx(ma.fit(frame).tau2, rel=CLOSED_FORM)


def test_columns_of_other_names_and_the_call() -> None:
    frame = independent().rename(columns={"yi": "z", "vi": "var_z"})
    fit = ma.fit(frame, yi="z", vi="var_z", method="DL")
    assert json.loads(json.dumps(fit.call))["yi"] == "z"
    assert fit.call["method"] == "DL"
    V = covariance(nested())
    assert "0.6" in ma.fit(nested(), random=RANDOM, V=V).call["V"]


def test_nothing_given_is_changed() -> None:
    frame = nested(seed=7)
    before = frame.copy()
    fit = ma.fit(frame, "~ component", random=RANDOM)
    vcov = fit.vcov.copy()
    for kind in ("model", "CR0", "CR2"):
        ma.tidy(ma.infer(fit, kind))
    ma.augment(fit)
    pd.testing.assert_frame_equal(frame, before)
    assert np.array_equal(fit.vcov, vcov)


def test_repeated_studies_in_a_univariate_model_are_announced() -> None:
    with pytest.warns(ma.DependenceWarning, match="more than one effect"):
        ma.fit(nested())
    linked = independent().assign(sample=["s0", "s0", *[f"s{i}" for i in range(2, 12)]])
    with pytest.warns(ma.DependenceWarning, match="one study contributes"):
        ma.fit(effect_table(linked))


def missing(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    frame = frame.copy()
    frame[column] = frame[column].astype(float)
    frame.loc[3, column] = np.nan
    return frame


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        (lambda f: missing(f, "yi"), {}, r"yi is missing in row 3 \(study 'S03'\)"),
        (lambda f: missing(f, "vi"), {}, "vi is missing in row 3"),
        (lambda f: missing(f, "year"), {"mods": "~ year"}, "'year' is missing in row 3"),
        (lambda f: f.assign(vi=0.0), {}, "above zero"),
        (lambda f: f.assign(yi="high"), {}, "not a finite number"),
        (lambda f: f.head(1), {}, "cannot carry"),
        (lambda f: f.head(0), {}, "no effects"),
        (lambda f: f.drop(columns="vi"), {}, "no column 'vi'"),
        (
            lambda f: f.assign(two=2 * f["year"]),
            {"mods": "~ year + two"},
            "'two' equals 2 × 'year'",
        ),
        (lambda f: f, {"random": "~ 1 | study", "method": "DL"}, "ML or REML"),
        (lambda f: f, {"method": "GENQ"}, "GENQ needs weights="),
        (lambda f: f, {"structure": "UN"}, "structure= belongs to random terms"),
        (lambda f: f, {"weights": "ni"}, "no column 'ni'"),
        (lambda f: f, {"weights": np.zeros(12)}, "finite and above zero"),
        (lambda f: f, {"weights": np.ones(3)}, r"shape \(3,\)"),
        (lambda f: f, {"weights": np.ones(12), "random": "~ 1 | study"}, "independent effects"),
        (lambda f: f, {"scale": "~ year"}, "location-scale"),
        (lambda f: f, {"rho": 0.5}, "rho= belongs to random terms"),
        (lambda f: f, {"sigma2": 0.1}, "sigma2= belongs to random terms"),
        (lambda f: f, {"random": "~ 1 | study", "tau2": 0.1}, "tau2= fixes nothing here"),
        (lambda f: f, {"random": "~ 1 | study", "sigma2": [0.1, 0.2]}, "2 values for 1"),
        (lambda f: f, {"random": "~ 1 | study", "sigma2": -1}, "at least zero"),
        (lambda f: f, {"tau2": -1}, "at least zero"),
        (lambda f: f, {"tau2": 0.1, "method": "EE"}, "sets tau2 to zero"),
        (lambda f: f, {"random": "~ 1 | study", "mods": "~ 0 + study"}, "cannot carry"),
        (lambda f: f, {"V": np.eye(3)}, r"shape \(3, 3\)"),
        (lambda f: f, {"V": np.eye(12)}, "diagonal of V is not vi"),
        (lambda f: f, {"V": "all"}, "square array"),
    ],
)
def test_what_is_refused(change, arguments, says: str) -> None:
    with pytest.raises(ma.SpecificationError, match=says):
        ma.fit(change(independent()), **arguments)


def test_unknown_method_lists_the_choices() -> None:
    with pytest.raises(ValueError, match="choose one of EE, DL, HE, HS, HSk, SJ, ML, REML"):
        ma.fit(independent(), method="REM")


def test_correlated_effects_need_a_random_term() -> None:
    frame = nested()
    with pytest.raises(ma.SpecificationError, match="add random="):
        ma.fit(frame, V=covariance(frame))


def test_v_must_be_positive_definite_and_symmetric() -> None:
    frame = nested()
    V = covariance(frame).to_array()
    singular = np.sqrt(np.outer(frame["vi"], frame["vi"])) * (V != 0)
    with pytest.raises(ma.SpecificationError, match="not positive definite for row"):
        ma.fit(frame, random=RANDOM, V=singular)
    V[0, 5] += 0.01
    with pytest.raises(ma.SpecificationError, match="not symmetric"):
        ma.fit(frame, random=RANDOM, V=V)


def test_moderators_that_use_up_a_random_term() -> None:
    frame = nested()
    with pytest.raises(ma.SpecificationError, match="study cannot be told apart"):
        ma.fit(frame, "~ 0 + study", random=RANDOM)


def test_a_fit_keeps_the_rows_it_was_given() -> None:
    frame = independent()
    fit = ma.fit(frame)
    before = fit.data["yi"].copy()
    frame.loc[frame.index[0], "yi"] = 99.0
    frame["new"] = 1
    assert fit.data["yi"].equals(before) and "new" not in fit.data


def test_effects_on_different_scales_are_not_pooled() -> None:
    frame = independent().assign(es_metric=["z"] * 6 + ["beta"] * 6)
    with pytest.raises(ma.SpecificationError, match="different scales"):
        ma.fit(effect_table(frame))
