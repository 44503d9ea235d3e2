"""Sampling covariances by cluster and component pair."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from metalliance.effectsize.covariance import SamplingCovariance
from metalliance.effectsize.dependence import RHO_BY_COMPONENT, sampling_covariance
from metalliance.errors import SpecificationError
from tests.tolerances import CLOSED_FORM

FRAME = pd.DataFrame(
    {
        "study": ["a", "b", "a", "b", "a", "c"],
        "component": ["total", "within", "within", "between_observed", "total", "total"],
        "vi": [0.04, 0.01, 0.02, 0.03, 0.05, 0.06],
    }
)


def test_constant_rho_is_the_outer_product_within_clusters() -> None:
    covariance = sampling_covariance(FRAME, rho=0.6).to_array()
    sd = np.sqrt(FRAME["vi"].to_numpy())
    same = FRAME["study"].to_numpy()[:, None] == FRAME["study"].to_numpy()
    expected = np.where(same, 0.6 * np.outer(sd, sd), 0.0)
    np.fill_diagonal(expected, FRAME["vi"])
    np.testing.assert_allclose(covariance, expected, rtol=1e-14)


def test_rho_by_component_pair() -> None:
    covariance = sampling_covariance(FRAME, rho=RHO_BY_COMPONENT).to_array()
    sd = np.sqrt(FRAME["vi"].to_numpy())
    assert covariance[0, 4] == pytest.approx(0.6 * sd[0] * sd[4])
    assert covariance[0, 2] == pytest.approx(0.3 * sd[0] * sd[2])
    assert covariance[1, 3] == 0.0


def test_sample_is_the_cluster_where_there_is_one() -> None:
    frame = FRAME.assign(sample=["a1", "b", "a2", "b", "a1", "c"])
    covariance = sampling_covariance(frame, rho=0.6).to_array()
    assert covariance[0, 2] == 0.0
    assert covariance[0, 4] > 0.0


def test_sparse_and_dense_agree() -> None:
    covariance = sampling_covariance(FRAME, rho=0.4)
    np.testing.assert_array_equal(covariance.to_sparse().toarray(), covariance.to_array())


def test_given_covariances() -> None:
    frame = pd.DataFrame(
        {"trial": [1, 1, 2], "v1": [0.0075, 0.003, 0.01], "v2": [0.003, 0.0077, 0.2]}
    )
    covariance = sampling_covariance(frame, cluster="trial", rvars=["v1", "v2"], vi=1).to_array()
    np.testing.assert_allclose(covariance, [[0.0075, 0.003, 0], [0.003, 0.0077, 0], [0, 0, 0.01]])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"rho": 1.0}, "study b .2 effects. is not positive definite"),
        ({"rho": -0.9}, "study a .3 effects. is not positive definite"),
        ({"rho": 1.5}, "no correlation"),
        ({"rho": "high"}, "rho = high is no correlation"),
        ({"rho": {"total": 0.6}}, "rho has the key 'total'; give pairs"),
        ({"rho": {("total", "total"): 0.6}}, "no value for the pair"),
        ({"cluster": "trial"}, "cluster column 'trial'"),
        ({"vi": "variance"}, "'variance'"),
        ({"obs": "component"}, "study a has component total more than once"),
    ],
)
def test_refusals_name_the_place(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(SpecificationError, match=named):
        sampling_covariance(FRAME, **arguments)


def test_missing_cluster_is_named_by_row() -> None:
    with pytest.raises(SpecificationError, match=r"row\(s\) 3"):
        sampling_covariance(FRAME.assign(study=["a", "b", "a", None, "a", "c"]))


@pytest.fixture(scope="module")
def vcalc() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "reference" / "vcalc.json"
    return json.loads(path.read_text(encoding="utf-8"))


def assert_is(covariance: SamplingCovariance, expected: list[list[float]]) -> None:
    np.testing.assert_allclose(
        covariance.to_array(), np.array(expected), rtol=CLOSED_FORM, atol=1e-15
    )


def test_constant_rho_agrees_with_vcalc(vcalc: dict[str, Any]) -> None:
    frame = pd.DataFrame(vcalc["data"])
    for case in vcalc["cases"]:
        assert_is(sampling_covariance(frame, cluster="study", rho=case["rho"]), case["V"])


BY_TYPE = {("total", "total"): 0.55, ("within", "within"): 0.55, ("within", "total"): 0.25}
BY_MEASURE = {("total", "total"): 0.5, ("within", "within"): 0.5, ("total", "within"): 0.2}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rho and phi", {"rho": 0.6, "time": "week", "phi": 0.8}),
        ("rho and phi", {"rho": 0.6, "time": "week", "phi": 0.8, "obs": "esid"}),
        (
            "one measure at several times",
            {"rho": BY_MEASURE, "obs": "measure", "time": "week", "phi": 0.7},
        ),
        ("component pairs", {"rho": BY_TYPE}),
        ("component pairs", {"rho": BY_TYPE, "obs": "esid"}),
        ("negative phi", {"rho": 0.4, "time": "twice", "phi": -0.3}),
    ],
)
def test_agrees_with_vcalc(vcalc: dict[str, Any], name: str, arguments: dict[str, Any]) -> None:
    frame = pd.DataFrame(vcalc["random"]["data"])
    frame["twice"] = 2 * frame["week"]
    case = next(case for case in vcalc["random"]["cases"] if case["name"] == name)
    assert_is(sampling_covariance(frame, cluster="study", **arguments), case["V"])


def test_correlations_in_columns_agree_with_vcalc(vcalc: dict[str, Any]) -> None:
    frame = pd.DataFrame(vcalc["columns"]["data"])
    assert_is(sampling_covariance(frame, rvars=["r1", "r2", "r3"]), vcalc["columns"]["V"])
    berkey = pd.read_csv(Path(__file__).parents[1] / "reference" / "datasets" / "berkey1998.csv")
    found = sampling_covariance(berkey, cluster="author", rvars=["v1i", "v2i"], vi=1)
    assert_is(found, vcalc["berkey"])
    assert found.description == "given correlations within author"


def test_above_the_diagonal_columns_may_be_missing_but_not_contradict() -> None:
    frame = pd.DataFrame(
        {"study": ["a", "a", "b"], "vi": 0.04, "r1": [1, 0.5, 1], "r2": [np.nan, 1, np.nan]}
    )
    assert sampling_covariance(frame, rvars=["r1", "r2"]).to_array()[0, 1] == pytest.approx(0.02)
    with pytest.raises(SpecificationError, match="rvars of study a are not symmetric"):
        sampling_covariance(frame.assign(r2=[0.4, 1, 1]), rvars=["r1", "r2"])
    with pytest.raises(SpecificationError, match=r"'r1' is missing in row\(s\) 1"):
        sampling_covariance(frame.assign(r1=[1, np.nan, 1]), rvars=["r1", "r2"])
    with pytest.raises(SpecificationError, match=r"study b are not correlations.*vi=1"):
        sampling_covariance(frame.assign(r1=[0.04, 0.02, 0.04]), rvars=["r1", "r2"])
    with pytest.raises(SpecificationError, match="leave out time=, phi="):
        sampling_covariance(frame, rvars=["r1", "r2"], time="vi", phi=0.5)


def test_a_pair_is_unordered_and_has_one_value() -> None:
    frame = pd.DataFrame({"study": ["a", "a"], "component": ["x", "y"], "vi": [0.04, 0.01]})
    for pair in (("x", "y"), ("y", "x")):
        assert sampling_covariance(frame, rho={pair: 0.5}).to_array()[0, 1] == pytest.approx(0.01)
    both = {("x", "y"): 0.5, ("y", "x"): 0.5}
    assert sampling_covariance(frame, rho=both).to_array()[0, 1] == pytest.approx(0.01)
    with pytest.raises(SpecificationError, match=r"two values, 0\.5 and 0\.4"):
        sampling_covariance(frame, rho={**both, ("y", "x"): 0.4})
    with pytest.raises(SpecificationError, match=r"rho of 'x' and 'y' = 2\.0 is no correlation"):
        sampling_covariance(frame, rho={("x", "y"): 2.0})


def test_only_pairs_that_occur_need_a_value() -> None:
    frame = pd.DataFrame({"study": ["a", "b"], "component": ["x", "y"], "vi": [0.04, 0.01]})
    assert sampling_covariance(frame, rho={}).to_array()[0, 1] == 0
    with pytest.raises(
        SpecificationError,
        match=r"'total' and 'between_observed', which study a has in row\(s\) 0, 2",
    ):
        sampling_covariance(
            pd.DataFrame(
                {
                    "study": ["a", "b", "a"],
                    "component": ["total", "within", "between_observed"],
                    "vi": 0.02,
                }
            ),
            rho=RHO_BY_COMPONENT,
        )


def test_paths_of_different_direction() -> None:
    frame = pd.DataFrame(
        {
            "study": "a",
            "component": "within",
            "path": ["forward", "reverse", "forward"],
            "vi": [0.04, 0.01, 0.04],
        }
    )
    V = sampling_covariance(frame, rho=RHO_BY_COMPONENT, path="path").to_array()
    assert V[0, 1] == V[1, 2] == 0
    assert V[0, 2] == pytest.approx(0.6 * 0.04)
    rho = {**RHO_BY_COMPONENT, ("reverse", "forward"): -0.2}
    with pytest.raises(SpecificationError, match="two values"):
        sampling_covariance(frame, rho=rho, path="path")
    with pytest.raises(SpecificationError, match="'forward' and 'reverse'"):
        sampling_covariance(frame, rho={("within", "within"): 0.6}, path="path")
    with pytest.raises(SpecificationError, match="path= needs rho by pair"):
        sampling_covariance(frame, path="path")


def test_time_needs_phi_and_numbers() -> None:
    frame = FRAME.assign(week=[1, 2, np.nan, 3, 4, 5], month=["may"] * 6, half=np.arange(6) / 2)
    for arguments, named in (
        ({"time": "half"}, "time= needs phi="),
        ({"phi": 0.5}, "phi= needs time="),
        ({"time": "week", "phi": 0.5}, r"'week' is missing in row\(s\) 2"),
        ({"time": "month", "phi": 0.5}, "'month' holds no number in row"),
        ({"time": "half", "phi": 1.5}, "phi = 1.5 is no correlation"),
        ({"time": "half", "phi": -0.5, "cluster": "component"}, "whole number of units"),
    ):
        with pytest.raises(SpecificationError, match=named):
            sampling_covariance(frame, **arguments)


def test_one_effect_at_several_times() -> None:
    frame = pd.DataFrame({"study": "a", "obs": ["E1", "E1", "E2"], "t": [0, 2, 2], "vi": 0.01})
    V = sampling_covariance(frame, rho=0.5, obs="obs", time="t", phi=0.8).to_array() / 0.01
    np.testing.assert_allclose(V, [[1, 0.64, 0.32], [0.64, 1, 0.5], [0.32, 0.5, 1]], rtol=1e-14)
    with pytest.raises(SpecificationError, match="study a has obs E1 more than once"):
        sampling_covariance(frame.assign(t=0), obs="obs", time="t", phi=0.8)


def test_variances_are_positive() -> None:
    with pytest.raises(SpecificationError, match=r"'vi' are not positive in row\(s\) 0"):
        sampling_covariance(FRAME.assign(vi=[0, 1, 1, 1, 1, 1]))


def test_thirty_thousand_effects_take_no_python_loop() -> None:
    k = 30_000
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "study": rng.permutation(np.repeat(np.arange(k // 5), 5)),
            "component": rng.choice(["total", "within"], k),
            "vi": 0.02,
        }
    )
    started = time.process_time()
    sampling_covariance(frame, rho=RHO_BY_COMPONENT)
    assert time.process_time() - started < 0.2  # about 0.01 on the machine it was written on
