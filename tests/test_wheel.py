"""The wheel is whole: installed elsewhere, it runs the demo from its own data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.wheel
def test_the_demo_runs_from_an_installed_wheel(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    built, site, elsewhere = tmp_path / "built", tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([*pip, "wheel", str(ROOT), "--no-deps", "-q", "-w", str(built)], check=True)
    (wheel,) = built.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "-q", "--target", str(site), str(wheel)], check=True
    )
    code = "import metalliance; print(metalliance.__file__); import metalliance.__main__ as m; "
    code += "import sys; sys.argv = ['metalliance', 'demo']; m.main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(site) in done.stdout
    assert "r = .22 [.08, .36]" in done.stdout
    assert (elsewhere / "reports" / "congruence_kolden2011" / "report.html").is_file()
