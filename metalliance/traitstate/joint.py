"""Two kinds of effects pooled jointly: their means, and the difference between them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.effectsize.covariance import SamplingCovariance
from metalliance.effectsize.dependence import sampling_covariance
from metalliance.effectsize.table import pairs_among
from metalliance.errors import SmallSampleWarning, SpecificationError
from metalliance.models.fit import fit
from metalliance.models.inference import MINIMUM_DF, Inference, infer
from metalliance.models.predict import predict
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import critical_value, two_sided_p

__all__ = ["DIFFERENCE", "Gap", "Joint", "contrast_table", "pool_jointly"]

DIFFERENCE = "difference"
#: Clusters with both parts below which the correlation of true effects is not estimated.
LEAST_WITH_BOTH = 10
LEAST_FOR_PREDICTION = 5
AT_BOUND = 0.99
HELD_CORRELATIONS = (0.0, 0.4, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """By how much one part lies above the other, on the printed scale.

    ``larger`` is the part with the algebraically larger mean; ``excludes_zero`` is decided on
    the scale of the model, as its test is.
    """

    larger: str
    other: str
    estimate: float
    conf_low: float
    conf_high: float
    excludes_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Two parts (``between`` and ``within``, or two directions) in one model.

    Attributes
    ----------
    parts : (str, str)
        The difference is the second minus the first.
    inference : Inference
        CR2 by clusters of linked studies and samples.
    table : DataFrame
        Rows of the two parts, ``difference``, and slopes where there are moderators: the columns
        of `tidy`, on the analysis scale. ``p_value`` is NaN below 4 degrees of freedom.
    table_r : DataFrame
        Parts and difference on the printed scale: term estimate conf_low conf_high pi_low
        pi_high. Prediction intervals are for the effect of a new study, NaN where fewer than
        five clusters inform the mean; the difference has none. Empty with moderators.
    counts : DataFrame
        part, effects, studies, clusters, tau2 (all heterogeneity of a part).
    both : int
        Clusters that have both parts.
    correlation : float
        Correlation of the true effects of one cluster, estimated or held.
    structure : {'UN', 'DIAG', 'held'}
        Estimated, held at zero, or held at a value.
    grid : DataFrame
        The same with that correlation held: rho, a column for either part, difference, conf_low,
        conf_high (of the difference), log_lik. Empty where it is estimated inside its bounds,
        or held on request.
    """

    parts: tuple[str, str]
    inference: Inference
    table: pd.DataFrame
    table_r: pd.DataFrame
    counts: pd.DataFrame
    both: int
    correlation: float
    structure: str
    grid: pd.DataFrame

    @property
    def imprecise(self) -> tuple[str, ...]:
        """Terms with fewer than 4 degrees of freedom: no p, and no comparison in words."""
        few = ~(self.table["df"] >= MINIMUM_DF)
        return tuple(self.table.loc[few, "term"])

    @property
    def at_bound(self) -> bool:
        """Whether the estimated correlation of true effects is (nearly) 1 or −1."""
        return self.structure == "UN" and abs(self.correlation) > AT_BOUND

    @property
    def gap(self) -> Gap | None:
        """The difference, turned so that it is not negative; None with moderators."""
        if self.table_r.empty:
            return None
        row = self.table_r[self.table_r["term"].eq(DIFFERENCE)].iloc[0]
        turned = row["estimate"] < 0
        sign = -1.0 if turned else 1.0
        low, high = sorted((sign * row["conf_low"], sign * row["conf_high"]))
        first, second = self.parts
        tested = self.table[self.table["term"].eq(DIFFERENCE)].iloc[0]
        return Gap(
            larger=first if turned else second,
            other=second if turned else first,
            estimate=float(sign * row["estimate"]),
            conf_low=float(low),
            conf_high=float(high),
            excludes_zero=bool(tested["conf_low"] > 0 or tested["conf_high"] < 0),
        )


def pool_jointly(
    rows: pd.DataFrame,
    parts: tuple[str, str],
    *,
    correlated: Mapping[tuple[str, str], float],
    mods: Sequence[str] = (),
    structure: str | None = None,
    rho: float | None = None,
    method: str = "REML",
    level: float = 0.95,
    reported: pd.DataFrame | None = None,
) -> Joint:
    r"""Bivariate random-effects model of two parts.

    y_ij = μ_p + u_ip + e_ij + ε_ij for effect j of cluster i, which belongs to part p: (u_i1, u_i2)
    with variances of their own and a correlation; e_ij of own variance in a part where clusters
    have several effects; ε with V by part and sample.

    Parameters
    ----------
    rows : DataFrame
        ``yi, vi, sample, effect``, the cluster of every row as ``cluster``, and ``part``.
    parts : (str, str)
    correlated : mapping
        Sampling correlation of two effects of one sample, by pair of parts.
    mods : sequence of str
        Numeric columns, one slope per part each.
    structure : {None, 'UN', 'DIAG'}
        Of the true effects. By default UN where at least ten clusters have both parts, else
        DIAG and, beside it, a grid of held correlations: from fewer clusters a correlation is
        mostly ±1.
    rho : float, optional
        Hold the correlation of true effects at this value.
    method : {'REML', 'ML'}
    level : float
    reported : DataFrame, optional
        Sampling correlations that reports give, as in `sampling_covariance`.

    Returns
    -------
    Joint

    Raises
    ------
    SpecificationError
        Where a part is missing or rests on one cluster.

    References
    ----------
    Jackson, D., Riley, R., & White, I. R. (2011). Statistics in Medicine, 30, 2481–2498.
    https://doi.org/10.1002/sim.4172
    Pustejovsky, J. E., & Tipton, E. (2022). Prevention Science, 23, 425–438.
    https://doi.org/10.1007/s11121-021-01246-3
    """
    counts = _counted(rows, parts)
    both = int((rows.groupby("cluster")["part"].nunique() == 2).sum())
    if structure not in (None, "UN", "DIAG"):
        raise ValueError(f"unknown structure {structure!r}; choose one of None, 'UN', 'DIAG'")
    enough = both >= LEAST_WITH_BOTH if structure is None else structure == "UN"
    if enough and not both:
        raise SpecificationError(
            f"no sample has both {parts[0]} and {parts[1]} effects, so the correlation of their "
            "true values cannot be estimated; choose structure='DIAG'"
        )
    held = rho if rho is not None else None if enough else 0.0
    pairs = pairs_among(reported, rows)
    covariance = sampling_covariance(
        rows, rho=dict(correlated), component="part", correlations=pairs
    )

    def fitted(correlation: float | None) -> Inference:
        return _fitted(rows, parts, counts, covariance, correlation, mods, method)

    inference = fitted(held)
    grid = pd.DataFrame()
    unsure = not enough or abs(_correlation(inference)) > AT_BOUND
    if rho is None and unsure and both and not mods:
        grid = _grid(parts, {} if enough else {0.0: inference}, fitted, level)
    counts = counts.assign(tau2=_heterogeneity(inference, parts))
    return Joint(
        parts=parts,
        inference=inference,
        table=contrast_table(inference, _contrasts(inference, parts, mods), level),
        table_r=pd.DataFrame() if mods else _printed(rows, inference, parts, counts, level),
        counts=counts,
        both=both,
        correlation=_correlation(inference),
        structure="held" if rho is not None else "UN" if enough else "DIAG",
        grid=grid,
    )


def contrast_table(
    inference: Inference, contrasts: Mapping[str, FloatArray], level: float
) -> pd.DataFrame:
    """Tidy rows of contrasts of the coefficients; no p-value below 4 degrees of freedom."""
    L = np.array(list(contrasts.values()))
    estimate = L @ inference.fit.beta
    std_error = np.sqrt(np.einsum("ij,jl,il->i", L, inference.vcov, L))
    df = inference.df_of(L)
    half = critical_value(level, df) * std_error
    statistic = estimate / std_error
    p_value = np.where(df >= MINIMUM_DF, two_sided_p(statistic, df), np.nan)
    return pd.DataFrame(
        {
            "term": list(contrasts),
            "estimate": estimate,
            "std_error": std_error,
            "statistic": statistic,
            "df": df,
            "p_value": p_value,
            "conf_low": estimate - half,
            "conf_high": estimate + half,
        }
    )


def _counted(rows: pd.DataFrame, parts: tuple[str, str]) -> pd.DataFrame:
    counts = []
    for part in parts:
        own = rows[rows["part"] == part]
        clusters = own["cluster"].nunique()
        if clusters < 2:
            what = "is no effect" if not len(own) else "are effects of one independent study only"
            raise SpecificationError(f"there {what} of kind {part!r}; two studies are needed")
        counts.append((part, len(own), own["study"].nunique(), clusters))
    return pd.DataFrame(counts, columns=["part", "effects", "studies", "clusters"])


def _fitted(
    rows: pd.DataFrame,
    parts: tuple[str, str],
    counts: pd.DataFrame,
    covariance: SamplingCovariance,
    correlation: float | None,
    mods: Sequence[str],
    method: str,
) -> Inference:
    """The fit with the correlation of true effects held, or estimated where it is None.

    Levels of ``part`` stand in sorted order in the model, as everywhere in formulas.
    """
    several = counts.set_index("part").eval("effects > clusters")
    own_level: list[float | None] = [None if several[part] else 0.0 for part in sorted(parts)]
    random, structures = ["~ part | cluster"], ["UN"]
    tau2: list[float | None] = [None, None]
    if several.any():
        random.append("~ part | row")
        structures.append("DIAG")
        tau2 += own_level
    formula = " + ".join(["~ 0 + part", *(f"part:{name}" for name in mods)])
    with warnings.catch_warnings():
        # Degrees of freedom are columns of the result, and rule 13 decides on the correlation.
        warnings.simplefilter("ignore", SmallSampleWarning)
        model = fit(
            rows.assign(row=np.arange(len(rows))),
            formula,
            random=random,
            structure=structures,
            V=covariance,
            method=method,
            tau2=tau2,
            rho=[correlation],
        )
        return infer(model, vcov="CR2", cluster="cluster")


def _contrasts(
    inference: Inference, parts: tuple[str, str], mods: Sequence[str]
) -> dict[str, FloatArray]:
    """Means of the parts and their difference; then slopes and their differences."""
    terms = list(inference.fit.terms)
    unit = np.eye(len(terms))

    def pair(first: FloatArray, second: FloatArray, name: str) -> dict[str, FloatArray]:
        return {
            f"{parts[0]}{name}": first,
            f"{parts[1]}{name}": second,
            f"{DIFFERENCE}{name}": second - first,
        }

    means = [unit[terms.index(f"part[{part}]")] for part in parts]
    contrasts = pair(means[0], means[1], "")
    for mod in mods:
        slopes = [unit[terms.index(f"part[{part}]:{mod}")] for part in parts]
        contrasts |= pair(slopes[0], slopes[1], f":{mod}")
    return contrasts


def _heterogeneity(inference: Inference, parts: tuple[str, str]) -> list[float]:
    """Sum of the variance components of either part."""
    components = inference.fit.components
    return [
        sum(
            component.estimate
            for component in components
            if component.name == "tau2" and component.term.rsplit(": ", 1)[-1] == part
        )
        for part in parts
    ]


def _correlation(inference: Inference) -> float:
    return next(c.estimate for c in inference.fit.components if c.name == "rho")


def _printed(
    rows: pd.DataFrame,
    inference: Inference,
    parts: tuple[str, str],
    counts: pd.DataFrame,
    level: float,
) -> pd.DataFrame:
    """Means with prediction intervals, and the difference, as correlations where yi is z.

    The difference of two correlations takes its standard error by the delta method: of tanh μ
    the derivative is 1 − tanh² μ.
    """
    on_r = bool((rows["es_metric"] == "z").all()) if "es_metric" in rows else True
    newdata = pd.DataFrame({"part": list(parts)})
    means = predict(inference, newdata, transform="r" if on_r else None, level=level)
    few = counts["clusters"].to_numpy() < LEAST_FOR_PREDICTION
    means.loc[few, ["pi_low", "pi_high"]] = np.nan
    point = means["estimate"].to_numpy()
    slope = 1 - point**2 if on_r else np.ones(2)
    terms = list(inference.fit.terms)
    weights = np.zeros(len(terms))
    weights[terms.index(f"part[{parts[0]}]")] = -slope[0]
    weights[terms.index(f"part[{parts[1]}]")] = slope[1]
    about = contrast_table(inference, {DIFFERENCE: weights}, level).iloc[0]
    half = (about["conf_high"] - about["conf_low"]) / 2
    gap = float(point[1] - point[0])
    last = pd.DataFrame(
        [{"term": DIFFERENCE, "estimate": gap, "conf_low": gap - half, "conf_high": gap + half}]
    )
    columns = ["term", "estimate", "conf_low", "conf_high", "pi_low", "pi_high"]
    shown = pd.concat([means.assign(term=list(parts)), last], ignore_index=True)
    return shown.reindex(columns=columns)


def _grid(
    parts: tuple[str, str],
    known: Mapping[float, Inference],
    fitted: Callable[[float | None], Inference],
    level: float,
) -> pd.DataFrame:
    """The parts and their difference, with the correlation of true effects held in turn."""
    found = []
    for rho in HELD_CORRELATIONS:
        inference = known[rho] if rho in known else fitted(rho)
        table = contrast_table(inference, _contrasts(inference, parts, ()), level)
        means = dict(zip(table["term"], table["estimate"], strict=True))
        last = table.iloc[-1]
        model = inference.fit
        log_lik = model.log_lik_reml if model.method == "REML" else model.log_lik_ml
        found.append((rho, *means.values(), last["conf_low"], last["conf_high"], log_lik))
    columns = ["rho", *parts, DIFFERENCE, "conf_low", "conf_high", "log_lik"]
    return pd.DataFrame(found, columns=columns)
