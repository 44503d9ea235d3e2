"""The two ways of going through a sheet find the same."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metalliance.coding import xlsx_scan
from metalliance.coding.raw import a1
from metalliance.coding.sheet_facts import SheetFacts
from metalliance.coding.xlsx_scan import XlsxScan
from tests.coding.documents import worksheet

PADDING = {"3": 4}
LENGTHS = (3, 100)


def scan(xml: str, pieces: int) -> SheetFacts:
    facts = SheetFacts()
    scanner = XlsxScan(facts, PADDING, LENGTHS)
    data = xml.encode()
    step = max(len(data) // pieces, 1)
    for start in range(0, len(data), step):
        scanner.feed(data[start : start + step])
    scanner.close()
    return facts


def slowly(xml: str) -> SheetFacts:
    with mock.patch.object(xlsx_scan, "BEGIN", b"no such element"):
        return scan(xml, 1)


CONTENTS = st.sampled_from(
    [
        "",
        "<v>0.31</v>",
        "<v>7</v>",
        "<v/>",
        "<v />",
        "<v>#REF!</v>",
        "<f>A1+1</f>",
        "<f>A1&amp;&quot;x&quot;</f><v/>",
        "<f>A1+1</f><v>2</v>",
        '<f t="shared" si="0"/><v>3</v>',
        '<f t="shared" ref="A1:A5" si="0">B1</f>',
        "<is><t>text</t></is>",
        '<is><t xml:space="preserve"> text</t></is>',
        "<is><r><t>rich</t></r></is>",
        "<v>1</v><extLst><ext/></extLst>",
    ]
)
ATTRIBUTES = st.sampled_from(
    ["", ' t="s"', ' t="e"', ' t="str"', ' s="3"', ' t="n" s="3"', " s='3'"]
)


@st.composite
def sheets(draw: st.DrawFn) -> str:
    rows = []
    for row in draw(st.lists(st.integers(0, 40), max_size=8)):
        cells = []
        for column in draw(st.lists(st.integers(0, 800), max_size=6)):
            given, content = draw(ATTRIBUTES), draw(CONTENTS)
            place = draw(
                st.sampled_from([f' r="{a1(row, column)}"', f' r="{a1(row, column)}"', ""])
            )
            first = draw(st.booleans())
            head = f"<c{place}{given}" if first else f"<c{given}{place}"
            cells.append(f"{head}>{content}</c>" if content or draw(st.booleans()) else f"{head}/>")
        number = draw(st.sampled_from([f' r="{row + 1}"', f' r="{row + 1}"', ""]))
        hidden = draw(
            st.sampled_from(["", "", ' hidden="1"', ' ht="15" hidden="true"', ' hidden="0"'])
        )
        odd = draw(st.sampled_from(["", "", "", "<!-- <c r='ZZ9'> -->", "\n"]))
        rows.append(f"<row{number}{hidden}>{''.join(cells)}</row>{odd}")
    return worksheet("".join(rows))


@settings(deadline=None, max_examples=300)
@example(xml=worksheet('<row r="1"><c r="A1" s=\'3\'><f>A1+1</f><v>2</v></c></row>'), pieces=1)
@example(xml=worksheet('<row r="1"><c t="e" r="A1"><is><t>text</t></is></c></row>'), pieces=1)
@given(xml=sheets(), pieces=st.integers(1, 3))
def test_blocks_and_elements_agree(xml: str, pieces: int) -> None:
    with mock.patch.object(xlsx_scan, "BLOCK", 64):
        found = scan(xml, pieces)
    expected = slowly(xml)
    for facts in (found, expected):
        facts.farthest = ""  # the last cell that widened the box: any of them will do
    assert found == expected


def test_blocks_are_used_at_all() -> None:
    """Ordinary rows are not followed element by element."""
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(1, 50))
    with mock.patch.object(XlsxScan, "end") as ended:
        scan(worksheet(rows), 1)
    assert [call.args for call in ended.call_args_list] == [("sheetData",), ("worksheet",)]


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ('<c r="B2" t="e"><v>#N/A</v></c>', {"errors": {"B2": "#N/A"}}),
        ('<c r="B2"><f>1+1</f></c>', {"uncached": {"B2": "1+1"}}),
        ('<c r="B2" t="str"><f>""</f><v></v></c>', {}),
        ('<c r="B2" s="3"><v>7</v></c>', {"padded": {"B2": "0007"}}),
        ('<c r="B2" t="s"><v>1</v></c>', {"letters": 100}),
    ],
)
def test_what_is_remembered(cell: str, what: dict[str, object]) -> None:
    facts = scan(worksheet(f'<row r="2" spans="1:2">{cell}</row>'), 1)
    assert (facts.rows, facts.columns, facts.farthest) == (2, 2, "B2")
    for name in ("errors", "uncached", "padded", "letters"):
        assert getattr(facts, name) == what.get(name, getattr(SheetFacts(), name))
