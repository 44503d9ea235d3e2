"""Numbers as the field prints them."""

from __future__ import annotations

__all__ = ["apa"]


def apa(number: float, decimals: int) -> str:
    """A number without its leading zero and with a true minus sign.

    >>> apa(-0.314, 2)
    '−.31'
    >>> apa(1.2, 2)
    '1.20'
    """
    text = f"{abs(number):.{decimals}f}"
    if text.startswith("0."):
        text = text[1:]
    zero = not text.strip("0.")
    return text if number >= 0 or zero else f"−{text}"
