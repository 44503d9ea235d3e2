"""A sample of the damaged workbooks; docs/validation.md has the counts of 5,000."""

from tests.coding.mutations import OPERATORS, run


def test_every_kind_of_mistake_is_told_at_its_cell() -> None:
    tallies = run(2 * len(OPERATORS), seed=7)
    assert len(OPERATORS) >= 25
    assert [text for tally in tallies.values() for text in tally.wrong] == []
    assert all(tally.told == tally.files for tally in tallies.values())
    assert sum(tally.files for tally in tallies.values()) >= 2 * len(OPERATORS) - 6
