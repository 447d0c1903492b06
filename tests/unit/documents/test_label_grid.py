"""Forms that are laid out as tables, and tables that look like them."""

import pytest

from xnai.documents.parsers import label_grid, spans
from xnai.documents.parsers.spans import Cell
from xnai.documents.parsers.table import linearized

FORM = [
    ["Name", "Kettner", "First name", "Ilse"],
    ["Born on", "02.12.1951", "Insurance no.", "K 771 204"],
    ["Street", "Mill Lane 4", "Town", "99423 Weimar"],
    ["Amount", "186.40 EUR", "Receipt of", "19.05.2024"],
]


def test_a_form_of_two_pairs_a_row_is_read_pair_by_pair():
    assert label_grid.pairs(FORM)[:3] == [
        ("Name", "Kettner"),
        ("First name", "Ilse"),
        ("Born on", "02.12.1951"),
    ]


def test_a_value_that_spans_columns_is_said_once():
    rows = [[Cell(cell) for cell in row] for row in FORM]
    rows.append([Cell("Kind of help"), Cell("[x] glasses", 1, 3)])
    lines = spans.sentences(spans.filled(rows))
    assert lines[0] == "Name: Kettner."
    assert lines[-1] == "Kind of help: [x] glasses."


def test_a_form_in_a_sheet_has_no_headings():
    lines = list(linearized([["Tenant file"], [], *(row[:2] for row in FORM)]))
    assert lines[-4:] == [
        "Name: Kettner.",
        "Born on: 02.12.1951.",
        "Street: Mill Lane 4.",
        "Amount: 186.40 EUR.",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [["Town", "People"], ["Norwick", "1,200"], ["Lund", "300"], ["Ost", "20"]],
        [
            ["Item", "Qty", "Unit", "Price"],
            ["Bolt", "12", "pcs", "1.20"],
            ["Rope", "3", "m", "4.50"],
            ["Tar", "1", "l", "9.00"],
        ],
        [
            ["Task", "Due", "Owner", "State"],
            ["Paint", "12 May", "Anna", "open"],
            ["Roof", "3.4.2024", "Bob", "open"],
            ["Fence", "soon", "Cleo", "done"],
        ],
        [["Day", "Shift"], ["Mon", "early"], ["Tue", "late"]],
    ],
)
def test_a_table_with_headings_is_no_form(rows):
    assert not label_grid.is_form(rows)


def test_labels_that_end_with_colons_are_those_of_a_form():
    assert label_grid.is_form([["From:", "Ada"], ["To:", "Bo"], ["About:", "Crane"]])
