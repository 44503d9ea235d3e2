"""Whether a design can be estimated, and if not, which columns are to blame and why."""

from __future__ import annotations

import numpy as np

from metalliance.errors import SpecificationError
from metalliance.models.rows import listed
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.linalg import dependent_columns

__all__ = ["check_rank"]

_ZERO = 1e-6
_MARGIN = 1e-8
_SHOWN = 4


def check_rank(X: FloatArray, terms: tuple[str, ...]) -> None:
    """Refuse a design X (k, p) that cannot be estimated, naming the columns to blame.

    Examples
    --------
    >>> x = np.array([1.0, 2, 4, 7])
    >>> check_rank(np.column_stack([x, 2 * x]), ("x", "double"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    metalliance.errors.SpecificationError: ...: 'double' equals 2 × 'x'; leave out the term ...
    """
    k, p = X.shape
    if not p:
        raise SpecificationError("the formula leaves no coefficient; write '~ 1' for a mean alone")
    if k <= p:
        raise SpecificationError(
            f"{k} effect{'s' if k > 1 else ''} cannot carry {p} coefficient{'s' if p > 1 else ''} "
            f"({listed(terms)}); there must be more effects than coefficients, so leave out a term "
            "or merge levels"
        )
    dependent = () if _clearly_independent(X) else dependent_columns(X)
    if not dependent:
        return
    reasons = [_reason(X, terms, j, dependent) for j in dependent[:_SHOWN]]
    if len(dependent) > _SHOWN:
        reasons.append(f"and {len(dependent) - _SHOWN} more columns likewise")
    raise SpecificationError(
        f"these rows cannot tell all coefficients apart: {'; '.join(reasons)}; leave out the term "
        "that is named first in each case, or merge levels"
    )


def _clearly_independent(X: FloatArray) -> bool:
    """Whether X has full rank by a wide margin, for much less work than naming columns.

    With columns of length 1, the smallest eigenvalue of X'X bounds from below the squared
    distance of every column to the span of the others.
    """
    if X.shape[1] == 1:
        return bool(np.isfinite(X).all() and np.any(X))
    products = X.T @ X
    size = np.sqrt(np.diagonal(products))
    if not np.all((size > 0) & np.isfinite(size)):
        return False
    return bool(np.linalg.eigvalsh(products / np.outer(size, size))[0] > _MARGIN)


def _reason(X: FloatArray, terms: tuple[str, ...], j: int, dependent: tuple[int, ...]) -> str:
    name, column = repr(terms[j]), X[:, j]
    if not column.any():
        if ":" in terms[j]:
            return f"{name} is 0 in every row, for no effect falls into this cell"
        return f"{name} is 0 in every row"
    if np.all(column == column[0]) and "Intercept" in terms:
        return f"{name} is {column[0]:g} in every row, which 'Intercept' stands for"
    before = [i for i in range(j) if i not in dependent]
    size = np.sqrt(np.einsum("ij,ij->j", X[:, before], X[:, before]))
    scaled = np.linalg.lstsq(X[:, before] / size, column, rcond=None)[0]
    involved = np.abs(scaled) > _ZERO * np.sqrt(column @ column)
    coefficients = scaled / size
    parts = [(terms[before[i]], coefficients[i]) for i in np.flatnonzero(involved)]
    if len(parts) > _SHOWN:
        return f"{name} follows from {listed([term for term, _ in parts], _SHOWN)}"
    return f"{name} equals {_sum(parts)}"


def _sum(parts: list[tuple[str, float]]) -> str:
    """``'a' + 2 × 'b' - 'c'``, what is added first."""
    text = ""
    for term, coefficient in sorted(parts, key=lambda part: part[1] < 0):
        size = f"{abs(coefficient):.6g}"
        factor = repr(term) if size == "1" else f"{size} × {term!r}"
        if text:
            text += f" {'-' if coefficient < 0 else '+'} {factor}"
        else:
            text = f"-{factor}" if coefficient < 0 else factor
    return text
