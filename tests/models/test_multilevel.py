"""Structures of random effects through the public interface."""

import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.linalg import inv, slogdet

import metalliance as ma
from metalliance.models import multilevel
from metalliance.models.fit import refit
from metalliance.models.random import parse_random, slopes_of
from metalliance.numerics.structures import STRUCTURE_NAMES
from tests.tolerances import BOUNDARY, CLOSED_FORM, COMPONENT, ITERATED, LOG_LIKELIHOOD

MEANS = "~ 0 + o"
BY_STUDY = "~ o | study"


def effects(
    studies: int = 20, levels: str = "ab", seed: int = 0, correlation: float = 0.5
) -> pd.DataFrame:
    """One effect per study and level, a moderator and a rater who sees several studies."""
    rng, q = np.random.default_rng(seed), len(levels)
    tau = np.linspace(0.3, 0.5, q)
    same = correlation * np.ones((q, q)) + (1 - correlation) * np.eye(q)
    true = rng.multivariate_normal(np.zeros(q), same, studies) * tau
    vi = rng.uniform(0.02, 0.06, (studies, q))
    return pd.DataFrame(
        {
            "study": np.repeat([f"S{j:02d}" for j in range(studies)], q),
            "o": np.tile(list(levels), studies),
            "yi": (0.3 + true + np.sqrt(vi) * rng.normal(size=vi.shape)).ravel(),
            "vi": vi.ravel(),
            "x": rng.normal(size=studies * q),
            "rater": rng.choice(["r1", "r2", "r3", "r4", "r5"], studies * q),
            "team": rng.choice(["t1", "t2", "t3", "t4"], studies * q),
            "effect": np.arange(studies * q),
        }
    )


def repeated(studies: int = 20, seed: int = 0) -> pd.DataFrame:
    """Two effects per study and level."""
    once, rng = effects(studies, seed=seed), np.random.default_rng(seed)
    again = once.assign(yi=once["yi"] + 0.3 * rng.normal(size=len(once)))
    both = pd.concat([once, again], ignore_index=True)
    return both.assign(effect=np.arange(len(both)))


def labels(fit: ma.Fit) -> list[tuple[str, str]]:
    table = ma.components(fit)
    return list(zip(table["name"], table["term"], strict=True))


def values(fit: ma.Fit, name: str) -> np.ndarray:
    table = ma.components(fit)
    return table.loc[table["name"] == name, "estimate"].to_numpy()


@pytest.fixture(autouse=True)
def few_groups(request: pytest.FixtureRequest) -> Iterator[None]:
    with warnings.catch_warnings():
        if "warns" not in request.node.name:
            warnings.simplefilter("ignore", ma.SmallSampleWarning)
        yield


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        ("ID", [("tau2", "o | study")]),
        ("DIAG", [("tau2", "a"), ("tau2", "b"), ("tau2", "c")]),
        ("CS", [("tau2", "o | study"), ("rho", "o | study")]),
        ("AR", [("tau2", "o | study"), ("rho", "o | study")]),
        ("HCS", [("tau2", "a"), ("tau2", "b"), ("tau2", "c"), ("rho", "o | study")]),
        (
            "UN",
            [
                *(("tau2", "a"), ("tau2", "b"), ("tau2", "c")),
                *(("rho", "a, b"), ("rho", "a, c"), ("rho", "b, c")),
            ],
        ),
    ],
)
def test_names_and_order(structure: str, expected: list[tuple[str, str]]) -> None:
    fit = ma.fit(effects(levels="cab"), MEANS, random=BY_STUDY, structure=structure)
    assert labels(fit) == expected
    assert fit.call["structure"] == [structure]


def test_names_with_two_levels_slopes_and_several_terms() -> None:
    frame = effects()
    two = ma.fit(frame, random=BY_STUDY, structure="CS")
    assert labels(two) == [("tau2", "o | study"), ("rho", "a, b")]
    slopes = ma.fit(frame, "~ x", random="~ 1 + x | study", structure="GEN")
    assert labels(slopes) == [("tau2", "Intercept"), ("tau2", "x"), ("rho", "Intercept, x")]
    several = ma.fit(
        frame, random=[BY_STUDY, "~ 1 | team", "~ o | rater"], structure=["DIAG", "UN"]
    )
    assert labels(several) == [
        *(("tau2", "o | study: a"), ("tau2", "o | study: b")),
        ("sigma2", "team"),
        *(("tau2", "o | rater: a"), ("tau2", "o | rater: b"), ("rho", "o | rater: a, b")),
    ]


def test_levels_come_sorted_as_numbers_or_as_declared() -> None:
    frame = effects(levels="abc").assign(
        wave=lambda f: f["o"].map({"a": 10, "b": 9, "c": 1}),
        kind=lambda f: pd.Categorical(f["o"], ["c", "b", "a", "none"]),
    )
    by_number = ma.fit(frame, random="~ wave | study", structure="DIAG")
    assert [term for _, term in labels(by_number)] == ["1", "9", "10"]
    declared = ma.fit(frame, random="~ kind | study", structure="DIAG")
    assert [term for _, term in labels(declared)] == ["c", "b", "a"]
    np.testing.assert_allclose(values(declared, "tau2"), values(by_number, "tau2"))


def test_the_default_structure_is_recorded() -> None:
    fit = ma.fit(effects(), random=BY_STUDY)
    assert fit.call["structure"] == ["CS"]
    assert labels(fit) == labels(ma.fit(effects(), random=BY_STUDY, structure="CS"))


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_compound_symmetry_is_nesting(method: str) -> None:
    """τ²ρ is the variance between studies, τ²(1-ρ) the variance within them."""
    frame = effects(levels="abc", seed=1)
    cs = ma.fit(frame, random=BY_STUDY, structure="CS", method=method)
    nested = ma.fit(frame, random="~ 1 | study/o", method=method)
    (tau2,), (rho,) = values(cs, "tau2"), values(cs, "rho")
    assert rho > 0
    np.testing.assert_allclose(fit_numbers(cs), fit_numbers(nested), rtol=ITERATED)
    np.testing.assert_allclose(nested.sigma2, [tau2 * rho, tau2 * (1 - rho)], rtol=1e-6)


def fit_numbers(fit: ma.Fit) -> np.ndarray:
    return np.concatenate([[fit.log_lik_ml, fit.log_lik_reml], fit.beta, fit.vcov.ravel()])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"structure": "HCS"}, {"structure": "UN"}),
        ({"structure": "AR"}, {"structure": "CS"}),
        ({"structure": "DIAG"}, {"structure": "UN", "rho": 0.0}),
        ({"structure": "ID"}, {"structure": "CS", "rho": 0.0}),
        ({"structure": "ID"}, {"random": "~ 1 | effect"}),
        ({"structure": "UN"}, {"random": "~ 0 + a + b | study", "structure": "GEN"}),
        ({"structure": "DIAG"}, {"random": "~ 0 + o | study", "structure": "GEN", "rho": 0.0}),
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_model_twice(first: dict[str, Any], second: dict[str, Any], seed: int) -> None:
    frame = effects(seed=seed).assign(
        a=lambda f: (f["o"] == "a").astype(float), b=lambda f: (f["o"] == "b").astype(float)
    )
    one, other = (
        ma.fit(frame, MEANS, **{"random": BY_STUDY, **given}) for given in (first, second)
    )
    np.testing.assert_allclose(fit_numbers(one), fit_numbers(other), rtol=1e-6)
    assert one.log_lik_reml == pytest.approx(other.log_lik_reml, rel=LOG_LIKELIHOOD)
    np.testing.assert_allclose(
        one.marginal.to_array(), other.marginal.to_array(), rtol=1e-6, atol=1e-12
    )


def test_a_sample_covariance_less_the_sampling_error() -> None:
    """Complete and equally precise: the REML estimate of G is S - vI."""
    frame = effects(studies=30, levels="abc", seed=4).assign(vi=0.03)
    fit = ma.fit(frame, MEANS, random=BY_STUDY, structure="UN")
    wide = frame.pivot(index="study", columns="o", values="yi")
    G = wide.cov().to_numpy() - 0.03 * np.eye(3)
    tau = np.sqrt(np.diagonal(G))
    np.testing.assert_allclose(values(fit, "tau2"), tau**2, rtol=ITERATED)
    np.testing.assert_allclose(
        values(fit, "rho"), [G[i, j] / (tau[i] * tau[j]) for i, j in [(1, 0), (2, 0), (2, 1)]]
    )
    np.testing.assert_allclose(fit.beta, wide.mean(), rtol=CLOSED_FORM)
    np.testing.assert_allclose(fit.vcov, wide.cov().to_numpy() / 30, rtol=ITERATED)


def test_fewer_constraints_never_fit_worse() -> None:
    frame = effects(levels="abc", seed=5)
    fits = {
        name: ma.fit(frame, MEANS, random=BY_STUDY, structure=name).log_lik_reml
        for name in STRUCTURE_NAMES
        if name != "GEN"
    }
    for path in (["ID", "DIAG", "HCS", "UN"], ["ID", "CS", "HCS", "UN"], ["ID", "AR", "UN"]):
        for smaller, larger in pairwise(path):
            assert fits[larger] >= fits[smaller] - LOG_LIKELIHOOD


def dense_log_lik(fit: ma.Fit, M: np.ndarray) -> float:
    W, X, y = inv(M), fit.X, fit.yi
    A = X.T @ W @ X
    P = W - W @ X @ inv(A) @ X.T @ W
    logs = slogdet(M)[1] + slogdet(A)[1] - slogdet(X.T @ X)[1]
    return float(-0.5 * ((fit.k - fit.p) * np.log(2 * np.pi) + logs + y @ P @ y))


def test_crossed_terms_and_structures_together() -> None:
    frame = repeated(seed=6)
    V = ma.sampling_covariance(frame, cluster="study", rho=0.6)
    random = ["~ 1 | rater", BY_STUDY, "~ 1 | effect"]
    fit = ma.fit(frame, "~ o + x", random=random, structure="CS", V=V)

    def together(column: str) -> np.ndarray:
        codes = frame[column].to_numpy()
        return (codes[:, None] == codes).astype(float)

    def marginal(rater: float, tau2: float, rho: float, effect: float) -> np.ndarray:
        alike = np.where(together("o") == 1, 1.0, rho)
        G = tau2 * alike * together("study")
        return V.to_array() + rater * together("rater") + G + effect * np.eye(len(frame))

    best = [values(fit, "sigma2")[0], values(fit, "tau2")[0], values(fit, "rho")[0]]
    best.append(values(fit, "sigma2")[1])
    M = marginal(*best)
    np.testing.assert_allclose(fit.marginal.to_array(), M, rtol=CLOSED_FORM, atol=1e-15)
    assert fit.log_lik_reml == pytest.approx(dense_log_lik(fit, M), rel=CLOSED_FORM)
    rng = np.random.default_rng(0)
    for _ in range(40):
        near = np.abs(np.array(best) * np.exp(0.3 * rng.normal(size=4)) + 1e-3 * rng.random(4))
        near[2] = min(near[2], 1.0)
        assert dense_log_lik(fit, marginal(*near)) <= fit.log_lik_reml + LOG_LIKELIHOOD
    assert fit.clusters is None
    with pytest.raises(ma.SpecificationError, match="crossed"):
        ma.infer(fit)
    assert ma.infer(fit, "model").fit is fit


def test_random_slopes_against_the_dense_likelihood() -> None:
    frame = effects(studies=15, levels="abcd", seed=7)
    fit = ma.fit(frame, "~ x", random="~ 1 + x | study", structure="GEN")
    tau2, rho = values(fit, "tau2"), values(fit, "rho")
    off = rho[0] * np.sqrt(tau2[0] * tau2[1])
    Z = np.column_stack([np.ones(len(frame)), frame["x"]])
    study = frame["study"].to_numpy()
    G = np.array([[tau2[0], off], [off, tau2[1]]])
    M = np.diag(frame["vi"]) + (study[:, None] == study) * (Z @ G @ Z.T)
    assert fit.log_lik_reml == pytest.approx(dense_log_lik(fit, M), rel=CLOSED_FORM)
    np.testing.assert_allclose(fit.spread, np.einsum("ij,jk,ik->i", Z, G, Z), rtol=1e-9)


@pytest.mark.parametrize(
    "held",
    [
        {"structure": "UN", "rho": 0.8},
        {"structure": "UN", "rho": -0.8},
        {"structure": "UN", "rho": 1.0},
        {"structure": "UN", "tau2": [0.1, None]},
        {"structure": "UN", "tau2": [0.1, 0.2]},
        {"structure": "UN", "tau2": [None, 0.0], "rho": 0.3},
        {"structure": "HCS", "rho": -0.9},
        {"structure": "CS", "tau2": 0.2},
        {"structure": "CS", "rho": 0.4},
        {"structure": "AR", "rho": -1.0},
        {"structure": "DIAG", "tau2": [None, 0.05]},
        {"structure": "UN", "tau2": [0.1, 0.2], "rho": 0.5},
    ],
    ids=str,
)
def test_what_is_held_is_reported_as_given(held: dict[str, Any]) -> None:
    frame = effects(seed=8, correlation=0.9)
    fit = ma.fit(frame, MEANS, random=BY_STUDY, **held)
    free = ma.fit(frame, MEANS, random=BY_STUDY, structure=held["structure"])
    for name in ("tau2", "rho"):
        given = np.atleast_1d(np.array(held.get(name), dtype=float))
        found, fixed = values(fit, name), [p.fixed for p in fit.components if p.name == name]
        given = np.broadcast_to(given, len(found))
        known = ~np.isnan(given)
        assert fixed == known.tolist()
        exists = known & ~np.isnan(found)
        np.testing.assert_allclose(found[exists], given[exists], rtol=1e-12)
    assert fit.log_lik_reml <= free.log_lik_reml + LOG_LIKELIHOOD
    counted = sum(not part.fixed for part in fit.components)
    row = ma.glance(ma.infer(fit, "model")).iloc[0]
    assert row["aic"] == pytest.approx(-2 * fit.log_lik_reml + 2 * (fit.p + counted))


def test_one_of_two_terms_of_single_effects_is_held() -> None:
    frame = effects(seed=15)
    alone = ma.fit(frame, random=BY_STUDY, structure="ID")
    random = ["~ 1 | effect", BY_STUDY]
    split = ma.fit(frame, random=random, structure="ID", sigma2=0.02)
    total = values(split, "sigma2")[0] + values(split, "tau2")[0]
    assert total == pytest.approx(values(alone, "tau2")[0], rel=ITERATED)
    np.testing.assert_allclose(fit_numbers(split), fit_numbers(alone), rtol=ITERATED)


def test_holding_every_estimate_gives_the_same_fit() -> None:
    frame = effects(levels="abc", seed=9)
    fit = ma.fit(frame, MEANS, random=BY_STUDY, structure="UN")
    again = ma.fit(
        frame,
        MEANS,
        random=BY_STUDY,
        structure="UN",
        tau2=values(fit, "tau2"),
        rho=values(fit, "rho"),
    )
    np.testing.assert_allclose(fit_numbers(again), fit_numbers(fit), rtol=ITERATED)
    assert again.convergence.method == "fixed"


def test_a_correlation_that_is_held_opposite_to_the_data() -> None:
    """Found with the sign turned once: a length may not pass through zero."""
    frame = effects(studies=40, seed=10, correlation=-0.3)
    turned = frame.assign(yi=np.where(frame["o"] == "b", -frame["yi"], frame["yi"]))
    for structure in ("UN", "HCS"):
        against = ma.fit(frame, MEANS, random=BY_STUDY, structure=structure, rho=0.6)
        mirrored = ma.fit(turned, MEANS, random=BY_STUDY, structure=structure, rho=-0.6)
        assert (values(against, "rho"), values(mirrored, "rho")) == ([0.6], [-0.6])
        np.testing.assert_allclose(values(against, "tau2"), values(mirrored, "tau2"), rtol=1e-6)
        assert against.log_lik_reml == pytest.approx(mirrored.log_lik_reml, rel=LOG_LIKELIHOOD)


def test_no_variance_no_correlation() -> None:
    frame = effects(seed=11).assign(yi=0.3)
    for structure in ("CS", "UN", "AR"):
        fit = ma.fit(frame, random=BY_STUDY, structure=structure)
        np.testing.assert_allclose(values(fit, "tau2"), 0.0, atol=0)
        assert np.isnan(values(fit, "rho")).all()
        assert fit.convergence.boundary


REFUSED = [
    ({"structure": "XX"}, ValueError, "unknown structure 'XX'; choose one of ID, DIAG, CS"),
    ({"random": "~ 1 | study", "structure": "UN"}, None, "belongs to a term such as"),
    ({"random": [BY_STUDY, "~ o | rater"], "structure": ["UN"] * 3}, None, "3 structures for 2"),
    ({"random": "~ x + o | study", "structure": "UN"}, None, "take structure='GEN'"),
    ({"random": BY_STUDY, "tau2": [0.1, 0.1]}, None, "2 values for 1 components"),
    ({"random": BY_STUDY, "rho": 1.5}, None, "rho= of o | study: a correlation must lie between"),
    ({"random": BY_STUDY, "tau2": -1}, None, "tau2= must be finite and at least zero"),
    ({"random": BY_STUDY, "tau2": np.inf}, None, "tau2= must be finite and at least zero"),
    ({"random": BY_STUDY, "rho": "high"}, None, "rho= must be numbers"),
    ({"random": BY_STUDY, "sigma2": 0.1}, None, "sigma2= fixes nothing here"),
    ({"random": "~ 1 | study", "rho": 0.5}, None, "rho= fixes nothing here"),
    ({"random": "~ 1 | study", "tau2": 0.5}, None, "tau2= fixes nothing here"),
    ({"random": BY_STUDY, "method": "DL"}, None, "fitted by ML or REML, not by DL"),
    ({"random": "~ o | rater/study"}, None, "has one outer factor"),
    ({"random": "~ nothing | study"}, None, "nothing"),
    (
        {"random": ["~ 1 | effect", BY_STUDY], "structure": "ID"},
        None,
        "variance of effect and the variance of o | study cannot be told apart",
    ),
    ({"random": [BY_STUDY, BY_STUDY]}, None, "names o | study more than once"),
    ({"random": "~ 1 | study", "mods": "~ 0 + study"}, None, "variance of study cannot be told"),
]


@pytest.mark.parametrize(("arguments", "error", "says"), REFUSED, ids=lambda v: str(v)[:60])
def test_what_is_refused(arguments: dict[str, Any], error: Any, says: str) -> None:
    pattern = says.replace("|", r"\|").replace("(", r"\(")
    with pytest.raises(error or ma.SpecificationError, match=pattern):
        ma.fit(effects(), **{"random": BY_STUDY, **arguments})


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ({"tau2": [0.1, 0.1, None]}, "hold one variance, or one correlation"),
        ({"tau2": [0.1, None, None], "rho": [0.2, None, None]}, "hold one variance"),
        ({"rho": [0.9, 0.9, -0.9]}, "not positive definite"),
    ],
)
def test_what_cannot_be_held_together(held: dict[str, Any], says: str) -> None:
    with pytest.raises(ma.SpecificationError, match=says):
        ma.fit(effects(levels="abc"), random=BY_STUDY, structure="UN", **held)


@pytest.mark.parametrize("structure", ["UN", "HCS", "CS", "AR"])
def test_a_correlation_that_no_study_shows(structure: str) -> None:
    """Every study has one level; metafor returns its starting value here."""
    frame = effects(levels="abc").groupby("study").sample(1, random_state=0)
    with pytest.raises(ma.SpecificationError, match=r"no study has .* together, so"):
        ma.fit(frame, random=BY_STUDY, structure=structure)
    assert ma.fit(frame, random=BY_STUDY, structure="DIAG").convergence.converged
    held = [0.5] * 3 if structure == "UN" else 0.5
    assert ma.fit(frame, random=BY_STUDY, structure=structure, rho=held).k == 20


def test_the_pair_that_is_missing_is_named() -> None:
    frame = effects(levels="abc")
    first = frame["study"] < "S10"
    frame = frame[(first & (frame["o"] != "c")) | (~first & (frame["o"] != "a"))]
    with pytest.raises(ma.SpecificationError, match="no study has a, c together"):
        ma.fit(frame, random=BY_STUDY, structure="UN")
    assert ma.fit(frame, random=BY_STUDY, structure="HCS").convergence.converged


def test_linear_algebra_that_fails_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise np.linalg.LinAlgError

    monkeypatch.setattr(multilevel, "maximise", fails)
    with pytest.raises(ma.ConvergenceError, match="check V for effects that are almost copies"):
        ma.fit(effects(), random=BY_STUDY)


@pytest.mark.parametrize("structure", ["CS", "HCS", "UN", "AR"])
def test_few_groups_warns(structure: str) -> None:
    frame = effects(studies=12)
    seven = frame[(frame["study"] < "S07") | (frame["o"] == "a")]
    with pytest.warns(ma.SmallSampleWarning, match="rests on 7 levels of study that have both"):
        ma.fit(seven, random=BY_STUDY, structure=structure)


def test_enough_groups_or_none_needed_warns_of_nothing() -> None:
    frame = effects(studies=12)
    ma.fit(frame, random=BY_STUDY, structure="UN")
    few = frame[(frame["study"] < "S07") | (frame["o"] == "a")]
    ma.fit(few, random=BY_STUDY, structure="DIAG")
    ma.fit(few, random=BY_STUDY, structure="UN", rho=0.5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"random": BY_STUDY, "structure": "UN"},
        {"random": BY_STUDY, "structure": "UN", "rho": 0.5},
        {"random": BY_STUDY, "structure": "HCS", "tau2": [0.1, None]},
        {"random": "~ 1 + x | study", "structure": "GEN"},
        {"random": [BY_STUDY, "~ 1 | effect"], "structure": "CS"},
    ],
    ids=str,
)
def test_leaving_studies_out(arguments: dict[str, Any]) -> None:
    frame = repeated(studies=14, seed=12)
    fit = ma.fit(frame, **arguments)
    keep = (frame["study"] != "S03").to_numpy()
    near, far = refit(fit, keep), ma.fit(frame[keep], **arguments)
    np.testing.assert_allclose(fit_numbers(near), fit_numbers(far), rtol=1e-6)
    assert [part.fixed for part in near.components] == [part.fixed for part in fit.components]
    table = ma.leave_one_out(ma.infer(fit, "model", test="z"), by="study").table
    assert len(table) == 14
    row = table.set_index("omitted").loc["S03"]
    assert row["tau2"] == pytest.approx(far.heterogeneity, rel=1e-6)
    assert row["estimate"] == pytest.approx(far.beta[0], rel=1e-6)


def test_a_level_that_is_lost_on_the_way() -> None:
    frame = effects(studies=12, levels="abc")
    rare = frame[(frame["o"] != "c") | (frame["study"] == "S00")]
    fit = ma.fit(rare, random=BY_STUDY, structure="DIAG")
    with pytest.raises(ma.SpecificationError, match=r"no row of some level of o \| study is left"):
        refit(fit, (rare["study"] != "S00").to_numpy())
    table = ma.leave_one_out(ma.infer(fit, "model")).table
    assert np.isnan(table["estimate"]).tolist() == [True] + [False] * 11


def test_which_effects_of_a_group_enter_new_rows() -> None:
    frame = effects()
    (term,) = parse_random(BY_STUDY, frame, "UN")
    assert slopes_of(term, pd.DataFrame({"o": ["b", "a"]})).tolist() == [[0, 1], [1, 0]]
    (intercept,) = parse_random("~ 1 | study", frame)
    assert slopes_of(intercept, frame.head(2)).tolist() == [[1], [1]]
    (slope,) = parse_random("~ 1 + x | study", frame, "GEN")
    assert slopes_of(slope, pd.DataFrame({"x": [2.5]})).tolist() == [[1, 2.5]]
    with pytest.raises(ma.SpecificationError, match="has the level 'z', which the fitted rows"):
        slopes_of(term, pd.DataFrame({"o": ["z"]}))


def test_robust_errors_of_a_structured_fit() -> None:
    """The cluster is the outer factor; more of them bring the two covariances together."""
    fit = ma.fit(effects(studies=200, seed=13), MEANS, random=BY_STUDY, structure="UN")
    robust, model = ma.infer(fit), ma.infer(fit, "model")
    assert (robust.vcov_type, robust.cluster_name, robust.n_clusters) == ("CR2", "study", 200)
    np.testing.assert_allclose(robust.std_error, model.std_error, rtol=0.05)
    assert ma.wald_test(robust).iloc[0]["test"] == "HTZ"


@pytest.mark.parametrize("scale", [1e-2, 1e2])
def test_units(scale: float) -> None:
    frame = effects(levels="abc", seed=14)
    other = frame.assign(yi=scale * frame["yi"], vi=scale**2 * frame["vi"])
    first, second = (ma.fit(f, MEANS, random=BY_STUDY, structure="UN") for f in (frame, other))
    np.testing.assert_allclose(
        values(second, "tau2"), scale**2 * values(first, "tau2"), rtol=COMPONENT, atol=0
    )
    np.testing.assert_allclose(
        values(second, "rho"), values(first, "rho"), rtol=COMPONENT, atol=BOUNDARY
    )
