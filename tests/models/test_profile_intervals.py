"""Profile intervals cross the likelihood where they say, and end at edges where they must."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

import metalliance as ma
from tests.models.examples import independent, nested
from tests.tolerances import ITERATED

LIMITS = ["conf_low", "conf_high"]


def pairs(studies: int = 25, seed: int = 1, rho: float = 0.5) -> pd.DataFrame:
    """Two effects of each of two components in every study."""
    rng = np.random.default_rng(seed)
    u = rng.multivariate_normal([0.3, 0.1], [[0.05, rho * 0.04], [rho * 0.04, 0.03]], studies)
    study, level = np.repeat(np.arange(studies), 4), np.tile([0, 0, 1, 1], studies)
    vi = rng.uniform(0.01, 0.04, len(study))
    return pd.DataFrame(
        {
            "study": study,
            "component": np.array(["b", "w"])[level],
            "x": rng.normal(size=len(study)),
            "yi": u[study, level] + rng.normal(size=len(study)) * np.sqrt(vi),
            "vi": vi,
        }
    )


def fit_of(frame: pd.DataFrame, **arguments) -> ma.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ma.SmallSampleWarning)
        return ma.fit(frame, **arguments)


def held(fit_arguments: dict, names: list[str], place: int, value: float) -> dict:
    """The same fit with one component held."""
    fixed: dict[str, list[float | None]] = {}
    for i, name in enumerate(names):
        fixed.setdefault(name, []).append(value if i == place else None)
    return fit_arguments | {names[place]: fixed[names[place]]}


CASES = {
    "nested": (nested(30, 2), {"random": "~ 1 | study/effect"}),
    "ML": (nested(30, 2), {"random": "~ 1 | study/effect", "method": "ML"}),
    "UN": (pairs(), {"random": "~ component | study", "structure": "UN"}),
    "CS": (pairs(), {"random": "~ component | study", "structure": "CS"}),
    "DIAG": (pairs(), {"random": "~ component | study", "structure": "DIAG"}),
    "GEN": (pairs(seed=4), {"random": "~ 1 + x | study", "structure": "GEN"}),
    "crossed": (nested(30, 5), {"random": ["~ 1 | study", "~ 1 | component"]}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("level", [0.95, 0.5])
def test_each_limit_is_where_the_likelihood_ratio_says(name: str, level: float) -> None:
    frame, arguments = CASES[name]
    fit = fit_of(frame, **arguments)
    height = fit.log_lik_ml if fit.method == "ML" else fit.log_lik_reml
    cut = chi2.ppf(level, 1)
    names = [part.name for part in fit.components]
    for place, row in ma.confint(fit, level=level).iterrows():
        assert row["conf_low"] <= row["estimate"] <= row["conf_high"]
        for limit in row[LIMITS]:
            there = fit_of(frame, **held(arguments, names, place, float(limit)))
            ratio = 2 * (height - (there.log_lik_ml if fit.method == "ML" else there.log_lik_reml))
            if limit in (0.0, -1.0, 1.0):
                assert ratio <= cut + 1e-8
            else:
                assert ratio == pytest.approx(cut, abs=1e-6)


def test_against_a_dense_likelihood() -> None:
    frame = nested(15, 3)
    fit = ma.fit(frame, random="~ 1 | study/effect")
    study = pd.factorize(frame["study"])[0]
    same = (study[:, None] == study).astype(float)
    y, v, X = frame["yi"].to_numpy(), frame["vi"].to_numpy(), np.ones((len(frame), 1))

    def reml(between: float, inside: float) -> float:
        M = np.diag(v + inside) + between * same
        W = np.linalg.inv(M)
        A = X.T @ W @ X
        e = y - X @ np.linalg.solve(A, X.T @ W @ y)
        terms = np.linalg.slogdet(M)[1] + np.linalg.slogdet(A)[1] + e @ W @ e
        return -0.5 * (terms + (len(y) - 1) * np.log(2 * np.pi) - np.log(len(y)))

    high = float(ma.confint(fit)["conf_high"].iloc[0])
    best = minimize_scalar(
        lambda inside: -reml(high, inside),
        bounds=(0, 0.2),
        method="bounded",
        options={"xatol": 1e-12},
    )
    assert 2 * (fit.log_lik_reml + best.fun) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-6)


def test_one_term_of_single_effects_is_the_univariate_interval() -> None:
    frame = independent(20, 2)
    one = ma.confint(ma.fit(frame), "profile").iloc[0][LIMITS]
    other = ma.confint(ma.fit(frame, random="~ 1 | study")).iloc[0][LIMITS]
    assert other.to_list() == pytest.approx(one.to_list(), rel=ITERATED)


def test_a_variance_of_zero_has_a_lower_limit_of_zero() -> None:
    frame = nested(12, 0).assign(yi=0.3)
    table = ma.confint(ma.fit(frame, random="~ 1 | study/effect"))
    assert table["conf_low"].tolist() == [0.0, 0.0]
    assert (table["conf_high"] > 0).all()


def test_what_is_held_has_no_interval() -> None:
    frame, arguments = CASES["UN"]
    table = ma.confint(fit_of(frame, **arguments, rho=0.4))
    assert table["estimate"].iloc[2] == 0.4
    assert table[LIMITS].iloc[2].isna().all() and table[LIMITS].iloc[:2].notna().all().all()


def test_components_give_the_same_limits() -> None:
    fit = ma.fit(nested(30, 2), random="~ 1 | study/effect")
    pd.testing.assert_frame_equal(ma.components(fit, "profile"), ma.confint(fit))


def test_q_profile_is_for_independent_effects() -> None:
    with pytest.raises(ma.SpecificationError, match="choose type='profile'"):
        ma.confint(ma.fit(nested(), random="~ 1 | study/effect"), "qprofile")
