"""The two directions of an effect, as they are coded."""

from __future__ import annotations

__all__ = ["FORWARD", "REVERSE"]

FORWARD, REVERSE = "alliance→outcome", "outcome→alliance"
