"""Effects of session data as rows of the coding workbook."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from metalliance.effectsize.correlation import fisher_z_inverse
from metalliance.effectsize.paths import FORWARD
from metalliance.traitstate.session_study import SessionStudy

__all__ = ["Rows", "workbook_rows"]

Row = dict[str, object]
Rows = dict[str, list[Row]]
DIGITS = 6
DETRENDING = {"none": "none", "x": "X detrended", "y": "time in Y model", "both": "both"}
TERMS: Mapping[str, tuple[str, str]] = {
    "total": ("single score", ""),
    "between_observed": ("mean of k", ""),
    "between_latent": ("latent intercept", "latent within"),
    "between_change": ("change or slope", ""),
    "contextual": ("person mean", "raw in multilevel"),
    "within": ("own deviation", "person mean"),
}
# Within the likelihood: the deviation beside the stable level.
LATENT_TERMS = {"within": ("latent within", "latent intercept")}
MODEL_OF_PART = {
    "person-mean": "MPM",
    "person-mean reverse": "MPM",
    "fixed-effects": "MFE",
    "latent": "MLI",
    "dynamic-panel": "MDP",
    "dynamic-panel forward": "MDP",
    "dynamic-panel reverse": "MDP",
}
MODELS: Mapping[str, Row] = {
    "MPM": {"kind": "MLM", "disaggregation": "person-mean centring", "missing_method": "listwise"},
    "MFE": {
        "kind": "regression",
        "disaggregation": "fixed effects/first differences",
        "missing_method": "listwise",
    },
    "MLI": {"kind": "SEM", "disaggregation": "latent intercept", "missing_method": "FIML/ML"},
    "MDP": {
        "kind": "dynamic panel",
        "disaggregation": "dynamic-panel ML-SEM/GMM",
        "missing_method": "FIML/ML",
    },
}
UNBIASED = "Computed from the sessions by maximum likelihood, stable levels part of the model."
LAGGED = "L"  # after the id of a model: with the lagged outcome


def workbook_rows(study: SessionStudy, name: str, origin: str) -> Rows:
    """Rows of STUDIES, MEASURES, MODELS, EFFECTS and EVIDENCE.

    Values stand as scored: where a high outcome score means worse, signs are those of the scores,
    and ``positive_means`` says so. A within or latent coefficient carries its resampled standard
    error; a total or latent correlation is given the number of patients that its standard error is
    worth, but no more than there are, since the workbook takes the precision of a correlation from
    n.

    Parameters
    ----------
    study : SessionStudy
    name : str
        Id of study and sample.
    origin : str
        File and hash, for the notes.
    """
    used = sorted({_model(row) for _, row in study.table.iterrows()} - {"RAW"})
    evidence: list[Row] = [
        {"study": name, "id": model, "field": "C3", "quote": UNBIASED}
        for model in used
        if model in ("MLIL", "MDPL")
    ]
    return {
        "STUDIES": [_study_row(study, name, origin)],
        "MEASURES": [_measure_row(study, name, m) for m in ("alliance", "outcome")],
        "MODELS": [_model_row(study, name, model) for model in used],
        "EFFECTS": [_effect_row(study, name, row) for _, row in study.table.iterrows()],
        "EVIDENCE": evidence,
    }


def _study_row(study: SessionStudy, name: str, origin: str) -> Row:
    data = study.data
    row: Row = {
        "study": name,
        "sample": name,
        "citation": name,
        "n_start": data.n_patients,
        "n_sessions_mean": _rounded(len(data.session) / data.n_patients, 2),
        "note": f"effects computed from session data: {origin}",
    }
    if data.therapist is not None:
        row["n_therapists"] = int((pd.Series(data.therapist).drop_duplicates() >= 0).sum())
    return row


def _measure_row(study: SessionStudy, name: str, measure: str) -> Row:
    found = study.first.measures.set_index("measure").loc[measure]
    data, alliance = study.data, measure == "alliance"
    scores = data.alliance if alliance else data.outcome
    seen = data.session[pd.notna(scores)]
    worse = study.options.outcome_positive == "worse" and not alliance
    sessions = max(round(float(found["sessions"])), 1)
    row: Row = {
        "study": name,
        "id": "A1" if alliance else "O1",
        "kind": measure,
        "high_score_means": "worse" if worse else "better",
        "first_session": _session(seen.min()),
        "last_session": _session(seen.max()),
        "n_assessments": sessions,
        "mean": _rounded(-found["mean"] if worse else found["mean"]),
        "sd_total": _rounded(found["sd_total"]),
        "sd_within": _rounded(found["sd_within"]),
        "sd_between": _rounded(found["sd_between"]),
        "icc": _rounded(found["icc"]),
    }
    row["timing" if alliance else "outcome_form"] = (
        "session-by-session" if alliance else "session-level score"
    )
    return {key: value for key, value in row.items() if value is not None}


def _model_row(study: SessionStudy, name: str, model: str) -> Row:
    base = model.removesuffix(LAGGED)
    lagged = model.endswith(LAGGED)
    likelihood = base in ("MLI", "MDP")
    rows = study.table[[_model(row) == model for _, row in study.table.iterrows()]]
    own, spread = _slope_spread(study, model, rows)
    found: Row = {
        "study": name,
        "id": model,
        **MODELS[base],
        "detrending": DETRENDING[study.options.detrend],
        "prior_outcome_control": "autoregressive" if lagged else "none",
        "lagged_outcome": "yes" if lagged else "no",
        "reverse_path": "same model" if likelihood else "own model" if lagged else "none",
        "covariates": "none",
        "n": int(rows["ni"].max()),
        "sessions": _rounded(float((rows["n_obs"] / rows["ni"]).max()), 2),
        "y_occasions": int(study.first.measures["sessions"].round().max()),
        "analysis_sample": "available-case",
        "A4": "0",
        "C3": ("2" if likelihood else "0") if lagged else "NA",
        "D1": "0",
        "D2": "0",
        "D3": "0",
        "D4": "1" if own else "0",
    }
    notes = []
    if math.isfinite(spread):
        found["slope_sd"] = _rounded(spread)
        notes.append("slope_sd in SDs within patients" + ("" if own else ", by person means"))
    if study.data.arm is not None:
        notes.append("differences between arms taken out")
    if notes:
        found["note"] = "; ".join(notes)
    return found


def _slope_spread(study: SessionStudy, model: str, rows: pd.DataFrame) -> tuple[bool, float]:
    """Whether the model has slopes that differ, and their SD; for latent means that of centring."""
    given = rows["slope_sd"].dropna()
    if len(given):
        return True, float(given.iloc[0])
    same = study.table["estimand"].eq("concurrent_r") & study.table["slope_sd"].notna()
    if model == "MLI" and same.any():
        return False, float(study.table.loc[same, "slope_sd"].iloc[0])
    return False, math.nan


def _model(row: pd.Series) -> str:
    if row["component"] == "total":
        return "RAW"
    lagged = row["estimand"] == "lagged_partial"
    return MODEL_OF_PART[row["part"]] + (LAGGED if lagged else "")


def _effect_row(study: SessionStudy, name: str, row: pd.Series) -> Row:
    model = _model(row)
    latent = model.startswith(("MLI", "MDP")) and row["component"] in LATENT_TERMS
    term, other = (LATENT_TERMS if latent else TERMS)[row["component"]]
    worse = study.options.outcome_positive == "worse"
    found: Row = {
        "study": name,
        "sample": name,
        "effect": row["effect"],
        "alliance": "A1",
        "outcome": "O1",
        "model": model,
        "alliance_term": term,
        "other_alliance_term": other or None,
        "path": row["path"],
        "component": row["component"],
        "estimand": row["estimand"],
        "positive_means": "worse" if worse else "better",
        "lag": int(row["lag"]) if math.isfinite(row["lag"]) else None,
        "lag_days": _rounded(row["lag_days"], 1),
        **_statistic(row, -1.0 if worse else 1.0),
        **_occasions(study, row),
        "role": row["role"],
        "role_reason": row["role_reason"] or None,
        "note": _note(row),
    }
    return {key: value for key, value in found.items() if value is not None}


def _statistic(row: pd.Series, sign: float) -> Row:
    """What is typed as printed: a coefficient with its SE, or r with the n it is worth."""
    if row["component"] == "contextual":
        value, se = row["slope"], row["slope_se"]
        return {
            "stat": "b",
            "metric": "raw units",
            "value": _rounded(sign * value),
            "se": _rounded(se),
            "n": int(row["ni"]),
        }
    if row["component"] == "within":
        zero_order = row["es_metric"] == "z"
        value = row["r"] if zero_order else row["yi"]
        # Var(z) = SE²/(1 − β²) of a zero-order standardised slope gives back vi
        se = math.sqrt(row["vi"] * (1 - value**2)) if zero_order else math.sqrt(row["vi"])
        return {
            "stat": "beta_within",
            "metric": "SD within",
            "value": _rounded(sign * value),
            "se": _rounded(se),
            "n": int(row["ni"]),
            "n_obs": int(row["n_obs"]),
            "sessions_mean": _rounded(row["n_obs"] / row["ni"], 2),
        }
    counted = row["component"] in ("total", "between_latent")
    worth = row["n_eff"] if counted else row["ni"]
    n = max(int(min(worth, row["ni"])), 4)
    found: Row = {"stat": "r", "value": _rounded(sign * fisher_z_inverse(row["yi"])), "n": n}
    if counted and n < row["ni"]:
        found["n_source"] = "imputed"
    return found


def _note(row: pd.Series) -> str:
    parts = [row["route"]]
    if row["component"] in ("total", "between_latent"):
        capped = f"n is of patients; its SE is worth {row['n_eff']:.0f}"
        worth = f"n is what its SE is worth; {int(row['ni'])} patients"
        parts.append(capped if row["n_eff"] > row["ni"] else worth)
    if row["component"] == "total":
        parts.insert(0, "checked: all sessions of all patients as pairs of single scores")
    if math.isfinite(row["se_bootstrap"]):
        scale = {"z": "z", "beta": "beta", "slope": "b"}[row["es_metric"]]
        parts.append(f"SE({scale}) {row['se_bootstrap']:.4g} by resampling patients")
    if row["path"] != FORWARD:
        parts.append("outcome leads")
    return "; ".join(parts)


def _occasions(study: SessionStudy, row: pd.Series) -> Row:
    """Sessions in both scores, as whole numbers; a within effect pairs single sessions."""
    if row["component"] == "within":
        return {"k_x": 1, "k_y": 1, "shared": 1 if row["lag"] == 0 else 0}
    if math.isfinite(row["k_x"]):
        return {key: _whole(row[key]) for key in ("k_x", "k_y", "shared")}
    k = max(round(float(study.first.measures["sessions"].min())), 1)
    return {"k_x": k, "k_y": k, "shared": k}


def _session(value: float) -> object:
    return int(value) if float(value).is_integer() else float(value)


def _whole(value: float) -> object:
    return max(round(value), 1 if value > 0 else 0) if math.isfinite(value) else None


def _rounded(value: float, digits: int = DIGITS) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None
