"""Joint tests of coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from metalliance.errors import SpecificationError
from metalliance.models.inference import Inference, as_inference
from metalliance.models.result import Fit
from metalliance.numerics.blocks import FloatArray
from metalliance.numerics.distributions import chi2_sf, f_sf
from metalliance.numerics.linalg import dependent_columns, is_definite
from metalliance.numerics.sandwich import hotelling_test

__all__ = ["joint_test", "moderator_contrasts", "wald_test"]


def wald_test(
    inf: Fit | Inference, terms: str | Sequence[str] | None = None, L: Any = None
) -> pd.DataFrame:
    """Test that several coefficients, or contrasts of them, are all zero.

    Parameters
    ----------
    inf : Fit or Inference
    terms : str or sequence of str, optional
        Coefficients (``rater[T.therapist]``) or terms of the formula (``rater``); by default
        all coefficients but the intercept.
    L : (q, p) array, optional
        Contrasts in the order of the coefficients, instead of ``terms``.

    Returns
    -------
    DataFrame
        One row: terms statistic df_num df_den p_value test. NaN where there are too few
        clusters for a joint test. ``test`` is ``chisq`` after z,
        ``F`` after t, ``HTZ`` after Satterthwaite (Hotelling's T², Zhang's df).
    """
    inference = as_inference(inf)
    contrasts, name = _contrasts(inference.fit, terms, L)
    return pd.DataFrame([{"terms": name, **joint_test(inference, contrasts)}])


def joint_test(inference: Inference, contrasts: FloatArray) -> dict[str, Any]:
    """Statistic, degrees of freedom, p-value and kind of test of Cβ = 0.

    The statistic is NaN where the covariance is too poor for a joint test (few clusters).
    """
    q = len(contrasts)
    beta = inference.fit.beta
    if inference.test == "satterthwaite" and inference.sandwich is not None:
        test = hotelling_test(inference.sandwich, beta, contrasts)
        p = float(f_sf(test.statistic, q, test.df_den))
        return _row(test.statistic, q, test.df_den, p, "HTZ")
    estimate = contrasts @ beta
    covariance = contrasts @ inference.vcov @ contrasts.T
    df = float(inference.df[0])
    singular = not is_definite(covariance)
    wald = np.nan if singular else float(estimate @ np.linalg.solve(covariance, estimate))
    if np.isinf(df):
        return _row(wald, q, np.nan, float(chi2_sf(wald, q)), "chisq")
    return _row(wald / q, q, df, float(f_sf(wald / q, q, df)), "F")


def _row(statistic: float, q: int, df_den: float, p: float, test: str) -> dict[str, Any]:
    return {
        "statistic": statistic,
        "df_num": float(q),
        "df_den": df_den,
        "p_value": p,
        "test": test,
    }


def moderator_contrasts(fit: Fit) -> FloatArray:
    """All coefficients but the intercept; all without one; the intercept if it is alone."""
    identity = np.eye(fit.p)
    intercept = fit.design.intercept
    if intercept is None or fit.p == 1:
        return identity
    return np.delete(identity, intercept, axis=0)


def _contrasts(fit: Fit, terms: str | Sequence[str] | None, L: Any) -> tuple[FloatArray, str]:
    if L is not None:
        if terms is not None:
            raise SpecificationError("give terms= or L=, not both")
        contrasts = np.atleast_2d(np.asarray(L, dtype=np.float64))
        if contrasts.ndim != 2 or contrasts.shape[1] != fit.p:
            raise SpecificationError(
                f"L has shape {contrasts.shape}; its columns are the {fit.p} coefficients "
                f"({', '.join(fit.terms)})"
            )
        if len(contrasts) > fit.p or dependent_columns(contrasts.T):
            raise SpecificationError("the rows of L must be linearly independent")
        return contrasts, "L"
    if terms is None:
        contrasts = moderator_contrasts(fit)
        chosen = [name for j, name in enumerate(fit.terms) if contrasts[:, j].any()]
        return contrasts, " + ".join(chosen)
    positions: list[int] = []
    for term in [terms] if isinstance(terms, str) else terms:
        if term in fit.terms:
            positions.append(fit.terms.index(term))
        elif term in fit.design.slices:
            positions.extend(fit.design.slices[term])
        else:
            known = ", ".join(dict.fromkeys([*fit.design.slices, *fit.terms]))
            raise SpecificationError(f"there is no term {term!r}; terms: {known}")
    unique = list(dict.fromkeys(positions))
    if not unique:
        raise SpecificationError("terms= names nothing to test")
    return np.eye(fit.p)[unique], " + ".join(fit.terms[j] for j in unique)
