"""The printed codebook is the codebook."""

from pathlib import Path

from metalliance.coding.codebook import load_codebook
from metalliance.coding.manual import codebook_markdown

PRINTED = Path(__file__).resolve().parents[2] / "docs" / "codebook.md"


def test_the_page_in_docs_is_up_to_date() -> None:
    assert PRINTED.read_text(encoding="utf-8") == codebook_markdown()


def test_every_column_and_every_item_is_printed() -> None:
    text = codebook_markdown()
    for sheet in load_codebook().sheets:
        for field in sheet.fields:
            assert f"| `{field.name}` |" in text
    for item in ("A1", "B2", "C3", "D4", "E3"):
        assert f"| {item} | " in text
