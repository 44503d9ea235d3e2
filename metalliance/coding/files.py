"""Write a file beside its place, then rename it: nobody ever sees half a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from metalliance.errors import OutputError

__all__ = ["refuse_existing", "write_whole"]


def refuse_existing(*paths: Path) -> None:
    """Raise where one of the files stands already: nothing is ever written over."""
    standing = [str(path) for path in paths if path.exists()]
    if standing:
        named = ", ".join(standing)
        raise OutputError(f"{named} exists and is left as it is; choose another name")


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, making its folder; on failure nothing is left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
