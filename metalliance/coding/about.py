"""What START says of a review: its title, its construct, whether its data are real."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from metalliance.coding.spreadsheet import Source

__all__ = ["ABOUT_KEYS", "read_about"]

ABOUT_KEYS: dict[str, str] = {
    "title": "Title of the review",
    "construct": "What is correlated with outcome",
    "data": "real or simulated",
    "source": "Where the data come from",
}
LOOKED_AT = 40


def read_about(source: Source, names: Mapping[str, str]) -> Mapping[str, str]:
    """Key and value pairs of sheet START; empty where there is no such sheet.

    Parameters
    ----------
    source : Source
        An open workbook.
    names : mapping
        Sheet names as they stand in the file, by their upper-case form.
    """
    if "START" not in names:
        return MappingProxyType({})
    grid = source.grid(names["START"])
    about = {}
    for number in range(min(len(grid.rows), LOOKED_AT)):
        key, value = grid.at(number, 0), grid.at(number, 1)
        if isinstance(key, str) and key.strip() in ABOUT_KEYS and isinstance(value, str):
            about[key.strip()] = value.strip()
    return MappingProxyType(about)
