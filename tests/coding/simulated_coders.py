"""Two simulated coders of one simulated review: the same papers, other ids, planted differences."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from metalliance.coding.template import fill_workbook

Row = dict[str, Any]
Sheets = dict[str, list[Row]]
INSTRUMENTS = ("WAI-SR", "CALPAS", "HAq-II", "WAI-O")
OUTCOMES = ("BDI-II", "OQ-45", "SCL-90-R", "HAM-D")


@dataclass
class Coders:
    """Sheets of both, the ids that B gave, what was planted as (sheet, study, id, field)."""

    a: Sheets
    b: Sheets
    ids: dict[tuple[str, str, str], str] = field(default_factory=dict)
    planted: list[tuple[str, str, str, str]] = field(default_factory=list)

    def of_b(self, sheet: str, study: str, own: str) -> Row:
        """B's row of what A calls ``own``."""
        name = "effect" if sheet == "EFFECTS" else "id"
        wanted = self.ids.get((sheet, study, own), own)
        return next(
            row
            for row in self.b[sheet]
            if row["study"] == study and (sheet == "STUDIES" or row[name] == wanted)
        )

    def plant(self, sheet: str, study: str, own: str, column: str, value: Any) -> None:
        """Let B have typed something else."""
        row = self.of_b(sheet, study, own)
        assert row.get(column) != value
        row[column] = value
        self.planted.append((sheet, study, own, column))

    def write(self, folder: Path) -> tuple[Path, Path]:
        first, second = folder / "review_AB.xlsx", folder / "review_CD.xlsx"
        about = {"title": "Two simulated coders", "data": "simulated"}
        fill_workbook(first, self.a, about=about)
        fill_workbook(second, self.b, about=about)
        return first, second


def study_rows(name: str, number: int, rng: np.random.Generator) -> Sheets:
    n = int(rng.integers(30, 150))
    study = {
        "study": name,
        "citation": f"Simulated author {number}, {2000 + number}",
        "year": 2000 + number,
        "pub_status": rng.choice(["journal", "dissertation"]),
        "design": rng.choice(["RCT", "naturalistic"]),
        "treatment": rng.choice(["CBT", "psychodynamic", "mixed"]),
        "preregistered": rng.choice(["no", "registered (trial only)"]),
        "n_start": n + 5,
        "status": "done",
    }
    measures: list[Row] = []
    for place, instrument in enumerate(rng.choice(INSTRUMENTS, 2, replace=False), start=1):
        rater = "observer" if instrument == "WAI-O" else "patient"
        measures.append(
            {
                "study": name,
                "id": f"A{place}",
                "kind": "alliance",
                "instrument": str(instrument),
                "rater": rater,
                "subscale": "total",
                "high_score_means": "better",
                "first_session": 3,
                "last_session": 3,
                "alpha": round(float(rng.uniform(0.8, 0.95)), 2),
            }
        )
    for place, instrument in enumerate(rng.choice(OUTCOMES, 2, replace=False), start=1):
        measures.append(
            {
                "study": name,
                "id": f"O{place}",
                "kind": "outcome",
                "instrument": str(instrument),
                "rater": "observer" if instrument == "HAM-D" else "patient",
                "high_score_means": "worse",
                "first_session": "post",
                "outcome_form": "raw post",
                "outcome_window_starts": "pre",
            }
        )
    model = {
        "study": name,
        "id": "M1",
        "kind": "regression",
        "disaggregation": "none",
        "detrending": "none",
        "prior_outcome_control": "baseline only",
        "lagged_outcome": "no",
        "reverse_path": "none",
        "covariates": "intake",
        "m": 3,
        "n": n,
        "missing_method": rng.choice(["listwise", "MI"]),
        **{item: str(rng.integers(0, 3)) for item in ("D1", "D2", "D3")},
        "A4": "0",
        "C3": "NA",
        "D4": "0",
    }
    values = rng.choice(np.arange(5, 60), 4, replace=False) / 100
    effects = [
        {
            "study": name,
            "effect": f"E{place}",
            "alliance": alliance,
            "outcome": outcome,
            "model": "M1" if place == 4 else "RAW",
            "alliance_term": "single score",
            "lag": "post",
            "path": "alliance→outcome",
            "stat": "r_partial" if place == 4 else "r",
            "value": float(values[place - 1]),
            "positive_means": "better",
            "n": n,
            "page": str(place),
        }
        for place, (alliance, outcome) in enumerate(
            [("A1", "O1"), ("A1", "O2"), ("A2", "O1"), ("A1", "O1")], start=1
        )
    ]
    return {"STUDIES": [study], "MEASURES": measures, "MODELS": [model], "EFFECTS": effects}


def simulated_coders(studies: int = 12, seed: int = 1, *, renumber: bool = True) -> Coders:
    """Two coders who agree on everything; B numbers and orders rows in another way."""
    rng = np.random.default_rng(seed)
    a: Sheets = {"STUDIES": [], "MEASURES": [], "MODELS": [], "EFFECTS": []}
    for number in range(1, studies + 1):
        for sheet, rows in study_rows(f"S{number:03d}", number, rng).items():
            a[sheet] += [
                {key: value.item() if hasattr(value, "item") else value for key, value in r.items()}
                for r in rows
            ]
    coders = Coders(a=a, b=copy.deepcopy(a))
    if renumber:
        renumber_rows(coders, rng)
    return coders


def renumber_rows(coders: Coders, rng: np.random.Generator) -> None:
    swap = {"A1": "A2", "A2": "A1", "O1": "O2", "O2": "O1"}
    for row in coders.b["MEASURES"]:
        coders.ids["MEASURES", row["study"], row["id"]] = swap[row["id"]]
        row["id"] = swap[row["id"]]
    for row in coders.b["MODELS"]:
        coders.ids["MODELS", row["study"], "M1"] = row["id"] = "M7"
    for row in coders.b["EFFECTS"]:
        own = f"E{int(row['effect'][1:]) % 4 + 1}"
        coders.ids["EFFECTS", row["study"], row["effect"]] = own
        row["effect"], row["alliance"], row["outcome"] = (
            own,
            swap[row["alliance"]],
            swap[row["outcome"]],
        )
        row["model"] = "M7" if row["model"] == "M1" else row["model"]
    for sheet in ("MEASURES", "EFFECTS"):
        rng.shuffle(coders.b[sheet])  # type: ignore[arg-type]
