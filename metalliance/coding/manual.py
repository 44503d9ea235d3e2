"""The codebook as a document and as a table schema: every sheet, column, level and anchor."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import Any

from metalliance.coding.codebook import OWN, Codebook, Field, SheetDefinition, load_codebook
from metalliance.coding.sophistication import HAND_SCORED, RULES

__all__ = ["codebook_html", "codebook_markdown", "data_package"]

Block = tuple[str, list[str], list[list[str]]]
MISSING = ["", "NR", "NA"]
# How Frictionless calls the types of the codebook; text that may also be a number is a string.
SCHEMA_TYPES = {"integer": "integer", "number": "number", "correlation": "number"}
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a}table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "th,td{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top}"
    "th{background:#d9e2ec}caption{text-align:left;padding:.3rem 0}code{white-space:nowrap}"
    "nav a{margin-right:1rem}tr{break-inside:avoid}@media print{nav{display:none}}"
)


def codebook_markdown(codebook: Codebook | None = None) -> str:
    """The codebook in Markdown, made from the same file as template and validation.

    Examples
    --------
    >>> codebook_markdown().splitlines()[0]
    '# Codebook'
    """
    codebook = codebook or load_codebook()
    lines = ["# Codebook", "", *_opening(codebook)]
    for title, texts, rows in _blocks(codebook):
        lines += ["", f"## {title}", "", *texts, ""]
        lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
        lines.insert(len(lines) - len(rows) + 1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


def codebook_html(codebook: Codebook | None = None) -> str:
    """The codebook as one HTML page, to be printed or put beside a manuscript."""
    codebook = codebook or load_codebook()
    blocks = list(_blocks(codebook))
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Codebook</title><style>{STYLE}</style></head><body><main><h1>Codebook</h1>",
        *(f"<p>{_rich(text)}</p>" for text in _opening(codebook) if text),
        "<nav>",
        *(f'<a href="#{_anchor(title)}">{html.escape(title)}</a>' for title, _, _ in blocks),
        "</nav>",
    ]
    for title, texts, rows in blocks:
        parts.append(f'<h2 id="{_anchor(title)}">{html.escape(title)}</h2>')
        parts += [f"<p>{_rich(' '.join(texts))}</p>"]
        parts.append("<table><thead><tr>")
        parts += [f'<th scope="col">{_rich(cell)}</th>' for cell in rows[0]]
        parts.append("</tr></thead><tbody>")
        for row in rows[1:]:
            parts.append("<tr>" + "".join(f"<td>{_rich(cell)}</td>" for cell in row) + "</tr>")
        parts.append("</tbody></table>")
    return "\n".join([*parts, "</main></body></html>\n"])


def data_package(codebook: Codebook | None = None, title: str = "") -> str:
    """A Frictionless data package with one table schema per sheet, as JSON.

    References
    ----------
    Data Package version 2, https://datapackage.org/standard/table-schema/
    """
    codebook = codebook or load_codebook()
    package: dict[str, Any] = {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "coded-review",
        "title": title or "A coded review",
        "version": codebook.schema,
        "resources": [_resource(sheet) for sheet in codebook.tables],
    }
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def _resource(sheet: SheetDefinition) -> dict[str, Any]:
    fields = [_schema_field(field, field.name) for field in sheet.fields if field.type != "formula"]
    fields += [_schema_field(field, f"{OWN}{field.name}") for field in sheet.own]
    schema: dict[str, Any] = {"fields": fields, "missingValues": MISSING}
    if "study" in sheet.names and sheet.name != "STUDIES":
        reference = {"resource": "studies", "fields": ["study"]}
        schema["foreignKeys"] = [{"fields": ["study"], "reference": reference}]
    return {
        "name": sheet.name.lower(),
        "path": f"{sheet.name}.csv",
        "description": sheet.about,
        "profile": "tabular-data-resource",
        "encoding": "utf-8",
        "schema": schema,
    }


def _schema_field(field: Field, name: str) -> dict[str, Any]:
    constraints: dict[str, Any] = {}
    if field.levels:
        constraints["enum"] = list(field.levels)
    low, high = field.minimum, field.maximum
    if field.type == "correlation":
        low, high, exclusive = -1, 1, True
    else:
        exclusive = field.exclusive
    if low is not None:
        constraints["exclusiveMinimum" if exclusive else "minimum"] = low
    if high is not None:
        constraints["exclusiveMaximum" if field.type == "correlation" else "maximum"] = high
    if field.longest is not None:
        constraints["maxLength"] = field.longest
    found: dict[str, Any] = {
        "name": name,
        "type": SCHEMA_TYPES.get(field.type, "string"),
        "description": field.help,
    }
    return {**found, "constraints": constraints} if constraints else found


def _opening(codebook: Codebook) -> Iterator[str]:
    yield f"Schema `{codebook.schema}`. This page is made from the codebook of the package."
    yield ""
    yield "`NR`: not reported. `NA`: does not apply. An empty cell: not yet coded."


def _blocks(codebook: Codebook) -> Iterator[Block]:
    """Title, opening words and table (header first) of every section."""
    for sheet in codebook.sheets:
        yield sheet.name, [sheet.about], _columns(sheet)
    yield "A single table", [codebook.flat.about], _columns(codebook.flat)
    opening = [
        "Ten items follow from coded facts, six are scored by hand in MODELS; any can be",
        "overridden in EFFECTS with a reason. The index is the sum over its maximum, without C1,",
        "and without C3 for lagged partial effects.",
    ]
    yield "Sophistication items", opening, _items(codebook)


def _columns(sheet: SheetDefinition) -> list[list[str]]:
    rows = [["name" if sheet.layout == "pairs" else "column", "needed", "what stands in it"]]
    rows[0].append("levels")
    for field in sheet.fields:
        rows.append([f"`{field.name}`", "yes" if field.required else "", field.help])
        rows[-1].append(_levels(field))
    for field in sheet.own:
        rows.append([f"`{OWN}{field.name}`", "", f"{field.help} (this team's own)"])
        rows[-1].append(_levels(field))
    return rows


def _levels(field: Field) -> str:
    if field.levels:
        return ", ".join(field.levels)
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("from", field.minimum), ("to", field.maximum))
        if bound is not None
    ]
    return " ".join([field.type, *bounds])


def _items(codebook: Codebook) -> list[list[str]]:
    rows = [["item", "from", "anchors"]]
    for item, rule in RULES.items():
        anchors = (rule.__doc__ or "").strip().splitlines()[0].removeprefix(f"{item}. ")
        rows.append([item, "coded facts", anchors])
    for item in HAND_SCORED:
        rows.append([item, "MODELS", codebook["MODELS"][item].help])
    return rows


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _anchor(title: str) -> str:
    return title.casefold().replace(" ", "-")


def _rich(text: str) -> str:
    """Escaped text with `code` between backticks."""
    pieces = html.escape(text).split("`")
    return "".join(f"<code>{p}</code>" if n % 2 else p for n, p in enumerate(pieces))
