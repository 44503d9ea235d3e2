"""Follow XML from strangers: no document type, no entities, no endless nesting."""

from __future__ import annotations

from collections.abc import Mapping
from xml.parsers import expat

__all__ = ["Follower", "RefusedError"]

MAX_DEPTH = 200


class RefusedError(Exception):
    """A construct that no spreadsheet program writes."""


class Follower:
    """Takes XML piece by piece; what a part means is said by the methods that a kind overrides."""

    def __init__(self) -> None:
        self.depth = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _refuse_doctype
        self.parser.EntityDeclHandler = _refuse_doctype
        self.follow(True)

    def follow(self, on: bool) -> None:
        """Whether elements are followed one by one."""
        self.parser.StartElementHandler = self._enter if on else None
        self.parser.EndElementHandler = self._leave if on else None
        self.parser.CharacterDataHandler = self.text if on else None

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        self.parser.Parse(piece, False)

    def close(self) -> None:
        """Take the end."""
        self.parser.Parse(b"", True)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins; names are without their namespace, those of attributes with it."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, data: str) -> None:
        """Text inside the last element that began."""

    def _enter(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RefusedError("its XML is nested too deeply")
        self.start(tag.rpartition(" ")[2], attributes)

    def _leave(self, tag: str) -> None:
        self.depth -= 1
        self.end(tag.rpartition(" ")[2])


def _refuse_doctype(*_: object) -> None:
    raise RefusedError("its XML declares a document type or entities")
