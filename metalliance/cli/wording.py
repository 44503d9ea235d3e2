"""Messages of the engine in the words of the command line: ``vcov='CR2'`` is ``--vcov CR2``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from metalliance.errors import ConvergenceError, SpecificationError

__all__ = ["by_option", "spoken"]

OPTIONS = {
    "mods": "mods",
    "random": "random",
    "structure": "structure",
    "method": "method",
    "yi": "yi",
    "vi": "vi",
    "weights": "weights",
    "vcov": "vcov",
    "test": "test",
    "cluster": "cluster",
    "target": "target",
    "transform": "transform",
    "type": "intervals",
    "tau2": "hold-tau2",
    "sigma2": "hold-sigma2",
    "rho": "hold-rho",
}
PHRASES = (
    (
        re.compile(r"fitting ma\.complete_rows\(effects, mods\); .* counts them"),
        "adding --complete",
    ),
    (re.compile(r"infer\(vcov='CR2', cluster='study'\)"), "--vcov CR2 --cluster study"),
    (re.compile(r"tidy\(infer\(fit, 'CR2'\)\)"), "--vcov CR2"),
    (re.compile(r"; compute V from the same rows"), ""),
    (re.compile(r"^V says"), "--cov-rho says"),
    (re.compile(r"\bV=(?=,|\s|;|$)"), "--cov-rho"),
    (re.compile(r"use augment, whose blup column has"), "look at"),
)
OPTION = re.compile(rf"(?<![\w-])({'|'.join(OPTIONS)})=(?:(['\"])(.*?)\2|(?=[\s;,)]|$))")


def by_option(text: str) -> str:
    """A message with the names of arguments replaced by those of options.

    Examples
    --------
    >>> by_option("add random='~ 1 | study/effect', or leave cluster= out")
    'add --random "~ 1 | study/effect", or leave --cluster out'
    """
    for pattern, words in PHRASES:
        text = pattern.sub(words, text)
    return OPTION.sub(_option, text)


@contextmanager
def spoken() -> Iterator[None]:
    """Errors that are raised within name options."""
    try:
        yield
    except (SpecificationError, ConvergenceError) as error:
        raise type(error)(by_option(str(error))) from None


def _option(match: re.Match[str]) -> str:
    flag, value = f"--{OPTIONS[match[1]]}", match[3]
    if value is None:
        return flag
    return f'{flag} "{value}"' if re.search(r"\W", value) else f"{flag} {value}"
