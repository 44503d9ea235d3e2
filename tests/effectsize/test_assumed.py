"""Where the assumed correlations by component come from: simulated sampling correlations."""

from itertools import combinations

import numpy as np

from metalliance.coding.codebook import load_codebook
from metalliance.effectsize.assumed import RHO_BY_COMPONENT, correlation_table

LEVELS = load_codebook().levels
BETWEEN = ("between_observed", "between_latent")
REFUSED = (
    {frozenset(("total", component)) for component in BETWEEN}
    | {frozenset(BETWEEN)}
    | {
        frozenset((mixed, component))
        for mixed in ("blended", "contextual")
        for component in LEVELS["component"]
        if component != mixed
    }
)


def test_every_pair_of_components_has_a_value_or_is_refused_on_purpose() -> None:
    levels = LEVELS["component"]
    table = correlation_table(list(levels), RHO_BY_COMPONENT)
    np.testing.assert_array_equal(np.diag(table), 0.6)
    lacking = {
        frozenset((a, b))
        for (i, a), (j, b) in combinations(enumerate(levels), 2)
        if np.isnan(table[i, j])
    }
    assert lacking == REFUSED


def test_paths_of_opposite_direction_are_independent() -> None:
    for forward, reverse in (("forward", "reverse"), LEVELS["path"][:2]):
        table = correlation_table([forward, reverse], RHO_BY_COMPONENT)
        assert table[0, 1] == table[1, 0] == 0.0


def test_one_effect_of_each_component_is_possible() -> None:
    """The table is positive definite for any set of components it has values for."""
    levels = [c for c in LEVELS["component"] if c not in ("blended", "contextual")]
    for size in range(2, len(levels) + 1):
        for chosen in combinations(levels, size):
            table = correlation_table(list(chosen), RHO_BY_COMPONENT)
            np.fill_diagonal(table, 1.0)
            assert np.isnan(table).any() or np.linalg.eigvalsh(table)[0] > 0.01, chosen


def pair(rng: np.random.Generator, shape: tuple[int, ...], r: float) -> list[np.ndarray]:
    a, b = rng.standard_normal((2, *shape))
    return [a, r * a + np.sqrt(1 - r * r) * b]


def z(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Fisher's z of the correlation over all axes but the first."""
    a, b = (v.reshape(len(v), -1) for v in (a, b))
    a, b = (v - v.mean(axis=1, keepdims=True) for v in (a, b))
    return np.arctanh((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1)))


def scores(
    rng: np.random.Generator,
    replicates: int,
    sessions: int,
    icc: tuple[float, float],
    r: tuple[float, float],
    therapist: float,
    slope: float,
    ar: float = 0.3,
) -> list[np.ndarray]:
    """Alliance and outcome (replicates, 12 therapists, 6 patients, sessions)."""
    shape = (replicates, 12, 6, sessions)
    time = (np.arange(sessions) - (sessions - 1) / 2) / np.std(np.arange(sessions))
    parts = zip(
        pair(rng, (*shape[:2], 1, 1), r[0]),
        pair(rng, (*shape[:3], 1), r[0]),
        pair(rng, (*shape[:3], 1), 0.3),
        pair(rng, shape, r[1]),
        icc,
        strict=True,
    )
    made = []
    for of_therapist, patient, change, occasion, own in parts:
        for t in range(1, sessions):
            occasion[..., t] = ar * occasion[..., t - 1] + np.sqrt(1 - ar**2) * occasion[..., t]
        level = np.sqrt(therapist) * of_therapist + np.sqrt(1 - therapist) * patient
        course = np.sqrt(slope) * change * time + np.sqrt(1 - slope) * occasion
        made.append(np.sqrt(own) * level + np.sqrt(1 - own) * course)
    return made


def effects(x: np.ndarray, y: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Fisher's z by component; three readings of total, two of change."""
    mean_x, mean_y = (v.mean(axis=-1, keepdims=True) for v in (x, y))
    of_therapist = [v.mean(axis=2, keepdims=True) for v in (mean_x, mean_y)]
    common = {
        "between_observed": z(mean_x, mean_y),
        "within": z(x - mean_x, y - mean_y),
        "between_therapist": z(*of_therapist),
        "within_therapist": z(mean_x - of_therapist[0], mean_y - of_therapist[1]),
    }
    time = np.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2
    totals = [z(x[..., 2], y[..., 2]), z(x[..., 2], y[..., -1]), z(x, y)]
    slope = z((x * time).sum(-1), (y * time).sum(-1))
    gain = z(x[..., -1] - x[..., 0], y[..., -1] - y[..., 0])
    return [
        common | {"total": total, "between_change": change}
        for total, change in zip(totals, (slope, gain, slope), strict=True)
    ]


DESIGNS = (
    (8, (0.7, 0.6), (0.4, 0.1), 0.1, 0.15),
    (4, (0.7, 0.6), (0.4, 0.1), 0.1, 0.15),
    (16, (0.5, 0.5), (0.4, 0.1), 0.1, 0.15),
    (8, (0.8, 0.7), (0.2, 0.25), 0.05, 0.0),
    (8, (0.7, 0.6), (-0.1, 0.0), 0.1, 0.3),
)


def test_the_table_lies_among_simulated_sampling_correlations() -> None:
    """Five designs of 72 patients, 1,000 replicates each; margin .05."""
    rng = np.random.default_rng(1)
    found: dict[frozenset[str], list[float]] = {}
    for design in DESIGNS:
        for z_by_component in effects(*scores(rng, 1000, *design)):
            R = np.corrcoef(list(z_by_component.values()))
            for (i, a), (j, b) in combinations(enumerate(z_by_component), 2):
                found.setdefault(frozenset((a, b)), []).append(R[i, j])
    for (a, b), value in RHO_BY_COMPONENT.items():
        if a != b and frozenset((a, b)) in found:
            seen = found[frozenset((a, b))]
            assert min(seen) - 0.05 < value < max(seen) + 0.05, (a, b, value, seen)
    total = found[frozenset(("total", "between_observed"))]
    assert max(total) > 0.8
    assert max(total) - min(total) > 0.3  # no one constant
