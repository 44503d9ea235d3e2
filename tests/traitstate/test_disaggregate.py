"""What session data say, against definitions, identities and R."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metalliance as ma
from metalliance.traitstate.centring import moments
from metalliance.traitstate.disaggregation import EFFECT_COLUMNS, MEASURE_COLUMNS, effect_table
from metalliance.traitstate.random_slopes import random_slopes
from metalliance.traitstate.session_components import (
    between_correlation,
    eta,
    total_correlation,
    within_correlation,
)
from metalliance.traitstate.session_methods import METHODS, Method
from tests.tolerances import CLOSED_FORM, COEFFICIENT, COMPONENT
from tests.traitstate.session_tables import row_of, session_table

CASES = json.loads(
    (Path(__file__).parents[1] / "reference" / "sessions.json").read_text(encoding="utf-8")
)["cases"]
NAMES = {"patient": "id", "alliance": "x", "outcome": "y"}


def of_r(name: str) -> tuple[dict[str, object], pd.DataFrame]:
    case = CASES[name]
    return case, pd.DataFrame({key: case[key] for key in ("id", "session", "x", "y")})


def sums(table: pd.DataFrame) -> tuple[np.ndarray, ...]:
    codes = pd.factorize(table["id"])[0]
    m = moments(codes, table[["x", "y"]].to_numpy(), int(codes.max()) + 1)
    return m.n, m.products[:, 0, 0], m.products[:, 0, 1], m.products[:, 1, 1]


@pytest.mark.parametrize("name", CASES)
def test_closed_forms_are_those_of_r(name: str) -> None:
    case, table = of_r(name)
    found = ma.disaggregate(table, **NAMES).table
    within = row_of(found, "within", "concurrent_r")
    assert within["r"] == pytest.approx(case["r_within"], rel=CLOSED_FORM)
    assert within["slope"] == pytest.approx(case["b_within"], rel=CLOSED_FORM)
    assert within["slope"] == pytest.approx(case["hybrid_b"], rel=COEFFICIENT)
    # t/√(t² + df) of the model with an intercept per patient, and Var(z) = 1/(df − 1)
    assert within["se_model"] == pytest.approx((case["df"] - 1) ** -0.5, rel=CLOSED_FORM)
    between = row_of(found, "between_observed")
    assert between["r"] == pytest.approx(case["r_means"], rel=CLOSED_FORM)
    assert between["slope"] == pytest.approx(case["b_means"], rel=CLOSED_FORM)
    assert row_of(found, "total")["r"] == pytest.approx(case["r_total"], rel=CLOSED_FORM)
    weighted = ma.disaggregate(table, **NAMES, weights="occasions").table
    assert row_of(weighted, "between_observed")["slope"] == pytest.approx(
        case["b_means_weighted"], rel=CLOSED_FORM
    )
    assert row_of(weighted, "contextual")["slope"] == pytest.approx(
        case["b_means_weighted"] - case["b_within"], rel=CLOSED_FORM
    )


@pytest.mark.parametrize("name", CASES)
def test_intraclass_correlations_are_those_of_r(name: str) -> None:
    case, table = of_r(name)
    measures = ma.disaggregate(table, **NAMES).measures
    assert measures["icc"].tolist() == pytest.approx(case["icc"], rel=CLOSED_FORM)
    assert (measures["eta"] ** 2).tolist() == pytest.approx(case["eta2"], rel=CLOSED_FORM)


@pytest.mark.parametrize("name", CASES)
def test_random_slopes_are_those_of_lme4(name: str) -> None:
    case, table = of_r(name)
    found = random_slopes(*sums(table))
    assert found.slope == pytest.approx(case["slope_b"], rel=COMPONENT)
    assert found.std_error == pytest.approx(case["slope_se"], rel=COMPONENT)
    assert found.slope_sd == pytest.approx(case["slope_sd"], rel=COMPONENT)
    assert found.residual_sd == pytest.approx(case["slope_residual"], rel=COMPONENT)
    # with random instead of fixed intercepts: the same in balanced data
    if name == "balanced":
        assert found.slope_sd == pytest.approx(case["mixed_slope_sd"], rel=COMPONENT)


def test_random_slopes_are_those_of_statsmodels() -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    _, table = of_r("balanced")
    deviation = table["x"] - table.groupby("id")["x"].transform("mean")
    patients = pd.get_dummies(table["id"], dtype=float)
    exog = np.column_stack([deviation, patients])
    fit = MixedLM(table["y"], exog, groups=table["id"], exog_re=deviation.to_numpy()[:, None])
    theirs = fit.fit(reml=True, method="bfgs", gtol=1e-8)
    found = random_slopes(*sums(table))
    assert found.slope == pytest.approx(float(theirs.params.iloc[0]), rel=COMPONENT)
    assert found.slope_sd == pytest.approx(float(theirs.cov_re.iloc[0, 0]) ** 0.5, rel=COMPONENT)


def test_a_slope_that_does_not_differ_has_no_spread() -> None:
    n = np.full(20, 5.0)
    found = random_slopes(n, np.full(20, 4.0), np.full(20, 2.0), np.full(20, 3.0))
    assert found.slope == pytest.approx(0.5)
    assert found.slope_sd == 0.0
    assert found.conf_low == 0.0
    assert found.conf_high > 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1), min_size=2
    )
)
def test_total_is_between_and_within(patients: list[list[tuple[int, int]]]) -> None:
    """r_total = η_x η_y r_B + √(1 − η_x²) √(1 − η_y²) r_W, unequal numbers of sessions."""
    codes = np.repeat(np.arange(len(patients)), [len(p) for p in patients])
    values = np.array([pair for p in patients for pair in p], dtype=float)
    m = moments(codes, values, len(patients))
    one = np.ones((1, len(patients)))
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = [
            between_correlation(m, one, "occasions")[0],
            within_correlation(m, one)[0],
            *eta(m, one)[0],
        ]
    between, within, eta_x, eta_y = parts
    if not np.all(np.isfinite(parts)) or min(eta_x, eta_y) < 1e-6 or max(eta_x, eta_y) > 1 - 1e-9:
        return
    expected = eta_x * eta_y * between
    expected += math.sqrt(1 - eta_x**2) * math.sqrt(1 - eta_y**2) * within
    assert total_correlation(m, one)[0] == pytest.approx(expected, abs=1e-12)
    assert total_correlation(m, one)[0] == pytest.approx(np.corrcoef(values.T)[0, 1], abs=1e-9)


def test_the_identity_holds_in_a_result() -> None:
    found = ma.disaggregate(session_table(), weights="occasions")
    eta_x, eta_y = found.measures["eta"]
    between = row_of(found.table, "between_observed")["r"]
    within = row_of(found.table, "within", "concurrent_r")["r"]
    total = eta_x * eta_y * between
    total += math.sqrt((1 - eta_x**2) * (1 - eta_y**2)) * within
    assert row_of(found.table, "total")["r"] == pytest.approx(total, abs=1e-12)


def test_lagged_effects_by_least_squares() -> None:
    table = session_table(seed=3)
    found = ma.disaggregate(table, lag=1, method="fixed-effects").table
    later = table.assign(session=table["session"] - 1)[["patient", "session", "outcome"]]
    pairs = table.merge(later, on=["patient", "session"], suffixes=("", "_later"))
    groups = pairs.groupby("patient")
    columns = ["alliance", "outcome_later", "outcome"]
    x, y, prior = (pairs[c] - groups[c].transform("mean") for c in columns)
    lagged = row_of(found, "within", "lagged_r")
    assert lagged["r"] == pytest.approx(float((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())))
    design = np.column_stack([x, prior])
    b, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    partial = row_of(found, "within", "lagged_partial")
    scale = float(np.sqrt((x**2).sum() / (y**2).sum()))
    assert partial["slope"] == pytest.approx(b[0])
    assert partial["yi"] == pytest.approx(b[0] * scale)
    df = len(pairs) - pairs["patient"].nunique() - 2
    v = float(residual[0]) / df * np.linalg.inv(design.T @ design)[0, 0]
    assert partial["se_model"] == pytest.approx(math.sqrt(v) * scale)
    assert math.isnan(partial["r"])


def test_reverse_leads_with_the_outcome() -> None:
    table = session_table(seed=4)
    turned = table.rename(columns={"alliance": "outcome", "outcome": "alliance"})
    there = ma.disaggregate(table, lag=1, path="reverse", method="fixed-effects").table
    back = ma.disaggregate(turned, lag=1, method="fixed-effects").table
    assert there["yi"].tolist() == pytest.approx(back["yi"].tolist())
    assert there["path"].tolist() == ["alliance→outcome", "outcome→alliance", "outcome→alliance"]


def test_detrending_takes_each_patients_line_out() -> None:
    table = session_table(patients=20, seed=5)
    found = {
        how: row_of(ma.disaggregate(table, detrend=how).table, "within", "concurrent_r")["r"]
        for how in ("none", "x", "y", "both")
    }
    assert len(set(found.values())) == 4
    residual = {}
    for name in ("alliance", "outcome"):
        parts = []
        for _, group in table.groupby("patient"):
            line = np.polyfit(group["session"], group[name], 1)
            parts.append(group[name] - np.polyval(line, group["session"]))
        residual[name] = np.concatenate(parts)
    centred = {
        name: (table[name] - table.groupby("patient")[name].transform("mean")).to_numpy()
        for name in residual
    }

    def r(x: np.ndarray, y: np.ndarray) -> float:
        return float(x @ y / np.sqrt((x @ x) * (y @ y)))

    assert found["both"] == pytest.approx(r(residual["alliance"], residual["outcome"]))
    assert found["x"] == pytest.approx(r(residual["alliance"], centred["outcome"]))
    assert found["y"] == pytest.approx(r(centred["alliance"], residual["outcome"]))


def test_trends_over_days_where_days_are_known() -> None:
    table = session_table(patients=20, seed=6)
    rng = np.random.default_rng(0)
    days = table["session"] * 7.0 + rng.integers(0, 5, len(table))
    by_day = ma.disaggregate(table.assign(day=days), time="day", detrend="both", lag=1).table
    by_session = ma.disaggregate(table, detrend="both", lag=1).table
    assert by_day["yi"].iloc[2] != by_session["yi"].iloc[2]
    assert 3 <= row_of(by_day, "within", "lagged_r")["lag_days"] <= 11
    assert math.isnan(row_of(by_session, "within", "lagged_r")["lag_days"])


def test_a_worse_outcome_turns_every_sign() -> None:
    table = session_table(seed=7)
    better = ma.disaggregate(table, lag=1)
    worse = ma.disaggregate(
        table.assign(outcome=-table["outcome"]), lag=1, outcome_positive="worse"
    )
    assert worse.table["estimate"].tolist() == pytest.approx(better.table["estimate"].tolist())
    assert any("its sign was turned" in note for note in worse.notes)


@pytest.mark.parametrize("method", ["latent", "dynamic-panel"])
def test_likelihood_rows_are_the_panels(method: str) -> None:
    from metalliance.numerics.panel import fit_panel
    from metalliance.numerics.panel_quantities import panel_quantities

    table = session_table(patients=60, seed=8)
    found = ma.disaggregate(table, method=method, lag=1)
    columns = (table[c].to_numpy() for c in ("patient", "session", "alliance", "outcome"))
    fit = fit_panel(*columns, initial="free")
    model, robust = panel_quantities(fit), panel_quantities(fit, covariance="robust")
    row = row_of(found.table, "within", "lagged_partial")
    at = robust.at("lagged_partial_forward")
    assert row["yi"] == pytest.approx(robust.estimate[at], rel=1e-9)
    assert row["se_model"] == pytest.approx(model.std_error[at], rel=1e-9)
    # a resample to first order has the robust variance, up to the noise of 1,000 resamples
    assert row["se_bootstrap"] == pytest.approx(robust.std_error[at], rel=0.1)
    r = row_of(found.table, "within", "concurrent_r")
    at = robust.at("within_r")
    assert r["r"] == pytest.approx(robust.estimate[at], rel=1e-9)
    assert r["se_model"] == pytest.approx(model.std_error[at] / (1 - r["r"] ** 2), rel=1e-9)
    if method == "latent":
        assert row_of(found.table, "between_latent")["r"] == pytest.approx(
            robust.estimate[robust.at("between_r")], rel=1e-9
        )
        context = row_of(found.table, "contextual")
        assert context["slope"] == pytest.approx(robust.estimate[robust.at("contextual")])


def test_contextual_is_a_raw_slope_only() -> None:
    found = ma.disaggregate(session_table())
    row = row_of(found.table, "contextual")
    assert row["es_metric"] == "slope"
    assert np.isnan([row["yi"], row["vi"], row["r"], row["v_r"], row["n_eff"]]).all()
    assert row["slope_se"] > 0
    assert found.covariance.loc["contextual", "contextual"] == pytest.approx(row["slope_se"] ** 2)


def test_the_covariance_belongs_to_the_rows() -> None:
    found = ma.disaggregate(session_table(), lag=1)
    assert len(found.covariance) == len(found.table)
    pooled = found.table["es_metric"] != "slope"
    diagonal = np.diagonal(found.covariance)[pooled.to_numpy()]
    assert diagonal == pytest.approx(found.table.loc[pooled, "vi"].to_numpy())
    sd = np.sqrt(np.diagonal(found.covariance))
    correlation = found.covariance / np.outer(sd, sd)
    # between and within of one sample are independent, total goes with between
    assert abs(correlation.loc["between_observed", "within.concurrent_r"]) < 0.35
    assert correlation.loc["between_observed", "total"] > 0.8


def test_columns_are_fixed_and_the_seed_repeats() -> None:
    table = session_table(patients=20)
    first, again = ma.disaggregate(table), ma.disaggregate(table)
    assert tuple(first.table.columns) == EFFECT_COLUMNS
    assert tuple(first.measures.columns) == MEASURE_COLUMNS
    pd.testing.assert_frame_equal(first.table, again.table)
    other = ma.disaggregate(table, seed=1).table
    assert other["yi"].tolist()[0] == first.table["yi"].tolist()[0]
    assert other["vi"].tolist()[0] != first.table["vi"].tolist()[0]
    assert ma.tidy(first).equals(first.table)


def test_the_order_of_rows_does_not_matter() -> None:
    table = session_table(patients=20)
    shuffled = table.sample(frac=1, random_state=1)
    a = ma.disaggregate(table, lag=1).table
    b = ma.disaggregate(shuffled, lag=1).table
    assert a["estimate"].tolist() == pytest.approx(b["estimate"].tolist())


def test_units_do_not_matter() -> None:
    table = session_table(patients=25)
    scaled = table.assign(alliance=7 * table["alliance"] + 100, outcome=0.1 * table["outcome"])
    a, b = ma.disaggregate(table, lag=1).table, ma.disaggregate(scaled, lag=1).table
    assert a["yi"].dropna().tolist() == pytest.approx(b["yi"].dropna().tolist(), rel=1e-8)
    assert (a["slope"] * 0.1 / 7).dropna().tolist() == pytest.approx(b["slope"].dropna().tolist())


def test_methods_agree_with_their_literal() -> None:
    from typing import get_args

    assert tuple(METHODS) == get_args(Method)


def test_sessions_in_a_mean_are_the_harmonic_mean() -> None:
    table = session_table(patients=30)
    counts = table.groupby("patient").size()
    row = row_of(ma.disaggregate(table).table, "between_observed")
    assert row["k_x"] == row["shared"] == pytest.approx(len(counts) / (1 / counts).sum())
    by_pairs = row_of(ma.disaggregate(table, weights="occasions").table, "between_observed")
    assert by_pairs["k_x"] == pytest.approx(counts.mean())


def test_effects_of_two_studies_pool() -> None:
    tables = [
        effect_table(ma.disaggregate(session_table(seed=s)), f"S{s}").to_frame() for s in range(5)
    ]
    effects = pd.concat(tables, ignore_index=True)
    within = effects[effects["component"] == "within"]
    assert ma.tidy(ma.fit(within))["estimate"].iloc[0] > 0
    left_out = effect_table(ma.disaggregate(session_table()), "S1").excluded()
    assert left_out["reason"].tolist() == [
        "a contextual slope is a difference of slopes, not an association"
    ]
