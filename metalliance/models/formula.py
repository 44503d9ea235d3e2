"""Reading a moderator formula under a whitelist, before anything evaluates it.

A formula may come from a plan or a sheet that someone else wrote. Only names of columns, a few
operators and a few transforms pass; what passes is bounded in size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from metalliance.errors import SpecificationError

__all__ = ["TRANSFORMS", "ParsedFormula", "Reference", "parse_formula"]

TRANSFORMS: tuple[str, ...] = ("C", "I", "center", "scale", "poly", "cr", "bs", "log", "sqrt")
_KEYWORDS = {"C": {"ref"}, "poly": {"degree", "raw"}, "cr": {"df"}, "bs": {"df", "degree"}}
_MAX_LENGTH = 500
_MAX_POWER = 3
_MAX_TERMS = 200
_MAX_BASIS = 20
_TOKEN = re.compile(
    r"\s*(?:(?P<name>[^\W\d]\w*)|(?P<quoted>`[^`]+`)|(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
    r"|(?P<string>\"[^\"\\]*\"|'[^'\\]*')|(?P<operator>\*\*|[-+*/:^(),=]))"
)
_CONSTANTS = ("True", "False", "None")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """``C(column, ref="level")``: a factor with a chosen reference level.

    ``name`` is how the factor is called in the names of terms.
    """

    name: str
    column: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFormula:
    """What a formula uses.

    Attributes
    ----------
    text : str
        As given, stripped.
    rewritten : str
        The same with every ``C(x, ref=...)`` as a quoted column name.
    columns : tuple of str
        Columns that are read, in order of appearance.
    factors : tuple of str
        Columns that stand inside ``C()``.
    references : tuple of Reference
    plain : tuple of str or None
        For an intercept and a sum of bare names: the names; otherwise None.
    intercept : bool
        Meaningful where ``plain`` is not None.
    """

    text: str
    rewritten: str
    columns: tuple[str, ...]
    factors: tuple[str, ...]
    references: tuple[Reference, ...]
    plain: tuple[str, ...] | None
    intercept: bool


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse_formula(text: str) -> ParsedFormula:
    """Check a formula such as ``~ rater + scale(session)`` and say what it uses."""
    if not isinstance(text, str):
        raise SpecificationError(f"mods must be a formula such as '~ 1', not {text!r}")
    if len(text) > _MAX_LENGTH:
        raise SpecificationError(
            f"the formula has {len(text)} characters; at most {_MAX_LENGTH} are read"
        )
    stripped = text.strip()
    if not stripped.startswith("~"):
        raise SpecificationError(
            f"the formula {stripped!r} must start with '~' and have no left side, e.g. '~ rater'"
        )
    parser = _Parser(stripped, _tokens(stripped))
    return parser.parse()


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = 1
    while position < len(text):
        if text[position:].isspace():
            break
        match = _TOKEN.match(text, position)
        if match is None:
            found = text[position:].lstrip()[0]
            raise SpecificationError(
                f"the formula {text!r} contains {found!r}, which formulas here do not know; "
                f"allowed are columns, + - * / : ** ( ) and {', '.join(TRANSFORMS)}"
            )
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match.group(kind), match.start(kind), match.end(kind)))
        position = match.end()
    return tokens


@dataclass(slots=True)
class _Parser:
    """Recursive descent; each method returns a bound on the number of terms it stands for."""

    text: str
    tokens: list[_Token]
    at: int = 0
    depth: int = 0
    columns: list[str] = field(default_factory=list)
    factors: list[str] = field(default_factory=list)
    found: list[tuple[int, int, Reference]] = field(default_factory=list)

    def parse(self) -> ParsedFormula:
        if not self.tokens:
            raise SpecificationError("the formula '~' is empty; write '~ 1' for a mean alone")
        if self.sum() > _MAX_TERMS:
            raise SpecificationError(f"the formula {self.text!r} stands for too many terms")
        if self.at < len(self.tokens):
            raise self.unexpected()
        plain, intercept = self.plain()
        return ParsedFormula(
            text=self.text,
            rewritten=self.rewritten(),
            columns=tuple(dict.fromkeys(self.columns)),
            factors=tuple(dict.fromkeys(self.factors)),
            references=tuple(dict.fromkeys(reference for _, _, reference in self.found)),
            plain=plain,
            intercept=intercept,
        )

    def sum(self) -> int:
        bound = self.product()
        while self.next_is("+", "-"):
            self.at += 1
            bound += self.product()
        return bound

    def product(self) -> int:
        bound = self.power()
        while self.next_is("*", "/", ":"):
            self.at += 1
            bound = min((bound + 1) * (self.power() + 1), 10**9)
        return bound

    def power(self) -> int:
        bound = self.atom()
        while self.next_is("**", "^"):
            self.at += 1
            exponent = self.take()
            if exponent.kind != "number" or exponent.text not in ("1", "2", "3"):
                raise SpecificationError(
                    f"powers in a formula go up to {_MAX_POWER}, not {exponent.text!r}"
                )
            bound = min((bound + 1) ** int(exponent.text), 10**9)
        return bound

    def atom(self) -> int:
        token = self.take()
        if token.text in ("-", "+"):
            return self.atom()
        if token.text == "(":
            bound = self.sum()
            self.expect(")")
            return bound
        if token.kind == "number":
            if self.depth == 0 and token.text not in ("0", "1"):
                raise SpecificationError(
                    f"the number {token.text} cannot be a term; inside a formula only 0 and 1 can"
                )
            return 1
        if token.kind == "name" and self.next_is("("):
            return self.call(token)
        if token.kind in ("name", "quoted") and token.text not in _CONSTANTS:
            self.columns.append(token.text.strip("`"))
            return 1
        self.at -= 1
        raise self.unexpected()

    def call(self, function: _Token) -> int:
        name = function.text
        if name not in TRANSFORMS:
            raise SpecificationError(
                f"{name}() is not available in formulas; available: {', '.join(TRANSFORMS)}"
            )
        self.expect("(")
        self.depth += 1
        if name == "C":
            self.factor(function)
        else:
            self.sum()
            self.arguments(name)
        self.depth -= 1
        self.expect(")")
        return _MAX_BASIS if name in ("poly", "cr", "bs") else 1

    def factor(self, function: _Token) -> None:
        column = self.take()
        if column.kind not in ("name", "quoted") or column.text in _CONSTANTS:
            raise SpecificationError("C() takes the name of a column, e.g. C(rater)")
        name = column.text.strip("`")
        self.columns.append(name)
        self.factors.append(name)
        if not self.next_is(","):
            return
        words = [self.take() for _ in range(4)]
        level = words[3]
        if [word.text for word in words[1:3]] != ["ref", "="]:
            raise SpecificationError('C() knows one option: C(rater, ref="therapist")')
        if level.kind not in ("string", "number") or self.depth > 1:
            raise SpecificationError('ref= takes one quoted level, e.g. C(rater, ref="therapist")')
        value = level.text.strip("\"'")
        shown = f'C({name}, ref="{value}")'
        end = self.tokens[self.at].end if self.at < len(self.tokens) else level.end
        self.found.append((function.start, end, Reference(name=shown, column=name, level=value)))

    def arguments(self, function: str) -> None:
        while self.next_is(","):
            self.at += 1
            token = self.take()
            if token.kind == "name" and self.next_is("="):
                if token.text not in _KEYWORDS.get(function, set()):
                    raise SpecificationError(f"{function}() has no option {token.text!r} here")
                self.at += 1
                token = self.take()
            if token.text in _CONSTANTS:
                continue
            if token.kind != "number" or not float(token.text).is_integer():
                raise SpecificationError(f"options of {function}() are whole numbers")
            if float(token.text) > _MAX_BASIS:
                raise SpecificationError(f"{function}() takes at most {_MAX_BASIS} columns here")

    def plain(self) -> tuple[tuple[str, ...] | None, bool]:
        """Names of ``~ [0|1 +] a + b``, or None."""
        terms, signs = self.tokens[0::2], self.tokens[1::2]
        bare = all(token.kind in ("name", "quoted") or token.text in "01" for token in terms)
        if not bare or any(token.text != "+" for token in signs):
            return None, True
        numbers = [token.text for token in terms if token.kind == "number"]
        if len(numbers) > 1:
            return None, True
        names = dict.fromkeys(t.text.strip("`") for t in terms if t.kind != "number")
        return tuple(names), numbers != ["0"]

    def rewritten(self) -> str:
        text = self.text
        for start, end, reference in sorted(self.found, key=lambda item: item[0], reverse=True):
            text = f"{text[:start]}`{reference.name}`{text[end:]}"
        return text

    def next_is(self, *texts: str) -> bool:
        return (
            self.at < len(self.tokens)
            and self.tokens[self.at].kind == "operator"
            and self.tokens[self.at].text in texts
        )

    def take(self) -> _Token:
        if self.at >= len(self.tokens):
            raise SpecificationError(f"the formula {self.text!r} ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, text: str) -> None:
        if not self.next_is(text):
            raise self.unexpected()
        self.at += 1

    def unexpected(self) -> SpecificationError:
        if self.at >= len(self.tokens):
            return SpecificationError(f"the formula {self.text!r} ends too early")
        found = self.tokens[self.at].text
        return SpecificationError(f"the formula {self.text!r} cannot be read at {found!r}")
