"""Reading a moderator formula under a whitelist, before anything evaluates it.

A formula may come from a plan or a sheet that someone else wrote. Only names of columns, a few
operators and a few transforms pass, and what passes is bounded in size. Every name and number is
replaced by an alias such as ``_0_``, so no text of the user reaches an evaluator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from metalliance.errors import SpecificationError
from metalliance.models.tokens import Cursor, Token, quoted, read_tokens
from metalliance.models.variables import ParsedFormula, Variable

__all__ = ["BASES", "TRANSFORMS", "ParsedFormula", "Variable", "parse_formula"]

TRANSFORMS: tuple[str, ...] = ("C", "I", "center", "scale", "poly", "cr", "bs", "log", "sqrt")
BASES: dict[str, tuple[str, ...]] = {
    "poly": ("degree", "raw"),
    "cr": ("df",),
    "bs": ("df", "degree"),
}
_CONSTANTS = ("True", "False", "None")
_MAX_LENGTH = 500
_MAX_TERMS = 200
_MAX_BASIS = 20
_MAX_DIGITS = 15


def parse_formula(text: str) -> ParsedFormula:
    """Check a formula such as ``~ rater + scale(session)`` and say what it uses.

    Examples
    --------
    >>> parse_formula("~ rater + log(year)").columns
    ('rater', 'year')
    """
    if not isinstance(text, str):
        raise SpecificationError(f"mods must be a formula such as '~ 1', not {text!r}")
    return _parsed(text)


@lru_cache(maxsize=256)
def _parsed(text: str) -> ParsedFormula:
    if len(text) > _MAX_LENGTH:
        raise SpecificationError(
            f"the formula has {len(text)} characters; at most {_MAX_LENGTH} are read, so give "
            "long columns short names or compute a moderator as a column first"
        )
    stripped = text.strip()
    if not stripped.startswith("~"):
        raise SpecificationError(
            f"the formula {stripped!r} must start with '~' and have no left side, e.g. '~ rater'"
        )
    tokens = read_tokens(stripped, TRANSFORMS)
    if not tokens:
        raise SpecificationError("the formula '~' is empty; write '~ 1' for a mean alone")
    return _Parser(stripped, tokens).parse()


@dataclass(slots=True)
class _Parser(Cursor):
    """Recursive descent over two languages: terms, and the arithmetic inside a transform.

    The methods for terms return a bound on the number of terms they stand for.
    """

    written: list[str] = field(init=False)
    reads: int = 0
    variables: dict[Variable, int] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.written = [token.text for token in self.tokens]

    def parse(self) -> ParsedFormula:
        if self.formula() > _MAX_TERMS:
            raise SpecificationError(
                f"the formula {self.text!r} stands for too many terms (more than {_MAX_TERMS}); "
                "name the interactions that matter one by one"
            )
        plain, intercept = self.plain()
        return ParsedFormula(
            text=self.text,
            rewritten="~" + "".join(self.written),
            variables=tuple(self.variables),
            constants=tuple(self.constants),
            plain=plain,
            intercept=intercept,
        )

    def formula(self) -> int:
        bound = self.item(self.sign())
        while self.next_is("+", "-"):
            bound += self.item(self.sign())
        if self.at < len(self.tokens):
            raise self.unexpected()
        return bound

    def sign(self) -> str:
        return self.take().text if self.next_is("+", "-") else "+"

    def item(self, sign: str) -> int:
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "number":
            number = self.take().text
            if number not in ("0", "1") or (sign == "-" and number == "0"):
                raise SpecificationError(
                    f"the number {number} cannot be a term; the numbers that can are 1 (an "
                    "intercept), and 0 or - 1 (none)"
                )
            return 1
        return self.product()

    def product(self) -> int:
        bound = self.power()
        while self.next_is("*", "/", ":"):
            crossed = self.take().text != ":"
            other = self.power()
            bound = min(bound * other + crossed * (bound + other), 10**9)
        return bound

    def power(self) -> int:
        bound, exponent = self.atom(), self.exponent()
        if bound == 1 and exponent > 1:
            raise SpecificationError(
                f"the power of a single term in {self.text!r} would be the term itself; write "
                "I(x ** 2) for a square, or poly(x, 2)"
            )
        return int(min((bound + 1) ** exponent - 1, 10**9))

    def atom(self) -> int:
        token = self.take()
        if token.text == "(":
            return self.group()
        if token.kind == "name" and self.next_is("("):
            return self.call(token)
        if token.is_column(_CONSTANTS):
            self.write(Variable(name=token.content, column=token.content, role="term"))
            return 1
        if token.kind == "number":
            raise SpecificationError(
                f"the formula {self.text!r} has the number {token.text} inside a product or "
                "parentheses; write 0 or 1 as a term of its own, and arithmetic inside I()"
            )
        self.at -= 1
        raise self.unexpected()

    def group(self) -> int:
        self.deeper()
        bound = self.product()
        while self.next_is("+", "-"):
            self.at += 1
            bound += self.product()
        self.shallower()
        return bound

    def call(self, function: Token) -> int:
        name = function.text
        self.known(name)
        self.expect("(")
        if name == "C":
            self.factor(self.at - 2)
            return 1
        self.argument(name)
        self.options(name)
        self.shallower()
        return 1

    def factor(self, start: int) -> None:
        """``C(column)`` or ``C(column, ref="level")``, replaced by one alias."""
        column = self.take()
        if not column.is_column(_CONSTANTS):
            raise SpecificationError("C() takes the name of a column, e.g. C(rater)")
        level: str | None = None
        if self.next_is(","):
            words = [self.take() for _ in range(4)]
            if [word.text for word in words[1:3]] != ["ref", "="]:
                raise SpecificationError('C() knows one option: C(rater, ref="therapist")')
            if words[3].kind not in ("string", "number"):
                raise SpecificationError(
                    'ref= takes one quoted level, e.g. C(rater, ref="therapist")'
                )
            level = words[3].content
        self.expect(")")
        shown = quoted(column.content)
        name = f"C({shown})" if level is None else f"C({shown}, ref={_in_quotes(level)})"
        for position in range(start, self.at):
            self.written[position] = ""
        self.write(Variable(name=name, column=column.content, role="factor", reference=level))

    def options(self, function: str) -> None:
        """``, 3`` or ``, df=3``: whole numbers, or True and False for ``raw``."""
        known = BASES.get(function, ())
        given: list[str] = []
        named = False
        while self.next_is(","):
            self.at += 1
            token = self.take()
            option = known[len(given)] if len(given) < len(known) else ""
            if token.kind == "name" and self.next_is("="):
                named, option = True, token.text
                self.at += 1
                token = self.take()
            elif named:
                option = ""
            if option not in known or option in given:
                takes = (
                    f"the moderator and {' and '.join(known)}, each once" if known else "one value"
                )
                raise SpecificationError(
                    f"{function}() has no option {option or token.text!r} here; it takes {takes}"
                )
            given.append(option)
            _check_option(function, option, token)

    def arithmetic(self) -> None:
        self.quotient()
        while self.next_is("+", "-"):
            self.at += 1
            self.quotient()

    def quotient(self) -> None:
        self.operand()
        while self.next_is("*", "/"):
            self.at += 1
            self.operand()

    def operand(self) -> None:
        signs = 0
        while self.next_is("+", "-"):
            self.at += 1
            signs += 1
        if signs > 1:
            raise SpecificationError(f"the formula {self.text!r} has several signs in a row")
        self.number()
        self.exponent()

    def number(self) -> None:
        token = self.take()
        if token.text == "(":
            self.deeper()
            self.arithmetic()
            self.shallower()
        elif token.kind == "number":
            if len(token.text) > _MAX_DIGITS:
                raise SpecificationError(
                    f"numbers in a formula have at most {_MAX_DIGITS} characters, not {token.text}"
                )
            position = self.constants.setdefault(token.text, len(self.constants))
            self.written[self.at - 1] = f"_c{position}_"
        elif token.kind == "name" and self.next_is("("):
            self.inner_call(token)
        elif token.is_column(_CONSTANTS):
            self.write(Variable(name=quoted(token.content), column=token.content, role="number"))
        else:
            self.at -= 1
            raise self.unexpected()

    def inner_call(self, function: Token) -> None:
        name = function.text
        self.known(name)
        if name == "C" or name in BASES:
            raise SpecificationError(
                f"{name}() stands alone as a term and cannot be computed with in {self.text!r}"
            )
        self.expect("(")
        self.argument(name)
        self.shallower()

    def argument(self, function: str) -> None:
        reads = self.reads
        self.deeper()
        self.arithmetic()
        if self.reads == reads:
            raise SpecificationError(
                f"{function}() in {self.text!r} reads no column; put a moderator into it"
            )

    def exponent(self) -> int:
        """An exponent from 1 to 3; ``^`` is the power it is in R."""
        if not self.next_is("**", "^"):
            return 1
        self.written[self.at] = "**"
        self.at += 1
        exponent = self.take()
        if exponent.text not in ("1", "2", "3") or self.next_is("**", "^"):
            raise SpecificationError(
                f"powers in a formula are single whole numbers up to 3; {self.text!r} has "
                f"{exponent.text!r}; compute others as a column first, or write poly(x, 4)"
            )
        return int(exponent.text)

    def plain(self) -> tuple[tuple[str, ...] | None, bool]:
        """Names of ``~ [0 | 1 | -1 +] a + b`` and whether the intercept stays, or None."""
        names: dict[str, None] = {}
        intercept, sign = True, "+"
        for token in self.tokens:
            if token.kind == "operator" and token.text in "+-":
                sign = token.text
            elif token.kind == "number":
                intercept = token.text == "1" and sign == "+"
            elif token.is_column(_CONSTANTS) and sign == "+":
                names[token.content] = None
            else:
                return None, True
        return tuple(names), intercept

    def write(self, variable: Variable) -> None:
        """Put the alias in the place of the token just taken."""
        self.reads += 1
        position = self.variables.setdefault(variable, len(self.variables))
        self.written[self.at - 1] = f"_{position}_"

    def known(self, name: str) -> None:
        if name not in TRANSFORMS:
            raise SpecificationError(
                f"{name}() is not available in formulas; available: {', '.join(TRANSFORMS)}; "
                "compute anything else as a column first"
            )


def _check_option(function: str, option: str, token: Token) -> None:
    if option == "raw":
        if token.text not in ("True", "False"):
            raise SpecificationError(f"raw= of {function}() is True or False, not {token.text!r}")
        return
    if token.kind != "number" or not token.text.isdigit():
        raise SpecificationError(
            f"options of {function}() are whole numbers; {option} is {token.text!r}"
        )
    if not 1 <= int(token.text[:9]) <= _MAX_BASIS:
        raise SpecificationError(
            f"{function}() takes at least 1 and at most {_MAX_BASIS} for {option} here"
        )


def _in_quotes(level: str) -> str:
    return f"'{level}'" if '"' in level else f'"{level}"'
