"""What R makes of the cases: one process for each of the machine's two halves of them."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.differential.cases import Case

__all__ = ["results_of_r"]

SCRIPT = Path(__file__).with_name("differential.R")
PROCESSES = 2


def results_of_r(
    cases: Sequence[Case], ours: Mapping[str, Mapping[str, Any]], folder: Path
) -> dict[str, Any]:
    """Results by case id; ``ours`` are the components at which R is to look as well."""
    running = []
    for i in range(PROCESSES):
        asked, answered = folder / f"cases{i}.json", folder / f"results{i}.json"
        batch = [asdict(case) | {"ours": ours[case.id]} for case in cases[i::PROCESSES]]
        asked.write_text(json.dumps(batch), encoding="utf-8")
        command = ["Rscript", str(SCRIPT), str(asked), str(answered)]
        running.append((subprocess.Popen(command), answered))
    results: dict[str, Any] = {}
    for process, answered in running:
        if process.wait() != 0:
            raise RuntimeError(f"{SCRIPT.name} ended with status {process.returncode}")
        results |= json.loads(answered.read_text(encoding="utf-8"))
    return results
