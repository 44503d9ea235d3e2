"""Which figures a report has, where they stand, and their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from metalliance.plots.bands import bands_data, bands_plot
from metalliance.plots.bubble import bubble_data, bubble_plot
from metalliance.plots.caterpillar import caterpillar_data, caterpillar_plot
from metalliance.plots.forest import forest_data, forest_plot
from metalliance.plots.forest_rows import heterogeneity
from metalliance.plots.scene import Figure
from metalliance.plots.summary import summary_data, summary_plot
from metalliance.report.labels import construct, direction, is_simulated, level, pool_title
from metalliance.report.numbers import correlation, count, p_value
from metalliance.report.tables import model_line
from metalliance.report.words import estimate
from metalliance.traitstate.sophistication import SophisticationResult
from metalliance.traitstate.synthesis import Synthesis
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["ReportFigure", "report_figures"]

PAGED_ABOVE = 60
NO_BREAK = "\u00a0"
Place = Literal["main", "trait-state", "sophistication", "appendix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFigure:
    """A figure with its title, caption and place in the report."""

    name: str
    title: str
    caption: str
    place: Place
    figure: Figure

    def svg_pages(self) -> tuple[str, ...]:
        """Pages as SVG for inline use; ids carry the figure's name."""
        from metalliance.plots.svg import to_svg

        return tuple(
            to_svg(self.figure, page, name=f"{self.name}-{page + 1}", inline=True)
            for page in range(len(self.figure.pages))
        )

    def svg_files(self) -> tuple[tuple[str, str], ...]:
        """(suffix, SVG text) of every page as a file of its own."""
        from metalliance.plots.svg import to_svg

        return tuple(
            (suffix, to_svg(self.figure, page, name=self.name, inline=False))
            for page, suffix in enumerate(self._suffixes())
        )

    def files(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """(suffix, content) of the files of one kind; a PDF holds all pages."""
        if kind == "svg":
            for suffix, text in self.svg_files():
                yield suffix, text.encode()
            return
        from metalliance.plots.canvas import to_pdf, to_png

        if kind == "pdf":
            yield "", to_pdf(self.figure)
            return
        for page, suffix in enumerate(self._suffixes()):
            yield suffix, to_png(self.figure, page)

    def _suffixes(self) -> tuple[str, ...]:
        pages = len(self.figure.pages)
        return ("",) if pages == 1 else tuple(f"-{page + 1}" for page in range(pages))


def report_figures(analysis: Analysis) -> tuple[ReportFigure, ...]:
    """All figures of a report in reading order.

    A pool of more than 60 studies has a caterpillar plot and, in the appendix, a paged forest
    plot of its own. The other main pools share a forest plot per metric, each with its own mean.
    """
    main = [pool for pool in analysis.main if pool.fit is not None]
    figures = [_summary(analysis, main)] if main else []
    large = [pool for pool in main if pool.counts.studies > PAGED_ABOVE]
    small = [pool for pool in analysis.main if pool not in large]
    figures += [_caterpillar(analysis, pool) for pool in large]
    for metric in ("z", "beta"):
        group = [pool for pool in small if pool.es_metric == metric]
        if group:
            figures.append(_forest(analysis, group, "main"))
    figures += [_forest(analysis, [pool], "appendix") for pool in large]
    second = [pool for pool in analysis.pools if pool.role == "sensitivity" and pool.fit]
    figures += [_forest(analysis, [pool], "appendix") for pool in second]
    synthesis = analysis.answers.synthesis.result
    if synthesis is not None:
        figures.append(_bands(analysis, synthesis))
    for result in analysis.sophistication:
        if not result.withheld and result.not_reported == "zero":
            figures.append(_bubble(analysis, result))
    return tuple(figures)


def _summary(analysis: Analysis, pools: list[Pool]) -> ReportFigure:
    titles = [pool_title(pool) for pool in pools]
    data = summary_data(pools, titles, level=analysis.plan.level)
    caption = (
        f"Diamonds: pooled estimates with {level(analysis)} confidence intervals. Bars: "
        f"{level(analysis)} prediction intervals for the effect of a new study."
    )
    if data["scale"].nunique() > 1:
        caption += " Coefficients (β) and correlations (r) are different quantities."
    return ReportFigure(
        name="summary",
        title=f"{construct(analysis).capitalize()} and outcome by component",
        caption=caption,
        place="main",
        figure=summary_plot(
            data,
            benchmark=_benchmark(analysis) if any(pool.key == "total" for pool in pools) else None,
            direction=direction(analysis),
            footer=_footer(analysis),
        ),
    )


def _forest(analysis: Analysis, pools: list[Pool], place: Place) -> ReportFigure:
    titles = [pool_title(pool) for pool in pools]
    one = pools[0] if len(pools) == 1 else None
    totals = any(pool.component == "total" for pool in pools)
    plot = forest_plot(
        forest_data(pools, titles, level=analysis.plan.level),
        axis_title=_axis_title(pools[0]),
        model_line=_model_line(analysis, one) if one is not None and one.fit else "",
        benchmark=_benchmark(analysis) if totals else None,
        direction=direction(analysis),
        footer=_footer(analysis),
    )
    size = "Squares: study means, their area in proportion to weight."
    if one is not None:
        title = titles[0]
        caption = f"{estimate(one)}. {size}" if one.fit else size
    else:
        title = "by component, coefficients" if pools[0].es_metric == "beta" else "by component"
        caption = f"{size} Every component has its own mean; none is drawn over all."
    suffix = one.key if one is not None else f"components-{pools[0].es_metric}"
    return ReportFigure(
        name=f"forest-{suffix}",
        title=f"Forest plot: {title}",
        caption=caption,
        place=place,
        figure=plot,
    )


def _caterpillar(analysis: Analysis, pool: Pool) -> ReportFigure:
    plot = caterpillar_plot(
        caterpillar_data(pool, level=analysis.plan.level),
        axis_title=_axis_title(pool),
        footer=_footer(analysis),
    )
    return ReportFigure(
        name=f"caterpillar-{pool.key}",
        title=f"All studies ranked: {pool_title(pool)}",
        caption=f"{estimate(pool)}. Each line is a {level(analysis)} confidence interval. The full "
        "forest plot is in the appendix.",
        place="main",
        figure=plot,
    )


def _bubble(analysis: Analysis, result: SophisticationResult) -> ReportFigure:
    pool = analysis.pool(result.pool)
    curves = analysis.sophistication_by_pool[result.pool].spline_line
    curve = curves[curves["not_reported"].eq(result.not_reported)]
    plot = bubble_plot(
        bubble_data(result, pool, curve), axis_title=_axis_title(pool), footer=_footer(analysis)
    )
    return ReportFigure(
        name=f"sophistication-{pool.key}",
        title=f"Sophistication: {pool_title(pool)}",
        caption="One circle per effect, its area in proportion to 1/v. The line is the "
        f"between-studies slope with its {level(analysis)} confidence band"
        f"{_further_lines(result, curve)}.",
        place="sophistication",
        figure=plot,
    )


def _bands(analysis: Analysis, synthesis: Synthesis) -> ReportFigure:
    plot = bands_plot(bands_data(synthesis), level=analysis.plan.level, footer=_footer(analysis))
    return ReportFigure(
        name="synthesis-bands",
        title="What the synthesis assumes",
        caption="Left: how strongly deviations at other sessions go with outcome. Right: "
        "intraclass correlations.",
        place="trait-state",
        figure=plot,
    )


def _further_lines(result: SophisticationResult, curve: pd.DataFrame) -> str:
    more = ["the dashed one the slope within studies"] if len(result.slopes) > 1 else []
    more += ["the dotted one a natural cubic spline"] if len(curve) else []
    return "".join(f", {text}" for text in more)


def _benchmark(analysis: Analysis) -> tuple[float, str] | None:
    benchmark = analysis.plan.benchmark
    return None if benchmark is None else (benchmark.r, benchmark.label)


def _footer(analysis: Analysis) -> str:
    return "SIMULATED DATA" if is_simulated(analysis) else ""


def _axis_title(pool: Pool) -> str:
    if pool.es_metric == "beta":
        return "Standardised coefficient β"
    return "Correlation r (Fisher-z spaced axis)"


def _model_line(analysis: Analysis, pool: Pool) -> str:
    model = model_line(pool)
    if pool.fit is not None and pool.fit.call.get("random"):
        model = model.replace(", CR2", f", CHE ρ = {correlation(analysis.plan.rho)}, CR2")
    studies = count(pool.counts.studies, "study", "studies")
    size = f"{studies}, {count(pool.counts.effects, 'effect')}"
    q = f"p {p_value(pool.glance['q_p'].iloc[0])}"
    line = f"{model}; {size}; {heterogeneity(pool)}, {q}"
    for sign in (" = ", " < "):
        line = line.replace(sign, sign.replace(" ", NO_BREAK))
    return line
