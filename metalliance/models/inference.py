"""``infer``: one fit read with a chosen covariance, test and reference distribution."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metalliance.errors import SmallSampleWarning, SpecificationError
from metalliance.models.result import Fit
from metalliance.models.rows import describe_rows, require_columns
from metalliance.numerics.blocks import FloatArray, IntArray
from metalliance.numerics.sandwich import CR_TYPES, Sandwich, cluster_robust, satterthwaite_df

__all__ = ["Inference", "as_inference", "as_model", "infer"]

Vcov = Literal["default", "model", "knha", "adhoc", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"]
Test = Literal["z", "t", "satterthwaite", "naive-t", "naive-tp"]

TESTS: dict[str, tuple[str, ...]] = {
    "model": ("z", "t"),
    "knha": ("t",),
    "adhoc": ("t",),
    **dict.fromkeys(CR_TYPES, ("satterthwaite", "naive-t", "naive-tp", "z")),
}
MINIMUM_DF = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inference:
    """A fit together with standard errors and degrees of freedom.

    Attributes
    ----------
    fit : Fit
    vcov_type : str
        ``model``, ``knha``, ``adhoc`` or one of the CR types.
    test : str
        ``z``, ``t``, ``satterthwaite``, ``naive-t`` or ``naive-tp``.
    vcov : (p, p) float
        Covariance of the coefficients.
    df : (p,) float
        Infinite for a z test.
    clusters : (k,) int or None
        Clusters of a robust covariance.
    cluster_name : str
    sandwich : Sandwich or None
    imprecise : (p,) bool
        Satterthwaite degrees of freedom below 4, or a coefficient that rests on one cluster
        alone: read neither p nor interval at face value.
    """

    fit: Fit
    vcov_type: str
    test: str
    vcov: FloatArray
    df: FloatArray
    clusters: IntArray | None = field(default=None, repr=False)
    cluster_name: str = ""
    sandwich: Sandwich | None = field(default=None, repr=False)
    imprecise: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def std_error(self) -> FloatArray:
        """(p,) standard errors."""
        return np.sqrt(np.diagonal(self.vcov))

    @property
    def n_clusters(self) -> int:
        """Clusters of the robust covariance, else those of the fit."""
        return self.fit.n_clusters if self.clusters is None else int(self.clusters.max()) + 1

    def df_of(self, contrasts: FloatArray) -> FloatArray:
        """Degrees of freedom of contrasts (m, p) of the coefficients."""
        if self.test == "satterthwaite" and self.sandwich is not None:
            return satterthwaite_df(self.sandwich, contrasts)
        return np.full(len(contrasts), self.df[0])


def infer(
    fit: Fit, vcov: str = "default", test: str | None = None, cluster: Any = None
) -> Inference:
    """Choose how the uncertainty of a fit is read; the fit itself stays as it is.

    Parameters
    ----------
    fit : Fit
    vcov : {'default', 'model', 'knha', 'adhoc', 'CR0', 'CR1', 'CR1p', 'CR1S', 'CR2', 'CR3'}
        By default Knapp-Hartung for independent effects, CR2 with random terms.
    test : {'z', 't', 'satterthwaite', 'naive-t', 'naive-tp'}, optional
        model: z, or t on k-p df. knha, adhoc: t on k-p. CR: Satterthwaite, t on J-1, t on J-p
        or z. The first that the covariance knows is the default.
    cluster : str or (k,) array, optional
        Clusters of a CR covariance: a column, or one label per row. By default the linked
        studies and samples of an EffectTable, else the outermost random factor.

    Returns
    -------
    Inference

    Notes
    -----
    Knapp-Hartung multiplies the model covariance by s² = Σ w e²/(k-p); ``adhoc`` by max(1, s²).

    References
    ----------
    Knapp & Hartung (2003), doi:10.1002/sim.1482; Pustejovsky & Tipton (2018),
    doi:10.1080/07350015.2016.1247004.
    """
    if not isinstance(fit, Fit):
        raise SpecificationError(f"infer takes what fit returned, not {type(fit).__name__}")
    kind = _vcov_type(fit, vcov)
    test = _test(kind, test)
    if kind not in CR_TYPES:
        if cluster is not None:
            raise SpecificationError(f"vcov={kind!r} has no clusters; choose vcov='CR2'")
        df = np.full(fit.p, np.inf if test == "z" else float(fit.k - fit.p))
        return Inference(
            fit=fit,
            vcov_type=kind,
            test=test,
            vcov=_scaled(fit, kind),
            df=df,
            imprecise=np.zeros(fit.p, dtype=bool),
        )
    return _robust(fit, kind, test, cluster)


def as_inference(x: Fit | Inference) -> Inference:
    """An inference as it is; a fit with its default inference."""
    if isinstance(x, Inference):
        return x
    if isinstance(x, Fit):
        return infer(x)
    raise SpecificationError(f"a Fit or an Inference is needed here, not {type(x).__name__}")


def as_model(x: Fit | Inference) -> Fit:
    """The fit of an inference, or the fit itself."""
    return x if isinstance(x, Fit) else as_inference(x).fit


def _vcov_type(fit: Fit, vcov: str) -> str:
    if vcov not in get_args(Vcov):
        raise ValueError(f"unknown vcov {vcov!r}; choose one of {', '.join(get_args(Vcov))}")
    if vcov == "default":
        return "knha" if fit.univariate else "CR2"
    if vcov in ("knha", "adhoc") and not fit.univariate:
        raise SpecificationError(
            f"vcov={vcov!r} holds for independent effects only; with random= choose 'CR2' "
            "or 'model'"
        )
    return vcov


def _test(kind: str, test: str | None) -> str:
    allowed = TESTS[kind]
    if test is None:
        return allowed[0]
    if test not in get_args(Test):
        raise ValueError(f"unknown test {test!r}; choose one of {', '.join(get_args(Test))}")
    if test not in allowed:
        raise SpecificationError(f"vcov={kind!r} has no test {test!r}; it has {', '.join(allowed)}")
    return test


def _scaled(fit: Fit, kind: str) -> FloatArray:
    if kind == "model":
        return fit.vcov
    s2 = fit.rss / (fit.k - fit.p)
    return fit.vcov * (max(1.0, s2) if kind == "adhoc" else s2)


def _robust(fit: Fit, kind: str, test: str, cluster: Any) -> Inference:
    if fit.weights is not None:
        raise SpecificationError(
            f"vcov={kind!r} is not available with weights=, whose covariance already holds for "
            "any weights; choose 'model' or 'knha', or leave weights= out"
        )
    codes, name = _clusters(fit, cluster)
    J = int(codes.max()) + 1
    if J < 2:
        raise SpecificationError(f"there is one cluster ({name}); robust standard errors need two")
    if (kind == "CR1p" or test == "naive-tp") and fit.p >= J:
        raise SpecificationError(f"{J} clusters cannot carry {fit.p} coefficients")
    try:
        marginal = fit.marginal.regroup(codes)
    except ValueError:
        raise SpecificationError(
            f"clusters by {name} split effects that the model correlates; cluster= must be at "
            "least as coarse as the random terms and the blocks of V"
        ) from None
    sandwich = cluster_robust(kind, fit.X, fit.residuals, marginal)
    if test == "satterthwaite":
        df = satterthwaite_df(sandwich, np.eye(fit.p))
    else:
        df = np.full(fit.p, {"naive-t": J - 1.0, "naive-tp": J - fit.p, "z": np.inf}[test])
    few = ~(df >= MINIMUM_DF)
    _warn(fit, few, f"fewer than 4 degrees of freedom from {J} clusters")
    _warn(fit, sandwich.alone & ~few, "not estimable without one of the clusters")
    return Inference(
        fit=fit,
        vcov_type=kind,
        test=test,
        vcov=sandwich.vcov,
        df=df,
        clusters=codes,
        cluster_name=name,
        sandwich=sandwich,
        imprecise=few | sandwich.alone,
    )


def _warn(fit: Fit, marked: NDArray[np.bool_], why: str) -> None:
    if marked.any():
        named = ", ".join(term for term, low in zip(fit.terms, marked, strict=True) if low)
        warnings.warn(
            f"{named}: {why}; the standard error, interval and p-value are imprecise",
            SmallSampleWarning,
            stacklevel=4,
        )


def _clusters(fit: Fit, cluster: Any) -> tuple[IntArray, str]:
    if cluster is None:
        if fit.clusters is not None:
            return fit.clusters, fit.cluster_name
        if fit.univariate:
            raise SpecificationError(
                "robust standard errors need clusters; name a column, e.g. cluster='study'"
            )
        raise SpecificationError(
            "the random terms are crossed, so no clusters follow from them; name a column in "
            "cluster= within which all dependent effects lie, or choose vcov='model'"
        )
    if isinstance(cluster, str):
        require_columns(fit.data, [cluster], "cluster=")
        column, name = fit.data[cluster], cluster
    else:
        labels = np.asarray(cluster)
        if labels.shape != (fit.k,):
            raise SpecificationError(
                f"cluster= has shape {labels.shape}; it needs one label for each of {fit.k} effects"
            )
        column, name = pd.Series(labels, index=fit.data.index), "cluster"
    missing = column.isna().to_numpy()
    if missing.any():
        raise SpecificationError(f"{name} is missing in {describe_rows(fit.data, missing)}")
    return pd.factorize(column)[0].astype(np.intp), name
