"""Tables of what was matched, what one coder has alone, and agreement on what exists."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from metalliance.coding.identity import Row
from metalliance.coding.matching import Group, Matching

__all__ = ["describe", "existence", "matched_rows", "only_in"]

EXISTENCE_NOTE = "kappa is not defined: effects that neither coder found cannot be counted"
SHEETS = ("STUDIES", "MEASURES", "MODELS", "EFFECTS")


def existence(groups: Matching, letters: Sequence[str], shared: Collection[str]) -> pd.DataFrame:
    """Specific agreement on which things there are, pair by pair of coders."""
    rows = []
    for sheet in SHEETS:
        those = [group for group in groups.groups[sheet] if group.study in shared]
        for i, j in combinations(range(len(letters)), 2):
            there = np.array(
                [(g.rows[i] is not None, g.rows[j] is not None) for g in those], dtype=bool
            ).reshape(-1, 2)
            both = int(there.all(axis=1).sum())
            only = [int((there[:, at] & ~there[:, 1 - at]).sum()) for at in (0, 1)]
            found = both + sum(only)
            rows.append(
                {
                    "sheet": sheet,
                    "first": letters[i],
                    "second": letters[j],
                    "both": both,
                    "only_first": only[0],
                    "only_second": only[1],
                    "agree_percent": 100 * both / found if found else math.nan,
                    "positive_agreement": 2 * both / (both + found) if found else math.nan,
                    "note": EXISTENCE_NOTE,
                }
            )
    return pd.DataFrame(rows)


def only_in(groups: Matching, letters: Sequence[str], shared: Collection[str]) -> pd.DataFrame:
    """Rows that one coder has alone, with the rows of others that they may be."""
    columns = ("coder", "sheet", "study", "id", "address", "what", "candidates")
    rows = [
        {
            "coder": letters[group.first.coder],
            "sheet": group.sheet,
            "study": group.study,
            "id": group.first.id,
            "address": group.first.record.address(),
            "what": describe(group.first),
            "candidates": ", ".join(
                f"{letters[row.coder]} {row.id} ({row.record.address()})"
                for row in group.candidates
            ),
        }
        for those in groups.groups.values()
        for group in those
        if group.how == "alone" and group.study in shared
    ]
    return pd.DataFrame(rows, columns=list(columns))


def matched_rows(groups: Matching, letters: Sequence[str]) -> pd.DataFrame:
    """Rows that were joined: ids and addresses, what joined them, in which facts they differ."""
    columns = ("sheet", "study", *letters, *(f"{a}_address" for a in letters), "how", "differs")
    rows = [
        {
            "sheet": group.sheet,
            "study": group.study,
            **{a: row.id if row else "" for a, row in _places(group, letters)},
            **{
                f"{a}_address": row.record.address() if row else ""
                for a, row in _places(group, letters)
            },
            "how": group.how,
            "differs": ", ".join(group.differs),
        }
        for those in groups.groups.values()
        for group in those
        if group.how != "alone"
    ]
    return pd.DataFrame(rows, columns=list(columns))


def _places(group: Group, letters: Sequence[str]) -> list[tuple[str, Row | None]]:
    return list(zip(letters, group.rows, strict=True))


def describe(row: Row) -> str:
    """A row in a few words."""
    record = row.record
    names = {
        "STUDIES": ("citation", "design", "treatment"),
        "MEASURES": ("kind", "instrument", "rater", "subscale", "first_session"),
        "MODELS": ("kind", "disaggregation", "prior_outcome_control"),
        "INTERCORR": ("r", "n"),
    }.get(record.sheet, ("alliance", "outcome", "model", "alliance_term", "lag", "stat", "value"))
    return " ".join(text for name in names if (text := record.coded(name).text))
