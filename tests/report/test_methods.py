from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from metalliance.report.methods import COVERAGE, methods_paragraphs, references


def test_each_pool_is_described_by_the_model_it_took(congruence, simulated):
    text = " ".join(methods_paragraphs(congruence))
    assert "Where every study had one effect (Total)" in text and "Knapp–Hartung" in text
    text = " ".join(methods_paragraphs(simulated))
    assert "Where studies had several effects (Total; Trait-like" in text
    assert "assumed to correlate .60" in text and "CR2" in text
    assert text.startswith("All data are simulated; no row is a real study.")


def test_only_checks_that_were_made_are_described(congruence, simulated):
    assert "assuming sampling correlations of .3 and .8" in " ".join(methods_paragraphs(simulated))
    assert "assuming sampling correlations" not in " ".join(methods_paragraphs(congruence))


def test_only_works_that_were_used_are_cited(congruence):
    one = replace(congruence, pools=(congruence.pool("total"),))
    cited = " ".join(references(one))
    assert "Knapp" in cited and "Pustejovsky" not in cited
    assert "Pustejovsky" in " ".join(references(congruence))
    assert all("https://doi.org/" in text for text in references(one) if "Fisher, R." not in text)


def test_the_coverage_that_the_report_tells_is_the_simulated_one() -> None:
    path = Path(__file__).parents[1] / "simulation" / "results" / "independent.csv"
    rates = pd.read_csv(path)
    rates = rates[(rates["quantity"] == "new true effect") & (rates["method"] == "REML KH")]
    for studies, limits in COVERAGE.items():
        found = rates[rates["studies"] == studies]["rate"]
        assert len(found) == 2
        told = tuple(f"{value:.2f}".lstrip("0") for value in (found.min(), found.max()))
        assert told == limits
    path = path.with_name("dependent.csv")
    rates = pd.read_csv(path)
    dependent = rates[
        (rates["quantity"] == "new effect")
        & (rates["method"] == "CR2 t(c-1)")
        & (rates["scenario"] == "CHE, true ρ 0.8")
    ]["rate"]
    assert len(dependent) == 4
    assert 0.925 <= dependent.min() <= dependent.max() < 0.945
