"""``trait_state_synthesis``: what studies imply that did not tell trait from state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metalliance.effectsize.table import EffectTable
from metalliance.errors import SpecificationError, UnidentifiedError
from metalliance.models.inference import MINIMUM_DF, Inference
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import critical_value, two_sided_p
from metalliance.traitstate.consistency import consistency, told_apart
from metalliance.traitstate.identify import Identification, identification
from metalliance.traitstate.implied import compatible_pairs
from metalliance.traitstate.joint import DIFFERENCE, contrast_table
from metalliance.traitstate.mixture import ICC_X, ICC_Y, Band, check_band
from metalliance.traitstate.rows import reported_pairs
from metalliance.traitstate.synthesis_model import Mixture, Settled
from metalliance.traitstate.synthesis_rows import split_rows, weights_of_rows

__all__ = ["Synthesis", "trait_state_synthesis"]

TERMS = ("rho_between", "rho_within")
CONCENTRATION = 4.0
LAGGED_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Belsley, D. A., Kuh, E., & Welsch, R. E. (1980), https://doi.org/10.1002/0471725153: from 30
#: on, collinearity is strong.
WORST_CONDITION = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """Latent trait-like and same-occasion state-like correlation from all studies.

    Attributes
    ----------
    table : DataFrame
        rho_between, rho_within and difference (within − between) as correlations, with the
        columns of `tidy`. Standard errors and intervals hold the sampling variance and that of
        the assumed ICCs; ``p_value`` is NaN below 4 degrees of freedom.
    propagation : DataFrame
        term sampling icc total: the two variances and their sum.
    design : Identification
        rank, condition, and the share of the information on ρ_W from studies that
        disaggregated.
    rows : DataFrame
        Effects used, with weights ``a`` and ``b`` at the mean ICCs, and v on the r metric.
    left_out : DataFrame
        why effects: how many rows are not used, and the reason.
    icc_grid : DataFrame
        icc_x icc_y rho_between rho_within conf_low conf_high (of rho_within): assumed ICCs at
        mean and limits; empty where every study has its own.
    lagged_grid : DataFrame
        lagged_share rho_between rho_within conf_low conf_high: the assumption that deviations at
        different occasions are unrelated (0), or as related as at one occasion (1).
    consistency : DataFrame
        samples (other or same), predicted (median total), discrepancy std_error df p_value
        conf_low conf_high, and band_low band_high (the lowest and highest limit over the band of
        ICCs): totals against what studies predict that disaggregated, and against
        the between-patient effect of their own sample; no row where there is nothing to compare.
    inference : Inference
        At the mean ICCs.
    """

    table: pd.DataFrame
    propagation: pd.DataFrame
    design: Identification
    rows: pd.DataFrame
    left_out: pd.DataFrame
    icc_grid: pd.DataFrame
    lagged_grid: pd.DataFrame
    consistency: pd.DataFrame
    inference: Inference


def trait_state_synthesis(
    effects: EffectTable | pd.DataFrame,
    icc_x: Band = ICC_X,
    icc_y: Band = ICC_Y,
    imputations: int = 50,
    seed: int = 0,
    *,
    sampling_rho: float = 0.6,
    lagged_share: float = 0.0,
    bands: bool = True,
    method: str = "REML",
    level: float = 0.95,
) -> Synthesis:
    r"""Trait and state from all studies, whether they told the two apart or not.

    A correlation over patients is r_i = a_i ρ_B + b_i ρ_W + error, with weights that follow from
    the occasions of the two scores and the intraclass correlations (`mixture_weights`); a latent
    between-patient correlation has (a, b) = (1, 0), a within-patient one (0, 1). The coefficients
    vary between clusters, with a further term for the effect; sampling variances are
    (1 − μ̂²)²/(n − 1) at the fitted mean, since at each study's own r they pull the mean away
    from zero. Standard errors are CR2 by cluster.

    Parameters
    ----------
    effects : EffectTable or DataFrame
        A DataFrame needs ``study, component, estimand, yi, vi``, and ``k_x, k_y, shared`` for
        correlations over patients; ``icc_x, icc_y`` where a study reports them.
    icc_x, icc_y : (mean, low, high)
        Intraclass correlations of alliance and outcome, for studies without their own. They are
        one unknown common to all studies: a draw for every study would look like information.
    imputations : int
        Draws of the two means, from scaled beta distributions on their bands (mean as given,
        α + β = 4). 0 leaves their uncertainty out.
    seed : int
    sampling_rho : float
        Assumed sampling correlation of two effects of one sample and component.
    lagged_share : float
        Correlation of deviations at different occasions over that at one occasion, 0 to 1.
    bands : bool
        Whether to fit again over the bands of ICCs and of ``lagged_share``.
    method : {'REML', 'ML'}
    level : float

    Returns
    -------
    Synthesis

    Raises
    ------
    UnidentifiedError
        A SpecificationError with ``.line``: where trait and state cannot be told apart by these
        effects, or only by assuming that deviations at different occasions are unrelated.
    SpecificationError
        Where no effect can be used.

    Notes
    -----
    Effects whose outcome is a change, adjusted for its baseline, a slope or dropout do not enter:
    in these the trait part cancels or is not defined. A total whose sample has a between-patient
    effect does not either, since it is mostly the same data.

    References
    ----------
    Robinson, W. S. (1950). American Sociological Review, 15, 351–357.
    https://doi.org/10.2307/2087176
    Becker, B. J., & Wu, M.-J. (2007). Statistical Science, 22, 414–429.
    https://doi.org/10.1214/07-STS243
    """
    _check(icc_x, icc_y, imputations, lagged_share)
    rows, others = split_rows(effects)
    if not len(rows):
        raise SpecificationError("no effect can enter the synthesis: " + _reasons(others))
    model = Mixture(
        rows=rows,
        sampling_rho=sampling_rho,
        method=method,
        reported=reported_pairs(effects, rows),
    )
    a, b = weights_of_rows(rows, icc_x[0], icc_y[0], lagged_share)
    _refuse_unidentified(rows, others, icc_x[0], icc_y[0], lagged_share)
    settled = model.settled(a, b)
    inference = settled.inference
    design = identification(rows, a, b, inference)
    if design.condition > WORST_CONDITION:
        raise _unidentified(
            rows, others, a, b, f"their weights differ too little ({design.condition:.0f})"
        )
    estimates = _table(inference, level)
    drawn = [
        _means(settled.at(*weights_of_rows(rows, x, y, lagged_share)))
        for x, y in _draws(rows, icc_x, icc_y, imputations, seed)
    ]
    propagation = _propagated(estimates, drawn)
    return Synthesis(
        table=_widened(estimates, propagation, level),
        propagation=propagation,
        design=design,
        rows=rows.assign(a=a, b=b, v=settled.vi),
        left_out=others.groupby("why", sort=False).size().rename("effects").reset_index(),
        icc_grid=_icc_grid(settled, icc_x, icc_y, lagged_share, level, bands=bands),
        lagged_grid=_lagged_grid(settled, icc_x[0], icc_y[0], level, bands=bands),
        consistency=consistency(settled, others, icc_x, icc_y, lagged_share, level),
        inference=inference,
    )


def _check(icc_x: Band, icc_y: Band, imputations: int, lagged_share: float) -> None:
    check_band("icc_x", icc_x)
    check_band("icc_y", icc_y)
    if not isinstance(imputations, int) or imputations < 0 or imputations == 1:
        raise SpecificationError("imputations is a whole number: 0 for none, else 2 or more")
    if not 0 <= lagged_share <= 1:
        raise SpecificationError("lagged_share lies from 0 to 1")


def _reasons(others: pd.DataFrame) -> str:
    counts = others["why"].value_counts(sort=False)
    return "; ".join(f"{why} ({count})" for why, count in counts.items()) or "there are none"


def _refuse_unidentified(
    rows: pd.DataFrame, others: pd.DataFrame, icc_x: float, icc_y: float, lagged_share: float
) -> None:
    """Refuse weights that are proportional, or differ by assumption or estimation alone."""
    clusters = rows["cluster"].to_numpy()
    unknown = rows.assign(icc_x=np.nan, icc_y=np.nan)
    for reason, of, share in (
        ("the weights of trait and state are proportional", rows, lagged_share),
        (
            "only the assumption that deviations at different occasions are unrelated would tell "
            "trait from state",
            rows,
            1.0,
        ),
        (
            "only the ICCs that studies report would tell trait from state, and these are "
            "estimates, whose errors look like differences",
            unknown,
            lagged_share,
        ),
        ("only assumptions and reported ICCs would tell trait from state", unknown, 1.0),
    ):
        a, b = weights_of_rows(of, icc_x, icc_y, share)
        if not told_apart(a, b, clusters):
            raise _unidentified(rows, others, a, b, reason)


def _unidentified(
    rows: pd.DataFrame, others: pd.DataFrame, a: FloatArray, b: FloatArray, why: str
) -> UnidentifiedError:
    """The refusal, with the line a ρ_B + b ρ_W = r along the ray on which the weights lie."""
    ray = np.linalg.svd(np.column_stack([a, b]), full_matrices=False)[2][0]
    ray = ray * (1 if ray.sum() >= 0 else -1)
    size, weight = a * ray[0] + b * ray[1], 1 / rows["vi"].to_numpy()
    r = float((weight * size * rows["r"]).sum() / (weight * size**2).sum())
    line = compatible_pairs(r, float(ray[0]), float(ray[1]))
    within = rows.loc[rows["component"].eq("within"), "cluster"].nunique()
    mend = (
        "correlations over patients with coded sessions (k_x, k_y, shared) would decide"
        if within >= 2
        else "within-patient effects of two independent studies or more would decide"
    )
    left_out = f" Not used: {_reasons(others)}" if len(others) else ""
    return UnidentifiedError(
        f"these {len(rows)} effects cannot tell a trait-like from a state-like correlation: {why}. "
        f"{_compatible(line)}; {mend}.{left_out}",
        line,
    )


def _compatible(line: pd.DataFrame) -> str:
    if line.empty:
        return "No pair of correlations implies values this large: ICCs or sessions are miscoded"
    shown = line.iloc[np.unique(np.linspace(0, len(line) - 1, 3).round().astype(int))]
    pairs = ", ".join(f"({x:.2f}, {y:.2f})" for x, y in shown.to_numpy())
    return f"Compatible pairs (rho_between, rho_within) lie on a line through {pairs}"


def _contrasts(inference: Inference) -> dict[str, FloatArray]:
    unit = np.eye(inference.fit.p)
    return {TERMS[0]: unit[0], TERMS[1]: unit[1], DIFFERENCE: unit[1] - unit[0]}


def _table(inference: Inference, level: float) -> pd.DataFrame:
    return contrast_table(inference, _contrasts(inference), level)


def _means(inference: Inference) -> FloatArray:
    return np.array(list(_contrasts(inference).values())) @ inference.fit.beta


def _draws(
    rows: pd.DataFrame, icc_x: Band, icc_y: Band, imputations: int, seed: int
) -> Iterator[tuple[float, float]]:
    """Mean ICCs, one pair per imputation; none where every mixed row has its own ICCs."""
    mixed = rows["component"].isin(("total", "between_observed"))
    if rows.loc[mixed, ["icc_x", "icc_y"]].notna().all(axis=None):
        return
    rng = np.random.default_rng(seed)
    for _ in range(imputations):
        yield _draw(rng, icc_x), _draw(rng, icc_y)


def _draw(rng: np.random.Generator, band: Band) -> float:
    mean, low, high = band
    if high == low:
        return mean
    if mean in (low, high):
        return float(rng.triangular(low, mean, high))
    share = (mean - low) / (high - low)
    drawn = rng.beta(CONCENTRATION * share, CONCENTRATION * (1 - share))
    return float(low + (high - low) * drawn)


def _propagated(estimates: pd.DataFrame, drawn: list[FloatArray]) -> pd.DataFrame:
    """Total variance W + (1 + 1/m) B; its second part is sensitivity to assumed ICCs."""
    sampling = estimates["std_error"].to_numpy() ** 2
    icc = np.zeros(len(sampling))
    if len(drawn) > 1:
        icc = (1 + 1 / len(drawn)) * np.var(drawn, axis=0, ddof=1)
    return pd.DataFrame(
        {"term": estimates["term"], "sampling": sampling, "icc": icc, "total": sampling + icc}
    )


def _widened(estimates: pd.DataFrame, propagation: pd.DataFrame, level: float) -> pd.DataFrame:
    std_error = np.sqrt(propagation["total"].to_numpy())
    df = estimates["df"].to_numpy()
    half = critical_value(level, df) * std_error
    statistic = estimates["estimate"].to_numpy() / std_error
    return estimates.assign(
        std_error=std_error,
        statistic=statistic,
        p_value=np.where(df >= MINIMUM_DF, two_sided_p(statistic, df), np.nan),
        conf_low=estimates["estimate"] - half,
        conf_high=estimates["estimate"] + half,
    )


def _setting(settled: Settled, a: FloatArray, b: FloatArray, level: float) -> list[float]:
    table = _table(settled.at(a, b), level).set_index("term")
    state = table.loc["rho_within"]
    return [table.loc["rho_between", "estimate"], *state[["estimate", "conf_low", "conf_high"]]]


SETTING = ["rho_between", "rho_within", "conf_low", "conf_high"]


def _icc_grid(
    settled: Settled,
    icc_x: Band,
    icc_y: Band,
    lagged_share: float,
    level: float,
    *,
    bands: bool,
) -> pd.DataFrame:
    found = []
    if bands and next(_draws(settled.rows, icc_x, icc_y, 1, 0), None) is not None:
        for x in sorted(set(icc_x)):
            for y in sorted(set(icc_y)):
                a, b = weights_of_rows(settled.rows, x, y, lagged_share)
                found.append([x, y, *_setting(settled, a, b, level)])
    return pd.DataFrame(found, columns=["icc_x", "icc_y", *SETTING])


def _lagged_grid(
    settled: Settled, icc_x: float, icc_y: float, level: float, *, bands: bool
) -> pd.DataFrame:
    found = []
    for share in LAGGED_SHARES if bands else ():
        a, b = weights_of_rows(settled.rows, icc_x, icc_y, share)
        found.append([share, *_setting(settled, a, b, level)])
    return pd.DataFrame(found, columns=["lagged_share", *SETTING])
