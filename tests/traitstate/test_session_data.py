"""Tables of sessions that are wrong, or thin: said in a sentence, all at once."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.errors import CodingError, MetallianceError, SpecificationError
from tests.traitstate.session_tables import row_of, session_table


def problems(table: pd.DataFrame, **names: object) -> list[tuple[str, str]]:
    with pytest.raises(CodingError) as caught:
        ma.disaggregate(table, **names)
    return [(problem.cell, problem.code) for problem in caught.value.problems]


def told(table: pd.DataFrame, **options: object) -> str:
    return " ".join(ma.disaggregate(table, **options).notes)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    table = session_table(patients=8).astype(object)
    table.loc[0, "alliance"] = "good"
    table.loc[1, "outcome"] = "3,5"
    table.loc[2, "patient"] = ""
    table.loc[4, "session"] = table.loc[3, "session"]
    table.loc[7, "session"] = None
    assert problems(table) == [
        ("alliance[0]", "not-a-number"),
        ("outcome[1]", "decimal-comma"),
        ("patient[2]", "no-patient"),
        ("session[7]", "no-session"),
        ("session[4]", "twice"),
    ]


def test_absent_columns_are_named_with_those_that_are_there() -> None:
    table = session_table(patients=8).rename(columns={"alliance": "wai"})
    with pytest.raises(
        CodingError, match=r"no column 'alliance'.*there are: patient, session, wai"
    ):
        ma.disaggregate(table)
    assert [code for _, code in problems(table, therapist="th")] == ["missing-column"] * 2


def test_many_faults_are_counted() -> None:
    table = session_table(patients=30).astype(object)
    table["alliance"] = "x"
    with pytest.raises(CodingError) as caught:
        ma.disaggregate(table)
    assert len(caught.value.problems) == 11
    assert "more like these" in str(caught.value.problems[-1])


def test_fewer_than_five_patients_are_refused() -> None:
    assert problems(session_table(patients=4))[0][1] == "few-patients"
    assert "4 patients" not in told(session_table(patients=6))
    assert "6 patients are few" in told(session_table(patients=6))


def test_infinite_scores_are_refused() -> None:
    table = session_table(patients=8)
    table.loc[3, "outcome"] = np.inf
    assert problems(table) == [("outcome[3]", "not-a-number")]


def test_missing_is_missing_however_it_is_written() -> None:
    table = session_table(patients=20)
    blank = table.copy()
    blank.loc[::7, "outcome"] = np.nan
    text = table.astype(object)
    text.loc[::7, "outcome"] = "NA"
    written = text.astype(str).replace({"NA": "NR"})
    expected = ma.disaggregate(blank).table["estimate"].tolist()
    assert ma.disaggregate(text).table["estimate"].tolist() == pytest.approx(expected)
    assert ma.disaggregate(written).table["estimate"].tolist() == pytest.approx(expected)
    assert "have one of the two scores only" in told(blank)


def test_a_missed_session_ends_no_pair_across_it() -> None:
    table = session_table(patients=20, unequal=False)
    holed = table[table["session"] != 4]
    there, holed_found = (ma.disaggregate(t, lag=1) for t in (table, holed))
    pairs = [row_of(f.table, "within", "lagged_r")["n_obs"] for f in (there, holed_found)]
    assert pairs == [20 * 7, 20 * 5]
    assert any("missed sessions" in note for note in holed_found.notes)


def test_a_lag_that_no_pair_has_names_the_usual_step() -> None:
    table = session_table(patients=10)
    table["session"] *= 2
    with pytest.raises(SpecificationError, match="the usual step is 2"):
        ma.disaggregate(table, lag=1)
    assert len(ma.disaggregate(table, lag=2).table)


def test_patients_of_one_session_say_nothing_within() -> None:
    table = session_table(patients=30)
    short = table[~((table["patient"] > "P024") & (table["session"] > 1))]
    found = ma.disaggregate(short)
    assert row_of(found.table, "within", "concurrent_r")["ni"] == 25
    assert row_of(found.table, "between_observed")["ni"] == 30
    assert any(note.startswith("5 of 30 patients have one complete") for note in found.notes)


def test_constant_raters_are_kept_and_said() -> None:
    table = session_table(patients=30)
    table.loc[table["patient"] == "P003", "alliance"] = 5.0
    found = ma.disaggregate(table)
    assert row_of(found.table, "within", "concurrent_r")["ni"] == 30
    assert any("1 patient has the same alliance score" in note for note in found.notes)


def test_nobody_varies() -> None:
    table = session_table(patients=30)
    table["alliance"] = table.groupby("patient")["alliance"].transform("mean")
    found = ma.disaggregate(table, lag=1)
    assert found.table["component"].tolist() == ["between_observed"]
    assert any("no within effect exists" in note for note in found.notes)
    assert any("alliance never changes within a patient" in note for note in found.notes)
    with pytest.raises(SpecificationError, match="no within effect exists"):
        ma.disaggregate(table, method="fixed-effects")


def test_everything_is_constant() -> None:
    table = session_table(patients=10)
    table["alliance"] = 3.0
    said = "no effect at all: alliance is 3 in every session of every patient$"
    with pytest.raises(SpecificationError, match=said):
        ma.disaggregate(table)


def test_an_outcome_at_the_end_has_between_effects_only() -> None:
    table = session_table(patients=40)
    last = table.groupby("patient")["session"].transform("max")
    post = table.copy()
    post.loc[post["session"] != last, "outcome"] = np.nan
    found = ma.disaggregate(post, lag=1)
    assert found.table["component"].tolist() == ["between_observed", "between_change"]
    level = row_of(found.table, "between_observed")
    means = table.groupby("patient")["alliance"].mean()
    scores = post.dropna().set_index("patient")["outcome"]
    assert level["r"] == pytest.approx(np.corrcoef(means, scores[means.index])[0, 1])
    assert (level["k_y"], level["shared"]) == (1.0, 1.0)
    assert any("does not vary within patients" in note for note in found.notes)
    assert any("no lagged effects" in note for note in found.notes)
    separate = post.copy()
    separate.loc[separate["session"] == last, "alliance"] = np.nan
    assert row_of(ma.disaggregate(separate).table, "between_observed")["shared"] == 0


def test_arms_are_taken_out() -> None:
    table = session_table(patients=40)
    treated = table["patient"] > "P019"
    shifted = table.assign(
        arm=np.where(treated, "A", "B"),
        alliance=table["alliance"] + 5 * treated,
        outcome=table["outcome"] + 5 * treated,
    )
    raw = row_of(ma.disaggregate(shifted).table, "between_observed")["r"]
    found = ma.disaggregate(shifted, arm="arm")
    clean = row_of(found.table, "between_observed")
    assert raw > 0.8 > clean["r"]
    assert clean["se_model"] == pytest.approx(1 / np.sqrt(40 - 4))
    assert any("between 2 arms were taken out" in note for note in found.notes)
    moved = shifted.assign(alliance=shifted["alliance"] + 3 * treated)
    again = row_of(ma.disaggregate(moved, arm="arm").table, "between_observed")
    assert again["r"] == pytest.approx(clean["r"])


def test_therapists_share_is_said() -> None:
    table = session_table(patients=40)
    table["therapist"] = "T" + (table["patient"].str[1:].astype(int) % 8).astype(str)
    by_therapist = table["therapist"].str[1:].astype(int)
    table["alliance"] += by_therapist
    assert "Moulton" in told(table, therapist="therapist")
    assert "share of therapists cannot be told" in told(
        table.assign(therapist="only"), therapist="therapist"
    )
    table.loc[0, "therapist"] = "T7"
    assert "more than one therapist" in told(table, therapist="therapist")


@pytest.mark.parametrize("how", ["numbers", "dates", "text"])
def test_days_may_be_numbers_or_dates(how: str) -> None:
    table = session_table(patients=20)
    start = datetime.date(2024, 3, 1)
    days = [7 * int(s) for s in table["session"]]
    table["when"] = {
        "numbers": days,
        "dates": [pd.Timestamp(start + datetime.timedelta(d)) for d in days],
        "text": [(start + datetime.timedelta(d)).isoformat() for d in days],
    }[how]
    row = row_of(ma.disaggregate(table, lag=1, time="when").table, "within", "lagged_r")
    assert (row["lag_days"], row["lag_days_low"], row["lag_days_high"]) == (7.0, 7.0, 7.0)


def test_a_day_that_is_none_is_named() -> None:
    table = session_table(patients=8).assign(when="soon")
    assert problems(table, time="when")[0] == ("when[0]", "no-day")


def test_unknown_days_are_counted() -> None:
    table = session_table(patients=20)
    table["when"] = 7.0 * table["session"]
    table.loc[:4, "when"] = np.nan
    assert "The day is not known of 5 of" in told(table, time="when", detrend="x")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "mean"}, "choose from person-mean, latent, fixed-effects, dynamic-panel"),
        ({"path": "back"}, "choose from forward, reverse"),
        ({"detrend": "all"}, "choose from none, x, y, both"),
        ({"weights": "n"}, "choose from patients, occasions"),
        ({"outcome_positive": "good"}, "choose from better, worse"),
        ({"lag": -1}, "must be a whole number of sessions"),
        ({"lag": 1.5}, "must be a whole number of sessions"),
    ],
)
def test_unknown_choices_list_the_known(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ma.disaggregate(session_table(patients=8), **options)


def test_long_lags_of_a_process_are_refused() -> None:
    with pytest.raises(SpecificationError, match="lag is 0 or 1"):
        ma.disaggregate(session_table(), method="dynamic-panel", lag=2)


def test_two_sessions_a_patient_leave_no_dynamics() -> None:
    table = session_table(patients=60, sessions=4, unequal=False)
    two = table[table["session"] <= 2]
    found = ma.disaggregate(two, method="latent")
    assert any("taken as independent" in note for note in found.notes)
    assert row_of(found.table, "between_latent")["route"].endswith("independent deviations")
    assert found.measures["autocorrelation"].isna().all()
    assert any("Autocorrelation was not estimated" in note for note in found.notes)
    with pytest.raises(SpecificationError, match="more than 2 scores of alliance"):
        ma.disaggregate(two, method="dynamic-panel", lag=1)


def test_only_a_table_is_taken() -> None:
    with pytest.raises(SpecificationError, match="must be a DataFrame"):
        ma.disaggregate("sessions.csv")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(40))
def test_no_table_makes_a_traceback(seed: int) -> None:
    """Few patients, holes, constants, exact lines, huge and tiny units: a result or a sentence."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(int(rng.integers(3, 12))):
        for t in range(1, int(rng.integers(1, 7)) + 1):
            x, y = rng.normal(size=2)
            made = [(x, y), (round(x), y), (x, y > 0), (i, y), (x, 2 * x + 1), (1e8 * x, 1e-9 * y)]
            pair = [v if rng.random() > 0.2 else np.nan for v in made[seed % 6]]
            rows.append((i, t, *pair, 7 * t, i % 2))
    names = ["patient", "session", "alliance", "outcome", "day", "arm"]
    table = pd.DataFrame(rows, columns=names)
    options = {
        "lag": int(rng.integers(0, 3)),
        "method": str(rng.choice(["person-mean", "fixed-effects", "latent", "dynamic-panel"])),
        "detrend": str(rng.choice(["none", "x", "y", "both"])),
        "path": str(rng.choice(["forward", "reverse"])),
        "weights": str(rng.choice(["patients", "occasions"])),
        "arm": "arm" if rng.random() < 0.3 else None,
        "time": "day" if rng.random() < 0.3 else None,
    }
    try:
        found = ma.disaggregate(table, **options)
    except MetallianceError as error:
        assert len(str(error)) > 20
    else:
        assert np.isfinite(found.table["estimate"]).all()


def test_decimal_commas_of_a_column_are_read_and_said() -> None:
    table = session_table(patients=20).round(2)
    written = table.astype(object)
    for column in ("alliance", "outcome"):
        texts = [str(v).replace(".", ",") for v in table[column]]
        written[column] = pd.Series(texts, index=table.index, dtype=object)
    for row, word in enumerate(("n.a.", "N. A.", "k.A.", "–", "-", "N/A")):
        written.loc[row, "alliance"] = word
        table.loc[row, "alliance"] = np.nan
    written.loc[7, "outcome"] = 3
    table.loc[7, "outcome"] = 3.0
    found, plain = ma.disaggregate(written), ma.disaggregate(table)
    assert found.table["estimate"].tolist() == pytest.approx(plain.table["estimate"].tolist())
    assert "Column 'alliance': decimal commas were read as decimal points." in found.notes
    assert any("6 cells were taken as missing: n.a. (1), N. A. (1)" in n for n in found.notes)


@pytest.mark.parametrize("other", ["2.5", 2.5])
def test_commas_beside_points_stay_errors(other: object) -> None:
    table = session_table(patients=20).astype(object)
    table["alliance"] = [other, *["3,5"] * (len(table) - 1)]
    assert problems(table) == [("alliance[0]", "mixed-decimals")]
    table["alliance"] = [1.5] * (len(table) - 1) + ["3,5"]
    assert problems(table) == [(f"alliance[{len(table) - 1}]", "decimal-comma")]


def test_commas_that_may_separate_thousands_stay_errors() -> None:
    table = session_table(patients=20).astype(object)
    table["alliance"] = "3,125"
    assert problems(table)[0] == ("alliance[0]", "thousands")
    table.loc[1, "alliance"] = "3,5"
    table.loc[2, "alliance"] = "3,251"
    assert "decimal commas" in told(table)


def test_the_rarest_kind_of_error_comes_first() -> None:
    table = session_table(patients=20).astype(object)
    table["alliance"] = pd.Series("1.5", index=table.index, dtype=object)
    table.loc[3:60, "alliance"] = "3,5"
    table.loc[1, "outcome"] = "good"
    table.loc[2, "session"] = table.loc[1, "session"]
    said = problems(table)
    assert said[:2] == [("outcome[1]", "not-a-number"), ("session[2]", "twice")]
    assert len(said) == 2 + 10 + 1


def test_columns_are_found_whatever_their_capitals() -> None:
    table = session_table(patients=20)
    titled = table.rename(columns={"patient": " Patient", "alliance": "ALLIANCE"})
    expected = ma.disaggregate(table).table["estimate"].tolist()
    assert ma.disaggregate(titled).table["estimate"].tolist() == expected
    twice = titled.assign(Alliance=1.0)
    with pytest.raises(CodingError, match="2 columns are called 'alliance': 'ALLIANCE', 'All"):
        ma.disaggregate(twice)
    assert ma.disaggregate(twice, alliance="ALLIANCE").table["estimate"].tolist() == expected
    with pytest.raises(CodingError, match="say --outcome COLUMN"):
        ma.disaggregate(table.drop(columns="outcome"))


def test_notes_are_sentences_of_one_and_of_many() -> None:
    table = session_table(patients=30)
    one = table[~((table["patient"] == "P029") & (table["session"] > 1))].copy()
    one.loc[one.index[3], "outcome"] = np.nan
    text = told(one, lag=2)
    assert "1 of 30 patients has one complete session: it counts" in text
    assert "sessions has one of the two scores only and forms no pair" in text
    assert "(s)" not in text


def test_a_factor_of_one_is_not_said() -> None:
    table = session_table(patients=40)
    number = table["patient"].str[1:].astype(int)
    table["alliance"] -= table.groupby(number % 8)["alliance"].transform("mean")
    text = told(table.assign(therapist=number % 8), therapist="therapist")
    assert "8 therapists with 5.0 patients" in text
    assert "Moulton" not in text


@pytest.mark.parametrize("method", ["fixed-effects", "latent", "dynamic-panel"])
def test_a_few_patients_of_several_sessions_do_not_speak_for_all(method: str) -> None:
    table = session_table(patients=60)
    stay = (table["session"] == 1) | (table["patient"] < "P005")
    with pytest.raises(SpecificationError, match="nearly all patients have one session"):
        ma.disaggregate(table[stay], method=method)
