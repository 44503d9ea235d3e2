"""The one place where work is spread over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["run"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def run(function: Callable[[Item], Result], items: Iterable[Item], n_jobs: int = 1) -> list[Result]:
    """``[function(item) for item in items]``, by ``n_jobs`` processes (-1: all cores).

    The order of the results is the order of the items, whatever ``n_jobs`` is.

    Examples
    --------
    >>> run(abs, [-1, 2])
    [1, 2]
    """
    if n_jobs == 1:
        return [function(item) for item in items]
    from joblib import Parallel, delayed

    return list(Parallel(n_jobs=n_jobs)(delayed(function)(item) for item in items))
