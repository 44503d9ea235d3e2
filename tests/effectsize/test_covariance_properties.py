"""V for arbitrary data: symmetric, definite or refused, blind to the order of rows, dense."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import metalliance as ma

COMPONENTS = ("within", "total", "between_change")
RHO = st.dictionaries(
    st.sampled_from([(a, b) for i, a in enumerate(COMPONENTS) for b in COMPONENTS[i:]]),
    st.floats(-0.4, 0.95),
)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    k = draw(st.integers(1, 14))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=k, max_size=k))

    return pd.DataFrame(
        {
            "study": column(st.sampled_from("abcd")),
            "effect": [f"E{i}" for i in range(k)],
            "component": column(st.sampled_from(COMPONENTS)),
            "path": column(st.sampled_from(["forward", "reverse"])),
            "week": column(st.floats(0, 20).map(lambda t: round(t, 2))),
            "vi": column(st.floats(0.001, 0.5)),
        }
    )


def brute_force(
    frame: pd.DataFrame, rho: dict[tuple[str, str], float], phi: float, reported: pd.DataFrame
) -> np.ndarray:
    """V entry by entry, NaN where a pair has no value."""
    told = {(s, *sorted((a, b))): r for s, a, b, r in reported.itertuples(index=False)}
    k = len(frame)
    V = np.zeros((k, k))
    rows = list(frame.itertuples(index=False))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            if one.study != other.study:
                continue
            names = (one.component, other.component)
            if one.path != other.path:
                names = (one.path, other.path)
            value = rho.get(names, rho.get(names[::-1], np.nan))
            value *= phi ** abs(one.week - other.week)
            value = told.get((one.study, *sorted((one.effect, other.effect))), value)
            V[i, j] = (1.0 if i == j else value) * np.sqrt(one.vi * other.vi)
    return V


@st.composite
def cases(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, Any]]:
    frame = draw(frames())
    within = [
        (s, a, b)
        for s, group in frame.groupby("study")["effect"]
        for i, a in enumerate(group)
        for b in list(group)[:i]
    ]
    some = draw(st.lists(st.sampled_from(within), unique=True, max_size=4)) if within else []
    r = draw(st.lists(st.floats(-0.9, 0.9), min_size=len(some), max_size=len(some)))
    reported = pd.DataFrame(some, columns=["study", "id1", "id2"]).assign(r=np.array(r, float))
    rho = {**draw(RHO), ("forward", "reverse"): draw(st.floats(-0.3, 0.3))}
    return frame, {"rho": rho, "phi": draw(st.floats(0, 1)), "correlations": reported}


@settings(max_examples=150, deadline=None)
@given(cases())
def test_is_the_matrix_written_out_or_refused(case: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    frame, given_ = case
    expected = brute_force(frame, given_["rho"], given_["phi"], given_["correlations"])
    arguments = {**given_, "time": "week", "path": "path"}
    if np.isnan(expected).any():
        with pytest.raises(ma.SpecificationError, match="rho has no value for the pair"):
            ma.sampling_covariance(frame, **arguments)
        return
    sd = np.sqrt(frame["vi"].to_numpy())
    smallest = np.linalg.eigvalsh(expected / np.outer(sd, sd))[0]
    assume(abs(smallest) > 1e-9)
    if smallest < 0:
        with pytest.raises(ma.SpecificationError, match="is not positive definite"):
            ma.sampling_covariance(frame, **arguments)
        return
    covariance = ma.sampling_covariance(frame, **arguments)
    V = covariance.to_array()
    np.testing.assert_allclose(V, expected, rtol=1e-13, atol=1e-300)
    np.testing.assert_array_equal(V, V.T)
    np.testing.assert_array_equal(covariance.blocks.diagonal() > 0, True)
    pairs = frame.groupby("study").size().pipe(lambda n: n * (n - 1) // 2).sum()
    assert covariance.reported == len(given_["correlations"])
    assert covariance.reported + covariance.assumed == pairs


@settings(max_examples=50, deadline=None)
@given(frames(), st.randoms(use_true_random=False), st.floats(0, 0.99), st.floats(0, 1))
def test_the_order_of_rows_does_not_matter(
    frame: pd.DataFrame, random: Any, rho: float, phi: float
) -> None:
    arguments: dict[str, Any] = {"rho": rho, "time": "week", "phi": phi}
    order = random.sample(range(len(frame)), len(frame))
    V = ma.sampling_covariance(frame, **arguments).to_array()
    again = ma.sampling_covariance(frame.iloc[order], **arguments).to_array()
    np.testing.assert_array_equal(again, V[np.ix_(order, order)])


@settings(max_examples=50, deadline=None)
@given(frames(), st.floats(0.01, 0.99))
def test_blocks_are_clusters_and_aggregates_are_those_of_the_dense_matrix(
    frame: pd.DataFrame, rho: float
) -> None:
    covariance = ma.sampling_covariance(frame, rho=rho)
    label, study = covariance.blocks.labels(), frame["study"].to_numpy()
    np.testing.assert_array_equal(label[:, None] == label, study[:, None] == study)
    np.testing.assert_array_equal(covariance.to_array() != 0, study[:, None] == study)
    y = frame["week"].to_numpy()
    W = np.linalg.inv(covariance.to_array())
    Z = (study[:, None] == pd.unique(study)).astype(float)
    vcov = np.linalg.inv(Z.T @ W @ Z)
    found = ma.aggregate_effects(frame, rho=rho, yi="week", keep=())
    np.testing.assert_allclose(found["vi"], np.diag(vcov), rtol=1e-9)
    np.testing.assert_allclose(found["week"], vcov @ Z.T @ W @ y, rtol=1e-7, atol=1e-9)
    for one in np.unique(label):
        assert len(set(study[label == one])) == 1
