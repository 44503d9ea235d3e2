"""Both directions of lagged partial coefficients in one model."""

import numpy as np
import pandas as pd
import pytest

import metalliance as ma


def paths(studies: int = 16, forward: float = 0.07, reverse: float = 0.05) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = []
    for i in range(studies):
        for path, mean in (("alliance→outcome", forward), ("outcome→alliance", reverse)):
            if path == "outcome→alliance" and i % 3 == 0:
                continue
            rows.append(
                {
                    "study": f"S{i}",
                    "component": "within",
                    "estimand": "lagged_partial",
                    "path": path,
                    "es_metric": "beta",
                    "yi": rng.normal(mean, 0.03),
                    "vi": 0.0009,
                }
            )
    return pd.DataFrame(rows)


def test_difference_is_forward_minus_reverse() -> None:
    found = ma.reciprocal(paths())
    table = found.table.set_index("term")["estimate"]
    assert list(table.index) == ["reverse", "forward", "difference"]
    assert table["difference"] == pytest.approx(table["forward"] - table["reverse"])
    assert found.joint.table_r["estimate"].tolist() == pytest.approx(table.tolist())
    assert found.paired is not None
    assert found.paired.both == 10


def test_other_estimands_stay_out() -> None:
    rows = paths()
    mixed = pd.concat([rows, rows.assign(estimand="lagged_r", yi=0.9)], ignore_index=True)
    pd.testing.assert_frame_equal(ma.reciprocal(mixed).table, ma.reciprocal(rows).table)


def test_one_direction_alone_is_refused() -> None:
    rows = paths()
    with pytest.raises(ma.SpecificationError, match="'reverse'"):
        ma.reciprocal(rows[rows["path"] == "alliance→outcome"])


def test_a_plain_table_holds_coefficients() -> None:
    rows = paths()
    plain = ma.reciprocal(rows.drop(columns="es_metric"))
    pd.testing.assert_frame_equal(plain.joint.table_r, ma.reciprocal(rows).joint.table_r)
    with pytest.raises(ma.SpecificationError, match="coefficients"):
        ma.reciprocal(rows.assign(es_metric="z"))
