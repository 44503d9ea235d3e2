"""Random models through metalliance and R: the same numbers, within the tolerance of their kind."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.differential.run import Outcome, every_case, outcome

RECORD = Path(__file__).with_name("record.json")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    if shutil.which("Rscript") is None:
        pytest.fail("Rscript is needed for tests marked r")
    yield outcome(every_case(), tmp_path_factory.mktemp("differential"))


def test_there_are_enough_cases_of_every_kind() -> None:
    cases = every_case()
    assert len(cases) >= 300
    assert len({case.id for case in cases}) == len(cases)
    kinds = Counter(case.kind for case in cases)
    assert min(kinds.values()) >= 4


@pytest.mark.r
def test_every_number_is_within_its_tolerance(found: Outcome) -> None:
    too_large = [str(deviation) for deviation in found.deviations if deviation.too_large]
    assert not too_large, "\n".join(too_large[:30])
    assert len(found.deviations) > 20_000


@pytest.mark.r
def test_what_r_did_not_do_is_counted(found: Outcome) -> None:
    counted = {heading: len(notes) for heading, notes in found.notes.items()}
    assert sum(counted.values()) < 0.1 * len(found.cases), counted


FAMILIES = (
    "log-likelihood at our components",
    "log-likelihood below R's",
    "free coefficients",
    "free standard errors",
    "free components",
    "at ours robust",
    "at R's robust",
    "at ours",
    "at R's",
)


def largest(found: Outcome) -> dict[str, dict[str, float]]:
    """Largest deviation by kind of model and family of quantity, for the record."""
    table: dict[str, dict[str, float]] = {}
    for deviation in found.deviations:
        kind = "univariate" if found.cases[deviation.case].univariate else deviation.kind
        known = [family for family in FAMILIES if deviation.what.startswith(family)]
        family = known[0] if known else deviation.what.split()[0]
        row = table.setdefault(kind, {})
        row[family] = float(f"{np.fmax(row.get(family, 0.0), deviation.size):.1e}")
    return table


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        result = outcome(every_case(), Path(place))
    RECORD.write_text(
        json.dumps(
            {
                "cases": len(result.cases),
                "numbers": len(result.deviations),
                "too_large": [str(d) for d in result.deviations if d.too_large],
                "notes": result.notes,
                "largest": largest(result),
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n",
        encoding="utf-8",
    )
