"""Sampling covariances by cluster and component pair."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metalliance.effectsize.dependence import RHO_BY_COMPONENT, sampling_covariance
from metalliance.errors import SpecificationError

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


def test_agrees_with_vcalc() -> None:
    path = Path(__file__).parents[1] / "reference" / "vcalc.json"
    reference = json.loads(path.read_text())
    frame = pd.DataFrame(reference["data"])
    for case in reference["cases"]:
        covariance = sampling_covariance(frame, cluster="study", rho=case["rho"]).to_array()
        np.testing.assert_allclose(covariance, np.array(case["V"]), rtol=1e-12, atol=1e-15)
