"""The working model: which model a pool of effects takes, by one rule."""

from __future__ import annotations

import numpy as np

from metalliance.effectsize.dependence import sampling_covariance
from metalliance.effectsize.table import EffectTable
from metalliance.models.fit import fit
from metalliance.models.inference import Inference, infer

__all__ = ["is_dependent", "pool_effects"]

EFFECTS_IN_STUDIES, STUDIES = "~ 1 | study/effect", "~ 1 | study"


def is_dependent(effects: EffectTable) -> bool:
    """Tell whether any cluster (study, or studies that share a sample) has several effects."""
    return bool(np.bincount(effects.clusters()).max(initial=0) > 1)


def pool_effects(
    effects: EffectTable, mods: str = "~ 1", *, rho: float = 0.6, method: str = "REML"
) -> Inference:
    """Fit the working model to a pool of effects.

    Where every cluster has one effect: a univariate random-effects model with Knapp–Hartung
    inference. Else the correlated-and-hierarchical-effects model: effects within studies,
    sampling covariances from ``rho`` within samples, CR2 standard errors by cluster with
    Satterthwaite degrees of freedom. (Studies of one effect each that share a sample have one
    random term: an effect-level one could not be told from it.)

    Parameters
    ----------
    effects : EffectTable
        Effects of one component and estimand.
    mods : str
        Moderators as a formula.
    rho : float
        Assumed sampling correlation of two effects of one sample.
    method : str
        Estimator of the variance components; dependent effects take REML or ML.

    Returns
    -------
    Inference

    References
    ----------
    Pustejovsky, J. E., & Tipton, E. (2022). Prevention Science, 23, 425–438.
    https://doi.org/10.1007/s11121-021-01246-3
    Knapp, G., & Hartung, J. (2003). Statistics in Medicine, 22, 2693–2710.
    https://doi.org/10.1002/sim.1482
    """
    if not is_dependent(effects):
        return infer(fit(effects, mods, method=method))
    covariance = sampling_covariance(effects, rho=rho)
    nested = bool(effects.usable["study"].duplicated().any())
    random = EFFECTS_IN_STUDIES if nested else STUDIES
    return infer(fit(effects, mods, random=random, V=covariance, method=method))
