"""What may be asked of ``fit``, and how the question is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from metalliance.errors import SpecificationError
from metalliance.models.random import RandomTerm
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.tau2 import TAU2_METHODS

__all__ = ["check_method", "describe_call", "fixed_sigma2", "fixed_tau2", "refuse_later_scope"]


def refuse_later_scope(**arguments: Any) -> None:
    """Say plainly which arguments this version does not fit."""
    for name, value in arguments.items():
        if value is not None:
            raise SpecificationError(
                f"{name}= is not fitted by this version; it fits univariate models "
                f"({', '.join(TAU2_METHODS)}) and nested random intercepts (ML, REML)"
            )


def check_method(method: str, random: Any) -> None:
    """A known estimator, and one that fits the random terms asked for."""
    if method not in TAU2_METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(TAU2_METHODS)}")
    if random is not None and method not in ("ML", "REML"):
        raise SpecificationError(
            f"random= is fitted by ML or REML, not by {method}; choose one of them, "
            "or leave random= out"
        )


def fixed_tau2(tau2: Any, method: str) -> float | None:
    """A fixed tau², checked; None where it is estimated."""
    if tau2 is None:
        return None
    if method == "EE":
        raise SpecificationError("method EE sets tau2 to zero; leave tau2= out, or use REML")
    if not (isinstance(tau2, Real) and np.isfinite(float(tau2)) and float(tau2) >= 0):
        raise SpecificationError(f"tau2= must be a number of at least zero, not {tau2!r}")
    return float(tau2)


def fixed_sigma2(sigma2: Any, terms: tuple[RandomTerm, ...]) -> FloatArray:
    """(T,) fixed components, NaN where one is estimated."""
    if sigma2 is None:
        return np.full(len(terms), np.nan)
    given = [sigma2] if isinstance(sigma2, Real) else list(sigma2)
    names = ", ".join(term.name for term in terms)
    if len(given) != len(terms):
        raise SpecificationError(
            f"sigma2= has {len(given)} values for {len(terms)} random terms ({names})"
        )
    values = np.array([np.nan if value is None else value for value in given], dtype=np.float64)
    if np.any(values < 0) or np.any(np.isinf(values)):
        raise SpecificationError(f"sigma2= must be finite and at least zero, not {sigma2!r}")
    return values


def describe_call(
    mods: str,
    random: str | Sequence[str] | None,
    V: Any,
    method: str,
    yi: str,
    vi: str,
    tau2: float | None,
    sigma2: Any,
) -> dict[str, Any]:
    """The specification, ready for JSON."""
    covariance = str(getattr(V, "description", "given"))
    fixed: Any = sigma2
    if sigma2 is not None:
        values = [sigma2] if isinstance(sigma2, Real) else list(sigma2)
        numbers = [np.nan if value is None else float(value) for value in values]
        fixed = [None if np.isnan(number) else number for number in numbers]
    return {
        "mods": mods.strip(),
        "random": random if random is None or isinstance(random, str) else list(random),
        "V": f"diag({vi})" if V is None else covariance,
        "method": method,
        "yi": yi,
        "vi": vi,
        "tau2": None if tau2 is None else float(tau2),
        "sigma2": fixed,
    }
