"""The command line as a user meets it: output, exit codes, no traceback."""

import json
from pathlib import Path

import pytest

from metalliance.cli import run

ROOT = Path(__file__).resolve().parents[1]
CONGRUENCE = ROOT / "data" / "congruence_kolden2011.xlsx"


def test_template_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "review.xlsx"
    assert run(["template", str(path)]) == 0
    assert run(["check", str(path)]) == 0
    assert "0 effects: 0 errors" in capsys.readouterr().out


def test_template_writes_over_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "review.xlsx"
    path.write_text("mine")
    assert run(["template", str(path)]) == 2
    assert "exists" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_report_on_a_flat_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("study,n,r\nA,40,.3\nB,60,.2\nC,55,.1\nD,80,.35\nE,30,.2\n")
    out = tmp_path / "out"
    assert run(["report", str(table), "--out", str(out), "--formats", "html"]) == 0
    text = capsys.readouterr().out
    assert "Total: r = .24" in text
    assert (out / "report.html").is_file()
    results = json.loads((out / "results.json").read_text())
    assert any(default["value"] == "total" for default in results["defaults_used"])


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["report", str(CONGRUENCE), "--out", str(tmp_path / "r"), "--formats", "html"]
    assert run([*arguments, "--json"]) == 0
    message = json.loads(capsys.readouterr().out)
    assert message["ok"]
    assert message["command"] == "report"
    assert set(message) == {"schema", "command", "ok", "result", "problems", "warnings"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["chek"], 3, "No such command"),
        (["report"], 3, "Missing argument"),
        (["report", "x.csv", "--frmt", "a"], 3, "No such option"),
        (["check", "nowhere.xlsx"], 2, "nowhere.xlsx"),
        (["report", str(CONGRUENCE), "--plan", "nowhere.toml"], 2, "nowhere.toml"),
        (["report", str(CONGRUENCE), "--formats", "docx"], 3, "docx"),
    ],
)
def test_exit_codes(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    shown = capsys.readouterr()
    assert told in shown.err
    assert "Traceback" not in shown.err


def test_errors_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "nowhere.xlsx", "--json"]) == 2
    message = json.loads(capsys.readouterr().out)
    assert not message["ok"]
    assert message["problems"][0]["sheet"] == "nowhere.xlsx"


def test_bad_rows_stop_a_report_with_their_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text('study,n,r\nA,40,1.3\nB,60,".2*"\nC,3,.1\n')
    assert run(["report", str(table), "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert "mine.csv!C2" in shown
    assert "mine.csv!C3" in shown
    assert "mine.csv!B4" in shown
    assert not (tmp_path / "out").exists()


def test_a_fault_of_the_program_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the wheel came off")

    monkeypatch.setattr("metalliance.coding.review.read_review", broken)
    assert run(["check", str(CONGRUENCE)]) == 1
    assert "a fault of metalliance" in capsys.readouterr().err
    with pytest.raises(RuntimeError):
        run(["-v", "check", str(CONGRUENCE)])


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("metalliance")
