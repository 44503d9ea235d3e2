"""The codebook as a document: every sheet, every column, every level, every anchor."""

from __future__ import annotations

from collections.abc import Iterator

from metalliance.coding.codebook import Codebook, Field, SheetDefinition, load_codebook
from metalliance.coding.sophistication import HAND_SCORED, RULES

__all__ = ["codebook_markdown"]


def codebook_markdown() -> str:
    """The codebook in Markdown, made from the same file as template and validation.

    Examples
    --------
    >>> codebook_markdown().splitlines()[0]
    '# Codebook'
    """
    codebook = load_codebook()
    lines = ["# Codebook", "", *_opening(codebook)]
    for sheet in codebook.sheets:
        lines += ["", f"## {sheet.name}", "", sheet.about, "", *_columns(sheet)]
    lines += ["", "## A single table", "", codebook.flat.about, "", *_columns(codebook.flat)]
    lines += ["", "## Sophistication items", "", *_items(codebook)]
    return "\n".join(lines) + "\n"


def _opening(codebook: Codebook) -> Iterator[str]:
    yield f"Schema `{codebook.schema}`. This page is made from the codebook of the package."
    yield ""
    yield "`NR`: not reported. `NA`: does not apply. An empty cell: not yet coded."


def _columns(sheet: SheetDefinition) -> Iterator[str]:
    yield "| column | needed | what stands in it | levels |"
    yield "|---|---|---|---|"
    for field in sheet.fields:
        needed = "yes" if field.required else ""
        yield f"| `{field.name}` | {needed} | {_cell(field.help)} | {_cell(_levels(field))} |"


def _levels(field: Field) -> str:
    return ", ".join(field.levels) if field.levels else field.type


def _items(codebook: Codebook) -> Iterator[str]:
    yield "Ten items follow from coded facts, six are scored by hand in MODELS. The index is the"
    yield "sum over its maximum, without C1, and without C3 for lagged partial effects."
    yield ""
    yield "| item | from | anchors |"
    yield "|---|---|---|"
    for item, rule in RULES.items():
        anchors = (rule.__doc__ or "").strip().splitlines()[0].removeprefix(f"{item}. ")
        yield f"| {item} | coded facts | {_cell(anchors)} |"
    for item in HAND_SCORED:
        yield f"| {item} | MODELS | {_cell(codebook['MODELS'][item].help)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
