"""The folder of a report: everything beside its place first, nothing foreign touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from metalliance.coding.files import write_whole
from metalliance.errors import OutputError

__all__ = ["BOM", "as_json", "write_contents"]

MANIFEST = "manifest.json"
BOM = "\ufeff"


def write_contents(
    folder: str | Path, contents: Mapping[str, bytes], facts: Mapping[str, object]
) -> tuple[Path, ...]:
    """Write files and a manifest that lists them.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist. Only files that an earlier manifest in it lists are written
        over; those of it that are not written again are removed.
    contents : mapping of str to bytes
        By name within the folder.
    facts : mapping
        What the manifest says beside the files.

    Raises
    ------
    OutputError
        Where a foreign file stands in the way; nothing is written then.
    """
    folder = Path(folder)
    own = _own_files(folder)
    foreign = [name for name in [*contents, MANIFEST] if _foreign(folder / name, name, own)]
    if foreign:
        raise OutputError(
            f"{folder / foreign[0]} exists and was not written by an earlier report here; "
            "move it, or choose another folder with --out"
        )
    for stale in own.keys() - contents.keys():
        (folder / stale).unlink(missing_ok=True)
    for name, content in contents.items():
        write_whole(folder / name, content)
    listed = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    manifest = {"schema": "metalliance-manifest/1", **facts, "files": listed}
    write_whole(folder / MANIFEST, as_json(manifest))
    return tuple(folder / name for name in [*contents, MANIFEST])


def _own_files(folder: Path) -> dict[str, str]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    ours = manifest.get("schema") == "metalliance-manifest/1" and isinstance(files, dict)
    return {str(name): str(sha) for name, sha in files.items() if _inside(name)} if ours else {}


def _inside(name: object) -> bool:
    path = Path(str(name))
    return not path.is_absolute() and ".." not in path.parts


def _foreign(path: Path, name: str, own: dict[str, str]) -> bool:
    if not path.exists():
        return False
    return not own if name == MANIFEST else name not in own


def as_json(values: object) -> bytes:
    """JSON text of plain values, as UTF-8."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1)
    return f"{text}\n".encode()
