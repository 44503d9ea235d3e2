"""EffectTable: the only handshake between coding and models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from metalliance.numerics.blocks import IntArray, connected_components

__all__ = ["CORE_COLUMNS", "EXCLUDED_COLUMNS", "EffectTable"]

CORE_COLUMNS: tuple[str, ...] = (
    "study",
    "sample",
    "effect",
    "component",
    "estimand",
    "path",
    "lag",
    "es_metric",
    "route",
    "quality",
    "ni",
    "yi",
    "vi",
    "r",
    "v_r",
    "k_x",
    "k_y",
    "shared",
)
EXCLUDED_COLUMNS: tuple[str, ...] = ("study", "sample", "effect", "reason", "address")


@dataclass(frozen=True, slots=True, eq=False)
class EffectTable:
    """Effects ready for a model, and beside them the rows that are not.

    Attributes
    ----------
    usable : DataFrame
        One row per effect: ``CORE_COLUMNS``, then ``moderators``, then ``details``.
    unusable : DataFrame
        ``EXCLUDED_COLUMNS``. Usable and unusable rows together are the rows read.
    moderators : tuple of str
        Columns that describe effects and may enter a model.

    Notes
    -----
    ``yi`` is Fisher's z with sampling variance ``vi`` where ``es_metric`` is ``z``, a
    standardised coefficient with its squared standard error where it is ``beta``. ``r`` and
    ``v_r`` give the same effect as a correlation (NaN for ``beta``). Positive values mean that
    a better alliance goes with a better outcome.
    """

    usable: pd.DataFrame
    unusable: pd.DataFrame
    moderators: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        usable: pd.DataFrame,
        unusable: pd.DataFrame | None = None,
        moderators: Sequence[str] = (),
    ) -> EffectTable:
        """Check the columns and put them in order."""
        missing = [name for name in CORE_COLUMNS if name not in usable.columns]
        if missing:
            raise ValueError(f"columns missing from the effect table: {', '.join(missing)}")
        details = [c for c in usable.columns if c not in CORE_COLUMNS and c not in moderators]
        ordered = usable[[*CORE_COLUMNS, *moderators, *details]].reset_index(drop=True)
        left_out = pd.DataFrame(columns=list(EXCLUDED_COLUMNS)) if unusable is None else unusable
        return cls(ordered, left_out.reset_index(drop=True), tuple(moderators))

    def __len__(self) -> int:
        return len(self.usable)

    def to_frame(self) -> pd.DataFrame:
        """A copy of the usable rows, ready for ``fit``."""
        return self.usable.copy()

    def excluded(self) -> pd.DataFrame:
        """Ids, reason and address of every row that cannot be used."""
        return self.unusable.copy()

    def where(self, keep: Any) -> EffectTable:
        """The usable rows for which ``keep`` (boolean, one per usable row) holds."""
        rows = self.usable.loc[np.asarray(keep, dtype=bool)].reset_index(drop=True)
        return EffectTable(rows, self.unusable.iloc[0:0], self.moderators)

    def clusters(self) -> IntArray:
        """(k,) connected components of rows that share a study or a sample."""
        return connected_components([codes(self.usable["study"]), codes(self.usable["sample"])])


def codes(column: pd.Series) -> IntArray:
    """Integer codes of a column; missing values become -1."""
    numbered: IntArray = pd.factorize(column)[0].astype(np.intp)
    return numbered
