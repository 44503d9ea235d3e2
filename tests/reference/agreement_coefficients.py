"""Writes agreement_coefficients.json: AC1 and alpha of random tables by irrCAC and krippendorff.

Neither is a dependency: ``python -m venv X && X/bin/pip install irrcac krippendorff pandas`` and
run this file with that Python, in this folder.
"""

import json
from importlib.metadata import version
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
from irrCAC.raw import CAC

CASES = [(40, 2, 2, 0.7, 0.0), (60, 2, 3, 0.9, 0.0), (30, 3, 4, 0.6, 0.2), (80, 4, 3, 0.8, 0.3)]
rng = np.random.default_rng(7)


def table(n: int, coders: int, q: int, agree: float, missing: float) -> np.ndarray:
    truth = rng.choice(q, size=n, p=np.r_[0.7, np.full(q - 1, 0.3 / (q - 1))])
    codes = np.where(
        rng.random((n, coders)) < agree, truth[:, None], rng.choice(q, size=(n, coders))
    ).astype(float)
    codes[rng.random((n, coders)) < missing] = np.nan
    return codes[~np.isnan(codes).all(axis=1)]


cases = []
for case in CASES:
    codes = table(*case)
    ac1 = CAC(pd.DataFrame(codes), digits=14).gwet()["est"]
    low, high = ac1["confidence_interval"]
    alpha = {
        metric: krippendorff.alpha(codes.T, level_of_measurement=metric)
        for metric in ("nominal", "ordinal", "interval")
    }
    cases.append(
        {
            "codes": [[None if np.isnan(code) else int(code) for code in row] for row in codes],
            "ac1": {"estimate": ac1["coefficient_value"], "std_error": ac1["se"]},
            "limits": [low, high],
            "alpha": alpha,
        }
    )
made_with = {name: version(name) for name in ("irrCAC", "krippendorff")}
text = json.dumps({"made_with": made_with, "cases": cases})
Path("agreement_coefficients.json").write_text(text + "\n", encoding="utf-8")
