"""A single table with one row per effect."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from metalliance.coding.echo import echo
from metalliance.coding.review import Review, read_review
from metalliance.errors import CodingError


def table(
    tmp_path: Path, content: str | bytes, *, strict: bool = True, **options: object
) -> Review:
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_review(path, **options)


def test_study_n_r_is_a_review(tmp_path: Path) -> None:
    review = table(
        tmp_path, "study,n,r,rater,year\nA,60,.31,patient,2001\nA,60,.2,NR,\nB,40,.1,,x\n"
    )
    assert review.kind == "flat" and review.problems == ()
    assert [(name, value) for name, value, _ in review.assumed] == [
        ("component", "total"),
        ("positive_means", "better"),
    ]
    effects = review.effects()
    frame = effects.to_frame()
    assert frame["effect"].tolist() == ["E1", "E2", "E1"]
    assert frame["sample"].tolist() == ["A", "A", "B"]
    assert frame["yi"].tolist() == pytest.approx([math.atanh(r) for r in (0.31, 0.2, 0.1)])
    assert frame["vi"].tolist() == pytest.approx([1 / 57, 1 / 57, 1 / 37])
    assert effects.moderators == ("rater", "year")
    assert frame["rater"].isna().tolist() == [False, True, True]
    assert frame["rater_code"].tolist() == ["", "NR", ""]
    assert "sophistication" not in frame
    assert echo(review)[0].startswith("A E1  total  r .31 [.06, .52]")


def test_metafors_names_and_r_wins_over_yi(tmp_path: Path) -> None:
    review = table(tmp_path, "study,ri,ni,yi,vi\nA,.31,60,.3205,.01754\nB,.20,40,.5,.027\n")
    assert [(p.code, p.severity, p.cell) for p in review.problems] == [
        ("r-and-yi", "question", "D3")
    ]
    frame = review.effects().to_frame()
    assert frame["r"].tolist() == [0.31, 0.2]
    assert frame["vi"].tolist() == pytest.approx([1 / 57, 1 / 37])


def test_only_yi_and_vi_are_taken_as_given(tmp_path: Path) -> None:
    review = table(tmp_path, f"study,yi,vi\nA,.32,{1 / 57!r}\nB,.1,.0213\n")
    frame = review.effects().to_frame()
    assert frame["yi"].tolist() == [0.32, 0.1]
    assert frame["vi"].tolist() == [1 / 57, 0.0213]
    assert frame["ni"][0] == 60 and math.isnan(frame["ni"][1])
    assert frame["route"].tolist() == ["yi", "yi"]


def test_semicolons_and_windows_text_are_read_and_said(tmp_path: Path) -> None:
    content = "Study;N;R\nFlückiger;60;.31\nMüller;40;0.35\n".encode("cp1252")
    review = table(tmp_path, content)
    assert [(p.code, p.severity) for p in review.problems] == [("text-format", "note")]
    assert "Windows-1252" in review.problems[0].what and "semicolon" in review.problems[0].what
    assert review.effects().to_frame()["study"].tolist() == ["Flückiger", "Müller"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marked_encodings(tmp_path: Path, encoding: str) -> None:
    review = table(tmp_path, "study\tn\tr\nÅ\t60\t.31\n".encode(encoding))
    assert review.effects().to_frame()["study"].tolist() == ["Å"]


def test_decimal_commas_between_semicolons_are_read_and_said(tmp_path: Path) -> None:
    review = table(tmp_path, "study;n;r\nA;60;0,35\nB;50;-,2\n")
    assert review.effects().to_frame()["r"].tolist() == [0.35, -0.2]
    assert "decimal-comma-table" in [problem.code for problem in review.problems]


def test_a_decimal_comma_among_points_is_never_guessed(tmp_path: Path) -> None:
    with pytest.raises(CodingError) as caught:
        table(tmp_path, "study;n;r\nA;60;0,35\nB;60;0.2\n")
    (problem,) = [p for p in caught.value.problems if p.severity == "error"]
    assert (problem.address, problem.code) == ("table.csv!C2", "decimal-comma")


def test_a_decimal_comma_that_splits_a_cell_is_named(tmp_path: Path) -> None:
    with pytest.raises(CodingError) as caught:
        table(tmp_path, "study,n,r\nA,60,0,35\nB,50,.2\n")
    (problem,) = caught.value.problems
    assert (problem.code, problem.cell) == ("ragged-row", "2")


def test_coded_columns_are_honoured(tmp_path: Path) -> None:
    review = table(
        tmp_path,
        "study,n,stat,value,positive_means,component,lag,se,n_obs,m,role\n"
        "A,60,r,.31,worse,total,post,,,,\n"
        "A,60,r,-.12,worse,within,0,,480,,\n"
        "B,50,r_partial,.2,better,total,,,,3,\n"
        "B,50,z,.2,unclear,total,,,,,\n"
        "B,50,r,.4,better,total,,,,,sensitivity\n",
    )
    assert review.assumed == ()
    effects = review.effects()
    frame = effects.to_frame()
    assert frame["r"].tolist() == pytest.approx([-0.31, 0.12, 0.2])
    assert frame["estimand"].tolist() == ["NA", "concurrent_r", "NA"]
    assert frame["vi"].tolist() == pytest.approx([1 / 57, 1 / (480 - 60 - 2), 1 / 45])
    assert effects.excluded()["status"].tolist() == ["sign unclear", "role"]


def test_mapping_renames_columns(tmp_path: Path) -> None:
    content = "paper,es,N\nA,.31,60\n"
    with pytest.raises(CodingError) as caught:
        table(tmp_path, content)
    assert [p.code for p in caught.value.problems] == ["missing-column"]
    review = table(tmp_path, content, mapping={"paper": "study", "es": "r"})
    assert review.effects().to_frame()["r"].tolist() == [0.31]


def test_a_mapping_that_names_no_column_or_no_field_is_refused(tmp_path: Path) -> None:
    content = "study,n,r\nA,60,.31\n"
    for mapping in ({"absent": "r"}, {"r": "nonsense"}):
        with pytest.raises(CodingError) as caught:
            table(tmp_path, content, mapping=mapping)
        assert [p.code for p in caught.value.problems] == ["mapping"]


@pytest.mark.parametrize("header", ["study,n,r,r", "study,n,r,correlation", "study,n,N,r"])
def test_the_same_field_twice(tmp_path: Path, header: str) -> None:
    with pytest.raises(CodingError) as caught:
        table(tmp_path, f"{header}\nA,60,.3,.4\n")
    assert "duplicate-column" in {p.code for p in caught.value.problems}


def test_unfinished_and_missing_rows_are_listed(tmp_path: Path) -> None:
    review = table(tmp_path, "study,n,r\nA,60,.31\nB,,.2\nC,50,NA\n")
    assert [(p.severity, p.cell) for p in review.problems] == [("todo", "B3")]
    effects = review.effects()
    assert len(effects) == 1
    assert effects.excluded()["status"].tolist() == ["waiting", "no value"]
    assert effects.excluded()["address"].tolist() == ["table.csv!B3", "table.csv!C4"]


def test_a_name_of_the_effect_table_is_no_moderator_of_the_same_name(tmp_path: Path) -> None:
    effects = table(tmp_path, "study,n,r,quality,2nd look\nA,60,.31,high,yes\n").effects()
    assert effects.moderators == ("mod_quality", "mod_2nd_look")
    assert effects.to_frame()["quality"].tolist() == ["direct"]


def test_text_of_the_wrong_encoding_is_noted_once(tmp_path: Path) -> None:
    review = table(tmp_path, "study,n,r\nFlÃ¼ckiger,60,.31\nMÃ¼ller,50,.2\n")
    assert [(p.code, p.severity) for p in review.problems] == [("mojibake", "note")]


def test_a_table_on_the_second_sheet(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "read me"
    book.active.append(["This file holds our effects."])
    sheet = book.create_sheet("effects of studies")
    sheet.append([])
    sheet.append(["Study", "N", "r", "Age"])
    sheet.append(["A", 60, 0.31, 35])
    path = tmp_path / "table.xlsx"
    book.save(path)
    review = read_review(path)
    frame = review.effects().to_frame()
    assert frame["Age"].tolist() == [35.0]
    assert frame["address"].tolist() == ["effects of studies!C3"]


def test_a_moderator_that_is_almost_a_number_is_noted_once(tmp_path: Path) -> None:
    content = 'study,n,r,age\nA,60,.3,34.5\nB,50,.2,"31,5"\nC,50,.1,"32,5"\n'
    review = table(tmp_path, content)
    assert [(p.code, p.severity, p.cell) for p in review.problems] == [
        ("decimal-comma", "note", "D3")
    ]
    assert review.effects().to_frame()["age"].tolist() == ["34.5", "31,5", "32,5"]


def test_studies_named_by_authors_are_told_apart_by_year() -> None:
    path = Path(__file__).parents[1] / "reference" / "datasets" / "molloy2014.csv"
    review = read_review(path)
    frame = review.effects().to_frame()
    assert frame["study"].tolist()[:2] == ["Axelsson et al. (2009)", "Axelsson et al. (2011)"]
    assert frame["study"].is_unique
    assert "study" in [name for name, _, _ in review.assumed]


def test_one_table_may_hold_lagged_partial_effects(tmp_path: Path) -> None:
    """It has no model, so that nothing contradicts the coder's word for them."""
    review = table(
        tmp_path,
        "study,n,stat,metric,value,se,component,estimand,lag\n"
        "A,60,beta,SD within,.08,.03,within,lagged_partial,1\n"
        "B,60,beta,SD within,.06,.03,within,lagged_partial,1\n",
    )
    frame = review.effects().to_frame()
    assert frame["es_metric"].tolist() == ["beta", "beta"]
    with pytest.raises(CodingError, match="lagged_r"):
        table(
            tmp_path,
            "study,n,stat,value,n_obs,component,estimand,lag\nA,60,r,.1,400,within,concurrent_r,1\n",
        )
