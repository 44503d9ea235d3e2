"""What the pages show runs as it stands there."""

import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["conversions"])
def test_the_examples_of_a_page_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    assert len(blocks) >= 2
    exec("\n".join(blocks), {})
    shown = capsys.readouterr().out
    assert "0.09 0.0021 bounded" in shown and "0.312 0.3226 0.01754 converted" in shown


def test_the_page_on_reading_names_codes_that_exist() -> None:
    """Every code of its table is one that some rule gives."""
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    codes = set(re.findall(r"^\| `([a-z-]+)` \|", text, flags=re.M))
    package = Path(__file__).parents[1] / "metalliance"
    source = "".join(p.read_text(encoding="utf-8") for p in package.glob("coding/*.py"))
    assert len(codes) > 20
    assert [code for code in sorted(codes) if f'"{code}"' not in source] == []


def test_the_mapping_on_the_page_on_reading_is_one() -> None:
    from metalliance.coding.mapping import as_mapping

    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", text, flags=re.S | re.M)
    mapping = as_mapping(tomllib.loads(block))
    assert mapping.columns["EFFECTS"] == {"Sample size": "n"}
    assert mapping.values == {"rater": {"client self-report": "patient"}}


def test_the_example_on_session_data_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DOCS.parent)
    text = (DOCS / "sessions.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    exec(block, {})
    shown = capsys.readouterr().out.split()
    for number in ("0.19", "0.10", "0.27", "0.66"):
        assert number in shown
