"""Write simulated_sessions.csv: SIMULATED sessions of 120 patients whose truth is known.

No real patient is in it. Alliance is in the shape of a WAI-SR mean (1 to 5, high is good), outcome
of a CORE-OM mean (0 to 4, high is bad). Every patient has a stable level of both and a process
about it that is drawn session by session; both drift over treatment, alliance up and symptoms
down. Patients who are worse drop out sooner, sessions are missed, questionnaires are forgotten.

Truth, oriented so that positive means a better alliance with a better outcome:

    between patients (stable levels)    r = .40
    within patients, same session       r = .176
    alliance → next outcome             r = .177, net of the outcome before β = .089
    outcome → next alliance             r = .124, net of the alliance before β = .053
    autocorrelation of the deviations   alliance .41, outcome .52
    stable share of the variance        alliance .65, outcome .60
    drift a session                     alliance +.015, outcome −.030 points
    therapists                          12, with .05 of the stable variance of each (no link)

Scores are cut at the ends of their scales and rounded to .01, which the truth leaves aside.

    python data/make_simulated_sessions.py
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

SEED = 295
PATIENTS, THERAPISTS, FEWEST, MOST = 120, 12, 4, 20
TRAIT_R = 0.40
STABLE_ALLIANCE, STABLE_OUTCOME = 0.65, 0.60
SD_ALLIANCE, SD_OUTCOME = 0.50, 0.60  # of one score without drift, in points
MEAN_ALLIANCE, MEAN_OUTCOME = 3.7, 1.9
DRIFT_ALLIANCE, DRIFT_OUTCOME = 0.015, -0.030
THERAPIST_SHARE = 0.05
# Deviations in units of their innovations; outcome oriented, high is better.
PHI = np.array([[0.40, 0.05], [0.095, 0.50]])
INNOVATION_R = 0.10
MISSED, FORGOTTEN = 0.08, 0.05
WARM_UP = 60


def truth() -> dict[str, float]:
    """What the parameters imply."""
    sigma = np.array([[1.0, INNOVATION_R], [INNOVATION_R, 1.0]])
    gamma = np.linalg.solve(np.eye(4) - np.kron(PHI, PHI), sigma.ravel()).reshape(2, 2)
    later = PHI @ gamma
    sd = np.sqrt(np.diagonal(gamma))
    return {
        "within r": gamma[0, 1] / (sd[0] * sd[1]),
        "forward lagged r": later[1, 0] / (sd[0] * sd[1]),
        "forward partial": PHI[1, 0] * sd[0] / sd[1],
        "reverse lagged r": later[0, 1] / (sd[0] * sd[1]),
        "reverse partial": PHI[0, 1] * sd[1] / sd[0],
        "autocorrelation alliance": later[0, 0] / gamma[0, 0],
        "autocorrelation outcome": later[1, 1] / gamma[1, 1],
        "sd alliance": sd[0],
        "sd outcome": sd[1],
    }


def patient(rng: np.random.Generator, number: int, of_therapist: np.ndarray) -> list[list[object]]:
    """All rows of one patient."""
    implied = truth()
    therapist = number % THERAPISTS
    own = rng.normal(size=2)
    own[1] = TRAIT_R * own[0] + np.sqrt(1 - TRAIT_R**2) * own[1]
    level = np.sqrt(1 - THERAPIST_SHARE) * own + np.sqrt(THERAPIST_SHARE) * of_therapist[therapist]
    stable = np.sqrt([STABLE_ALLIANCE, STABLE_OUTCOME])
    spread = np.sqrt([1 - STABLE_ALLIANCE, 1 - STABLE_OUTCOME])
    spread = spread / [implied["sd alliance"], implied["sd outcome"]]
    deviation = np.zeros(2)
    planned, day = int(rng.integers(FEWEST, MOST + 1)), 0
    rows: list[list[object]] = []
    for session in range(1 - WARM_UP, planned + 1):
        innovation = rng.normal(size=2)
        innovation[1] = INNOVATION_R * innovation[0] + np.sqrt(1 - INNOVATION_R**2) * innovation[1]
        deviation = PHI @ deviation + innovation
        if session < 1:
            continue
        if session > 1:
            day += int(rng.choice([6, 7, 7, 7, 8, 14]))
        alliance, outcome = stable * level + spread * deviation
        bond = MEAN_ALLIANCE + DRIFT_ALLIANCE * session + SD_ALLIANCE * alliance
        score = MEAN_OUTCOME + DRIFT_OUTCOME * session - SD_OUTCOME * outcome
        rows.append(
            [
                f"P{number + 1:03d}",
                session,
                day,
                f"T{therapist + 1:02d}",
                f"{np.clip(bond, 1, 5):.2f}",
                f"{np.clip(score, 0, 4):.2f}",
            ]
        )
        leaves = 0.25 / (1 + np.exp(3.5 - 1.2 * score))
        if session >= FEWEST and rng.random() < leaves:
            break
    kept = [row for row in rows if row[1] == 1 or rng.random() >= MISSED]
    for row in kept:
        for column in (4, 5):
            if rng.random() < FORGOTTEN:
                row[column] = ""
    return kept


def main() -> None:
    """Write the file beside this one."""
    rng = np.random.default_rng(SEED)
    of_therapist = rng.normal(size=(THERAPISTS, 2))
    path = Path(__file__).with_name("simulated_sessions.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["patient", "session", "day", "therapist", "alliance", "outcome"])
        for number in range(PATIENTS):
            writer.writerows(patient(rng, number, of_therapist))
    for name, value in truth().items():
        print(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
