"""Numbers in a sentence that know which result they print."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

__all__ = ["cited", "plain", "spans"]

OPEN, MIDDLE, CLOSE = "\ue000", "\ue001", "\ue002"
EQUALS = re.compile(f"(\\w) = {OPEN}")
CITED = re.compile(f"{OPEN}([^{MIDDLE}]*){MIDDLE}([^{CLOSE}]*){CLOSE}")


def cited(source: str, text: str) -> str:
    """Text with the address of its value in results.json.

    Parameters
    ----------
    source : str
        Dotted path, e.g. ``models.total.predict_r.estimate``.
    text : str
        The number as printed.
    """
    return f"{OPEN}{source}{MIDDLE}{text}{CLOSE}"


def plain(text: str) -> str:
    """The sentence without addresses.

    Examples
    --------
    >>> plain("r = " + cited("models.total.predict_r.estimate", ".27"))
    'r = .27'
    """
    return CITED.sub(r"\2", text)


def spans(text: str) -> Markup:
    """The sentence as HTML: escaped, every cited number in a span with ``data-src``.

    The sign of equality before a cited number does not end a line.
    """
    marked = EQUALS.sub(f"\\1\u00a0=\u00a0{OPEN}", str(escape(text)))
    return Markup(CITED.sub(r'<span data-src="\1">\2</span>', marked))
