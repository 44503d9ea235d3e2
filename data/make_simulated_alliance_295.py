"""Write simulated_alliance_295.xlsx: SIMULATED data in the shape of the alliance literature.

Nothing in it is a real study. Most of the 295 studies report an early session's alliance against
outcome at the end; fourteen report a state-like (within-patient) effect. The parameters below are
the truth of the simulation; ``docs/simulated_data.md`` explains them.

    python data/make_simulated_alliance_295.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metalliance.coding.template import fill_workbook

SEED = 2017
STUDIES = 295
# True mean correlations of the components, on Fisher's z.
MEAN = {
    "total": np.arctanh(0.27),
    "between_observed": np.arctanh(0.33),
    "between_latent": np.arctanh(0.40),
    "within": np.arctanh(0.10),
    "between_change": np.arctanh(0.24),
}
LAGGED_FORWARD, LAGGED_REVERSE = 0.07, 0.05
TAU_STUDY, TAU_EFFECT = 0.11, 0.07  # total and between components, on z
TAU_WITHIN = 0.04  # within components
RHO = 0.6  # sampling correlation of two effects of one sample and component
THERAPIST_RATED = -0.05  # z, therapist-rated alliance
PRIOR_CONTROL = -0.03  # z, per point of prior symptom control (item A2)
STATE_CONCURRENT, STATE_LAGGED = 8, 6  # studies
MEAN_OF_SESSIONS, CHANGE_SCORES = 26, 6  # studies
BLENDED, CONTEXTUAL, THERAPIST = 3, 2, 3  # studies

INSTRUMENTS = ("WAI-36", "WAI-S", "WAI-SR", "CALPAS", "HAq-II")
OUTCOMES = (("BDI-II", "worse"), ("OQ-45", "worse"), ("SCL-90-R", "worse"), ("GAF", "better"))
TREATMENTS = ("CBT", "psychodynamic", "humanistic/experiential", "integrative/eclectic", "mixed")

Row = dict[str, object]


class Sheets:
    """Rows of the workbook as they are drawn."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.rows: dict[str, list[Row]] = {
            name: [] for name in ("STUDIES", "MEASURES", "MODELS", "EFFECTS")
        }

    def study(self, number: int) -> str:
        """Add a study with 1 row and return its id."""
        rng, study = self.rng, f"S{number:03d}"
        self.rows["STUDIES"].append(
            {
                "study": study,
                "sample": study,
                "citation": f"Simulated study {number:03d}",
                "year": int(rng.integers(1985, 2018)),
                "pub_status": str(rng.choice(["journal", "dissertation"], p=[0.85, 0.15])),
                "country": str(rng.choice(["US", "DE", "GB", "SE", "IL", "NR"])),
                "design": str(rng.choice(["RCT", "naturalistic", "uncontrolled trial"])),
                "treatment": str(rng.choice(TREATMENTS)),
                "preregistered": str(
                    rng.choice(["no", "registered (trial only)", "NR"], p=[0.6, 0.12, 0.28])
                ),
                "status": "done",
            }
        )
        return study

    def patients(self) -> int:
        """Draw a sample size: log-normal, median 60."""
        return int(np.clip(self.rng.lognormal(np.log(60), 0.7), 16, 900))

    def alliance(self, study: str, number: int, first: object, last: object, k: object) -> str:
        """Add an alliance measure and return its id."""
        rater = self.rng.choice(["patient", "therapist", "observer"], p=[0.65, 0.2, 0.15])
        self.rows["MEASURES"].append(
            {
                "study": study,
                "id": f"A{number}",
                "kind": "alliance",
                "instrument": str(self.rng.choice(INSTRUMENTS)),
                "rater": str(rater),
                "high_score_means": "better",
                "first_session": first,
                "last_session": last,
                "n_assessments": k,
            }
        )
        return f"A{number}"

    def outcome(self, study: str, number: int, form: str, window: str, k: int) -> str:
        """Add an outcome measure and return its id."""
        name, direction = OUTCOMES[self.rng.integers(len(OUTCOMES))]
        rater = self.rng.choice(["patient", "observer", "therapist"], p=[0.7, 0.22, 0.08])
        blind = "NA" if rater == "patient" else str(self.rng.choice(["yes", "no"]))
        session = form == "session-level score"
        self.rows["MEASURES"].append(
            {
                "study": study,
                "id": f"O{number}",
                "kind": "outcome",
                "instrument": name,
                "rater": str(rater),
                "high_score_means": direction,
                "first_session": 1 if session else "post",
                "last_session": k if session else "post",
                "n_assessments": k,
                "outcome_form": form,
                "outcome_window_starts": window,
                "blind": blind,
            }
        )
        return f"O{number}"

    def model(self, study: str, row: Row) -> str:
        """Add a model and return its id."""
        number = 1 + sum(model["study"] == study for model in self.rows["MODELS"])
        self.rows["MODELS"].append({"study": study, "id": f"M{number}", **row})
        return f"M{number}"

    def effect(self, study: str, row: Row, z: float, *, beta: bool = False) -> None:
        """Add an effect; the printed sign follows the direction of the outcome scale."""
        measures = self.rows["MEASURES"]
        outcome = next(m for m in measures if m["study"] == study and m["id"] == row["outcome"])
        worse = outcome["high_score_means"] == "worse"
        size = z if beta else float(np.tanh(z))
        number = 1 + sum(effect["study"] == study for effect in self.rows["EFFECTS"])
        self.rows["EFFECTS"].append(
            {
                "study": study,
                "sample": study,
                "effect": f"E{number}",
                "path": "alliance→outcome",
                "stat": "beta" if beta else "r",
                "value": round(-size if worse else size, 2),
                "positive_means": "worse" if worse else "better",
                "role": "main",
                "status": "done",
                **row,
            }
        )

    def errors(self, count: int, variance: float) -> np.ndarray:
        """Sampling errors of the effects of one sample and component."""
        shared = self.rng.normal(0, np.sqrt(RHO))
        own = self.rng.normal(0, np.sqrt(1 - RHO), size=count)
        return np.sqrt(variance) * (shared + own)


def total_study(sheets: Sheets, number: int) -> None:
    """Alliance of an early session against outcome at the end, one to four effects."""
    rng, study, n = sheets.rng, sheets.study(number), sheets.patients()
    raters, outcomes = rng.choice([1, 2], p=[0.7, 0.3]), rng.choice([1, 2], p=[0.45, 0.55])
    deviation = rng.normal(0, TAU_STUDY)
    session = int(rng.choice([1, 2, 3, 4, 5, 12], p=[0.1, 0.1, 0.45, 0.15, 0.1, 0.1]))
    alliances = [sheets.alliance(study, i + 1, session, session, 1) for i in range(raters)]
    window = str(rng.choice(["pre", "alliance session", "NR"], p=[0.75, 0.15, 0.1]))
    form = str(rng.choice(["raw post", "residual change"], p=[0.6, 0.4]))
    scored = [sheets.outcome(study, i + 1, form, window, 1) for i in range(outcomes)]
    control = form == "residual change" and rng.random() < 0.5
    errors = sheets.errors(raters * outcomes, 1 / (n - 3))
    measures = {m["id"]: m for m in sheets.rows["MEASURES"] if m["study"] == study}
    for i, (a, o) in enumerate((a, o) for a in alliances for o in scored):
        z = MEAN["total"] + deviation + rng.normal(0, TAU_EFFECT) + errors[i]
        z += THERAPIST_RATED * (measures[a]["rater"] == "therapist") + PRIOR_CONTROL * control
        row = {"alliance": a, "outcome": o, "alliance_term": "single score", "lag": "post", "n": n}
        row |= {"model": "PRE", "stat": "r_partial"} if control else {"model": "RAW"}
        sheets.effect(study, row, z)


def mean_study(sheets: Sheets, number: int) -> None:
    """Mean of several sessions against outcome at the end: a between-patient effect."""
    rng, study, n = sheets.rng, sheets.study(number), sheets.patients()
    k = int(rng.choice([3, 4, 6, 8]))
    a = sheets.alliance(study, 1, 1, k, k)
    outcomes = [sheets.outcome(study, i + 1, "raw post", "pre", 1) for i in range(2)]
    deviation, errors = rng.normal(0, TAU_STUDY), sheets.errors(2, 1 / (n - 3))
    for o, error in zip(outcomes, errors, strict=True):
        z = MEAN["between_observed"] + deviation + rng.normal(0, TAU_EFFECT) + error
        row = {"alliance": a, "outcome": o, "model": "RAW", "alliance_term": "mean of k"}
        sheets.effect(study, {**row, "lag": "post", "n": n}, z)


def change_study(sheets: Sheets, number: int) -> None:
    """Change in alliance against outcome: a difference between patients in change."""
    rng, study, n = sheets.rng, sheets.study(number), sheets.patients()
    a = sheets.alliance(study, 1, 3, 12, 2)
    o = sheets.outcome(study, 1, "raw change", "pre", 2)
    z = MEAN["between_change"] + rng.normal(0, TAU_STUDY) + sheets.errors(1, 1 / (n - 3))[0]
    row = {"alliance": a, "outcome": o, "model": "RAW", "alliance_term": "change or slope"}
    sheets.effect(study, {**row, "component_claimed": "state-like", "lag": "post", "n": n}, z)


def session_model(sheets: Sheets, study: str, n: int, k: int, disaggregation: str) -> str:
    """Add a multilevel model of session-by-session data without a lagged outcome."""
    rng = sheets.rng
    return sheets.model(
        study,
        {
            "kind": "MLM",
            "disaggregation": disaggregation,
            "detrending": str(rng.choice(["none", "time in Y model", "both"])),
            "prior_outcome_control": "none",
            "lagged_outcome": "no",
            "reverse_path": str(rng.choice(["none", "own model"])),
            "covariates": "none",
            "n": n,
            "sessions": k,
            "y_occasions": k,
            "missing_method": str(rng.choice(["listwise", "FIML/ML"])),
            "A4": 0,
            "C3": "NA",
            "D1": int(rng.choice([0, 1, 2])),
            "D2": int(rng.choice([0, 1])),
            "D3": 0,
            "D4": int(rng.choice([0, 1])),
        },
    )


def blended_study(sheets: Sheets, number: int) -> None:
    """Uncentred alliance in a multilevel model: a mixture that is listed and never pooled."""
    rng, study, n = sheets.rng, sheets.study(number), sheets.patients()
    k = int(rng.integers(6, 16))
    a = sheets.alliance(study, 1, 1, k, k)
    o = sheets.outcome(study, 1, "session-level score", "pre", k)
    model = session_model(sheets, study, n, k, "none")
    row = {"alliance": a, "outcome": o, "model": model, "lag": 0, "n": n}
    z = 0.2 + rng.normal(0, TAU_STUDY)
    sheets.effect(study, {**row, "alliance_term": "raw in multilevel"}, z)


def contextual_study(sheets: Sheets, number: int) -> None:
    """A person mean beside uncentred alliance: a raw contextual coefficient."""
    rng, study, n = sheets.rng, sheets.study(number), sheets.patients()
    k = int(rng.integers(6, 16))
    a = sheets.alliance(study, 1, 1, k, k)
    o = sheets.outcome(study, 1, "session-level score", "pre", k)
    model = session_model(sheets, study, n, k, "between-within hybrid")
    row = {"alliance": a, "outcome": o, "model": model, "lag": 0, "n": n}
    terms = {"alliance_term": "person mean", "other_alliance_term": "raw in multilevel"}
    more = {"stat": "b", "metric": "raw units", "se": 0.11}
    sheets.effect(study, {**row, **terms, **more}, 0.2 + rng.normal(0, 0.1), beta=True)


def therapist_study(sheets: Sheets, number: int) -> None:
    """Alliance between and within therapists."""
    rng, study, n = sheets.rng, sheets.study(number), max(sheets.patients(), 80)
    a = sheets.alliance(study, 1, 3, 3, 1)
    o = sheets.outcome(study, 1, "raw post", "pre", 1)
    therapists = int(n / 4)
    for component, size, mean in (
        ("between_therapist", therapists, 0.35),
        ("within_therapist", n - therapists, 0.2),
    ):
        z = mean + rng.normal(0, TAU_STUDY) + rng.normal(0, np.sqrt(1 / (size - 3)))
        row = {"alliance": a, "outcome": o, "model": "RAW", "component": component}
        sheets.effect(study, {**row, "lag": "post", "n": size}, z)


def concurrent_study(sheets: Sheets, number: int) -> None:
    """Session-by-session data, person-mean centred: within and between from one model."""
    rng, study, n = sheets.rng, sheets.study(number), sheets.patients()
    k = int(rng.integers(6, 16))
    a = sheets.alliance(study, 1, 1, k, k)
    o = sheets.outcome(study, 1, "session-level score", "pre", k)
    model = session_model(sheets, study, n, k, "person-mean centring")
    row = {"alliance": a, "outcome": o, "model": model, "lag": 0, "n": n, "n_obs": n * k}
    within = MEAN["within"] + rng.normal(0, TAU_WITHIN)
    within += rng.normal(0, np.sqrt(1 / (n * (k - 1) - 2)))
    terms = {"alliance_term": "own deviation", "other_alliance_term": "person mean"}
    sheets.effect(study, {**row, **terms}, within)
    between = MEAN["between_observed"] + rng.normal(0, TAU_STUDY)
    between += sheets.errors(1, 1 / (n - 3))[0]
    terms = {"alliance_term": "person mean", "other_alliance_term": "own deviation"}
    sheets.effect(study, {**row, **terms}, between)


def lagged_study(sheets: Sheets, number: int) -> None:
    """Random-intercept cross-lagged panel model: both directions and the latent intercepts."""
    rng, study, n = sheets.rng, sheets.study(number), max(sheets.patients(), 120)
    k = int(rng.integers(4, 9))
    a = sheets.alliance(study, 1, 1, k, k)
    o = sheets.outcome(study, 1, "session-level score", "next session", k)
    model = sheets.model(
        study,
        {
            "kind": "RI-CLPM",
            "disaggregation": "latent intercept",
            "detrending": str(rng.choice(["none", "both"])),
            "prior_outcome_control": "autoregressive",
            "lagged_outcome": "yes",
            "reverse_path": "same model",
            "covariates": "none",
            "n": n,
            "sessions": k,
            "y_occasions": k,
            "missing_method": "FIML/ML",
            "A4": 0,
            "C3": 2,
            "D1": int(rng.choice([0, 1])),
            "D2": 0,
            "D3": 0,
            "D4": 0,
        },
    )
    row = {"alliance": a, "outcome": o, "model": model, "n": n}
    terms = {"alliance_term": "latent within", "other_alliance_term": "latent intercept"}
    for path, mean in (("alliance→outcome", LAGGED_FORWARD), ("outcome→alliance", LAGGED_REVERSE)):
        se = float(np.sqrt(1.6 / (n * (k - 1))))
        beta = mean + rng.normal(0, TAU_WITHIN / 2) + rng.normal(0, se)
        more = {"lag": 1, "path": path, "metric": "SD within", "se": round(se, 3)}
        sheets.effect(study, {**row, **terms, **more}, beta, beta=True)
    z = MEAN["between_latent"] + rng.normal(0, TAU_STUDY) + sheets.errors(1, 1.6 / (n - 3))[0]
    terms = {"alliance_term": "latent intercept", "other_alliance_term": "latent within"}
    sheets.effect(study, {**row, **terms, "lag": 0}, z)


def unfinished(sheets: Sheets) -> None:
    """A few rows as a live review has them: waiting, sign unclear, not significant only."""
    effects = sheets.rows["EFFECTS"]
    single = [
        row for row in effects if row["stat"] == "r" and row.get("alliance_term") == "single score"
    ]
    chosen = sheets.rng.choice(len(single), size=9, replace=False)
    for place, index in enumerate(chosen):
        row = single[index]
        if place < 3:
            row["positive_means"] = "unclear"
        elif place < 6:
            row |= {"stat": "n.s. only", "value": "NR", "p_printed": "n.s."}
        else:
            row |= {"value": None, "status": "to do"}


def main() -> None:
    sheets = Sheets(SEED)
    kinds = (
        [concurrent_study] * STATE_CONCURRENT
        + [lagged_study] * STATE_LAGGED
        + [mean_study] * MEAN_OF_SESSIONS
        + [change_study] * CHANGE_SCORES
        + [blended_study] * BLENDED
        + [contextual_study] * CONTEXTUAL
        + [therapist_study] * THERAPIST
    )
    kinds += [total_study] * (STUDIES - len(kinds))
    order = sheets.rng.permutation(STUDIES)
    for number, place in enumerate(order, start=1):
        kinds[place](sheets, number)
    unfinished(sheets)
    about = {
        "title": "SIMULATED: alliance and outcome, 295 studies",
        "construct": "therapeutic alliance",
        "data": "simulated",
        "source": f"data/make_simulated_alliance_295.py, seed {SEED}; no row is a real study",
    }
    path = Path(__file__).resolve().parent / "simulated_alliance_295.xlsx"
    fill_workbook(path, sheets.rows, about=about)


if __name__ == "__main__":
    main()
