"""Session-level worlds whose truth is known, from patients' sessions to the answer.

    python -m tests.simulation.worlds 2000 [A B C D]

Every run draws the studies of a review session by session, lets each study print what such studies
print (rounded as they round), codes that as a table, reads the table, and asks the questions of
``trait_state``, ``reciprocal`` and ``trait_state_synthesis``. The process that draws sessions is
written out here and shares no code with any model that is fitted. Rates go to
``tests/simulation/results/worlds.json``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import solve_discrete_lyapunov

import metalliance as ma
from metalliance.numerics.panel import fit_panel
from metalliance.numerics.panel_quantities import panel_quantities
from metalliance.numerics.parallel import run
from metalliance.traitstate.pooling import pool_effects

RESULTS = Path(__file__).parent / "results" / "worlds.json"
SEED = 20261
ICC = np.array([0.70, 0.60])
FIRST, POST = 3, 10  # alliance of the third session, outcome of the tenth
AVERAGED, SEEN = 4, 8  # sessions of an average; sessions of a study of states
FORWARD, REVERSE = "alliance→outcome", "outcome→alliance"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true, and which studies there are.

    ``forward`` and ``reverse`` are paths from one session's deviation to the next, net of the
    deviation before; they and the trait correlation vary between studies.
    """

    forward: float
    reverse: float
    trait: float = 0.40
    innovations: float = 0.10
    autoregression: float = 0.30
    trait_sd: float = 0.10
    path_sd: float = 0.02
    totals: int = 30
    averages: int = 10
    states: int = 12
    changes: int = 0
    selective: bool = False


WORLDS: dict[str, World] = {
    "A": World(forward=0.12, reverse=0.0),
    "B": World(forward=0.0, reverse=0.12),
    "C": World(forward=0.0, reverse=0.0, innovations=0.0, path_sd=0.0),
    "D": World(forward=0.0, reverse=0.12, autoregression=0.5, changes=8, totals=40, selective=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The process of one study: traits, dynamics, innovations."""

    trait: float
    phi: np.ndarray
    innovations: np.ndarray
    state: np.ndarray

    @property
    def latent(self) -> np.ndarray:
        """(2, 2) covariance of the traits."""
        covariance = self.trait * np.sqrt(ICC.prod())
        return np.array([[ICC[0], covariance], [covariance, ICC[1]]])


def drawn_study(world: World, rng: np.random.Generator) -> Study:
    """One study; deviations have variances 1 − ICC whatever its paths are."""
    forward, reverse = np.array([world.forward, world.reverse]) + rng.normal(0, world.path_sd, 2)
    trait = float(np.clip(rng.normal(world.trait, world.trait_sd), -0.9, 0.9))
    return process(trait, forward, reverse, world)


def process(trait: float, forward: float, reverse: float, world: World) -> Study:
    """Paths are between standardised deviations; innovations are scaled to keep 1 − ICC."""
    a = world.autoregression
    phi = np.array([[a, reverse], [forward, a]])
    shape = np.array([[1.0, world.innovations], [world.innovations, 1.0]])
    spread = np.eye(2)
    for _ in range(50):  # innovations whose stationary variances are 1
        state = solve_discrete_lyapunov(phi, spread @ shape @ spread)
        spread = spread / np.sqrt(np.diag(state))[:, None]
        spread = np.diag(np.diag(spread))
    scale = np.diag(np.sqrt(1 - ICC))
    back = np.linalg.inv(scale)
    return Study(
        trait=trait,
        phi=scale @ phi @ back,
        innovations=scale @ spread @ shape @ spread @ scale,
        state=scale @ solve_discrete_lyapunov(phi, spread @ shape @ spread) @ scale,
    )


def sessions(study: Study, n: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """(n, length, 2) alliance and outcome, session by session from the stationary start."""
    trait = rng.multivariate_normal([0, 0], study.latent, n)
    deviation = rng.multivariate_normal([0, 0], study.state, n)
    root = np.linalg.cholesky(study.innovations)
    seen = np.empty((n, length, 2))
    for t in range(length):
        seen[:, t] = trait + deviation
        deviation = deviation @ study.phi.T + rng.normal(size=(n, 2)) @ root.T
    return seen


def lagged(study: Study, lag: int) -> np.ndarray:
    """(2, 2) covariance of deviations, the later in rows."""
    return np.linalg.matrix_power(study.phi, lag) @ study.state


def true_values(study: Study) -> dict[str, float]:
    """What the study's statistics would be in infinitely many patients, and what they stand for.

    ``within`` is the correlation of deviations from averages of eight sessions, ``rho_within``
    that of deviations from the trait: with autocorrelation they differ.
    """
    sd = np.sqrt(np.diag(study.state))
    covariance = np.mean([lagged(study, POST - t)[1, 0] for t in range(1, AVERAGED + 1)])
    steps = np.abs(np.subtract.outer(np.arange(AVERAGED), np.arange(AVERAGED)))
    spread = ICC[0] + np.mean([lagged(study, int(lag))[0, 0] for lag in steps.ravel()])
    gaps = np.subtract.outer(np.arange(SEEN), np.arange(SEEN)).ravel()
    mean = np.mean([lagged(study, g) if g >= 0 else lagged(study, -g).T for g in gaps], axis=0)
    centred = study.state - mean
    return {
        "rho_between": study.trait,
        "between": float((study.latent[0, 1] + covariance) / np.sqrt(spread)),
        "within": float(centred[0, 1] / np.sqrt(np.diag(centred).prod())),
        "rho_within": float(study.state[0, 1] / sd.prod()),
        "forward": float(study.phi[1, 0] * sd[0] / sd[1]),
        "reverse": float(study.phi[0, 1] * sd[1] / sd[0]),
    }


def truth(world: World, draws: int = 4000) -> dict[str, float]:
    """Means over studies: on Fisher's z for correlations that are pooled there."""
    rng = np.random.default_rng(1)
    values = pd.DataFrame([true_values(drawn_study(world, rng)) for _ in range(draws)])
    on_z = np.arctanh(values[["between", "within"]]).mean()
    means = values.mean()
    return {
        "between": on_z["between"],
        "within": on_z["within"],
        "difference": on_z["within"] - on_z["between"],
        "reverse": means["reverse"],
        "forward": means["forward"],
        "forward_alone": means["forward"],
        "forward_difference": means["forward"] - means["reverse"],
        "rho_between": means["rho_between"],
        "rho_within": means["rho_within"],
        "rho_difference": means["rho_within"] - means["rho_between"],
    }


def correlation_row(x: np.ndarray, y: np.ndarray, **coded: Any) -> Row:
    r = np.corrcoef(x, y)[0, 1]
    return {"n": len(x), "stat": "r", "value": round(float(r), 2), **coded}


def total_row(study: Study, n: int, same: bool, rng: np.random.Generator) -> Row:
    """Session 3 with outcome at the end, or both at the end."""
    seen = sessions(study, n, POST, rng)
    x = seen[:, (POST if same else FIRST) - 1, 0]
    return correlation_row(
        x, seen[:, -1, 1], component="total", estimand="NA", k_x=1, k_y=1, shared=int(same)
    )


def average_row(study: Study, n: int, rng: np.random.Generator) -> Row:
    """The mean of the first four sessions with outcome at the end."""
    seen = sessions(study, n, POST, rng)
    return averaged(seen)


def averaged(seen: np.ndarray) -> Row:
    return correlation_row(
        seen[:, :AVERAGED, 0].mean(axis=1),
        seen[:, -1, 1],
        component="between_observed",
        estimand="NA",
        k_x=AVERAGED,
        k_y=1,
        shared=0,
    )


def change_row(study: Study, n: int, rng: np.random.Generator) -> Row:
    """Change with change, which authors like to call state-like."""
    seen = sessions(study, n, POST, rng)
    change = seen[:, -1] - seen[:, 0]
    return correlation_row(
        change[:, 0], change[:, 1], component="between_change", estimand="NA"
    ) | {"component_claimed": "state-like", "k_x": 2, "k_y": 2, "shared": 2}


def state_rows(study: Study, n: int, rng: np.random.Generator) -> list[Row]:
    """A session-by-session study: its averages, its centred slope, both lagged paths."""
    seen = sessions(study, n, POST, rng)
    first = seen[:, :SEEN]
    x, y = np.moveaxis(first - first.mean(axis=1, keepdims=True), 2, 0)
    df = x.size - n - 1
    slope = float((x * y).sum() / (x * x).sum())
    residual = float(((y - slope * x) ** 2).sum())
    error = np.sqrt(residual / df / (x * x).sum())
    sd = [float(np.sqrt((v * v).sum() / (v.size - n))) for v in (x, y)]
    rows = [averaged(seen)]
    rows.append(
        {
            "n": n,
            "stat": "b",
            "value": round(slope, 3),
            "se": round(float(error), 3),
            "sd_x": round(sd[0], 3),
            "sd_y": round(sd[1], 3),
            "sd_level": "within",
            "n_obs": x.size,
            "component": "within",
            "estimand": "concurrent_r",
            "k_x": SEEN,
            "k_y": SEEN,
            "shared": SEEN,
        }
    )
    patient, occasion = np.repeat(np.arange(n), SEEN), np.tile(np.arange(SEEN), n)
    fit = fit_panel(patient, occasion, first[..., 0].ravel(), first[..., 1].ravel())
    found = panel_quantities(fit)
    for name, path in (("forward", FORWARD), ("reverse", REVERSE)):
        place = found.names.index(f"lagged_partial_{name}")
        rows.append(
            {
                "n": n,
                "stat": "beta",
                "metric": "SD within",
                "value": round(float(found.estimate[place]), 3),
                "se": round(float(found.std_error[place]), 3),
                "n_obs": x.size,
                "component": "within",
                "estimand": "lagged_partial",
                "path": path,
                "lag": 1,
                "lagged_outcome": "yes",
            }
        )
    return rows


def review_rows(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """The coded table of one review."""
    rows: list[Row] = []

    def size() -> int:
        return int(np.clip(rng.lognormal(np.log(70), 0.5), 25, 300))

    def add(name: str, found: list[Row]) -> None:
        rows.extend({"study": name, **row, "positive_means": "better"} for row in found)

    number = 0
    while number < world.totals:
        row = total_row(drawn_study(world, rng), size(), number % 4 == 0, rng)
        z = np.arctanh(row["value"]) * np.sqrt(row["n"] - 3)
        if world.selective and abs(z) < 1.96 and rng.random() < 0.5:
            continue
        number += 1
        add(f"T{number}", [row])
    for number in range(world.averages):
        add(f"A{number}", [average_row(drawn_study(world, rng), size(), rng)])
    for number in range(world.states):
        add(f"S{number}", state_rows(drawn_study(world, rng), size(), rng))
    for number in range(world.changes):
        add(f"C{number}", [change_row(drawn_study(world, rng), size(), rng)])
    return pd.DataFrame(rows)


def answers(world: World, seed: np.random.SeedSequence) -> list[Row]:
    """Every estimate of one review with its standard error, limits and df."""
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = Path(folder) / "simulated_review.csv"
        review_rows(world, rng).to_csv(path, index=False)
        effects = ma.read_review(path).effects()
        compared, paths = ma.trait_state(effects), ma.reciprocal(effects)
        synthesis = ma.trait_state_synthesis(effects, imputations=0, bands=False)
        rows = effects.usable
        lagged = rows["estimand"].eq("lagged_partial") & rows["path"].eq(FORWARD)
        alone = ma.tidy(pool_effects(effects.where(lagged))).assign(term="forward_alone")
    tables = [
        alone,
        compared.table,
        paths.table.replace({"term": {"difference": "forward_difference"}}),
        synthesis.table.replace({"term": {"difference": "rho_difference"}}),
    ]
    columns = ["term", "estimate", "std_error", "df", "conf_low", "conf_high"]
    found: list[Row] = pd.concat(tables)[columns].to_dict(orient="records")
    return found


def rates(found: list[list[Row]], true: dict[str, float]) -> list[Row]:
    """Bias, coverage, SE over SD and share of intervals wholly above zero, by parameter."""
    table = pd.DataFrame([row for run_ in found for row in run_])
    rows = []
    for term, part in table.groupby("term", sort=False):
        value = true[str(term)]
        held = part["conf_low"].le(value) & part["conf_high"].ge(value)
        rows.append(
            {
                "parameter": term,
                "truth": value,
                "mean": part["estimate"].mean(),
                "coverage": held.mean(),
                "mc_error": float(np.sqrt(held.mean() * (1 - held.mean()) / len(part))),
                "se_over_sd": part["std_error"].mean() / part["estimate"].std(),
                "above_zero": part["conf_low"].gt(0).mean(),
                "below_zero": part["conf_high"].lt(0).mean(),
                "runs": len(part),
            }
        )
    return rows


NAMES = {
    "between": "trait-like, z",
    "within": "state-like, z",
    "difference": "state − trait, z",
    "forward": "forward β",
    "forward_alone": "forward β, pooled by itself",
    "reverse": "reverse β",
    "forward_difference": "forward − reverse",
    "rho_between": "synthesis: ρ_B",
    "rho_within": "synthesis: ρ_W",
    "rho_difference": "synthesis: ρ_W − ρ_B",
}
GOOD_COVERAGE, GOOD_ERROR = 3.0, (0.9, 1.1)


def page(stored: dict[str, Any]) -> str:
    """The stored rates as a table; bold what misses .95 by 3 errors, or SE/SD outside .9–1.1."""
    lines = [
        "| world | parameter | truth | mean | coverage | SE / SD | interval above 0 | below 0 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, world in sorted(stored.items()):
        error = GOOD_COVERAGE * np.sqrt(0.95 * 0.05 / world["runs"])
        for parameter, label in NAMES.items():
            row = next((r for r in world["rates"] if r["parameter"] == parameter), None)
            if row is None:
                continue
            held = _marked(row["coverage"], abs(row["coverage"] - 0.95) <= error)
            low, high = GOOD_ERROR
            ratio = _marked(row["se_over_sd"], low <= round(row["se_over_sd"], 2) <= high, 2)
            cells = [
                name,
                label,
                _short(row["truth"]),
                _short(row["mean"]),
                held,
                ratio,
                _short(row["above_zero"]),
                _short(row["below_zero"]),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _short(value: float, digits: int = 3) -> str:
    text = f"{abs(value):.{digits}f}".removeprefix("0")
    return f"−{text}" if round(value, digits) < 0 else text


def _marked(value: float, good: bool, digits: int = 3) -> str:
    return _short(value, digits) if good else f"**{_short(value, digits)}**"


def main(runs: int, names: list[str]) -> None:
    stored = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in names:
        started = time.monotonic()
        world = WORLDS[name]
        seeds = np.random.SeedSequence([SEED, ord(name)]).spawn(runs)
        found = run(partial(answers, world), seeds, n_jobs=int(os.environ.get("JOBS", "-1")))
        rows = rates(found, truth(world))
        stored[name] = {"runs": runs, "rates": rows}
        RESULTS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {runs} runs, {time.monotonic() - started:.0f} s")
        print(pd.DataFrame(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] or list(WORLDS))
