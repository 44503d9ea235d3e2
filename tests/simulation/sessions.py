"""Worlds of sessions whose truth is known, drawn session by session; no estimator is used here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metalliance.traitstate.centring import Series

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Patients with stable levels and a process about them.

    x_t = a_x + w_t, w_t = ar_x w_{t-1} + reverse v_{t-1} + e;
    y_t = a_y + v_t, v_t = ar_y v_{t-1} + forward w_{t-1} + f, corr(e, f) = innovation_r;
    with ``slope`` instead: v_t = (slope + u_i) w_t + f_t, f of autocorrelation ar_y, scaled to
    variance 1.

    ``sessions``: of every patient; with ``fewest`` below it the number is uniform between both.
    """

    patients: int
    sessions: int
    fewest: int = 0
    trait_r: float = 0.4
    trait_sd_x: float = 1.0
    trait_sd_y: float = 1.0
    ar_x: float = 0.0
    ar_y: float = 0.0
    forward: float = 0.0
    reverse: float = 0.0
    innovation_r: float = 0.0
    slope: float | None = None
    slope_sd: float = 0.0
    missed: float = 0.0

    def draw(self, rng: np.random.Generator) -> Series:
        """One data set."""
        n, t = self.patients, self.sessions
        a = rng.normal(size=(n, 2))
        trait_x = self.trait_sd_x * a[:, 0]
        mixed = self.trait_r * a[:, 0] + np.sqrt(1 - self.trait_r**2) * a[:, 1]
        trait_y = self.trait_sd_y * mixed
        w, v = self._process(rng) if self.slope is None else self._slopes(rng, self.slope)
        length = rng.integers(self.fewest or t, t + 1, size=n)
        kept = np.arange(t) < length[:, None]
        kept &= (rng.random((n, t)) >= self.missed) | (np.arange(t) == 0)
        patient, session = np.nonzero(kept)
        return Series(
            patient=patient,
            session=session + 1.0,
            clock=session + 1.0,
            x=(trait_x[:, None] + w)[kept],
            y=(trait_y[:, None] + v)[kept],
            n_patients=n,
        )

    def _process(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        n, t = self.patients, self.sessions
        w, v = np.zeros((n, t)), np.zeros((n, t))
        now_w, now_v = np.zeros(n), np.zeros(n)
        for step in range(-50, t):
            e = rng.normal(size=(n, 2))
            f = self.innovation_r * e[:, 0] + np.sqrt(1 - self.innovation_r**2) * e[:, 1]
            now_w, now_v = (
                self.ar_x * now_w + self.reverse * now_v + e[:, 0],
                self.ar_y * now_v + self.forward * now_w + f,
            )
            if step >= 0:
                w[:, step], v[:, step] = now_w, now_v
        return w, v

    def _slopes(self, rng: np.random.Generator, slope: float) -> tuple[Floats, Floats]:
        n, t = self.patients, self.sessions
        w, f = self._autocorrelated(rng, self.ar_x), self._autocorrelated(rng, self.ar_y)
        each = slope + self.slope_sd * rng.normal(size=n)
        noise = np.sqrt(1 - slope**2 - self.slope_sd**2)
        return w, each[:, None] * w + noise * f.reshape(n, t)

    def _autocorrelated(self, rng: np.random.Generator, ar: float) -> Floats:
        """(n, t) of variance 1."""
        n, t = self.patients, self.sessions
        values = np.zeros((n, t))
        now = rng.normal(size=n)
        for step in range(t):
            values[:, step] = now
            now = ar * now + np.sqrt(1 - ar**2) * rng.normal(size=n)
        return values
