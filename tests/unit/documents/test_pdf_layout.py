"""Tables and footnotes of PDF pages: what stands beside each other, and what at the foot."""

import pypdfium2
import pytest

from rig.pdf_files import Placed, pdf, placed_pdf
from xnai.documents.parsers.seen import Seen
from xnai.documents.pdf import layout as pdf_layout
from xnai.documents.pdf import marked, reader

PRICES = [["Room", "May", "July"], ["Single", "80", "110"], ["Double", "120", "160"]]
TABLE = "Room: Single; May: 80; July: 110.\nRoom: Double; May: 120; July: 160."
PROSE = "The rooms have a view of the harbour and of its lighthouse."


WIDTH = 90.0
WORDS = ("first", "second", "third", "fourth")


def cells(rows, left=72.0, top=700.0, pitch=20.0, size=11.0):
    return [
        (left + WIDTH * c, top - pitch * r, size, text)
        for r, row in enumerate(rows)
        for c, text in enumerate(row)
        if text
    ]


def grid(rows, left=72.0, top=700.0, pitch=20.0):
    """The lines around cells; each a stroke of its own."""
    x0, y0 = left - 4, top + pitch - 6
    x1, y1 = x0 + WIDTH * len(rows[0]), y0 - pitch * len(rows)
    return [
        *((x0, y0 - pitch * n, x1, y0 - pitch * n) for n in range(len(rows) + 1)),
        *((x0 + WIDTH * n, y0, x0 + WIDTH * n, y1) for n in range(len(rows[0]) + 1)),
    ]


def texts(content: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(content)
    return [page.text for page in reader.pages(document, Seen())]


def text(*parts: list[Placed], lines=()) -> str:
    (page,) = texts(placed_pdf([([part for some in parts for part in some], lines)]))
    return page.strip()


def by_column(placed):
    return sorted(placed, key=lambda part: part[0])


@pytest.mark.parametrize("order", [list, by_column], ids=["by row", "by column"])
@pytest.mark.parametrize("lines", [grid(PRICES), ()], ids=["ruled", "unruled"])
def test_a_table_is_read_row_by_row_however_it_was_written(order, lines):
    assert TABLE == text(order(cells(PRICES)), lines=lines)


def test_a_table_stands_between_the_paragraphs_that_are_around_it():
    before, after = (72, 760, 11, PROSE), (72, 600, 11, "They are heated.")

    page = text([before], cells(PRICES), [after], lines=grid(PRICES))

    assert f"{PROSE}\n\n{TABLE}\n\nThey are heated." == page


def test_a_cell_of_several_lines_is_one_cell():
    rows = [
        ["Room", "What it has"],
        ["Single", "a bed"],
        ["", "and a desk"],
        ["Double", "two beds"],
    ]
    lines = [line for line in grid(rows) if line[1] != line[3] or line[1] != 674]

    page = text(cells(rows), lines=lines)

    assert "Single: a bed and a desk." in page


def test_what_spans_several_columns_or_rows_is_said_in_each_of_them():
    rows = [["Room", "Price", ""], ["", "May", "July"], ["Single", "80", "110"], ["", "85", "120"]]
    x, y = 68 + 180, 714.0
    lines = [line for line in grid(rows) if not line[0] == line[2] == x]
    lines = [line for line in lines if not (line[1] == line[3] and line[1] in {694, 654})]
    lines += [(x, y - 20, x, y - 80), (158, 694, 338, 694), (158, 654, 338, 654)]

    page = text(cells(rows), lines=lines)

    assert page == (
        "Room: Single; Price May: 80; Price July: 110.\n"
        "Room: Single; Price May: 85; Price July: 120."
    )


def test_of_two_columns_the_first_may_name_what_is_in_the_second():
    rows = [["Name", "Ada Holm"], ["Town", "Norwick"], ["Trade", "Keeper"]]

    assert text(cells(rows), lines=grid(rows)) == "Name: Ada Holm.\nTown: Norwick.\nTrade: Keeper."


def test_a_table_that_goes_on_on_the_next_page_has_its_headings_there_too():
    rows = [["Name", "Born", "In"], *([f"Person {n}", str(1900 + n), "Norwick"] for n in range(8))]
    pages = [rows[:4], rows[4:7], rows[7:]]

    read = texts(placed_pdf([(cells(part), grid(part)) for part in pages]))

    lines = [line for page in read for line in page.split("\n") if line]
    assert lines == [f"Name: Person {n}; Born: {1900 + n}; In: Norwick." for n in range(8)]


def test_a_new_table_on_the_next_page_has_its_own_headings():
    other = [["Dish", "Price", "For"], ["Soup", "4", "one"], ["Fish", "14", "two"]]
    first = [["Name", "Born"], ["Ada", "1901"], ["Jon", "1903"]]

    read = texts(placed_pdf([(cells(part), grid(part)) for part in (first, other)]))

    assert read[1].startswith("Dish: Soup; Price: 4; For: one.")


def test_another_table_of_as_many_columns_on_the_next_page_has_its_own_headings():
    first = [["Town", "Count", "Mayor"], ["Tarn", "5", "Ada"], ["Unst", "7", "Jon"]]
    other = [["Part", "Price", "Maker"], ["Bolt", "4", "Reed"], ["Screw", "2", "Holm"]]

    read = texts(placed_pdf([(cells(part), grid(part)) for part in (first, other)]))

    assert read[1].startswith("Part: Bolt; Price: 4; Maker: Reed.")


def test_a_ruled_table_without_headings_says_nothing_of_its_first_row_but_what_it_holds():
    rows = [["Bolt", "12", "4.50"], ["Screw", "30", "0.20"]]

    assert "Bolt; 12; 4.50.\nScrew; 30; 0.20." == text(cells(rows), lines=grid(rows))


def test_far_down_a_long_table_the_words_that_are_cited_are_marked_and_no_others():
    rows = [["Name", "Born", "In"], *([f"Person {n}", str(1900 + n), "Norwick"] for n in range(99))]
    parts = [rows[:3], *(rows[n : n + 2] for n in range(3, 99, 2))]
    content = placed_pdf([(cells(part), grid(part)) for part in parts])
    page = texts(content)[46]
    start = page.index("Person 92")
    document = pypdfium2.PdfDocument(content)

    found = marked._indices(document, 46, len(page))[start : start + 9]
    shown = document[46].get_textpage().get_text_range(found[0], found[-1] - found[0] + 1)

    assert ("Person 92", ()) == (shown, tuple(marked._indices(document, 46, len(page) + 1)))


def test_rows_that_are_alike_on_every_page_are_no_header():
    rows = [["Name", "Born", "In"], *([f"Person {n}", str(1900 + n), "town 1"] for n in range(12))]
    pages = [rows[:4], rows[4:7], rows[7:10], rows[10:]]

    read = texts(placed_pdf([(cells(part), grid(part)) for part in pages]))

    assert [page.count("Person") for page in read] == [3, 3, 3, 3]


def test_a_table_that_is_the_same_on_every_page_is_a_header():
    logo = [["Manual", "Bellamy", "Norwick"], ["of 2024", "Lamps", "Lights"]]
    body = [
        [(72, 600 - 14 * n, 11, f"The {word} chapter has words of its own.") for n in range(9)]
        for word in WORDS
    ]

    read = texts(placed_pdf([(cells(logo, top=800) + part, grid(logo, top=800)) for part in body]))

    assert ["Bellamy" in page for page in read] == [True, False, False, False]
    assert all(f"The {word} chapter" in page for word, page in zip(WORDS, read, strict=True))


def test_two_columns_of_prose_are_no_table():
    lines = [PROSE] * 12
    columns = cells([[line] for line in lines], left=40, size=8, pitch=14)
    columns += cells([[line] for line in lines], left=320, size=8, pitch=14)

    page = text(columns)

    assert ";" not in page
    assert page.count(PROSE) == 24


def test_the_axes_of_a_chart_are_no_table():
    lines = grid([[""] * 8] * 8)
    labels = [(60, 700 - 20 * n, 8, str(n)) for n in range(8)]

    assert ";" not in text(labels, lines=lines)


BODY = [
    (72, 760 - 14 * n, 11, f"Line {n} of the text goes on and on over the page") for n in range(9)
]


def test_a_footnote_is_a_paragraph_of_its_own_behind_the_text():
    note = [(72, 100, 8, "1 The trust was dissolved in 1991."), (72, 91, 8, "It had no heirs.")]
    footer = [(290, 40, 11, "Page 7")]

    page = text(BODY, note, footer)

    assert page.endswith(
        "over the page\n\n1 The trust was dissolved in 1991.\nIt had no heirs.\n\nPage 7"
    )


def test_a_footnote_of_the_first_column_does_not_stand_before_the_second():
    def column(left: float, word: str) -> list[tuple[float, float, float, str]]:
        return [(left, 760 - 14 * n, 10, f"{word} column has line {n} here") for n in range(9)]

    notes = [(40, 100, 7, "1 The first note is here."), (320, 100, 7, "2 The other note is here.")]

    page = text(column(40, "First"), notes[:1], column(320, "Second"), notes[1:])

    assert page.endswith("\n\n1 The first note is here.\n\n2 The other note is here.")
    assert "First column has line 8 here\nSecond column has line 0 here" in page


def test_small_print_above_text_stays_where_it_is():
    caption = [(72, 770, 8, "1 The lamp of the tower, seen from below")]

    assert text(caption, [(x, y - 30, size, t) for x, y, size, t in BODY]).startswith("1 The lamp")


def test_the_number_of_a_note_is_no_part_of_the_word_or_year_before_it():
    raised = [(72, 700, 11, "built in 1987"), (138, 704, 7, "2"), (142, 700, 11, " by Bellamy")]

    page = text(raised)

    assert "1987 2" in page


def test_every_character_leads_back_to_its_place_on_the_page():
    note = [(72, 100, 8, "1 The trust was dissolved in 1991.")]
    document = pypdfium2.PdfDocument(
        placed_pdf([([*BODY, *by_column(cells(PRICES, top=500)), *note], grid(PRICES, top=500))])
    )
    page = document[0]
    layout = pdf_layout.read(page, page.get_textpage())

    (read, indices, _), _ = pdf_layout.written(layout, None)

    assert TABLE in read
    assert len(read) == len(indices)
    for character, index in zip(read, indices, strict=True):
        assert index == pdf_layout.PUT_IN or ord(character) in {layout.codes[index], 0x20}


def test_a_page_of_plain_text_is_read_as_ever():
    assert texts(pdf([["Grüße (really)", "second line"]])) == ["Grüße (really)\nsecond line"]


def test_a_page_whose_words_have_no_places_begins_with_no_table():
    layout = pdf_layout.Layout([0x5D0, 0x5D1], [], [], [])

    assert not pdf_layout.may_continue(layout)
    assert pdf_layout.written(layout, None)[0].text == "\u05d0\u05d1"


def test_columns_that_were_drawn_row_by_row_are_read_one_after_the_other():
    rows = [(f"Left column says {n} now", f"Right column says {n} too") for n in range(8)]
    parts = [
        (left, 700 - 14 * n, 10, line)
        for n, row in enumerate(rows)
        for left, line in zip((60, 320), row, strict=True)
    ]

    read = text(parts)

    assert read.index("Left column says 7") < read.index("Right column says 0")


def test_a_title_that_is_drawn_last_stands_before_its_table_and_parts_no_headings():
    rows = [["Name", "Born", "In"], *([f"Person {n}", str(1900 + n), "Norwick"] for n in range(8))]
    title = (72, 790, 14, "A register of all the keepers of the light, by the order of their birth")
    pages = [rows[:5], rows[5:]]

    read = texts(placed_pdf([([*cells(part), title], grid(part)) for part in pages]))

    assert read[0].startswith("A register")
    assert "Name: Person 7; Born: 1907" in read[1]
