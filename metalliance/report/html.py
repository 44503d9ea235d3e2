"""The HTML report: one self-contained file, no network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources

from jinja2 import DictLoader, Environment, StrictUndefined

from metalliance.report.figures import ReportFigure
from metalliance.report.labels import construct, is_simulated, level, pool_title
from metalliance.report.methods import methods_paragraphs, references
from metalliance.report.sophistication_tables import (
    checks_table,
    items_table,
    moderators_table,
    pools_with_slopes,
    sophistication_table,
    together_table,
)
from metalliance.report.sources import spans
from metalliance.report.synthesis_tables import (
    assumption_tables,
    synthesis_notes,
    synthesis_table,
)
from metalliance.report.tables import (
    effects_table,
    excluded_table,
    frame_to_csv,
    pooled_table,
    sensitivity_table,
    studies_table,
)
from metalliance.report.trait_state_tables import (
    chance_table,
    components_table,
    ratio_table,
    slopes_table,
    smallest_table,
)
from metalliance.report.words import first_screen
from metalliance.workflow.analysis import Analysis

__all__ = ["render_html", "render_template"]

TEMPLATES = ("report.html.j2", "sessions.html.j2", "macros.html.j2")


def render_html(analysis: Analysis, figures: Sequence[ReportFigure]) -> str:
    """Render the whole report.

    Scripts and styles are inline and named by hash in the content security policy, which
    forbids everything else: opening the file makes no request.
    """
    fitted = [pool for pool in analysis.pools if pool.fit is not None]
    context = {
        "title": analysis.plan.title or analysis.review.about.get("title") or "Meta-analysis",
        "question": analysis.plan.question,
        "construct": construct(analysis),
        "simulated": is_simulated(analysis),
        "paragraphs": [(heading, spans(text)) for heading, text in first_screen(analysis)],
        "counts": analysis.counts,
        "figures": {figure.name: figure for figure in figures},
        "main_figures": [figure for figure in figures if figure.place == "main"],
        "appendix_figures": [figure for figure in figures if figure.place == "appendix"],
        "sophistication_figures": [f for f in figures if f.place == "sophistication"],
        "methods": methods_paragraphs(analysis),
        "references": references(analysis),
        "pooled": pooled_table(analysis.pools, level(analysis)),
        "studies": [studies_table(pool, level(analysis)) for pool in fitted],
        "excluded": excluded_table(analysis),
        "trait_state_figures": [f for f in figures if f.place == "trait-state"],
        "joint": components_table(analysis),
        "ratio": ratio_table(analysis),
        "chance": chance_table(analysis),
        "slopes": slopes_table(analysis),
        "smallest": smallest_table(analysis),
        "synthesis": synthesis_table(analysis),
        "synthesis_notes": synthesis_notes(analysis),
        "assumptions": assumption_tables(analysis),
        "sophistication": sophistication_table(analysis, level(analysis)),
        "quality": [
            (
                pool_title(analysis.pool(key)),
                [
                    table(analysis, key, level(analysis))
                    for table in (items_table, together_table, checks_table)
                ],
            )
            for key in pools_with_slopes(analysis)
        ],
        "moderators": moderators_table(analysis, level(analysis)),
        "sensitivity": sensitivity_table(analysis, level(analysis)),
        "effects": effects_table(analysis),
        "problems": [p for p in analysis.review.problems if p.severity != "todo"],
        "todo": [p for p in analysis.review.problems if p.severity == "todo"],
        "defaults": analysis.defaults_used,
        "warnings": analysis.warnings,
        "manifest": analysis.manifest,
        "plan_json": json.dumps(analysis.manifest["plan"], ensure_ascii=False, indent=2),
        "effects_csv": frame_to_csv(analysis.review.effects().to_frame()),
        "pool_title": pool_title,
    }
    return render_template("report.html.j2", context)


def render_template(name: str, context: Mapping[str, object]) -> str:
    """A page with the styles and scripts of reports, and what ``context`` fills in."""
    script = _asset("report.js")
    environment = Environment(
        loader=DictLoader({page: _asset(page) for page in TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["data_uri"] = _data_uri
    page = {"css": _asset("report.css"), "script": script, "script_hash": _policy_hash(script)}
    return environment.get_template(name).render(**page, **context)


def _asset(name: str) -> str:
    return (resources.files("metalliance.report") / "templates" / name).read_text(encoding="utf-8")


def _policy_hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data_uri(text: str, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"
