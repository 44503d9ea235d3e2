"""The maximum of the likelihood against searches from random places, and its own conditions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from metalliance.errors import ConvergenceError
from metalliance.numerics.bounded import Heteroscedastic, Homogeneous, Independent
from metalliance.numerics.covariances import Structure, triangle
from metalliance.numerics.factored import Factored
from metalliance.numerics.layout import Factor
from metalliance.numerics.likelihood import Likelihood, evaluate
from metalliance.numerics.maximise import Maximum, maximise
from metalliance.numerics.parameters import Parameters, parameters_of
from metalliance.numerics.starts import inseparable, starting_values
from metalliance.numerics.structures import STRUCTURES
from metalliance.numerics.tau2 import ESTIMATORS
from tests.numerics.multilevel import MODELS, Example, example
from tests.tolerances import BOUNDARY, CLOSED_FORM, ITERATED, LOG_LIKELIHOOD

SPREADS = (0.0, 0.3, 1.0, 3.0)


def maximum_of(data: Example, restricted: bool = True, fixed: np.ndarray | None = None) -> Maximum:
    parameters = data.parameters
    held = np.full(len(parameters.lower), np.nan) if fixed is None else fixed
    return maximise(data.likelihood(restricted), parameters, held)


def height(likelihood: Likelihood, psi: np.ndarray) -> float:
    at = evaluate(likelihood, psi)
    return at.reml if likelihood.restricted else at.ml


def free_entries(structure: Structure, u: np.ndarray) -> np.ndarray:
    """Entries of G from numbers without any bounds: squares, sines, a triangle L."""
    q, (low, high) = len(structure.pattern()), structure.bounds
    if isinstance(structure, Factored):
        L = np.zeros((q, q))
        L[np.tril_indices(q)] = u
        psi = np.empty(q * (q + 1) // 2)
        psi[triangle(q)] = L @ L.T
        return psi
    if isinstance(structure, Independent):
        return u**2
    rho = (low[-1] + high[-1]) / 2 + (high[-1] - low[-1]) / 2 * np.sin(u[-1])
    tau = np.abs(u[:-1])
    values = tau**2 if isinstance(structure, Homogeneous) else tau
    return structure.entries(np.append(values, rho)).psi


def searched(data: Example, restricted: bool, starts: int, seed: int) -> float:
    """The highest likelihood that a general optimiser finds from random places."""
    rng, likelihood = np.random.default_rng(seed), data.likelihood(restricted)
    structures = [factor.structure for factor in data.factors]
    sizes = [
        len(s.pattern()) * (len(s.pattern()) + 1) // 2 if isinstance(s, Factored) else sum(s.size)
        for s in structures
    ]
    cuts = np.cumsum(sizes)[:-1]

    def fall(u: np.ndarray) -> float:
        pieces = zip(structures, np.split(u, cuts), strict=True)
        return -height(likelihood, np.concatenate([free_entries(s, part) for s, part in pieces]))

    scale = 0.5 * np.std(data.y)
    found = [
        minimize(fall, scale * rng.normal(size=sum(sizes)), method="L-BFGS-B").fun
        for _ in range(starts)
    ]
    return -min(found)


@pytest.mark.parametrize("model", MODELS)
def test_no_search_finds_a_higher_likelihood(model: str) -> None:
    seed = list(MODELS).index(model)
    restricted = seed % 3 > 0
    data = example(model, seed, sizes=(1, 2, 3, 3, 4, 5), spread=SPREADS[seed % 4])
    found = maximum_of(data, restricted)
    best = found.at.reml if restricted else found.at.ml
    assert best >= searched(data, restricted, starts=3, seed=seed) - LOG_LIKELIHOOD
    assert found.convergence.evaluations < 300


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_no_search_finds_a_higher_likelihood_in_many_sets(model: str) -> None:
    for seed in range(24):
        rng = np.random.default_rng(seed)
        sizes = tuple(rng.integers(1, 6, rng.integers(4, 20)).tolist())
        data = example(model, seed, sizes, covarying=seed % 2 == 0, spread=SPREADS[seed % 4])
        found = maximum_of(data, restricted=seed % 3 > 0)
        best = found.at.reml if seed % 3 > 0 else found.at.ml
        wanted = searched(data, seed % 3 > 0, starts=10, seed=seed)
        assert best >= wanted - LOG_LIKELIHOOD, seed
        assert found.convergence.evaluations < 500


def slopes_of(factor: Factor, gradient: np.ndarray) -> np.ndarray:
    """∂ℓ/∂G as a symmetric matrix: an entry off the diagonal stands at two places."""
    pattern = factor.structure.pattern()
    S = np.append(gradient, 0.0)[pattern]
    return np.where(np.eye(len(S), dtype=bool), S, S / 2)


@pytest.mark.parametrize("model", ["UN", "UN of two", "GEN", "UN and row"])
@pytest.mark.parametrize("seed", range(6))
def test_a_singular_covariance_is_optimal(model: str, seed: int) -> None:
    """Karush, Kuhn and Tucker over positive semi-definite matrices: GS = 0, S ≤ 0 where G is 0."""
    data = example(model, 20 + seed, sizes=(2, 3, 3, 4, 2), spread=SPREADS[seed % 2])
    found = maximum_of(data)
    structure = data.factors[0].structure
    entries = structure.entries(found.theta[data.parameters.places[0]])
    G = entries.psi[structure.pattern()]
    S = slopes_of(data.factors[0], found.at.gradient[: len(entries.psi)])
    values, vectors = np.linalg.eigh(G)
    null = vectors[:, values < 1e-14]
    scale = np.max(np.abs(S)) * np.max(np.abs(G))
    np.testing.assert_allclose(G @ S, 0.0, atol=1e-7 * scale + 1e-12)
    assert np.all(np.linalg.eigvalsh(null.T @ S @ null) <= 1e-7 * np.max(np.abs(S)))
    assert found.convergence.boundary == bool(null.shape[1])


@pytest.mark.parametrize("model", ["nested", "three levels", "DIAG", "CS", "HCS", "AR"])
@pytest.mark.parametrize("seed", range(4))
def test_bounds_are_kept_exactly_and_rightly(model: str, seed: int) -> None:
    data = example(model, 40 + seed, sizes=(2, 3, 3, 4, 2), spread=SPREADS[seed % 2])
    found, parameters = maximum_of(data), data.parameters
    theta, gradient = found.theta, found.slope.gradient
    low, high = theta == parameters.lower, theta == parameters.upper
    units = parameters.units(0.1)
    assert np.all(gradient[low] <= 0) and np.all(gradient[high] >= 0)
    np.testing.assert_allclose((gradient * units)[~low & ~high], 0.0, atol=1e-9)
    assert found.convergence.boundary == bool(np.any(low | high))


def test_boundaries_do_occur() -> None:
    singular = [
        maximum_of(example("UN", 20 + seed, sizes=(2, 3, 3, 4, 2), spread=SPREADS[seed % 2]))
        for seed in range(6)
    ]
    assert sum(found.convergence.boundary for found in singular) >= 3
    zeros = [
        np.any(maximum_of(example("nested", seed, sizes=(2, 3, 3, 4), spread=0.0)).theta == 0)
        for seed in range(10)
    ]
    assert sum(zeros) >= 3


@pytest.mark.parametrize("model", ["CS", "AR"])
def test_a_variance_of_zero_is_optimal_at_every_correlation(model: str) -> None:
    """G is zero whatever ρ, so ∂ℓ/∂τ² = Σ ρ^lag ∂ℓ/∂ψ may be positive at none."""
    zeros = 0
    for seed in range(25):
        data = example(model, 200 + seed, sizes=(3, 2, 4, 1, 3), covarying=False, spread=0.0)
        found = maximum_of(data, restricted=False)
        if found.theta[0] > 0:
            continue
        zeros += 1
        rho = np.linspace(data.parameters.lower[1], 1.0, 50)
        lag = np.arange(len(found.at.gradient))
        assert np.all((rho[:, None] ** lag) @ found.at.gradient <= 1e-9)
    assert zeros >= 5


def test_a_correlation_found_at_no_variance() -> None:
    """The direct way from most starts ends at τ²=0, ρ=-.04, where τ² falls; at ρ=1 it rises."""
    rng = np.random.default_rng(225)
    sizes = tuple(rng.integers(1, 6, rng.integers(3, 12)).tolist())
    data = example("CS", 225, sizes, covarying=False, spread=0.3)
    found = maximum_of(data, restricted=False)
    assert found.theta[1] == 1.0
    assert found.at.ml >= searched(data, False, starts=5, seed=0) - LOG_LIKELIHOOD


def test_a_peak_between_zero_and_the_first_start() -> None:
    """Blocks of V that are nearly singular, and no true variance: ℓ(.0067) > ℓ(0)."""
    rng = np.random.default_rng(12)
    sizes = tuple(rng.integers(1, 6, rng.integers(4, 20)).tolist())
    data = example("study", 12, sizes, spread=0.0)
    likelihood = data.likelihood(restricted=False)
    peak = height(likelihood, np.array([0.0067]))
    assert maximum_of(data, restricted=False).at.ml >= peak


def test_effects_without_variance_have_none() -> None:
    """A level whose effects are all alike: its variance is zero and it correlates with nothing."""
    data = example("UN of two", 3, sizes=(2,) * 12, covarying=False)
    inner = np.tile([0, 1], 12)
    study = np.repeat(np.arange(12), 2)
    y = np.where(inner == 0, 0.25, data.y)
    X = np.eye(2)[inner]
    factor = Factor(outer=study, inner=inner, slopes=None, structure=data.factors[0].structure)
    found = maximum_of(Example(y=y, X=X, V=data.V, factors=(factor,)))
    (natural,) = data.parameters.natural(found.theta)
    assert natural.tau2[0] == 0.0
    assert natural.tau2[1] > 0.01
    assert np.isnan(natural.rho[0])
    assert found.convergence.boundary


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("structure", ["UN", "CS"])
def test_a_correlation_of_one_is_exact(structure: str, sign: int) -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=15)
    inner, study = np.tile([0, 1], 15), np.repeat(np.arange(15), 2)
    y = np.where(inner == 0, shared[study], sign * shared[study])
    data = example("UN of two", 3, sizes=(2,) * 15, covarying=False)
    made = STRUCTURES[structure](2, 2)
    factor = Factor(outer=study, inner=inner, slopes=None, structure=made)
    found = maximum_of(Example(y=y, X=np.eye(2)[inner], V=data.V, factors=(factor,)))
    (natural,) = parameters_of([made]).natural(found.theta)
    assert natural.rho[0] == sign
    assert found.convergence.boundary


def test_uncorrelated_effects() -> None:
    """Four effects in a square: by symmetry no correlation and one variance, here known."""
    level = np.tile([0, 1], 4)
    y = np.array([1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0])
    data = example("UN of two", 3, sizes=(2,) * 4, covarying=False)
    V = type(data.V).of_singles(np.full(8, 0.1))
    factor = Factor(
        outer=np.repeat(np.arange(4), 2),
        inner=level,
        slopes=None,
        structure=data.factors[0].structure,
    )
    found = maximum_of(Example(y=y, X=np.eye(2)[level], V=V, factors=(factor,)))
    (natural,) = data.parameters.natural(found.theta)
    np.testing.assert_allclose(natural.tau2, 4 / 3 - 0.1, rtol=CLOSED_FORM)
    assert natural.rho[0] == pytest.approx(0.0, abs=1e-10)


HELD = [
    ("nested", [0.0, np.nan], []),
    ("nested", [np.nan, 0.07], []),
    ("CS", [np.nan], [0.3]),
    ("CS", [0.05], [np.nan]),
    ("HCS", [np.nan, 0.02, np.nan], [0.4]),
    ("AR", [np.nan], [-0.5]),
    ("DIAG", [0.1, np.nan, 0.0], []),
    ("UN of two", [np.nan, np.nan], [0.8]),
    ("UN of two", [np.nan, np.nan], [-0.8]),
    ("UN of two", [0.1, 0.02], [np.nan]),
    ("UN of two", [0.1, np.nan], [np.nan]),
    ("UN of two", [0.1, np.nan], [0.5]),
    ("UN", [np.nan, 0.1, np.nan], [np.nan, np.nan, np.nan]),
    ("UN", [np.nan, np.nan, np.nan], [np.nan, 0.6, np.nan]),
    ("UN", [np.nan, np.nan, np.nan], [0.5, 0.5, 0.5]),
    ("UN", [np.nan, 0.0, np.nan], [0.5, -0.5, 0.0]),
    ("UN", [0.1, 0.1, 0.1], [0.5, -0.5, 0.0]),
]


@pytest.mark.parametrize(("model", "tau2", "rho"), HELD)
def test_what_is_held_stays_and_the_rest_is_best(
    model: str, tau2: list[float], rho: list[float]
) -> None:
    seed = HELD.index((model, tau2, rho))
    data = example(model, 60 + seed, sizes=(2, 3, 3, 4, 5, 3), spread=SPREADS[seed % 4])
    values = np.array(tau2), np.array(rho)
    if model == "nested":
        kept, theta = [factor.structure for factor in data.factors], values[0]
    else:
        structure, theta = data.factors[0].structure.pin(*values)
        kept = [structure]
    parameters = parameters_of(kept)
    likelihood = data.likelihood()
    found = maximise(likelihood, parameters, theta)
    naturals = parameters.natural(found.theta)
    for ours, held in zip(("tau2", "rho"), values, strict=True):
        have = np.concatenate([getattr(natural, ours) for natural in naturals])
        known = ~np.isnan(held) & ~np.isnan(have)
        np.testing.assert_allclose(have[known], held[known], rtol=1e-12, atol=1e-15)
    free = np.isnan(theta)
    others = [best_from(likelihood, parameters, theta, start) for start in range(3 * free.any())]
    assert found.at.reml >= max(others, default=-np.inf) - LOG_LIKELIHOOD


def best_from(
    likelihood: Likelihood, parameters: Parameters, theta: np.ndarray, seed: int
) -> float:
    """What a search over the parameters that are NaN in θ finds from a random place."""
    free = np.isnan(theta)
    low, high = parameters.lower[free], parameters.upper[free]

    def fall(u: np.ndarray) -> float:
        whole = theta.copy()
        whole[free] = u
        return -height(likelihood, parameters.psi(whole))

    start = np.clip(0.3 * np.random.default_rng(seed).normal(size=free.sum()), low, high)
    bounds = list(zip(low, high, strict=True))
    return float(-minimize(fall, start, method="L-BFGS-B", bounds=bounds).fun)


def naturals_of(data: Example, found: Maximum) -> np.ndarray:
    parts = data.parameters.natural(found.theta)
    return np.concatenate([np.concatenate([part.tau2, part.rho]) for part in parts])


@pytest.mark.parametrize("model", ["nested", "crossed", "HCS", "UN of two", "AR", "GEN"])
def test_the_order_of_rows_and_the_names_of_groups_do_not_matter(model: str) -> None:
    data = example(model, 80, sizes=(2, 3, 3, 4, 5, 3))
    order = np.random.default_rng(0).permutation(len(data.y))
    names = np.random.default_rng(1).permutation(len(data.y))
    factors = tuple(
        Factor(
            outer=names[factor.outer[order]],
            inner=None if factor.inner is None else factor.inner[order],
            slopes=None if factor.slopes is None else factor.slopes[order],
            structure=factor.structure,
        )
        for factor in data.factors
    )
    moved = Example(y=data.y[order], X=data.X[order], V=data.V.take(order), factors=factors)
    first, second = maximum_of(data), maximum_of(moved)
    np.testing.assert_allclose(
        naturals_of(moved, second), naturals_of(data, first), rtol=ITERATED, atol=BOUNDARY
    )
    assert second.at.reml == pytest.approx(first.at.reml, rel=CLOSED_FORM)


def test_the_numbers_of_inner_levels_do_not_matter() -> None:
    data = example("UN", 81, sizes=(3, 3, 4, 5, 3, 4, 6), spread=3.0)
    (factor,) = data.factors
    turned = Factor(
        outer=factor.outer, inner=2 - factor.inner, slopes=None, structure=factor.structure
    )
    first = naturals_of(data, maximum_of(data))
    other = Example(y=data.y, X=data.X, V=data.V, factors=(turned,))
    second = naturals_of(other, maximum_of(other))
    np.testing.assert_allclose(second, first[[2, 1, 0, 5, 4, 3]], rtol=ITERATED, atol=BOUNDARY)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("model", ["nested", "CS", "HCS", "UN", "UN and row", "GEN"])
def test_other_units_of_the_effects(model: str, scale: float) -> None:
    data = example(model, 82, sizes=(2, 3, 3, 4, 5, 3, 4))
    stacks = [replace(stack, values=stack.values * scale**2) for stack in data.V.stacks]
    V = replace(data.V, stacks=tuple(stacks))
    scaled = replace(data, y=data.y * scale, V=V)
    first, second = maximum_of(data), maximum_of(scaled)
    for before, after in zip(
        data.parameters.natural(first.theta), data.parameters.natural(second.theta), strict=True
    ):
        largest = np.max(before.tau2)
        np.testing.assert_allclose(
            after.tau2 / scale**2, before.tau2, rtol=ITERATED, atol=BOUNDARY * largest
        )
        np.testing.assert_allclose(after.rho, before.rho, rtol=ITERATED, atol=1e-7)
    k, p = data.X.shape
    shift = (k - p) * np.log(scale)
    assert second.at.reml == pytest.approx(first.at.reml - shift, rel=1e-9)


def test_one_effect_per_study_is_the_univariate_model() -> None:
    data = example("row", 3, covarying=False)
    expected = ESTIMATORS["REML"](data.y, data.V.diagonal(), data.X)
    assert maximum_of(data).theta[0] == pytest.approx(expected.value, rel=ITERATED)


def test_a_component_held_at_zero_drops_out() -> None:
    data = example("nested", 4, covarying=False)
    both = maximum_of(data, fixed=np.array([0.0, np.nan]))
    alone = maximum_of(example("row", 4, covarying=False))
    assert both.theta[1] == pytest.approx(alone.theta[0], rel=ITERATED)
    assert both.at.reml == pytest.approx(alone.at.reml, rel=CLOSED_FORM)


def test_the_record() -> None:
    data = example("UN of two", 9, sizes=(4,) * 30)
    found = maximum_of(data)
    record, starts = found.convergence, starting_values(data.likelihood(), data.parameters)
    assert record.method == "projected Newton"
    assert record.starts <= len(starts)
    assert record.evaluations > record.starts
    assert record.converged and not record.boundary
    scaled = np.abs(found.slope.gradient) * data.parameters.units(0.1)
    assert record.score < 1e-10
    assert np.max(scaled) < 1e-9
    nothing_free = maximum_of(data, fixed=found.theta).convergence
    assert (nothing_free.method, nothing_free.evaluations) == ("fixed", 1)


@pytest.mark.parametrize("model", MODELS)
def test_starts_are_allowed_and_finite(model: str) -> None:
    data = example(model, 10)
    likelihood, parameters = data.likelihood(), data.parameters
    for start in starting_values(likelihood, parameters):
        assert np.all(start >= parameters.lower) and np.all(start <= parameters.upper)
        assert np.isfinite(evaluate(likelihood, parameters.psi(start)).reml)


@pytest.mark.parametrize("model", ["CS", "HCS", "AR", "UN", "UN of two"])
def test_starts_lie_on_each_side_of_no_correlation(model: str) -> None:
    data = example(model, 10)
    starts = starting_values(data.likelihood(), data.parameters)
    rho = [data.parameters.natural(start)[0].rho for start in starts]
    assert any(np.all(value > 0.5) for value in rho)
    assert any(np.all(value < -0.1) for value in rho)
    assert any(np.all(np.abs(value) < 1e-12) for value in rho)


@pytest.mark.parametrize("model", ["HCS", "UN", "UN of two", "GEN"])
def test_a_saddle_is_left(model: str) -> None:
    """Standard deviations of zero are a stationary point, whatever the data say."""
    data = example(model, 15, spread=3.0)
    free = np.full(len(data.parameters.lower), np.nan)
    likelihood = data.likelihood()
    from_zero = maximise(likelihood, data.parameters, free, [np.zeros(len(free))])
    usual = maximise(likelihood, data.parameters, free)
    assert from_zero.at.reml > height(likelihood, np.zeros(likelihood.layout.entries)) + 1
    assert from_zero.at.reml == pytest.approx(usual.at.reml, abs=1e-9)


def test_what_the_data_cannot_tell_apart() -> None:
    def named(data: Example, free: list[bool] | None = None) -> tuple[int, ...]:
        count = sum(sum(factor.structure.size) for factor in data.factors)
        mask = np.ones(count, dtype=bool) if free is None else np.array(free)
        return inseparable(data.likelihood(), data.parameters, mask)

    for model in MODELS:
        assert named(example(model, 11)) == (), model
    nested = example("nested", 11)
    study, row = nested.factors
    twice = replace(nested, factors=(study, row, study))
    assert named(twice) == (0, 2)
    assert named(twice, [True, True, False]) == ()
    dummies = np.eye(study.outer.max() + 1)[study.outer]
    assert named(replace(nested, X=dummies)) == (0,)
    single = Factor(
        outer=row.outer,
        inner=row.outer % 2,
        slopes=None,
        structure=STRUCTURES["DIAG"](2, 1),
    )
    assert named(replace(nested, factors=(study, single, row))) == (1, 2, 3)


@pytest.mark.parametrize("start", [np.nan, np.inf])
def test_hopeless_starts(start: float) -> None:
    data = example("nested", 12)
    with pytest.raises(ConvergenceError, match=r"no optimum .* from 2 starts"):
        maximise(data.likelihood(), data.parameters, np.full(2, np.nan), [np.full(2, start)] * 2)


def test_a_start_of_ones_own() -> None:
    data = example("HCS", 13)
    free = np.full(4, np.nan)
    usual = maximise(data.likelihood(), data.parameters, free)
    again = maximise(data.likelihood(), data.parameters, free, [usual.theta])
    assert again.convergence.evaluations <= 3
    np.testing.assert_allclose(again.theta, usual.theta, rtol=ITERATED)


def test_heteroscedastic_contains_compound_symmetry() -> None:
    both = [maximum_of(example(model, 14, spread=2.0)).at.reml for model in ("CS", "HCS", "UN")]
    assert both == sorted(both)
    assert isinstance(example("HCS").factors[0].structure, Heteroscedastic)


def test_three_starts_suffice_for_a_well_determined_optimum() -> None:
    many = example("UN of two", 9, sizes=(4,) * 80)
    found = maximum_of(many)
    assert found.convergence.starts == 3
    everywhere = starting_values(many.likelihood(), many.parameters)
    free = np.full(len(many.parameters.lower), np.nan)
    for start in everywhere:
        alone = maximise(many.likelihood(), many.parameters, free, [start])
        assert alone.at.reml <= found.at.reml + LOG_LIKELIHOOD
    few = maximum_of(example("UN of two", 9, sizes=(4,) * 6))
    assert few.convergence.starts > 3
