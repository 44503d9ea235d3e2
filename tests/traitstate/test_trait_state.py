"""Trait and state side by side: which rows, which difference, which ratio of slopes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma

RNG = np.random.default_rng(11)


def effects(studies: int = 24, both: int = 12, **changes: Any) -> pd.DataFrame:
    rows = []
    for i in range(studies):
        kinds = (
            ["between_observed", "within"] if i < both else [["between_observed", "within"][i % 2]]
        )
        for kind in kinds:
            state = kind == "within"
            rows.append(
                {
                    "study": f"S{i}",
                    "component": kind,
                    "estimand": "concurrent_r" if state else "NA",
                    "vi": 0.003 if state else 0.012,
                    "yi": RNG.normal(0.1 if state else 0.35, 0.08 if state else 0.14),
                    "k_x": 4.0,
                    "k_y": 1.0,
                }
            )
    return pd.DataFrame(rows).assign(**changes)


def test_rows_of_other_kinds_do_not_touch_the_result() -> None:
    own = effects()
    others = pd.concat(
        [
            own.assign(component="total", yi=0.9),
            own.assign(component="within", estimand="lagged_partial", yi=0.9),
            own.assign(
                component="within", estimand="concurrent_r", yi=0.9, path="outcome→alliance"
            ),
            own.assign(component="between_latent", yi=0.9),
            own.assign(path="outcome→alliance", yi=0.9),
            own.assign(outcome_form="dropout", yi=0.9),
        ]
    )
    mixed = pd.concat([own, others], ignore_index=True)
    pd.testing.assert_frame_equal(ma.trait_state(mixed).table, ma.trait_state(own).table)


def test_the_tidy_verb_takes_it() -> None:
    table = ma.tidy(ma.trait_state(effects()))
    assert list(table["term"]) == ["between", "within", "difference"]
    assert table["estimate"][2] == pytest.approx(table["estimate"][1] - table["estimate"][0])


def test_the_second_difference_uses_samples_with_both_alone() -> None:
    own = effects()
    found = ma.trait_state(own)
    assert found.paired is not None
    both = own.groupby("study")["component"].transform("nunique") == 2
    again = ma.trait_state(own[both].reset_index(drop=True))
    pd.testing.assert_frame_equal(found.paired.table, again.table)
    assert found.paired.both == 12
    assert ma.trait_state(effects(both=1)).paired is None


def test_lagged_partial_is_refused_with_the_way_out() -> None:
    with pytest.raises(ma.SpecificationError, match="reciprocal"):
        ma.trait_state(effects(), estimand="lagged_partial")
    with pytest.raises(ma.SpecificationError, match="between_latent"):
        ma.trait_state(effects(), between="total")
    with pytest.raises(ma.SpecificationError, match="columns missing"):
        ma.trait_state(effects().drop(columns="component"))


def test_the_slope_ratio_is_that_of_raw_slopes() -> None:
    """Two levels, large samples: covariances give both slopes and both correlations."""
    icc_x, icc_y, k, rho_b, rho_w = 0.7, 0.6, 4, 0.4, 0.1
    between = np.array([[icc_x, rho_b * np.sqrt(icc_x * icc_y)], [0, icc_y]])
    within = np.array([[1 - icc_x, rho_w * np.sqrt((1 - icc_x) * (1 - icc_y))], [0, 1 - icc_y]])
    slopes = between[0, 1] / between[0, 0] / (within[0, 1] / within[0, 0])
    known = rho_b / rho_w * np.sqrt(icc_y * (1 - icc_x) / (icc_x * (1 - icc_y)))
    assert slopes == pytest.approx(known)
    rows = effects()
    latent = rows.replace({"component": {"between_observed": "between_latent"}})
    found = ma.trait_state(latent, between="between_latent")
    ratio = np.divide(*found.table_r["estimate"][:2])
    first = found.slope_ratio.iloc[0]
    assert first["ratio"] == pytest.approx(ratio * known * rho_w / rho_b)
    observed = ma.trait_state(rows).slope_ratio.iloc[0]
    var_x, var_y = icc_x + (1 - icc_x) / k, 1.0
    factor = np.sqrt(var_y * (1 - icc_x) / (var_x * (1 - icc_y)))
    assert observed["ratio"] == pytest.approx(ratio * factor)


def test_equal_raw_slopes_are_no_equal_correlations() -> None:
    ratio = np.sqrt(0.7 * (1 - 0.6) / (0.6 * (1 - 0.7)))
    assert ratio == pytest.approx(1.25, abs=0.005)


def test_the_ratio_has_no_limits_where_the_state_may_be_zero() -> None:
    rows = effects()
    state = rows["component"] == "within"
    rows.loc[state, "yi"] -= rows.loc[state, "yi"].mean() - 0.005
    assert ma.trait_state(rows).slope_ratio["conf_low"].isna().all()


def test_fieller_limits_are_where_the_contrast_is_just_significant() -> None:
    found = ma.trait_state(effects())
    first = found.slope_ratio.iloc[0]
    scale = first["ratio"] / np.divide(*found.table_r["estimate"][:2])
    point = found.table_r["estimate"][:2].to_numpy()
    V = found.joint.inference.vcov * np.outer(1 - point**2, 1 - point**2)
    df = found.table.set_index("term")["df"]
    from scipy import stats

    for limit in (first["conf_low"] / scale, first["conf_high"] / scale):
        L = np.array([1, -limit])
        t = abs(L @ point) / np.sqrt(L @ V @ L)
        assert t == pytest.approx(stats.t.ppf(0.975, min(df["within"], df["difference"])))


def test_moderators_by_component_and_their_faults() -> None:
    rows = effects().assign(year=lambda f: np.arange(len(f)) / 10)
    assert "difference:year" in set(ma.trait_state(rows, mods=["year"]).table["term"])
    with pytest.raises(ma.SpecificationError, match="no column 'rater'"):
        ma.trait_state(rows, mods=["rater"])
    with pytest.raises(ma.SpecificationError, match="not numeric"):
        ma.trait_state(rows.assign(rater="patient"), mods=["rater"])
    rows.loc[3, "year"] = np.nan
    with pytest.raises(ma.SpecificationError, match="year"):
        ma.trait_state(rows, mods=["year"])


def test_no_ratio_without_the_sessions_of_an_average() -> None:
    assert ma.trait_state(effects(k_x=np.nan)).slope_ratio["ratio"].isna().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"yi": "strong"}, "yi is no number"),
        ({"vi": 0.0}, "not positive"),
        ({"yi": np.inf}, "infinite"),
    ],
)
def test_impossible_numbers_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ma.SpecificationError, match=words):
        ma.trait_state(effects(**change))


def test_bands_of_iccs_are_checked() -> None:
    with pytest.raises(ma.SpecificationError, match="icc_x"):
        ma.trait_state(effects(), icc_x=(1.2, 0.5, 1.0))
