"""What is taken for a header or a footer, and what must never be."""

import pytest

from xnai.documents.parsers.headers_footers import EdgedPage, EdgeSegment, HeadersFooters, by_pages

BODY = "a body of many words that stands on this page alone, namely"


Placed = tuple[str, float]


def sheet(number: int, *lines: Placed) -> EdgedPage:
    """A page of lines with their places, from 0 at the top to 1 at the bottom."""
    text = ""
    segments: list[EdgeSegment] = []
    for line, place in lines:
        segments.append(EdgeSegment(len(text), len(text) + len(line), line, place))
        text += line + "\n"
    return EdgedPage(number, text, segments)


def blanked(sheets):
    margins = HeadersFooters(sheets)
    return [margins.blanked(one).split("\n") for one in sheets], margins


def pages(count: int, *lines: Placed) -> list[EdgedPage]:
    """So many pages; ``{n}`` in a line is the page's number."""
    body = (f"{BODY} {{n}}", 0.5)
    return [
        sheet(n, *((line.format(n=n), place) for line, place in [*lines, body]))
        for n in range(1, count + 1)
    ]


def test_a_header_goes_from_all_pages_but_its_first_and_is_kept_aside():
    read, margins = blanked(pages(6, ("Report of 2024", 0.05)))

    assert [page[0].strip() for page in read] == ["Report of 2024", *[""] * 5]
    assert by_pages(margins.removed) == ["Report of 2024 (page 2-6)"]


@pytest.mark.parametrize(
    "number", ["{n}", "- {n} -", "Page {n} of 6", "Seite {n}", "p. {n}", "{n}/6"]
)
def test_the_number_of_a_page_goes(number):
    read, _ = blanked(pages(6, (number, 0.95)))

    assert not any(page[0].strip() for page in read)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("Invoice 1004{n}", 0.05),
        ("Payslip no. {n}", 0.05),
        ("Total: {n}00 EUR", 0.95),
        ("Date: {n} March", 0.05),
        ("Net pay of the month", 0.5),
        ("Net pay of the month", 0.3),
    ],
    ids=["number", "title", "total", "date", "middle", "below the margin"],
)
def test_a_line_with_numbers_or_in_the_middle_stays(line, place):
    sheets = pages(6, (line, place))

    assert blanked(sheets)[0] == [one.text.split("\n") for one in sheets]


def test_what_stands_further_in_than_text_of_the_page_stays():
    sheets = pages(6, ("Chapter {n} begins", 0.03), ("Name of the vessel", 0.08))

    assert blanked(sheets)[0] == [one.text.split("\n") for one in sheets]


def test_copies_of_one_form_lose_nothing():
    sheets = [sheet(n, ("Form A", 0.05), (BODY, 0.5)) for n in range(1, 9)]

    assert blanked(sheets)[0] == [one.text.split("\n") for one in sheets]


def test_a_page_that_would_lose_much_of_it_keeps_all():
    sheets = [sheet(n, ("A header of some words", 0.05), (f"Slide {n}", 0.5)) for n in range(1, 9)]

    assert blanked(sheets)[0] == [one.text.split("\n") for one in sheets]


def test_headers_of_left_and_right_pages_go():
    sheets = [
        sheet(n, ("The book" if n % 2 else "The chapter", 0.05), (f"{BODY} {n}", 0.5))
        for n in range(1, 13)
    ]

    assert [page[0].strip() for page in blanked(sheets)[0]] == [
        "The book",
        "The chapter",
        *[""] * 10,
    ]
