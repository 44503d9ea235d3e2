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
from metalliance.traitstate.centring import Pairs, pairs_at_lag
from metalliance.traitstate.panel_effects import read_panel
from metalliance.traitstate.session_effects import partial_effect
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
NICKELL = {"ar_x": 0.4, "ar_y": 0.4, "forward": 0.1, "innovation_r": 0.2}
NEEDED = ("conf_low", "conf_high", "se_bootstrap", "se_model")
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
        group = group.reindex(columns=[*group.columns, *(set(NEEDED) - set(group.columns))])
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


def nickell_table(runs: int = 250) -> pd.DataFrame:
    """Coefficients net of the own past by three ways, with few and many sessions."""
    made = []
    for sessions in (4, 6, 10, 20):
        world = World(patients=100, sessions=sessions, **NICKELL)
        truth = process_truth(world)["within.lagged_partial"]
        seeds = np.random.SeedSequence(SEED + sessions).spawn(runs)
        rows = pd.concat([_three_ways(world, seed) for seed in seeds])
        for method, group in rows.groupby("method", sort=False):
            found = summary(group, {"within.lagged_partial": truth}, runs).iloc[0].to_dict()
            own = float(group["autoregression"].mean())
            made.append({"sessions": sessions, "method": method, **found, "autoregression": own})
    return pd.DataFrame(made)


def _three_ways(world: World, seed: np.random.SeedSequence) -> pd.DataFrame:
    data, boot = seed.spawn(2)
    series = world.draw(np.random.default_rng(data))
    draws = resampled(world.patients, int(boot.generate_state(1)[0]), 400)
    reading = read_panel(series, "none", "full")
    pairs = pairs_at_lag(series, 1)
    effects = {
        "centred": partial_effect(pairs, 1, "forward", route=""),
        "likelihood": reading.lagged("forward", "")[1],
    }
    frames = [
        effect_rows([effect], draws, [])[0].assign(method=name) for name, effect in effects.items()
    ]
    centred, as_measured = (by_hand(pairs, centre) for centre in (True, False))
    frames[0]["autoregression"] = centred[1]
    assert abs(frames[0]["estimate"].iloc[0] - centred[0]) < 1e-9
    frames[1]["autoregression"] = float(reading.fit.phi[1, 1])
    bare = {"component": ["within"], "estimand": ["lagged_partial"], "es_metric": ["beta"]}
    other = pd.DataFrame({**bare, "estimate": [as_measured[0]], "autoregression": [as_measured[1]]})
    return pd.concat([*frames, other.assign(method="own past as measured")])


def by_hand(pairs: Pairs, centre: bool) -> tuple[float, float]:
    """β of centred x, and the autoregression, by least squares.

    ``centre``: the earlier y as a deviation, too; else as measured, beside the mean of x, which
    is the common multilevel model without its random intercept.
    """
    n = np.bincount(pairs.patient)
    means = [
        (np.bincount(pairs.patient, weights=v) / n)[pairs.patient]
        for v in (pairs.x, pairs.y, pairs.prior)
    ]
    x, y = pairs.x - means[0], pairs.y - means[1]
    if centre:
        design, target = np.column_stack([x, pairs.prior - means[2]]), y
    else:
        design = np.column_stack([x, pairs.prior, means[0], np.ones(len(x))])
        target = pairs.y
    b, own = np.linalg.lstsq(design, target, rcond=None)[0][:2]
    return float(b * np.sqrt((x**2).sum() / (y**2).sum())), float(own)


def limits_of(world: World, options: SessionOptions, patients: int = 40_000) -> dict[str, float]:
    """What a method estimates from many patients."""
    large = replace(world, patients=patients)
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


def coverage_table(runs: int = 1000, by_likelihood: int = 300) -> pd.DataFrame:
    """Every row of two methods, unequal numbers of sessions, missed sessions, autocorrelation."""
    made = []
    for method, often in (("person-mean", runs), ("latent", by_likelihood)):
        for patients in (30, 60, 120):
            world = World(patients=patients, sessions=20, fewest=4, **PROCESS)
            options = SessionOptions(method=method, lag=1)
            truth = process_truth(world) if method == "latent" else limits_of(world, options)
            rows = simulate(world, options, often, SEED + patients)
            found = summary(rows, truth, often)
            made.append(found.assign(patients=patients, method=method))
    return pd.concat(made, ignore_index=True)


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "sessions_variance": variance_table,
    "sessions_coverage": coverage_table,
    "sessions_nickell": nickell_table,
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
