"""What the reader shows of a text: headings, lists and tables as such, the passage marked."""

from hypothesis import given
from hypothesis import strategies as st

from xnai.documents.blocks import blocks_of
from xnai.documents.page_content import PageBlock
from xnai.ui.pages.pieces import PART, Piece, TextPart, part_of

NOTES = """# Harbour rules

All boats moor on the east side.

- The gate opens at 6:00.
- The gate closes at 22:30.

| Boat | Fee |
| --- | --- |
| Small | 12 |
| Large | 30 |

Fees are paid on Fridays."""


def blocks(text: str) -> list[PageBlock]:
    return [
        PageBlock(one.kind, text[one.start : one.end], None, "", one.rows, None, one.start, one.end)
        for one in blocks_of(text, markdown=True)
    ]


def shown(text: str, words: str = "", number: int | None = None) -> TextPart:
    start = text.index(words)
    return part_of(text, blocks(text), start, start + len(words), number)


def said(piece: Piece, *, marked: bool = False) -> str:
    return "".join(run.text for line in piece.lines for run in line if run.marked or not marked)


def test_headings_lists_and_tables_are_shown_as_such():
    heading, words, items, table, last = shown(NOTES).pieces
    assert (heading.kind, heading.level, said(heading)) == ("heading", 2, "Harbour rules")
    assert (words.kind, said(words)) == ("paragraph", "All boats moor on the east side.")
    lines = ["".join(run.text for run in line) for line in items.lines]
    assert (items.kind, lines) == (
        "list",
        ["The gate opens at 6:00.", "The gate closes at 22:30."],
    )
    assert (table.kind, table.head) == ("table", ("Boat", "Fee"))
    assert [row.cells for row in table.rows] == [("Small", "12"), ("Large", "30")]
    assert said(last) == "Fees are paid on Fridays."


def test_the_passage_is_marked_wherever_it_stands():
    marks = {
        "Harbour": "heading",
        "boats moor": "paragraph",
        "gate closes at 22:30": "list",
        "on Fridays": "paragraph",
    }
    for words, kind in marks.items():
        part = shown(NOTES, words)
        (piece,) = [one for one in part.pieces if one.marked]
        assert (piece.kind, said(piece, marked=True)) == (kind, words)
    assert not part_of(NOTES, blocks(NOTES), 0, 0).marked


def test_of_a_table_the_rows_of_the_passage_are_marked():
    (table,) = [one for one in shown(NOTES, "| Large | 30 |").pieces if one.rows]
    assert [row.marked for row in table.rows] == [False, True]


def test_rows_that_are_sentences_are_cells_and_are_marked_row_by_row():
    text = "\n".join(f"Part: Part {n}; Price: {n}.50; Stock: {n % 7}." for n in range(1, 40))
    (table,) = shown(text, "Part: Part 12; Price: 12.50").pieces
    assert table.head == ("Part", "Price", "Stock")
    assert len(table.rows) == 39
    assert [row.cells for row in table.rows if row.marked] == [("Part 12", "12.50", "5")]


def test_a_long_table_is_cut_between_rows_and_each_part_has_its_labels():
    text = "\n".join(f"Part: Part {n}; Price: {n}.50; Stock: {n % 7}." for n in range(2000))
    first = shown(text, "Part: Part 1500;")
    assert 0 < first.number < first.count
    rows = []
    for number in range(first.count):
        part = shown(text, "Part: Part 1500;", number)
        assert all(piece.head == ("Part", "Price", "Stock") for piece in part.pieces)
        rows += [row for piece in part.pieces for row in piece.rows]
    assert [row.cells[0] for row in rows] == [f"Part {n}" for n in range(2000)]
    assert [row.cells[0] for row in rows if row.marked] == ["Part 1500"]


def test_a_form_with_several_fields_in_a_line_marks_the_line():
    text = "Name: Ada Lovelace\nBorn: 1815"
    form = [
        PageBlock(
            "form", text, None, "", (("Name", "Ada Lovelace"), ("Born", "1815")), None, 0, len(text)
        )
    ]
    (piece,) = part_of(text, form, text.index("1815"), len(text)).pieces
    assert [(row.cells[0], row.marked) for row in piece.rows] == [("Name", False), ("Born", True)]


def test_rows_that_are_no_lines_are_shown_as_the_text_has_them():
    text = "a b\nc d\ne f"
    table = [PageBlock("table", text, None, "", (("A", "B"), ("c", "d")), None, 0, len(text))]
    (piece,) = part_of(text, table, 4, 7).pieces
    assert (piece.kind, said(piece), said(piece, marked=True)) == ("paragraph", text, "c d")


@given(st.text("ab \n", max_size=50), st.integers(0, 3000), st.integers(0, 60), st.integers(0, 9))
def test_the_parts_are_the_text_whatever_is_asked_for(piece, times, start, end):
    text = piece * (1 + times % 900)
    first = part_of(text, [], start, end)
    parts = [part_of(text, [], start, end, number) for number in range(first.count)]

    whole = "".join(said(one) for part in parts for one in part.pieces)
    assert "".join(whole.split()) == "".join(text.split())
    assert all(len(said(one)) <= PART for part in parts for one in part.pieces)
    marked = "".join(said(one, marked=True) for part in parts for one in part.pieces)
    assert "".join(marked.split()) == "".join(text[start:end].split())
    assert part_of(text, [], start, end, 99).number == first.count - 1
