"""What may be asked of ``fit``, and how the question is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from metalliance.errors import SpecificationError
from metalliance.numerics.tau2 import TAU2_METHODS

__all__ = ["check_method", "describe_call", "fixed_tau2", "refuse_later_scope"]


def refuse_later_scope(**arguments: Any) -> None:
    """Say plainly which arguments this version does not fit."""
    for name, value in arguments.items():
        if value is not None:
            raise SpecificationError(
                f"{name}= (a location-scale model) is not fitted by this version; leave it out"
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


def describe_call(
    mods: str,
    random: str | Sequence[str] | None,
    structure: Sequence[str] | None,
    V: Any,
    method: str,
    yi: str,
    vi: str,
    tau2: Any,
    sigma2: Any,
    rho: Any,
    weights: Any = None,
) -> dict[str, Any]:
    """The specification, ready for JSON."""
    call: dict[str, Any] = {
        "mods": mods.strip(),
        "random": random if random is None or isinstance(random, str) else list(random),
        "V": f"diag({vi})" if V is None else str(getattr(V, "description", "given")),
        "method": method,
        "yi": yi,
        "vi": vi,
        "tau2": _held(tau2),
        "sigma2": _held(sigma2),
    }
    if weights is not None:
        call["weights"] = weights if isinstance(weights, str) else "given"
    if structure:
        call |= {"structure": list(structure), "rho": _held(rho)}
    return call


def _held(given: Any) -> Any:
    """A number, or a list with None for what is free."""
    if given is None or np.ndim(given) == 0:
        return None if given is None else float(given)
    numbers = [np.nan if value is None else float(value) for value in given]
    return [None if np.isnan(number) else number for number in numbers]
