"""The command ``fit``: every choice of the engine, for people who write no code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metalliance.cli.asked import Asked, checked, pair, pairs, read_held
from metalliance.cli.review import MappingFile
from metalliance.cli.say import message, progress, say

__all__ = ["fit"]

Words = list[str] | None
EffectsFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A table with yi and vi (.csv, .xlsx), or a coded workbook."
    ),
]


def fit(
    file: EffectsFile,
    mapping: MappingFile = None,
    mods: Annotated[
        str, typer.Option(help='Moderators: "~ rater + year"; "~ 0 + rater": a mean per level.')
    ] = "~ 1",
    random: Annotated[
        Words,
        typer.Option(
            help='Random effects: "~ 1 | study/effect", "~ component | study". Repeatable.'
        ),
    ] = None,
    structure: Annotated[
        Words,
        typer.Option(help='Of each "inner | outer" term: ID DIAG CS HCS UN AR GEN. Repeatable.'),
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="EE DL HE HS HSk SJ ML REML EB PM PMM GENQ; with --random ML or REML."),
    ] = "REML",
    yi: Annotated[str, typer.Option(help="Column of effects.")] = "yi",
    vi: Annotated[str, typer.Option(help="Column of sampling variances.")] = "vi",
    weights: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Weights of a model without --random.")
    ] = None,
    where: Annotated[
        Words,
        typer.Option(
            help='Only rows with "column=value", or "column!=value". Repeat for more columns (all '
            "must hold) or more values of one (any)."
        ),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Leave out rows that lack a moderator.")
    ] = False,
    cov_rho: Annotated[
        float | None,
        typer.Option(help="Correlation of the sampling errors of one sample, such as 0.6."),
    ] = None,
    cov_cluster: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What shares patients: sample, else study.")
    ] = None,
    cov_time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="When effects were measured (numbers).")
    ] = None,
    cov_phi: Annotated[
        float | None, typer.Option(help="Autocorrelation per unit of --cov-time.")
    ] = None,
    hold_tau2: Annotated[
        Words,
        typer.Option(help="Hold tau2 at a number, or free; one per component, in order."),
    ] = None,
    hold_sigma2: Annotated[
        Words, typer.Option(help="The same for variances of intercepts.")
    ] = None,
    hold_rho: Annotated[
        Words, typer.Option(help="The same for correlations of components.")
    ] = None,
    vcov: Annotated[
        str,
        typer.Option(
            show_default=False,
            help="Standard errors: model knha adhoc CR0 CR1 CR1p CR1S CR2 CR3. By default knha, "
            "with --random CR2.",
        ),
    ] = "default",
    test: Annotated[
        str | None, typer.Option(help="z t satterthwaite naive-t naive-tp; what --vcov allows.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Clusters of the CR standard errors.")
    ] = None,
    level: Annotated[float, typer.Option(help="Of all intervals.")] = 0.95,
    at: Annotated[
        Words,
        typer.Option(help='A mean at moderator values: "rater=client, year=2010". Repeatable.'),
    ] = None,
    newdata: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table of moderator values for means.")
    ] = None,
    transform: Annotated[
        str | None, typer.Option(help="Show means as r: r, or r_int (the mean correlation).")
    ] = None,
    target: Annotated[
        str, typer.Option(help="Prediction interval for a new effect, or the mean of a new study.")
    ] = "effect",
    pi_df: Annotated[
        str, typer.Option(help="Reference of the prediction interval: default inf inference.")
    ] = "default",
    intervals: Annotated[
        str | None,
        typer.Option(help="Intervals of the variances: qprofile (without --random), profile."),
    ] = None,
    lrt_against: Annotated[
        Words,
        typer.Option(
            help="Likelihood-ratio test against the model with this formula of --mods, this "
            '"… | …" of --random or this --structure in place of ours. Repeatable.'
        ),
    ] = None,
    permutations: Annotated[
        int | None, typer.Option(help="Permutation tests by this many refits (without --random).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the permutations.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the JSON object here, too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fit a meta-analytic model to a table of effects."""
    asked = checked(
        Asked(
            file=file,
            mapping=mapping,
            mods=mods,
            random=tuple(random or ()),
            structure=tuple(structure or ()),
            method=method,
            yi=yi,
            vi=vi,
            weights=weights,
            tau2=read_held("--hold-tau2", hold_tau2),
            sigma2=read_held("--hold-sigma2", hold_sigma2),
            rho=read_held("--hold-rho", hold_rho),
            cov_rho=cov_rho,
            cov_cluster=cov_cluster,
            cov_time=cov_time,
            cov_phi=cov_phi,
            vcov=vcov,
            test=test,
            cluster=cluster,
            level=level,
            transform=transform,
            target=target,
            pi_df=pi_df,
            newdata=newdata,
            at=pairs("--at", at),
            intervals=intervals,
            where=tuple(pair("--where", text) for text in where or ()),
            complete=complete,
            lrt_against=tuple(lrt_against or ()),
            permutations=permutations,
            seed=seed,
        )
    )
    _answer(asked, out, as_json)


def _answer(asked: Asked, out: Path | None, as_json: bool) -> None:
    from metalliance.cli.answer import answer
    from metalliance.cli.results import fit_results, write_results
    from metalliance.cli.show import summary

    with progress() as tell:
        found = answer(asked, tell)
    result = fit_results(found)
    text = message("fit", result, problems=found.rows.problems, shown=found.warnings)
    if out is not None:
        write_results(out, text)
    if as_json:
        typer.echo(text)
        return
    for line in summary(found):
        say(line)
    if out is not None:
        say(f"\nWrote {out}.")
