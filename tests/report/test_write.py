from __future__ import annotations

import csv
import hashlib
import io
import json

import pytest

from metalliance.errors import MetallianceError
from metalliance.report.tables import frame_to_csv, neutralised
from metalliance.report.write import write_report


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_files_of_a_report(congruence, tmp_path):
    told = []
    paths = write_report(congruence, tmp_path / "out", progress=told.append)
    names = {str(path.relative_to(tmp_path / "out")) for path in paths}
    assert paths[0].name == "report.html"
    assert {"report.html", "results.json", "effects.csv", "manifest.json"} <= names
    assert {f"figures/forest-total.{kind}" for kind in ("svg", "pdf", "png")} <= names
    assert set(contents(tmp_path / "out")) == names
    assert "report.html" in told


def test_the_manifest_lists_every_file_by_its_hash(congruence, tmp_path):
    write_report(congruence, tmp_path, formats=["html", "svg"])
    files = contents(tmp_path)
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {n: hashlib.sha256(c).hexdigest() for n, c in files.items()}
    assert manifest["input"]["sha256"] == congruence.review.sha256
    assert manifest["plan"]["rho"] == 0.6 and "seed" in manifest


def test_the_same_analysis_gives_the_same_bytes(congruence, tmp_path):
    write_report(congruence, tmp_path / "a")
    write_report(congruence, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_its_own_files_are_written_over_and_stale_ones_removed(congruence, tmp_path):
    write_report(congruence, tmp_path)
    write_report(congruence, tmp_path, formats=["html"])
    assert not list(tmp_path.glob("figures/*.png"))
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize("name", ["report.html", "manifest.json", "effects.csv"])
def test_foreign_files_are_left_alone(congruence, tmp_path, name):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(MetallianceError, match=name):
        write_report(congruence, tmp_path, formats=["html"])
    assert contents(tmp_path) == {name: b"mine"}


def test_a_neighbour_is_left_alone(congruence, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_report(congruence, tmp_path, formats=["html"])
    write_report(congruence, tmp_path, formats=["html"])
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_manifest_does_not_reach_outside_its_folder(congruence, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "precious.txt").write_text("mine", encoding="utf-8")
    manifest = {
        "schema": "metalliance-manifest/1",
        "files": {"../precious.txt": "0", "old.csv": "0"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_report(congruence, folder, formats=["html"])
    assert (tmp_path / "precious.txt").is_file()


def test_unknown_formats_are_named(congruence, tmp_path):
    with pytest.raises(ValueError, match="docx"):
        write_report(congruence, tmp_path, formats=["docx"])


def test_the_effect_table_is_safe_in_a_spreadsheet(flat, tmp_path):
    analysis = flat([0.1, -0.2, 0.3], studies=["=cmd()", "@home", "Müller"])
    write_report(analysis, tmp_path, formats=["html"])
    raw = (tmp_path / "effects.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert [row["study"] for row in rows] == ["'=cmd()", "'@home", "Müller"]
    assert float(rows[1]["r"]) == -0.2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\rx"])
def test_formulas_are_neutralised_and_numbers_never(text):
    assert neutralised(text) == f"'{text}"
    assert neutralised(-1.5) == -1.5


def test_numbers_are_written_in_full(congruence):
    frame = congruence.pool("total").effects.to_frame()[["yi"]]
    back = [float(line) for line in frame_to_csv(frame).splitlines()[1:]]
    assert back == list(frame["yi"])
