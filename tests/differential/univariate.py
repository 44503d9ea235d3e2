"""Random univariate models: every estimator of tau² with every test and kind of moderators."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from tests.differential.cases import Case, columns, labels

__all__ = ["univariate_cases"]

METHODS = ("EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM", "GENQ")
TESTS = ("z", "t", "knha", "adhoc")
MODERATORS = {"none": "~ 1", "numeric": "~ x", "factor": "~ f", "two": "~ x + z", "by": "~ x * f"}
LEAST = {"none": 4, "numeric": 5, "factor": 6, "two": 6, "by": 9}
WORLDS = {  # tau² in units of the typical variance, spread of log vi, scale of yi
    "typical": (1.0, 0.6, 1.0),
    "homogeneous": (0.0, 0.6, 1.0),
    "heterogeneous": (25.0, 0.6, 1.0),
    "uneven": (0.5, 2.3, 1.0),
    "large": (1.0, 0.6, 30.0),
    "small": (1.0, 0.6, 0.05),
}


def univariate_cases(seed: int = 20170501) -> Iterator[Case]:
    """Twelve estimators x four tests x five formulas; then fixed tau² and user weights."""
    rng = np.random.default_rng(seed)
    for method, test, name in product(METHODS, TESTS, MODERATORS):
        world = str(rng.choice(list(WORLDS)))
        yield _case(rng, world, name, method=method, test=test, weights=method == "GENQ")
    for test, name in product(TESTS, MODERATORS):
        tau2 = float(rng.choice([0.0, 0.01, 0.2]))
        yield _case(rng, "typical", name, method="REML", test=test, fixed={"tau2": tau2})
    for method, test in product(("EE", "DL", "ML", "REML", "PM"), TESTS):
        name = str(rng.choice(list(MODERATORS)))
        yield _case(rng, "typical", name, method=method, test=test, weights=True)


def _case(rng: np.random.Generator, world: str, moderators: str, **model: Any) -> Case:
    least = LEAST[moderators]
    k = int(rng.integers(least, least + 6) if rng.random() < 0.4 else rng.integers(least, 61))
    how = "tau2 fixed" if "fixed" in model else model["method"]
    how += " with weights" if model.get("weights") and model["method"] != "GENQ" else ""
    return Case(
        id=f"{how}/{model['test']}/{moderators}/{world}/{k}",
        kind=how,
        data=_data(rng, k, *WORLDS[world]),
        newdata=columns(x=[-1.0, 0.3, 2.0], z=[0.5, 0.0, -1.5], f=["a", "b", "c"]),
        mods=MODERATORS[moderators],
        cluster="lab" if model["test"] == "t" and not model.get("weights") else "",
        each=model["test"] == "z" and not model.get("weights"),
        **model,
    )


def _data(
    rng: np.random.Generator, k: int, tau2: float, spread: float, scale: float
) -> dict[str, list[Any]]:
    typical = 0.02
    vi = typical * np.exp(rng.normal(0, spread, k))
    x, z, f = rng.normal(size=k), rng.normal(size=k), labels(rng, k, "abc")
    mean = 0.3 + 0.1 * x + 0.1 * (np.array(f) == "b")
    deviation = rng.normal(size=k) * np.sqrt(tau2 * typical) + rng.normal(size=k) * np.sqrt(vi)
    labs = [f"lab{i:02d}" for i in np.sort(np.arange(k) % max(2 * k // 3, 5))]
    return columns(
        yi=scale * (mean + deviation),
        vi=scale**2 * vi,
        w=rng.uniform(0.5, 3.0, k) / (vi + typical),
        x=x,
        z=z,
        f=f,
        lab=labs,
    )
