import numpy as np
import pandas as pd
import pytest
from scipy import stats

import metalliance as ma
from tests.models.examples import independent, nested
from tests.tolerances import CLOSED_FORM, ITERATED

RANDOM = "~ 1 | study/effect"
COLUMNS = ["estimate", "std_error", "conf_low", "conf_high", "pi_low", "pi_high"]


def half_width(row: pd.Series) -> float:
    return float(row["pi_high"] - row["pi_low"]) / 2


def test_the_mean_is_the_intercept() -> None:
    fit = ma.fit(independent())
    row, term = ma.predict(fit).iloc[0], ma.tidy(fit).iloc[0]
    assert list(row.index) == COLUMNS
    for name in COLUMNS[:4]:
        assert row[name] == pytest.approx(term[name], rel=CLOSED_FORM)


def test_prediction_keeps_the_reference_of_a_univariate_fit() -> None:
    fit = ma.fit(independent())
    for vcov, quantile in (("model", stats.norm.ppf(0.975)), ("knha", stats.t.ppf(0.975, 11))):
        row = ma.predict(ma.infer(fit, vcov)).iloc[0]
        expected = quantile * np.sqrt(row["std_error"] ** 2 + fit.tau2)
        assert half_width(row) == pytest.approx(expected, rel=ITERATED)


def test_targets_and_references_with_random_terms() -> None:
    fit = ma.fit(nested(), random=RANDOM)
    se = ma.predict(fit)["std_error"][0]
    df = ma.tidy(fit)["df"][0]
    for arguments, quantile, variance in (
        ({}, stats.t.ppf(0.975, 9), sum(fit.sigma2)),
        ({"target": "study"}, stats.t.ppf(0.975, 9), fit.sigma2[0]),
        ({"pi_df": "inf"}, stats.norm.ppf(0.975), sum(fit.sigma2)),
        ({"pi_df": "inference"}, stats.t.ppf(0.975, df), sum(fit.sigma2)),
    ):
        row = ma.predict(fit, **arguments).iloc[0]
        expected = quantile * np.sqrt(se**2 + variance)
        assert half_width(row) == pytest.approx(expected, rel=ITERATED)


@pytest.mark.filterwarnings("ignore::metalliance.errors.SmallSampleWarning")
def test_clusters_that_inform_a_mean() -> None:
    frame = nested(12, seed=3)
    frame["component"] = np.where(frame["study"] < "S04", "within", "between")
    for mods in ("~ 0 + component", "~ component"):
        fit = ma.fit(frame, mods, random=RANDOM)
        newdata = pd.DataFrame({"component": ["between", "within"]})
        rows = ma.predict(fit, newdata)
        for (_, row), c in zip(rows.iterrows(), (8, 4), strict=True):
            expected = stats.t.ppf(0.975, c - 1) * np.sqrt(row["std_error"] ** 2 + sum(fit.sigma2))
            assert half_width(row) == pytest.approx(expected, rel=ITERATED)


def test_one_row_per_effect_or_per_row_of_newdata() -> None:
    frame = independent()
    fit = ma.fit(frame, "~ rater + year")
    assert len(ma.predict(fit)) == len(frame)
    newdata = pd.DataFrame({"rater": ["client"], "year": [2000]}, index=["a"])
    row = ma.predict(fit, newdata)
    assert row.index.tolist() == ["a"]
    assert row["estimate"]["a"] == pytest.approx(fit.beta[0] + 2000 * fit.beta[3])
    assert len(ma.predict(ma.fit(frame), newdata)) == 1
    with pytest.raises(ma.SpecificationError, match="level"):
        ma.predict(fit, newdata.assign(rater="nurse"))


def test_correlations() -> None:
    fit = ma.fit(independent())
    plain, r = ma.predict(fit).iloc[0], ma.predict(fit, transform="r").iloc[0]
    assert np.isnan(r["std_error"])
    for name in ("estimate", "conf_low", "conf_high", "pi_low", "pi_high"):
        assert r[name] == pytest.approx(np.tanh(plain[name]), rel=CLOSED_FORM)


@pytest.mark.parametrize("tau2", [0.0, 0.01, 0.3, 4.0])
def test_mean_correlation_is_the_integral(tau2: float) -> None:
    fit = ma.fit(independent(), tau2=tau2)
    row = ma.predict(fit, transform="r_int").iloc[0]
    z = np.linspace(-10, 10, 400_001)
    density = stats.norm.pdf(z)
    expected = np.sum(np.tanh(fit.beta[0] + np.sqrt(tau2) * z) * density) * (z[1] - z[0])
    assert row["estimate"] == pytest.approx(expected, rel=CLOSED_FORM)
    assert row[["std_error", "pi_low", "pi_high"]].isna().all()


def test_equal_effects_predict_nothing_new() -> None:
    row = ma.predict(ma.fit(independent(), method="EE")).iloc[0]
    assert row[["pi_low", "pi_high"]].isna().all()
    assert np.isfinite(row["conf_low"])


def test_unknown_options_list_the_choices() -> None:
    fit = ma.fit(independent())
    for wrong in ({"transform": "z"}, {"target": "paper"}, {"pi_df": "t"}):
        with pytest.raises(ValueError, match="choose one of"):
            ma.predict(fit, **wrong)
    with pytest.raises(ma.SpecificationError, match="DataFrame"):
        ma.predict(fit, newdata={"year": 1})
