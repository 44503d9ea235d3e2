"""The stored values are what their scripts write, on this machine's R."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [n for key in sorted(value) if key != "made_with" for n in numbers(value[key])]
    if isinstance(value, list):
        return [n for item in value for n in numbers(item)]
    return [float(value)] if isinstance(value, int | float) else []


def has_psych() -> bool:
    asked = ["Rscript", "-e", "stopifnot(requireNamespace('psych', quietly = TRUE))"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.mark.r
@pytest.mark.parametrize(
    "name",
    [
        *("aggregate", "agreement", "coefficients", "conversions", "escalc", "formulas"),
        *("kolden", "panel", "permutation", "rcalc", "sessions", "sophistication"),
        *("trait_state", "vcalc"),
    ],
)
def test_a_stored_file_is_what_its_script_writes(name: str, tmp_path: Path) -> None:
    shutil.copy(HERE / f"{name}.R", tmp_path)
    shutil.copytree(HERE / "datasets", tmp_path / "datasets")
    if name == "agreement" and not has_psych():
        pytest.skip("needs the R package psych")
    subprocess.run(["Rscript", f"{name}.R"], cwd=tmp_path, check=True, capture_output=True)
    stored = numbers(json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")))
    written = numbers(json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8")))
    assert len(stored) > 20
    assert written == pytest.approx(stored, rel=1e-9, abs=1e-12)
