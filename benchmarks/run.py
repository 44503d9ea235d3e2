"""Time metalliance and R on the same data, in turn, in one run, as ratios of CPU time.

python benchmarks/run.py [--quick] [--out benchmarks/results.json]

R needs metafor, clubSandwich and jsonlite. Both sides run one thread and stay loaded; every round
runs each side as often as fits into a fifth of a second, at least once, and the ratio of the round
is that of the CPU times per run. The table names the median ratio and its range over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.tasks import agreement, task  # noqa: E402

HERE = Path(__file__).parent
# task, size, rounds against R (0: metalliance alone)
PLAN = [
    ("reml", 30, 7), ("reml", 300, 7), ("reml", 3000, 2), ("reml", 30000, 0),
    ("dl", 300, 7), ("reml_mods", 30, 7), ("reml_mods", 300, 7), ("reml_mods", 30000, 0),
    ("qprofile", 30, 5), ("qprofile", 300, 5), ("permutation", 30, 3),
    ("nested", 60, 5), ("nested", 300, 3), ("nested_mods", 60, 5), ("nested_mods", 300, 3),
    ("nested_mods", 1500, 1), ("nested_mods", 6000, 0), ("nested_mods", 30000, 0),
    ("bivariate", 60, 3), ("bivariate", 300, 1), ("bivariate", 1500, 0), ("bivariate", 6000, 0),
    ("bivariate", 30000, 0), ("profile", 60, 1),
    ("cr2", 60, 5), ("cr2", 300, 5), ("htz", 60, 5), ("htz", 300, 3),
]  # fmt: skip
SLOW = {("reml", 3000), ("nested_mods", 1500), ("bivariate", 300), ("profile", 60)}


class R:
    """The other side: one process that answers a line per task."""

    def __init__(self, folder: Path) -> None:
        command = ["Rscript", str(HERE / "worker.R"), str(folder)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, name: str, size: int) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{name} {size}\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


def cpu_seconds(job: Any) -> tuple[float, Any]:
    """Median CPU time of one run, over as many as fit into a fifth of a second."""
    spent: list[float] = []
    while sum(spent) < 0.2:
        begin = time.process_time()
        result = job()
        spent.append(time.process_time() - begin)
    return float(np.median(spent)), result


def measure(name: str, size: int, rounds: int, folder: Path, other: R | None) -> dict[str, Any]:
    job = task(name, size, folder)
    job()
    row: dict[str, Any] = {"task": name, "size": size, "ours_ms": [], "r_ms": [], "ratio": []}
    for _ in range(max(rounds, 1)):
        ours, result = cpu_seconds(job)
        row["ours_ms"].append(1e3 * ours)
        if rounds and other is not None:
            theirs = other.run(name, size)
            row["r_ms"].append(1e3 * theirs["seconds"])
            row["ratio"].append(theirs["seconds"] / ours)
            row["difference"] = agreement(result, theirs["result"])
    return row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="leave out what takes R minutes")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subprocess.run(["Rscript", str(HERE / "simulate.R"), place], check=True)
        other = R(folder)
        rows = []
        for name, size, rounds in PLAN:
            if chosen.quick and (name, size) in SLOW:
                continue
            row = measure(name, size, rounds, folder, other)
            rows.append(row)
            print(line(row), flush=True)
    chosen.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def line(row: dict[str, Any]) -> str:
    ours = np.median(row["ours_ms"])
    if not row["ratio"]:
        return f"| {row['task']} | {row['size']} | – | {ours:.2f} | – | – |"
    ratio = row["ratio"]
    return (
        f"| {row['task']} | {row['size']} | {np.median(row['r_ms']):.0f} | {ours:.2f} "
        f"| {np.median(ratio):.0f} ({min(ratio):.0f}–{max(ratio):.0f}) | {row['difference']:.0e} |"
    )


if __name__ == "__main__":
    main()
