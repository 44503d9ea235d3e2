"""Cutting a formula into tokens, and saying what is wrong with the one that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from metalliance.errors import SpecificationError

__all__ = ["Cursor", "Token", "quoted", "read_tokens"]

_MAX_DEPTH = 20

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[^\W\d]\w*)|(?P<quoted>`[^`]+`)"
    r"|(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.]))"
    r"|(?P<string>\"[^\"\\]*\"|'[^'\\]*')|(?P<operator>\*\*|[-+*/:^(),=]))"
)
_COMPARE = "compute a comparison as a column of true and false first"
_HINTS: dict[str, str] = {
    "|": "random effects go in random=, e.g. random='~ 1 | study/effect'",
    ".": "name every moderator; a column with a dot stands in backticks: `alliance.mean`",
    "~": "a formula has one '~', at its start",
    "`": "a name in backticks ends with a backtick and is not empty",
    '"': "a quoted level ends with the same quote and has no backslash",
    "'": "a quoted level ends with the same quote and has no backslash",
    "%": "write a / b for b within a",
    **dict.fromkeys("<>!&", _COMPARE),
    **dict.fromkeys("“”‘’„", 'write straight quotes: "'),
    **dict.fromkeys("−–—", "write a plain hyphen: -"),
    "×": "write *",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a formula; ``kind`` is name, quoted, number, string or operator."""

    kind: str
    text: str

    @property
    def content(self) -> str:
        """A name or a level without what it is quoted in."""
        return self.text[1:-1] if self.kind in ("quoted", "string") else self.text

    def is_column(self, reserved: Sequence[str]) -> bool:
        """Whether this can be the name of a column."""
        return self.kind == "quoted" or (self.kind == "name" and self.text not in reserved)


@dataclass(slots=True)
class Cursor:
    """A place in the tokens of a formula."""

    text: str
    tokens: list[Token]
    at: int = 0
    depth: int = 0

    def next_is(self, *texts: str) -> bool:
        """Whether the next token is one of these operators."""
        return (
            self.at < len(self.tokens)
            and self.tokens[self.at].kind == "operator"
            and self.tokens[self.at].text in texts
        )

    def take(self) -> Token:
        """The next token, which must exist."""
        if self.at >= len(self.tokens):
            raise self.unexpected()
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, text: str) -> None:
        """Step over an operator that must come next."""
        if not self.next_is(text):
            raise self.unexpected()
        self.at += 1

    def deeper(self) -> None:
        """Enter a parenthesis just taken."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise SpecificationError(f"the formula nests parentheses deeper than {_MAX_DEPTH}")

    def shallower(self) -> None:
        """Leave it, at its closing parenthesis."""
        self.expect(")")
        self.depth -= 1

    def unexpected(self) -> SpecificationError:
        """What is wrong with the next token, or with there being none."""
        rest = self.tokens[self.at :]
        return _unexpected(self.text, rest[0] if rest else None, self.depth > 0)


def read_tokens(text: str, functions: Sequence[str]) -> list[Token]:
    """The tokens after the leading ``~``."""
    tokens = []
    position = 1
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            found = text[position:].lstrip()[0]
            hint = _HINTS.get(
                found,
                f"allowed are columns, + - * / : ** ( ) and {', '.join(functions)}; "
                "a column with another name stands in backticks: `my column`",
            )
            raise SpecificationError(
                f"the formula {text!r} contains {found!r}, which formulas here do not know; {hint}"
            )
        kind = str(match.lastgroup)
        tokens.append(Token(kind, match.group(kind)))
        position = match.end()
    return tokens


def quoted(column: str) -> str:
    """A column as a formula writes it: in backticks unless it is a plain name."""
    return column if re.fullmatch(r"[^\W\d]\w*", column) else f"`{column}`"


def _unexpected(text: str, token: Token | None, inside: bool) -> SpecificationError:
    """What to say about a token that cannot stand where it stands, or about a missing one."""
    if token is None:
        missing = "a closing parenthesis or a term" if inside else "a term"
        return SpecificationError(f"the formula {text!r} ends too early; {missing} is missing")
    if token.kind == "string":
        hint = "a column is written without quotes, or in backticks: `my column`"
    elif token.text == "=":
        hint = f"'=' stands only in options such as df=3; {_COMPARE}"
    elif token.text == ":" and inside:
        hint = "inside a transform write * for a product"
    elif token.kind == "operator":
        hint = "it needs a term on either side, or its parenthesis is missing"
    else:
        hint = "an operator such as + is missing before it, or it needs backticks"
    return SpecificationError(f"the formula {text!r} cannot be read at {token.text!r}; {hint}")
