"""Run the simulations and store their rates: ``python -m tests.simulation.runner [DESIGN ...]``.

Each data set has a seed of its own, spawned from the seed of its cell, so that the results do not
depend on how many processes share the work. A cell's rates are written when it is done, and a
cell that is stored already is not run again; delete its file to do so.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import warnings
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import scipy

import metalliance as ma
from metalliance.numerics.parallel import run
from tests.simulation.designs import (
    Bivariate,
    Components,
    Dependent,
    Design,
    Independent,
    Quality,
)
from tests.simulation.readings import readings

RESULTS = Path(__file__).parent / "results"
SEED = 20260
CHUNK = 50
STUDIES = (40, 20, 10, 5)
ENOUGH = 20
IDS = ["studies", "scenario", "quantity", "method", "measure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One design and how often it is simulated."""

    design: Design
    runs: int

    @property
    def family(self) -> str:
        return type(self.design).__name__.lower()


def cells() -> tuple[Cell, ...]:
    """Every cell; 5,000 runs for those that the requirement is about, fewer for slower fits."""
    designs: list[tuple[Design, int]] = []
    for k in STUDIES:
        headline, other = (5000, 2000) if k >= ENOUGH else (2000, 1000)
        designs += [(Independent(studies=k, tau2=0.01), headline)]
        designs += [(Independent(studies=k, tau2=0.03), other)]
        designs += [(Dependent(studies=k, true_rho=0.8), headline)]
        designs += [(Bivariate(studies=k), 3000 if k >= ENOUGH else 1000)] if k >= 10 else []
    for k in (20, 40):
        designs += [(Dependent(studies=k, true_rho=0.6), 1000)]
        for working in ("V diagonal", "study only"):
            designs += [(Dependent(studies=k, true_rho=0.8, working=working), 1000)]
        designs += [(Components(studies=k), 1000)]
        designs += [(Quality(studies=k, dependent=False), 2000)]
        designs += [(Quality(studies=k, dependent=True), 1000)]
    return tuple(Cell(design=design, runs=runs) for design, runs in designs)


def rates(cell: Cell, seed: int = SEED, n_jobs: int = 1) -> pd.DataFrame:
    """Rates of one cell with their Monte-Carlo errors, one row per quantity and method."""
    label = zlib.crc32(repr(cell.design).encode())
    seeds = np.random.SeedSequence([seed, label]).spawn(cell.runs)
    chunks = [seeds[i : i + CHUNK] for i in range(0, cell.runs, CHUNK)]
    found = run(partial(read_chunk, cell.design), chunks, n_jobs)
    table = pd.DataFrame([row for rows in found for row in rows])
    names = pd.MultiIndex.from_tuples(table.columns, names=IDS[2:])
    defined = table.notna().sum().to_numpy()
    frame = pd.DataFrame({"rate": table.mean().to_numpy()}, index=names).reset_index()
    frame.insert(0, "studies", cell.design.studies)
    frame.insert(1, "scenario", cell.design.scenario)
    with np.errstate(invalid="ignore"):
        frame["mc_error"] = table.std(ddof=0).to_numpy() / np.sqrt(defined)
    return frame.assign(runs=cell.runs, undefined=cell.runs - defined)


def read_chunk(
    design: Design, seeds: list[np.random.SeedSequence]
) -> list[dict[tuple[str, str, str], float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ma.MetallianceWarning)
        return [read_one(design, seed) for seed in seeds]


def read_one(design: Design, seed: np.random.SeedSequence) -> dict[tuple[str, str, str], float]:
    """Every reading of one data set; none where a fit did not converge."""
    frame = design.draw(np.random.default_rng(seed))
    try:
        return dict(readings(design, frame))
    except ma.ConvergenceError:
        return {}


def stored(family: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"{family}.csv")


def is_stored(cell: Cell) -> bool:
    if not (RESULTS / f"{cell.family}.csv").exists():
        return False
    old = stored(cell.family)
    here = (old["studies"] == cell.design.studies) & (old["scenario"] == cell.design.scenario)
    return bool(here.any() and (old.loc[here, "runs"] == cell.runs).all())


def store(family: str, new: pd.DataFrame) -> None:
    """Replace the rows of the cells in ``new``, keep the others."""
    path = RESULTS / f"{family}.csv"
    if path.exists():
        old = stored(family).set_index(IDS[:2])
        fresh = new.set_index(IDS[:2]).index
        new = pd.concat([new, old[~old.index.isin(fresh)].reset_index()])
    new = new.sort_values(IDS[:2], kind="stable")
    new.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def metadata() -> dict[str, object]:
    return {
        "seed": SEED,
        "python": platform.python_version(),
        "metalliance": ma.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pandas": pd.__version__,
    }


def main(families: list[str], n_jobs: int) -> None:
    RESULTS.mkdir(exist_ok=True)
    for cell in cells():
        if (families and cell.family not in families) or is_stored(cell):
            continue
        began = time.monotonic()
        store(cell.family, rates(cell, n_jobs=n_jobs))
        print(f"{cell.design} {cell.runs} runs: {time.monotonic() - began:.0f} s", flush=True)
    text = json.dumps(metadata(), indent=2) + "\n"
    (RESULTS / "metadata.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    main(sys.argv[1:], n_jobs=2)
