"""Tables with cells that span rows and columns, as sentences."""

import openpyxl
import pytest

from xnai.documents.parsers import html_tables, office
from xnai.documents.parsers.plain import html_text
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.spans import Cell, filled, sentences
from xnai.documents.parsers.table import linearized


def said(*rows: list[Cell], marked: int = 0) -> list[str]:
    return sentences(filled(rows, marked))


def cells(*texts: str) -> list[Cell]:
    return [Cell(text) for text in texts]


def test_what_reaches_down_is_said_in_each_of_its_rows():
    rows = (
        cells("Hall", "Day", "Early"),
        [Cell("Hall 1", rows=2), *cells("Monday", "Holm")],
        cells("Tuesday", "Moss"),
    )

    assert said(*rows)[1] == "Hall: Hall 1; Day: Tuesday; Early: Moss."


def test_headings_of_two_rows_are_one_label():
    rows = (
        [Cell("Item", rows=2), Cell("Summer", columns=2)],
        cells("May", "July"),
        cells("Room", "80", "90"),
    )

    assert said(*rows) == ["Item: Room; Summer May: 80; Summer July: 90."]


def test_rows_that_say_they_are_headings_are_and_a_row_of_one_cell_is_text():
    rows = (
        cells("Name", "Born"),
        cells("Last, first", "Year"),
        [Cell("Keepers", columns=2)],
        cells("Holm, Ada", "1901"),
    )

    assert said(*rows, marked=2) == ["Keepers", "Name Last, first: Holm, Ada; Born Year: 1901."]


def test_a_span_without_end_takes_no_more_than_a_table_may_have():
    grid = filled([[Cell("a", columns=10**9)], [Cell("b", rows=10**9)]])

    assert len(grid.rows) == 2
    assert len(grid.rows[0]) == 1000


def test_a_table_of_html_has_its_spans_and_its_caption():
    html = (
        "<table><caption>Prices</caption><tr><th rowspan=2>Item</th><th colspan=2>Summer</th></tr>"
        "<tr><th>May</th><th>July</th></tr><tr><td>A*b_c</td><td>1</td><td>2</td></tr></table>"
    )

    assert html_text(html) == "Prices\nItem: A*b_c; Summer May: 1; Summer July: 2."


def test_a_page_that_is_laid_out_as_a_table_is_text():
    html = f"<table><tr><td>{'word ' * 100}</td><td>{'other ' * 100}</td></tr></table>"

    assert ";" not in html_text(html)


def test_marks_that_a_page_has_itself_are_no_tables():
    html = (
        f"<p>{html_tables._MARK}0{html_tables._MARK}</p><table><tr><td>a<td>b<tr><td>c<td>d</table>"
    )

    assert html_text(html).startswith("0\n")


PERIODS = [
    ["In thousand euros", "2024", "", "2023"],
    ["", "Sales", "Profit", "Sales"],
    ["Pumps", "4120", "453", "3708"],
]


def test_headings_of_a_sheet_in_two_rows_hold_for_each_column():
    assert list(linearized(PERIODS)) == [
        "In thousand euros: Pumps; 2024 Sales: 4120; 2024 Profit: 453; 2023 Sales: 3708."
    ]


def test_a_new_period_in_a_second_block_has_headings_of_its_own():
    second = [["In thousand euros", "2022", ""], ["", "Sales", "Profit"], ["Pumps", "1", "2"]]

    lines = list(linearized([*PERIODS, [], *second]))

    assert lines[-1] == "In thousand euros: Pumps; 2022 Sales: 1; 2022 Profit: 2."


@pytest.mark.parametrize("total", [["Total", "9", "9", "9"], ["Total", "9"]])
def test_totals_after_an_empty_row_keep_the_headings(total):
    assert list(linearized([*PERIODS, [], total]))[-1].startswith(
        "In thousand euros: Total; 2024 Sales: 9"
    )


@pytest.fixture
def book(tmp_path):
    """A workbook with a hidden sheet and row, merged cells, and a formula without a result."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for row in (["Hall", "Day", "Hours"], ["Hall 1", "Monday", 3], [None, "Tuesday", 4]):
        sheet.append(row)
    sheet.append(["All", "", "=SUM(C2:C3)"])
    sheet.merge_cells("A2:A3")
    sheet.row_dimensions[3].hidden = True
    secret = workbook.create_sheet("Secret")
    secret.append(["Name", "Pay"])
    secret.append(["Holm", 3000])
    secret.sheet_state = "hidden"
    path = tmp_path / "book.xlsx"
    workbook.save(path)
    return path


def test_hidden_parts_merged_cells_and_formulas_without_a_result_are_named(book):
    seen = Seen()

    shown, hidden = (page.text for page in office.xlsx_pages(book, 10_000, seen))

    assert "Hall: Hall 1; Day: Tuesday; Hours: 4; (hidden row)." in shown
    assert "Hall: All; Hours: (not calculated: =SUM(C2:C3))." in shown
    assert hidden.startswith("## Secret (hidden sheet)")
    assert seen.hidden == ["1 rows of sheet Sheet", "sheet Secret"]
    assert seen.warnings == ["1 formulas of sheet Sheet have no stored result."]
