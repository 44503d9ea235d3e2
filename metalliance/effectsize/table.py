"""EffectTable: the only handshake between coding and models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from metalliance.numerics.blocks import IntArray, connected_components

__all__ = ["CORE_COLUMNS", "EXCLUDED_COLUMNS", "EffectTable", "pairs_among"]

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
    correlations : DataFrame, optional
        Sampling correlations of pairs of usable effects that their reports give: ``study``,
        ``id1``, ``id2`` (of column ``effect``), ``r``. `sampling_covariance` takes them.

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
    correlations: pd.DataFrame | None = None

    @classmethod
    def build(
        cls,
        usable: pd.DataFrame,
        unusable: pd.DataFrame | None = None,
        moderators: Sequence[str] = (),
        correlations: pd.DataFrame | None = None,
    ) -> EffectTable:
        """Check the columns and put them in order."""
        missing = [name for name in CORE_COLUMNS if name not in usable.columns]
        if missing:
            raise ValueError(f"columns missing from the effect table: {', '.join(missing)}")
        details = [c for c in usable.columns if c not in CORE_COLUMNS and c not in moderators]
        ordered = usable[[*CORE_COLUMNS, *moderators, *details]].reset_index(drop=True)
        left_out = pd.DataFrame(columns=list(EXCLUDED_COLUMNS)) if unusable is None else unusable
        return cls(
            ordered,
            left_out.reset_index(drop=True),
            tuple(moderators),
            pairs_among(correlations, ordered),
        )

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
        pairs = pairs_among(self.correlations, rows)
        return EffectTable(rows, self.unusable.iloc[0:0], self.moderators, pairs)

    def clusters(self) -> IntArray:
        """(k,) connected components of rows that share a study or a sample."""
        return connected_components([codes(self.usable["study"]), codes(self.usable["sample"])])


def pairs_among(correlations: pd.DataFrame | None, rows: pd.DataFrame) -> pd.DataFrame | None:
    """The reported correlations whose two effects are among the rows; None where none is."""
    if correlations is None:
        return None
    there = set(zip(rows["study"], rows["effect"], strict=True))
    kept = [
        (study, first) in there and (study, second) in there
        for study, first, second in zip(
            correlations["study"], correlations["id1"], correlations["id2"], strict=True
        )
    ]
    return correlations[kept].reset_index(drop=True) if any(kept) else None


def codes(column: pd.Series) -> IntArray:
    """Integer codes of a column; missing values become -1."""
    numbered: IntArray = pd.factorize(column)[0].astype(np.intp)
    return numbered
