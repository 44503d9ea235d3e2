"""The dynamic panel against likelihoods written out, other programs and identities."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import optimize, stats

from metalliance.errors import SpecificationError
from metalliance.numerics.panel import fit_panel
from metalliance.numerics.panel_comparison import compare_panels
from metalliance.numerics.panel_likelihood import evaluate, expected_information, patient_scores
from metalliance.numerics.panel_process import (
    Process,
    grid_covariance,
    jacobian,
    n_working,
    process,
    stationary_covariance,
    working,
)
from metalliance.numerics.panel_quantities import (
    autocovariances,
    mean_reliability,
    panel_quantities,
    quantity_names,
)
from metalliance.numerics.panel_rows import checked_rows, laid_out
from tests.numerics.panel_study import long, run
from tests.numerics.panels import (
    TRUTH,
    dense_log_likelihood,
    fixed_effects,
    ragged,
    simulate,
    stationary,
)
from tests.tolerances import CLOSED_FORM, ITERATED

DYNAMICS = ("full", "diagonal", "none")
INITIAL = ("stationary", "free", "free-correlated")
MODELS = list(itertools.product(DYNAMICS, INITIAL))


@pytest.fixture(scope="module")
def sessions():
    rng = np.random.default_rng(5)
    return ragged(rng, simulate(rng, 40, 9))


@pytest.fixture(scope="module")
def fits(sessions):
    return {
        model: fit_panel(*sessions, trend_y="linear", dynamics=model[0], initial=model[1])
        for model in MODELS
    }


@pytest.mark.parametrize("model", MODELS)
def test_likelihood_is_that_of_each_patient_written_out(model, sessions, fits) -> None:
    fit = fits[model]
    dense = dense_log_likelihood(fit, *sessions, trends_y=sessions[1])
    assert fit.log_lik == pytest.approx(dense, abs=CLOSED_FORM * abs(dense))


@pytest.mark.parametrize("model", MODELS)
def test_derivatives_agree_with_differences(model, sessions) -> None:
    panel = laid_out(checked_rows(*sessions, "linear", None), "full")
    theta = np.random.default_rng(2).normal(size=n_working(*model)) * 0.3

    def surface(at):
        grid = grid_covariance(process(at, *model), panel.elapsed)
        return evaluate(panel, grid, np.array([0.1, 0.2, 0.3]))

    grid, slopes = jacobian(lambda t: grid_covariance(process(t, *model), panel.elapsed), theta)
    at = evaluate(panel, grid, np.array([0.1, 0.2, 0.3]))
    exact = np.einsum("jab,ab->j", slopes, at.slope)
    for j, step in enumerate(np.eye(len(theta)) * 1e-5):
        differences = (surface(theta + step).log_lik - surface(theta - step).log_lik) / 2e-5
        assert exact[j] == pytest.approx(differences, rel=1e-6, abs=1e-6)
    for j, step in enumerate(np.eye(3) * 1e-4):
        up = evaluate(panel, grid, at.coefficients + step).log_lik
        down = evaluate(panel, grid, at.coefficients - step).log_lik
        assert at.score[j] == pytest.approx((up - down) / 2e-4, rel=1e-6, abs=1e-6)
    scores = patient_scores(panel, at, slopes)
    assert scores.sum(axis=0) == pytest.approx(np.r_[at.score, exact], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_it_is_a_maximum(model, fits) -> None:
    fit = fits[model]
    assert fit.converged
    assert fit.decrement < 1e-12
    assert np.linalg.eigvalsh(fit.covariance).min() > -1e-12


def test_wider_models_are_never_less_likely(fits) -> None:
    for dynamics in DYNAMICS:
        heights = [fits[dynamics, initial].log_lik for initial in INITIAL]
        assert heights == sorted(heights)
    for initial in INITIAL:
        heights = [fits[dynamics, initial].log_lik for dynamics in reversed(DYNAMICS)]
        assert heights == sorted(heights)


@pytest.mark.parametrize("model", MODELS)
def test_working_parameters_go_there_and_back(model) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        theta = rng.normal(size=n_working(*model)) * 0.7
        first = process(theta, *model)
        again = process(working(first, *model), *model)
        for name in ("omega", "phi", "sigma"):
            assert getattr(again, name) == pytest.approx(getattr(first, name), abs=1e-9)


@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_stationary_models_are_stationary_wherever_one_looks(dynamics) -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        model = process(
            rng.normal(size=n_working(dynamics, "stationary")) * 2, dynamics, "stationary"
        )
        assert np.abs(np.linalg.eigvals(model.phi)).max() < 1
        assert np.linalg.eigvalsh(model.sigma).min() > 0
        gamma = model.omega[2:, 2:]
        assert model.phi @ gamma @ model.phi.T + model.sigma == pytest.approx(gamma, rel=1e-9)


def test_stationary_covariance_is_the_sum_of_all_innovations() -> None:
    gamma = stationary_covariance(TRUTH["phi"], TRUTH["sigma"])
    assert gamma == pytest.approx(stationary(TRUTH["phi"], TRUTH["sigma"]), abs=1e-13)
    assert np.isnan(stationary_covariance(np.eye(2), TRUTH["sigma"])).all()


def test_expected_information_is_that_of_simulated_scores() -> None:
    rng = np.random.default_rng(6)
    columns = simulate(rng, 4000, 4)
    rows = checked_rows(*columns)
    panel = laid_out(rows, "full")
    fit = fit_panel(*columns)
    grid, slopes = jacobian(
        lambda t: grid_covariance(process(t, "full", "stationary"), panel.elapsed), fit.theta
    )
    at = evaluate(panel, grid)
    scores = patient_scores(panel, at, slopes)[:, 2:]
    expected = expected_information(panel, at, slopes)
    unit = 1 / np.sqrt(np.diagonal(expected))
    assert unit * (scores.T @ scores) * unit[:, None] == pytest.approx(
        unit * expected * unit[:, None], abs=0.12
    )


def test_neither_units_nor_order_nor_labels_matter(sessions, fits) -> None:
    patient, occasion, x, y = sessions
    shuffled = np.random.default_rng(7).permutation(len(x))
    fit = fits["full", "stationary"]
    other = fit_panel(
        np.array([f"p{p:03d}" for p in patient])[shuffled],
        (occasion + 12)[shuffled],
        (5 + 100 * x)[shuffled],
        (-3 - 0.01 * y)[shuffled],
        trend_y="linear",
    )
    units = np.array([100, -0.01])
    seen = (~np.isnan(x)).sum() * np.log(100) + (~np.isnan(y)).sum() * np.log(0.01)
    assert other.log_lik + seen == pytest.approx(fit.log_lik, rel=1e-12)
    assert other.psi == pytest.approx(fit.psi * np.outer(units, units), rel=ITERATED)
    assert other.phi == pytest.approx(fit.phi * np.outer(units, 1 / units), rel=1e-6)
    assert other.mean_y[1] == pytest.approx(-0.01 * fit.mean_y[1], rel=ITERATED)
    assert other.mean_y[0] + 12 * other.mean_y[1] == pytest.approx(-3 - 0.01 * fit.mean_y[0])
    ours, theirs = panel_quantities(fit, mean_of=6), panel_quantities(other, mean_of=6)
    for name in ("within_r", "between_r", "lagged_partial_forward", "lagged_r_reverse"):
        j = ours.at(name)
        assert theirs.estimate[j] == pytest.approx(-ours.estimate[j], abs=1e-7)
        assert theirs.std_error[j] == pytest.approx(ours.std_error[j], rel=1e-5)
    assert theirs.estimate[ours.at("reliability_y")] == pytest.approx(
        ours.estimate[ours.at("reliability_y")], rel=1e-7
    )


def test_x_and_y_change_places(sessions) -> None:
    patient, occasion, x, y = sessions
    fit, turned = fit_panel(patient, occasion, x, y), fit_panel(patient, occasion, y, x)
    assert turned.phi == pytest.approx(fit.phi[::-1, ::-1], abs=1e-7)
    ours, theirs = panel_quantities(fit), panel_quantities(turned)
    for name in ("lagged_partial", "lagged_r", "lagged_slope"):
        forward, reverse = ours.at(f"{name}_forward"), theirs.at(f"{name}_reverse")
        assert ours.estimate[forward] == pytest.approx(theirs.estimate[reverse], abs=1e-7)
        assert ours.std_error[forward] == pytest.approx(theirs.std_error[reverse], rel=1e-4)


def test_a_warm_start_arrives_at_the_same_place(sessions) -> None:
    fit = fit_panel(*sessions)
    again = fit_panel(*sessions, start=fit)
    assert again.evaluations < fit.evaluations
    assert again.log_lik == pytest.approx(fit.log_lik, abs=1e-9)
    with pytest.raises(SpecificationError, match="same dynamics"):
        fit_panel(*sessions, dynamics="none", start=fit)


def test_random_intercepts_alone_in_closed_form() -> None:
    """Balanced, Φ = 0: within mean square and the spread of means (Searle et al. 1992, ch. 4)."""
    columns = simulate(np.random.default_rng(8), 30, 5)
    fit = fit_panel(*columns, dynamics="none")
    z = np.column_stack(columns[2:]).reshape(30, 5, 2)
    means = z.mean(axis=1)
    deviations = (z - means[:, None]).reshape(-1, 2)
    within = deviations.T @ deviations / (30 * 4)
    spread = np.cov(means.T, bias=True)
    assert fit.sigma == pytest.approx(within, rel=ITERATED)
    assert fit.psi == pytest.approx(spread - within / 5, rel=1e-7)
    found = panel_quantities(fit)
    r = within[0, 1] / np.sqrt(within[0, 0] * within[1, 1])
    assert found.estimate[found.at("within_r")] == pytest.approx(r, abs=1e-9)
    # complete pairs, common slope: the repeated-measures correlation and its own variance
    assert found.std_error[found.at("within_r")] == pytest.approx(
        (1 - r**2) / np.sqrt(30 * 4), rel=1e-6
    )


def test_unbalanced_random_intercepts_as_by_a_dense_optimiser() -> None:
    rng = np.random.default_rng(9)
    patient, occasion, x, y = ragged(rng, simulate(rng, 25, 5, phi=np.zeros((2, 2))))
    fit = fit_panel(patient, occasion, x, y, dynamics="none")

    class Guess:
        trait_state = phi = np.zeros((2, 2))

    def loss(theta):
        guess = Guess()
        guess.mean_x, guess.mean_y = theta[:1], theta[1:2]
        psi, sigma = np.zeros((2, 2)), np.zeros((2, 2))
        psi[np.tril_indices(2)], sigma[np.tril_indices(2)] = theta[2:5], theta[5:8]
        guess.psi, guess.sigma = psi @ psi.T, sigma @ sigma.T
        guess.first_state = guess.sigma
        return -dense_log_likelihood(guess, patient, occasion, x, y)

    start = np.array([0, 0, 1, 0, 1, 1, 0, 1.0])
    best = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-5})
    assert fit.log_lik == pytest.approx(-best.fun, abs=1e-6)
    assert fit.log_lik >= -best.fun - 1e-9
    assert [fit.mean_x[0], fit.mean_y[0]] == pytest.approx(best.x[:2], abs=1e-4)


def test_quantities_follow_from_the_definitions(fits) -> None:
    fit = fits["full", "stationary"]
    found = dict(
        zip(*(lambda q: (q.names, q.estimate))(panel_quantities(fit, mean_of=8)), strict=True)
    )
    gamma = stationary(fit.phi, fit.sigma)
    sd = np.sqrt(np.diagonal(gamma))
    next_to = fit.phi @ gamma
    assert found["within_r"] == pytest.approx(gamma[0, 1] / sd[0] / sd[1])
    assert found["lagged_r_forward"] == pytest.approx(next_to[1, 0] / sd[0] / sd[1])
    assert found["lagged_r_reverse"] == pytest.approx(next_to[0, 1] / sd[0] / sd[1])
    assert found["lagged_partial_forward"] == pytest.approx(fit.phi[1, 0] * sd[0] / sd[1])
    assert found["lagged_partial_reverse"] == pytest.approx(fit.phi[0, 1] * sd[1] / sd[0])
    assert found["autocorrelation_y"] == pytest.approx(next_to[1, 1] / gamma[1, 1])
    assert found["icc_x"] == pytest.approx(fit.psi[0, 0] / (fit.psi[0, 0] + gamma[0, 0]))
    assert found["contextual"] == pytest.approx(found["between_slope"] - found["within_slope"])
    assert found["reliability_y"] == pytest.approx(
        mean_reliability(fit.psi[1, 1], autocovariances(fit, 7)[:, 1, 1], 8)
    )


@pytest.mark.parametrize("initial", INITIAL)
def test_standard_errors_are_the_spread_of_the_likelihood(initial) -> None:
    """Profile likelihood of the forward path: half a unit lower about one error away."""
    sessions = simulate(np.random.default_rng(15), 100, 6)
    fit = fit_panel(*sessions, initial=initial)
    found = panel_quantities(fit)
    j = found.at("lagged_slope_forward")
    panel = laid_out(checked_rows(*sessions), "full")
    theta = fit.theta.copy()

    def height(at):
        grid = grid_covariance(process(at, "full", initial), panel.elapsed)
        return evaluate(panel, grid).log_lik

    slope = jacobian(lambda t: process(t, "full", initial).phi[..., 1, 0], theta)[1]
    covariance = fit.covariance[-len(theta) :, -len(theta) :]
    direction = covariance @ slope / np.sqrt(slope @ covariance @ slope)
    drop = 2 * height(theta) - height(theta + 0.05 * direction) - height(theta - 0.05 * direction)
    assert drop == pytest.approx(0.05**2, rel=1e-2)
    unit = fit.scale[1] / fit.scale[0]
    assert found.std_error[j] == pytest.approx(unit * np.sqrt(slope @ covariance @ slope))


def test_standard_errors_do_not_depend_on_how_the_model_is_written(sessions) -> None:
    """Delta method once through the parametrisation and once through differences of estimates."""
    fit = fit_panel(*sessions)
    found = panel_quantities(fit)
    for name in ("within_r", "between_r", "lagged_partial_forward"):
        j = found.at(name)
        slopes = []
        for step in np.eye(len(fit.theta)) * 1e-6:
            pair = []
            for sign in (1, -1):
                model = process(fit.theta + sign * step, "full", "stationary")
                gamma = model.omega[2:, 2:]
                sd = np.sqrt(np.diagonal(gamma))
                of_trait = np.sqrt(np.diagonal(model.psi))
                pair.append(
                    {
                        "within_r": gamma[0, 1] / sd.prod(),
                        "between_r": model.psi[0, 1] / of_trait.prod(),
                        "lagged_partial_forward": model.phi[1, 0] * sd[0] / sd[1],
                    }[name]
                )
            slopes.append((pair[0] - pair[1]) / 2e-6)
        m = len(fit.theta)
        variance = np.array(slopes) @ fit.covariance[-m:, -m:] @ np.array(slopes)
        assert found.std_error[j] == pytest.approx(np.sqrt(variance), rel=1e-6)


def test_reliability_of_a_mean() -> None:
    icc, phi = 0.7, 0.5
    white = mean_reliability(icc, [1 - icc] + [0] * 7, 8)
    assert white == pytest.approx(8 * icc / (1 + 7 * icc))
    decay = (1 - icc) * phi ** np.arange(8)
    repeated = mean_reliability(icc, decay, 8)
    k = 8
    inflation = (1 + phi) / (1 - phi) - 2 * phi * (1 - phi**k) / (k * (1 - phi) ** 2)
    assert repeated == pytest.approx(icc / (icc + (1 - icc) / k * inflation))
    assert (round(white, 2), round(repeated, 2)) == (0.95, 0.88)
    rng = np.random.default_rng(10)
    w = rng.normal(size=200_000)
    total = np.zeros_like(w)
    for _ in range(8):
        total += w
        w = phi * w + np.sqrt(1 - phi**2) * rng.normal(size=len(w))
    trait = rng.normal(size=len(w)) * np.sqrt(icc)
    mean = trait + np.sqrt(1 - icc) * total / 8
    assert np.corrcoef(trait, mean)[0, 1] ** 2 == pytest.approx(repeated, abs=0.003)
    assert mean_reliability(icc, decay, [0, 7]) > mean_reliability(icc, decay, [0, 1])
    with pytest.raises(SpecificationError, match="up to lag 9"):
        mean_reliability(icc, decay, 10)
    with pytest.raises(SpecificationError, match="one or more"):
        mean_reliability(icc, decay, 0)


def test_without_dynamics_only_the_order_of_occasions_counts(sessions) -> None:
    patient, occasion, x, y = sessions
    for initial in INITIAL:
        fit = fit_panel(*sessions, dynamics="none", initial=initial)
        days = fit_panel(patient, 701 * occasion**3, x, y, dynamics="none", initial=initial)
        assert days.log_lik == pytest.approx(fit.log_lik, abs=1e-9)


def test_traits_without_variance_are_told() -> None:
    rng = np.random.default_rng(11)
    patient, occasion, _, y = simulate(rng, 60, 6)
    white = rng.normal(size=len(y))
    white -= np.repeat(white.reshape(60, 6).mean(axis=1), 6) * 0.9
    fit = fit_panel(patient, occasion, white, y, dynamics="none")
    assert fit.converged
    assert fit.boundary
    assert any("singular" in note for note in fit.notes)
    found = panel_quantities(fit)
    assert np.isnan(found.std_error[found.at("between_r")])
    assert np.isfinite(found.std_error[found.at("within_r")])


def test_no_trait_at_all_is_a_boundary_with_known_dynamics() -> None:
    rng = np.random.default_rng(12)
    columns = simulate(rng, 80, 8, psi=np.eye(2) * 1e-9)
    fits = [fit_panel(*columns, dynamics="none")]
    fits += [fit_panel(*columns, initial=initial) for initial in ("stationary", "free")]
    assert all(fit.converged for fit in fits)
    found = panel_quantities(fits[1])
    assert np.isfinite(found.std_error[found.at("lagged_partial_forward")])


def test_what_is_fixed_is_not_reported() -> None:
    assert "lagged_partial_forward" not in quantity_names("diagonal")
    assert "autoregression_x" not in quantity_names("none")
    assert len(set(quantity_names("full", True))) == len(quantity_names("full", True))


def test_a_process_that_runs_away_has_no_correlations(sessions) -> None:
    fit = fit_panel(*sessions, initial="free")
    theta = fit.theta.copy()
    model = process(theta, "full", "free")
    runaway = working(Process(model.omega, np.eye(2) * 1.1, model.sigma), "full", "free")
    found = panel_quantities(dataclasses.replace(fit, theta=runaway))
    assert np.isnan(found.estimate[found.at("within_r")])
    assert np.isnan(found.std_error[found.at("icc_x")])
    assert np.isfinite(found.std_error[found.at("between_r")])
    assert np.isfinite(found.std_error[found.at("lagged_slope_forward")])


def small(n=12, sessions=5, seed=0):
    return [np.array(c, dtype=float) for c in simulate(np.random.default_rng(seed), n, sessions)]


def changed(**columns):
    names = ("patient", "occasion", "x", "y")
    return [columns.get(n, c) for n, c in zip(names, small(), strict=True)]


REFUSED = [
    (small(4), {}, "4 patient"),
    (small(1, 30), {}, "1 patient"),
    (small(100, 2), {}, "hardly any patient has more than 2"),
    (small(30, 1), {"dynamics": "none"}, "hardly any patient has more than 1 value"),
    (changed(x=np.ones(60)), {}, "x is constant"),
    (changed(y=np.repeat(np.arange(12.0), 5)), {}, "y never changes within"),
    (changed(y=np.full(60, np.nan)), {}, "no value of y"),
    (changed(occasion=np.zeros(60)), {}, "more than once"),
    (changed(occasion=np.arange(60) / 7), {}, "whole numbers"),
    (changed(occasion=np.tile([0, 2, 4, 6, 8], 12)), {}, "multiples of 2"),
    (changed(occasion=np.arange(60) % 5 * 400 + np.arange(60)), {}, "number sessions"),
    (changed(x=np.r_[np.inf, np.arange(59)]), {}, "infinite"),
    (changed(patient=np.r_[np.nan, np.arange(59)]), {}, "labels must all"),
    (changed(patient=np.array(["a", 1] * 30, dtype=object)), {}, "labels must all"),
    (changed(x=["a"] * 60), {}, "x must hold numbers"),
    (changed(x=np.arange(59)), {}, "one length"),
    (small(), {"trend_x": np.ones(60)}, "constant or depend"),
    (small(), {"trend_y": np.ones(59)}, "one row per session"),
    (small(), {"trend_y": np.full(60, np.nan)}, "missing or infinite"),
    (small(), {"trend_y": np.column_stack([np.arange(60)] * 2)}, "constant or depend"),
]


@pytest.mark.parametrize(("columns", "options", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_fitted_is_refused(columns, options, reason) -> None:
    with pytest.raises(SpecificationError, match=reason):
        fit_panel(*columns, **options)


@pytest.mark.parametrize("option", ["dynamics", "initial", "trend_x"])
def test_unknown_options_list_the_choices(option) -> None:
    with pytest.raises(ValueError, match="must be"):
        fit_panel(*small(), **{option: "quadratic"})


def test_there_is_no_bias_of_order_one_over_t() -> None:
    """Mean of 40 samples: fixed effects are far off, the likelihood is not (slow test: more)."""
    rng = np.random.default_rng(13)
    estimates, ordinary = [], []
    for _ in range(40):
        columns = simulate(rng, 120, 5)
        fit = fit_panel(*columns)
        estimates.append([fit.phi[1, 1], fit.phi[1, 0]])
        ordinary.append(fixed_effects(*columns))
    error = np.std(estimates, axis=0) / np.sqrt(40)
    assert np.mean(estimates, axis=0) == pytest.approx([0.4, -0.1], abs=4 * error.max())
    assert np.mean(ordinary, axis=0)[0] < 0.15


def test_intervals_stay_within_their_range() -> None:
    rng = np.random.default_rng(14)
    fit = fit_panel(*simulate(rng, 25, 4))
    found = panel_quantities(fit, mean_of=8)
    low, high = found.interval(0.99)
    for j, name in enumerate(found.names):
        if np.isfinite(found.std_error[j]):
            assert low[j] <= found.estimate[j] <= high[j]
        if name.startswith(("icc", "reliability")):
            assert low[j] >= 0
            assert high[j] <= 1
        if name.startswith(("within_r", "between_r", "innovation_r", "lagged_r", "autocorr")):
            assert not abs(low[j]) > 1
    j = found.at("lagged_partial_forward")
    assert high[j] - low[j] == pytest.approx(2 * 2.5758293 * found.std_error[j])
    j = found.at("within_r")
    middle, slope = np.arctanh(found.estimate[j]), 1 / (1 - found.estimate[j] ** 2)
    assert high[j] == pytest.approx(np.tanh(middle + 2.5758293 * slope * found.std_error[j]))
    with pytest.raises(ValueError, match="is not among"):
        found.at("nonsense")


def test_models_are_compared_within_one_another(sessions, fits) -> None:
    found = compare_panels(fits["full", "stationary"], fits["full", "free"])
    gain = 2 * (fits["full", "free"].log_lik - fits["full", "stationary"].log_lik)
    assert (found.statistic, found.df) == (pytest.approx(gain), 3)
    assert found.p_value == pytest.approx(stats.chi2.sf(gain, 3))
    assert compare_panels(fits["diagonal", "free"], fits["full", "free-correlated"]).df == 6
    for narrow, wide in [
        (fits["full", "free"], fits["full", "stationary"]),
        (fits["full", "free"], fits["full", "free"]),
        (fits["full", "stationary"], fits["diagonal", "free"]),
        (fit_panel(*sessions), fits["full", "free"]),
    ]:
        with pytest.raises(SpecificationError, match="the narrower"):
            compare_panels(narrow, wide)


def test_a_start_unlike_the_rest_is_found() -> None:
    rng = np.random.default_rng(16)
    for first, expected in [(None, False), (lambda trait, rng: 0 * trait, True)]:
        columns = long(run(rng, 120, 8, first=first))
        fits = [fit_panel(*columns, initial=initial) for initial in ("stationary", "free")]
        assert (compare_panels(*fits).p_value < 0.001) is expected
