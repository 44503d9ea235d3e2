"""How often the default intervals hold the truth; minutes, so deselected by default.

Bounds are three binomial standard errors of 2,000 replicates around .95.
"""

import warnings

import numpy as np
import pandas as pd
import pytest

import metalliance as ma

REPLICATES = 2000
TRUTH = 0.3


def coverage(intervals: list[tuple[float, float]]) -> float:
    return float(np.mean([low <= TRUTH <= high for low, high in intervals]))


def interval(fit: ma.Fit) -> tuple[float, float]:
    row = ma.tidy(fit).iloc[0]
    return row["conf_low"], row["conf_high"]


@pytest.mark.slow
def test_knapp_hartung_with_ten_studies() -> None:
    rng = np.random.default_rng(20)
    intervals, plain = [], []
    for _ in range(REPLICATES):
        n = rng.integers(20, 200, 10)
        vi = 1 / (n - 3)
        yi = TRUTH + np.sqrt(0.02 + vi) * rng.normal(size=10)
        fit = ma.fit(pd.DataFrame({"yi": yi, "vi": vi}))
        intervals.append(interval(fit))
        row = ma.tidy(ma.infer(fit, "model")).iloc[0]
        plain.append((row["conf_low"], row["conf_high"]))
    print(f"Knapp-Hartung, k = 10: {coverage(intervals):.4f}; z: {coverage(plain):.4f}")
    assert abs(coverage(intervals) - 0.95) < 0.0146
    assert coverage(plain) < coverage(intervals)


@pytest.mark.slow
def test_cr2_with_twenty_unbalanced_dependent_clusters() -> None:
    """Effects correlate at .8 where the model assumes .6."""
    rng = np.random.default_rng(21)
    robust, model, naive = [], [], []
    sizes = np.resize([1, 1, 2, 3, 8], 20)
    study = np.repeat(np.arange(20), sizes)
    k = len(study)
    for _ in range(REPLICATES):
        vi = np.repeat(1 / (rng.integers(20, 200, 20) - 3), sizes)
        shared, own = rng.normal(size=20)[study], rng.normal(size=k)
        error = np.sqrt(vi) * (np.sqrt(0.8) * shared + np.sqrt(0.2) * own)
        true = 0.15 * rng.normal(size=20)[study] + 0.1 * rng.normal(size=k)
        frame = pd.DataFrame({"study": study, "effect": np.arange(k), "vi": vi})
        frame["yi"] = TRUTH + true + error
        V = ma.sampling_covariance(frame, cluster="study", rho=0.6)
        fit = ma.fit(frame, random="~ 1 | study/effect", V=V)
        robust.append(interval(fit))
        row = ma.tidy(ma.infer(fit, "model")).iloc[0]
        model.append((row["conf_low"], row["conf_high"]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ma.DependenceWarning)
            naive.append(interval(ma.fit(frame)))
    shown = ", ".join(
        f"{name} {coverage(found):.4f}"
        for name, found in (("CR2", robust), ("model z", model), ("independence", naive))
    )
    print(shown)
    assert abs(coverage(robust) - 0.95) < 0.0146
    assert coverage(naive) < coverage(robust)
