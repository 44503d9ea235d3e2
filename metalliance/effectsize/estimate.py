"""What a paper gives about one effect, and what it becomes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["QUALITIES", "Estimate", "Given", "Quality"]

Quality = Literal["direct", "converted", "approximated", "bounded"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Everything a paper may print about one effect; what it does not print is None.

    Values, intervals and test values stand as printed: the door turns the finished effect by
    ``sign``. ``ci_level`` is a share, .95 unless told otherwise.
    """

    stat: str
    value: float
    n: float | None = None
    se: float | None = None
    ci: tuple[float, float] | None = None
    ci_level: float = 0.95
    test_value: float | None = None
    df: float | None = None
    m: int | None = None
    n1: float | None = None
    n2: float | None = None
    sd_x: float | None = None
    sd_y: float | None = None
    sd_level: str | None = None
    icc_x: float | None = None
    icc_y: float | None = None
    n_obs: float | None = None
    sessions: float | None = None
    lag: float | None = None
    component: str | None = None
    estimand: str | None = None

    @property
    def within(self) -> bool:
        """Whether the effect is about occasions within patients."""
        return self.component == "within"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One effect on its analysis scale (see ``convert``)."""

    yi: float
    vi: float
    r: float
    v_r: float
    ni: float
    route: str
    quality: Quality
    trace: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.yi) and 0.0 < self.vi < math.inf):
            raise ValueError("yi and vi must be finite and vi above 0")
