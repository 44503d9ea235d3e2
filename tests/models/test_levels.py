"""Random effects, I² and prediction by level; likelihood-ratio tests."""

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.models.examples import independent, nested
from tests.models.test_profile_intervals import fit_of, pairs
from tests.tolerances import CLOSED_FORM, ITERATED

UN = {"mods": "~ 0 + component", "random": "~ component | study", "structure": "UN"}


def dense_blups(fit: ma.Fit, G: np.ndarray, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Û and its standard errors with k x k matrices."""
    W = np.linalg.inv(fit.marginal.to_array())
    C = G @ Z.T
    u = C @ W @ (fit.yi - fit.X @ fit.beta)
    left = C @ W @ fit.X
    return u, np.sqrt(np.diag(G - C @ W @ C.T + left @ fit.vcov @ left.T))


def test_random_effects_of_nested_terms() -> None:
    frame = nested(10, 4)
    fit = ma.fit(frame, random="~ 1 | study/effect")
    table = ma.random_effects(ma.infer(fit, "model"))
    for term in fit.random:
        rows = table[table["term"] == term.name]
        Z = np.eye(term.levels)[term.codes]
        sigma2 = dict(zip([t.name for t in fit.random], fit.sigma2, strict=True))[term.name]
        u, se = dense_blups(fit, sigma2 * np.eye(term.levels), Z)
        assert rows["estimate"].to_numpy() == pytest.approx(u, abs=CLOSED_FORM)
        assert rows["std_error"].to_numpy() == pytest.approx(se, abs=1e-8)
    groups = table[table["term"] == "study/effect"]["group"]
    assert groups.tolist() == [
        f"{s}/{e}" for s, e in zip(frame["study"], frame["effect"], strict=True)
    ]


def test_random_effects_of_components() -> None:
    fit = fit_of(pairs(12), **UN)
    (term,) = fit.random
    tau2, rho = [c.estimate for c in fit.components[:2]], fit.components[2].estimate
    G = np.diag(tau2)
    G[0, 1] = G[1, 0] = rho * np.sqrt(tau2[0] * tau2[1])
    Z = np.zeros((fit.k, 24))
    Z[np.arange(fit.k), 2 * term.codes + term.factor.inner] = 1
    u, se = dense_blups(fit, np.kron(np.eye(12), G), Z)
    table = ma.random_effects(ma.infer(fit, "model"))
    assert table["inner"].tolist() == ["b", "w"] * 12
    assert table["estimate"].to_numpy() == pytest.approx(u, abs=1e-9)
    assert table["std_error"].to_numpy() == pytest.approx(se, abs=1e-8)
    assert np.allclose(table["conf_high"] - table["estimate"], 1.959964 * table["std_error"])


def test_random_effects_are_for_random_terms() -> None:
    with pytest.raises(ma.SpecificationError, match="use augment"):
        ma.random_effects(ma.fit(independent()))


def test_shares_of_nested_levels_add_up() -> None:
    fit = ma.fit(nested(20, 1), random="~ 1 | study/effect")
    table = ma.heterogeneity(fit)
    assert table["name"].tolist() == ["sigma2", "sigma2", "total"]
    for column in ("i2_matrix", "i2_ratio"):
        assert table[column].iloc[:2].sum() == pytest.approx(table[column].iloc[2])
    assert table["i2_matrix"].iloc[2] == pytest.approx(ma.glance(fit)["i2"][0])
    assert table["i2_matrix"].to_numpy() == pytest.approx(table["i2_ratio"].to_numpy())


def test_both_formulas_differ_with_correlated_errors() -> None:
    frame = nested(20, 1)
    V = ma.sampling_covariance(frame, rho=0.7)
    table = ma.heterogeneity(ma.fit(frame, random="~ 1 | study/effect", V=V))
    assert not np.allclose(table["i2_matrix"], table["i2_ratio"], rtol=1e-3)


def test_univariate_share() -> None:
    fit = ma.fit(independent())
    assert ma.heterogeneity(fit)["i2_matrix"].tolist() == [ma.glance(fit)["i2"][0]] * 2


def test_a_level_is_set_against_its_own_effects() -> None:
    """With DIAG each level is a fit of its own, and so is its share."""
    frame = pairs(30)
    both = ma.heterogeneity(ma.fit(frame, **UN | {"structure": "DIAG"})).set_index("term")
    for level in ("b", "w"):
        part = frame[frame["component"] == level]
        alone = ma.heterogeneity(ma.fit(part, random="~ 1 | study"))
        assert both.loc[level, "i2_matrix"] == pytest.approx(alone["i2_matrix"][0], rel=1e-6)
        assert both.loc[level, "i2_ratio"] == pytest.approx(alone["i2_ratio"][0], rel=1e-6)


def test_prediction_intervals_take_the_variance_of_their_level() -> None:
    fit = fit_of(pairs(30), **UN)
    newdata = pd.DataFrame({"component": ["w", "b"]})
    model = ma.infer(fit, "model")
    table = ma.predict(model, newdata=newdata, pi_df="inf")
    tau2 = {part.term: part.estimate for part in fit.components[:2]}
    for i, level in enumerate(newdata["component"]):
        half = (table["pi_high"] - table["pi_low"])[i] / 2
        spread = np.sqrt(table["std_error"][i] ** 2 + tau2[level])
        assert half == pytest.approx(1.959963984540054 * spread, rel=ITERATED)
    fitted = ma.predict(model, pi_df="inf")
    assert fitted["pi_low"].iloc[0] == pytest.approx(table["pi_low"][1])


def test_a_new_study_leaves_the_inner_terms_out() -> None:
    frame = pairs(30).assign(effect=np.arange(120))
    terms = {"random": ["~ component | study", "~ 1 | effect"]}
    fit = fit_of(frame, **UN | terms)
    assert fit.cluster_name == "study"
    newdata = pd.DataFrame({"component": ["b"]})
    effect, study = (
        ma.predict(ma.infer(fit, "model"), newdata=newdata, pi_df="inf", target=target).iloc[0]
        for target in ("effect", "study")
    )
    parts = [part.estimate for part in fit.components]
    for row, variance in ((effect, parts[0] + parts[3]), (study, parts[0])):
        half = (row["pi_high"] - row["pi_low"]) / 2
        assert half == pytest.approx(1.959963984540054 * np.sqrt(row["std_error"] ** 2 + variance))


def test_a_mean_over_levels_of_different_variance_has_no_prediction_interval() -> None:
    fit = fit_of(pairs(), random="~ component | study", structure="UN")
    assert ma.predict(fit)[["pi_low", "pi_high"]].isna().all(axis=None)
    assert ma.predict(fit, newdata=pd.DataFrame({"component": ["b"]})).notna().all(axis=None)
    with pytest.raises(ma.SpecificationError, match="do not have"):
        ma.predict(fit, newdata=pd.DataFrame({"component": ["c"]}))


def test_likelihood_ratio() -> None:
    frame = nested(30, 2)
    small = ma.fit(frame, random="~ 1 | study", method="ML")
    large = ma.fit(frame, "~ year", random="~ 1 | study/effect", method="ML")
    row = ma.likelihood_ratio_test(small, large).iloc[0]
    assert row["statistic"] == pytest.approx(2 * (large.log_lik_ml - small.log_lik_ml))
    assert (row["df"], row["boundary"]) == (2, True)
    same = ma.fit(frame, "~ year", random="~ 1 | study", method="ML")
    assert not ma.likelihood_ratio_test(small, same)["boundary"].iloc[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: ma.fit(f, "~ year", random="~ 1 | study"), "method='ML'"),
        (lambda f: ma.fit(f, random="~ 1 | study/effect", method="ML"), "two fits by ML"),
        (lambda f: ma.fit(f.iloc[:-3], random="~ 1 | study/effect"), "different effects"),
        (lambda f: ma.fit(f, random="~ 1 | study/effect", sigma2=[None, 0]), "smaller model first"),
        (lambda f: ma.fit(f, random="~ 1 | year/effect"), "no random effects by study"),
        (
            lambda f: ma.fit(f, random="~ 1 | study/effect", V=ma.sampling_covariance(f, rho=0.5)),
            "different sampling covariances",
        ),
    ],
)
def test_what_cannot_be_compared(change, says: str) -> None:
    frame = nested(30, 2)
    with pytest.raises(ma.SpecificationError, match=says):
        ma.likelihood_ratio_test(ma.fit(frame, random="~ 1 | study"), change(frame))


def test_a_prediction_interval_is_never_narrower_than_the_confidence_interval() -> None:
    frame = pd.DataFrame(
        {"study": list("abcd"), "yi": [0.2, 0.3, 0.1, 0.5], "vi": [0.01, 0.02, 0.02, 0.03]}
    )
    with pytest.warns(ma.SmallSampleWarning):
        row = ma.predict(ma.fit(frame, random="~ 1 | study")).iloc[0]
    assert row["pi_low"] == row["conf_low"] and row["pi_high"] == row["conf_high"]
