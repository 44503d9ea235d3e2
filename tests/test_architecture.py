"""The house: floors, sizes, names."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import metalliance

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "metalliance"
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_a_room_imports_only_downwards() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.name != "__init__.py"], ids=lambda p: p.stem
)
def test_every_module_names_what_it_offers(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    assert len(names) == 1
    exported = ast.literal_eval(names[0].value)
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert all(hasattr(module, name) for name in exported)


def test_public_names_are_typed_and_load() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    typed = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: f"metalliance.{home}.{name}" for name, home in metalliance._HOMES.items()}
    assert typed == homes
    for name in metalliance.__all__:
        assert getattr(metalliance, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'metafor'"):
        _ = metalliance.metafor


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, metalliance; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    for heavy in ("numpy", "pandas", "scipy", "matplotlib", "typer", "pydantic"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([name, "--help"] for name in ("report", "check", "fit", "sessions", "split", "agree")),
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from metalliance.cli import run; code = run(sys.argv[1:]); "
        "print(sorted({m.split('.')[0] for m in sys.modules})); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    for heavy in ("numpy", "pandas", "scipy", "matplotlib", "openpyxl", "formulaic"):
        assert f"'{heavy}'" not in done.stdout


def test_scipy_stats_is_never_imported() -> None:
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert "scipy.stats" not in text.replace("``scipy.stats``", ""), path
