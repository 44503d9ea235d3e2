"""Sentences and the page of a session report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metalliance.errors import OutputError
from metalliance.report.session_report import NamedStudy, write_session_report
from metalliance.report.session_tables import session_label
from metalliance.report.session_words import _sentence, _sentences, session_sentences
from metalliance.traitstate.session_data import SessionColumns
from metalliance.traitstate.session_file import read_sessions
from metalliance.traitstate.session_methods import SessionOptions
from metalliance.traitstate.session_study import study_of_sessions
from tests.report.test_html import HOSTILE, Page
from tests.traitstate.session_tables import session_table


def named(folder: Path, table: pd.DataFrame | None = None, name: str = "S1") -> NamedStudy:
    path = folder / "study.csv"
    (session_table(patients=30) if table is None else table).to_csv(path, index=False)
    file = read_sessions(path, SessionColumns())
    study = study_of_sessions(file.data, SessionOptions(lag=1), every=True)
    return NamedStudy(name=name, file=file, study=study)


def row(estimate: float, low: float, high: float, metric: str = "z") -> pd.Series:
    return pd.Series(
        {"estimate": estimate, "conf_low": low, "conf_high": high, "es_metric": metric}
    )


def test_a_direction_is_claimed_only_where_zero_is_left_out() -> None:
    assert "had better outcomes: r = .30 [.10, .48]." in _sentence("between", row(0.3, 0.1, 0.48))
    assert "had worse outcomes: r = −.30" in _sentence("between", row(-0.3, -0.48, -0.1))
    for kind in ("between", "within", "forward", "reverse"):
        told = _sentence(kind, row(0.1, -0.01, 0.2, "beta"))
        assert "clearly" in told
        assert "β = .10 [−.01, .20]" in told
        assert "better:" not in told
        assert "worse:" not in told
    assert _sentence("within", row(0.1, np.nan, np.nan)).startswith("No interval")
    later = _sentence("reverse", pd.concat([row(0.1, 0.05, 0.2, "beta"), pd.Series({"lag": 2.0})]))
    assert "the alliance 2 sessions later was better" in later


def test_sentences_of_a_study(tmp_path: Path) -> None:
    found = named(tmp_path)
    headings = [heading for heading, _ in session_sentences(found.study)]
    assert headings == [
        "Between patients (trait-like).",
        "Within patients (state-like).",
        "Alliance first.",
        "Outcome first.",
        "To be kept apart.",
    ]
    table = session_table(patients=30)
    last = table.groupby("patient")["session"].transform("max")
    table.loc[table["session"] != last, "outcome"] = np.nan
    post = named(tmp_path, table)
    assert [h for h, _ in session_sentences(post.study)] == ["Between patients (trait-like)."]


def test_the_page_is_whole_and_escapes(tmp_path: Path) -> None:
    table = session_table(patients=30)
    table.loc[table["patient"] == "P003", "patient"] = HOSTILE
    out = tmp_path / "out"
    written = write_session_report([named(tmp_path, table, name="A <b>")], out)
    assert written[0] == out / "sessions.html"
    text = written[0].read_text(encoding="utf-8")
    assert HOSTILE not in text
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert all(not link.startswith("http") for link in page.links)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("svg") == 2
    assert tags.count("h1") == 1
    values = json.loads((out / "sessions.json").read_text())
    assert values["studies"][0]["study"] == "A <b>"
    assert "SIMULATED" not in text


def test_simulated_is_marked_everywhere(tmp_path: Path) -> None:
    written = write_session_report([named(tmp_path)], tmp_path / "out", simulated=True)
    for path in written:
        if path.suffix in (".html", ".svg"):
            assert "SIMULATED DATA" in path.read_text(encoding="utf-8")


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "effects.csv").write_text("mine")
    with pytest.raises(OutputError, match="was not written by"):
        write_session_report([named(tmp_path)], tmp_path / "out")
    assert (tmp_path / "out" / "effects.csv").read_text() == "mine"


def test_labels_say_lag_and_direction() -> None:
    assert session_label("within", "lagged_r", "alliance→outcome", 2).endswith("2 sessions later")
    assert "less within" in session_label("contextual", "NA", "alliance→outcome", 0)


def test_lagged_effects_are_spoken_of_where_there_are_some(tmp_path: Path) -> None:
    both = named(tmp_path).study
    assert "lagged effects do" in session_sentences(both)[-1][1]
    same = study_of_sessions(both.data, SessionOptions(lag=0), every=True)
    assert "lagged" not in session_sentences(same)[-1][1]
    total = same.table[same.table["component"] == "total"].iloc[0]
    assert total["route"] == "single scores"


def test_a_review_of_simulated_data_marks_the_page(tmp_path: Path) -> None:
    one = named(tmp_path)
    for simulated in (True, False):
        first = tmp_path / f"first{simulated}"
        write_session_report([one], first, simulated=simulated)
        other = NamedStudy(name="S2", file=one.file, study=one.study)
        out = tmp_path / f"out{simulated}"
        page = write_session_report([other], out, into=first / "review.xlsx")[0]
        assert ("SIMULATED DATA" in page.read_text(encoding="utf-8")) is simulated


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ((0.17, 0.05, 0.28), False),
        ((0.12, 0.01, 0.22), True),
        ((0.17, -0.01, 0.34), True),
        ((0.17, np.nan, np.nan), False),
    ],
)
def test_methods_that_disagree_are_both_given(
    other: tuple[float, float, float], said: bool
) -> None:
    rows = [(0.2, 0.1, 0.3, "main", "latent means (ML)")]
    rows += [(*other, "sensitivity", "person-mean centring")]
    columns = ["estimate", "conf_low", "conf_high", "role", "route"]
    table = pd.DataFrame(rows, columns=columns).assign(
        component="within", estimand="concurrent_r", path="alliance→outcome", es_metric="z"
    )
    told = dict(_sentences(table))
    assert ("Depends on the method." in told) is said
    if other[0] == 0.12:
        assert told["Depends on the method."] == (
            "By person-mean centring the association of the same session is r = .12 [.01, .22], "
            "by latent means (ML) r = .20 [.10, .30]."
        )
