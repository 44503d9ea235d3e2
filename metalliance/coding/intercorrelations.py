"""INTERCORR: printed correlations between measures, and what they say of effects that share them.

Two effects of one sample are correlations of the same patients. Where a paper prints the
correlations between its measures, the sampling correlation of the two effects follows from them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from metalliance.coding.assemble import Row
from metalliance.coding.codebook import closest
from metalliance.coding.records import Findings, Record
from metalliance.effectsize.convert import Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_intercorrelations", "effect_correlations"]

Records = Mapping[str, tuple[Record, ...]]
Pair = frozenset[str]
Known = dict[Pair, float]
ZERO_ORDER = ("r", "z")
SLACK = 0.02  # correlations printed to two decimals


def check_intercorrelations(records: Records, findings: Findings) -> None:
    """Ids that lead nowhere, pairs given twice, and correlations that cannot hold together."""
    measures: dict[str, dict[str, Record]] = {}
    for record in records.get("MEASURES", ()):
        measures.setdefault(record.text("study"), {})[record.text("id")] = record
    seen: dict[tuple[str, str, Pair], Record] = {}
    for record in records.get("INTERCORR", ()):
        study = record.text("study")
        ids = [record.text(name) for name in ("id1", "id2")]
        if not study or not all(ids) or "MEASURES" not in records:
            continue
        _check_ids(record, measures.get(study, {}), findings)
        if ids[0] == ids[1]:
            what = "is correlated with itself"
            findings.add("error", record, "id2", what, "give the other measure", "same-measure")
            continue
        first = seen.setdefault((study, record.text("sample"), frozenset(ids)), record)
        if first is not record:
            what = f"{ids[0]} with {ids[1]} stands here a second time ({first.address('r')})"
            findings.add("error", record, "r", what, "keep one of them", "duplicate-pair")
    _check_triples(seen, findings)


def _check_ids(record: Record, known: Mapping[str, Record], findings: Findings) -> None:
    study = record.text("study")
    for name in ("id1", "id2"):
        own = record.text(name)
        if own not in known:
            near = closest(own, tuple(known))
            what = f"study {study} has no measure {own} in MEASURES"
            there = f"it has: {', '.join(known)}" if known else "it has none"
            mend = f"did you mean {near!r}? {there}" if near else there
            findings.add("error", record, name, what, mend, "unknown-id")


def _check_triples(seen: Mapping[tuple[str, str, Pair], Record], findings: Findings) -> None:
    """Three correlations of three measures have a determinant above zero, rounding apart."""
    by_sample: dict[tuple[str, str], dict[Pair, Record]] = {}
    for (study, sample, pair), record in seen.items():
        by_sample.setdefault((study, sample), {})[pair] = record
    for of_sample in by_sample.values():
        ids = sorted({name for pair in of_sample for name in pair})
        for three in itertools.combinations(ids, 3):
            pairs = [frozenset(two) for two in itertools.combinations(three, 2)]
            rows = [of_sample[pair] for pair in pairs if pair in of_sample]
            r = [row.number("r") for row in rows]
            if len(rows) == 3 and all(value is not None for value in r):
                _ask_if_impossible(rows, [value or 0.0 for value in r], three, findings)


def _ask_if_impossible(
    rows: Sequence[Record], r: Sequence[float], three: Sequence[str], findings: Findings
) -> None:
    nearer = [math.copysign(max(abs(value) - SLACK / 2, 0.0), value) for value in r]
    if 1 + 2 * math.prod(nearer) - sum(value**2 for value in nearer) >= 0:
        return
    named = ", ".join(f"{value:g}" for value in r)
    what = f"the correlations of {', '.join(three)} ({named}) cannot all hold in one sample"
    findings.ask(
        max(rows, key=lambda row: row.row), "r", what, "check signs and values", "impossible-triple"
    )


def effect_correlations(intercorr: Sequence[Record], rows: Sequence[Row]) -> pd.DataFrame | None:
    """Sampling correlations of pairs of effects, as `sampling_covariance` takes them.

    Only zero-order correlations are paired. Of two effects that share a measure the correlation
    of the two others is needed; of effects that share none, all four between them, each from
    INTERCORR or from another effect. Every value is turned to better = positive first.

    Returns
    -------
    DataFrame or None
        ``study``, ``id1``, ``id2``, ``r``: the Olkin–Siotani covariance of two correlations
        over the product of their standard errors. None where INTERCORR has no rows.

    References
    ----------
    Olkin, I., & Finn, J. D. (1995). Psychological Bulletin, 118, 155–164.
    https://doi.org/10.1037/0033-2909.118.1.155
    """
    import pandas as pd

    if not intercorr:
        return None
    direction = _directions(rows)
    printed = {r.text("study") for r in intercorr}
    of_sample: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        effect = row.linked.effect
        usable = isinstance(row.outcome, Estimate) and row.outcome.route in ZERO_ORDER
        if effect.text("study") in printed and usable:
            of_sample.setdefault((effect.text("study"), row.linked.sample), []).append(row)
    found = []
    for (study, sample), members in of_sample.items():
        known = _known(intercorr, study, sample, direction)
        for row in members:
            known.setdefault(frozenset(_measures(row)), _r(row))
        for first, second in itertools.combinations(members, 2):
            r = _sampling_correlation(first, second, known)
            if r is not None:
                ids = [one.linked.effect.text("effect") for one in (first, second)]
                found.append({"study": study, "id1": ids[0], "id2": ids[1], "r": r})
    return pd.DataFrame(found, columns=["study", "id1", "id2", "r"])


def _directions(rows: Sequence[Row]) -> dict[tuple[str, str], int]:
    """+1 where a high score of a measure is better, −1 where it is worse; by study and id."""
    found = {}
    for row in rows:
        for record in (row.linked.alliance, row.linked.outcome):
            means = record.text("high_score_means") if record is not None else ""
            if record is not None and means:
                key = (record.text("study"), record.text("id"))
                found[key] = 1 if means == "better" else -1
    return found


def _known(
    intercorr: Sequence[Record],
    study: str,
    sample: str,
    direction: Mapping[tuple[str, str], int],
) -> Known:
    known: Known = {}
    for record in intercorr:
        ids = [record.text("id1"), record.text("id2")]
        signs = [direction.get((study, own)) for own in ids]
        r = record.number("r")
        own_sample = record.text("sample")
        if record.text("study") != study or (own_sample and own_sample != sample):
            continue
        if r is not None and signs[0] is not None and signs[1] is not None:
            known[frozenset(ids)] = r * signs[0] * signs[1]
    return known


def _measures(row: Row) -> tuple[str, str]:
    return row.linked.effect.text("alliance"), row.linked.effect.text("outcome")


def _r(row: Row) -> float:
    return row.outcome.r if isinstance(row.outcome, Estimate) else math.nan


def _sampling_correlation(first: Row, second: Row, known: Known) -> float | None:
    import numpy as np

    from metalliance.effectsize.correlated import olkin_siotani

    (a, o), (b, p) = _measures(first), _measures(second)
    if (a, o) == (b, p):
        return None
    pairs = [(a, b), (a, p), (o, b), (o, p)]
    values = [1.0 if i == j else known.get(frozenset((i, j))) for i, j in pairs]
    if any(value is None for value in values):
        return None
    r_ab, r_ap, r_ob, r_op = (np.asarray(value) for value in values if value is not None)
    r_i, r_j = np.asarray(_r(first)), np.asarray(_r(second))
    covariance = olkin_siotani(r_i, r_j, r_ab, r_ap, r_ob, r_op)
    return float(covariance / ((1 - r_i**2) * (1 - r_j**2)))
