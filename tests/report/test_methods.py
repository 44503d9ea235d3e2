from __future__ import annotations

from dataclasses import replace

from metalliance.report.methods import methods_paragraphs, references


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
