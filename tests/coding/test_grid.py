"""GRID and INTERCORR: a printed matrix becomes effects, and says how their errors correlate."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import metalliance as ma
from metalliance.coding.review import Review, read_review
from tests.coding import workbooks as wb

CELL = wb.cell_of


def matrix(tmp_path: Path, intercorr: list[wb.Row] | None = None, **cells: object) -> Path:
    """Three raters, four outcomes (the last scored better), two studies more."""
    measures = [wb.alliance("S1", f"A{i}", rater=r) for i, r in enumerate(RATERS, start=1)]
    outcomes = [wb.outcome("S1", f"O{i}", instrument=f"Y{i}") for i in range(1, 5)]
    outcomes[3]["high_score_means"] = "better"
    rows = [
        {"study": "S1", "alliance": "A1", "O1": -0.21, "O2": -0.3, "O3": "n.s.", "O4": 0.25},
        {"study": "S1", "alliance": "A2", "O1": -0.1, "O2": "NR", "O3": -0.12, "O4": 0.2},
        {"study": "S1", "alliance": "A3", "O1": -0.15, "O2": -0.2, "O3": -0.1, "O4": 0.05},
    ]
    for row in rows:
        row.update(n=80, positive_means="as scored", lag="post", page="12")
    rows[0].update(cells)
    sheets = {
        "STUDIES": [wb.study(name) for name in ("S1", "S2", "S3")],
        "MEASURES": [
            *(*measures, *outcomes, wb.alliance("S2"), wb.outcome("S2")),
            *(wb.alliance("S3"), wb.outcome("S3")),
        ],
        "EFFECTS": [wb.effect("S2"), wb.effect("S3", value=0.2)],
        "GRID": rows,
        "INTERCORR": intercorr or [],
    }
    return wb.write(tmp_path / "matrix.xlsx", sheets)


RATERS = ("patient", "therapist", "observer")


def codes(review: Review) -> list[tuple[str, str]]:
    return [(p.code, p.address) for p in review.problems if p.severity != "note"]


def test_three_raters_by_four_outcomes_are_twelve_effects(tmp_path: Path) -> None:
    review = read_review(matrix(tmp_path))
    assert codes(review) == []
    grid = [record for record in review.effects_coded if record.sheet == "GRID"]
    assert len(grid) == 12
    frame = review.effects().to_frame().set_index("effect")
    assert len(frame) == 12  # ten of the matrix, one of S2 and of S3
    assert frame.loc["A1-O1", "r"] == 0.21  # better alliance goes with a lower Y1
    assert frame.loc["A1-O4", "r"] == 0.25
    assert frame.loc["A3-O2", "address"] == f"GRID!{CELL('GRID', 'O2', 4)}"
    assert frame.loc["A2-O3", "component"] == "total"
    left = review.effects().excluded().set_index("effect")
    assert left.loc["A1-O3", "status"] == left.loc["A2-O2", "status"] == "no value"
    assert left.loc["A1-O3", "address"] == f"GRID!{CELL('GRID', 'O3', 2)}"
    assert ("model", "RAW", "model is blank in GRID for 12 effects") in review.assumed


def test_a_wrong_cell_spoils_its_own_effect_only(tmp_path: Path) -> None:
    review = read_review(matrix(tmp_path, O2=".3*"), strict=False)
    assert codes(review) == [("stars", f"GRID!{CELL('GRID', 'O2', 2)}")]
    assert len(review.effects()) == 11
    large = read_review(matrix(tmp_path, O2=1.3), strict=False)
    assert codes(large) == [("correlation-range", f"GRID!{CELL('GRID', 'O2', 2)}")]
    whole = read_review(matrix(tmp_path, n=3), strict=False)
    assert codes(whole) == [("too-small", f"GRID!{CELL('GRID', 'n', 2)}")]
    assert len(whole.effects()) == 9  # the row of four cells is gone


def test_a_cell_left_blank_is_to_do_where_the_study_uses_its_column(tmp_path: Path) -> None:
    (todo,) = read_review(matrix(tmp_path, O3=None)).problems
    assert (todo.severity, todo.address) == ("todo", f"GRID!{CELL('GRID', 'O3', 2)}")


def test_an_outcome_without_a_row_in_measures(tmp_path: Path) -> None:
    review = read_review(matrix(tmp_path, O9=0.1), strict=False)
    errors = [p for p in review.problems if p.severity == "error"]
    assert [(p.code, p.address) for p in errors] == [
        ("unknown-id", f"GRID!{CELL('GRID', 'O9', 2)}")
    ]


def pair(first: str, second: str, r: object, **cells: object) -> wb.Row:
    return {"study": "S1", "id1": first, "id2": second, "r": r, "n": 80, **cells}


def test_effects_that_share_a_measure_take_their_printed_correlation(tmp_path: Path) -> None:
    """corr(z_A1O1, z_A2O1) by Olkin and Siotani, also by simulation."""
    review = read_review(matrix(tmp_path, [pair("A1", "A2", 0.5)]))
    table = review.effects()
    assert table.correlations is not None
    shared = table.correlations.set_index(["id1", "id2"])["r"]
    # one pair of the same outcome; across outcomes the correlation of O1 and O4 is not printed
    assert set(shared.index) == {("A1-O1", "A2-O1"), ("A1-O4", "A2-O4")}
    r = {"ao": 0.21, "bo": 0.1, "ab": 0.5}
    rng = np.random.default_rng(1)
    cov = np.array([[1, r["ab"], r["ao"]], [r["ab"], 1, r["bo"]], [r["ao"], r["bo"], 1]])
    draws = rng.multivariate_normal(np.zeros(3), cov, size=(8000, 80))
    z = [np.arctanh(_corr(draws[:, :, i], draws[:, :, 2])) for i in (0, 1)]
    assert shared["A1-O1", "A2-O1"] == pytest.approx(np.corrcoef(*z)[0, 1], abs=0.03)
    V = ma.sampling_covariance(table)
    assert (V.reported, V.unmatched) == (2, 0)


def _corr(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    return (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))


def test_the_sign_of_a_printed_correlation_follows_both_directions(tmp_path: Path) -> None:
    """O1 is scored worse, O4 better: their printed −.4 is +.4 of better outcomes."""
    plain = read_review(matrix(tmp_path, [pair("O1", "O4", -0.4)])).effects().correlations
    assert plain is not None
    of_a1 = plain.set_index(["id1", "id2"])["r"]["A1-O1", "A1-O4"]
    assert of_a1 > 0.3


@pytest.mark.parametrize(
    ("rows", "code", "place"),
    [
        ([pair("A1", "A9", 0.5)], "unknown-id", ("id2", 2)),
        ([pair("A1", "A1", 0.5)], "same-measure", ("id2", 2)),
        ([pair("A1", "A2", 0.5), pair("A2", "A1", 0.4)], "duplicate-pair", ("r", 3)),
        ([pair("A1", "A2", 1.2)], "correlation-range", ("r", 2)),
        ([pair("A1", "A2", 0.9), pair("A2", "A3", 0.9), pair("A1", "A3", -0.5)],
         "impossible-triple", ("r", 4)),
        ([pair("A1", "A2", None)], "blank", ("r", 2)),
    ],
)  # fmt: skip
def test_what_is_wrong_in_intercorr(
    tmp_path: Path, rows: list[wb.Row], code: str, place: tuple[str, int]
) -> None:
    review = read_review(matrix(tmp_path, rows), strict=False)
    assert codes(review) == [(code, f"INTERCORR!{CELL('INTERCORR', *place)}")]


def test_an_analysis_uses_the_printed_correlations(tmp_path: Path) -> None:
    assumed = ma.read_review(matrix(tmp_path)).effects()
    printed = ma.read_review(matrix(tmp_path, [pair("A1", "A2", 0.95)])).effects()
    V = [ma.sampling_covariance(table).to_array() for table in (assumed, printed)]
    first, second = (printed.usable["effect"].tolist().index(e) for e in ("A1-O1", "A2-O1"))
    correlation = V[1][first, second] / math.sqrt(V[1][first, first] * V[1][second, second])
    assert correlation > 0.9
    assert not np.allclose(V[0], V[1])
