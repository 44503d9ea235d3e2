"""Data like those of alliance and outcome, with the truth known.

Sizes of samples are lognormal around 80. Studies have 1 to 8 effects, most of them one or two; one
study in ten reports on the sample of another. Moderators have no effect in any design.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metalliance.coding.sophistication import MAXIMUM

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

MEAN = 0.3
EFFECTS_PER_STUDY = (1, 8, 1, 3, 2, 1, 5, 1, 2, 4)
THREE_GROUPS = (0.5, 0.3, 0.2)
FOUR_GROUPS = (0.4, 0.25, 0.2, 0.15)
QUALITY_ITEMS = ("A1", "A2", "A3", "A4", "B1", "B2", "C2", "D1", "D2", "D3", "D4", "E1", "E2", "E3")
EFFECT_ITEMS = ("A1", "B1", "E1", "D2")
NOT_REPORTED_ITEMS = ("E2", "E3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Independent:
    """One effect per study: Fisher's z of a sample correlation from a bivariate normal."""

    studies: int
    tau2: float

    @property
    def scenario(self) -> str:
        return f"τ² {self.tau2:g}"

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        n = sample_sizes(rng, self.studies)
        truth = MEAN + np.sqrt(self.tau2) * rng.normal(size=self.studies)
        frame = pd.DataFrame({"yi": sample_z(rng, truth, n), "vi": 1 / (n - 3)})
        return frame.assign(**study_moderators(rng, self.studies))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependent:
    """Several effects per study, heterogeneous between and within studies.

    Attributes
    ----------
    studies : int
    true_rho : float
        Correlation of the sampling errors of two effects of one sample; .6 is assumed.
    working : str
        The model that is fitted: ``CHE`` (~ 1 | study/effect with V in blocks), ``V diagonal``,
        or ``study only`` (~ 1 | study with V in blocks).
    """

    studies: int
    true_rho: float
    working: str = "CHE"
    tau2_study: float = 0.012
    tau2_effect: float = 0.008

    @property
    def scenario(self) -> str:
        return f"{self.working}, true ρ {self.true_rho:g}"

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        k = self.studies
        sizes = rng.permutation(np.resize(EFFECTS_PER_STUDY, k))
        study = np.repeat(np.arange(k), sizes)
        sample = shared_samples(k)[study]
        vi = (1 / (sample_sizes(rng, k) - 3))[sample]
        error = sampling_errors(rng, vi, sample, self.true_rho)
        between = np.sqrt(self.tau2_study) * rng.normal(size=k)[study]
        inside = np.sqrt(self.tau2_effect) * rng.normal(size=len(study))
        moderators = study_moderators(rng, k)
        frame = pd.DataFrame({name: values[study] for name, values in moderators.items()})
        order = np.arange(len(study)) + rng.integers(2, size=k)[study]
        return frame.assign(
            study=study,
            sample=sample,
            cluster=sample,
            effect=np.arange(len(study)),
            vi=vi,
            yi=MEAN + between + inside + error,
            within=(order % 2).astype(float),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bivariate:
    """Between- and within-patient effects of equal mean; a quarter of the studies has both.

    Another quarter has only the within component, the rest only the between component. Each
    component of a study has one to three effects. Sampling errors correlate at .8 within a
    component (.6 is assumed) and at 0 between components.
    """

    studies: int
    tau2: tuple[float, float] = (0.015, 0.010)
    correlation: float = 0.4
    tau2_effect: float = 0.005
    true_rho: float = 0.8

    @property
    def scenario(self) -> str:
        return f"true correlation {self.correlation:g}"

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        k, quarter = self.studies, round(self.studies / 4)
        study = np.concatenate([np.arange(k - quarter), np.arange(k - 2 * quarter, k)])
        component = np.repeat([0, 1], [k - quarter, 2 * quarter])
        sizes = rng.permutation(np.resize((1, 2, 1, 3, 1), len(study)))
        study, component = np.repeat(study, sizes), np.repeat(component, sizes)
        vi = (1 / (sample_sizes(rng, k) - 3))[study]
        error = sampling_errors(rng, vi, 2 * study + component, self.true_rho)
        sd = np.sqrt(self.tau2)
        G = np.outer(sd, sd) * (np.eye(2) + self.correlation * (1 - np.eye(2)))
        true = rng.multivariate_normal(np.zeros(2), G, size=k)[study, component]
        inside = np.sqrt(self.tau2_effect) * rng.normal(size=len(study))
        return pd.DataFrame(
            {
                "study": study,
                "cluster": study,
                "effect": np.arange(len(study)),
                "component": np.array(["between", "within"])[component],
                "is_between": 1.0 - component,
                "is_within": component.astype(float),
                "vi": vi,
                "yi": MEAN + true + inside + error,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """The dependent effects of ``Dependent``, read for their variance components."""

    studies: int
    true_rho: float = 0.6

    @property
    def scenario(self) -> str:
        return self.effects.scenario

    @property
    def effects(self) -> Dependent:
        return Dependent(studies=self.studies, true_rho=self.true_rho)

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        return self.effects.draw(rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Effects that do not depend on the quality of their studies, whose items hang together.

    Fourteen items of 0 to 2 points, of which few studies have the top score, rise with one latent
    quality of the study; four of them differ between effects of a study, two are not reported in a
    fifth of the studies. Year and sample size go with quality.
    """

    studies: int
    dependent: bool

    @property
    def scenario(self) -> str:
        return "several effects" if self.dependent else "one effect"

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        k = self.studies
        if self.dependent:
            frame = Dependent(studies=k, true_rho=0.8).draw(rng)
        else:
            frame = Independent(studies=k, tau2=0.02).draw(rng)
            frame = frame.assign(study=np.arange(k), sample=np.arange(k), effect=np.arange(k))
        study = frame["study"].to_numpy()
        quality = rng.normal(size=k)
        columns: dict[str, object] = {
            "year": np.round(2005 + 6 * quality + rng.normal(0, 6, k))[study]
        }
        for j, item in enumerate(QUALITY_ITEMS):
            own = rng.normal(size=k)[study]
            if item in EFFECT_ITEMS:
                own = np.sqrt(0.5) * own + np.sqrt(0.5) * rng.normal(size=len(study))
            latent = np.sqrt(0.3) * quality[study] + np.sqrt(0.7) * own
            first = 0.2 + 0.05 * (j % 5)
            points = (latent > first).astype(float) + (latent > first + 0.9)
            columns[item] = np.minimum(points, MAXIMUM[item])
        for item in NOT_REPORTED_ITEMS:
            hidden = (rng.random(k) < 0.2)[study]
            columns[item] = np.where(hidden, np.nan, columns[item])
            columns[f"{item}_code"] = np.where(hidden, "NR", "")
        return frame.assign(**columns, ni=np.round(1 / frame["vi"] + 3))


Design = Independent | Dependent | Bivariate | Components | Quality


def sample_sizes(rng: np.random.Generator, k: int) -> FloatArray:
    return np.maximum(np.round(rng.lognormal(np.log(80), 0.6, k)), 15)


def sample_z(rng: np.random.Generator, zeta: FloatArray, n: FloatArray) -> FloatArray:
    """Fisher's z of correlations of n pairs from a bivariate normal with atanh ρ = ζ.

    r/√(1-r²) = (Z + ρ/√(1-ρ²) χ_{n-1})/χ_{n-2}, and ρ/√(1-ρ²) = sinh ζ (Ruben, 1966,
    doi:10.1111/j.2517-6161.1966.tb00668.x).
    """
    above = rng.normal(size=len(n)) + np.sinh(zeta) * np.sqrt(rng.chisquare(n - 1))
    return np.asarray(np.arcsinh(above / np.sqrt(rng.chisquare(n - 2))))


def sampling_errors(
    rng: np.random.Generator, vi: FloatArray, sample: IntArray, rho: float
) -> FloatArray:
    shared = rng.normal(size=sample.max() + 1)[sample]
    own = rng.normal(size=len(vi))
    return np.asarray(np.sqrt(vi) * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own))


def shared_samples(k: int) -> IntArray:
    """(k,) the sample of each study: of every ten studies, one reports on another's sample."""
    sample = np.arange(k)
    second = np.arange(1, 2 * (k // 10), 2)
    sample[second] = second - 1
    return sample


def study_moderators(rng: np.random.Generator, k: int) -> dict[str, FloatArray]:
    """Moderators of k studies: balanced, rare (15 %, at least two studies), skewed; factors."""
    rare = max(2, round(0.15 * k))
    three, four = groups(rng, k, THREE_GROUPS), groups(rng, k, FOUR_GROUPS)
    return {
        "balanced": rng.permutation(np.arange(k) % 2).astype(float),
        "rare": rng.permutation(np.arange(k) < rare).astype(float),
        "skewed": rng.lognormal(size=k),
        **{f"three_{level}": (three == level).astype(float) for level in (1, 2)},
        **{f"four_{level}": (four == level).astype(float) for level in (1, 2, 3)},
    }


def groups(rng: np.random.Generator, k: int, shares: tuple[float, ...]) -> IntArray:
    """(k,) groups of the sizes that ``shares`` says, in random order."""
    ends = np.round(k * np.cumsum(shares))
    return rng.permutation(np.searchsorted(ends, np.arange(k), side="right"))
