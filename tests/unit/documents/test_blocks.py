"""Blocks found by the marks of a text, with and without a reader's word on its rows."""

import pytest

from xnai.documents.blocks import blocks_of, heading_text
from xnai.documents.parsers import row_log
from xnai.documents.parsers.table import linearized, row_sentence
from xnai.types import Block


def found(text, told=None, *, markdown=True):
    blocks = blocks_of(text, told, markdown=markdown)
    return [(block.kind, text[block.start : block.end]) for block in blocks]


def rows(text, told=None):
    return [block.rows for block in blocks_of(text, told, markdown=True) if block.rows]


def test_headings_paragraphs_and_lists_are_told_apart():
    text = "# Rules\n\nFirst line\nof one.\n\n- one\n  more\n- two\n\n- three\n\n1. a\n2. b\n\nEnd."

    assert found(text) == [
        ("heading", "# Rules"),
        ("paragraph", "First line\nof one."),
        ("list", "- one\n  more\n- two\n\n- three"),
        ("list", "1. a\n2. b"),
        ("paragraph", "End."),
    ]
    assert heading_text(text, blocks_of(text, markdown=True)[0]) == "Rules"


def test_a_text_without_marks_of_markdown_has_no_headings_by_them():
    assert found("# a comment\n| a bar", markdown=False) == [("paragraph", "# a comment\n| a bar")]


@pytest.mark.parametrize(
    "text",
    [
        "3. Analyses by segment",
        "Remarks: iron is above the limit.",
        "We know: a; we hope: b.",
        "12. October\nwas cold.",
        "| a lone bar",
    ],
)
def test_one_line_that_looks_like_a_row_or_an_item_is_text(text):
    assert found(text) == [("paragraph", text)]


def test_labels_and_values_below_each_other_are_a_form():
    text = "Payslip no. 1\nEmployee: A. Holm\nNet pay: 2310.50 EUR"

    assert found(text)[1][0] == "form"
    assert rows(text) == [(("Employee", "A. Holm"), ("Net pay", "2310.50 EUR"))]


def test_rows_of_an_old_text_are_put_into_the_columns_of_their_labels():
    text = "Town: Sund; Mayor: Ada Holm.\nTown: Fjell; Staff: 3; Mayor: M. Lark.\n"

    assert rows(text) == [
        (("Town", "Staff", "Mayor"), ("Sund", "", "Ada Holm"), ("Fjell", "3", "M. Lark"))
    ]


def test_what_stands_in_a_cell_is_no_label_where_the_reader_kept_the_cells():
    row_log.begin()
    sheet = [
        ["Town", "Remark", "Staff"],
        ["Sund", "see: above; also: below", "3"],
        ["Fjell", "", "4"],
    ]
    text = "\n".join(linearized(sheet))
    told = dict(row_log.rows())

    assert "see: above; also: below" in text
    assert rows(text, told) == [tuple(map(tuple, sheet))]


def test_tables_right_below_each_other_are_two_where_their_headings_differ():
    row_log.begin()
    text = "\n".join(
        [
            row_sentence(["A", "B", "C"], ["1", "2", "3"]),
            row_sentence(["D", "E", "F"], ["4", "", "6"]),
        ]
    )
    told = dict(row_log.rows())

    assert rows(text, told) == [
        (("A", "B", "C"), ("1", "2", "3")),
        (("D", "E", "F"), ("4", "", "6")),
    ]


def test_labels_with_colons_beside_their_values_are_fields():
    row_log.begin()
    text = row_sentence([], ["Job number:", "JS-7", "Engineer:", "Per Ostby"])
    told = dict(row_log.rows())

    assert rows(text, told) == [(("Job number", "JS-7"), ("Engineer", "Per Ostby"))]


def test_a_grid_of_markdown_has_its_cells():
    text = "| Town | Mayor |\n|------|-------|\n| Sund | a \\| b |\n"

    assert rows(text) == [(("Town", "Mayor"), ("Sund", "a | b"))]


def test_notes_and_what_the_reader_knows_keep_their_places():
    text = "Body text.\n\nA chart\nof it\n\n[1] Working days are Monday to Thursday."
    picture = Block("picture", 12, 25)

    blocks = blocks_of(text, None, [picture], markdown=True)

    assert [block.kind for block in blocks] == ["paragraph", "picture", "note"]
    assert blocks[1] == picture


def test_blocks_have_all_of_the_text_between_them():
    text = "# A\nB: c\nd\n\n- e\nF: 1; G: 2.\nF: 3; G: 4.\n[2] h\nPicture: i\nj"

    blocks = blocks_of(text, markdown=True)

    assert [text[block.start : block.end] for block in blocks] == [
        "# A",
        "B: c\nd",
        "- e",
        "F: 1; G: 2.\nF: 3; G: 4.",
        "[2] h",
        "Picture: i\nj",
    ]


def test_a_wide_heading_above_narrow_rows_does_not_blow_a_table_up():
    head = [f"column {number}" for number in range(1000)]
    row_log.begin()
    text = "\n".join(row_sentence(head, [f"a{number}"]) for number in range(2000))
    told = dict(row_log.rows())

    (table,) = blocks_of(text, told, markdown=True)

    assert sum(map(len, table.rows)) == 1000 + 2000


def test_rows_with_ever_new_labels_do_not_blow_a_table_up():
    same = "; ".join(f"same {number}: 1" for number in range(60))
    lines = [
        f"{same}; " + "; ".join(f"new {row} {number}: 1" for number in range(40)) + "."
        for row in range(200)
    ]

    blocks = blocks_of("\n".join(lines), markdown=True)

    assert sum(len(row) for block in blocks for row in block.rows) < 4 * 200 * 100
