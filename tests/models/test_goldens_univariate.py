"""Independent effects against metafor 5.1-12, at 15 digits, key by key."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.tolerances import CLOSED_FORM, ITERATED

FOLDER = Path(__file__).parents[1] / "reference"
GOLDENS = json.loads((FOLDER / "metafor_goldens_5.1-12.json").read_text(encoding="utf-8"))
VIECHTBAUER_A = pd.DataFrame(
    {
        "yi": [-0.581, 0.530, 0.771, 1.031, 0.553, 0.295, 0.078, 0.573, -0.176, -0.232],
        "vi": [0.023, 0.052, 0.060, 0.115, 0.095, 0.203, 0.200, 0.211, 0.051, 0.040],
    }
)
VIECHTBAUER_B = pd.DataFrame(
    np.array(
        [
            *([0.100, 0.016], [-0.162, 0.015], [-0.090, 0.050], [-0.049, 0.050]),
            *([-0.046, 0.032], [-0.010, 0.052], [-0.431, 0.036], [-0.261, 0.024]),
            *([0.134, 0.034], [0.019, 0.033], [0.175, 0.031], [0.056, 0.034]),
            *([0.045, 0.039], [0.103, 0.167], [0.121, 0.134], [-0.482, 0.096]),
            *([0.290, 0.016], [0.342, 0.035]),
        ]
    ),
    columns=["yi", "vi"],
)
FISHER_FAILS = pd.DataFrame(
    {
        "yi": [-0.47, -1.56, 0.18, 0.88, 0.74, 0.89, -0.05, 0.52, 2.08, 0.81],
        "vi": [0.663, 0.660, 0.125, 0.068, 0.971, 0.094, 0.509, 0.887, 0.704, 0.556],
    }
)
UNCOVERED = {
    # iterated versions of DL and SJ, which end where PM does
    *("uni.viecht05a.DLIT", "uni.viecht05a.SJIT"),
    # stopped early
    "uni.molloy.REML.default",
    # prediction interval on k-p-1 df
    "uni.molloy.pred.riley",
    # bias, influence and sensitivity
    *("uni.molloy.hc", "uni.molloy.influence", "uni.molloy.regtest", "uni.molloy.ranktest"),
    *("uni.molloy.trimfill", "uni.molloy.trimfill.dropstest", "uni.hackshaw.taf"),
    *("uni.mcdaniel.fsn", "uni.bcg.cumul"),
}
FITS = {
    **{
        f"uni.molloy.{method}": ("molloy2014", {"method": method}, ("model", "z"))
        for method in ("EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")
    },
    "uni.molloy.REML.knha": ("molloy2014", {}, ("knha", "t")),
    "uni.molloy.REML.adhoc": ("molloy2014", {}, ("adhoc", "t")),
    "uni.molloy.mods": ("molloy2014", {"mods": "~ quality + meanage"}, ("knha", "t")),
    "uni.mcdaniel.REML": ("mcdaniel1994", {}, ("model", "z")),
    "uni.mcdaniel.type.knha": ("mcdaniel1994", {"mods": "~ type"}, ("knha", "t")),
    "uni.mcdaniel.HSraw": ("mcdaniel raw", {"method": "HS", "weights": "ni"}, ("model", "z")),
    "uni.aloe.PCOR.REML": ("aloe PCOR", {}, ("model", "z")),
    "uni.aloe.ZPCOR.REML": ("aloe ZPCOR", {}, ("model", "z")),
    "uni.bcg.REML": ("bcg", {}, ("model", "z")),
    "uni.bcg.ablat": ("bcg", {"mods": "~ ablat"}, ("model", "z")),
}
PREDICTED = {
    "estimate": "pred",
    "std_error": "se",
    "conf_low": "ci.lb",
    "conf_high": "ci.ub",
    "pi_low": "pi.lb",
    "pi_high": "pi.ub",
}


def close(actual: Any, expected: Any, tolerance: float = ITERATED, absolute: float = 0) -> None:
    wanted = [np.nan if v is None else v for v in np.ravel(expected)]
    np.testing.assert_allclose(np.ravel(actual), wanted, rtol=tolerance, atol=absolute)


def data_of(name: str) -> pd.DataFrame:
    """A data set of metadat with the effect sizes of a golden."""
    source, _, measure = name.partition(" ")
    file = {"mcdaniel": "mcdaniel1994", "aloe": "aloe2013"}.get(source, source)
    data = pd.read_csv(FOLDER / "datasets" / f"{file}.csv", keep_default_na=False, na_values=[""])
    if measure == "raw":
        mean = np.average(data["ri"], weights=data["ni"])
        return data.assign(yi=data["ri"], vi=(1 - mean**2) ** 2 / (data["ni"] - 1))
    if measure:
        m = data["n"] - data["preds"]
        r = data["tval"] / np.sqrt(data["tval"] ** 2 + m - 1)
        if measure == "PCOR":
            return data.assign(yi=r, vi=(1 - r**2) ** 2 / m)
        return data.assign(yi=np.arctanh(r), vi=1 / (m - 2))
    return data


def fit_of(name: str, **arguments: Any) -> ma.Fit:
    data = data_of(name)
    used = [column for column in data.columns if column in arguments.get("mods", "").split()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ma.DependenceWarning)
        return ma.fit(data.dropna(subset=used), **arguments)


@pytest.mark.parametrize("key", FITS)
def test_fits(key: str) -> None:
    name, arguments, (vcov, test) = FITS[key]
    expected = GOLDENS[key]
    fit = fit_of(name, **arguments)
    inference = ma.infer(fit, vcov=vcov, test=test)
    table, row = ma.tidy(inference), ma.glance(inference).iloc[0]
    for ours, theirs in (
        ("estimate", "beta"),
        ("std_error", "se"),
        ("statistic", "zval"),
        ("p_value", "pval"),
        ("conf_low", "ci.lb"),
        ("conf_high", "ci.ub"),
    ):
        close(table[ours], expected[theirs])
    names = {"q": "QE", "q_p": "QEp", "qm": "QM", "qm_p": "QMp", "tau2": "tau2", "i2": "I2"}
    for ours, theirs in {**names, "h2": "H2"}.items():
        close(row[ours], expected[theirs])
    close(row["se_tau2"], expected.get("se.tau2"))
    close(fit.typical_v, expected["vt"], CLOSED_FORM)
    if fit.p > 1:
        close(row["r2"], expected["R2"], absolute=1e-9)
    for kind, log_lik in (("ML", fit.log_lik_ml), ("REML", fit.log_lik_reml)):
        close(log_lik, expected["fit"][f"ll.{kind}"])
    kind = "REML" if fit.method == "REML" else "ML"
    for ours, theirs in (("aic", "AIC"), ("bic", "BIC"), ("aicc", "AICc")):
        close(row[ours], expected["fit"][f"{theirs}.{kind}"])
    if "pred" in expected:
        mean = ma.predict(inference).iloc[0]
        for ours, theirs in PREDICTED.items():
            close(mean[ours], expected["pred"][theirs])
    if "pred.r" in expected:
        mean = ma.predict(inference, transform="r").iloc[0]
        for ours, theirs in PREDICTED.items():
            close(mean[ours], expected["pred.r"][theirs])
    if "ci" in expected:
        limits = ma.confint(fit)[["estimate", "conf_low", "conf_high"]]
        close(limits, [expected["ci"][i] for i in (0, 2, 3)])
    if "hat" in expected:
        close(ma.augment(fit)["hat"], expected["hat"])


@pytest.mark.parametrize("set_", ["a", "b"])
def test_every_estimator_on_two_sets(set_: str) -> None:
    data = {"a": VIECHTBAUER_A, "b": VIECHTBAUER_B}[set_]
    keys = [key for key in GOLDENS if key.startswith(f"uni.viecht05{set_}.")]
    assert len(keys) == {"a": 12, "b": 7}[set_]
    for key in sorted(set(keys) - UNCOVERED):
        expected = GOLDENS[key]
        fit = ma.fit(data, method=key.split(".")[-1])
        row = ma.glance(fit).iloc[0]
        for ours, theirs in (("tau2", "tau2"), ("se_tau2", "se.tau2"), ("i2", "I2"), ("h2", "H2")):
            close(row[ours], expected[theirs])
        if "beta" in expected:
            close(fit.beta, expected["beta"])
            close(ma.infer(fit, "model").std_error, expected["se"])


def test_predictions() -> None:
    fit = fit_of("molloy2014")
    mean = ma.predict(ma.infer(fit, "model")).iloc[0]
    for ours, theirs in PREDICTED.items():
        close(mean[ours], GOLDENS["uni.molloy.pred.z"][theirs])
    on_t = ma.predict(ma.infer(fit, "model", test="t")).iloc[0]
    for ours in ("estimate", "std_error", "pi_low", "pi_high"):
        close(on_t[ours], GOLDENS["uni.molloy.pred.t"][PREDICTED[ours]])
    averaged = ma.predict(ma.infer(fit, "model"), transform="r_int").iloc[0]
    for ours in ("estimate", "conf_low", "conf_high"):
        close(averaged[ours], GOLDENS["uni.molloy.ztor.int"][PREDICTED[ours]])


@pytest.mark.parametrize(("type_", "theirs"), [("qprofile", "QP"), ("profile", "PL")])
def test_intervals(type_: str, theirs: str) -> None:
    table = ma.confint(fit_of("molloy2014"), type_)
    assert table["name"].tolist() == ["tau2", "i2", "h2"]
    expected = GOLDENS["uni.molloy.confint"][theirs]
    close(table[["estimate", "conf_low", "conf_high"]], [expected[i] for i in (0, 2, 3)])


def test_shrunken_and_deleted() -> None:
    expected = GOLDENS["uni.raud.blup"]
    table = ma.augment(ma.infer(fit_of("raudenbush1985"), "model"))
    for ours, theirs in (
        ("blup", "pred"),
        ("blup_se", "se"),
        ("blup_low", "pi.lb"),
        ("blup_high", "pi.ub"),
    ):
        close(table[ours], expected[theirs], absolute=1e-10)
    expected = GOLDENS["uni.bcg.rstudent"]
    table = ma.augment(ma.fit(data_of("bcg").head(6)))
    close(table["std_residual"], expected["rstandard"])
    close(table["rstudent"], expected["rstudent"])


def test_where_plain_fisher_scoring_fails() -> None:
    close(ma.fit(FISHER_FAILS).tau2, GOLDENS["uni.conv.fisherfail"]["tau2.tight"])


def test_what_is_left() -> None:
    univariate = {key for key in GOLDENS if key.startswith("uni.")}
    elsewhere = {"uni.molloy.pred.z", "uni.molloy.pred.t", "uni.molloy.ztor.int"}
    elsewhere |= {"uni.molloy.confint", "uni.raud.blup", "uni.bcg.rstudent", "uni.conv.fisherfail"}
    estimators = {key for key in univariate if key.startswith("uni.viecht05")}
    assert univariate == set(FITS) | elsewhere | estimators | UNCOVERED
