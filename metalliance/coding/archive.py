"""Save a workbook so that the same content gives the same bytes, and never half of them."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

from metalliance.coding.files import write_whole

__all__ = ["save_workbook"]

EPOCH = (1980, 1, 1, 0, 0, 0)


def save_workbook(book: Any, path: Path) -> None:
    """Write an openpyxl workbook beside its place, then rename it."""
    buffer = io.BytesIO()
    book.properties.creator = "metalliance"
    book.save(buffer)
    write_whole(path, _without_times(buffer.getvalue()))


def _without_times(content: bytes) -> bytes:
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as rewritten,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                stamp = rb"\g<1>1980-01-01T00:00:00Z\g<2>"
                data = re.sub(rb"(<dcterms:\w+[^>]*>)[^<]*(</dcterms:)", stamp, data)
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            rewritten.writestr(entry, data)
    return target.getvalue()
