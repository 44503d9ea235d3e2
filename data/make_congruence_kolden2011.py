"""Write congruence_kolden2011.xlsx from the two CSV files beside it.

Sixteen studies of therapist congruence and outcome (Kolden, Klein, Wang & Austin, 2011). Ten of
them were read again by the authors of the source: their several correlations have role main, each
one an effect, none averaged; the value published for the study has role sensitivity. The six
others have the published value only. Congruence is a sister construct of alliance, not alliance.

    python data/make_congruence_kolden2011.py
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from metalliance.coding.template import fill_workbook

HERE = Path(__file__).resolve().parent
PRIMARY_COLUMNS = [f"r{i}" for i in range(1, 10)]
CITATION = "Kolden, Klein, Wang & Austin (2011)"


def main() -> None:
    about = {
        "title": "Therapist congruence and outcome (Kolden et al., 2011)",
        "construct": "therapist congruence",
        "data": "real",
        "source": "CC0 data of a study on reproducibility; see the files beside this workbook",
    }
    fill_workbook(HERE / "congruence_kolden2011.xlsx", rows(), about=about)


def rows(main: str = "correlations") -> dict[str, list[dict[str, object]]]:
    """The sheets; ``main="published"`` gives the published values the role main instead."""
    published = pd.read_csv(HERE / "kolden2011_congruence_k16.csv")
    primary = pd.read_csv(HERE / "kolden_primary_recode.csv").set_index("first_author")
    sheets: dict[str, list[dict[str, object]]] = {
        "STUDIES": [],
        "MEASURES": [],
        "MODELS": [],
        "EFFECTS": [],
    }
    for row in published.itertuples():
        study = f"K{row.row:02d}"
        sheets["STUDIES"].append(
            {
                "study": study,
                "sample": study,
                "citation": f"{row.study} ({row.year})",
                "year": row.year,
                "status": "done",
            }
        )
        again = primary.loc[[row.study.split(" ")[0]]] if _read_again(row, primary) else None
        hints = None if again is None else again.iloc[0]
        sheets["MEASURES"] += [
            _measure(study, "A1", "alliance", "therapist congruence", _rater(hints, "predictor")),
            _measure(study, "O1", "outcome", "NR", _rater(hints, "outcome")),
        ]
        used = hints is None or main == "published"
        reason = f"as published by {CITATION}"
        if not used:
            reason += "; its correlations P1, P2 … are used instead"
        role = "main" if used else "sensitivity"
        sheets["EFFECTS"].append(_effect(study, "E1", row.r, row.n, role, reason))
        if hints is not None:
            seen: set[float] = set()
            for number, value in enumerate(hints[PRIMARY_COLUMNS].dropna(), start=1):
                reason = "read again in the primary study"
                role = "sensitivity" if used else "main"
                effect = _effect(study, f"P{number}", float(value), hints["n_in_ma"], role, reason)
                if value in seen:
                    effect["note"] = "checked same-effect: the source lists this value twice"
                seen.add(value)
                sheets["EFFECTS"].append(effect)
    return sheets


def _read_again(row: object, primary: pd.DataFrame) -> bool:
    name = row.study.split(" ")[0]
    return bool(row.sampled_for_reproduction) and name in primary.index


def _measure(study: str, name: str, kind: str, instrument: str, rater: str) -> dict[str, object]:
    return {
        "study": study,
        "id": name,
        "kind": kind,
        "instrument": instrument,
        "rater": rater,
        "high_score_means": "better",
    }


def _rater(hints: pd.Series | None, which: str) -> str:
    """One rater where the hint names one; several cannot be told apart by correlation."""
    hint = "" if hints is None else str(hints[f"{which}_rater_hint"])
    return hint if hint in ("patient", "therapist", "observer") else "NR"


def _effect(
    study: str, effect: str, r: float, n: float, role: str, reason: str
) -> dict[str, object]:
    return {
        "study": study,
        "sample": study,
        "effect": effect,
        "alliance": "A1",
        "outcome": "O1",
        "model": "RAW",
        "component": "total",
        "path": "alliance→outcome",
        "stat": "r",
        "value": r,
        "positive_means": "better",
        "n": int(n),
        "role": role,
        "role_reason": reason,
        "status": "done",
    }


if __name__ == "__main__":
    main()
