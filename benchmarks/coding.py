"""Time ``metalliance check`` on a simulated workbook, and name its phases and its memory.

python benchmarks/coding.py [--effects 10000] [--runs 5]

The workbook is simulated and written to a temporary folder. The first lines are the whole process,
as a person waits for it: best and median of the runs, and the most memory it held. The others are
CPU seconds of the phases inside one process, the best of the runs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEASURES = (("A1", "patient", "WAI"), ("A2", "therapist", "WAI"))
OUTCOMES = (("O1", "BDI", "worse"), ("O2", "GAF", "better"))
GOAL = 3.0


def simulated(path: Path, effects: int) -> None:
    """A workbook with four effects per study: two raters of alliance, two outcomes."""
    from metalliance.coding.template import fill_workbook

    rng = random.Random(2017)
    sheets: dict[str, list[dict[str, object]]] = {"STUDIES": [], "MEASURES": [], "EFFECTS": []}
    for number in range((effects + 3) // 4):
        study = f"S{number:05d}"
        n = rng.randrange(30, 300)
        sheets["STUDIES"].append(
            {
                "study": study,
                "citation": f"Simulated study {number}",
                "year": rng.randrange(1990, 2025),
                "design": rng.choice(["RCT", "naturalistic"]),
                "treatment": rng.choice(["CBT", "psychodynamic", "mixed"]),
                "preregistered": "no",
                "n_start": n + 20,
            }
        )
        for own, rater, instrument in MEASURES:
            row = {"study": study, "id": own, "kind": "alliance", "rater": rater}
            more = {"high_score_means": "better", "first_session": 3, "last_session": 3}
            sheets["MEASURES"].append({**row, "instrument": instrument, **more})
        for own, instrument, better in OUTCOMES:
            row = {"study": study, "id": own, "kind": "outcome", "rater": "patient"}
            more = {"high_score_means": better, "first_session": "post"}
            more |= {"outcome_form": "raw post", "outcome_window_starts": "pre"}
            sheets["MEASURES"].append({**row, "instrument": instrument, **more})
        pairs = [(a[0], o[0]) for a in MEASURES for o in OUTCOMES]
        for at, (alliance, outcome) in enumerate(pairs[: effects - 4 * number], start=1):
            sheets["EFFECTS"].append(
                {
                    "study": study,
                    "effect": f"E{at}",
                    "alliance": alliance,
                    "outcome": outcome,
                    "model": "RAW",
                    "alliance_term": "single score",
                    "lag": "post",
                    "path": "alliance→outcome",
                    "stat": "r",
                    "value": round(min(max(rng.gauss(0.27, 0.15), -0.8), 0.8), 2),
                    "positive_means": "better",
                    "n": n,
                    "page": str(rng.randrange(1, 30)),
                    "quote": f"simulated sentence {rng.randrange(10**6)}",
                    "coder": "AB",
                    "status": "done",
                }
            )
    fill_workbook(path, sheets, {"title": "Simulated benchmark", "data": "simulated"})


PROCESS = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run([sys.executable, "-m", "metalliance", "check", sys.argv[1]],
                      stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"wall": time.perf_counter() - start, "code": code,
                  "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}))
"""

PHASES = """
import gc, json, sys, time
gc.set_threshold(100_000)
laps, start = {}, time.process_time()
def lap(name):
    global start
    now = time.process_time()
    laps[name] = now - start
    start = time.process_time()
from pathlib import Path
from metalliance.coding.review import read_review
from metalliance.coding.guard import inspect_workbook
from metalliance.coding.records import Findings
from metalliance.coding.spreadsheet import Source
from metalliance.coding.workbook import read_workbook_records, sheet_names
lap("load the program")
path = Path(sys.argv[1])
inspect_workbook(path, path.read_bytes()); lap("guard: stream the zip")
source = Source(path); start = time.process_time()
for name in source.sheet_names: source.grid(name)
lap("calamine: read the cells")
read_workbook_records(source, sheet_names(source), Findings()); lap("rows become records")
review = read_review(path, strict=False)
laps["links and rules"] = time.process_time() - start - sum(list(laps.values())[1:])
start = time.process_time()
review.judged(); lap("judge: convert every effect")
from metalliance.coding.echo import echo
echo(review); lap("judge and echo")
print(json.dumps(laps))
"""


def child(code: str, path: Path) -> dict[str, float]:
    """Run a piece of code in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--effects", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulated_benchmark.xlsx"
        start = time.perf_counter()
        simulated(path, given.effects)
        print(
            f"{given.effects:,} simulated effects, {path.stat().st_size / 2**20:.1f} MB, ", end=""
        )
        print(f"written in {time.perf_counter() - start:.0f} s")
        whole = [child(PROCESS, path) for _ in range(given.runs)]
        for name, unit in (("wall", "s"), ("cpu", "s"), ("memory", "MB")):
            values = [run[name] for run in whole]
            best, median = min(values), statistics.median(values)
            print(f"check, whole process, {name:7} {best:7.2f} {unit:2} (median {median:.2f})")
        laps = [child(PHASES, path) for _ in range(given.runs)]
        for name in laps[0]:
            print(f"  {name:28} {min(lap[name] for lap in laps):6.2f} s")
        met = min(run["wall"] for run in whole) < GOAL
        print(f"goal: whole process under {GOAL:g} s: {'met' if met else 'missed'}")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    main()
