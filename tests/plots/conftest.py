"""Pools as the plots see them, made up from a seed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

NAMES = ("Høglend", "Küchenhoff & Müller", "Zilcha-Mano et al.", "Falkenström", "Barber", "Čermák")


def made_pool(
    studies: int = 16,
    effects_per_study: int = 1,
    *,
    key: str = "total",
    component: str = "total",
    scale: str = "z",
    mean: float = 0.27,
    tau: float = 0.2,
    seed: int = 1,
    fitted: bool = True,
) -> Any:
    """A pool with plausible numbers; not fitted by any model."""
    rng = np.random.default_rng(seed)
    rows = []
    for j in range(studies):
        n = int(rng.integers(15, 240))
        true = rng.normal(mean, tau)
        several = 1 + int(rng.integers(0, effects_per_study)) if effects_per_study > 1 else 1
        for e in range(several):
            vi = 1 / (n - 3)
            rows.append(
                {
                    "study": f"S{j + 1:03d}",
                    "sample": f"S{j + 1:03d}",
                    "effect": f"E{e + 1}",
                    "citation": f"{NAMES[j % len(NAMES)]} ({1970 + j % 50})",
                    "yi": rng.normal(true, np.sqrt(vi)),
                    "vi": vi,
                    "ni": float(n),
                    "sophistication": float(rng.uniform(0.1, 0.8)),
                }
            )
    frame = pd.DataFrame(rows)
    frame["r"] = np.tanh(frame["yi"]) if scale == "z" else np.nan
    return pool_of(frame, key=key, component=component, scale=scale, fitted=fitted)


def pool_of(
    frame: pd.DataFrame, *, key: str, component: str, scale: str, fitted: bool = True
) -> Any:
    """The tables that a fit of these effects would leave, by inverse variance."""
    grouped = frame.groupby("study", sort=False)
    means = pd.DataFrame(
        {
            "k_effects": grouped.size(),
            "ni": grouped["ni"].max(),
            "estimate": grouped["yi"].mean(),
            "std_error": np.sqrt(grouped["vi"].mean() / grouped.size() ** 0.3),
            "effect_se": np.sqrt(grouped["vi"].median()),
        }
    ).reset_index()
    means["conf_low"] = means["estimate"] - 1.96 * means["std_error"]
    means["conf_high"] = means["estimate"] + 1.96 * means["std_error"]
    weight = 1 / (0.04 + means["std_error"] ** 2)
    means["weight"] = 100 * weight / weight.sum()
    pooled = float((means["estimate"] * means["weight"]).sum() / 100)
    half = 2.1 * float(np.sqrt(1 / weight.sum()))
    wide = 2.1 * float(np.sqrt(1 / weight.sum() + 0.04))
    few = len(means) < 5
    predict = pd.DataFrame(
        [
            {
                "estimate": pooled,
                "std_error": half / 2.1,
                "conf_low": pooled - half,
                "conf_high": pooled + half,
                "pi_low": np.nan if few else pooled - wide,
                "pi_high": np.nan if few else pooled + wide,
            }
        ]
    )
    multi = len(frame) > len(means)
    components = pd.DataFrame(
        [
            {"term": "study", "name": "sigma2", "estimate": 0.03},
            {"term": "study/effect", "name": "sigma2", "estimate": 0.01},
        ]
        if multi
        else [{"term": "", "name": "tau2", "estimate": 0.04}]
    )
    glance = pd.DataFrame(
        [{"k": len(frame), "i2": 71.2, "q": 2.4 * len(frame), "q_df": len(frame) - 1, "q_p": 0.001}]
    )
    empty = pd.DataFrame()
    return SimpleNamespace(
        key=key,
        component=component,
        estimand="NA" if component != "within" else "concurrent_r",
        path="alliance→outcome",
        es_metric=scale,
        role="main",
        effects=SimpleNamespace(usable=frame),
        counts=SimpleNamespace(
            studies=len(means),
            clusters=len(means),
            effects=len(frame),
            patients=float(means["ni"].sum()),
        ),
        fit=SimpleNamespace(method="REML", call={}) if fitted else None,
        not_pooled="" if fitted else "one independent study: shown, not pooled",
        imprecise=False,
        glance=glance if fitted else empty,
        components=components if fitted else empty,
        predict=predict if fitted else empty,
        predict_r=np.tanh(predict) if fitted and scale == "z" else predict,
        studies=means if fitted else empty,
    )


@pytest.fixture
def make_pool() -> Callable[..., Any]:
    """Factory of pools."""
    return made_pool
