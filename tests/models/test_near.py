"""A search that begins near another fit ends where the usual one does."""

import numpy as np
import pandas as pd
import pytest

import metalliance as ma


def effects(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    study = np.repeat(np.arange(20), 3)
    return pd.DataFrame(
        {
            "study": study,
            "effect": np.arange(60),
            "vi": rng.uniform(0.005, 0.03, 60),
            "yi": 0.3 + rng.normal(0, 0.15, 20)[study] + rng.normal(0, 0.12, 60),
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_same_maximum_from_a_neighbour(seed: int) -> None:
    first, second = effects(seed), effects(seed + 100)
    neighbour = ma.fit(first, random="~ 1 | study/effect")
    usual = ma.fit(second, random="~ 1 | study/effect")
    quick = ma.fit(second, random="~ 1 | study/effect", near=neighbour)
    assert quick.log_lik_reml == pytest.approx(usual.log_lik_reml, abs=1e-9)
    assert quick.sigma2 == pytest.approx(usual.sigma2, rel=1e-5, abs=1e-8)
    assert quick.convergence.evaluations < usual.convergence.evaluations


def test_a_fit_of_another_kind_is_refused() -> None:
    frame = effects(1)
    other = ma.fit(frame, random="~ 1 | study")
    with pytest.raises(ma.SpecificationError, match="other random terms"):
        ma.fit(frame, random="~ 1 | study/effect", near=other)
