"""Multilevel and multivariate models against metafor 5.1-12, key by key."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.numerics.likelihood import evaluate, likelihood_of
from tests.tolerances import (
    BOUNDARY,
    CLOSED_FORM,
    COEFFICIENT,
    COMPONENT,
    ITERATED,
    LOG_LIKELIHOOD,
    ROBUST,
    ROBUST_OWN,
)

FOLDER = Path(__file__).parents[1] / "reference"
GOLDENS = json.loads((FOLDER / "metafor_goldens_5.1-12.json").read_text(encoding="utf-8"))
LOG_LIKELIHOOD_OF_MATRICES = 1e-7  # UN and GEN
KONSTANTOPOULOS = {"random": "~ 1 | district/study"}
ASSINK = {"random": "~ 1 | study/esid"}
CREDE = {"random": "~ 1 | studyid/sampleid"}
BERKEY = {"mods": "~ 0 + outcome", "random": "~ outcome | trial", "structure": "UN"}
#: key: data set, arguments, test
FITS: dict[str, tuple[str, dict[str, Any], str]] = {
    "mv.konst.REML": ("konstantopoulos2011", KONSTANTOPOULOS, "z"),
    "mv.konst.REML.default": ("konstantopoulos2011", KONSTANTOPOULOS, "z"),
    "mv.konst.ML": ("konstantopoulos2011", {**KONSTANTOPOULOS, "method": "ML"}, "z"),
    "mv.konst.mods": ("konstantopoulos2011", {**KONSTANTOPOULOS, "mods": "~ center(year)"}, "z"),
    "mv.konst.CS": ("konstantopoulos2011", {"random": "~ study | district"}, "z"),
    "mv.assink.CHE": ("assink2016", ASSINK, "z"),
    "mv.assink.CHE.mods": ("assink2016", {**ASSINK, "mods": "~ deltype + year"}, "z"),
    "mv.berkey.UN.ML": ("berkey1998", {**BERKEY, "method": "ML"}, "z"),
    "mv.berkey.UN.REML": ("berkey1998", BERKEY, "z"),
    "mv.crede.ZCOR": ("crede2010", CREDE, "z"),
    "mv.crede.class": ("crede2010", {**CREDE, "mods": "~ class"}, "z"),
    "mv.tanner.CHE": ("tannersmith2016", {"random": "~ 1 | studyid/esid"}, "z"),
    "mv.bakdash": ("bakdash2021", {"random": "~ 1 | SampleID/Outcome"}, "t"),
}
UNCOVERED = {
    # degrees of freedom by containment
    "mv.konst.t.contain",
    # profile intervals of components of a model with random terms
    "mv.konst.confint",
    # metafor runs it on dependent effects and ignores the dependence
    "ranktest.on.mv",
    # other working weights
    "robu.corrdat",
}


@pytest.fixture(autouse=True)
def few_clusters() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ma.SmallSampleWarning)
        yield


def close(actual: Any, expected: Any, tolerance: float, absolute: float = 0.0) -> None:
    wanted = [np.nan if value is None else value for value in np.ravel(expected)]
    np.testing.assert_allclose(
        np.ravel(np.asarray(actual, dtype=float)), wanted, rtol=tolerance, atol=absolute
    )


def data_of(name: str) -> pd.DataFrame:
    data = pd.read_csv(FOLDER / "datasets" / f"{name}.csv", keep_default_na=False, na_values=[""])
    if name == "crede2010":
        data = data[data["criterion"] == "grade"]
        return data.assign(yi=np.arctanh(data["ri"]), vi=1 / (data["ni"] - 3))
    if name == "tannersmith2016":
        return data.assign(esid=np.arange(len(data)))
    if name == "bakdash2021":
        return data.rename(columns={"es.z": "yi", "vi.z": "vi"})
    return data


def sampling_of(name: str, data: pd.DataFrame) -> ma.SamplingCovariance | None:
    if name == "berkey1998":
        return ma.sampling_covariance(data, cluster="trial", rvars=["v1i", "v2i"], vi=1)
    cluster = {"assink2016": "study", "tannersmith2016": "studyid"}.get(name)
    return None if cluster is None else ma.sampling_covariance(data, cluster=cluster, rho=0.6)


def fit_of(key: str, **held: Any) -> ma.Fit:
    name, arguments, _ = FITS[key]
    data = data_of(name)
    moderators = [column for column in data.columns if column in arguments.get("mods", "").split()]
    data = data.dropna(subset=moderators)
    return ma.fit(data, V=sampling_of(name, data), **arguments, **held)


def components_in(expected: dict[str, Any], fit: ma.Fit) -> dict[str, np.ndarray]:
    kinds = dict.fromkeys(part.name for part in fit.components)
    return {kind: np.ravel(expected[kind]) for kind in kinds}


def check_tidy(inference: ma.Inference, expected: dict[str, Any], tight: bool) -> None:
    table = ma.tidy(inference)
    coefficient, error = (ITERATED, ITERATED) if tight else (COEFFICIENT, COMPONENT)
    close(table["estimate"], expected["beta"], coefficient)
    close(table["std_error"], expected["se"], error)
    close(table["statistic"], expected["zval"], error)
    close(table["p_value"], expected["pval"], 100 * error)
    for ours, theirs in (("conf_low", "ci.lb"), ("conf_high", "ci.ub")):
        close(table[ours], expected[theirs], error, error * np.max(expected["se"]))


def check_robust(inference: ma.Inference, expected: dict[str, Any], tolerance: float) -> None:
    table = ma.tidy(inference)
    for ours, theirs in (("std_error", "se"), ("df", "df"), ("statistic", "t")):
        if theirs in expected:
            close(table[ours], expected[theirs], tolerance)
    if "p" in expected:
        close(table["p_value"], expected["p"], 10 * tolerance)
    if "ci" in expected:
        close(table[["conf_low", "conf_high"]], expected["ci"], tolerance, 10 * tolerance)
    if "QM" in expected:
        row = ma.wald_test(inference).iloc[0]
        close(
            row[["statistic", "df_num", "df_den"]],
            [expected["QM"], *expected["QMdf"]],
            10 * tolerance,
        )
        close(row["p_value"], expected["QMp"], 10 * tolerance)


@pytest.mark.parametrize("key", FITS)
def test_fits(key: str) -> None:
    expected, fit = GOLDENS[key], fit_of(key)
    kind = fit.method
    slack = LOG_LIKELIHOOD_OF_MATRICES if "UN" in key else LOG_LIKELIHOOD
    log_lik = fit.log_lik_reml if kind == "REML" else fit.log_lik_ml
    assert log_lik >= expected["fit"][f"ll.{kind}"] - slack
    close(log_lik, expected["fit"][f"ll.{kind}"], 1e-6)
    table = ma.components(fit)
    for name, values in components_in(expected, fit).items():
        close(table.loc[table["name"] == name, "estimate"], values, COMPONENT, BOUNDARY)
    inference = ma.infer(fit, vcov="model", test=FITS[key][2])
    check_tidy(inference, expected, tight=False)
    row = ma.glance(inference).iloc[0]
    close(row["q"], expected["QE"], ITERATED)
    close(row["q_p"], expected["QEp"], 1e-6)
    close(row["qm"], expected["QM"], COMPONENT)
    for ours, theirs in (("aic", "AIC"), ("bic", "BIC"), ("aicc", "AICc")):
        close(row[ours], expected["fit"][f"{theirs}.{kind}"], 1e-6)


@pytest.mark.parametrize("key", FITS)
def test_at_the_components_of_r(key: str) -> None:
    """Everything that follows once the components are given, to many more digits."""
    expected = GOLDENS[key]
    fit = fit_of(key, **components_in(expected, fit_of(key)))
    assert fit.convergence.method == "fixed"
    close(fit.log_lik_ml, expected["fit"]["ll.ML"], ITERATED)
    close(fit.log_lik_reml, expected["fit"]["ll.REML"], ITERATED)
    check_tidy(ma.infer(fit, vcov="model", test=FITS[key][2]), expected, tight=True)
    if "CR2" in expected:
        cluster = FITS[key][1]["random"].split("|")[1].split("/")[0].strip()
        check_robust(ma.infer(fit, "CR2", cluster=cluster), expected["CR2"], ROBUST)


@pytest.mark.parametrize("key", [key for key in FITS if "CR2" in GOLDENS[key]])
def test_robust_at_our_components(key: str) -> None:
    check_robust(ma.infer(fit_of(key), "CR2"), GOLDENS[key]["CR2"], ROBUST_OWN)


@pytest.mark.parametrize("key", [key for key in FITS if "pred" in GOLDENS[key]])
def test_predictions(key: str) -> None:
    expected = GOLDENS[key]
    inference = ma.infer(fit_of(key), vcov="model", test=FITS[key][2])
    names = {"estimate": "pred", "std_error": "se", "conf_low": "ci.lb", "conf_high": "ci.ub"}
    names |= {"pi_low": "pi.lb", "pi_high": "pi.ub"}
    for transform, theirs in ((None, "pred"), ("r", "pred.r")):
        if theirs in expected:
            row = ma.predict(inference, transform=transform, pi_df="inf").iloc[0]
            for ours, name in names.items():
                close(row[ours], expected[theirs][name], COMPONENT, 1e-6)


def test_robust_variances_of_three_levels() -> None:
    expected, fit = GOLDENS["mv.konst.robust"], fit_of("mv.konst.REML")
    check_robust(ma.infer(fit, "CR2"), expected["CR2"], ROBUST_OWN)
    check_robust(ma.infer(fit, "CR1p", test="naive-tp"), expected["CR1"], ROBUST_OWN)


def test_share_of_variance() -> None:
    expected, fit = GOLDENS["mv.konst.I2"], fit_of("mv.konst.REML")
    close(fit.typical_v, expected["vt"], CLOSED_FORM)
    close(ma.glance(fit)["i2"], expected["I2"], COEFFICIENT)
    total = sum(fit.sigma2) + fit.typical_v
    close(100 * np.array(fit.sigma2) / total, expected["I2.level"], COMPONENT)


def test_errors_of_the_components_are_the_curvature() -> None:
    """metafor differentiates numerically; here the observed information is exact."""
    fit = fit_of("mv.konst.REML")
    factors = [term.factor for term in fit.random]
    at = evaluate(likelihood_of(fit.yi, fit.X, fit.sampling, factors, True), fit.theta)
    errors = np.sqrt(np.diagonal(np.linalg.inv(at.observed)))
    close(errors, GOLDENS["mv.konst.cvvc"]["se"], COMPONENT)


def test_shrunken_effects_are_the_sum_of_both_levels() -> None:
    expected, fit = GOLDENS["mv.konst.ranef"], fit_of("mv.konst.REML")
    table = ma.augment(fit)
    district = pd.factorize(fit.data["district"], sort=True)[0]
    outer = np.array(expected["district"]["intrcpt"])[district]
    inner = np.array(expected["district/study"]["intrcpt"])
    close(table["blup"] - table["fitted"], outer + inner, COMPONENT, 1e-6)


def test_unstructured_against_compound_symmetry() -> None:
    expected = GOLDENS["mv.berkey.LRT"]
    data = data_of("berkey1998")
    V = sampling_of("berkey1998", data)
    smaller, larger = (
        ma.fit(data, V=V, **{**BERKEY, "method": "ML", "structure": name}) for name in ("CS", "UN")
    )
    close(2 * (larger.log_lik_ml - smaller.log_lik_ml), expected["LRT"], COEFFICIENT)


def test_correlations_of_several_variables() -> None:
    """Six correlations of up to 18 studies, unstructured, and the regression they imply."""
    expected = GOLDENS["mv.craft.rcalc.matreg"]
    data = pd.read_csv(FOLDER / "datasets" / "craft2003.csv").dropna(subset="ri")
    data = data[data["study"] != 17]  # its covariances are unknown; metafor drops it without a word
    names = ["acog.perf", "asom.perf", "conf.perf", "acog.asom", "acog.conf", "asom.conf"]
    pair = pd.Categorical(data["var1"] + "." + data["var2"], names)
    frame = data.assign(pair=pair, yi=data["ri"])
    V = ma.correlation_covariance(frame, r="ri", n="ni", metric="r")
    first = frame["study"] == frame["study"].iloc[0]
    close(V.to_array()[np.ix_(first, first)], expected["V6"], CLOSED_FORM)
    frame["vi"] = np.diagonal(V.to_array())
    fit = ma.fit(frame, "~ 0 + pair", random="~ pair | study", structure="UN", V=V)
    assert fit.terms == tuple(f"pair[{name}]" for name in names)
    assert fit.log_lik_reml >= expected["ll"] - LOG_LIKELIHOOD_OF_MATRICES
    close(fit.beta, expected["coef"], COEFFICIENT, COEFFICIENT)
    close(regression(fit.beta), expected["b"], COEFFICIENT, COEFFICIENT)
    h = 1e-6
    slopes = np.column_stack(
        [
            (regression(fit.beta + step) - regression(fit.beta - step)) / (2 * h)
            for step in h * np.eye(6)
        ]
    )
    close(np.sqrt(np.diagonal(slopes @ fit.vcov @ slopes.T)), expected["se"], COMPONENT)


def regression(r: np.ndarray) -> np.ndarray:
    """Standardised slopes of performance on cognitive and somatic anxiety and confidence."""
    Rxx = np.array([[1, r[3], r[4]], [r[3], 1, r[5]], [r[4], r[5], 1]])
    return np.linalg.solve(Rxx, r[:3])


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"])
def test_every_robust_variance_with_every_test(kind: str) -> None:
    expected = GOLDENS["cs.bcg.alltests"][kind]
    data = data_of("bcg")
    fit = ma.fit(data, "~ ablat + alloc")
    assert fit.terms == ("Intercept", "ablat", "alloc[T.random]", "alloc[T.systematic]")
    inferences = {
        test: ma.infer(fit, kind, test=test, cluster="trial")
        for test in ("z", "naive-t", "naive-tp", "satterthwaite")
    }
    close(inferences["z"].vcov, expected["vcov"], ROBUST)
    for test, name in (("z", "z"), ("naive-t", "t"), ("naive-tp", "tp"), ("satterthwaite", "Satt")):
        table, coef = ma.tidy(inferences[test]), expected["coef"]
        for ours, theirs in (
            ("estimate", coef["beta"]),
            ("std_error", coef["SE"]),
            ("statistic", coef["tstat"]),
            ("p_value", coef[f"p_{name}"]),
        ):
            close(table[ours], theirs, ROBUST)
        close(table["df"], coef[f"df_{name}"], ROBUST)
    wald = pd.DataFrame(expected["wald"]).set_index("test")
    for test, name in (
        ("z", "chi-sq"),
        ("naive-t", "Naive-F"),
        ("naive-tp", "Naive-Fp"),
        ("satterthwaite", "HTZ"),
    ):
        row, theirs = ma.wald_test(inferences[test], terms="alloc").iloc[0], wald.loc[name]
        factor = theirs["df_num"] if test == "z" else 1.0
        close(row["statistic"], factor * theirs["Fstat"], ROBUST)
        close(row["df_den"], theirs["df_denom"], ROBUST)
        close(row["p_value"], theirs["p_val"], ROBUST)


def test_what_is_left() -> None:
    keys = {key for key in GOLDENS if key.startswith(("mv.", "cs.", "robu.", "ranktest."))}
    elsewhere = {"mv.konst.robust", "mv.konst.I2", "mv.konst.cvvc", "mv.konst.ranef"}
    elsewhere |= {"mv.berkey.LRT", "mv.craft.rcalc.matreg", "cs.bcg.alltests"}
    assert keys == set(FITS) | elsewhere | UNCOVERED
