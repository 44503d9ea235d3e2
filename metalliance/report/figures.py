"""Which figures a report has, where they stand, and their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from metalliance.plots.bubble import bubble_data, bubble_plot
from metalliance.plots.caterpillar import caterpillar_data, caterpillar_plot
from metalliance.plots.forest import forest_data, forest_plot
from metalliance.plots.scene import Figure
from metalliance.plots.summary import summary_data, summary_plot
from metalliance.report.labels import construct, is_simulated, pool_title
from metalliance.report.numbers import number
from metalliance.report.tables import model_line
from metalliance.report.words import estimate
from metalliance.workflow.analysis import Analysis, Pool

__all__ = ["ReportFigure", "report_figures"]

PAGED_ABOVE = 60
Place = Literal["main", "sophistication", "appendix"]


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
    """All figures of a report in reading order."""
    fitted = [pool for pool in analysis.pools if pool.fit is not None]
    main = [pool for pool in fitted if pool.role == "main"]
    figures = []
    footer = "SIMULATED DATA" if is_simulated(analysis) else ""
    if main:
        figures.append(_summary(analysis, main, footer))
    for pool in fitted:
        figures += _forests(analysis, pool, footer)
    for result in analysis.sophistication:
        if not result.withheld and result.not_reported == "zero":
            pool = analysis.pool(result.pool)
            data = bubble_data(result, pool)
            plot = bubble_plot(data, axis_title=_axis_title(analysis, pool), footer=footer)
            figures.append(
                ReportFigure(
                    name=f"sophistication-{pool.key}",
                    title=f"Sophistication: {pool_title(pool)}",
                    caption="One circle per effect, its area its weight in proportion to 1/v; the "
                    "line is the between-studies slope with its 95% confidence band.",
                    place="sophistication",
                    figure=plot,
                )
            )
    return tuple(figures)


def _summary(analysis: Analysis, pools: list[Pool], footer: str) -> ReportFigure:
    data = summary_data(pools, titles=[pool_title(pool) for pool in pools])
    several_metrics = len({pool.es_metric for pool in pools}) > 1
    return ReportFigure(
        name="summary",
        title=f"{construct(analysis).capitalize()} and outcome by component",
        caption="Diamonds: pooled estimates with 95% confidence intervals. Bars: 95% prediction "
        "intervals for the effect of a new study."
        + (" Coefficients (β) and correlations (r) are different quantities." * several_metrics),
        place="main",
        figure=summary_plot(data, benchmark=_benchmark(analysis), footer=footer),
    )


def _forests(analysis: Analysis, pool: Pool, footer: str) -> list[ReportFigure]:
    paged = pool.counts.studies > PAGED_ABOVE
    title = pool_title(pool)
    reference = _benchmark(analysis) if pool.key in ("total", "total.sensitivity") else None
    plot = forest_plot(
        forest_data(pool, title=title),
        axis_title=_axis_title(analysis, pool),
        model_line=_model_line(pool),
        benchmark=reference,
        footer=footer,
    )
    caption = (
        f"{estimate(pool)}. Squares: study means, area in proportion to weight; a grey line behind "
        "a study with several effects is the interval of a typical single effect."
    )
    place: Place = "appendix" if paged or pool.role == "sensitivity" else "main"
    figures = [
        ReportFigure(
            name=f"forest-{pool.key}",
            title=f"Forest plot: {title}",
            caption=caption,
            place=place,
            figure=plot,
        )
    ]
    if paged:
        ranked = caterpillar_plot(
            caterpillar_data(pool), axis_title=_axis_title(analysis, pool), footer=footer
        )
        figures.insert(
            0,
            ReportFigure(
                name=f"caterpillar-{pool.key}",
                title=f"All studies ranked: {title}",
                caption="Each line is a study's 95% confidence interval. The bands are the pooled "
                "mean's confidence interval and the prediction interval. The full forest plot is "
                "in the appendix.",
                place="main",
                figure=ranked,
            ),
        )
    return figures


def _benchmark(analysis: Analysis) -> tuple[float, str] | None:
    benchmark = analysis.plan.benchmark
    return None if benchmark is None else (benchmark.r, benchmark.label)


def _axis_title(analysis: Analysis, pool: Pool) -> str:
    if pool.es_metric == "beta":
        return "Standardised coefficient β"
    return "Correlation r (Fisher-z spaced axis)"


def _model_line(pool: Pool) -> str:
    glance = pool.glance.iloc[0]
    parts = [
        model_line(pool),
        f"k = {pool.counts.studies} studies, {pool.counts.effects} effects",
        f"I² = {number(glance['i2'], 0)}%",
        f"Q({glance['q_df']:.0f}) = {number(glance['q'])}",
    ]
    if pool.fit is not None and pool.fit.call.get("random"):
        parts.insert(1, "sampling correlation within samples assumed")
    return "; ".join(parts)
