"""The stored rates as tables of ``docs/validation.md``: ``python -m tests.simulation.tables``.

Rows are quantities and numbers of studies, columns are methods. Rates outside .03–.07 (coverage
outside .93–.97) are bold.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from tests.simulation.runner import stored

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"
BLOCK = re.compile(r"(<!-- rates: (\w+), (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
MODEL = r"^(?:(?P<model>(?:RE)?ML|DL|PM|SJ|UN|ρ [^\s,]+),? )?(?P<how>.+)$"
LOWEST, HIGHEST = 0.03, 0.07
FEWEST = 200  # readings that a rate is shown for
PREDICTIONS, COMPONENTS = "new ", ("τ²", "σ²")


def error_rate(table: pd.DataFrame) -> pd.Series:
    """Rejections, or misses of an interval: both should be .05."""
    return table["rate"].where(table["measure"] == "rejection", 1 - table["rate"])


def with_tables(page: str) -> str:
    """The page with every block of rates written anew from the stored results.

    A block names the family and which rows it shows: a scenario, and ``tests``, ``means``,
    ``predictions`` or ``components``.
    """

    def written(match: re.Match[str]) -> str:
        opening, family, chosen, closing = match.groups()
        scenario, kind = chosen.rsplit(", ", 1)
        return f"{opening}\n{markdown(chosen_rows(stored(family), scenario, kind))}\n{closing}"

    return BLOCK.sub(written, page)


def chosen_rows(table: pd.DataFrame, scenario: str, kind: str) -> pd.DataFrame:
    kinds = {
        "tests": table["measure"] == "rejection",
        "means": table["quantity"].str.startswith("mean"),
        "predictions": table["quantity"].str.startswith(PREDICTIONS),
        "components": table["quantity"].str.startswith(COMPONENTS),
    }
    return table[(table["scenario"] == scenario) & kinds[kind]]


def models_in_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Quantities named with the estimator or the structure, where a method's name begins so."""
    parts = rows["method"].str.extract(MODEL)
    named = parts["model"].notna()
    quantity = rows["quantity"].where(~named, rows["quantity"] + ", " + parts["model"])
    return rows.assign(quantity=quantity, method=parts["how"])


def markdown(rows: pd.DataFrame) -> str:
    rows = models_in_rows(rows)
    methods = list(dict.fromkeys(rows["method"]))
    quantities = list(dict.fromkeys(rows["quantity"]))
    lines = [
        "| | studies | " + " | ".join(methods) + " | MC error |",
        "|---|---|" + "---|" * (len(methods) + 1),
    ]
    for quantity in quantities:
        here = rows[rows["quantity"] == quantity]
        for k, group in here.groupby("studies"):
            by_method = group.set_index("method")
            cells = [
                shown(by_method.loc[name]) if name in by_method.index else "" for name in methods
            ]
            often = by_method["runs"] - by_method["undefined"] >= FEWEST
            error = decimals(by_method.loc[often, "mc_error"].max(), 4)
            lines.append(f"| {quantity} | {k} | " + " | ".join(cells) + f" | {error} |")
    return "\n".join(lines) + "\n"


def shown(row: pd.Series) -> str:
    """A rate; how often there was one, where that was not always."""
    if row["runs"] - row["undefined"] < FEWEST:
        return "–"
    wrong = row["rate"] if row["measure"] == "rejection" else 1 - row["rate"]
    text = decimals(row["rate"], 3)
    if not LOWEST <= wrong <= HIGHEST:
        text = f"**{text}**"
    share = 1 - row["undefined"] / row["runs"]
    return text if share >= 0.995 else f"{text} ({share:.0%})"


def decimals(value: float, places: int) -> str:
    return f"{value:.{places}f}".removeprefix("0") if value < 1 else f"{value:.{places}f}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
