"""The command sessions as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import metalliance as ma
from metalliance.cli import run
from tests.traitstate.session_tables import session_table

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "simulated_sessions.csv"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = []
    for number in range(3):
        path = tmp_path / f"study{number}.csv"
        session_table(patients=40, seed=number).to_csv(path, index=False)
        paths.append(str(path))
    return paths


def test_three_files_become_a_review_that_pools(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sessions"
    assert run(["sessions", *files, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "study1: 40 patients" in text
    assert "Within patients (state-like)." in text
    written = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    assert {
        "sessions.html",
        "review.xlsx",
        "effects.csv",
        "sessions.json",
        "manifest.json",
    } < written
    assert "figures/within-between-study0.svg" in written
    effects = ma.read_review(out / "review.xlsx").effects().to_frame()
    within = effects[(effects["component"] == "within") & (effects["estimand"] == "concurrent_r")]
    assert within["study"].tolist() == ["study0", "study1", "study2"]
    assert run(["check", str(out / "review.xlsx")]) == 0
    assert " 0 errors, 0 questions" in capsys.readouterr().out
    report = tmp_path / "report"
    assert run(["report", str(out / "review.xlsx"), "--out", str(report), "--formats", "html"]) == 0
    assert run(["sessions", *files, "--out", str(out), "--lag", "0"]) == 0
    with (out / "effects.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert {row["estimand"] for row in rows} == {"NA", "concurrent_r"}


def test_json_has_every_number(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sessions", files[0], "--json", "--study", "Mine"]) == 0
    message = json.loads(capsys.readouterr().out)
    assert message["ok"]
    (found,) = message["result"]["studies"]
    assert found["study"] == "Mine"
    assert found["effects"][0]["component"] == "total"
    names = found["covariance"]["person-mean"]["names"]
    assert len(found["covariance"]["person-mean"]["values"]) == len(names)
    assert message["warnings"] == found["notes"]
    assert found["measures"][0]["icc"] > 0


def test_one_method_and_direction(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--method", "fixed-effects", "--path", "reverse", "--json"]
    assert run(["sessions", files[0], *options]) == 0
    rows = json.loads(capsys.readouterr().out)["result"]["studies"][0]["effects"]
    assert [row["path"] for row in rows] == ["alliance→outcome"] + 2 * ["outcome→alliance"]


def test_rows_into_a_review(files: list[str], tmp_path: Path) -> None:
    first = tmp_path / "first"
    assert run(["sessions", files[0], "--out", str(first)]) == 0
    second = tmp_path / "second"
    review = str(first / "review.xlsx")
    assert run(["sessions", files[1], "--into", review, "--out", str(second)]) == 0
    effects = ma.read_review(second / "review.xlsx").effects().to_frame()
    assert set(effects["study"]) == {"study0", "study1"}


def test_a_workbook_of_sessions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "about"
    sheet = book.create_sheet("long")
    sheet.append(["sessions of a study"])
    sheet.append([])
    table = session_table(patients=12)
    sheet.append(["id", "nr", "wai", "core"])
    for row in table.itertuples(index=False):
        sheet.append(list(row))
    sheet["C9"] = "n.a.?"
    path = tmp_path / "study.xlsx"
    book.save(path)
    names = ["--patient", "id", "--session", "nr", "--alliance", "wai", "--outcome", "core"]
    assert run(["sessions", str(path), *names]) == 2
    assert "long!C9 'n.a.?': is text, not a number" in capsys.readouterr().err
    sheet["C9"] = None
    book.save(path)
    assert run(["sessions", str(path), *names]) == 0
    assert "12 patients" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nowhere.csv"], 2, "nowhere.csv"),
        ([str(SHIPPED), "--alliance", "wai"], 2, "no column 'wai'"),
        ([str(SHIPPED), "--method", "hlm"], 3, "choose from person-mean"),
        ([str(SHIPPED), "--lag", "-1"], 3, "whole number of sessions"),
        ([str(SHIPPED), "--lag", "30"], 1, "no patient has two sessions 30 apart"),
        ([str(SHIPPED), "--into", "x.xlsx"], 3, "--into REVIEW goes with --out"),
        ([str(SHIPPED), "--study", "a", "--study", "b"], 3, "2 times for 1 files"),
        ([str(SHIPPED), str(SHIPPED)], 3, "two studies are called"),
        ([str(SHIPPED), "--sheet", "long"], 2, "has no sheet 'long'"),
        ([str(SHIPPED.parent)], 2, "one row per patient and session"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sessions", *arguments]) == code
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err


def test_faults_of_all_files_come_at_once(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (0, 1):
        path = Path(files[number])
        path.write_text(path.read_text() + "P000,1,3,4\n")
    assert run(["sessions", *files]) == 2
    err = capsys.readouterr().err
    assert "study0.csv" in err
    assert "study1.csv" in err
    assert "has session 1 twice" in err


def test_the_shipped_sessions_are_those_of_their_script(tmp_path: Path) -> None:
    import importlib.util

    script = SHIPPED.with_name("make_simulated_sessions.py")
    spec = importlib.util.spec_from_file_location("made", script)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    made.__file__ = str(tmp_path / "made.py")
    made.main()
    assert (tmp_path / "simulated_sessions.csv").read_bytes() == SHIPPED.read_bytes()
    implied = made.truth()
    for name, printed in (("within r", ".176"), ("forward partial", ".089")):
        assert f"{implied[name]:.3f}".endswith(printed)
        assert f"= {printed}" in made.__doc__


def test_a_german_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = session_table(patients=20).round(2)
    text = table.to_csv(index=False, sep=";", decimal=",").splitlines()
    text[3] = ";".join([*text[3].split(";")[:2], "n.a.", "n. a."])
    text[0] = "Patient;SESSION;Alliance;Outcome"
    path = tmp_path / "studie.csv"
    path.write_text("\n".join(text), encoding="cp1252")
    assert run(["sessions", str(path), "--lag", "0"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Column 'Alliance': 1 cell was taken as missing: n.a. (1)." in said
    path.write_text("")
    assert run(["sessions", str(path)]) == 2
    assert "one row per patient and session" in capsys.readouterr().err


def test_what_a_high_outcome_is_taken_to_mean_comes_first(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "A high outcome score is taken to mean better; --outcome-positive worse turns it."
    out = tmp_path / "out"
    assert run(["sessions", files[0], "--lag", "0", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith(told + "\n")
    page = (out / "sessions.html").read_text(encoding="utf-8")
    box = page.partition('<div class="summary">')[2].strip()
    assert box.startswith(f"<p><b>Direction.</b> {told}</p>")
    assert run(["sessions", files[0], "--lag", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"][0] == told
    assert run(["sessions", files[0], "--lag", "0", "--outcome-positive", "better"]) == 0
    assert "--outcome-positive" not in capsys.readouterr().out
