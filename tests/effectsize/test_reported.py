"""Reported correlations between effects enter V; the rest is assumed, and both are counted."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma

FRAME = pd.DataFrame(
    {
        "study": ["a", "b", "a", "a", "b"],
        "effect": ["E1", "E1", "E2", "E3", "E2"],
        "vi": [0.04, 0.01, 0.02, 0.03, 0.05],
    }
)


def table(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["study", "id1", "id2", "r"]).assign(n=50)


def test_reported_pairs_are_used_and_the_rest_assumed() -> None:
    covariance = ma.sampling_covariance(
        FRAME, rho=0.4, correlations=table(("a", "E3", "E1", 0.7), ("b", "E1", "E2", -0.1))
    )
    R = np.eye(5)
    for i, j, r in ((0, 3, 0.7), (1, 4, -0.1), (0, 2, 0.4), (2, 3, 0.4)):
        R[i, j] = R[j, i] = r
    sd = np.sqrt(FRAME["vi"].to_numpy())
    np.testing.assert_allclose(covariance.to_array(), R * np.outer(sd, sd), rtol=1e-14)
    assert (covariance.reported, covariance.assumed, covariance.unmatched) == (2, 2, 0)
    assert covariance.description == ("rho = 0.4 within study; 2 pair(s) as reported, 2 assumed")


def test_a_reported_correlation_is_the_whole_correlation() -> None:
    frame = FRAME.assign(t=[0, 0, 1, 2, 1])
    V = ma.sampling_covariance(frame, correlations=table(("a", "E3", "E1", 0.7)), time="t", phi=0.5)
    assert V.to_array()[0, 3] == pytest.approx(0.7 * np.sqrt(0.04 * 0.03))
    assert V.to_array()[0, 2] == pytest.approx(0.3 * np.sqrt(0.04 * 0.02))
    assert V.description.startswith("rho = 0.6, times phi = 0.5 per unit of time within study;")


def test_a_reported_pair_needs_no_assumed_value() -> None:
    frame = FRAME.assign(component=["x", "x", "y", "x", "x"])
    rho = {("x", "x"): 0.5}
    pairs = table(("a", "E1", "E2", 0.3), ("a", "E2", "E3", 0.2))
    V = ma.sampling_covariance(frame, rho=rho, correlations=pairs).to_array()
    assert V[0, 2] == pytest.approx(0.3 * np.sqrt(0.04 * 0.02))


def test_effects_that_are_not_here_are_counted() -> None:
    pairs = table(("a", "E1", "E9", 0.3), ("z", "E1", "E2", 0.2), ("a", "E1", "E2", 0.3))
    covariance = ma.sampling_covariance(FRAME, correlations=pairs)
    assert (covariance.reported, covariance.assumed, covariance.unmatched) == (1, 3, 2)
    assert covariance.description.endswith("2 reported correlation(s) of effects that are not here")


def test_ids_may_name_observations_and_numbers_match_text() -> None:
    frame = pd.DataFrame({"study": [1, 1], "measure": ["WAI", "HAq"], "vi": [0.04, 0.01]})
    pairs = pd.DataFrame({"study": ["1"], "id1": ["WAI"], "id2": ["HAq"], "r": [0.25]})
    V = ma.sampling_covariance(frame, obs="measure", correlations=pairs).to_array()
    assert V[0, 1] == pytest.approx(0.005)


def test_a_table_by_study_serves_clusters_that_are_samples() -> None:
    frame = FRAME.assign(sample=["a1", "b", "a1", "a2", "b"])
    covariance = ma.sampling_covariance(frame, correlations=table(("a", "E1", "E2", 0.2)))
    assert (covariance.cluster, covariance.reported, covariance.assumed) == ("sample", 1, 1)
    with pytest.raises(ma.SpecificationError, match=r"different sample in row\(s\) 0"):
        ma.sampling_covariance(frame, correlations=table(("a", "E1", "E3", 0.2)))


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        (table(("a", "E1", "E2", 1.0)), r"outside -1 to 1 \(exclusive\) in row\(s\) 0"),
        (table(("a", "E1", "E2", np.nan)), r"column 'r' is missing in row\(s\) 0"),
        (table(("a", "E1", "E1", 0.5)), r"with itself in row\(s\) 0"),
        (
            table(("a", "E1", "E2", 0.5), ("a", "E2", "E1", 0.4)),
            r"different values in row\(s\) 0, 1",
        ),
        (table(("a", "E1", "E2", 0.5)).drop(columns="id2"), "'id2' is not in the data"),
        (table(("a", "E1", "E2", 0.5)).assign(study=None), r"'study' is missing in row\(s\) 0"),
        (
            table(("a", "E1", "E2", 0.95), ("a", "E2", "E3", 0.95), ("a", "E1", "E3", 0.1)),
            r"study a \(3 effects\) is not positive definite.*"
            r"\(reported: E1–E2 0.95, E2–E3 0.95, E1–E3 0.1\)",
        ),
    ],
)
def test_refusals_name_the_place(pairs: pd.DataFrame, named: str) -> None:
    with pytest.raises(ma.SpecificationError, match=named):
        ma.sampling_covariance(FRAME, correlations=pairs)


def test_the_same_pair_twice_is_one_pair() -> None:
    pairs = table(("a", "E1", "E2", 0.5), ("a", "E2", "E1", 0.5))
    assert ma.sampling_covariance(FRAME, correlations=pairs).reported == 1


def test_ids_tell_effects_apart() -> None:
    arguments: dict[str, Any] = {"correlations": table(("a", "E1", "E2", 0.5))}
    with pytest.raises(ma.SpecificationError, match="study a has effect E1 more than once"):
        ma.sampling_covariance(FRAME.assign(effect="E1"), **arguments)
