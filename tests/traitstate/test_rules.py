"""Facts that the choices rest on, derived again."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import solve_discrete_lyapunov

import metalliance as ma
from metalliance.traitstate.joint import pool_jointly


def three_estimands(
    autoregression: float, forward: float, reverse: float, innovations: float
) -> tuple[float, float, float]:
    """Same-occasion r, lag-1 r and lagged partial β of one bivariate process of order one."""
    phi = np.array([[autoregression, reverse], [forward, autoregression]])
    state = solve_discrete_lyapunov(phi, np.array([[1, innovations], [innovations, 1]]))
    sd = np.sqrt(np.diag(state))
    lagged = (phi @ state)[1, 0] / sd.prod()
    return state[0, 1] / sd.prod(), lagged, forward * sd[0] / sd[1]


def test_one_process_has_three_within_patient_values() -> None:
    same, later, net = three_estimands(0.5, 0.07, 0.07, 0.15)
    assert same == pytest.approx(0.24, abs=0.005)
    assert later == pytest.approx(0.19, abs=0.005)
    assert net == pytest.approx(0.07, abs=0.005)


def test_a_lagged_correlation_needs_no_forward_path() -> None:
    _, later, net = three_estimands(0.5, 0.0, 0.12, 0.15)
    assert net == 0
    assert later == pytest.approx(0.11, abs=0.01)


@pytest.mark.slow
def test_one_sampling_correlation_for_all_pairs_invents_a_negative_one_of_true_effects() -> None:
    """Errors of the two components of a sample are independent; taking them for .6 is not free."""
    wrong, right = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        rows = []
        for i in range(30):
            true = rng.multivariate_normal([0.35, 0.1], np.diag([0.01, 0.0025]))
            for part, mean, v in zip(("between", "within"), true, (0.012, 0.003), strict=True):
                rows.append((f"S{i}", part, mean + rng.normal(0, np.sqrt(v)), v))
        frame = pd.DataFrame(rows, columns=["study", "part", "yi", "vi"])
        frame["sample"], frame["effect"] = frame["study"], np.arange(len(frame))
        frame["cluster"] = pd.factorize(frame["study"])[0]
        for found, across in ((wrong, 0.6), (right, 0.0)):
            own = {(p, p): 0.6 for p in ("between", "within")}
            joint = pool_jointly(
                frame, ("between", "within"), correlated={**own, ("between", "within"): across}
            )
            found.append(joint.correlation)
    assert np.mean(right) == pytest.approx(0, abs=0.08)
    assert np.mean(wrong) < -0.3


def test_a_partial_coefficient_may_exceed_one() -> None:
    """Which is why lagged partial coefficients are pooled as they are, not by Fisher's z."""
    frame = pd.DataFrame(
        {
            "study": list("abcdef"),
            "component": "within",
            "estimand": "lagged_partial",
            "es_metric": "beta",
            "path": ["alliance→outcome", "outcome→alliance"] * 3,
            "yi": [1.1, 0.2, 0.9, 0.1, 1.2, 0.15],
            "vi": 0.01,
        }
    )
    table = ma.reciprocal(frame).joint.table_r.set_index("term")
    assert table.loc["forward", "estimate"] == pytest.approx(np.mean([1.1, 0.9, 1.2]))
