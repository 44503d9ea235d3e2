"""A moderator that one cluster alone has: CR2 knows nothing of that cluster's own error."""

import warnings

import numpy as np
import pytest

import metalliance as ma
from tests.simulation.designs import Dependent
from tests.simulation.readings import fit_dependent

RUNS = 400
REPORTED = 0.60


@pytest.mark.slow
def test_cr2_of_a_moderator_of_one_study_rejects_as_the_page_says() -> None:
    design = Dependent(studies=20, true_rho=0.8)
    rejected, marked = [], []
    for seed in range(RUNS):
        rng = np.random.default_rng([7, seed])
        frame = design.draw(rng)
        frame["rare"] = (frame["study"] == 10 + rng.integers(10)).astype(float)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ma.SmallSampleWarning)
            inference = ma.infer(fit_dependent(design, frame, "~ rare"), "CR2")
        row = ma.tidy(inference).iloc[1]
        rejected.append(row["p_value"] < 0.05)
        marked.append(inference.imprecise[1])
    error = np.sqrt(REPORTED * (1 - REPORTED) / RUNS)
    assert abs(np.mean(rejected) - REPORTED) < 3 * error
    assert all(marked)
