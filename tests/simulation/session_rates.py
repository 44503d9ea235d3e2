"""Simulate session data and store what came of it: ``python -m tests.simulation.session_rates``.

Every data set has a seed of its own, so that results do not depend on how the work is shared. A
table that is stored is not made again; delete its file in ``results`` to do so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from metalliance.errors import ConvergenceError, SpecificationError
from metalliance.numerics.parallel import run
from metalliance.traitstate.centring import pairs_at_lag
from metalliance.traitstate.session_methods import METHODS, Prepared, SessionOptions
from metalliance.traitstate.session_precision import resampled
from metalliance.traitstate.session_result import effect_rows
from tests.simulation.sessions import World

RESULTS = Path(__file__).parent / "results"
SEED = 20261
CHUNK = 25

#: Of METHODS: within r = -.20 of 100 patients; column -> (autocorrelation, slope SD).
VARIANCE_COLUMNS = {
    "fixed slope, white": (0.0, 0.0),
    "slope SD .2": (0.0, 0.2),
    "slope SD .4": (0.0, 0.4),
    "AR .5": (0.5, 0.0),
    "AR .5, slope SD .2": (0.5, 0.2),
}
NICKELL = {"ar_x": 0.4, "ar_y": 0.4, "forward": -0.1}
PROCESS = {
    "ar_x": 0.4,
    "ar_y": 0.3,
    "forward": 0.1,
    "reverse": 0.05,
    "innovation_r": 0.15,
    "missed": 0.1,
}


def effects_of(
    world: World, options: SessionOptions, seed: np.random.SeedSequence, replicates: int
) -> pd.DataFrame:
    """The rows of one data set."""
    data, boot = seed.spawn(2)
    series = world.draw(np.random.default_rng(data))
    prepared = Prepared(options=options, series=series, arms=1, notes=[])
    draws = resampled(world.patients, int(boot.generate_state(1)[0]), replicates)
    try:
        return effect_rows(METHODS[options.method](prepared), draws, [])[0]
    except (SpecificationError, ConvergenceError):
        return pd.DataFrame()


def _chunk(
    seeds: Sequence[np.random.SeedSequence],
    *,
    world: World,
    options: SessionOptions,
    replicates: int,
) -> pd.DataFrame:
    frames = [effects_of(world, options, seed, replicates) for seed in seeds]
    return pd.concat([frame.assign(run=i) for i, frame in enumerate(frames) if len(frame)])


def simulate(
    world: World, options: SessionOptions, runs: int, seed: int, replicates: int = 400
) -> pd.DataFrame:
    """Rows of many data sets."""
    seeds = np.random.SeedSequence(seed).spawn(runs)
    chunks = [seeds[i : i + CHUNK] for i in range(0, runs, CHUNK)]
    one = partial(_chunk, world=world, options=options, replicates=replicates)
    return pd.concat(run(one, chunks, n_jobs=1))


def summary(rows: pd.DataFrame, truth: dict[str, float], runs: int) -> pd.DataFrame:
    """Bias, standard errors and coverage of each row, on the scale of its interval."""
    keys = rows["component"] + "." + rows["estimand"]
    made = []
    for key, group in rows.groupby(keys, sort=False):
        scale = np.arctanh if group["es_metric"].iloc[0] == "z" else np.asarray
        estimate = scale(group["estimate"].to_numpy())
        true = scale(truth[str(key)])
        with np.errstate(divide="ignore"):
            low, high = (scale(group[name].to_numpy()) for name in ("conf_low", "conf_high"))
        covered = (low <= true) & (true <= high)
        variance = estimate.var(ddof=1)
        made.append(
            {
                "effect": key,
                "truth": truth[str(key)],
                "mean": float(group["estimate"].mean()),
                "sd": float(np.sqrt(variance)),
                "se_bootstrap": float(np.sqrt((group["se_bootstrap"] ** 2).mean())),
                "se_model": float(np.sqrt((group["se_model"] ** 2).mean())),
                "coverage": float(covered.mean()),
                "runs": len(group),
                "failed": runs - len(group),
            }
        )
    return pd.DataFrame(made)


def variance_table(runs: int = 2000) -> pd.DataFrame:
    """Variance of the within z against 1/(df - 1), and how the resampled SE follows it."""
    made = []
    for sessions in (4, 8, 16):
        for name, (ar, slope_sd) in VARIANCE_COLUMNS.items():
            world = World(
                patients=100,
                sessions=sessions,
                ar_x=ar,
                ar_y=ar,
                slope=-0.2,
                slope_sd=slope_sd,
                trait_r=-0.4,
            )
            options = SessionOptions(method="fixed-effects")
            seed = SEED + sessions * 10 + list(VARIANCE_COLUMNS).index(name)
            rows = simulate(world, options, runs, seed)
            row = summary(rows, {"within.concurrent_r": -0.2}, runs).iloc[0].to_dict()
            row["ratio"] = (row["sd"] / row["se_model"]) ** 2
            made.append({"sessions": sessions, "world": name, **row})
    return pd.DataFrame(made)


def nickell_table(runs: int = 500) -> pd.DataFrame:
    """The lagged partial coefficient of three methods with few and many sessions."""
    made = []
    for sessions in (4, 6, 10, 20):
        world = World(patients=100, sessions=sessions, **NICKELL)
        truth = stationary_beta(**NICKELL)
        for method in ("person-mean", "fixed-effects", "dynamic-panel"):
            options = SessionOptions(method=method, lag=1)
            rows = simulate(world, options, runs, SEED + sessions)
            rows = rows[rows["estimand"] == "lagged_partial"]
            row = summary(rows, {"within.lagged_partial": truth}, runs).iloc[0].to_dict()
            made.append({"sessions": sessions, "method": method, **row})
        seeds = np.random.SeedSequence(SEED + sessions).spawn(runs)
        common = [common_practice(world, seed) for seed in seeds]
        made.append(
            {
                "sessions": sessions,
                "method": "outcome before as measured",
                "effect": "within.lagged_partial",
                "truth": truth,
                "mean": float(np.mean(common)),
                "sd": float(np.std(common, ddof=1)),
                "runs": runs,
            }
        )
    return pd.DataFrame(made)


def common_practice(world: World, seed: np.random.SeedSequence) -> float:
    """β of centred x with the earlier y as it was measured, by least squares."""
    series = world.draw(np.random.default_rng(seed.spawn(2)[0]))
    pairs = pairs_at_lag(series, 1)
    n = np.bincount(pairs.patient)
    mean_x, mean_y = (
        (np.bincount(pairs.patient, weights=v) / n)[pairs.patient] for v in (pairs.x, pairs.y)
    )
    within_x, within_y = pairs.x - mean_x, pairs.y - mean_y
    design = np.column_stack([np.ones(len(pairs)), within_x, mean_x, pairs.prior])
    b = np.linalg.lstsq(design, pairs.y, rcond=None)[0][1]
    return float(b * np.sqrt((within_x**2).sum() / (within_y**2).sum()))


def stationary_beta(ar_x: float, ar_y: float, forward: float) -> float:
    """β in standard deviations within patients: x autoregressive, y driven by earlier x."""
    phi = np.array([[ar_x, 0.0], [forward, ar_y]])
    gamma = np.linalg.solve(np.eye(4) - np.kron(phi, phi), np.eye(2).ravel()).reshape(2, 2)
    return float(forward * np.sqrt(gamma[0, 0] / gamma[1, 1]))


def limits_of(world: World, options: SessionOptions) -> dict[str, float]:
    """What a method estimates from 40,000 patients."""
    large = replace(world, patients=40_000)
    rows = effects_of(large, options, np.random.SeedSequence(SEED), 2)
    return dict(zip(rows["component"] + "." + rows["estimand"], rows["estimate"], strict=True))


def process_truth(world: World) -> dict[str, float]:
    """Population values of what the likelihood estimates."""
    phi = np.array([[world.ar_x, world.reverse], [world.forward, world.ar_y]])
    sigma = np.array([[1.0, world.innovation_r], [world.innovation_r, 1.0]])
    solved = np.linalg.solve(np.eye(4) - np.kron(phi, phi), sigma.ravel())
    gamma = solved.reshape(2, 2)
    sd = np.sqrt(np.diagonal(gamma))
    later = phi @ gamma
    between = world.trait_r * world.trait_sd_y / world.trait_sd_x
    return {
        "between_latent.NA": world.trait_r,
        "within.concurrent_r": float(gamma[0, 1] / (sd[0] * sd[1])),
        "within.lagged_r": float(later[1, 0] / (sd[0] * sd[1])),
        "within.lagged_partial": float(phi[1, 0] * sd[0] / sd[1]),
        "contextual.NA": between - float(gamma[0, 1] / gamma[0, 0]),
    }


def coverage_table(runs: int = 1000) -> pd.DataFrame:
    """Every row of two methods, unequal numbers of sessions, missed sessions, autocorrelation."""
    made = []
    for patients in (30, 60, 120):
        world = World(patients=patients, sessions=20, fewest=4, **PROCESS)
        for method in ("person-mean", "latent"):
            options = SessionOptions(method=method, lag=1)
            truth = process_truth(world) if method == "latent" else limits_of(world, options)
            rows = simulate(world, options, runs, SEED + patients)
            found = summary(rows, truth, runs)
            made.append(found.assign(patients=patients, method=method))
    return pd.concat(made, ignore_index=True)


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "sessions_variance": variance_table,
    "sessions_nickell": nickell_table,
    "sessions_coverage": coverage_table,
}


def main(names: Sequence[str]) -> None:
    for name in names or list(TABLES):
        path = RESULTS / f"{name}.csv"
        if path.exists():
            continue
        start = time.perf_counter()
        table = TABLES[name]()
        table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
