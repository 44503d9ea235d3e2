import pandas as pd
import pytest

from metalliance.errors import SpecificationError
from metalliance.models.random import parse_random

FRAME = pd.DataFrame(
    {
        "lab": ["p", "p", "p", "q", "q", "q"],
        "study": [1, 1, 2, 3, 3, 4],
        "effect": [1, 2, 1, 1, 2, 1],
        "same": "all",
        "hole": [1, None, 2, 2, 3, 3],
    }
)


def test_nesting_makes_an_inner_id_count_within_its_outer_one() -> None:
    terms = parse_random("~ 1 | lab/study/effect", FRAME.assign(study=[1, 1, 2, 1, 1, 2]))[:2]
    assert [(t.name, t.levels, t.outermost) for t in terms] == [
        ("lab", 2, True),
        ("lab/study", 4, False),
    ]
    assert terms[1].codes.tolist() == [0, 0, 1, 2, 2, 3]


def test_a_list_of_terms() -> None:
    terms = parse_random(["~ 1 | lab", "~1|effect"], FRAME)
    assert [(t.name, t.levels, t.outermost) for t in terms] == [
        ("lab", 2, True),
        ("effect", 2, True),
    ]


@pytest.mark.parametrize(
    ("random", "says"),
    [
        ("study/effect", "cannot be read"),
        ("~ 1 | study + effect", "cannot be read"),
        ("~ effect | lab/study", "one outer factor"),
        ("~ same | lab", "one level"),
        ("~ effect + study | lab", "structure='GEN'"),
        ("~ 1 | studie", "did you mean 'study'"),
        ("~ 1 | hole", "'hole' is missing in row 1"),
        ("~ 1 | same", "all 6 rows have the same same"),
        (["~ 1 | lab", "~ 1 | lab/study"], "more than once"),
        ([], "names no term"),
        (3, "must be a formula"),
    ],
)
def test_what_is_refused(random: str | list[str], says: str) -> None:
    with pytest.raises(SpecificationError, match=says.replace("|", r"\|")):
        parse_random(random, FRAME)


def test_groupings_that_are_the_same_are_refused() -> None:
    once = FRAME.drop_duplicates("study")
    with pytest.raises(SpecificationError, match="study and study/effect group the 4 rows"):
        parse_random("~ 1 | study/effect", once)
