"""Stored results on session data as tables: ``python -m tests.simulation.session_page``."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

from tests.simulation.session_rates import RESULTS
from tests.simulation.tables import PAGE

BLOCK = re.compile(r"(<!-- sessions: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
LOWEST, HIGHEST = 0.93, 0.97
ROWS = {
    "total.NA": "total",
    "between_observed.NA": "between_observed",
    "between_latent.NA": "between_latent",
    "within.concurrent_r": "within, concurrent_r",
    "within.lagged_r": "within, lagged_r",
    "within.lagged_partial": "within, lagged_partial (β)",
    "between_change.NA": "between_change",
    "contextual.NA": "contextual (raw)",
}


def stored(name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"sessions_{name}.csv")


def with_tables(page: str) -> str:
    """The page with every block written anew."""

    def written(match: re.Match[str]) -> str:
        opening, name, closing = match.groups()
        return f"{opening}\n{TABLES[name](stored(name))}\n{closing}"

    return BLOCK.sub(written, page)


def variance(table: pd.DataFrame) -> str:
    worlds = list(dict.fromkeys(table["world"]))
    lines = [
        "| sessions | | " + " | ".join(worlds) + " |",
        "|---|---|" + "---|" * len(worlds),
    ]
    for sessions, group in table.groupby("sessions"):
        by_world = group.set_index("world").loc[worlds]
        ratio = by_world["se_bootstrap"] / by_world["sd"]
        worth = 3 + 1 / by_world["sd"] ** 2
        for name, cells in (
            ("variance × (df − 1)", [f"{v:.2f}" for v in by_world["ratio"]]),
            ("worth patients", [f"{v:.0f}" for v in worth]),
            ("resampled SE / SD", [f"{v:.2f}" for v in ratio]),
            ("coverage", [rate(v) for v in by_world["coverage"]]),
        ):
            lines.append(f"| {sessions} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def nickell(table: pd.DataFrame) -> str:
    lines = [
        "| sessions | method | mean β | SD | SE / SD | coverage | mean autoregression |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table.to_dict(orient="records"):
        has = row["se_bootstrap"] == row["se_bootstrap"]
        ratio = f"{row['se_bootstrap'] / row['sd']:.2f}" if has else ""
        covered = rate(row["coverage"]) if has else ""
        cells = [row["sessions"], row["method"], signed(row["mean"]), signed(row["sd"])]
        cells += [ratio, covered, signed(row["autoregression"], 2)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def coverage(table: pd.DataFrame) -> str:
    lines = [
        "| method | row | patients | truth | mean | SE / SD | coverage | of | no number |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (method, effect), group in table.groupby(["method", "effect"], sort=False):
        for row in group.to_dict(orient="records"):
            cells = [method, ROWS[str(effect)], row["patients"], signed(row["truth"])]
            cells += [signed(row["mean"]), f"{row['se_bootstrap'] / row['sd']:.2f}"]
            cells += [rate(row["coverage"]), row["runs"], row["failed"]]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def rate(value: float) -> str:
    text = f"{value:.3f}".removeprefix("0")
    return text if LOWEST <= value <= HIGHEST else f"**{text}**"


def signed(value: float, digits: int = 3) -> str:
    text = f"{abs(value):.{digits}f}".removeprefix("0")
    return f"−{text}" if value < 0 else text


TABLES: dict[str, Callable[[pd.DataFrame], str]] = {
    "variance": variance,
    "nickell": nickell,
    "coverage": coverage,
}


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
