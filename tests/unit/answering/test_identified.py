"""The record that a question names by its number, and the section that it wants to be told."""

import pytest
from fakes import ReplyModel, ShelfLibrary

from xnai.answering.events import Question, Token
from xnai.answering.pipeline import Pipeline
from xnai.answering.reading.identified import record_alone
from xnai.answering.reading.lines import make_sheet
from xnai.answering.reading.named import cells_alone
from xnai.answering.reading.structure import asks_for_section
from xnai.types import PageText, Passage, Scope

CUSTOMERS = ("Holm", "Lark", "Moss", "Quay", "Vale")


def invoices(pages: int = 5):
    texts = [
        f"Invoice 1004{number}\n\nCustomer: {CUSTOMERS[number]}\n\nDate: 2025-03-1{number}\n\n"
        f"Total due: {number}84.80 EUR"
        for number in range(pages)
    ]
    return make_sheet(
        PageText("d", "invoices.pdf", pages, at + 1, text) for at, text in enumerate(texts)
    )


ORDERS = make_sheet(
    [
        PageText(
            "o",
            "orders.csv",
            1,
            None,
            "\n".join(
                f"Order: 1260{n}; City: {city}; Reference: XK-9{n}0."
                for n, city in enumerate(CUSTOMERS)
            ),
        )
    ]
)


@pytest.mark.parametrize("asked", ["Which customer has invoice 10043?", "total of 10043 please"])
def test_of_pages_that_are_alike_the_one_with_the_number_is_read_alone(asked):
    alone = record_alone(invoices(), asked)
    assert alone is not None
    assert "[1] Invoice 10043\n[2] Customer: Quay\n" in alone.text
    assert "Lark" not in alone.text


@pytest.mark.parametrize("asked", ["Which city is order 12603 for?", "where does xk-930 go"])
def test_of_rows_the_one_with_the_number_is_read_alone(asked):
    alone = record_alone(ORDERS, asked)
    assert alone is not None
    assert alone.text.endswith("[1] Order: 12603; City: Quay; Reference: XK-930.")


@pytest.mark.parametrize(
    "asked",
    [
        "Which customer has the highest total?",  # names nothing
        "Which customer has invoice 99999?",  # names what is not there
        "What was invoiced in 2025?",  # a year is no name
        "Which is larger, 10043 or 10099?",  # one of two is not there
        "What is 1004?",  # it is a part of a number only
    ],
)
def test_without_one_record_all_is_read(asked):
    assert record_alone(invoices(), asked) is None


def test_pages_of_a_text_are_no_records():
    assert record_alone(invoices(2), "Which customer has invoice 10041?") is None


def test_both_records_of_two_numbers_are_read():
    alone = record_alone(ORDERS, "orders 12601 and 12602?")
    assert alone is None  # of five rows two are not few
    many = make_sheet(
        [
            PageText(
                "o", "o.csv", 1, None, "\n".join(f"Order: 12{n}; N: {n}." for n in range(100, 120))
            )
        ]
    )
    two = record_alone(many, "orders 12101 and 12102?")
    assert two is not None
    assert two.text.count("Order:") == 2


@pytest.mark.parametrize(
    "text",
    [
        "section 4.2?",
        "and clause 7.1",
        "What does section 4.2 say?",
        "what's in article 5",
        "What is clause 7.1 about?",
        "Was steht in § 4?",
        "Was steht in Abschnitt 4.2?",
        "Que dit l'article 5 ?",
        "¿Qué dice la cláusula 3.1?",
        "tell me section 4.2 of the contract",
    ],
)
def test_who_wants_to_be_told_a_section_wants_nothing_of_it(text):
    assert asks_for_section(text)


@pytest.mark.parametrize(
    "text",
    [
        "What does section 4.2 say about the notice?",
        "Who signed section 4.2?",
        "Is clause 7.1 still valid?",
        "Which section is about 4.2 tonnes of gravel?",
        "What is it about?",
        "Translate section 4.2",
    ],
)
def test_who_asks_something_of_a_section_wants_an_answer(text):
    assert not asks_for_section(text)


CONTRACT = (
    "4.1 It begins on 1 April.\n\n4.2 Either party may end it with six months' notice.\n\n"
    "4.3 Keys are given back.\n\n5.1 Secrets are kept.\n\n5.2 Known things are no secrets."
)


async def test_a_section_is_told_as_it_stands_without_the_model():
    model = ReplyModel(replies=[])
    shelf = [Passage("d", "c.pdf", 2, 0, len(CONTRACT), CONTRACT, 0.9)]
    asked = Question("section 4.2?", "r1", "u1", scope=Scope("thread:1"))

    events = [event async for event in Pipeline(ShelfLibrary(shelf), model).answer(asked)]

    told = "".join(event.text for event in events if isinstance(event, Token))
    assert told == "4.2 Either party may end it with six months' notice. [1]"
    assert model.asked == []
    assert events[-1].outcome == "answered"
    assert [citation.page for citation in events[-1].citations] == [2]


ROSTER = "\n".join(
    f"Hall: {hall}; Day: {day}; Early: {early}; Late: {late}."
    for hall, day, early, late in (
        ("Hall 1", "Monday", "Holm", "Lark"),
        ("Hall 1", "Tuesday", "Moss", "Holm"),
        ("Hall 2", "Monday", "Sund", "Vale"),
        ("Hall 2", "Tuesday", "Lark", "Sund"),
    )
)


def roster():
    return make_sheet([PageText("r", "roster.docx", 1, None, f"# Roster\n\n{ROSTER}")])


def test_of_the_row_that_is_named_the_column_that_is_asked_for_is_told_alone():
    alone = cells_alone(roster(), "Who has the late shift in hall 2 on Monday?")
    assert alone is not None
    assert alone.text.endswith("[1] Hall: Hall 2; Day: Monday; Late: Vale")
    assert alone.lines[0].citation(1).quote == "Hall: Hall 2; Day: Monday; Early: Sund; Late: Vale."


@pytest.mark.parametrize(
    "asked",
    [
        "Who has the late shift on Monday?",  # in two halls
        "Who is in hall 2 on Monday?",  # no column
        "Who has the late shift?",  # no row
        "Who else is late in hall 2 on Monday?",  # others
    ],
)
def test_without_one_row_and_a_column_no_cell_is_told_alone(asked):
    assert cells_alone(roster(), asked) is None
