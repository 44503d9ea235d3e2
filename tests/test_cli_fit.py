"""``metalliance fit``: the numbers of ``ma.fit``, a page to read, a sentence per error."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metalliance as ma
from metalliance.cli import run
from metalliance.cli.layout import WIDTH, table
from metalliance.cli.wording import by_option
from metalliance.numerics.structures import STRUCTURE_NAMES
from metalliance.numerics.tau2 import TAU2_METHODS
from tests.tolerances import CLOSED_FORM

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "reference" / "datasets"
SIMULATED = ROOT / "data" / "simulated_alliance_295.xlsx"
TOTAL = ["--where", "component=total"]
Capture = pytest.CaptureFixture[str]


def fitted(capsys: Capture, *arguments: str | Path) -> dict[str, Any]:
    """The JSON object of a call that succeeds."""
    assert run(["fit", *map(str, arguments), "--json"]) == 0, capsys.readouterr().out
    message: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert message["ok"]
    assert message["command"] == "fit"
    return message


def same(records: list[dict[str, Any]], frame: pd.DataFrame) -> None:
    """Rows of JSON are the rows of a table, to the 12 digits that are written."""
    assert len(records) == len(frame)
    for record, (_, row) in zip(records, frame.iterrows(), strict=True):
        for name, value in row.items():
            if isinstance(value, str | bool | np.bool_):
                assert record[name] == value
            elif pd.isna(value):
                assert record[name] is None
            else:
                assert record[name] == pytest.approx(value, rel=CLOSED_FORM)


@pytest.fixture(scope="module")
def effects_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("effects") / "effects.csv"
    assert run(["effects", str(SIMULATED), "--out", str(path)]) == 0
    return path


def test_a_univariate_model_has_the_numbers_of_fit(capsys: Capture) -> None:
    mods = "~ ablat + alloc"
    message = fitted(
        capsys, DATA / "bcg.csv", "--mods", mods, "--intervals", "qprofile", "--method", "PM"
    )
    result = message["result"]
    fit = ma.fit(pd.read_csv(DATA / "bcg.csv"), mods, method="PM")
    same(result["tidy"], ma.tidy(fit))
    same([result["glance"]], ma.glance(fit))
    same(result["components"], ma.components(fit, "qprofile"))
    same(result["confint"], ma.confint(fit))
    same(result["heterogeneity"], ma.heterogeneity(fit))
    assert result["call"]["mods"] == mods
    assert [row["terms"] for row in result["tests"]] == ["ablat", "alloc"]
    assert result["convergence"]["converged"]


def test_a_multilevel_model_with_its_sampling_covariance(capsys: Capture) -> None:
    path = DATA / "assink2016.csv"
    message = fitted(
        capsys,
        path,
        *("--random", "~ 1 | study/esid", "--cov-rho", ".5", "--cov-cluster", "study"),
        *("--mods", "~ deltype + year", "--vcov", "CR1", "--test", "naive-t", "--level", ".9"),
        *("--at", "deltype=general, year=0", "--target", "study", "--pi-df", "inf"),
    )
    frame = pd.read_csv(path)
    V = ma.sampling_covariance(frame, cluster="study", rho=0.5)
    fit = ma.fit(frame, "~ deltype + year", random="~ 1 | study/esid", V=V)
    with pytest.warns(ma.SmallSampleWarning, match="not estimable without one of the clusters"):
        inference = ma.infer(fit, "CR1", "naive-t")
    new = pd.DataFrame({"deltype": ["general"], "year": [0.0]})
    same(message["result"]["tidy"], ma.tidy(inference, level=0.9))
    same(message["result"]["components"], ma.components(fit))
    mean = ma.predict(inference, new, target="study", pi_df="inf", level=0.9)
    same(message["result"]["predict"], mean)
    assert message["result"]["predict"][0]["at"] == "deltype=general, year=0"
    assert message["result"]["inference"]["clusters"] == "study"


def test_inner_terms_take_a_structure_and_held_values(capsys: Capture) -> None:
    path = DATA / "berkey1998.csv"
    message = fitted(
        capsys,
        path,
        *("--mods", "~ 0 + outcome", "--random", "~ outcome | trial", "--structure", "HCS"),
        *("--hold-tau2", "free", "--hold-tau2", "0.01", "--hold-rho", "0.5"),
        *("--vcov", "model", "--lrt-against", "~ 1", "--method", "ML"),
        *("--transform", "r"),
    )
    frame = pd.read_csv(path)
    held = {"tau2": [None, 0.01], "rho": 0.5}
    options = {"random": "~ outcome | trial", "structure": "HCS", "method": "ML", **held}
    fit = ma.fit(frame, "~ 0 + outcome", **options)
    same(message["result"]["tidy"], ma.tidy(ma.infer(fit, "model")))
    same(message["result"]["components"], ma.components(fit))
    other = ma.fit(frame, "~ 1", **options)
    same([message["result"]["likelihood_ratio"]], ma.likelihood_ratio_test(other, fit))
    same(message["result"]["predict_r"], ma.predict(ma.infer(fit, "model"), transform="r"))


def test_a_random_term_or_a_structure_to_compare_with(capsys: Capture) -> None:
    path = DATA / "konstantopoulos2011.csv"
    nested = fitted(
        capsys, path, "--random", "~ 1 | district/school", "--lrt-against", "~ 1 | district"
    )
    assert nested["result"]["likelihood_ratio"]["boundary"]
    by_structure = fitted(
        capsys,
        DATA / "berkey1998.csv",
        *("--mods", "~ 0 + outcome", "--random", "~ outcome | trial", "--structure", "UN"),
        *("--lrt-against", "CS"),
    )
    assert by_structure["result"]["likelihood_ratio"]["df"] == 1


def test_weights_and_permutations(capsys: Capture) -> None:
    path = DATA / "mcdaniel1994.csv"
    frame = pd.read_csv(path, keep_default_na=False)
    message = fitted(capsys, path, "--method", "GENQ", "--weights", "ni", "--vcov", "model")
    fit = ma.fit(frame, method="GENQ", weights="ni")
    same(message["result"]["tidy"], ma.tidy(ma.infer(fit, "model")))
    message = fitted(capsys, path, "--permutations", "20", "--seed", "3", "--hold-tau2", ".02")
    test = ma.permutation_test(ma.fit(frame, tau2=0.02), 20, 3)
    same(message["result"]["permutation"]["table"], test.table)


def test_a_table_that_effects_wrote_is_the_review_again(capsys: Capture, effects_csv: Path) -> None:
    options = [*TOTAL, "--random", "~ 1 | study/effect", "--cov-rho", "0.6"]
    of_table = fitted(capsys, effects_csv, *options)["result"]
    of_review = fitted(capsys, SIMULATED, *options)["result"]
    for part in ("call", "glance", "tidy", "components", "predict", "predict_r", "inference"):
        assert of_table[part] == of_review[part]
    assert of_table["inference"]["clusters"] == "study or sample"
    assert of_table["scale"] == "Fisher's z"
    assert of_table["predict_r"][0]["estimate"] == pytest.approx(
        np.tanh(of_table["predict"][0]["estimate"]), rel=CLOSED_FORM
    )
    assert of_review["simulated"]
    assert len(of_review["excluded"]) == 11


def test_where_and_complete_say_what_they_leave_out(capsys: Capture, effects_csv: Path) -> None:
    message = fitted(capsys, effects_csv, *TOTAL, "--mods", "~ A1 + year", "--complete")
    rows = message["result"]["rows"]
    frame = pd.read_csv(effects_csv, encoding="utf-8-sig")
    total = frame[frame["component"] == "total"]
    lost = int(total["A1"].isna().sum())
    assert rows["read"] == len(frame)
    assert rows["incomplete"] == lost == len(total) - rows["used"]
    assert {row["moderator"]: row["k_missing"] for row in rows["missing_moderators"]} == {
        "A1": lost,
        "year": 0,
    }
    assert any("treats as independent" in text for text in message["warnings"])
    assert any("--random" in text for text in message["warnings"])


def test_a_column_is_typed_by_the_rows_that_are_left(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"S{i},.{i},.02,{i * i},kept\n" for i in range(1, 7))
    path.write_text(f"study,yi,vi,x,part\n{rows}S8,none,,NR,other\n")
    message = fitted(capsys, path, "--where", "part=kept", "--mods", "~ x")
    assert [row["term"] for row in message["result"]["tidy"]] == ["Intercept", "x"]
    levels = fitted(capsys, DATA / "formulas.csv", "--mods", "~ C(wave)")
    assert levels["result"]["tidy"][1]["term"] == "C(wave)[T.2]"
    path.write_text(f"study,yi,vi,x,part\n{rows}S7,.3,.02,1,kept\nS8,.2,.02,4,kept\n")
    path.write_text(path.read_text().replace(",9,", ",NR,").replace(",16,", ",NR,"))
    path.write_text(path.read_text().replace(",25,", ",1,").replace(",36,", ",4,"))
    levels = fitted(capsys, path, "--mods", "~ C(x)")
    assert [row["term"] for row in levels["result"]["tidy"]][1:] == ["C(x)[T.4]", "C(x)[T.NR]"]
    assert "level like any other" in levels["problems"][-1]["what"]


def test_new_rows_come_from_a_file(capsys: Capture, tmp_path: Path) -> None:
    new = tmp_path / "new.csv"
    new.write_text("year,rater,unused\n2000,client,1\n2010,observer,2\n")
    mods = "~ rater + year"
    message = fitted(capsys, DATA / "formulas.csv", "--mods", mods, "--newdata", new)
    fit = ma.fit(pd.read_csv(DATA / "formulas.csv"), mods)
    same(message["result"]["predict"], ma.predict(fit, pd.read_csv(new)))


def test_the_json_object_has_this_shape(capsys: Capture) -> None:
    message = fitted(capsys, DATA / "bcg.csv")
    assert set(message) == {"schema", "command", "ok", "result", "problems", "warnings"}
    assert set(message["result"]) == {
        *("file", "simulated", "rows", "excluded", "call", "scale", "inference", "glance"),
        *("tidy", "tests", "components", "confint", "heterogeneity", "predict", "predict_r"),
        *("transform", "target", "likelihood_ratio", "permutation", "convergence"),
    }
    assert message["result"]["glance"]["qm_df2"] == 12
    assert message["result"]["glance"]["r2"] is None


def test_the_page_fits_a_terminal(capsys: Capture, effects_csv: Path) -> None:
    mods = "~ alliance_rater + treatment + year"
    random = ["--random", "~ 1 | study/effect", "--cov-rho", "0.6"]
    assert run(["fit", str(effects_csv), *TOTAL, "--mods", mods, *random]) == 0
    page = capsys.readouterr().out
    assert max(map(len, page.splitlines())) <= WIDTH
    assert "\x1b" not in page
    for words in (
        "Reference    alliance_rater = observer, treatment = ",
        "Random       ~ 1 | study/effect",
        "Sampling V   rho = 0.6 within sample",
        "CR2 standard errors, t tests with Satterthwaite df",
        "Coefficients, scale: Fisher's z",
        "sigma² study/effect (470 groups)",
        "Test of moderators: F(",
    ):
        assert words in page


def test_rows_of_few_degrees_of_freedom_are_marked(capsys: Capture) -> None:
    path = DATA / "corrdat.csv"
    options = ["--yi", "effectsize", "--vi", "var", "--random", "~ 1 | studyid"]
    assert run(["fit", str(path), *options, "--mods", "~ males + followup"]) == 0
    page = capsys.readouterr().out
    assert "* df below 4" in page
    assert "scale: effectsize" in page
    assert "Warning: " in page


def test_text_of_a_table_steers_no_terminal(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    level = "a\x1b[31m\x9b\u202e"
    rows = "".join(f'S{i},.{i},.02,"{level if i % 2 else "=b()"}"\n' for i in range(1, 8))
    path.write_text(f"study,yi,vi,g\n{rows}", encoding="utf-8")
    unsafe = set(level) - {"a", "[", "3", "1", "m"}
    for extra in ([], ["--json"], ["--where", "g=x"], ["--at", f"g={level}", "--json"]):
        run(["fit", str(path), "--mods", "~ g", *extra])
        shown = capsys.readouterr()
        assert not unsafe & set(shown.out + shown.err)


def test_out_is_written_whole_and_over_nothing_foreign(capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "fit.json"
    call = ["fit", str(DATA / "bcg.csv"), "--out", str(out)]
    assert run(call) == 0
    first = out.read_text()
    assert json.loads(first)["command"] == "fit"
    assert run([*call, "--method", "DL"]) == 0
    assert out.read_text() != first
    assert [path.name for path in out.parent.iterdir()] == ["fit.json"]
    for foreign in (tmp_path / "mine.csv", tmp_path):
        if foreign is not tmp_path:
            foreign.write_text("mine")
        capsys.readouterr()
        assert run([*call[:2], "--out", str(foreign)]) == 2
        assert "--out" in capsys.readouterr().err
    assert (tmp_path / "mine.csv").read_text() == "mine"


MIXED = "study,yi,vi,x,g\nA,.3,.02,1,a\nB,.2,.02,,b\nC,.25,.03,3,a\nD,.1,.03,4,b\nE,.3,.03,2,a\n"


@pytest.mark.parametrize(
    ("text", "arguments", "code", "told"),
    [
        (None, [], 2, "does not exist"),
        ("", [], 2, "is empty"),
        ("\x00\x01", [], 2, "no text table"),
        ("study,es\nA,1\n", [], 2, "--yi and --vi"),
        ("study,yi,vi\nA,x,1\n", [], 2, "t.csv!B2 'x'"),
        ("study,yi,vi\nA,.1,\n", [], 2, "t.csv!C2"),
        ("study,yi,vi\nA,.1,0\n", [], 2, "above zero"),
        ("study,yi,vi,yi\nA,.1,1,1\n", [], 2, "t.csv!D1"),
        ("study,yi,vi\n", [], 2, "no rows"),
        ("yi,vi,x\n.1,.1,1\n.2,.1,NR\n", ["--mods", "~ x"], 2, "leave it empty"),
        (MIXED, ["--mods", "~ x"], 1, "adding --complete"),
        (MIXED, ["--mods", "~ y"], 1, "there is no column 'y'"),
        (MIXED, ["--mods", "x"], 1, "must start with '~'"),
        (MIXED, ["--where", "g=c"], 1, "it has a (3), b (2)"),
        (MIXED, ["--random", "~ 1 | studi"], 1, "did you mean 'study'"),
        (MIXED, ["--random", "~ 1 | study", "--method", "DL"], 1, "ML or REML"),
        (MIXED, ["--random", "~ 1 | g", "--vcov", "knha"], 1, "'CR2'"),
        (MIXED, ["--hold-sigma2", ".1"], 1, "add --random"),
        (MIXED, ["--cov-rho", ".5", "--cov-cluster", "g"], 1, "--cov-rho says"),
        (MIXED, ["--mods", "~ g", "--at", "g=c"], 1, "levels: 'a', 'b'"),
        (MIXED, ["--at", "x=1"], 1, "no moderator"),
        (MIXED, ["--mods", "~ g", "--newdata", "nowhere.csv"], 2, "nowhere.csv"),
        (MIXED, ["--mods", "~ x + g", "--complete", "--at", "x=1"], 1, "no value of 'g'"),
        (MIXED, ["--mods", "~ x", "--complete", "--at", "x=one"], 1, "'one' is none"),
        (MIXED, ["--lrt-against", "~ g"], 1, "by REML"),
        (MIXED, ["--intervals", "profile", "--method", "DL"], 1, "qprofile"),
        (MIXED, ["--method", "REMEL"], 3, "EE, DL, HE"),
        (MIXED, ["--structure", "XX"], 3, "ID, DIAG"),
        (MIXED, ["--vcov", "HC3"], 3, "CR2"),
        (MIXED, ["--test", "f"], 3, "satterthwaite"),
        (MIXED, ["--transform", "z"], 3, "r, r_int"),
        (MIXED, ["--target", "x"], 3, "effect, study"),
        (MIXED, ["--pi-df", "x"], 3, "inference"),
        (MIXED, ["--intervals", "x"], 3, "qprofile, profile"),
        (MIXED, ["--level", "95"], 3, "0.95"),
        (MIXED, ["--where", "g"], 3, "column=value"),
        (MIXED, ["--hold-rho", "much"], 3, "a number or free"),
        (MIXED, ["--hold-tau2", "nan"], 3, "a number or free"),
        (MIXED, ["--at", "x=1, x=2"], 3, "twice"),
        (MIXED, ["--cov-phi", ".5"], 3, "--cov-rho"),
        (MIXED, ["--cov-rho", ".5", "--cov-phi", ".5"], 3, "go together"),
        (MIXED, ["--permutations", "0"], 3, "between 1 and"),
        (MIXED, ["--at", "x=1", "--newdata", "a.csv"], 3, "not both"),
        (
            MIXED,
            ["--lrt-against", "~ 1 | g", "--random", "~ 1 | study", "--hold-sigma2", "1"],
            1,
            "hold",
        ),
    ],
)
def test_every_error_is_a_sentence(
    text: str | None,
    arguments: list[str],
    code: int,
    told: str,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    path = tmp_path / "t.csv"
    if text is not None:
        path.write_text(text)
    assert run(["fit", str(path), *arguments]) == code
    shown = capsys.readouterr()
    assert told in shown.err
    assert not shown.out
    assert "Traceback" not in shown.err
    assert "a fault of metalliance" not in shown.err
    assert run(["fit", str(path), *arguments, "--json"]) == code
    assert not json.loads(capsys.readouterr().out)["ok"]


def test_a_folder_is_no_file(tmp_path: Path, capsys: Capture) -> None:
    assert run(["fit", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--where es_metric=z"),
        (["--where", "es_metric=z"], '--where "component=total"'),
        (["--where", "component=within", "--where", "es_metric=beta"], "outcome→alliance"),
        (
            ["--where", "es_metric=beta", "--where", "path=alliance→outcome", "--transform", "r"],
            "z",
        ),
    ],
)
def test_pools_that_mean_different_things_are_not_one(
    arguments: list[str], told: str, effects_csv: Path, capsys: Capture
) -> None:
    assert run(["fit", str(effects_csv), *arguments]) == 1
    assert told in capsys.readouterr().err


def test_dropout_is_a_pool_of_its_own(effects_csv: Path, tmp_path: Path, capsys: Capture) -> None:
    frame = pd.read_csv(effects_csv, encoding="utf-8-sig", keep_default_na=False)
    total = frame[frame["component"] == "total"].head(40).reset_index(drop=True)
    total.loc[:4, "outcome_form"] = "dropout"
    path = tmp_path / "t.csv"
    total.to_csv(path, index=False)
    assert run(["fit", str(path)]) == 1
    assert '--where "outcome_form!=dropout"' in capsys.readouterr().err
    for where, k in (("outcome_form!=dropout", 35), ("outcome_form=dropout", 5)):
        assert fitted(capsys, path, "--where", where)["result"]["glance"]["k"] == k


def test_components_side_by_side_are_allowed(effects_csv: Path, capsys: Capture) -> None:
    where = ["--where", "component=total", "--where", "component=between_observed"]
    options = ["--mods", "~ 0 + component", "--random", "~ component | study"]
    message = fitted(capsys, effects_csv, *where, *options, "--structure", "DIAG")
    names = [row["term"] for row in message["result"]["components"]]
    assert names == ["between_observed", "total"]


def test_messages_speak_of_options() -> None:
    assert by_option("vcov='knha' holds; choose method=") == "--vcov knha holds; choose --method"
    assert by_option("rho = 0.6; mods='~ a'") == 'rho = 0.6; --mods "~ a"'


def test_long_labels_stand_above_their_numbers() -> None:
    label = "a label that takes more than half of all the room there is on such a page"
    lines = table(["", "estimate", "p"], [[label, "0.123", ".001"], ["b", "1", "–"]])
    assert max(map(len, lines)) <= WIDTH
    assert lines[1] == label


def test_help_names_every_choice(capsys: Capture) -> None:
    assert run(["fit", "--help"]) == 0
    words = capsys.readouterr().out.replace(";", " ").replace(".", " ").split()
    assert set(TAU2_METHODS) | set(STRUCTURE_NAMES) <= set(words)


def test_the_example_of_the_readme_is_true(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    block = (ROOT / "README.md").read_text(encoding="utf-8").split("    $ metalliance fit ")[1]
    call, page = block.split("\n\n", 1)
    assert run(["fit", *shlex.split(call.replace("\\\n", " "))]) == 0
    shown = page.split("\n\nThe ")[0]
    lines = [line.removeprefix("    ") for line in shown.splitlines()]
    assert capsys.readouterr().out.splitlines() == lines, "put this page into README.md"


def test_capitals_do_not_change_the_scale(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "capital.csv"
    table = pd.read_csv(DATA / "bcg.csv")
    table.rename(columns={"yi": "Yi"}).to_csv(path, index=False)
    message = fitted(capsys, path)
    same(message["result"]["tidy"], ma.tidy(ma.fit(table)))
    assert run(["fit", str(path)]) == 0
    assert "scale: yi" in capsys.readouterr().out


def test_a_missing_moderator_of_a_review_names_the_row(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    path.write_text("study,n,r,length\nA,40,.3,8\nB,50,.2,\nC,60,.4,12\nD,30,.1,9\n", "utf-8")
    assert run(["fit", str(path), "--mods", "~ length"]) == 1
    assert "row 3 of review.csv (study 'B')" in capsys.readouterr().err


def test_a_joint_test_of_few_degrees_of_freedom_is_marked(capsys: Capture) -> None:
    path = DATA / "assink2016.csv"
    assert run(["fit", str(path), "--mods", "~ deltype", "--random", "~ 1 | study/esid"]) == 0
    assert "(HTZ); imprecise, df below 4" in " ".join(capsys.readouterr().out.split())
