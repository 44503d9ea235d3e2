"""The Python on the pages about conversions runs as it stands there."""

import re
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
