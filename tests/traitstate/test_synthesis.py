"""The synthesis against metafor, against the weights' own truth, and where it must refuse."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.traitstate.mixture import mixture_weights
from metalliance.traitstate.synthesis_rows import split_rows, weights_of_rows
from tests.tolerances import BOUNDARY, COEFFICIENT, COMPONENT, ROBUST_OWN

STORED = json.loads(
    (Path(__file__).parents[1] / "reference" / "trait_state.json").read_text(encoding="utf-8")
)["synthesis"]


def stored_effects() -> pd.DataFrame:
    frame = pd.DataFrame(STORED["data"]).rename(columns={"v_z": "vi"})
    within = frame["component"] == "within"
    return frame.assign(
        yi=np.arctanh(frame["r"]),
        estimand=np.where(within, "concurrent_r", "NA"),
        quality="direct",
    ).drop(columns=["a", "b"])


def literature(
    rng: np.random.Generator,
    totals: int = 60,
    between: int = 8,
    within: int = 8,
    *,
    rho: tuple[float, float] = (0.40, 0.10),
    shared: int | None = None,
    tau: tuple[float, float] = (0.08, 0.03),
) -> pd.DataFrame:
    """Simulated studies of one effect each, at ICCs .70 and .60."""
    rows = []
    kinds = ["total"] * totals + ["between_observed"] * between + ["within"] * within
    for i, kind in enumerate(kinds):
        own = np.array(rho) + rng.normal(size=2) * tau
        k, s = (4, 0) if kind == "between_observed" else (1, i % 2 if shared is None else shared)
        a, b = mixture_weights(0.7, 0.6, k, 1, s)
        mean = own[1] if kind == "within" else float(a * own[0] + b * own[1])
        n = int(rng.integers(40, 160))
        vi = 1 / (5 * n) if kind == "within" else 1 / (n - 3)
        yi = np.arctanh(mean) + rng.normal(0, np.sqrt(vi))
        rows.append(
            (f"S{i}", kind, "concurrent_r" if kind == "within" else "NA", yi, vi, n, k, 1, s)
        )
    names = ["study", "component", "estimand", "yi", "vi", "ni", "k_x", "k_y", "shared"]
    return pd.DataFrame(rows, columns=names).assign(quality="direct")


def synthesis(effects: pd.DataFrame, **options: Any) -> Any:
    return ma.trait_state_synthesis(effects, **{"imputations": 0, **options})


def test_metafor_and_clubsandwich_agree() -> None:
    found = synthesis(stored_effects())
    fit = found.inference.fit
    assert fit.log_lik_reml >= STORED["log_lik"] - 1e-7
    parts = [c.estimate for c in fit.components if c.name == "tau2"]
    R = STORED["components"]
    assert parts == pytest.approx([*R["tau2"], *R["gamma2"]], rel=COMPONENT, abs=BOUNDARY)
    for name, tolerance in (
        ("estimate", COEFFICIENT),
        ("std_error", ROBUST_OWN),
        ("df", ROBUST_OWN),
    ):
        mine = found.table[name][:2].tolist()
        assert mine == pytest.approx(STORED["means"][name], rel=tolerance), name


def test_the_weights_of_rows_are_those_the_data_were_made_with() -> None:
    rows, others = split_rows(stored_effects())
    a, b = weights_of_rows(rows, 0.7, 0.6)
    stored = pd.DataFrame(STORED["data"])
    assert not len(others)
    assert np.allclose(a, stored["a"])
    assert np.allclose(b, stored["b"])


def test_totals_alone_are_refused_with_the_compatible_pairs() -> None:
    effects = literature(np.random.default_rng(1), between=0, within=0, shared=1)
    with pytest.raises(ma.SpecificationError, match="cannot tell") as caught:
        synthesis(effects)
    assert isinstance(caught.value, ma.UnidentifiedError)
    line = caught.value.line
    a, b = mixture_weights(0.7, 0.6, 1, 1, 1)
    implied = a * line["rho_between"] + b * line["rho_within"]
    assert np.ptp(implied) < 1e-12


def test_uncoded_iccs_never_become_information() -> None:
    """Totals of mixed timing differ in their weights only by an assumption about occasions."""
    effects = literature(np.random.default_rng(2), totals=250, between=0, within=0)
    with pytest.raises(ma.UnidentifiedError, match="assumption"):
        synthesis(effects)
    with pytest.raises(ma.UnidentifiedError):
        synthesis(effects, imputations=50)


def test_one_state_study_is_not_enough() -> None:
    effects = literature(np.random.default_rng(3), between=3, within=1, shared=0)
    with pytest.raises(ma.UnidentifiedError, match="two independent studies"):
        synthesis(effects)


def test_the_share_of_information_says_who_speaks_about_the_state() -> None:
    rng = np.random.default_rng(4)
    later, same = (synthesis(literature(rng, shared=s)).design for s in (0, 1))
    assert later.rank == same.rank == 2
    assert later.share_disaggregated == pytest.approx(1)
    assert same.share_disaggregated > 0.9
    assert same.condition > later.condition


def test_rows_that_cannot_enter_are_counted_with_their_reason() -> None:
    effects = literature(np.random.default_rng(5), totals=12)
    odd = [
        effects.iloc[:2].assign(outcome_form="residual change", study=["X1", "X2"]),
        effects.iloc[:1].assign(component="between_change", study="X3"),
        effects.iloc[-1:].assign(estimand="lagged_partial", study="X4"),
        effects.iloc[:1].assign(k_x=np.nan, study="X5"),
        effects.iloc[:1].assign(prior_outcome_control="baseline only", study="X6"),
        effects.iloc[:1].assign(study="S12"),  # a total beside the between effect of S12
    ]
    both = pd.concat([effects, *odd], ignore_index=True)
    found = synthesis(both)
    assert found.left_out["effects"].sum() == 7
    assert len(found.rows) == len(effects)
    pd.testing.assert_frame_equal(found.table, synthesis(effects).table)
    with pytest.raises(ma.SpecificationError, match="no effect can enter"):
        synthesis(pd.concat(odd[1:2]))


def test_assumed_iccs_widen_the_trait_and_hardly_the_state() -> None:
    effects = literature(np.random.default_rng(6), shared=0)
    found = ma.trait_state_synthesis(effects, imputations=30, seed=1)
    shares = (found.propagation["icc"] / found.propagation["total"]).tolist()
    assert shares[0] > 0.3
    assert shares[1] < 0.05
    assert found.table["estimate"].tolist() == pytest.approx(
        synthesis(effects).table["estimate"].tolist()
    )
    again = ma.trait_state_synthesis(effects, imputations=30, seed=1)
    pd.testing.assert_frame_equal(found.table, again.table)
    own = effects.assign(icc_x=0.7, icc_y=0.6)
    known = ma.trait_state_synthesis(own, imputations=30)
    assert known.propagation["icc"].tolist() == [0, 0, 0]
    assert known.icc_grid.empty


def test_the_grids_pass_through_the_answer() -> None:
    found = synthesis(literature(np.random.default_rng(7)))
    state = found.table["estimate"][1]
    middle = found.icc_grid.query("icc_x == .7 and icc_y == .6")
    assert middle["rho_within"].item() == pytest.approx(state, abs=1e-6)
    assert found.lagged_grid["rho_within"][0] == pytest.approx(state, abs=1e-6)
    at_half = synthesis(literature(np.random.default_rng(7)), lagged_share=0.5)
    assert found.lagged_grid["rho_within"][2] == pytest.approx(
        at_half.table["estimate"][1], abs=2e-4
    )


def test_totals_that_disagree_are_noticed() -> None:
    rng = np.random.default_rng(8)
    effects = literature(rng, totals=80, between=20, within=12, shared=0)
    agreed = synthesis(effects).consistency.iloc[0]
    assert agreed["conf_low"] < 0 < agreed["conf_high"]
    total = effects["component"] == "total"
    effects.loc[total, "yi"] += 0.2
    off = synthesis(effects).consistency.iloc[0]
    assert off["conf_low"] > 0.05


def test_a_total_is_compared_with_the_between_effect_of_its_sample() -> None:
    """Totals that follow exactly from their own sample's average have distance 0."""
    effects = literature(np.random.default_rng(12), 30, 10, 10, shared=0)
    state = synthesis(effects).table["estimate"][1]
    between = effects[effects["component"] == "between_observed"]
    a_b = float(mixture_weights(0.7, 0.6, 4, 1, 0)[0])
    a_t, b_t = (float(w) for w in mixture_weights(0.7, 0.6, 1, 1, 1))
    r = a_t / a_b * np.tanh(between["yi"]) + b_t * state
    own = between.assign(component="total", yi=np.arctanh(r), k_x=1, shared=1)
    found = synthesis(pd.concat([effects, own], ignore_index=True))
    same = found.consistency.set_index("samples").loc["same"]
    assert same["discrepancy"] == pytest.approx(0, abs=1e-9)
    assert same["df"] == 9
    pd.testing.assert_frame_equal(found.table, synthesis(effects).table)


def test_no_component_pulls_the_other() -> None:
    """Between- and within-patient truth may have opposite signs."""
    found = synthesis(literature(np.random.default_rng(9), 80, 20, 20, rho=(0.4, -0.15), shared=0))
    table = found.table.set_index("term")
    assert table.loc["rho_between", "conf_low"] > 0.3
    assert table.loc["rho_within", "conf_high"] < -0.1


@pytest.mark.parametrize(
    "options",
    [
        {"icc_x": (0.7, 0.8, 0.9)},
        {"icc_y": (0.5, 0.0, 0.9)},
        {"lagged_share": 2},
        {"imputations": -1},
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ma.SpecificationError):
        synthesis(literature(np.random.default_rng(1), 4), **options)


@pytest.mark.slow
def test_variances_at_own_r_would_pull_the_mean() -> None:
    """295 studies, true r .278: weights from each study's own r lean to large r."""
    rng = np.random.default_rng(10)
    own, fitted = [], []
    for _ in range(200):
        n = rng.integers(20, 120, 295)
        true = 0.278 + rng.normal(0, 0.09, 295)
        r = np.tanh(np.arctanh(true) + rng.normal(0, 1 / np.sqrt(n - 3)))
        for values, mean in ((own, r), (fitted, np.full(295, r.mean()))):
            frame = pd.DataFrame({"yi": r, "vi": (1 - mean**2) ** 2 / (n - 1)})
            values.append(ma.fit(frame).beta[0])
    assert np.mean(own) > 0.286
    assert np.mean(fitted) == pytest.approx(0.278, abs=0.004)


@pytest.mark.slow
def test_shared_occasions_decide_whether_the_answer_is_right() -> None:
    """250 early-to-post totals, 8 between, 8 within; taking them for same-session misleads."""
    right, wrong, held = [], [], {"right": 0, "wrong": 0}
    runs = 200
    for seed in range(runs):
        effects = literature(np.random.default_rng(seed), 250, 8, 8, shared=0)
        total = effects["component"] == "total"
        for name, values, data in (
            ("right", right, effects),
            ("wrong", wrong, effects.assign(shared=np.where(total, 1, effects["shared"]))),
        ):
            table = synthesis(data).table
            values.append(table["estimate"][:2].to_numpy())
            low, high = table.loc[0, ["conf_low", "conf_high"]]
            held[name] += low <= 0.40 <= high
    assert np.mean(right, axis=0) == pytest.approx([0.40, 0.10], abs=0.01)
    assert np.mean(wrong, axis=0)[0] < 0.375
    assert held["right"] / runs > 0.9
    assert held["wrong"] / runs < 0.75


def test_reverse_paths_dropout_and_impossible_codes_stay_out_by_name() -> None:
    effects = literature(np.random.default_rng(14), 20).assign(path="alliance→outcome")
    odd = [
        effects.iloc[:2].assign(path="outcome→alliance", study=["X1", "X2"]),
        effects.iloc[:1].assign(outcome_form="dropout", study="X3"),
        effects.iloc[:1].assign(outcome_form="binary response", study="X4"),
        effects.iloc[:1].assign(k_x=0, study="X5"),
        effects.iloc[:1].assign(shared=9, study="X6"),
        effects.iloc[:1].assign(icc_x=70.0, study="X7"),
    ]
    found = synthesis(pd.concat([effects, *odd], ignore_index=True))
    counts = dict(zip(found.left_out["why"], found.left_out["effects"], strict=True))
    assert counts == {
        "from outcome to alliance": 2,
        "outcome is dropout or the time to an event": 1,
        "outcome is a binary response, often defined against the baseline": 1,
        "impossible sessions or ICCs": 3,
    }
    pd.testing.assert_frame_equal(found.table, synthesis(effects).table)


def test_reported_iccs_alone_tell_nothing_apart() -> None:
    """Each is an estimate; errors of .07 alone gave a state-like .33 for .10."""
    rng = np.random.default_rng(15)
    effects = literature(rng, 60, 0, 0, shared=1)
    coded = effects.assign(icc_x=rng.uniform(0.5, 0.85, 60), icc_y=rng.uniform(0.45, 0.75, 60))
    with pytest.raises(ma.UnidentifiedError, match="estimates"):
        synthesis(coded)


def test_the_line_fits_totals_and_latent_effects_of_one_truth() -> None:
    effects = literature(np.random.default_rng(16), 30, 0, 0, shared=0, tau=(0.0, 0.0))
    latent = effects.iloc[:10].assign(
        component="between_latent", study=[f"L{i}" for i in range(10)], yi=np.arctanh(0.40)
    )
    with pytest.raises(ma.UnidentifiedError) as caught:
        synthesis(pd.concat([effects, latent], ignore_index=True))
    assert caught.value.line["rho_between"].iloc[0] == pytest.approx(0.40, abs=0.03)


def test_values_beyond_any_pair_are_said_to_be_miscoded() -> None:
    effects = literature(np.random.default_rng(17), 12, 0, 0, shared=0)
    with pytest.raises(ma.UnidentifiedError, match="miscoded") as caught:
        synthesis(effects.assign(yi=np.arctanh(0.75)))
    assert caught.value.line.empty
