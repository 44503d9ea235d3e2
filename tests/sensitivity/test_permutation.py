"""``permutation_test`` against R, against one refit at a time, and under the null."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from tests.models.examples import independent, nested
from tests.tolerances import ITERATED

FOLDER = Path(__file__).parents[1] / "reference"
STORED = json.loads((FOLDER / "permutation.json").read_text(encoding="utf-8"))
VCOV = {"z": ("model", "z"), "knha": ("knha", "t")}


@pytest.mark.parametrize(
    "case", STORED["cases"], ids=lambda c: f"{c['mods']}-{c['method']}-{c['test']}"
)
def test_exact_against_r(case: dict[str, Any]) -> None:
    fit = ma.fit(pd.DataFrame(STORED["data"]), case["mods"], method=case["method"])
    result = ma.permutation_test(ma.infer(fit, *VCOV[case["test"]]), exact=True)
    np.testing.assert_allclose(result.table["statistic"], np.ravel(case["zval"]), rtol=ITERATED)
    np.testing.assert_allclose(result.table["p_value"], np.ravel(case["pval"]), rtol=1e-9)
    assert result.qm_p == pytest.approx(case["QMp"], rel=1e-9)
    assert set(result.table["permutations"]) == {case["permutations"]}


def test_golden() -> None:
    goldens = json.loads((FOLDER / "metafor_goldens_5.1-12.json").read_text(encoding="utf-8"))
    data = pd.read_csv(FOLDER / "datasets" / "hine1989.csv")
    result = ma.permutation_test(ma.infer(ma.fit(data), "model"))
    assert result.table["p_value"][0] == goldens["perm.hine"]["p"]
    assert bool(result.table["exact"][0])


@pytest.mark.parametrize("method", ["EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "PM", "PMM"])
@pytest.mark.parametrize("vcov", ["model", "knha", "adhoc"])
def test_the_batch_is_one_fit_after_another(method: str, vcov: str) -> None:
    frame = independent(5, seed=2)[["yi", "vi", "year"]]
    result = ma.permutation_test(ma.infer(ma.fit(frame, "~ year", method=method), vcov))
    observed = ma.tidy(ma.infer(ma.fit(frame, "~ year", method=method), vcov))["statistic"]
    reached = []
    for order in permutations(range(5)):
        moved = frame.assign(year=frame["year"].to_numpy()[list(order)])
        table = ma.tidy(ma.infer(ma.fit(moved, "~ year", method=method), vcov))
        reached.append(table["statistic"].abs() >= observed.abs() - 1.5e-8)
    np.testing.assert_allclose(result.table["statistic"], observed, rtol=ITERATED)
    np.testing.assert_allclose(result.table["p_value"], np.mean(reached, axis=0), rtol=1e-12)


def test_equal_rows_are_not_told_apart() -> None:
    frame = independent(9).assign(group=list("aaabbbbcc"))
    result = ma.permutation_test(ma.fit(frame, "~ group"), iterations=1260)
    assert set(result.table["permutations"]) == {1260}  # 9! / (3! 4! 2!)
    assert result.table["exact"].all()
    assert not ma.permutation_test(ma.fit(frame, "~ group"), 1259).table["exact"].any()


def test_random_rearrangements_approach_the_exact_test() -> None:
    fit = ma.fit(independent(8, seed=4), "~ year")
    exact = ma.permutation_test(fit, exact=True)
    drawn = ma.permutation_test(fit, iterations=4000, seed=1, exact=False)
    spread = 4 * np.sqrt(0.25 / 4000)
    np.testing.assert_allclose(drawn.table["p_value"], exact.table["p_value"], atol=spread)
    assert drawn.qm_p == pytest.approx(exact.qm_p, abs=spread)
    again = ma.permutation_test(fit, iterations=4000, seed=1, exact=False)
    pd.testing.assert_frame_equal(ma.tidy(again), ma.tidy(drawn))


def test_a_fixed_tau2_stays_fixed() -> None:
    fit = ma.fit(independent(6), tau2=0.05)
    result = ma.permutation_test(ma.infer(fit, "model"))
    signs = np.array(np.meshgrid(*[[1, -1]] * 6)).reshape(6, -1)
    w = 1 / (fit.vi + 0.05)
    means = np.abs(signs.T @ (w * fit.yi))
    assert result.table["p_value"][0] == np.mean(means >= abs(w @ fit.yi) - 1e-9)


def test_p_values_are_uniform_under_the_null() -> None:
    p = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({"vi": rng.uniform(0.01, 0.2, 8), "x": rng.normal(size=8)})
        frame["yi"] = rng.normal(size=8) * np.sqrt(frame["vi"] + 0.05)
        fit = ma.fit(frame, "~ x", method="DL")
        p.append(ma.permutation_test(fit, iterations=99, seed=seed).table["p_value"][1])
    for alpha in (0.1, 0.3, 0.5, 0.8):
        assert np.mean(np.array(p) <= alpha) == pytest.approx(alpha, abs=3.5 * 0.5 / 200**0.5)


def test_what_is_refused() -> None:
    fit = ma.fit(independent(30), "~ year")
    for call, says in (
        (lambda: ma.permutation_test(ma.fit(nested(), random="~ 1 | study")), "CR2"),
        (lambda: ma.permutation_test(ma.infer(fit, "CR1", cluster="study")), "no clusters"),
        (lambda: ma.permutation_test(fit, exact=True), "leave exact= out"),
    ):
        with pytest.raises(ma.SpecificationError, match=says):
            call()
    with pytest.raises(ValueError, match="iterations"):
        ma.permutation_test(fit, iterations=0)
