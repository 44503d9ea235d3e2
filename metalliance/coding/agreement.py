"""How far coders agree: on which effects exist, and field by field on what they typed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metalliance.coding.agreement_rows import ROW_COLUMNS, Coding, FieldRow, field_row
from metalliance.coding.agreement_tables import existence, matched_rows, only_in
from metalliance.coding.assemble import Row as Judged
from metalliance.coding.cells import BLANK, Coded
from metalliance.coding.comparison import (
    Answer,
    Comparison,
    Kind,
    Phase,
    coded_by,
    compare,
    is_override,
    phase_of,
)
from metalliance.coding.guard import file_problem
from metalliance.coding.history import HISTORY_SHEET
from metalliance.coding.identity import Row
from metalliance.coding.matching import Matching, match_reviews
from metalliance.coding.review import Review, read_review
from metalliance.coding.sophistication import DERIVED_ITEMS
from metalliance.coding.spreadsheet import open_source
from metalliance.effectsize.convert import Estimate
from metalliance.errors import CodingError, Problem

__all__ = ["Agreement", "agreement", "coder_letters", "read_coders"]

DERIVED = "derived"
COEFFICIENT_COLUMNS = (
    *("field", "sheet", "coefficient", "estimate", "std_error", "conf_low", "conf_high"),
    *("n", "note"),
)
LIMIT_COLUMNS = ("field", "sheet", "first", "second", "n", "bias", "sd", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Agreement:
    """Agreement of two coders or more before any consensus.

    Attributes
    ----------
    coders : tuple of str
        A, B, C … in the order of the files.
    reviews : tuple of Review
    table : DataFrame
        Main phase, one row per field: field type n agree_percent kappa kappa_weighted icc ac1
        alpha conf_low conf_high note, then sheet and left_out (things with an empty or faulty
        cell). The interval belongs to the coefficient that fits the type: kappa (nominal),
        kappa_weighted (ordinal), icc (number); to alpha with three coders or more, except icc.
    training, pilot : DataFrame
        The same for studies of these phases.
    coefficients : DataFrame
        Every coefficient of the main phase with its own interval: field sheet coefficient
        estimate std_error conf_low conf_high n note.
    limits : DataFrame
        Bland–Altman limits of numbers, second coder minus first: field sheet first second n bias
        sd low high.
    existence : DataFrame
        Which things were found: sheet first second both only_first only_second agree_percent
        positive_agreement note.
    only_in : DataFrame
        What one coder has alone: coder sheet study id address what candidates.
    matching : DataFrame
        What was matched: sheet study, an id and an address per coder, how, differs.
    not_shared : tuple of (study, coders)
        Studies that fewer than two coders have worked on; left out of everything else.
    groups : Matching
    comparisons : tuple of Comparison
    """

    coders: tuple[str, ...]
    reviews: tuple[Review, ...]
    table: pd.DataFrame
    training: pd.DataFrame
    pilot: pd.DataFrame
    coefficients: pd.DataFrame
    limits: pd.DataFrame
    existence: pd.DataFrame
    only_in: pd.DataFrame
    matching: pd.DataFrame
    not_shared: tuple[tuple[str, tuple[str, ...]], ...]
    groups: Matching
    comparisons: tuple[Comparison, ...]


def agreement(
    a: Review | str | Path,
    b: Review | str | Path,
    *more: Review | str | Path,
    level: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Compare what two coders or more typed about the same studies.

    Parameters
    ----------
    a, b, *more : Review or path
        One file per coder, as coded, before consensus.
    level : float
        Of the intervals.
    seed : int
        Of the bootstrap of alpha.

    Returns
    -------
    Agreement

    Raises
    ------
    CodingError
        Where a file cannot be read, or is a consensus review: agreement is computed on what
        coders typed before they talked.

    Examples
    --------
    >>> import tempfile
    >>> from metalliance.coding.template import fill_workbook
    >>> rows = {"STUDIES": [{"study": f"S{i}", "design": "RCT", "status": "done"} for i in (1, 2)]}
    >>> path = Path(tempfile.mkdtemp()) / "a.xlsx"
    >>> fill_workbook(path, rows)
    >>> agreement(path, path).table[["field", "n", "agree_percent"]].to_dict("records")
    [{'field': 'design', 'n': 2, 'agree_percent': 100.0}]
    """
    reviews = read_coders((a, b, *more))
    letters = coder_letters(len(reviews))
    groups = match_reviews(reviews)
    comparisons = tuple(compare(reviews, groups))
    codings = [*_codings(comparisons), *_derived(reviews, groups)]
    rows = {
        phase: [
            field_row(coding, letters, level=level, seed=seed)
            for coding in codings
            if coding.phase == phase
        ]
        for phase in ("training", "pilot", "main")
    }
    main = rows["main"]
    workers = coded_by(reviews, groups)
    shared = {study for study, coders in workers.items() if len(coders) > 1}
    return Agreement(
        coders=letters,
        reviews=reviews,
        table=_table(main),
        training=_table(rows["training"]),
        pilot=_table(rows["pilot"]),
        coefficients=_frame([c for row in main for c in row.coefficients], COEFFICIENT_COLUMNS),
        limits=_frame([one for row in main for one in row.limits], LIMIT_COLUMNS),
        existence=existence(groups, letters, shared),
        only_in=only_in(groups, letters, shared),
        matching=matched_rows(groups, letters),
        not_shared=tuple(
            (study, tuple(letters[n] for n in sorted(coders)))
            for study, coders in workers.items()
            if len(coders) == 1
        ),
        groups=groups,
        comparisons=comparisons,
    )


def coder_letters(count: int) -> tuple[str, ...]:
    """Names of coders: A, B, C and so on.

    >>> coder_letters(3)
    ('A', 'B', 'C')
    """
    if count > 26:
        raise ValueError("at most 26 coders are compared at a time")
    return tuple(chr(ord("A") + number) for number in range(count))


def read_coders(files: Sequence[Review | str | Path]) -> tuple[Review, ...]:
    """Read the coders' files; every file that cannot serve is named."""
    reviews: list[Review] = []
    problems: list[Problem] = []
    for file in files:
        try:
            review = file if isinstance(file, Review) else read_review(file, strict=False)
            _refuse_consensus(review)
            reviews.append(review)
        except CodingError as error:
            problems += error.problems
    kinds = {review.kind for review in reviews}
    if not problems and len(kinds) > 1:
        what = "is a single table, and another file a workbook"
        flat = next(review for review in reviews if review.kind == "flat")
        mend = "give files of one kind"
        problems += file_problem(flat.path, "wrong-type", what, mend).problems
    if problems:
        raise CodingError(problems)
    return tuple(reviews)


def _refuse_consensus(review: Review) -> None:
    if review.kind != "workbook" or not review.path.exists():
        return
    names = {name.strip().upper() for name in open_source(review.path).sheet_names}
    if HISTORY_SHEET in names:
        what = f"has a sheet {HISTORY_SHEET}: it is a consensus review"
        mend = "agreement is computed on what coders typed before consensus: give their own files"
        raise file_problem(review.path, "consensus", what, mend)


# --- fields -----------------------------------------------------------------------------------


def _codings(comparisons: Sequence[Comparison]) -> list[Coding]:
    """Comparisons of one field brought together."""
    found: dict[tuple[str, str, Phase], list[Comparison]] = {}
    for one in comparisons:
        if not is_override(one):
            found.setdefault((one.group.sheet, one.field.name, one.phase), []).append(one)
    return [
        Coding(
            field=name,
            sheet=sheet,
            kind=_common_kind(those),
            phase=phase,
            levels=those[0].field.levels,
            answers=tuple(one.answers for one in those),
        )
        for (sheet, name, phase), those in found.items()
    ]


def _common_kind(those: Sequence[Comparison]) -> Kind:
    kinds = {one.kind for one in those}
    return "text" if "text" in kinds else those[0].kind


def _derived(reviews: Sequence[Review], groups: Matching) -> list[Coding]:
    """What the tool derives from each coder's effect: size, n, component, items, index."""
    judged = [{row.linked.effect.key: row for row in review.judged()} for review in reviews]
    workers, phases = coded_by(reviews, groups), phase_of(groups)
    found = []
    for name, (kind, levels, read) in DERIVED_FIELDS.items():
        by_phase: dict[Phase, list[tuple[Answer, ...]]] = {}
        for group in groups.groups["EFFECTS"]:
            at_work = workers.get(group.study, frozenset())
            answers = tuple(
                _derived_answer(row, judged, read)
                if row is not None and row.coder in at_work
                else Answer()
                for row in group.rows
            )
            if sum(answer.row is not None for answer in answers) > 1:
                by_phase.setdefault(phases.get(group.study, "main"), []).append(answers)
        found += [
            Coding(
                field=name,
                sheet=DERIVED,
                kind=kind,
                phase=phase,
                levels=levels,
                answers=tuple(those),
            )
            for phase, those in by_phase.items()
            if any(answer.key is not None for answers in those for answer in answers)
        ]
    return found


def _derived_answer(
    row: Row, judged: Sequence[dict[Any, Judged]], read: Callable[[Judged], object]
) -> Answer:
    key = read(judged[row.coder][row.record.key])
    if key == "" or (isinstance(key, float) and math.isnan(key)):
        return Answer(row=row, coded=BLANK)
    return Answer(row=row, coded=Coded(code="", text=str(key)), key=key, typed=True)


def _of_estimate(name: str) -> Callable[[Judged], object]:
    def read(row: Judged) -> object:
        return getattr(row.outcome, name) if isinstance(row.outcome, Estimate) else ""

    return read


def _item(name: str) -> Callable[[Judged], object]:
    return lambda row: str(row.score.scores[name])


DERIVED_FIELDS: dict[str, tuple[Kind, tuple[str, ...], Callable[[Judged], object]]] = {
    "yi": ("number", (), _of_estimate("yi")),
    "ni": ("number", (), _of_estimate("ni")),
    "component": ("nominal", (), lambda row: row.facts.component),
    "estimand": ("nominal", (), lambda row: row.facts.estimand),
    "sophistication": ("number", (), lambda row: row.score.index),
    **{item: ("ordinal", ("0", "1", "2"), _item(item)) for item in DERIVED_ITEMS},
}


def _table(rows: Sequence[FieldRow]) -> pd.DataFrame:
    return _frame([row.cells for row in rows], ROW_COLUMNS)


def _frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))
