"""Every covered case of the reference files, at the stated tolerances."""

import json
import math
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.tolerances import (
    BOUNDARY,
    COEFFICIENT,
    COMPONENT,
    ITERATED,
    LOG_LIKELIHOOD,
    ROBUST,
    ROBUST_OWN,
)

FOLDER = Path(__file__).parents[1] / "reference"
CASES = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["cases"]
KOLDEN = json.loads((FOLDER / "kolden.json").read_text(encoding="utf-8"))["cases"]
METHODS = ("EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM")
VCOV = {"z": ("model", "z"), "t": ("model", "t"), "knha": ("knha", None), "adhoc": ("adhoc", None)}


def kind_of(case: Mapping[str, Any]) -> str:
    parts = case["id"].split("/")
    if parts[1] == "uni":
        return "uni" if parts[2] in METHODS else "other"
    if parts[1] == "mods":
        return "mods"
    return "mv" if parts[1] == "mv" else "other"


def by_kind(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in CASES if kind_of(case) == kind]


def data_of(case: Mapping[str, Any]) -> pd.DataFrame:
    path = FOLDER / "datasets" / f"{case['id'].split('/')[0]}.csv"
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def close(actual: Any, expected: Any, tolerance: float, absolute: float = 1e-12) -> None:
    actual = np.asarray(actual, dtype=float)
    expected = np.asarray([math.nan if v is None else v for v in np.ravel(expected)], dtype=float)
    np.testing.assert_allclose(actual.ravel(), expected, rtol=tolerance, atol=absolute)


def fit_of(data: pd.DataFrame, **arguments: Any) -> ma.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ma.DependenceWarning)
        return ma.fit(data, **arguments)


def check_tidy(inference: ma.Inference, expected: Mapping[str, Any]) -> None:
    table = ma.tidy(inference)
    for ours, theirs in (
        ("estimate", "beta"),
        ("std_error", "se"),
        ("statistic", "stat"),
        ("p_value", "pval"),
        ("conf_low", "ci_lb"),
        ("conf_high", "ci_ub"),
    ):
        close(table[ours], expected[theirs], ITERATED, 1e-10)


def check_glance(inference: ma.Inference, expected: Mapping[str, Any]) -> None:
    row = ma.glance(inference).iloc[0]
    for ours, theirs in (
        ("k", "k"),
        ("p", "p"),
        ("tau2", "tau2"),
        ("i2", "I2"),
        ("h2", "H2"),
        ("q", "QE"),
        ("q_p", "QEp"),
        ("qm", "QM"),
        ("qm_p", "QMp"),
        ("log_lik_ml", "loglik_ml"),
        ("aic", "aic"),
        ("bic", "bic"),
        ("aicc", "aicc"),
    ):
        close(row[ours], expected[theirs], ITERATED, BOUNDARY)
    if expected.get("se_tau2") is not None:
        close(row["se_tau2"], expected["se_tau2"], ITERATED)
    if "R2" in expected:
        close(row["r2"], expected["R2"], ITERATED, 1e-6)
    df = expected["QMdf"]
    assert row["qm_df"] == df[0]
    assert (row["qm_test"] == "chisq") == (df[1] is None)
    if df[1] is not None:
        assert row["qm_df2"] == df[1]


@pytest.mark.parametrize("case", [*by_kind("uni"), *by_kind("mods")])
def test_univariate(case: Mapping[str, Any]) -> None:
    arguments, expected = case["args"], case["expected"]
    data = data_of(case)
    moderators = [name for name in data.columns if name in arguments.get("mods", "")]
    data = data.dropna(subset=moderators)
    fit = fit_of(data, mods=arguments.get("mods", "~ 1"), method=arguments["method"])
    vcov, test = VCOV[arguments["test"]]
    inference = ma.infer(fit, vcov=vcov, test=test)
    check_tidy(inference, expected)
    check_glance(inference, expected)
    close(fit.log_lik_reml, expected["loglik_reml"], ITERATED)
    close(inference.vcov, expected["vcov"], ITERATED, 1e-12)
    if "predict" in expected:
        row = ma.predict(inference).iloc[0]
        for ours, theirs in (
            ("estimate", "pred"),
            ("std_error", "se"),
            ("conf_low", "ci_lb"),
            ("conf_high", "ci_ub"),
            ("pi_low", "pi_lb"),
            ("pi_high", "pi_ub"),
        ):
            close(row[ours], expected["predict"][theirs], ITERATED, 1e-10)
    if "tau2_ci_qprofile" in expected:
        table = ma.confint(inference).set_index("name")[["conf_low", "conf_high"]]
        close(table.loc["tau2"], expected["tau2_ci_qprofile"], ITERATED)
        close(table.loc["i2"], expected["I2_ci"], ITERATED)
    if "tau2_ci_pl" in expected:
        row = ma.components(inference, intervals="profile").iloc[0]
        close(row[["conf_low", "conf_high"]], expected["tau2_ci_pl"], ITERATED)


def multilevel_of(case: Mapping[str, Any], **fixed: Any) -> ma.Fit:
    data, arguments = data_of(case), case["args"]
    V = None
    if "V" in arguments:
        given = arguments["V"]
        scaled = {"vi": 1} if "rvars" in given else {}
        V = ma.sampling_covariance(data, **given, **scaled)
    structure = arguments.get("struct")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ma.SmallSampleWarning)
        return ma.fit(
            data,
            mods=arguments["mods"],
            random=arguments["random"],
            structure=structure,
            V=V,
            **fixed,
        )


def components_of_r(case: Mapping[str, Any]) -> dict[str, Any]:
    names = ("tau2", "rho") if "struct" in case["args"] else ("sigma2",)
    return {name: np.ravel(case["expected"][name]) for name in names}


def check_robust(
    fit: ma.Fit, case: Mapping[str, Any], tolerance: float, kinds: tuple[str, ...]
) -> None:
    expected, cluster = case["expected"], case["args"]["cluster"]
    for kind in kinds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ma.SmallSampleWarning)
            inference = ma.infer(fit, vcov=kind, cluster=cluster)
            table = ma.tidy(inference)
        close(table["std_error"], expected[kind]["se"], tolerance)
        close(table["df"], expected[kind]["df"], tolerance)
        close(table["statistic"], expected[kind]["t"], tolerance)
        close(table["p_value"], expected[kind]["p"], tolerance)
    if "HTZ" in expected:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ma.SmallSampleWarning)
            inference = ma.infer(fit, vcov="CR2", cluster=cluster)
            row = ma.wald_test(inference, terms=fit.terms[1:]).iloc[0]
        close(row["statistic"], expected["HTZ"]["F"], tolerance)
        assert row["df_num"] == expected["HTZ"]["df_num"]
        close(row["df_den"], expected["HTZ"]["df_denom"], tolerance)
        close(row["p_value"], expected["HTZ"]["p"], tolerance)


@pytest.mark.parametrize("case", by_kind("mv"))
def test_multilevel(case: Mapping[str, Any]) -> None:
    expected = case["expected"]
    fit = multilevel_of(case)
    assert fit.log_lik_reml >= expected["loglik_reml"] - LOG_LIKELIHOOD
    close(fit.log_lik_reml, expected["loglik_reml"], 1e-6)
    components = np.concatenate(list(components_of_r(case).values()))
    close(ma.components(fit)["estimate"], components, COMPONENT, BOUNDARY)
    test = case["args"]["test"]
    inference = ma.infer(fit, vcov="model", test=test)
    table = ma.tidy(inference)
    close(table["estimate"], expected["beta"], COEFFICIENT, 1e-7)
    close(table["std_error"], expected["se"], COMPONENT)
    close(table["p_value"], expected["pval"], COMPONENT)
    row = ma.glance(inference).iloc[0]
    close(row["q"], expected["QE"], ITERATED)
    close(row["q_p"], expected["QEp"], ITERATED)
    close(row["qm"], expected["QM"], COMPONENT)
    close(row["qm_p"], expected["QMp"], COMPONENT)
    close(fit.vcov, expected["vcov"], COMPONENT)
    if "s_nlevels" in expected:
        assert [term.levels for term in fit.random] == expected["s_nlevels"]
    check_robust(fit, case, ROBUST_OWN, ("CR0", "CR1", "CR2"))


@pytest.mark.parametrize("case", by_kind("mv"))
def test_multilevel_at_the_components_of_r(case: Mapping[str, Any]) -> None:
    expected = case["expected"]
    fit = multilevel_of(case, **components_of_r(case))
    table = ma.tidy(ma.infer(fit, vcov="model", test=case["args"]["test"]))
    close(table["estimate"], expected["beta"], ITERATED, 1e-10)
    close(table["std_error"], expected["se"], ITERATED)
    close(fit.log_lik_ml, expected["loglik_ml"], ITERATED)
    check_robust(fit, case, ROBUST, ("CR0", "CR1", "CR2"))


@pytest.mark.parametrize("case", KOLDEN, ids=lambda c: f"{c['set']}-{c['method']}-{c['test']}")
def test_congruence(case: Mapping[str, Any]) -> None:
    r, n = np.asarray(case["r"]), np.asarray(case["n"])
    data = pd.DataFrame({"yi": np.arctanh(r), "vi": 1 / (n - 3)})
    vcov, test = VCOV[case["test"]]
    inference = ma.infer(ma.fit(data, method=case["method"]), vcov=vcov, test=test)
    row, overall = ma.tidy(inference).iloc[0], ma.glance(inference).iloc[0]
    for name in ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"):
        close(row[name], case[name], ITERATED, 1e-12)
    for name in ("tau2", "q", "q_p", "i2", "h2", "log_lik_ml"):
        close(overall[name], case[name], ITERATED, 1e-10)
    close(inference.fit.log_lik_reml, case["log_lik_reml"], ITERATED, 1e-10)
    if case["pi_low"] is not None:
        mean = ma.predict(inference).iloc[0]
        close(mean[["pi_low", "pi_high"]], [case["pi_low"], case["pi_high"]], ITERATED)


def test_congruence_as_published_on_r() -> None:
    case = next(c for c in KOLDEN if (c["set"], c["method"]) == ("full", "REML"))
    r, n = np.asarray(case["r"]), np.asarray(case["n"])
    fit = ma.fit(pd.DataFrame({"yi": np.arctanh(r), "vi": 1 / (n - 3)}))
    columns = ["estimate", "conf_low", "conf_high", "pi_low", "pi_high"]
    plain = ma.predict(ma.infer(fit, vcov="model"), transform="r").iloc[0][columns]
    assert list(np.round(plain.astype(float), 4)) == [0.2498, 0.1181, 0.3729, -0.2085, 0.6181]
    robust = ma.predict(fit, transform="r").iloc[0][columns]
    assert list(np.round(robust.astype(float), 4)) == [0.2498, 0.1114, 0.3787, -0.2458, 0.6419]


def test_what_is_not_covered_is_counted() -> None:
    """155 cases; the rest are sensitivity tools and other working weights.

    Blup and leave1out are compared in test_augment and in sensitivity/test_refits, and so are
    rstudent, hat and weight of influence, whose other columns are not covered yet.
    """
    kinds = [kind_of(case) for case in CASES]
    elsewhere = [case["id"] for case in CASES if case["id"].endswith(("/blup", "/leave1out"))]
    counts = {kind: kinds.count(kind) for kind in ("uni", "mods", "mv", "other")}
    assert counts == {"uni": 63, "mods": 20, "mv": 6, "other": 66}
    assert len(elsewhere) == 6
    left = Counter(
        "/".join(case["id"].split("/")[1:3])
        for case, kind in zip(CASES, kinds, strict=True)
        if kind == "other" and case["id"] not in elsewhere
    )
    assert left == {
        "robu/CORR": 2,
        "regtest/rma": 10,
        "regtest/lm": 3,
        "ranktest": 3,
        "influence": 3,
        "cumul": 3,
        "hc": 3,
        "tes": 3,
        "selmodel/stepfun": 9,
        "selmodel/beta": 3,
        "trimfill/L0": 3,
        "trimfill/R0": 3,
        **{f"fsn/{kind}": 3 for kind in ("Rosenthal", "Orwin", "Rosenberg", "General")},
    }
    assert left.total() == 60
