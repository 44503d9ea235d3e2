"""How the dynamic panel estimates, by simulation: python -m tests.numerics.panel_study 500.

Writes the tables of the section "Dynamic panel" of docs/validation.md to standard output.
"""

import functools
import sys
import time
import warnings

import numpy as np

from metalliance.errors import SpecificationError
from metalliance.numerics import parallel
from metalliance.numerics.panel import fit_panel
from metalliance.numerics.panel_quantities import panel_quantities
from tests.numerics.panels import TRUTH, fixed_effects, stationary

PATIENTS = 120
SHOWN = (
    "autoregression_x",
    "autoregression_y",
    "lagged_slope_forward",
    "lagged_slope_reverse",
    "lagged_partial_forward",
    "lagged_partial_reverse",
    "lagged_r_forward",
    "within_r",
    "between_r",
    "icc_x",
    "icc_y",
    "reliability_x",
)


def truth(phi=None, psi=None, sigma=None):
    """What SHOWN should be, with the mean of eight sessions for the reliability."""
    phi = TRUTH["phi"] if phi is None else phi
    psi = TRUTH["psi"] if psi is None else psi
    gamma = stationary(phi, TRUTH["sigma"] if sigma is None else sigma)
    sd, after = np.sqrt(np.diagonal(gamma)), phi @ gamma
    lags, step = [], gamma
    for _ in range(8):
        lags.append(step[0, 0])
        step = phi @ step
    error = sum(lags[abs(s - t)] for s in range(8) for t in range(8)) / 64
    icc = np.diagonal(psi) / (np.diagonal(psi) + np.diagonal(gamma))
    return {
        "autoregression_x": phi[0, 0],
        "autoregression_y": phi[1, 1],
        "lagged_slope_forward": phi[1, 0],
        "lagged_slope_reverse": phi[0, 1],
        "lagged_partial_forward": phi[1, 0] * sd[0] / sd[1],
        "lagged_partial_reverse": phi[0, 1] * sd[1] / sd[0],
        "lagged_r_forward": after[1, 0] / sd.prod(),
        "within_r": gamma[0, 1] / sd.prod(),
        "between_r": psi[0, 1] / np.sqrt(psi[0, 0] * psi[1, 1]),
        "icc_x": icc[0],
        "icc_y": icc[1],
        "reliability_x": psi[0, 0] / (psi[0, 0] + error),
    }


def fixed_effects_limit(sessions, phi=None, sigma=None):
    """φ and β of least squares with an intercept per patient, for infinitely many patients.

    Population moments of y_t, y_{t-1}, x_{t-1} after centring within patients.
    """
    phi = TRUTH["phi"] if phi is None else phi
    gammas = [stationary(phi, TRUTH["sigma"] if sigma is None else sigma)]
    for _ in range(sessions):
        gammas.append(phi @ gammas[-1])

    def moment(first, second):
        """E of Σ_t of the centred products of two (variable, shift) series."""
        (j, shift), (k, other) = first, second
        cov = np.empty((sessions - 1, sessions - 1))
        for s in range(sessions - 1):
            for t in range(sessions - 1):
                g = (s + shift) - (t + other)
                cov[s, t] = gammas[g][j, k] if g >= 0 else gammas[-g][k, j]
        return np.trace(cov) - cov.sum() / (sessions - 1)

    y, lagged, x = (1, 1), (1, 0), (0, 0)
    left = [[moment(a, b) for b in (lagged, x)] for a in (lagged, x)]
    return np.linalg.solve(left, [moment(lagged, y), moment(x, y)])


def run(rng, n, sessions, *, phi=None, first=None, draw=None, measurement=0.0):
    """Sessions of patients (n, T, 2) whose paths may differ; phi (n, 2, 2).

    ``first`` (traits, rng) -> first w; by default the process has run for long.
    """
    draw = rng.normal if draw is None else functools.partial(draw, rng)
    phi = np.broadcast_to(TRUTH["phi"], (n, 2, 2)) if phi is None else phi
    trait = draw(size=(n, 2)) @ np.linalg.cholesky(TRUTH["psi"]).T
    root = np.linalg.cholesky(TRUTH["sigma"])
    w = np.zeros((n, 2)) if first is None else first(trait, rng)
    z = np.empty((n, sessions, 2))
    before = 60 if first is None else 0
    for t in range(before + sessions):
        if t > 0 or first is None:
            w = np.einsum("nij,nj->ni", phi, w) + draw(size=(n, 2)) @ root.T
        if t >= before:
            z[:, t - before] = trait + w
    return z + measurement * rng.normal(size=z.shape)


def long(z):
    """(patient, occasion, x, y) of (n, T, 2); NaN is a session that did not take place."""
    n, sessions, _ = z.shape
    return (
        np.repeat(np.arange(n), sessions),
        np.tile(np.arange(sessions), n),
        z[..., 0].ravel(),
        z[..., 1].ravel(),
    )


def paths(rng, n, forward=0.0, own=0.0):
    """Φ of each patient around the true one: SD of the forward path, range of autoregressions."""
    phi = np.broadcast_to(TRUTH["phi"], (n, 2, 2)).copy()
    phi[:, 1, 0] += forward * rng.normal(size=n)
    for j in range(2):
        phi[:, j, j] += own * rng.uniform(-1, 1, size=n)
    return phi


def ragged_sessions(rng, n=PATIENTS):
    """4 to 20 sessions, one in ten skipped, one value in twelve missing."""
    z = run(rng, n, 20)
    z[np.arange(20) >= rng.integers(4, 21, n)[:, None]] = np.nan
    z[rng.random((n, 20)) < 0.1] = np.nan
    z[rng.random(z.shape) < 0.08] = np.nan
    return z


def dropout(rng, sessions=8):
    """Who is well leaves: after y below the own start by 1, with probability .5 a session."""
    z = run(rng, PATIENTS, sessions)
    for row in z:
        better = row[:, 1] < row[0, 1] - 1
        leaves = np.flatnonzero(better & (rng.random(sessions) < 0.5))
        if len(leaves):
            row[leaves[0] + 1 :] = np.nan
    return z


def growth(rng, sd, sessions=8):
    """Patients' own linear trends in y, SD per session."""
    z = run(rng, PATIENTS, sessions)
    z[..., 1] += sd * rng.normal(size=(PATIENTS, 1)) * (np.arange(sessions) - (sessions - 1) / 2)
    return z


def course(rng, sessions=8):
    """y improves towards a plateau, on average: −1.5 (1 − .6^t)."""
    z = run(rng, PATIENTS, sessions)
    z[..., 1] -= 1.5 * (1 - 0.6 ** np.arange(sessions))
    return z


def heavy(rng, size):
    return rng.standard_t(4, size=size) / np.sqrt(2)


def skewed(rng, size):
    return rng.exponential(size=size) - 1


MODEL = {"dynamics": "full", "initial": "stationary"}
FREE, CORRELATED = {**MODEL, "initial": "free"}, {**MODEL, "initial": "free-correlated"}
WORLDS = {
    **{
        f"as assumed, T = {t}": (lambda rng, t=t: run(rng, PATIENTS, t), MODEL)
        for t in (4, 6, 10, 20)
    },
    "as assumed, 50 patients, T = 8": (lambda rng: run(rng, 50, 8), MODEL),
    "4 to 20 sessions, gaps, missing values": (ragged_sessions, MODEL),
    "leaves when better, T ≤ 8": (dropout, MODEL),
    **{f"free start, T = {t}": (lambda rng, t=t: run(rng, PATIENTS, t), FREE) for t in (4, 8)},
    **{
        f"free and correlated start, T = {t}": (lambda rng, t=t: run(rng, PATIENTS, t), CORRELATED)
        for t in (4, 8)
    },
}
_NOWHERE = {"first": lambda trait, rng: 0 * trait}
_SPREAD = {"first": lambda trait, rng: 2.2 * rng.normal(size=trait.shape)}
_REGRESSING = {"first": lambda trait, rng: -0.7 * trait + rng.normal(size=trait.shape)}
MISTAKES = {
    "forward path varies, SD .2": (
        lambda rng: run(rng, PATIENTS, 8, phi=paths(rng, PATIENTS, forward=0.2)),
        MODEL,
    ),
    "autoregressions vary, ± .3": (
        lambda rng: run(rng, PATIENTS, 8, phi=paths(rng, PATIENTS, own=0.3)),
        MODEL,
    ),
    "t with 4 df": (lambda rng: run(rng, PATIENTS, 8, draw=heavy), MODEL),
    "exponential (skew 2)": (lambda rng: run(rng, PATIENTS, 8, draw=skewed), MODEL),
    "starts at the trait (w = 0)": (lambda rng: run(rng, PATIENTS, 8, **_NOWHERE), MODEL),
    "same, free start": (lambda rng: run(rng, PATIENTS, 8, **_NOWHERE), FREE),
    "starts twice as spread": (lambda rng: run(rng, PATIENTS, 8, **_SPREAD), MODEL),
    "same, free start ": (lambda rng: run(rng, PATIENTS, 8, **_SPREAD), FREE),
    "start correlates −.57 with trait": (lambda rng: run(rng, PATIENTS, 8, **_REGRESSING), MODEL),
    "same, free start  ": (lambda rng: run(rng, PATIENTS, 8, **_REGRESSING), FREE),
    "same, free and correlated start": (
        lambda rng: run(rng, PATIENTS, 8, **_REGRESSING),
        CORRELATED,
    ),
    "measurement error, .8 reliable within": (
        lambda rng: run(rng, PATIENTS, 8, measurement=0.54),
        MODEL,
    ),
    "own trends in y, SD .1 a session": (lambda rng: growth(rng, 0.1), MODEL),
    "y improves to a plateau, no trend fitted": (course, MODEL),
    "same, linear trend fitted": (course, {**MODEL, "trend_y": "linear"}),
    "same, trend of the right shape": (course, {**MODEL, "trend_y": "plateau"}),
}


def once(name: str, seed: int):
    """(converged, estimates, SE and interval by model and sandwich, fixed effects) of one set."""
    draw, options = {**WORLDS, **MISTAKES}[name]
    rng = np.random.default_rng([seed, sum(map(ord, name.strip()))])
    z = draw(rng)
    columns = long(z)
    if options.get("trend_y") == "plateau":
        options = {**options, "trend_y": 1 - 0.6 ** columns[1]}
    ordinary = fixed_effects(*columns) if not np.isnan(z).any() else np.full(2, np.nan)
    empty = np.full(len(SHOWN), np.nan)
    try:
        fit = fit_panel(*columns, **options)
    except SpecificationError:
        return False, empty, [empty] * 3, [empty] * 3, ordinary
    parts = []
    for kind in ("model", "robust"):
        found = panel_quantities(fit, mean_of=8, covariance=kind)
        at = [found.at(shown) for shown in SHOWN]
        low, high = found.interval()
        parts.append([found.std_error[at], low[at], high[at]])
    return fit.converged, found.estimate[at], *parts, ordinary


def repeated(name: str, runs: int, n_jobs: int = 1):
    """Arrays over runs of what ``once`` gives."""
    results = parallel.run(functools.partial(once, name), range(runs), n_jobs=n_jobs)
    return tuple(np.array(part) for part in zip(*results, strict=True))


def coverage(part, wanted):
    """Share of 95 % intervals that hold the truth, among runs with a standard error."""
    error, low, high = part
    return np.nanmean(np.where(np.isfinite(error), (low <= wanted) & (wanted <= high), np.nan))


def report(name: str, runs: int, n_jobs: int, shown=SHOWN) -> None:
    begun = time.perf_counter()
    converged, estimates, model, robust, ordinary = repeated(name, runs, n_jobs)
    wanted = truth()
    print(
        f"\n{name}: {int(converged.sum())} of {runs} converged, {time.perf_counter() - begun:.0f} s"
    )
    if np.isfinite(ordinary).any():
        print("fixed effects: φ {:.3f}, β {:.3f}".format(*np.nanmean(ordinary, axis=0)))
    print("| | truth | mean | SD | SE/SD | coverage | robust SE/SD | robust coverage | no SE |")
    print("|---|---|---|---|---|---|---|---|---|")
    for j, quantity in enumerate(SHOWN):
        if quantity not in shown:
            continue
        value, sd = estimates[:, j], np.nanstd(estimates[:, j])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cells = [
                wanted[quantity],
                np.nanmean(value),
                sd,
                np.nanmean(model[:, 0, j]) / sd,
                coverage(model[:, :, j].T, wanted[quantity]),
                np.nanmean(robust[:, 0, j]) / sd,
                coverage(robust[:, :, j].T, wanted[quantity]),
                np.mean(~np.isfinite(model[:, 0, j])),
            ]
        print(f"| {quantity} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    for sessions in (4, 6, 10, 20):
        print(sessions, fixed_effects_limit(sessions).round(3))
    only = sys.argv[2:]
    for world in only or {**WORLDS, **MISTAKES}:
        report(world, int(sys.argv[1]), 2)
