from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from metalliance.report.figures import report_figures
from metalliance.report.html import render_html
from metalliance.report.results import results

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Tags, ids, links and cited numbers of a page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.ids, self.links, self.cited = [], [], [], []
        self.source = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("href", "src"):
            if name in values:
                self.links.append(values[name])
        if "data-src" in values:
            self.source = values["data-src"]
        if "data-root-of" in values:
            self.source = f"root {values['data-root-of']}"

    def handle_data(self, data):
        if self.source is not None:
            self.cited.append((self.source, data.strip()))
            self.source = None


@pytest.fixture(scope="module")
def rendered(congruence, simulated):
    return {
        "congruence": (congruence, render_html(congruence, report_figures(congruence))),
        "simulated": (simulated, render_html(simulated, report_figures(simulated))),
    }


def value_at(values, path):
    """The value at a dotted path; models and leave-one-out tables are named by pool keys."""
    kind, _, rest = path.partition(".")
    if kind == "models":
        keys = sorted((m["id"] for m in values["models"]), key=len, reverse=True)
        key = next(k for k in keys if rest.startswith(f"{k}."))
        here = next(m for m in values["models"] if m["id"] == key)
        rest = rest.removeprefix(f"{key}.")
    else:
        here = values["questions"]
        rest = rest or path
        name, _, rest = rest.partition(".")
        here = here[name]
        if name in ("leave_one_out", "sophistication_by_pool"):
            key = next(k for k in sorted(here, key=len, reverse=True) if rest.startswith(f"{k}."))
            here, rest = here[key], rest.removeprefix(f"{key}.")
    for step in rest.split("."):
        here = here[int(step)] if isinstance(here, list) else here[step]
    return here


def printed_numbers(text):
    found = re.findall(r"−?\d*\.?\d+", text.replace(",", "") if "[" not in text else text)
    return [float(one.replace("−", "-")) for one in found]


def rounds_to(shown, value):
    digits = len(shown.partition(".")[2])
    return abs(float(shown.replace("−", "-")) - value) <= 0.5 * 10**-digits + 1e-9


@pytest.mark.parametrize("name", ["congruence", "simulated"])
def test_every_cited_number_is_in_results_json(rendered, name):
    analysis, text = rendered[name]
    values = results(analysis)
    cited = Page(text).cited
    assert len(cited) > 30
    for source, shown in cited:
        numbers = re.findall(r"−?\d*\.?\d+", shown if "[" in shown else shown.replace(",", ""))
        root = source.startswith("root ")
        paths = source.removeprefix("root ").split()
        if root:
            assert rounds_to(numbers[0], math.sqrt(value_at(values, paths[0])))
            continue
        assert len(numbers) == len(paths), (source, shown)
        for path, number in zip(paths, numbers, strict=True):
            value = value_at(values, path)
            if shown.startswith("p <"):
                assert value < 0.0005
            else:
                assert rounds_to(number, value), (path, number, value)


@pytest.mark.parametrize("name", ["congruence", "simulated"])
def test_the_page_stands_alone(rendered, name):
    _, text = rendered[name]
    page = Page(text)
    assert len(text.encode()) < 3_000_000
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert "@import" not in text and "url(" not in text
    policy = next(v for t, v in page.tags if v.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy["content"]
    assert len(page.ids) == len(set(page.ids))
    anchors = [link[1:] for link in page.links if link.startswith("#")]
    assert set(anchors) <= set(page.ids)
    assert ("html", {"lang": "en"}) in page.tags
    assert all("scope" in values for tag, values in page.tags if tag == "th")


def test_only_simulated_data_have_a_banner(rendered):
    banners = {
        name: sum("banner" in str(v.get("class")) for _, v in Page(text).tags)
        for name, (_, text) in rendered.items()
    }
    assert banners == {"congruence": 0, "simulated": 1}
    figures = report_figures(rendered["simulated"][0])
    assert all(figure.figure.alt.startswith("SIMULATED DATA") for figure in figures)


def test_hostile_names_stay_text(flat):
    names = [HOSTILE, "=cmd()", '" onload="x', "ü ø č", "{{ 7*7 }}", "Study 6"]
    analysis = flat([0.1, 0.2, 0.3, 0.2, 0.4, 0.5], studies=[n.replace('"', '""') for n in names])
    text = render_html(analysis, report_figures(analysis))
    assert HOSTILE not in text and "&lt;script&gt;" in text
    assert "{{ 7*7 }}" in text and "49" not in re.findall(r">49<", text)
    tags = Page(text).tags
    assert sum(tag == "script" for tag, _ in tags) == 1
    assert not any(name.startswith("on") for _, values in tags for name in values)


def test_one_study_makes_a_report(flat):
    analysis = flat([0.3])
    text = render_html(analysis, report_figures(analysis))
    assert "No pool has two independent studies yet." in text
    assert "not pooled" in text


def test_figures_are_named_by_what_they_show(simulated):
    names = [figure.name for figure in report_figures(simulated)]
    assert names[:3] == ["summary", "caterpillar-total", "forest-components-z"]
    assert {"forest-components-beta", "forest-total", "sophistication-total"} <= set(names)
    places = {figure.name: figure.place for figure in report_figures(simulated)}
    assert places["forest-total"] == "appendix" and places["caterpillar-total"] == "main"
