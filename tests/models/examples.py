"""Small tables that several tests of the models use."""

import numpy as np
import pandas as pd

from metalliance.effectsize.table import CORE_COLUMNS, EffectTable


def independent(k: int = 12, seed: int = 0, tau: float = 0.2) -> pd.DataFrame:
    """One effect per study, a covariate and a factor."""
    rng = np.random.default_rng(seed)
    vi = rng.uniform(0.01, 0.05, k)
    return pd.DataFrame(
        {
            "study": [f"S{i:02d}" for i in range(k)],
            "yi": 0.3 + tau * rng.normal(size=k) + rng.normal(size=k) * np.sqrt(vi),
            "vi": vi,
            "year": rng.integers(1980, 2020, k),
            "rater": rng.permutation(np.resize(["client", "observer", "therapist"], k)),
        }
    )


def nested(studies: int = 10, seed: int = 0) -> pd.DataFrame:
    """One to four effects per study; effect ids restart in every study."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, studies)
    study = np.repeat(np.arange(studies), sizes)
    k = len(study)
    vi = rng.uniform(0.01, 0.06, k)
    yi = 0.3 + 0.25 * rng.normal(size=studies)[study] + 0.15 * rng.normal(size=k)
    return pd.DataFrame(
        {
            "study": [f"S{j:02d}" for j in study],
            "effect": np.concatenate([np.arange(n) for n in sizes]),
            "yi": yi + rng.normal(size=k) * np.sqrt(vi),
            "vi": vi,
            "year": rng.integers(1980, 2020, studies)[study],
            "component": rng.choice(["between", "within"], k),
        }
    )


def effect_table(frame: pd.DataFrame) -> EffectTable:
    """The frame as an EffectTable; one sample per study unless the frame says otherwise."""
    filled = {name: np.nan for name in CORE_COLUMNS if name not in frame}
    whole = frame.assign(**filled)
    if "sample" not in frame:
        whole["sample"] = whole["study"]
    return EffectTable.build(whole)
