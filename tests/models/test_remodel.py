"""Other moderators on the same rows: the fit that ``fit`` finds, from a nearer start."""

from __future__ import annotations

import numpy as np
import pytest

import metalliance as ma
from metalliance.models.fit import remodel
from tests.models.examples import independent, nested
from tests.tolerances import COEFFICIENT, COMPONENT, LOG_LIKELIHOOD


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_fit_of_those_moderators(seed: int) -> None:
    frame = nested(30, seed=seed)
    rng = np.random.default_rng(seed)
    frame = frame.assign(a=rng.normal(size=len(frame)), b=rng.normal(size=len(frame)))
    V = ma.sampling_covariance(frame, rho=0.6)
    first = ma.fit(frame, "~ a", random="~ 1 | study/effect", V=V)
    again = remodel(first, "~ a + b", frame)
    fresh = ma.fit(frame, "~ a + b", random="~ 1 | study/effect", V=V)
    assert again.log_lik_reml >= fresh.log_lik_reml - LOG_LIKELIHOOD
    np.testing.assert_allclose(again.beta, fresh.beta, atol=COEFFICIENT)
    ours, theirs = ma.tidy(again), ma.tidy(fresh)
    np.testing.assert_allclose(ours["std_error"], theirs["std_error"], rtol=COMPONENT)
    np.testing.assert_allclose(ours["df"], theirs["df"], rtol=COMPONENT)
    assert again.call["mods"] == "~ a + b" and again.call["random"] == fresh.call["random"]
    drawn = frame.iloc[:2]
    np.testing.assert_allclose(
        ma.predict(again, drawn)["estimate"], ma.predict(fresh, drawn)["estimate"], atol=1e-6
    )


def test_it_takes_the_rows_of_a_fit_with_random_terms() -> None:
    frame = independent(9)
    with pytest.raises(ValueError, match="rows of a fit with random terms"):
        remodel(ma.fit(frame), "~ year", frame)


def test_rank_loss_is_refused() -> None:
    frame = nested(12, seed=1)
    frame = frame.assign(a=1.0)
    first = ma.fit(frame, random="~ 1 | study/effect")
    with pytest.raises(ma.SpecificationError, match="cannot tell"):
        remodel(first, "~ a", frame)
