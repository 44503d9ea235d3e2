"""One effect per cluster: against metafor's aggregate, and the rules for other columns."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.effectsize.table import CORE_COLUMNS
from tests.tolerances import CLOSED_FORM

REFERENCE = Path(__file__).parents[1] / "reference"
ASSINK = pd.read_csv(REFERENCE / "datasets" / "assink2016.csv")
TYPES = sorted(ASSINK["deltype"].unique())
TYPE_RHO = {(a, b): 0.7 if a == b else 0.2 for a in TYPES for b in TYPES}


def by_type(rho: dict[tuple[str, str], float] = TYPE_RHO) -> ma.SamplingCovariance:
    return ma.sampling_covariance(ASSINK, "study", rho=rho, component="deltype")


def over_time() -> ma.SamplingCovariance:
    return ma.sampling_covariance(ASSINK, "study", rho=0.8, time="esid", phi=0.9)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rho", {}),
        ("mean", {"weighted": False}),
        ("V", {"V": by_type()}),
        ("V_mean", {"V": by_type(), "weighted": False}),
        ("times", {"V": over_time()}),
        ("times", {"V": over_time().to_array()}),
        ("times", {"V": over_time().to_sparse()}),
    ],
)
def test_agrees_with_aggregate(name: str, arguments: dict[str, Any]) -> None:
    stored = json.loads((REFERENCE / "aggregate.json").read_text(encoding="utf-8"))[name]
    found = ma.aggregate_effects(ASSINK, "study", keep=["year", "id"], **arguments)
    for column in ("yi", "vi", "year", "id"):
        np.testing.assert_allclose(found[column], stored[column], rtol=CLOSED_FORM)
    assert found["k_effects"].sum() == len(ASSINK)


def test_order_is_that_of_first_appearance() -> None:
    shuffled = ASSINK.sample(frac=1, random_state=3)
    found = ma.aggregate_effects(shuffled, "study", keep=())
    assert found["study"].tolist() == shuffled["study"].drop_duplicates().tolist()
    plain = ma.aggregate_effects(ASSINK, "study", keep=()).set_index("study")
    np.testing.assert_allclose(found["yi"], plain.loc[found["study"], "yi"], rtol=CLOSED_FORM)


def test_single_effects_stay_as_they_are() -> None:
    frame = pd.DataFrame({"study": ["b", "a"], "yi": [0.1, 0.2], "vi": [0.01, 0.02]})
    pd.testing.assert_frame_equal(
        ma.aggregate_effects(frame), frame.assign(k_effects=1)[["study", "k_effects", "yi", "vi"]]
    )


def test_other_columns() -> None:
    frame = pd.DataFrame(
        {
            "study": ["a", "b", "a"],
            "yi": [0.1, 0.2, 0.3],
            "vi": 0.02,
            "year": [2001, 2002, 2001],
            "age": [30.0, np.nan, 40.0],
            "country": ["IL", "US", None],
            "rater": ["patient", "patient", "therapist"],
        }
    )
    with pytest.warns(ma.MetallianceWarning, match=r"vary within study: rater \(as in study a\)"):
        found = ma.aggregate_effects(frame)
    assert list(found.columns) == ["study", "k_effects", "yi", "vi", "year", "age", "country"]
    assert found["year"].tolist() == [2001, 2002]
    assert found["age"].tolist()[0] == 35.0
    assert np.isnan(found["age"].tolist()[1])
    assert found["country"].tolist() == ["IL", "US"]
    assert ma.aggregate_effects(frame, keep=["year"]).columns.tolist()[-1] == "year"
    with pytest.raises(ma.SpecificationError, match="keep column 'size' is not in the data"):
        ma.aggregate_effects(frame, keep=["size"])


def effect_table(**columns: Any) -> ma.EffectTable:
    core = dict.fromkeys(CORE_COLUMNS, "x") | {"r": 0.1, "v_r": 0.1, "es_metric": "z"}
    given = {"sample": ["a", "a", "b"], "effect": ["E1", "E2", "E1"], "yi": [0.2, 0.4, 0.1]}
    return ma.EffectTable.build(pd.DataFrame({**core, **given, "vi": 0.04, **columns}))


def test_an_effect_table_keeps_r_in_step() -> None:
    found = ma.aggregate_effects(effect_table(), rho=0.5)
    np.testing.assert_allclose(found["yi"], [0.3, 0.1], rtol=CLOSED_FORM)
    np.testing.assert_allclose(found["vi"], [0.03, 0.04], rtol=CLOSED_FORM)
    np.testing.assert_allclose(found["r"], np.tanh(found["yi"]), rtol=CLOSED_FORM)
    np.testing.assert_allclose(found["v_r"], found["vi"] * (1 - found["r"] ** 2) ** 2)
    assert "effect" not in found.columns
    assert list(ma.aggregate_effects(effect_table(), keep=["r"])) == [
        *("sample", "k_effects", "yi", "vi", "r")
    ]
    beta = ma.aggregate_effects(effect_table(es_metric="beta"))
    assert beta["r"].isna().all()
    with pytest.raises(ma.SpecificationError, match="sample a has effects in different metrics"):
        ma.aggregate_effects(effect_table(es_metric=["z", "beta", "z"]))


def test_refusals() -> None:
    V = ma.sampling_covariance(ASSINK, "study")
    by_two = ASSINK.assign(half=ASSINK["esid"] % 2)
    for arguments, named in (
        ({"cluster": "half", "V": V}, "V correlates effects of half 1 and 0"),
        ({"V": V.to_array()[1:, 1:]}, "symmetric 100 x 100 matrix"),
        ({"V": V.blocks.to_array() * 2}, "diagonal of V is not vi"),
        ({"rho": 1.0}, "study 9 .2 effects. is not positive definite"),
        ({"yi": "effect"}, "yi column 'effect'"),
    ):
        with pytest.raises(ma.SpecificationError, match=named):
            ma.aggregate_effects(by_two, **{"cluster": "study", **arguments})
    with pytest.raises(ma.SpecificationError, match="no effects to combine"):
        ma.aggregate_effects(ASSINK.iloc[:0])
    singular = np.sqrt(np.outer(ASSINK["vi"], ASSINK["vi"]))
    singular[ASSINK["study"].to_numpy()[:, None] != ASSINK["study"].to_numpy()] = 0
    with pytest.raises(ma.SpecificationError, match="V of study 9 is not positive definite"):
        ma.aggregate_effects(ASSINK, "study", V=singular)


def test_blocks_finer_than_clusters() -> None:
    """V by sample, aggregated by study: samples of a study are independent."""
    frame = pd.DataFrame(
        {"study": "a", "sample": ["s", "t", "s"], "yi": [0.1, 0.4, 0.3], "vi": [0.02, 0.05, 0.02]}
    )
    V = ma.sampling_covariance(frame, rho=0.5)
    found = ma.aggregate_effects(frame, "study", V=V, keep=())
    by_sample = ma.aggregate_effects(frame, "sample", rho=0.5, keep=())
    w = 1 / by_sample["vi"]
    assert found["vi"][0] == pytest.approx(1 / w.sum(), rel=CLOSED_FORM)
    assert found["yi"][0] == pytest.approx((w * by_sample["yi"]).sum() / w.sum(), rel=CLOSED_FORM)
