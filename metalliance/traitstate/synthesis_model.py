"""The random-coefficients model of the synthesis, at any weights of trait and state."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.effectsize.assumed import RHO_BY_COMPONENT
from metalliance.effectsize.dependence import sampling_covariance
from metalliance.errors import SmallSampleWarning
from metalliance.models.fit import fit
from metalliance.models.inference import Inference, infer
from metalliance.models.result import Fit
from metalliance.numerics.blocks import FloatArray
from metalliance.traitstate.joint import LEAST_WITH_BOTH

__all__ = ["Mixture", "Settled"]

SETTLED = 1e-8
ROUNDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The random-coefficients model of one set of rows, at any weights."""

    rows: pd.DataFrame
    sampling_rho: float
    method: str
    reported: pd.DataFrame | None = None

    def settled(self, a: FloatArray, b: FloatArray) -> Settled:
        """Fit, with sampling variances at its own fitted means."""
        near: Fit | None = None
        mean = np.full(len(self.rows), float(np.average(self.rows["r"], weights=1 / self._v_z())))
        for _ in range(ROUNDS):
            vi = self._variances(mean)
            inference = self.at(a, b, vi, near=near)
            near = inference.fit
            before, mean = mean, inference.fit.X @ inference.fit.beta
            if np.max(np.abs(mean - before)) < SETTLED:
                break
        return Settled(model=self, inference=inference, vi=vi)

    def at(
        self,
        a: FloatArray,
        b: FloatArray,
        vi: FloatArray,
        extra: FloatArray | None = None,
        near: Fit | None = None,
    ) -> Inference:
        """Fit at given weights and variances, perhaps with one more column, or near another."""
        within = self.rows["component"].eq("within").to_numpy()
        frame = self.rows.assign(
            a=a, b=b, v=vi, row=np.arange(len(a)), kind=np.where(within, "state", "mixed")
        )
        formula, random, structures = "~ 0 + a + b", ["~ 0 + a + b | cluster"], ["GEN"]
        if extra is not None:
            frame, formula = frame.assign(undisaggregated=extra), f"{formula} + undisaggregated"
        tau2: list[float | None] = [None, None]
        several = [len(rows) > rows["cluster"].nunique() for _, rows in frame.groupby("kind")]
        if any(several):
            random.append("~ kind | row" if len(several) > 1 else "~ 1 | row")
            if len(several) > 1:
                structures.append("DIAG")
                tau2 += [None if found else 0.0 for found in several]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallSampleWarning)
            model = fit(
                frame,
                formula,
                random=random,
                structure=structures,
                V=sampling_covariance(
                    frame,
                    rho=_sampling(self.sampling_rho),
                    component="component",
                    vi="v",
                    correlations=self.reported,
                ),
                method=self.method,
                yi="r",
                vi="v",
                tau2=tau2,
                rho=[None if self._with_both() >= LEAST_WITH_BOTH else 0.0],
                near=near,
            )
            return infer(model, vcov="CR2", cluster="cluster")

    def _with_both(self) -> int:
        kinds = self.rows["component"].eq("within").groupby(self.rows["cluster"])
        return int((kinds.nunique() == 2).sum())

    def _v_z(self) -> FloatArray:
        """Variance of Fisher's z; 1/(n − 1) for a correlation over patients as it was printed."""
        n, vi = self.rows["ni"].to_numpy(), self.rows["vi"].to_numpy()
        direct = self.rows["quality"].eq("direct") & self.rows["component"].isin(
            ("total", "between_observed")
        )
        return np.where(direct.to_numpy() & (n > 1), 1 / np.where(n > 1, n - 1, 1), vi)

    def _variances(self, mean: FloatArray) -> FloatArray:
        return np.asarray((1 - mean**2) ** 2 * self._v_z())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A fit with its sampling variances, from which fits at other weights are reached."""

    model: Mixture
    inference: Inference
    vi: FloatArray

    @property
    def rows(self) -> pd.DataFrame:
        """The effects."""
        return self.model.rows

    def at(self, a: FloatArray, b: FloatArray, extra: FloatArray | None = None) -> Inference:
        """The same variances with other weights, perhaps with one more column."""
        return self.model.at(a, b, self.vi, extra, self.inference.fit)


def _sampling(rho: float) -> dict[tuple[str, str], float]:
    own = {pair: rho for pair in RHO_BY_COMPONENT if pair[0] == pair[1]}
    return {**RHO_BY_COMPONENT, **own}
