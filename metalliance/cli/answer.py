"""Fit what was asked for, and read it: the order of steps, no numbers of its own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pandas as pd

from metalliance.cli.asked import Asked
from metalliance.cli.rows import SCALES, Rows, new_rows, read_rows
from metalliance.cli.wording import by_option, spoken
from metalliance.effectsize.covariance import SamplingCovariance
from metalliance.effectsize.dependence import sampling_covariance
from metalliance.errors import MetallianceWarning, SpecificationError
from metalliance.models.compare import likelihood_ratio_test
from metalliance.models.confint import confint
from metalliance.models.fit import Fit, fit
from metalliance.models.formula import parse_formula
from metalliance.models.inference import Inference, infer
from metalliance.models.predict import predict
from metalliance.models.spread import heterogeneity
from metalliance.models.tidy import components, glance, tidy
from metalliance.models.wald import wald_test
from metalliance.sensitivity.permutation import PermutationTest, permutation_test

__all__ = ["Answer", "answer"]

INTERCEPT_ONLY = re.compile(r"\s*~\s*1\s*\|")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A fitted model and every table that is read off it.

    Attributes
    ----------
    asked, rows
    inference : Inference
    glance, tidy, components, heterogeneity : DataFrame
    tests : DataFrame
        One row per term of the formula, as ``wald_test``.
    confint : DataFrame or None
    predict : DataFrame
        Means on the scale of the model: of new rows, of the mean alone, or of every row.
    predict_r : DataFrame or None
        The same as correlations.
    transform : str or None
        How they became correlations.
    labels : tuple of str
        What each mean is for.
    likelihood_ratio : DataFrame or None
    permutation : PermutationTest or None
    warnings : tuple of str
    """

    asked: Asked
    rows: Rows
    inference: Inference
    glance: pd.DataFrame
    tidy: pd.DataFrame
    components: pd.DataFrame
    heterogeneity: pd.DataFrame
    tests: pd.DataFrame
    confint: pd.DataFrame | None
    predict: pd.DataFrame
    predict_r: pd.DataFrame | None
    transform: str | None
    labels: tuple[str, ...]
    likelihood_ratio: pd.DataFrame | None
    permutation: PermutationTest | None
    warnings: tuple[str, ...] = ()

    @property
    def fit(self) -> Fit:
        """The fitted model."""
        return self.inference.fit


def answer(asked: Asked, tell: Callable[[str], None]) -> Answer:
    """Read the rows, fit, infer, and collect all tables.

    Parameters
    ----------
    asked : Asked
    tell : callable
        Told the name of each step as it begins.
    """
    with spoken(), _warnings() as told:
        tell("reading")
        rows = read_rows(asked)
        tell("fitting")
        covariance = _covariance(asked, rows)
        model = _fitted(asked, rows, covariance)
        inference = infer(model, asked.vcov, asked.test, asked.cluster)
        tell("reading the fit")
        found = _read(asked, rows, inference)
        if asked.lrt_against:
            tell("fitting the other model")
            other = _fitted(_other(asked), rows, covariance)
            found = replace(found, likelihood_ratio=likelihood_ratio_test(other, model))
        if asked.permutations is not None:
            tell("permuting")
            permuted = permutation_test(inference, asked.permutations, asked.seed)
            found = replace(found, permutation=permuted)
    return replace(found, warnings=tuple(dict.fromkeys(map(by_option, told))))


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the engine warns of, as a list that is filled at the end."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MetallianceWarning)
        yield told
    for one in caught:
        if issubclass(one.category, MetallianceWarning):
            told.append(str(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _covariance(asked: Asked, rows: Rows) -> SamplingCovariance | None:
    if asked.cov_rho is None:
        return None
    return sampling_covariance(
        rows.frame,
        cluster=asked.cov_cluster,
        rho=asked.cov_rho,
        vi=asked.vi,
        time=asked.cov_time,
        phi=asked.cov_phi,
    )


def _fitted(asked: Asked, rows: Rows, covariance: SamplingCovariance | None) -> Fit:
    several = len(asked.random) > 1
    return fit(
        rows.effects(),
        asked.mods,
        random=asked.random if several else next(iter(asked.random), None),
        structure=asked.structure or None,
        V=covariance,
        method=asked.method,
        yi=asked.yi,
        vi=asked.vi,
        weights=asked.weights,
        tau2=asked.tau2,
        sigma2=asked.sigma2,
        rho=asked.rho,
    )


def _other(asked: Asked) -> Asked:
    """The model to compare with: what ``--lrt-against`` names takes the place of ours."""
    random = tuple(text for text in asked.lrt_against if "|" in text)
    mods = [text for text in asked.lrt_against if "|" not in text and "~" in text]
    structure = tuple(text for text in asked.lrt_against if "~" not in text)
    if len(mods) > 1:
        raise SpecificationError(f"--lrt-against has {len(mods)} formulas of moderators; give one")
    held = (asked.tau2, asked.sigma2, asked.rho)
    if (random or structure) and any(value is not None for value in held):
        raise SpecificationError(
            "--lrt-against with other random terms does not go with components that are held; "
            "leave --hold-tau2, --hold-sigma2 and --hold-rho out"
        )
    random = random or asked.random
    if not structure and not all(map(INTERCEPT_ONLY.match, random)):
        structure = asked.structure
    return replace(asked, mods=mods[0] if mods else asked.mods, random=random, structure=structure)


def _read(asked: Asked, rows: Rows, inference: Inference) -> Answer:
    model = inference.fit
    limits = None if asked.intervals is None else confint(model, asked.intervals, asked.level)
    parts = components(model)
    if limits is not None:
        parts = limits[~limits["name"].isin(["i2", "h2"])].reset_index(drop=True)
    new = new_rows(asked, model.data, _inner(model))
    transform = _transform(asked, rows)
    shown = (None, transform) if transform else (None,)
    means = [predict(inference, new, one, asked.target, asked.pi_df, asked.level) for one in shown]
    return Answer(
        asked=asked,
        rows=rows,
        inference=inference,
        glance=glance(inference),
        tidy=tidy(inference, asked.level),
        components=parts,
        heterogeneity=heterogeneity(model),
        tests=_tests(inference),
        confint=limits,
        predict=means[0],
        predict_r=means[1] if transform else None,
        transform=transform,
        labels=_labels(model, new, means[0]),
        likelihood_ratio=None,
        permutation=None,
    )


def _transform(asked: Asked, rows: Rows) -> str | None:
    """How means become correlations: as asked, and by tanh where effects are known to be z."""
    is_z = rows.scale(asked.yi) == SCALES["z"]
    if asked.transform is not None and rows.coded and not is_z:
        raise SpecificationError(
            f"--transform turns Fisher's z into r, but the scale here is: {rows.scale(asked.yi)}; "
            "leave it out"
        )
    return asked.transform or ("r" if is_z else None)


def _tests(inference: Inference) -> pd.DataFrame:
    """A joint test of every term but the intercept."""
    design = inference.fit.design
    intercept = None if design.intercept is None else (design.intercept,)
    named = [name for name, columns in design.slices.items() if tuple(columns) != intercept]
    tests = [wald_test(inference, [name]).assign(terms=name) for name in named]
    columns = ["terms", "statistic", "df_num", "df_den", "p_value", "test"]
    return pd.concat(tests, ignore_index=True) if tests else pd.DataFrame(columns=columns)


def _inner(model: Fit) -> list[str]:
    """Columns that say which variance a prediction interval takes."""
    names: list[str] = []
    for term in model.random:
        if term.slopes is not None:
            names += parse_formula(term.slopes.formula).columns
        elif term.inner:
            names.append(term.inner)
    return names


def _labels(model: Fit, new: pd.DataFrame | None, means: pd.DataFrame) -> tuple[str, ...]:
    if new is not None and len(new.columns):
        return tuple(
            ", ".join(f"{name}={value}" for name, value in row.items() if pd.notna(value))
            for row in new.astype(object).to_dict(orient="records")
        )
    if new is None and model.design.is_mean_only:
        return ("mean",)
    return tuple(f"row {index}" for index in means.index)
