"""Covariance structures against finite differences, brute force and their own definitions."""

from itertools import product
from typing import get_args

import numpy as np
import pytest

from metalliance.numerics.bounded import Heteroscedastic, Homogeneous, Independent
from metalliance.numerics.covariances import Structure, places_of
from metalliance.numerics.factored import Circular, Factored, unstructured
from metalliance.numerics.structures import (
    STRUCTURE_NAMES,
    STRUCTURES,
    StructureName,
    correlation_names,
)
from tests.tolerances import CLOSED_FORM

NAMED = [(name, q) for name in STRUCTURE_NAMES for q in (2, 3, 4)]


def some_theta(structure: Structure, seed: int = 0) -> np.ndarray:
    """Parameters inside the bounds."""
    rng = np.random.default_rng(seed)
    theta = []
    for low, high in zip(*structure.bounds, strict=True):
        if np.isinf(low):
            theta.append(rng.normal())
        else:
            top = high if np.isfinite(high) else low + 1
            theta.append(rng.uniform(low + 0.1 * (top - low), top - 0.1 * (top - low)))
    return np.array(theta)


def matrix_of(structure: Structure, theta: np.ndarray) -> np.ndarray:
    return np.append(structure.entries(theta).psi, 0.0)[structure.pattern()]


def from_natural(tau2: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """G from its variances and the lower triangle of its correlations, row by row."""
    R, q = np.eye(len(tau2)), len(tau2)
    pairs = iter(rho)
    for i in range(q):
        for j in range(i):
            R[i, j] = R[j, i] = next(pairs)
    return np.sqrt(np.outer(tau2, tau2)) * R


def some_natural(q: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Variances and correlations of a positive definite matrix."""
    half = np.random.default_rng(seed).normal(size=(q, q + 1))
    G = half @ half.T
    tau = np.sqrt(np.diagonal(G))
    return tau**2, (G / np.outer(tau, tau))[np.tril_indices(q, -1)]


def held_versions(q: int) -> list[Structure]:
    """What is left of an unstructured matrix when parts are held."""
    tau2, rho = some_natural(q)
    kept = []
    for masks in allowed_of_unstructured(q):
        values = np.where(masks[:q], tau2, np.nan), np.where(masks[q:], rho, np.nan)
        kept.append(unstructured(q).pin(*values)[0])
    return kept


def allowed_of_unstructured(q: int) -> list[np.ndarray]:
    """Masks of variances and correlations that can be held together, as documented."""
    pairs = q * (q - 1) // 2
    allowed = []
    for mask in product([False, True], repeat=q + pairs):
        variances, correlations = sum(mask[:q]), sum(mask[q:])
        one_thing = variances + correlations <= 1
        both_of_two = q == 2 and variances == 2
        if one_thing or correlations == pairs or both_of_two:
            allowed.append(np.array(mask))
    return allowed


def label(structure: Structure) -> str:
    if isinstance(structure, Factored):
        order = "".join(map(str, structure.order))
        return f"Factored {order} with {structure.anchored} held"
    return repr(structure)


NAMED_AND_HELD = [STRUCTURES[name](q, q) for name, q in NAMED] + [
    structure for q in (2, 3, 4) for structure in held_versions(q)
]
EVERY = list(dict.fromkeys(NAMED_AND_HELD))


def test_dict_and_literal_agree() -> None:
    assert tuple(STRUCTURES) == get_args(StructureName) == STRUCTURE_NAMES


@pytest.mark.parametrize("structure", EVERY, ids=label)
def test_derivatives_are_finite_differences(structure: Structure) -> None:
    theta, h = some_theta(structure, 1), 1e-5
    at = structure.entries(theta)
    for i in range(len(theta)):
        step = h * np.eye(len(theta))[i]
        ahead, behind = structure.entries(theta + step), structure.entries(theta - step)
        slope = (ahead.psi - behind.psi) / (2 * h)
        bend = (ahead.jacobian - behind.jacobian) / (2 * h)
        np.testing.assert_allclose(at.jacobian[:, i], slope, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(at.hessian[:, i, :], bend, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("structure", EVERY, ids=label)
@pytest.mark.parametrize("seed", range(5))
def test_a_covariance_matrix(structure: Structure, seed: int) -> None:
    theta = some_theta(structure, seed)
    G = matrix_of(structure, theta)
    assert np.array_equal(G, G.T)
    assert np.linalg.eigvalsh(G)[0] >= -1e-12 * np.trace(G)
    assert len(theta) == len(structure.units(1.0)) == len(structure.bounds[1])


@pytest.mark.parametrize("structure", EVERY, ids=label)
def test_natural_describes_the_matrix(structure: Structure) -> None:
    theta = some_theta(structure, 2)
    natural, G = structure.natural(theta), matrix_of(structure, theta)
    q = len(G)
    tau2 = np.broadcast_to(natural.tau2, q)
    if structure.size[1] == 0:
        expected = np.diag(tau2)
    elif isinstance(structure, Homogeneous) and structure.decaying:
        lag = np.abs(np.subtract.outer(np.arange(q), np.arange(q)))
        expected = natural.tau2 * natural.rho**lag
    else:
        expected = from_natural(tau2, np.broadcast_to(natural.rho, q * (q - 1) // 2))
    assert (len(natural.tau2), len(natural.rho)) == structure.size
    np.testing.assert_allclose(G, expected, rtol=CLOSED_FORM, atol=1e-14)


@pytest.mark.parametrize(("name", "q"), NAMED)
def test_there_and_back(name: str, q: int) -> None:
    structure = STRUCTURES[name](q, q)
    natural = structure.natural(some_theta(structure, 3))
    back = structure.natural(structure.theta(natural.tau2, natural.rho))
    np.testing.assert_allclose(back.tau2, natural.tau2, rtol=CLOSED_FORM)
    np.testing.assert_allclose(back.rho, natural.rho, rtol=CLOSED_FORM, atol=1e-14)


def test_a_singular_matrix_there_and_back() -> None:
    tau2, rho = np.array([0.3, 0.0, 0.2]), np.array([0.0, -1.0, 0.0])
    structure = unstructured(3)
    theta = structure.theta(tau2, rho)
    natural = structure.natural(theta)
    np.testing.assert_allclose(natural.tau2, tau2, atol=1e-16)
    np.testing.assert_allclose(matrix_of(structure, theta), from_natural(tau2, rho), atol=1e-15)
    assert natural.rho[1] == -1.0


@pytest.mark.parametrize("q", [2, 3, 4])
def test_holding_parts_of_an_unstructured_matrix(q: int) -> None:
    tau2, rho = some_natural(q)
    for mask in allowed_of_unstructured(q):
        known, correlated = mask[:q], mask[q:]
        kept, values = unstructured(q).pin(
            np.where(known, tau2, np.nan), np.where(correlated, rho, np.nan)
        )
        for seed in range(3):
            free = some_theta(kept, seed)
            natural = kept.natural(np.where(np.isnan(values), free, values))
            np.testing.assert_allclose(natural.tau2[known], tau2[known], rtol=CLOSED_FORM)
            np.testing.assert_allclose(natural.rho[correlated], rho[correlated], rtol=CLOSED_FORM)
        whole = kept.theta(tau2, rho)
        held = ~np.isnan(values)
        np.testing.assert_allclose(whole[held], values[held], rtol=CLOSED_FORM)
        np.testing.assert_allclose(
            matrix_of(kept, whole), from_natural(tau2, rho), rtol=CLOSED_FORM
        )


@pytest.mark.parametrize("q", [2, 3])
def test_what_cannot_be_held_is_refused(q: int) -> None:
    tau2, rho = some_natural(q)
    allowed = {tuple(mask) for mask in allowed_of_unstructured(q)}
    refused = set(product([False, True], repeat=q + len(rho))) - allowed
    for mask in refused:
        known, correlated = np.array(mask[:q]), np.array(mask[q:])
        with pytest.raises(ValueError, match="hold one variance, or one correlation"):
            unstructured(q).pin(np.where(known, tau2, np.nan), np.where(correlated, rho, np.nan))
    assert len(refused) == {2: 0, 3: 64 - 7 - 8}[q]


@pytest.mark.parametrize(
    "structure",
    [Independent(3, common=False), Homogeneous(3, 3, decaying=False), Heteroscedastic(3, 3)],
    ids=repr,
)
def test_any_part_of_a_bounded_structure_can_be_held(structure: Structure) -> None:
    natural = structure.natural(some_theta(structure, 4))
    variances, correlations = structure.size
    for mask in product([False, True], repeat=variances + correlations):
        known, correlated = np.array(mask[:variances]), np.array(mask[variances:], dtype=bool)
        kept, values = structure.pin(
            np.where(known, natural.tau2, np.nan), np.where(correlated, natural.rho, np.nan)
        )
        found = kept.natural(np.where(np.isnan(values), some_theta(kept, 5), values))
        np.testing.assert_allclose(found.tau2[known], natural.tau2[known], rtol=CLOSED_FORM)
        np.testing.assert_allclose(found.rho[correlated], natural.rho[correlated])
        assert np.isnan(values).sum() == mask.count(False)


@pytest.mark.parametrize(
    ("structure", "rho", "lowest"),
    [
        (unstructured(2), [1.2], "-1 and 1"),
        (unstructured(3), [np.nan, -1.01, np.nan], "-1 and 1"),
        (Homogeneous(4, 4, decaying=False), [-0.4], "-0.3333 and 1"),
        (Homogeneous(4, 4, decaying=True), [1.1], "-1 and 1"),
        (Heteroscedastic(3, 3), [-0.6], "-0.5 and 1"),
    ],
    ids=repr,
)
def test_impossible_correlations(structure: Structure, rho: list[float], lowest: str) -> None:
    tau2 = np.full(structure.size[0], np.nan)
    with pytest.raises(ValueError, match=f"between {lowest} here"):
        structure.pin(tau2, np.array(rho))


def test_correlations_that_cannot_hold_together() -> None:
    with pytest.raises(ValueError, match="not positive definite"):
        unstructured(3).pin(np.full(3, np.nan), np.array([0.9, 0.9, -0.9]))


@pytest.mark.parametrize("structure", EVERY, ids=label)
def test_idle_directions_are_all_that_change_nothing(structure: Structure) -> None:
    theta = some_theta(structure, 6)
    at, idle = structure.entries(theta), structure.idle(theta)
    np.testing.assert_allclose(at.jacobian @ idle, 0.0, atol=1e-13)
    assert idle.shape[0] == len(theta)
    rank = np.linalg.matrix_rank(at.jacobian) + np.linalg.matrix_rank(idle) if idle.size else 0
    assert not idle.size or rank == len(theta)


@pytest.mark.parametrize("structure", [s for s in EVERY if isinstance(s, Factored)], ids=label)
def test_idle_directions_bend_back_into_the_same_matrix(structure: Structure) -> None:
    """Also where G is singular: what a step changes at second order another step undoes."""
    theta = some_theta(structure, 7)
    theta[-structure.size[0] :] = 0.0
    at, idle = structure.entries(theta), structure.idle(theta)
    np.testing.assert_allclose(at.jacobian @ idle, 0.0, atol=1e-13)
    for direction in idle.T:
        change = np.einsum("i,cij,j->c", direction, at.hessian, direction)
        undone = at.jacobian @ np.linalg.lstsq(at.jacobian, change, rcond=None)[0]
        np.testing.assert_allclose(undone, change, atol=1e-12)


@pytest.mark.parametrize(("q", "together"), [(4, 4), (4, 3), (5, 2), (3, 1)])
@pytest.mark.parametrize("name", ["CS", "HCS"])
def test_lowest_common_correlation(name: str, q: int, together: int) -> None:
    """At the bound the covariance of the levels that occur together is just singular."""
    structure = STRUCTURES[name](q, together)
    low = structure.bounds[0][-1]
    theta = np.append(np.full(structure.size[0], 0.7), low)
    present = np.arange(max(together, 2))
    smallest = np.linalg.eigvalsh(matrix_of(structure, theta)[np.ix_(present, present)])[0]
    assert smallest == pytest.approx(0.0, abs=1e-15)
    assert structure.bounds[1][-1] == 1.0


def test_autoregression_and_its_bounds() -> None:
    structure = STRUCTURES["AR"](5, 5)
    assert structure.bounds[0].tolist() == [0.0, -1.0]
    G = matrix_of(structure, np.array([0.3, -0.6]))
    assert G[4, 1] == pytest.approx(0.3 * (-0.6) ** 3, rel=1e-15)
    alternating = matrix_of(structure, np.array([0.3, -1.0]))
    assert np.array_equal(alternating[0], 0.3 * np.array([1, -1, 1, -1, 1]))
    flat = structure.entries(np.array([0.3, 0.0]))
    assert np.all(np.isfinite(flat.hessian)) and np.array_equal(flat.psi, [0.3, 0, 0, 0, 0])


def test_hcs_of_two_levels_is_unstructured() -> None:
    assert STRUCTURES["HCS"](2, 2) == unstructured(2)
    assert isinstance(STRUCTURES["HCS"](3, 2), Heteroscedastic)


VARIANCE = 0.04


def test_a_variance_near_zero_is_put_at_zero() -> None:
    little, enough = 1e-6, 1e-4
    snapped = Heteroscedastic(3, 3).snapped(np.array([little, enough, 0.3, 0.2]), VARIANCE)
    assert snapped.tolist() == [0.0, enough, 0.3, 0.2]
    L = np.array([[0.3, 0.1], [little, -little]])
    natural = unstructured(2).natural(unstructured(2).snapped(L.ravel(), VARIANCE))
    assert natural.tau2[1] == 0.0
    assert np.isnan(natural.rho[0])


@pytest.mark.parametrize("sign", [1, -1])
def test_a_correlation_near_one_is_put_at_one(sign: int) -> None:
    L = np.array([[0.3, 0.1], [sign * 0.6, sign * 0.2 + 1e-7]])
    natural = unstructured(2).natural(unstructured(2).snapped(L.ravel(), VARIANCE))
    assert natural.rho[0] == sign
    angle = np.pi * (sign < 0) + 1e-6
    theta = Circular().snapped(np.array([0.2, 0.1, angle]), VARIANCE)
    assert Circular().natural(theta).rho[0] == sign


def test_a_matrix_near_a_lower_rank_is_put_there() -> None:
    rng = np.random.default_rng(8)
    low = rng.normal(size=(3, 2)) @ rng.normal(size=(2, 3))
    near = low + 1e-7 * rng.normal(size=(3, 3))
    snapped = unstructured(3).snapped(near.ravel(), VARIANCE)
    assert np.linalg.svd(snapped.reshape(3, 3))[1][-1] < 1e-15
    np.testing.assert_allclose(snapped, low.ravel(), atol=1e-6)


@pytest.mark.parametrize("structure", EVERY, ids=label)
def test_what_is_off_the_edge_stays(structure: Structure) -> None:
    theta = some_theta(structure, 9)
    assert np.array_equal(structure.snapped(theta, VARIANCE), theta)


def test_no_correlation_without_variance() -> None:
    zero, nothing = np.array([0.0]), np.array([])
    assert np.isnan(Homogeneous(3, 3, decaying=False).natural(np.array([0.0, 0.5])).rho[0])
    one_left = Heteroscedastic(3, 3).natural(np.array([0.0, 0.2, 0.0, 0.5]))
    assert np.isnan(one_left.rho[0])
    assert np.isnan(unstructured(2).natural(np.array([0.0, 0.0, 0.3, 0.1])).rho[0])
    assert np.isnan(Circular().natural(np.array([0.0, 0.3, 1.0])).rho[0])
    assert Independent(1, common=True).natural(zero).rho.tolist() == nothing.tolist()


def test_turning_to_a_correlation_at_which_a_variance_helps() -> None:
    cs, ar = STRUCTURES["CS"](3, 3), STRUCTURES["AR"](3, 3)
    at_zero = np.array([0.0, 0.1])
    assert cs.turned(at_zero, np.array([-1.0, 3.0])).tolist() == [0.0, 1.0]
    assert cs.turned(at_zero, np.array([-1.0, -3.0])).tolist() == [0.0, -0.5]
    assert cs.turned(at_zero, np.array([-1.0, 0.5])).tolist() == at_zero.tolist()
    assert ar.turned(at_zero, np.array([-1.0, -1.0, 0.5])).tolist() == [0.0, -1.0]
    inside = np.array([0.2, 0.1])
    assert np.array_equal(cs.turned(inside, np.array([-1.0, 3.0])), inside)


@pytest.mark.parametrize("structure", EVERY, ids=label)
def test_turning_changes_no_entry(structure: Structure) -> None:
    rng = np.random.default_rng(10)
    for scale in (0.0, 1.0):
        theta = np.maximum(scale * some_theta(structure, 10), structure.bounds[0])
        at = structure.entries(theta)
        turned = structure.turned(theta, rng.normal(size=len(at.psi)))
        assert np.array_equal(structure.entries(turned).psi, at.psi)


def test_places_are_diagonal_first_then_pairs() -> None:
    a, b = places_of(3)
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == [
        *((0, 0), (1, 1), (2, 2)),
        *((1, 0), (2, 0), (2, 1)),
    ]
    assert correlation_names(("a", "b", "c")) == ("a, b", "a, c", "b, c")
