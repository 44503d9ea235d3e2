"""Effects for ``sophistication.R``: ``python -m tests.reference.sophistication_data``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.simulation.designs import Quality

FOLDER = Path(__file__).parent / "datasets"

if __name__ == "__main__":
    for name, dependent in (("several", True), ("one", False)):
        frame = Quality(studies=60, dependent=dependent).draw(np.random.default_rng(2027))
        frame["yi"] += 0.05 * frame["A2"]
        frame.to_csv(
            FOLDER / f"sophistication_{name}.csv", index=False, float_format="%.12g", na_rep="NA"
        )
