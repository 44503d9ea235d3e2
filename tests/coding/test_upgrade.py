"""A live workbook is brought up to date, gains moderators, and loses nothing."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill

from metalliance.cli import run
from metalliance.coding.codebook import load_codebook
from metalliance.coding.own_moderators import checked_rows, read_moderators
from metalliance.coding.review import Review, read_review
from metalliance.coding.template import write_template
from metalliance.coding.upgrade import CHANGE_SHEET, bring_up_to_date
from metalliance.errors import CodingError, OutputError
from tests.coding import workbooks as wb

DAY = datetime.date(2026, 3, 5)
HOMEWORK = {"name": "homework", "sheet": "STUDIES", "type": "choice", "levels": "yes; no"}


def cells(review: Review) -> dict[tuple[str, str], object]:
    return {
        (record.sheet, coded.cell): coded.value
        for records in review.records.values()
        for record in records
        for coded in (*record.cells.values(), *record.extra.values())
        if coded.code != "blank"
    }


def old(tmp_path: Path) -> Path:
    """A workbook of schema 1: four sheets, an own column, a note of a person, a colour."""
    sheets = wb.good(3)
    for row in sheets["STUDIES"]:
        row["mod:dose"] = 12
    path = wb.write(tmp_path / "old.xlsx", sheets)
    book = load_workbook(path)
    for name in book.sheetnames:
        if name not in ("START", "STUDIES", "MEASURES", "MODELS", "EFFECTS", "CODES"):
            del book[name]
    book["STUDIES"].delete_cols(load_codebook()["STUDIES"].names.index("severity") + 1)
    book["START"]["Z1"] = "metalliance-workbook/1"
    book["EFFECTS"]["R2"].comment = Comment("look again", "AB")
    book["EFFECTS"]["R2"].fill = PatternFill("solid", start_color="FF00FF00")
    book.create_sheet("my notes")["A1"] = "keep me"
    book.save(path)
    return path


def test_an_older_workbook_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = old(tmp_path)
    before, content = read_review(path), path.read_bytes()
    assert [p.code for p in before.problems] == ["schema"]
    done = bring_up_to_date(path, tmp_path / "new.xlsx", today=DAY)
    assert path.read_bytes() == content and done.backup is None
    after = read_review(done.path)
    assert after.problems == ()
    old_cells, new_cells = cells(before), cells(after)
    assert {key: new_cells[key] for key in old_cells} == old_cells
    assert after.effects().to_frame().equals(before.effects().to_frame())
    book = load_workbook(done.path)
    assert book["my notes"]["A1"].value == "keep me"
    assert book["EFFECTS"]["R2"].comment.text == "look again"
    assert book["EFFECTS"]["R2"].fill.start_color.rgb == "FF00FF00"
    names = [name for name in book.sheetnames if name in load_codebook_names()]
    assert names == load_codebook_names()
    log = [[cell.value for cell in row] for row in book[CHANGE_SHEET].iter_rows(min_row=2)]
    assert ["2026-03-05", "GRID", None, "sheet added"] in log
    assert ["2026-03-05", "STUDIES", "severity", "column added"] in log


def load_codebook_names() -> list[str]:
    return [sheet.name for sheet in load_codebook().sheets]


def test_a_moderator_is_added_to_a_live_file(tmp_path: Path) -> None:
    path = wb.write(tmp_path / "live.xlsx", wb.good(3))
    done = bring_up_to_date(path, tmp_path / "new.xlsx", checked_rows("x", [HOMEWORK]), today=DAY)
    (change,) = [c for c in done.changes if c.column == "mod:homework"]
    assert change.what == "column added (added 2026-03-05, exploratory)"
    book = load_workbook(done.path)
    header = {cell.value: cell for cell in book["STUDIES"][1]}
    assert "added 2026-03-05, exploratory" in header["mod:homework"].comment.text
    letter = header["mod:homework"].column_letter
    lists = {
        str(area).split(":")[0]: rule.formula1
        for rule in book["STUDIES"].data_validations.dataValidation
        for area in rule.sqref.ranges
    }
    assert lists[f"{letter}2"] == "list_mod_homework"
    for row, value in ((2, "yes"), (3, "perhaps")):
        book["STUDIES"][f"{letter}{row}"] = value
    book.save(done.path)
    review = read_review(done.path, strict=False)
    told = {(p.severity, p.code, p.address) for p in review.problems}
    assert told == {
        ("error", "unknown-level", f"STUDIES!{letter}3"),
        ("todo", "blank", f"STUDIES!{letter}4"),
    }
    assert "homework" in review.effects().moderators
    with pytest.raises(CodingError, match="already"):
        bring_up_to_date(done.path, tmp_path / "more.xlsx", checked_rows("x", [HOMEWORK]))


def test_a_moderator_typed_by_hand_gets_its_column(tmp_path: Path) -> None:
    path = tmp_path / "hand.xlsx"
    write_template(path)
    names = load_codebook()["MODERATORS"].names
    typed = {"name": "dose", "sheet": "MODELS", "type": "integer", "minimum": 1}
    wb.put(
        path,
        {("MODERATORS", wb.cell_of("MODERATORS", n, 2)): v for n, v in typed.items() if n in names},
    )
    done = bring_up_to_date(path, tmp_path / "new.xlsx", today=DAY)
    assert [(c.sheet, c.column, c.what) for c in done.changes] == [
        ("MODELS", "mod:dose", "column added")
    ]


def test_in_place_keeps_a_dated_copy(tmp_path: Path) -> None:
    path = old(tmp_path)
    content = path.read_bytes()
    done = bring_up_to_date(path, path, today=DAY)
    assert done.backup is not None and done.backup.name == "old.backup-2026-03-05.xlsx"
    assert done.backup.read_bytes() == content
    assert read_review(path).problems == ()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.backup-2026-03-05.xlsx", "old.xlsx"]
    with pytest.raises(OutputError):
        bring_up_to_date(path, done.backup)


def test_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    path = wb.write(tmp_path / "newer.xlsx", wb.good(1))
    wb.put(path, {("START", "Z1"): "metalliance-workbook/99"})
    with pytest.raises(CodingError, match="does not know"):
        read_review(path, strict=False)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[moderators]]\nname='a b'\nsheet='STUDIES'\ntype='text'", "no short name"),
        ("[[moderators]]\nname='year'\nsheet='STUDIES'\ntype='text'", "a column of this name"),
        ("[[moderators]]\nname='a'\nsheet='STUDIES'\ntype='choice'", "two levels"),
        ("[[moderators]]\nname='a'\nsheet='SHEET'\ntype='text'", "no level of sheet"),
        ("[[moderators]]\nname='a'\nsheet='STUDIES'", "type is missing"),
        ("[[moderators]]\nname='a'\nsheet='STUDIES'\ntype='text'\ncolour='red'", "no key"),
        ("moderators = 3", "something else"),
        ("[[moderators", "not TOML"),
    ],
)
def test_a_wrong_file_of_moderators_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "team.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CodingError, match=named):
        read_moderators(path)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    team = tmp_path / "team.toml"
    team.write_text(
        '[[moderators]]\nname = "intensity"\nsheet = "MODELS"\ntype = "number"\nminimum = 0\n',
        encoding="utf-8",
    )
    new = tmp_path / "review.xlsx"
    assert run(["template", str(new), "--moderators", str(team), "--moderator", "hw=yes;no"]) == 0
    headers = [cell.value for cell in load_workbook(new)["MODELS"][1]]
    assert headers[-1] == "mod:intensity"
    assert run(["template", "--into", str(new), "--out", str(tmp_path / "b.xlsx")]) == 0
    assert "0 additions" in capsys.readouterr().out
    assert run(["template"]) == 3
    assert run(["template", str(tmp_path / "x.csv")]) == 3
    out = tmp_path / "codebook"
    assert run(["codebook", str(new), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "codebook.html",
        "codebook.md",
        "datapackage.json",
    ]
    assert "mod:intensity" in (out / "codebook.html").read_text(encoding="utf-8")
    assert run(["codebook", "--out", str(out)]) == 2
