"""The user's weights: least squares with them, honest about their covariance."""

import numpy as np
import pandas as pd
import pytest
from numpy.linalg import inv

import metalliance as ma
from tests.models.examples import independent
from tests.tolerances import CLOSED_FORM, ITERATED


def weighted(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return independent(14, seed=seed).assign(ni=rng.integers(20, 200, 14))


@pytest.mark.parametrize("method", ["EE", "HS", "REML", "GENQ"])
@pytest.mark.parametrize("mods", ["~ 1", "~ year"])
def test_by_dense_matrices(method: str, mods: str) -> None:
    frame = weighted()
    fit = ma.fit(frame, mods, method=method, weights="ni")
    X, A = fit.X, np.diag(frame["ni"].to_numpy(float))
    M = np.diag(fit.vi + fit.tau2)
    H = inv(X.T @ A @ X) @ X.T @ A
    np.testing.assert_allclose(fit.beta, H @ fit.yi, rtol=CLOSED_FORM)
    np.testing.assert_allclose(fit.vcov, H @ M @ H.T, rtol=ITERATED)
    if method != "GENQ":
        assert fit.tau2 == ma.fit(frame, mods, method=method).tau2
    e = fit.yi - X @ fit.beta
    density = np.sum(-0.5 * np.log(2 * np.pi * np.diag(M)) - e**2 / (2 * np.diag(M)))
    assert fit.log_lik_ml == pytest.approx(density, rel=CLOSED_FORM)
    at_least_squares = ma.fit(frame, mods, tau2=fit.tau2)
    lost = at_least_squares.log_lik_ml - fit.log_lik_ml
    assert at_least_squares.log_lik_reml - fit.log_lik_reml == pytest.approx(lost, abs=1e-9)


def test_inverse_variances_are_the_ordinary_fit() -> None:
    frame = weighted(3)
    plain = ma.fit(frame, "~ year")
    same = ma.fit(frame, "~ year", weights=1 / (plain.vi + plain.tau2))
    for verb in (ma.tidy, ma.glance, ma.predict, ma.confint):
        one, other = (verb(fit).select_dtypes("number") for fit in (plain, same))
        np.testing.assert_allclose(other, one, rtol=1e-7)
    np.testing.assert_allclose(ma.study_means(same)["weight"], ma.study_means(plain)["weight"])


def test_weights_move_along_with_the_rows() -> None:
    frame = weighted(4)
    table = ma.leave_one_out(ma.fit(frame, weights="ni", method="GENQ")).table
    rest = ma.fit(frame.drop(index=3), weights="ni", method="GENQ")
    assert table["estimate"][3] == pytest.approx(rest.beta[0], rel=ITERATED)
    assert table["tau2"][3] == pytest.approx(rest.tau2, rel=ITERATED)


def test_the_call_names_them() -> None:
    frame = weighted()
    assert ma.fit(frame, weights="ni").call["weights"] == "ni"
    assert ma.fit(frame, weights=frame["ni"].to_numpy()).call["weights"] == "given"
    assert "weights" not in ma.fit(frame).call


def test_what_does_not_go_with_weights() -> None:
    fit = ma.fit(weighted(), weights="ni")
    for call, says in (
        (lambda: ma.infer(fit, "CR2", cluster="study"), "not available with weights="),
        (lambda: ma.augment(fit), "leave weights= out"),
        (lambda: ma.permutation_test(fit), "leave weights= out"),
    ):
        with pytest.raises(ma.SpecificationError, match=says):
            call()
