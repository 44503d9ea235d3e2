"""split and agree as a team meets them: a review split, coded, compared, settled, read again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from metalliance.cli import run
from metalliance.coding.template import fill_workbook
from tests.coding import workbooks as wb
from tests.coding.simulated_coders import simulated_coders

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    coders = simulated_coders(6)
    coders.plant("EFFECTS", "S002", "E1", "value", 0.91)
    coders.b["EFFECTS"].remove(coders.of_b("EFFECTS", "S003", "E3"))
    return [str(path) for path in coders.write(tmp_path)]


def test_split(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "review.xlsx"
    fill_workbook(path, {"STUDIES": [wb.study("S001")]})
    assert run(["split", str(path), "--coders", "AB, CD", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "review_AB.xlsx for AB" in told and "metalliance agree" in told
    assert (tmp_path / "out" / "review_CD.xlsx").is_file()
    assert run(["split", str(path), "--coders", "AB,CD", "--out", str(tmp_path / "out")]) == 2
    assert "exists and is left as it is" in capsys.readouterr().err
    assert run(["split", str(path), "--coders", "AB,CD", "--json"]) == 0
    message = json.loads(capsys.readouterr().out)
    assert message["command"] == "split" and len(message["result"]["files"]) == 2


@pytest.mark.parametrize("coders", ["AB", "AB,ab", "AB,C/D", ""])
def test_initials_that_cannot_serve(tmp_path: Path, capsys: Capture, coders: str) -> None:
    path = tmp_path / "review.xlsx"
    fill_workbook(path, {"STUDIES": [wb.study("S001")]})
    assert run(["split", str(path), "--coders", coders]) == 3
    assert "--coders" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_agree_shows_matching_existence_and_table(files: list[str], capsys: Capture) -> None:
    assert run(["agree", *files]) == 0
    told = capsys.readouterr().out
    order = [
        told.index(t) for t in ("Matched rows", "Which effects exist", "Agreement, main phase")
    ]
    assert order == sorted(order)
    assert "S002 effects  E1↔E2  by content, though they differ in: value" in told
    assert "only A: S003 effects E3 (EFFECTS!" in told
    assert "positive agreement .98" in told
    assert "2 disagreements: 2 open." in told
    assert max(len(line) for line in told.splitlines() if "only A" not in line) <= 100


def test_agree_json(files: list[str], capsys: Capture) -> None:
    assert run(["agree", *files, "--json"]) == 0
    message = json.loads(capsys.readouterr().out)
    result = message["result"]
    assert message["ok"] and message["command"] == "agree"
    assert list(result["coders"]) == ["A", "B"]
    by_field = {(row["field"], row["sheet"]): row for row in result["table"]}
    assert by_field["value", "EFFECTS"]["n"] == 23
    assert by_field["value", "EFFECTS"]["kappa"] is None
    fields = [(one["study"], one["field"]) for one in result["disagreements"]]
    assert fields == [("S002", "value"), ("S003", "(effect)")]
    assert len(result["matching"]) > 40 and len(result["only_in"]) == 1


def test_from_list_to_consensus_review(files: list[str], tmp_path: Path, capsys: Capture) -> None:
    listed, again, final = (str(tmp_path / f"{n}.xlsx") for n in ("list", "again", "final"))
    assert run(["agree", *files, "--consensus", listed]) == 0
    assert run(["agree", *files, "--consensus", listed]) == 2
    assert "exists" in capsys.readouterr().err
    assert run(["agree", *files, "--previous", listed, "--adjudicated", final]) == 2
    told = capsys.readouterr().err
    assert told.count("is not decided") == 2 and "list.xlsx!H2" in told
    book = load_workbook(listed)
    sheet = book["CONSENSUS"]
    column = {cell.value: cell.column for cell in sheet[1]}["decision"]
    sheet.cell(2, column).value, sheet.cell(3, column).value = "B", "keep"
    book.save(listed)
    assert run(["agree", *files, "--previous", listed, "--consensus", again]) == 0
    assert "2 carried over, all decided" in capsys.readouterr().out
    assert run(["agree", *files, "--previous", again, "--adjudicated", final, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["adjudicated"] == {
        "path": final,
        "decided": 2,
        "open": 0,
        "added": [],
        "not_carried": [],
    }
    assert run(["check", final]) == 0
    assert "24 effects: 0 errors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["one.xlsx"], 3, "two coders or more"),
        ([], 3, "Missing argument"),
        (["a.xlsx", "b.xlsx", "--adjudicated", "f.xlsx"], 3, "--previous"),
        (["a.xlsx", "b.xlsx", "--allow-open"], 3, "--adjudicated"),
        (["a.xlsx", "b.xlsx"], 2, "a.xlsx"),
    ],
)
def test_usage(arguments: list[str], code: int, told: str, capsys: Capture) -> None:
    assert run(["agree", *arguments]) == code
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", ["split", "agree"])
def test_help_has_an_example(command: str, capsys: Capture) -> None:
    assert run([command, "--help"]) == 0
    assert f"metalliance {command} review" in capsys.readouterr().out
