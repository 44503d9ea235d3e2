"""Random models with random terms: nested, crossed, inner | outer, and several together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tests.differential.cases import Case, columns

__all__ = ["multilevel_cases"]

MODERATORS = ("~ 1", "~ x", "~ outcome", "~ x + outcome")
FREE = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A kind of random part; ``cluster`` is empty where no clusters hold the crossed terms."""

    random: list[str]
    structure: tuple[str, ...] = ()
    fixed: dict[str, Any] | None = None
    levels: int = 2
    repeats: int = 1
    cluster: str = "study"
    cases: int = 8


DESIGNS: dict[str, Design] = {
    "study": Design(random=["~ 1 | study"]),
    "study/effect": Design(random=["~ 1 | study/effect"], cases=16),
    "lab/study/effect": Design(random=["~ 1 | lab/study/effect"], cluster="lab", cases=14),
    "crossed": Design(random=["~ 1 | study", "~ 1 | outcome"], cluster="", levels=5, cases=10),
    "ID": Design(random=["~ outcome | study"], structure=("ID",), levels=3),
    **{
        f"{name}, {levels} levels": Design(
            random=["~ outcome | study"], structure=(name,), levels=levels
        )
        for name in ("DIAG", "CS", "HCS", "UN", "AR")
        for levels in (2, 3)
    },
    "GEN": Design(random=["~ 1 + x | study"], structure=("GEN",), cases=10),
    "GEN without intercept": Design(random=["~ 0 + x + z | study"], structure=("GEN",)),
    "UN and effect": Design(
        random=["~ outcome | study", "~ 1 | effect"], structure=("UN",), repeats=2, cases=12
    ),
    "CS and lab": Design(
        random=["~ 1 | lab", "~ outcome | study"], structure=("CS",), cluster="lab", levels=3
    ),
    "two inner | outer": Design(
        random=["~ outcome | lab", "~ outcome | study"],
        structure=("CS", "DIAG"),
        cluster="lab",
    ),
    "sigma2 fixed": Design(
        random=["~ 1 | lab/study/effect"], fixed={"sigma2": [FREE, 0.01, FREE]}, cluster="lab"
    ),
    "rho fixed": Design(
        random=["~ outcome | study"], structure=("UN",), levels=3, fixed={"rho": [0.5, 0.5, 0.5]}
    ),
    "tau2 fixed": Design(
        random=["~ outcome | study"], structure=("HCS",), fixed={"tau2": [0.02, FREE]}
    ),
}


def multilevel_cases(seed: int = 20170502) -> Iterator[Case]:
    """Each design with ML and REML, z and t, moderators, and a diagonal or block V in turn."""
    rng = np.random.default_rng(seed)
    for kind, design in DESIGNS.items():
        for i in range(design.cases):
            frame = _frame(rng, design)
            # R's crossed terms need no moderator that repeats one of them
            allowed = MODERATORS[:2] if not design.cluster else MODERATORS
            V = [{}, {"rho": 0.6}, {"rvars": _rvars(frame)}, {"rho": 0.3}][i % 4]
            mods = allowed[(i + i // 4) % len(allowed)]
            method, test = ("REML", "ML")[i % 3 == 2], ("z", "t")[i // 2 % 2]
            yield Case(
                id=f"{kind}/{i}/{method}/{test}/{mods}/V {next(iter(V), 'diagonal')}",
                kind=kind,
                data={name: frame[name].tolist() for name in frame},
                newdata=columns(x=[-1.0, 0.5], z=[0.3, -0.7], outcome=["a", "b"]),
                mods=mods,
                method=method,
                test=test,
                random=list(design.random),
                structure=list(design.structure),
                V=V,
                fixed=design.fixed or {},
                cluster=design.cluster,
                each=i % 4 == 0,
            )


def _frame(rng: np.random.Generator, design: Design) -> pd.DataFrame:
    """12 to 20 studies in labs, unevenly many effects each, at most 60."""
    studies = int(rng.integers(12, 21))
    outcomes = np.array(list("abcde"[: design.levels]))
    inner = any(not term.startswith("~ 1 |") for term in design.random)
    most = design.levels * design.repeats if inner or not design.cluster else 4
    counts = np.minimum(rng.integers(1, most + 2, studies), most)
    counts[:3] = most
    study = np.repeat(np.arange(studies), counts)[:60]
    k = len(study)
    outcome = np.concatenate(
        [rng.permutation(outcomes)[np.arange(m) % len(outcomes)] for m in counts]
    )
    x, z = rng.normal(size=k), rng.normal(size=k)
    vi = 0.02 * np.exp(rng.normal(0, 0.6, k))
    variances = rng.choice([0.0, 0.01, 0.04, 0.15], 4)
    intercept = rng.normal(0, np.sqrt(variances[0]), studies)[study]
    slope = rng.normal(0, np.sqrt(variances[1]), studies)[study]
    lab = study // 3
    away = rng.normal(0, np.sqrt(variances[2]), lab.max() + 1)[lab]
    own = rng.normal(0, np.sqrt(variances[3]), k)
    yi = 0.3 + 0.1 * x + intercept + slope * x + away + own + rng.normal(size=k) * np.sqrt(vi)
    frame = pd.DataFrame(
        columns(
            yi=yi,
            vi=vi,
            x=x,
            z=z,
            outcome=outcome[:k],
            lab=[f"lab{i}" for i in lab],
            study=[f"study{i:02d}" for i in study],
            effect=[f"e{i:02d}" for i in range(k)],
        )
    )
    return frame.join(_correlations(rng, study))


def _correlations(rng: np.random.Generator, study: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Columns r1, r2 …: row a, column b is the correlation of the a-th with the b-th effect."""
    most = int(np.bincount(study).max())
    values = np.zeros((len(study), most))
    for group in np.unique(study):
        rows = np.flatnonzero(study == group)
        loading = rng.uniform(0.3, 0.8, len(rows))
        block = np.outer(loading, loading)
        np.fill_diagonal(block, 1.0)
        values[rows[:, None], np.arange(len(rows))] = block
    return pd.DataFrame(values, columns=[f"r{j + 1}" for j in range(most)])


def _rvars(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if name[0] == "r" and name[1:].isdigit()]
