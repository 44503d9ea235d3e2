"""What spreadsheet programs do to text: dates, powers of ten, digits lost, ends cut off.

A number that is wrong keeps its row out (`cells.parse_cell`); text is kept as it stands, and
what looks damaged is said.
"""

from __future__ import annotations

import datetime
import re

from metalliance.coding.cells import Fault, Raw
from metalliance.coding.codebook import Field

__all__ = ["damage"]

LONGEST = 32_767
EXACT = 10**15
POWER = re.compile(r"\d(\.\d+)?E[+-]?\d+", re.ASCII)
AS_TEXT = "format the cell as text and type it again"


def damage(raw: Raw, field: Field) -> Fault | None:
    """What a spreadsheet program seems to have done to a cell of text or to an id.

    >>> damage("1.2E+15", Field(name="doi", type="text", help="")).code
    'power-of-ten'
    >>> damage("WAI-SR", Field(name="instrument", type="text", help="")) is None
    True
    """
    if field.type not in ("text", "id"):
        return None
    if isinstance(raw, str):
        if len(raw) == LONGEST:
            what = f"has {LONGEST:,} characters, the most a cell can hold: its end may be cut off"
            return Fault("cut-text", what, "shorten it, or keep the whole text elsewhere")
        if POWER.fullmatch(raw.strip()):
            what = "looks like a long number or an id such as 1E5, which spreadsheets rewrite"
            return Fault("power-of-ten", what, AS_TEXT)
        return None
    if isinstance(raw, datetime.date) and field.type == "text":
        what = "is a date: spreadsheets turn an entry like 3-9 into one"
        return Fault("date", what, AS_TEXT)
    if isinstance(raw, float | int) and abs(raw) >= EXACT:
        what = "is a number of over 15 digits, of which spreadsheets keep 15"
        return Fault("digits-lost", what, AS_TEXT)
    return None
