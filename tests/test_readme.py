"""The Python of the README runs as it stands there, from top to bottom."""

import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    assert len(blocks) >= 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec("\n".join(blocks), {})
    assert "conf_low" in capsys.readouterr().out
