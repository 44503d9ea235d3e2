"""Small tables of sessions for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd


def session_table(
    patients: int = 40,
    sessions: int = 8,
    seed: int = 0,
    *,
    unequal: bool = True,
    carried: float = 0.4,
) -> pd.DataFrame:
    """Alliance and outcome with stable levels, autocorrelation and an association within."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(patients):
        level = rng.normal(size=2)
        level[1] = 0.4 * level[0] + 0.9 * level[1]
        x = y = 0.0
        for t in range(1, (rng.integers(4, sessions + 1) if unequal else sessions) + 1):
            x = carried * x + rng.normal()
            y = carried * y + 0.2 * x + rng.normal()
            rows.append((f"P{i:03d}", t, level[0] + x, level[1] + y))
    return pd.DataFrame(rows, columns=["patient", "session", "alliance", "outcome"])


def row_of(table: pd.DataFrame, component: str, estimand: str = "NA") -> pd.Series:
    """The one row of a component and estimand."""
    found = table[(table["component"] == component) & (table["estimand"] == estimand)]
    assert len(found) == 1
    return found.iloc[0]
