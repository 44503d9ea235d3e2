"""The covariance structures of random effects, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np

from metalliance.numerics.bounded import Heteroscedastic, Homogeneous, Independent
from metalliance.numerics.covariances import Structure
from metalliance.numerics.factored import unstructured

__all__ = ["STRUCTURES", "STRUCTURE_NAMES", "StructureName", "correlation_names"]

StructureName = Literal["ID", "DIAG", "CS", "HCS", "UN", "AR", "GEN"]
STRUCTURE_NAMES: tuple[str, ...] = get_args(StructureName)

#: From the number of inner levels, and how many of them occur together in one group at most.
STRUCTURES: Mapping[str, Callable[[int, int], Structure]] = {
    "ID": lambda q, together: Independent(q, common=True),
    "DIAG": lambda q, together: Independent(q, common=False),
    "CS": lambda q, together: Homogeneous(q, together, decaying=False),
    "HCS": lambda q, together: Heteroscedastic(q, together) if q > 2 else unstructured(q),
    "UN": lambda q, together: unstructured(q),
    "AR": lambda q, together: Homogeneous(q, together, decaying=True),
    "GEN": lambda q, together: unstructured(q),
}


def correlation_names(levels: tuple[str, ...]) -> tuple[str, ...]:
    """Pairs of levels in the order of the correlations of an unstructured G.

    Examples
    --------
    >>> correlation_names(("a", "b", "c"))
    ('a, b', 'a, c', 'b, c')
    """
    rows, columns = np.tril_indices(len(levels), -1)
    return tuple(f"{levels[j]}, {levels[i]}" for i, j in zip(rows, columns, strict=True))
