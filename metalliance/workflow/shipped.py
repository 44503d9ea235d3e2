"""Data that comes with the package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_data"]


def shipped_data(name: str) -> Path:
    """Path of a shipped data file, in an installed package or in a clone.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "data", package.parent / "data"):
        path = folder / name
        if path.is_file():
            return path
    raise FileNotFoundError(2, "not among the shipped data", name)
