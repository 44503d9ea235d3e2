"""Which rows of several coders are one and the same thing: samples, measures, models, effects.

Rows are joined where their content says so, and ids decide between rows of equal content. What
fits more than one row is not guessed, but left apart with the rows that it may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from metalliance.coding.identity import (
    EFFECT_TIERS,
    MEASURE_FACTS,
    MEASURE_TIERS,
    MODEL_FACTS,
    MODEL_TIERS,
    PAIR_TIERS,
    SAMPLE_TIERS,
    How,
    Row,
    Tier,
    effect_rows,
    pair_rows,
    rows_of,
    sample_rows,
)
from metalliance.coding.records import Key, Record
from metalliance.coding.review import Review

__all__ = ["Group", "Matching", "match_reviews"]

Index = Mapping[tuple[int, Key], "Group"]
Joined = dict[int, tuple[Row, How]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of different coders that are one thing.

    Attributes
    ----------
    sheet : str
        STUDIES, MEASURES, MODELS, EFFECTS or INTERCORR.
    study : str
        As the first of them names it.
    rows : tuple of Row or None
        One place per coder.
    how : {'id', 'content', 'alone'}
        What joined them; ``id`` where ids and content agree.
    differs : tuple of str
        Identifying facts in which they differ.
    candidates : tuple of Row
        Of a row that stands alone: rows of other coders that it may be.
    """

    sheet: str
    study: str
    rows: tuple[Row | None, ...]
    how: How
    differs: tuple[str, ...] = ()
    candidates: tuple[Row, ...] = ()

    @property
    def members(self) -> tuple[Row, ...]:
        """The rows that are there."""
        return tuple(row for row in self.rows if row is not None)

    @property
    def first(self) -> Row:
        """The row of the first coder who has one."""
        return self.members[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """All groups, and the group of every row.

    Attributes
    ----------
    groups : Mapping
        By sheet.
    of : Mapping
        By coder and key of the record.
    studies : tuple of Mapping
        For every coder: study ids as typed to those of the first coder who has the study.
    """

    groups: Mapping[str, tuple[Group, ...]]
    of: Mapping[tuple[int, Key], Group]
    studies: tuple[Mapping[str, str], ...]

    def group(self, coder: int, record: Record | None) -> Group | None:
        """The group of a coder's row."""
        return None if record is None else self.of.get((coder, record.key))


def match_reviews(reviews: Sequence[Review]) -> Matching:
    """Join the rows of several coders' reviews.

    Parameters
    ----------
    reviews : sequence of Review
        One per coder.

    Returns
    -------
    Matching

    Examples
    --------
    >>> match_reviews([]).groups["EFFECTS"]
    ()
    """
    coders = list(enumerate(reviews))
    samples = _join("STUDIES", [sample_rows(n, r) for n, r in coders], SAMPLE_TIERS)
    studies = _study_names(samples, len(reviews))
    name = [_namer(known) for known in studies]
    measures = _join(
        "MEASURES",
        [rows_of(n, r.measures, MEASURE_FACTS, name[n]) for n, r in coders],
        MEASURE_TIERS,
    )
    models = _join(
        "MODELS", [rows_of(n, r.models, MODEL_FACTS, name[n]) for n, r in coders], MODEL_TIERS
    )

    def effects_by(of: Index) -> tuple[Group, ...]:
        sides = [effect_rows(n, r, _placer(n, of), name[n]) for n, r in coders]
        return _join("EFFECTS", sides, EFFECT_TIERS)

    effects = effects_by(_index((*samples, *measures, *models)))
    measures = _joined_by_effects(measures, effects, ("alliance", "outcome"))
    models = _joined_by_effects(models, effects, ("model",))
    of = _index((*samples, *measures, *models))
    effects = effects_by(of)
    sides = [pair_rows(n, r, _placer(n, of), name[n]) for n, r in coders]
    pairs = _join("INTERCORR", sides, PAIR_TIERS)
    groups = {
        "STUDIES": samples,
        "MEASURES": measures,
        "MODELS": models,
        "EFFECTS": effects,
        "INTERCORR": pairs,
    }
    return Matching(groups=groups, of={**of, **_index((*effects, *pairs))}, studies=studies)


def _joined_by_effects(
    groups: Sequence[Group], effects: Sequence[Group], fields: Sequence[str]
) -> tuple[Group, ...]:
    """Join two rows that stand alone where each is used by the effects of the other only."""
    of, partners = _index(groups), dict[int, set[int]]()
    for effect in effects:
        for name in fields:
            used = {id(group) for row in effect.members if (group := _used(row, name, of))}
            for one in used:
                partners.setdefault(one, set()).update(used - {one})
    alone = {id(group): group for group in groups if group.how == "alone"}
    pair_of: dict[int, Group] = {}
    for one, group in alone.items():
        other = min(partners.get(one, ()), default=0)
        only = partners.get(one) == {other} and partners.get(other) == {one}
        if only and other in alone and alone[other].first.coder != group.first.coder:
            pair_of[one] = alone[other]
    joined: list[Joined] = []
    for group in groups:
        partner = pair_of.get(id(group))
        if partner is None:
            joined.append({row.coder: (row, group.how) for row in group.members})
        elif group.first.coder < partner.first.coder:
            rows = (group.first, partner.first)
            joined.append({row.coder: (row, "content") for row in rows})
    return _groups(groups[0].sheet, joined, len(groups[0].rows)) if groups else ()


def _used(row: Row, name: str, of: Index) -> Group | None:
    record = getattr(row.linked, name) if row.linked is not None else None
    return of.get((row.coder, record.key)) if record is not None and record.row else None


def _index(groups: Iterable[Group]) -> dict[tuple[int, Key], Group]:
    return {(row.coder, row.record.key): group for group in groups for row in group.members}


def _study_names(samples: Sequence[Group], coders: int) -> tuple[dict[str, str], ...]:
    found: list[dict[str, str]] = [{} for _ in range(coders)]
    for group in samples:
        for row in group.members:
            found[row.coder].setdefault(row.record.text("study"), group.study)
    return tuple(found)


def _namer(known: Mapping[str, str]) -> Callable[[str], str]:
    return lambda name: known.get(name, name)


def _placer(coder: int, of: Index) -> Callable[[Record], object]:
    """One and the same for all rows of a group."""

    def place(record: Record) -> object:
        first = of[coder, record.key].first
        return first.coder, first.record.key

    return place


def _join(sheet: str, sides: Sequence[Sequence[Row]], tiers: Sequence[Tier]) -> tuple[Group, ...]:
    """Join coder after coder to the groups found so far."""
    joined: list[Joined] = []
    for side in sides:
        free = {n: next(iter(one.values()))[0] for n, one in enumerate(joined)}
        waiting = dict(enumerate(side))
        for tier in tiers:
            for number, at in _pairs(free, waiting, tier):
                row = waiting.pop(at)
                joined[number][row.coder] = (row, tier.how)
                del free[number]
        joined += [{row.coder: (row, "alone")} for row in waiting.values()]
    return _groups(sheet, joined, len(sides))


def _groups(sheet: str, joined: Sequence[Joined], coders: int) -> tuple[Group, ...]:
    alone = [next(iter(one.values()))[0] for one in joined if len(one) == 1]
    return tuple(_group(sheet, one, coders, alone) for one in joined)


def _pairs(
    groups: Mapping[int, Row], rows: Mapping[int, Row], tier: Tier
) -> tuple[tuple[int, int], ...]:
    """Numbers of a group and of a row that share a key with nobody else."""
    left = {number: key for number, row in groups.items() if (key := tier.key(row))}
    right = {number: key for number, row in rows.items() if (key := tier.key(row))}
    of_left, of_right = Counter(left.values()), Counter(right.values())
    number_of = {key: number for number, key in left.items()}
    return tuple(
        (number_of[key], at)
        for at, key in right.items()
        if of_left[key] == 1 and of_right[key] == 1
    )


def _group(sheet: str, joined: Joined, coders: int, alone: Sequence[Row]) -> Group:
    rows = [row for row, _ in joined.values()]
    hows = {how for _, how in joined.values()} - {"alone"}
    how: How = "alone" if not hows else "id" if hows == {"id"} else "content"
    first = rows[0]
    differs = tuple(name for name in first.facts if len({str(row.facts[name]) for row in rows}) > 1)
    candidates = [
        other
        for other in alone
        if len(rows) == 1
        and other.coder != first.coder
        and (other.study, other.loose) == (first.study, first.loose)
    ]
    return Group(
        sheet=sheet,
        study=first.study,
        rows=tuple(joined[n][0] if n in joined else None for n in range(coders)),
        how=how,
        differs=differs,
        candidates=tuple(candidates),
    )
